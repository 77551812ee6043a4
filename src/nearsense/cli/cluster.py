"""cluster: what are the texts of a file about? Not how clusters are found: see nearsense/clustering/."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from nearsense.cli.options import COUNT, CorpusOptions, OutputOptions, option, takes

if TYPE_CHECKING:
    from nearsense.cli.inputs import Corpus
    from nearsense.clustering import Clusters


SHOWN = 20
"""Clusters that a terminal is shown where nothing is said."""


class ClusterOptions(CorpusOptions):
    """How clusters are found, and what is made of them."""

    k: int | None = option("-k N", "How many clusters.  [default: as many as there are]", COUNT)
    strict: bool = option("--strict", "Only dense regions: what lies between them is in no cluster.")
    method: str | None = option(
        "--method",
        "How to find them.  [default: kmeans with -k, agglomerative with --min-score, else density]",
        click.Choice(["kmeans", "balanced", "density", "agglomerative"]),
    )
    min_size: int | None = option(
        "--min-size N",
        "How many texts make a cluster.  [default: a fifth of the root of their number, at least 3]",
        click.IntRange(min=2),
    )
    min_score: float | None = option(
        "--min-score SCORE",
        "Groups whose texts score so much with each other on average; of up to some thousand texts.",
        click.FloatRange(-1, 1),
    )
    language: str | None = option(
        "--language CODE", "Whose stop words no name holds: en, it, ...  [default: found in the texts]"
    )
    seed: int = option("--seed", "Of what is drawn by chance.", click.IntRange(min=0), default=0)
    stability: bool = option("--stability", "Cluster ten times more without a fifth, and say what comes again.")
    levels: int = option(
        "--levels",
        "2 says the theme of each cluster too, 3 also the parts of each.",
        click.IntRange(1, 3),
        default=1,
    )
    assign_to: str | None = option("--assign-to FILE", "Put the texts into clusters that --save wrote.")
    save: str | None = option("--save FILE", "Keep the clusters for --assign-to: names and centres, no texts.")
    report: str | None = option("--report FILE", "Write a report in Markdown.")
    output: str | None = option(
        "--output -o FILE",
        "Write all rows with their cluster: .csv, .tsv, .xlsx, .json, .jsonl, .parquet or .md.",
    )
    show: int | None = option("--show N", "Show N clusters at most.  [default: 20 on a terminal, else all]", COUNT)


@click.command()
@click.argument("file")
@takes(options=ClusterOptions, output=OutputOptions)
def cluster(file: str, options: ClusterOptions, output: OutputOptions) -> None:
    """Find what the texts of FILE are about: groups that are near in sense, with names.

    On a terminal a table of the clusters; in a pipe, and with --csv, all rows of FILE with their cluster, its
    name, and how firmly they belong to it; with --json the clusters. With -o the rows go into a file, and a pipe
    has one line a cluster. Texts in no cluster have -1.

    \b
    Examples:
      nearsense cluster tickets.csv
      nearsense cluster tickets.csv -k 8 --report report.md
      nearsense cluster tickets.csv --text body -o clustered.xlsx --save known.clusters
      nearsense cluster new.csv --assign-to known.clusters --csv > assigned.csv
      nearsense cluster reviews.parquet --levels 2 --stability
    """
    from nearsense.cli.inputs import read_corpus
    from nearsense.cli.outputs import write_text
    from nearsense.files import write_table
    from nearsense.files.table import json_value
    from nearsense.render.clusters import added_columns, cluster_rows, clusters_page, clusters_report

    _require_options(file, options)
    corpus = read_corpus(file, options, texts=True)
    clusters = _clusters(corpus, options)
    if len(clusters) < (options.k or 0):
        sys.stderr.write(f"warning: {len(clusters):,} of {options.k:,} clusters: no more texts differ\n")
    if options.stability:
        clusters = clusters.with_stability(progress=options.progress)
    columns = _cells(corpus)
    added = added_columns(clusters, options.levels)
    if replaced := [name for name in columns if name in added]:
        sys.stderr.write(f"warning: replaced in the output: {', '.join(replaced)}\n")
    if options.output is None:
        columns = {name: [json_value(cell) for cell in cells] for name, cells in columns.items()}
    rows = cluster_rows(clusters, columns, levels=options.levels)
    if options.save is not None:
        clusters.save(options.save)
    if options.report is not None:
        write_text(options.report, clusters_report(clusters, "standard input" if file == "-" else Path(file).name))
    if options.output is not None:
        write_table(options.output, rows, columns=list(rows[0]) if rows else None)
    most = options.show or (SHOWN if output.for_a_terminal else None)
    listed = rows if options.output is None else None
    output.show(clusters_page(clusters, listed, levels=options.levels, most=most))


COMMANDS = (cluster,)


def _require_options(file: str, options: ClusterOptions) -> None:
    """Refuse, before anything is read, options that do not go together and files that cannot be written."""
    from nearsense.cli.outputs import require_targets
    from nearsense.files import require_table_target

    if options.assign_to is not None:
        names = ("method", "min_size", "min_score", "language", "k", "strict", "stability")
        given = [name for name in names if getattr(options, name) not in (None, False)]
        if given:
            flags = ", ".join("-k" if name == "k" else f"--{name.replace('_', '-')}" for name in given)
            raise click.UsageError(f"{flags}: with --assign-to the clusters are there already")
    if options.output == "-":
        raise click.UsageError("-o -: standard output has the rows in a pipe, and with --csv; leave -o out")
    if options.output is not None:
        require_table_target(options.output)
    written = {"-o": options.output, "--report": options.report, "--save": options.save}
    require_targets(written, {"FILE": file, "--assign-to": options.assign_to})


def _clusters(corpus: Corpus, options: ClusterOptions) -> Clusters:
    """The clusters that are found, or those that are known already with these texts in them."""
    from nearsense.cached import cached
    from nearsense.clustering import cluster as clusters_of
    from nearsense.clustering import load_clusters
    from nearsense.markup import NONE

    known = None if options.assign_to is None else load_clusters(options.assign_to)
    vectors = corpus.fitting(options, foreign="encode")
    given: dict[str, Any] = {
        "vectors": vectors,
        "encoder": cached(options.load()) if vectors is None else None,
        "progress": options.progress,
    }
    if known is not None:
        return known.assign(corpus.documents, **given)
    return clusters_of(
        corpus.documents,
        options.k,
        method=options.method,
        min_size=options.min_size,
        min_score=options.min_score,
        language=options.language,
        strict=options.strict,
        strip=NONE if options.strip == NONE else None,
        seed=options.seed,
        **given,
    )


def _cells(corpus: Corpus) -> dict[str, list[Any]]:
    """The columns of the rows that have a text, with vectors of no known model as they stand in the file."""
    table, rows = corpus.table, corpus.rows
    whole = len(rows) == len(table)
    columns = {name: cells if whole else [cells[row] for row in rows] for name, cells in table.columns.items()}
    if table.foreign is not None:
        columns["vector"] = [table.foreign(row) for row in rows]
    return columns
