"""cluster: what are the texts of a file about? Not how clusters are found: see nearsense/clustering/."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from nearsense.cli.options import document_options, encoder_of, form_of, model_options, output_options, read

if TYPE_CHECKING:
    from nearsense.clustering import Clusters
    from nearsense.encoders import Encoder
    from nearsense.types import Document, Vectors

__all__ = ["COMMANDS"]

FOUND_BY = ("k", "method", "min_size", "min_score", "language", "seed")
"""What of the options is said to `nearsense.cluster`."""

SAID_BEFORE = ("method", "min_size", "min_score", "language")
"""What of them known clusters leave nothing to say about."""


@click.command()
@click.argument("file")
@click.option(
    "-k", type=click.IntRange(min=1), metavar="N", help="How many clusters.  [default: as many as there are]"
)
@click.option(
    "--method",
    type=click.Choice(["kmeans", "balanced", "density", "agglomerative"]),
    help="How to find them.  [default: kmeans with -k, agglomerative with --min-score, else density]",
)
@click.option(
    "--min-size",
    type=click.IntRange(min=2),
    metavar="N",
    help="How many texts make a cluster.  [default: a fifth of the root of their number, at least 3]",
)
@click.option(
    "--min-score",
    type=click.FloatRange(-1, 1),
    metavar="SCORE",
    help="Groups whose texts score so much with each other on average; of up to some thousand texts.",
)
@click.option(
    "--language", metavar="CODE", help="Whose stop words no name holds: en, it, ...  [default: found in the texts]"
)
@click.option(
    "--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Of what is drawn by chance."
)
@click.option(
    "--stability", is_flag=True, help="Cluster ten times more without a fifth, and say what comes again."
)
@click.option(
    "--levels",
    type=click.IntRange(1, 3),
    default=1,
    show_default=True,
    help="2 says the theme of each cluster too, 3 also the parts of each.",
)
@click.option("--assign-to", metavar="FILE", help="Put the texts into clusters that --save wrote.")
@click.option("--save", metavar="FILE", help="Keep the clusters for --assign-to: names and centres, no texts.")
@click.option("--report", metavar="FILE", help="Write a report in Markdown.")
@click.option("--output", "-o", metavar="FILE", help="Write all rows with their cluster: csv, jsonl, ...")
@document_options
@model_options
@output_options
def cluster(file: str, form: str | None, quiet: bool, **options: Any) -> None:
    """Find what the texts of FILE are about: groups that are near in sense, with names.

    On a terminal a table of the clusters; in a pipe, and with --csv, all rows of FILE with their cluster, its
    name, and how firmly they belong to it; with --json the clusters. With -o the rows go into a file, and a pipe
    has one line a cluster. Texts in no cluster have -1.

    \b
    Examples:
      nearsense cluster tickets.csv
      nearsense cluster tickets.csv -k 8 --report report.md
      nearsense cluster tickets.csv --text body -o clustered.csv --save known.clusters
      nearsense cluster new.csv --assign-to known.clusters --csv > assigned.csv
      nearsense cluster reviews.parquet --levels 2 --stability
    """
    from nearsense.files import require_place, write_table
    from nearsense.files.values import json_value
    from nearsense.render import show
    from nearsense.render.clusters import added_columns, cluster_rows, clusters_page, clusters_report

    levels, output, report, save = (options.pop(name) for name in ("levels", "output", "report", "save"))
    assign_to, stability = options.pop("assign_to"), options.pop("stability")
    found_by = {name: options.pop(name) for name in FOUND_BY}
    if assign_to is not None:
        _require_no_method(found_by, stability)
    if output is not None:
        _require_rows_target(output)
    for target in (report, save):
        if target is not None:
            require_place(target)
    _require_apart(output, report, save)
    rows, documents, vectors, load = _read(file, options)
    clusters = _clusters(documents, vectors, load, found_by, assign_to, not quiet)
    if len(clusters) < (found_by["k"] or 0):
        sys.stderr.write(f"warning: {len(clusters):,} of {found_by['k']:,} clusters: no more texts differ\n")
    if stability:
        clusters = clusters.with_stability(progress=not quiet)
    made = cluster_rows(clusters, rows, levels=levels)
    _tell_replaced(rows, added_columns(clusters, levels))
    if save is not None:
        clusters.save(save)
    if report is not None:
        _write(report, clusters_report(clusters, "standard input" if file == "-" else Path(file).name))
    if output is not None:
        write_table(output, made, columns=list(made[0]) if made else None)
    shown = None if output is not None else [json_value(row) for row in made]
    show(clusters_page(clusters, shown, levels=levels), form_of(form))


COMMANDS = (cluster,)


def _require_no_method(found_by: Mapping[str, Any], stability: bool) -> None:
    """Known clusters say themselves how they were found."""
    given = [f"--{name.replace('_', '-')}" for name in SAID_BEFORE if found_by[name] is not None]
    given += ["-k"] * (found_by["k"] is not None) + ["--stability"] * stability
    if given:
        raise click.UsageError(f"{', '.join(given)}: with --assign-to the clusters are there already")


def _require_rows_target(target: str) -> None:
    """Rows can be written into a file of this name.

    Raises:
        UsageError: It is standard output, which has them without being asked.
        FileError: No format is known by its name, or its folder is not there.
    """
    from nearsense.files import require_place
    from nearsense.files.formats import Format, format_of

    if target == "-":
        raise click.UsageError("-o -: standard output has the rows in a pipe, and with --csv; leave -o out")
    format_of(target, None, (Format.CSV, Format.TSV, Format.JSON, Format.JSONL, Format.PARQUET))
    require_place(target)


def _require_apart(*targets: str | None) -> None:
    """No file is to hold two of the things that are written."""
    given = [Path(target).resolve() for target in targets if target is not None and target != "-"]
    if len(set(given)) < len(given):
        raise click.UsageError("-o, --report and --save: two of them name one file; give each its own")


def _tell_replaced(rows: list[dict[str, Any]], added: tuple[str, ...]) -> None:
    """Columns of the file that the output has its own of."""
    if replaced := [name for name in (rows[0] if rows else ()) if name in added]:
        sys.stderr.write(f"warning: replaced in the output: {', '.join(replaced)}\n")


def _read(file: str, options: dict[str, Any]) -> tuple[list[dict[str, Any]], list[Document], Vectors | None, Any]:
    """The rows with a text, their documents, their vectors where FILE holds them, and what loads the encoder."""
    from nearsense.cli.corpus import documents_of

    table, load = read(file, options), encoder_of(options)
    found = documents_of(table, options)
    rows = [{name: column[row] for name, column in table.columns.items()} for row in found.rows]
    stored = table.vectors
    if table.foreign is not None:
        for cells, row in zip(rows, found.rows, strict=True):
            cells["vector"] = table.foreign(row)
    if stored is not None and stored.fingerprint == load().fingerprint:
        return rows, found.items, stored.take(found.rows), load
    return rows, found.items, None, load


def _clusters(
    documents: list[Document],
    vectors: Vectors | None,
    load: Any,
    found_by: dict[str, Any],
    assign_to: str | None,
    progress: bool,
) -> Clusters:
    """The clusters of the documents, found now or known."""
    from nearsense.cached import cached
    from nearsense.clustering import cluster, load_clusters

    known = None if assign_to is None else load_clusters(assign_to)
    encoder: Encoder | None = cached(load()) if vectors is None else None
    if known is None:
        return cluster(documents, vectors=vectors, encoder=encoder, progress=progress, **found_by)
    return known.assign(documents, vectors=vectors, encoder=encoder, progress=progress)


def _write(target: str, content: str) -> None:
    from nearsense.files import atomic_write

    with atomic_write(target) as stream:
        stream.write(content.encode("utf-8", "replace"))
