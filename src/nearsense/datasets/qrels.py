"""Files that say which documents answer which query, with a header or without. Not the documents: folders.py."""

from __future__ import annotations

import csv
from pathlib import Path

from nearsense.datasets import cells
from nearsense.errors import FileError
from nearsense.files import Table, read_table
from nearsense.files.streams import open_source, translated

COLUMNS = ("query-id", "corpus-id", "score")


def read_judgements(file: Path, encoding: str) -> Table:
    """Lines of query, document and grade; of query, 0, document, grade without a header, as TREC writes them."""
    plain = file.name.removesuffix(".gz").removesuffix(".zst").lower()
    return (_headless(file, encoding) if plain.endswith((".tsv", ".csv")) else None) or read_table(
        file, encoding=encoding
    )


def _headless(file: Path, encoding: str) -> Table | None:
    """The table of a file whose first line is a judgement already; None where it is a header."""
    source = open_source(file)
    with translated(source), source.characters(encoding) as stream:
        numbered = ((number, line) for number, line in enumerate(stream, 1) if line.strip())
        number, line = next(numbered, (0, ""))
        sign = next((each for each in "\t,;" if each in line), None)
        first = _fields(line, sign)
        if len(first) not in (3, 4) or cells.number(first[-1]) is None:
            return None
        rows, lines = [first], [number]
        for number, line in numbered:
            rows.append(_fields(line, sign))
            lines.append(number)
            if len(rows[-1]) != len(first):
                raise FileError(
                    f"{source.name}, line {number}: {len(rows[-1])} fields, the first line has {len(first)}",
                    why="judgements are lines of query, document, grade",
                    fix="correct the line",
                )
    columns = {name: [row[place] for row in rows] for name, place in zip(COLUMNS, (0, -2, -1), strict=True)}
    return Table(columns, lines, source.name, untyped=True)


def _fields(line: str, sign: str | None) -> list[str]:
    parts = line.split() if sign is None else next(csv.reader([line.rstrip("\r\n")], delimiter=sign))
    return [part.strip() for part in parts]


def graded(table: Table) -> dict[str, dict[str, float]]:
    """Grades by query and document."""
    names = list(table.columns)
    chosen = COLUMNS if set(COLUMNS) <= set(names) else tuple(names)
    if len(chosen) != len(COLUMNS):
        raise FileError(
            f"{table.source} has the columns {', '.join(names)}",
            why="judgements are lines of query-id, corpus-id, score",
            fix="give these three",
        )
    queries, documents = (cells.names(table, name) for name in chosen[:2])
    judgements: dict[str, dict[str, float]] = {}
    grades = cells.scores(table, chosen[2], None)
    for row, (query, document, grade) in enumerate(zip(queries, documents, grades, strict=True)):
        own = judgements.setdefault(query, {})
        known = own.setdefault(document, max(grade, 0.0))
        if known != max(grade, 0.0):
            raise FileError(
                f"{table.place(row)}: document {document!r} has grade {grade:g} for query {query!r}",
                why=f"a line before it says {known:g}",
                fix="remove one of the two lines",
            )
    return judgements
