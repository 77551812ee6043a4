"""search, rerank: which texts of a file or of a collection answer a question best?"""

from __future__ import annotations

import shlex
from collections.abc import Collection
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from nearsense.cli.options import (
    COUNT,
    CorpusOptions,
    DocumentOptions,
    ListOptions,
    QueryOptions,
    RunningOptions,
    SureOptions,
    in_a_folder,
    require_table,
    takes,
)
from nearsense.errors import FileError, InputError

if TYPE_CHECKING:
    from nearsense.cli.inputs import Corpus
    from nearsense.files import Table
    from nearsense.records import Document, Hit, Metric, Ranking, Results


@click.command()
@click.argument("file", callback=in_a_folder)
@click.argument("query", nargs=-1, required=True)
@takes(options=QueryOptions, source=CorpusOptions, output=ListOptions)
def search(
    file: str,
    query: tuple[str, ...],
    options: QueryOptions,
    source: CorpusOptions,
    output: ListOptions,
) -> None:
    """Find the texts of FILE that are nearest in sense to each QUERY.

    FILE may be - for standard input, hold vectors that `nearsense encode` wrote, or be a collection, which answers
    at once, also by words (--mode): see `nearsense index`. Texts that are equal are shown once.

    \b
    Examples:
      nearsense search tickets.csv "my screen freezes"
      nearsense search tickets.csv --text body --id ticket -k 3 "late parcel" "refund" --json
      nearsense search tickets.csv "my screen freezes" --where status=open -o hits.xlsx
      nearsense search tickets.nearsense "my screen freezes" --where status=open
      nearsense search tickets.csv "late parcel" --rerank ms-marco-MiniLM-L6-v2
      zcat notes.txt.gz | nearsense search - "train a network"
    """
    from nearsense.cli.arguments import require_order
    from nearsense.render.results import hits_page
    from nearsense.store import is_collection

    require_order(file, query)
    if is_collection(file):
        from nearsense.cli.index import show_hits

        if flags := _typed(DocumentOptions.fields.keys() - {"where"}):
            raise click.UsageError(f"{file} is a collection, {flags} is for files")
        show_hits(file, query, options, source, output)
        return
    require_table(file, source.format)
    _require_file_options(file, options)
    output.show(hits_page(_hits_in_file(file, query, options, source)))


def _typed(names: Collection[str]) -> str:
    """Those of some options that were typed."""
    context = click.get_current_context()
    return ", ".join(
        option.opts[0]
        for option in context.command.params
        if option.name in names and context.get_parameter_source(option.name) is ParameterSource.COMMANDLINE
    )


def _require_file_options(file: str, options: QueryOptions) -> None:
    """Refuse what only a collection can answer; --exact is no such: a file is always searched so."""
    own: dict[str, object] = {"--mode": options.mode != "dense", "--network": options.network}
    own |= {"--all-passages": options.all_passages, "--context": options.context, "--open": options.open_}
    if flags := " ".join(flag for flag, given in own.items() if given):
        name = "texts" if file == "-" else file.rsplit("/", 1)[-1].split(".")[0] or "texts"
        why = f"{flags}: only a collection answers that; a file is searched by meaning alone"
        fix = f"make one: nearsense index create {shlex.quote(name)}.nearsense {shlex.quote(file)}"
        raise InputError(f"{file} is no collection", why=why, fix=fix)


def _hits_in_file(
    file: str,
    queries: tuple[str, ...],
    options: QueryOptions,
    source: CorpusOptions,
) -> list[Results[Hit]]:
    """The hits of each query; equal texts are one, unless each was asked for."""
    from nearsense.calibration import Task
    from nearsense.calibrator import Calibrator
    from nearsense.cli.inputs import read_corpus
    from nearsense.records import Results
    from nearsense.reranking import staged
    from nearsense.search import checked_queries, search_encoded

    calibrator = Calibrator(Task.PASSAGE, **options.arguments())
    second = {"rerank": None, **options.second_stage(source)}
    stages = staged(k=options.k, min_score=options.min_score, **second)
    corpus = read_corpus(file, source)
    vectors = corpus.vectors(source)
    texts, documents = checked_queries(queries, stages.depth), corpus.documents
    alike: dict[str, list[str]] = {}
    if not options.repeats:
        rows, alike = _distinct(documents)
        if len(rows) < len(documents):
            documents, vectors = [documents[row] for row in rows], vectors.take(rows)
    found = search_encoded(texts, vectors, documents, stages, calibrator, source.load(), source.progress)
    if not alike:
        return found
    told = ((replace(hit, alike=tuple(alike.get(hit.id, ()))) for hit in hits) for hits in found)
    return [Results(hits, each.origin, each.query) for hits, each in zip(told, found, strict=True)]


def _distinct(documents: list[Document]) -> tuple[list[int], dict[str, list[str]]]:
    """The first row of each distinct text, and the ids of the others, by the first one's; no text equals none."""
    first: dict[str, str] = {}
    rows, alike = [], dict[str, list[str]]()
    for row, document in enumerate(documents):
        if document.text and (id_ := first.setdefault(document.text, document.id)) != document.id:
            alike.setdefault(id_, []).append(document.id)
        else:
            rows.append(row)
    return rows, alike


@click.command()
@click.argument("query")
@click.argument("file")
@click.option("--cross", required=True, metavar="NAME", help="The cross-encoder's name or folder.")
@click.option("-k", type=COUNT, help="How many to show.  [default: all]")
@takes(sure=SureOptions, reading=DocumentOptions, running=RunningOptions, output=ListOptions)
def rerank(
    query: str,
    file: str,
    cross: str,
    k: int | None,
    sure: SureOptions,
    reading: DocumentOptions,
    running: RunningOptions,
    output: ListOptions,
) -> None:
    """Put the texts of FILE in the order that a cross-encoder gives them for QUERY.

    A cross-encoder reads QUERY and a text together: a better judge than two vectors, and a slower one, so FILE
    should be short. Of what `nearsense search` wrote (JSON lines or CSV), the scores are kept. FILE may be - for
    standard input.

    \b
    Examples:
      nearsense rerank "late parcel" candidates.csv --cross ms-marco-MiniLM-L6-v2 -k 3
      nearsense search all.csv "late parcel" -k 50 | nearsense rerank "late parcel" - --cross ms-marco-MiniLM-L6-v2
    """
    from nearsense.cli.arguments import require_order
    from nearsense.cli.inputs import read_corpus
    from nearsense.encoders import load_cross
    from nearsense.render.results import hits_page
    from nearsense.reranking import rerank as reranked

    require_order(file, [query])
    table = reading.read(file)
    columns = table.columns.keys()
    written = columns >= HIT_COLUMNS and not columns.isdisjoint({"metadata", *QUERY_COLUMNS})
    if written:
        _require_one_query(table)
    corpus = read_corpus(table, reading, texts=True)
    items = _written_hits(corpus) if written else corpus.documents
    encoder = load_cross(cross, **running.loading())
    hits = reranked(query, items, encoder=encoder, k=k, progress=running.progress, **sure.arguments())
    output.show(hits_page([hits]))


COMMANDS = (search, rerank)

HIT_COLUMNS = frozenset({"rank", "score", "text", "model", "metric"})
"""The columns by which a file is known as what a search wrote, beside those of metadata and of the question."""

QUERY_COLUMNS = ("query", "reference", "similar_to")
"""What the question is called there."""

_WRITTEN = HIT_COLUMNS | {
    *QUERY_COLUMNS, "id", "alike", "retrieval_score", "probability", "interval", "differs", "unsure", "because",
    "version", "calibration", "prior", "retrieved_by", "retrieval_metric",
}  # fmt: skip
"""What a search writes beside metadata."""


def _require_one_query(table: Table) -> None:
    queries = {str(query) for name in QUERY_COLUMNS for query in table.columns.get(name, ())}
    if len(queries) > 1:
        raise InputError(
            f"{table.source} holds the hits of {len(queries):,} queries",
            why="one query is reranked at a time",
            fix="search for that one alone, or search with --rerank: it takes several",
        )


def _written_hits(corpus: Corpus) -> Results[Hit]:
    """What a search wrote, as it was."""
    from nearsense.records import Hit, Origin, Results

    table = corpus.table
    origin = Origin(_only(table, "model"), "", _measure(_only(table, "metric")))
    hits = (
        Hit(rank, document.id, _score(table, row), None, document.text, _metadata(table, row))
        for rank, (row, document) in enumerate(zip(corpus.rows, corpus.documents, strict=True), 1)
    )
    return Results(hits, origin)


def _only(table: Table, name: str) -> str:
    """What all rows have in a column."""
    values = {str(value) for value in table.columns[name]}
    if len(values) > 1:
        what = f"{table.source}: the hits are of more than one {name}: {', '.join(sorted(values))}"
        fix = "rerank those of one, or leave the column out"
        raise FileError(what, why="their scores do not compare", fix=fix)
    return values.pop()


def _measure(word: str) -> Metric | Ranking:
    from nearsense.kinds import Metric, Ranking, parse

    return Ranking(word) if word in set(Ranking) else parse(Metric, word, name="metric")


def _score(table: Table, row: int) -> float:
    cell = table.columns["score"][row]
    try:
        return float(cell)
    except (TypeError, ValueError):
        raise _unlike_hits(table, row, f"the score {cell!r} is no number") from None


def _metadata(table: Table, row: int) -> dict[str, Any]:
    """A row's metadata: columns of their own, or one; csv has that as JSON in a cell."""
    import json

    if "metadata" not in table.columns:
        own = {name: cells[row] for name, cells in table.columns.items() if name not in _WRITTEN}
        return {name.removeprefix("metadata."): cell for name, cell in own.items() if cell not in (None, "")}
    cell = table.columns["metadata"][row]
    try:
        known = json.loads(cell) if isinstance(cell, str) and cell else cell or {}
    except ValueError:
        known = None
    if isinstance(known, dict):
        return known
    raise _unlike_hits(table, row, f"the metadata {cell!r} is no JSON object")


def _unlike_hits(table: Table, row: int, what: str) -> FileError:
    why = "the file has the columns of what a search wrote"
    return FileError(f"{table.place(row)}: {what}", why=why, fix="correct it, or leave the column out")
