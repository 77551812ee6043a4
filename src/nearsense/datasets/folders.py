"""Folders that are data sets: a corpus with queries and judgements, or parts for learning and for judging."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from nearsense._paths import is_file, is_folder
from nearsense.datasets.kinds import LEAST, Dataset, Retrieval, Task
from nearsense.datasets.roles import (
    NEEDED,
    TESTING,
    TRAINING,
    Request,
    Roles,
    build,
    build_intents,
    grades_at,
    labels_in,
    number,
    roles_of,
    scores_in,
)
from nearsense.errors import FileError
from nearsense.files import Documents, Table, documents, read_table
from nearsense.files.formats import READ, Format
from nearsense.files.names import QRELS_NAMES
from nearsense.files.streams import file_errors, open_source
from nearsense.files.table import find_column
from nearsense.records import Document

ENDINGS = tuple(f".{each.value}" for each in READ if each not in (Format.NPY, Format.TXT))
JUDGED = ("test", "dev", "val", "validation", "train")
"""Of several judgements of a folder the first of these is taken."""


def read_folder(folder: Path, request: Request) -> Dataset:
    """The data set in a folder."""
    files = _files(folder)
    if "corpus" in files:
        return _retrieval(folder, files["corpus"], _queries(folder, files), request)
    known = next((files[name] for name in TRAINING if name in files), None)
    judged = next((files[name] for name in TESTING if name in files), None)
    chosen = judged or known or (next(iter(files.values())) if len(files) == 1 else None)
    if chosen is None and files:
        why = f"it holds {', '.join(sorted(file.name for file in files.values())[:8])}"
        fix = f"name one: {sorted(files.values())[0]}"
        raise FileError(f"{folder}: which of its files is to be evaluated?", why=why, fix=fix)
    if chosen is None:
        fix = "give a file, or a folder with corpus.* and queries.*"
        raise FileError(f"{folder} holds no data set", why="it holds no file of rows", fix=fix)
    table = read_table(chosen, encoding=request.encoding)
    roles = roles_of(table, request.task, request.columns, positive=request.positive)
    if roles.task is Task.INTENTS and judged is not None and known is not None:
        sources = read_table(known, encoding=request.encoding)
        roles_of(sources, Task.INTENTS, roles.columns)  # it has the columns of the other part
        return replace(build_intents(table, sources, roles), name=str(folder))
    return of_table(table, roles, chosen, request)


def of_table(table: Table, roles: Roles, file: Path, request: Request) -> Dataset:
    """The data set of a file; where it holds queries and judgements, their corpus lies beside it."""
    if roles.task is not Task.RETRIEVAL:
        return build(table, roles, request)
    files = _files(file.parent)
    if "corpus" not in files:
        what = f"{table.source} holds queries and judgements, and there is no corpus beside it"
        why = f"a retrieval data set is {NEEDED[Task.RETRIEVAL]}"
        raise FileError(what, why=why, fix=f"put corpus.jsonl, corpus.csv, ... into {file.parent}")
    return _retrieval(file.parent, files["corpus"], file, request)


def _files(folder: Path) -> dict[str, Path]:
    """The files with rows in a folder, by their name without endings."""
    found = {}
    for file in sorted(folder.iterdir()):
        plain = file.name.removesuffix(".gz").removesuffix(".zst")
        if is_file(file) and plain.endswith(ENDINGS) and not file.name.startswith("."):
            found[plain[: plain.rindex(".")].casefold()] = file
    return found


def _queries(folder: Path, files: dict[str, Path]) -> Path:
    if "queries" in files:
        return files["queries"]
    found = {name: file for name, file in files.items() if name.startswith("queries")}
    for part in JUDGED:
        chosen = [file for name, file in found.items() if name.endswith(part)]
        if len(chosen) == 1:
            return chosen[0]
    if len(found) == 1:
        return next(iter(found.values()))
    what = f"{folder}: a corpus, and {'several files with queries' if found else 'no queries'}"
    why = f"a retrieval data set is {NEEDED[Task.RETRIEVAL]}"
    raise FileError(what, why=why, fix=f"name one: {sorted(found.values())[0]}" if found else "add queries.jsonl")


def _retrieval(folder: Path, corpus_file: Path, queries_file: Path, request: Request) -> Retrieval:
    if request.task not in (None, Task.RETRIEVAL):
        why = f"it holds a corpus and queries; needed: {NEEDED[request.task]}"
        raise FileError(f"{folder}: no {request.task.value} data set", why=why, fix="leave --task out")
    corpus, empty = _corpus(read_table(corpus_file, encoding=request.encoding))
    table = read_table(queries_file, encoding=request.encoding)
    roles = roles_of(table, Task.RETRIEVAL, None) if find_column(table, QRELS_NAMES) else None
    queries = _documents(table, roles.columns[0] if roles else None)
    if roles is not None:
        found = (grades_at(table, row, roles.columns[1]) for row in queries.rows)
        judgements = dict(zip((each.id for each in queries.items), found, strict=True))
        source = table.source
    else:
        source, judgements = _qrels(folder, request)
    return _checked(folder, source, queries.items, judgements, corpus, empty)


def build_retrieval(folder: Path, corpus: Table, queries: Table, judged: Table) -> Retrieval:
    """The data set of three tables: documents, queries, and lines of query, document, grade."""
    texts, empty = _corpus(corpus)
    return _checked(folder, judged.source, _documents(queries).items, grades_of(judged), texts, empty)


def _corpus(table: Table) -> tuple[dict[str, str], set[str]]:
    """Title and text of each document by its id, and the ids of those that have neither."""
    columns = {name.casefold(): name for name in table.columns}
    title, text = columns.get("title"), columns.get("text")
    if title is None or text is None:
        items: Iterable[Document] = _documents(table).items
    else:
        joined: list[Any] = [
            " ".join(part.strip() for part in pair if isinstance(part, str) and part.strip())
            for pair in zip(table.columns[title], table.columns[text], strict=True)
        ]
        whole = {**{name: column for name, column in table.columns.items() if name != title}, text: joined}
        ids = _documents(Table({**whole, text: [each or "-" for each in joined]}, table.lines, table.source), text)
        items = (Document(each.id, own) for each, own in zip(ids.items, joined, strict=True))
    found = {each.id: each.text for each in items}
    return {id_: text for id_, text in found.items() if text}, {id_ for id_, text in found.items() if not text}


def _documents(table: Table, text: str | None = None) -> Documents:
    """Documents; errors say what can be done here, where there are no flags for columns."""
    try:
        return documents(table, text=text)
    except FileError as error:
        fix = next((own for flag, own in _FIXES.items() if flag in error.fix), error.fix)
        raise FileError(error.what, why=error.why, fix=fix) from None


_FIXES = {
    "--skip-empty": "complete it, or remove the row",
    "--id": "give each row an id of its own, in a column id",
    "--text": "call the column with the texts text",
}


def _qrels(folder: Path, request: Request) -> tuple[str, dict[str, dict[str, float]]]:
    """The judgements of a folder in the layout of BEIR: qrels/test.tsv with query-id, corpus-id, score."""
    places = _files(folder / "qrels") if is_folder(folder / "qrels") else {}
    own = _files(folder)
    file = next((places[part] for part in JUDGED if part in places), own.get("qrels"))
    if file is None:
        why = "queries have no column rel, and there is no qrels/test.tsv"
        fix = "add one of both: rel = {document id: grade}, or lines of query-id, corpus-id, score"
        raise FileError(f"{folder}: nothing says which documents answer which query", why=why, fix=fix)
    table = _read_judgements(file, request.encoding)
    return table.source, grades_of(table)


def _checked(
    folder: Path,
    source: str,
    queries: list[Document],
    judgements: dict[str, dict[str, float]],
    corpus: dict[str, str],
    empty: set[str],
) -> Retrieval:
    """Refuse judgements of what is not there; leave out empty documents and queries that nothing answers.

    Neither an absent document nor an empty one can be found, so no judgement of either may count.
    """
    judged = {document for found in judgements.values() for document in found}
    _require_known(source, "documents", "corpus", sorted(judged - corpus.keys() - empty), len(judged))
    known = {query.id for query in queries}
    _require_known(source, "queries", "file of queries", sorted(judgements.keys() - known), len(judgements))
    lost = len(judged & empty)
    judgements = {
        query: {document: grade for document, grade in found.items() if document not in empty}
        for query, found in judgements.items()
    }
    kept = [query for query in queries if any(judgements.get(query.id, {}).values())]
    if len(kept) < LEAST:
        what = f"{source}: {len(kept)} of {len(queries):,} queries have a document that answers them"
        raise FileError(what, why="nothing can be measured on so few", fix=f"give {LEAST} or more")
    notes = []
    if left := len(queries) - len(kept):
        were, them = ("query was", "it") if left == 1 else ("queries were", "them")
        notes.append(f"{left:,} {were} left out: no document answers {them}.")
    if empty:
        were = "document without a text was" if len(empty) == 1 else "documents without a text were"
        too = f"; {lost:,} judged {'one is' if lost == 1 else 'ones are'} left out of the judgements"
        notes.append(f"{len(empty):,} {were} left out of the corpus{too if lost else ''}.")
    return Retrieval(
        name=str(folder),
        queries=[query.text for query in kept],
        judgements=[judgements[query.id] for query in kept],
        corpus=corpus,
        notes=tuple(notes),
    )


def _require_known(source: str, things: str, where: str, strangers: list[str], total: int) -> None:
    if strangers:
        some = ", ".join(strangers[:5]) + (", ..." if len(strangers) > 5 else "")
        what = f"{source}: {len(strangers):,} of {total:,} judged {things} are not in the {where}: {some}"
        fix = f"complete the {where}, or remove these judgements"
        raise FileError(what, why="what is not there cannot be found, and every figure would be too low", fix=fix)


COLUMNS = ("query-id", "corpus-id", "score")


def _read_judgements(file: Path, encoding: str) -> Table:
    """Lines of query, document and grade; of query, 0, document, grade without a header, as TREC writes them."""
    plain = file.name.removesuffix(".gz").removesuffix(".zst").lower()
    headless = _headless(file, encoding) if plain.endswith((".tsv", ".csv")) else None
    return headless or read_table(file, encoding=encoding)


def _headless(file: Path, encoding: str) -> Table | None:
    """The table of a file whose first line is a judgement already; None where it is a header."""
    source = open_source(file)
    with file_errors(source), source.characters(encoding) as stream:
        numbered = (each for each in enumerate(stream, 1) if each[1].strip())
        begin, line = next(numbered, (0, ""))
        sign = next((each for each in "\t,;" if each in line), None)
        first = _fields(line, sign)
        if len(first) not in (3, 4) or number(first[-1]) is None:
            return None
        rows, lines = [first], [begin]
        for place, line in numbered:
            rows.append(_fields(line, sign))
            lines.append(place)
            if len(rows[-1]) != len(first):
                what = f"{source.name}, line {place}: {len(rows[-1])} fields, the first line has {len(first)}"
                raise FileError(what, why="judgements are lines of query, document, grade", fix="correct the line")
    columns = {name: [row[place] for row in rows] for name, place in zip(COLUMNS, (0, -2, -1), strict=True)}
    return Table(columns, lines, source.name, untyped=True)


def _fields(line: str, sign: str | None) -> list[str]:
    parts = line.split() if sign is None else next(csv.reader([line.rstrip("\r\n")], delimiter=sign))
    return [part.strip() for part in parts]


def grades_of(table: Table) -> dict[str, dict[str, float]]:
    """Grades by query and document."""
    names = list(table.columns)
    chosen = COLUMNS if set(COLUMNS) <= set(names) else tuple(names)
    if len(chosen) != len(COLUMNS):
        what = f"{table.source} has the columns {', '.join(names)}"
        raise FileError(what, why="judgements are lines of query-id, corpus-id, score", fix="give these three")
    queries, documents = (labels_in(table, name) for name in chosen[:2])
    judgements: dict[str, dict[str, float]] = {}
    grades = scores_in(table, chosen[2], None)
    for row, (query, document, grade) in enumerate(zip(queries, documents, grades, strict=True)):
        own = judgements.setdefault(query, {})
        known = own.setdefault(document, max(grade, 0.0))
        if known != max(grade, 0.0):
            what = f"{table.place(row)}: document {document!r} has grade {grade:g} for query {query!r}"
            raise FileError(what, why=f"a line before it says {known:g}", fix="remove one of the two lines")
    return judgements
