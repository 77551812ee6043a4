"""cluster: what are the texts of a file about? Not how clusters are found: see nearsense/clustering/."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from nearsense.cli.options import document_options, encoder_of, form_of, model_options, output_options, read

if TYPE_CHECKING:
    from nearsense.records import Document, Vectors


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
def cluster(
    file: str,
    form: str | None,
    quiet: bool,
    k: int | None,
    method: str | None,
    min_size: int | None,
    min_score: float | None,
    language: str | None,
    seed: int,
    stability: bool,
    levels: int,
    assign_to: str | None,
    save: str | None,
    report: str | None,
    output: str | None,
    **options: Any,
) -> None:
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
    from nearsense.cached import cached
    from nearsense.clustering import cluster as clusters_of
    from nearsense.clustering import load_clusters
    from nearsense.files import atomic_write, write_table
    from nearsense.files.table import json_value
    from nearsense.render import show
    from nearsense.render.clusters import added_columns, cluster_rows, clusters_page, clusters_report

    given = {"--method": method, "--min-size": min_size, "--min-score": min_score, "--language": language, "-k": k}
    said = [*(name for name, value in given.items() if value is not None), *["--stability"] * stability]
    if assign_to is not None and said:
        raise click.UsageError(f"{', '.join(said)}: with --assign-to the clusters are there already")
    _require_targets(output, report, save)
    rows, documents, vectors, load = _read(file, options)
    known = None if assign_to is None else load_clusters(assign_to)
    with_vectors: dict[str, Any] = {
        "vectors": vectors,
        "encoder": cached(load()) if vectors is None else None,
        "progress": not quiet,
    }
    if known is not None:
        clusters = known.assign(documents, **with_vectors)
    else:
        how: dict[str, Any] = {"method": method, "min_size": min_size, "min_score": min_score, "seed": seed}
        clusters = clusters_of(documents, k, language=language, **how, **with_vectors)
    if len(clusters) < (k or 0):
        sys.stderr.write(f"warning: {len(clusters):,} of {k:,} clusters: no more texts differ\n")
    if stability:
        clusters = clusters.with_stability(progress=not quiet)
    grouped = cluster_rows(clusters, rows, levels=levels)
    added = added_columns(clusters, levels)
    if replaced := [name for name in (rows[0] if rows else ()) if name in added]:
        sys.stderr.write(f"warning: replaced in the output: {', '.join(replaced)}\n")
    if save is not None:
        clusters.save(save)
    if report is not None:
        written = clusters_report(clusters, "standard input" if file == "-" else Path(file).name)
        with atomic_write(report) as stream:
            stream.write(written.encode("utf-8", "replace"))
    if output is not None:
        write_table(output, grouped, columns=list(grouped[0]) if grouped else None)
        shown = None
    else:
        shown = [{name: json_value(value) for name, value in row.items()} for row in grouped]
    show(clusters_page(clusters, shown, levels=levels), form_of(form))


COMMANDS = (cluster,)


def _require_targets(output: str | None, report: str | None, save: str | None) -> None:
    """Everything can be written, rows in a known format, and no file is to hold two of the things.

    Raises:
        UsageError: -o is standard output, which has the rows without being asked, or two targets are one file.
        FileError: No format is known by the name of -o, or a folder is not there.
    """
    from nearsense.files import require_place
    from nearsense.files.formats import Format, format_of

    if output == "-":
        raise click.UsageError("-o -: standard output has the rows in a pipe, and with --csv; leave -o out")
    if output is not None:
        format_of(output, None, (Format.CSV, Format.TSV, Format.JSON, Format.JSONL, Format.PARQUET))
    targets = [target for target in (output, report, save) if target is not None]
    for target in targets:
        require_place(target)
    files = [Path(target).resolve() for target in targets if target != "-"]
    if len(set(files)) < len(files):
        raise click.UsageError("-o, --report and --save: two of them name one file; give each its own")


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
