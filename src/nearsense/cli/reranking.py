"""rerank: a cross-encoder puts the texts of a file, or what a search found, in order."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from nearsense.cli.options import (
    document_options,
    form_of,
    output_options,
    probability_options,
    read,
    running_options,
    sure_options,
)

if TYPE_CHECKING:
    from nearsense.files import Documents, Table
    from nearsense.records import Hit, Metric, Ranking, Results

__all__ = ["COMMANDS"]

FOUND = frozenset({"rank", "score", "text", "metadata", "model", "metric"})
"""The columns by which a file is known as what a search wrote."""

ASKED = ("query", "reference", "similar_to")
"""What the question is called there."""


@click.command()
@click.argument("query")
@click.argument("file")
@click.option("--cross", required=True, metavar="NAME", help="The cross-encoder's name or folder.")
@click.option("-k", type=click.IntRange(min=1), help="How many to show.  [default: all]")
@sure_options
@document_options
@running_options
@output_options
def rerank(
    query: str, file: str, cross: str, k: int | None, form: str | None, quiet: bool, **options: Any
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
    from nearsense.cli.corpus import documents_of
    from nearsense.encoders import load_cross
    from nearsense.render import hits_page, show
    from nearsense.reranking import rerank as reranked

    chosen = {name: options.pop(name) for name in ("precision", "threads", "long")}
    sure, table = probability_options(options), read(file, options)
    found = set(table.columns) >= FOUND
    if found:
        _require_one_query(table)
    documents = documents_of(table, options)
    items = _hits(table, documents) if found else documents.items
    hits = reranked(query, items, encoder=load_cross(cross, **chosen), k=k, progress=not quiet, **sure)
    show(hits_page([hits]), form_of(form))


COMMANDS = (rerank,)


def _require_one_query(table: Table) -> None:
    from nearsense.errors import InputError

    asked = {str(query) for name in ASKED for query in table.columns.get(name, ())}
    if len(asked) > 1:
        raise InputError(
            f"{table.source} holds the hits of {len(asked):,} queries",
            why="one query is reranked at a time",
            fix="search for that one alone, or search with --rerank: it takes several",
        )


def _hits(table: Table, documents: Documents) -> Results[Hit]:
    """What a search wrote, as it was."""
    from nearsense.records import Hit, Origin, Results

    origin = Origin(_only(table, "model"), "", _measure(_only(table, "metric")))
    hits = (
        Hit(rank, document.id, _score(table, row), None, document.text, _metadata(table, row))
        for rank, (row, document) in enumerate(zip(documents.rows, documents.items, strict=True), 1)
    )
    return Results(hits, origin)


def _only(table: Table, name: str) -> str:
    """What all rows have in a column."""
    from nearsense.errors import FileError

    values = {str(value) for value in table.columns[name]}
    if len(values) > 1:
        raise FileError(
            f"{table.source}: the hits are of more than one {name}: {', '.join(sorted(values))}",
            why="their scores do not compare",
            fix="rerank those of one, or leave the column out",
        )
    return values.pop()


def _measure(word: str) -> Metric | Ranking:
    from nearsense.records import Metric, Ranking, parse

    return Ranking(word) if word in set(Ranking) else parse(Metric, word, name="metric")


def _score(table: Table, row: int) -> float:
    from nearsense.errors import FileError

    cell = table.columns["score"][row]
    try:
        return float(cell)
    except (TypeError, ValueError):
        raise FileError(
            f"{table.place(row)}: the score {cell!r} is no number",
            why="the file has the columns of what a search wrote",
            fix="correct it, or leave the column out",
        ) from None


def _metadata(table: Table, row: int) -> dict[str, Any]:
    """A row's metadata; csv has it as JSON in a cell."""
    import json

    from nearsense.errors import FileError

    cell = table.columns["metadata"][row]
    try:
        known = json.loads(cell) if isinstance(cell, str) and cell else cell or {}
    except ValueError:
        known = None
    if isinstance(known, dict):
        return known
    raise FileError(
        f"{table.place(row)}: the metadata {cell!r} is no JSON object",
        why="the file has the columns of what a search wrote",
        fix="correct it, or leave the column out",
    )
