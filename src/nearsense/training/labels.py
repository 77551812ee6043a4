"""Examples from what people already did: hits that they took, FAQ entries, verdicts on pairs. Not what is learnt.

| what | where it comes from | examples |
| --- | --- | --- |
| hits that were taken | a collection with a query log, the log's folder, an export | positives: query, text |
| a FAQ with phrasings | its file: question, phrasings | classes: what is asked, the entry |
| verdicts on pairs | the map's page, `calibrate --ask`: files with two texts and a label | labelled pairs |
| all else | see `read_examples` | |
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from nearsense._paths import is_file, is_folder, is_url
from nearsense.datasets.kinds import Dataset
from nearsense.errors import InputError
from nearsense.faq.entries import FAQItem, read_items
from nearsense.files import Table, read_table
from nearsense.files import documents as documents_of
from nearsense.files.judging import is_missing
from nearsense.files.names import FAQ_NAMES
from nearsense.files.table import find_column, json_value
from nearsense.querylog import LoggedQuery, beside, open_log
from nearsense.store import is_collection
from nearsense.training.examples import Examples, Kind, read_examples

__all__ = ["examples_from"]

QUERIES = ".queries"
"""What the name of a log's folder ends in."""

LOG_COLUMNS = {"query", "digest", "chosen", "ids"}
"""Columns of an exported log."""

VERDICTS = {"text1", "text2", "label", "id1", "id2"}
"""Columns of the verdicts that the map's page writes; the score beside them is the model's."""


def examples_from(
    source: str | os.PathLike[str] | Dataset | Examples | Iterable[Sequence[Any]] | Table,
    *,
    documents: str | os.PathLike[str] | Mapping[str, str] | None = None,
    **reading: Any,
) -> Examples:
    """Examples of whatever people left: see the table above.

    The source is a collection with a query log, a log's folder or export, a FAQ's file, a file of verdicts, or
    what `read_examples` takes. `documents` are the texts that a log's ids are of, where it does not lie beside its
    collection: a collection, a file with ids and texts, or texts by id. Reading is as in `read_examples`; a kind
    or columns that are named go before what is recognised.

    Raises:
        FileError: A file is not in order.
        InputError: Nobody took a hit yet, the log is hashed, or texts are missing.
    """
    if any(reading.get(name) is not None for name in ("kind", "columns", "positive")):
        return read_examples(source, **reading)
    table = source if isinstance(source, Table) else None
    if isinstance(source, (str, os.PathLike)):
        path = Path(source)
        if is_url(source):
            return _of_folder(str(source), str(source), documents)
        if is_folder(path) and is_collection(path):
            return _of_folder(beside(path), path, documents)
        if is_folder(path) and path.name.endswith(QUERIES):
            return _of_folder(path, path.with_name(path.name.removesuffix(QUERIES)), documents)
        if str(source) != "-" and is_file(path):
            how = {name: reading[name] for name in ("format", "encoding", "dialect") if name in reading}
            table = read_table(path, **how)
    if table is None:
        return read_examples(source, **reading)
    if set(table.columns) >= LOG_COLUMNS:
        return _of_queries(_entries(table), documents, table.source)
    if set(table.columns) >= VERDICTS:
        return read_examples(table, **{**reading, "kind": Kind.LABELLED, "columns": ("text1", "text2", "label")})
    if find_column(table, FAQ_NAMES["phrasings"]) and find_column(table, FAQ_NAMES["question"]):
        return _of_faq(read_items(table), table.source)
    return read_examples(source, **reading)


def _of_folder(
    log: Path | str, collection: Path | str, documents: str | os.PathLike[str] | Mapping[str, str] | None
) -> Examples:
    """The log in a folder, its texts from the collection that it lies beside."""
    if not (is_url(log) or is_folder(log)):
        why = "which texts go with which query is learnt from hits that were taken"
        raise InputError(f"{collection} has no query log", why=why, fix=f"nearsense log {collection} --on")
    there = collection if documents is None and is_collection(collection) else documents
    found = open_log(log)
    try:
        return _of_queries(list(found.entries()), there, str(log))
    finally:
        found.close()


def _of_queries(
    every: Sequence[LoggedQuery], documents: str | os.PathLike[str] | Mapping[str, str] | None, name: str
) -> Examples:
    """Queries and the texts that were taken, each pair once; a FAQ's log says its entries' questions itself."""
    taken = [each for each in every if each.chosen is not None]
    texts = _texts(documents, list(dict.fromkeys(each.chosen for each in taken if each.chosen is not None)))
    if not taken:
        what = f"{name}: no hit was taken in {len(every):,} queries"
        fix = "tell the log which hit was taken: collection.log.choose(hits, hits[0])"
        raise InputError(what, why="what goes with what is learnt from those", fix=fix)
    said = [each for each in taken if each.query]
    if not said:
        why = "it keeps no query's text, only its keyed hash"
        raise InputError(f"{name} is hashed", why=why, fix="log without hashing: nearsense log COLLECTION --on")
    known: dict[str | None, str] = {each.ids[0]: each.nearest for each in every if each.nearest and each.ids}
    known.update(texts)
    pairs = [(each.query, known[each.chosen]) for each in said if each.query and each.chosen in known]
    if not pairs:
        what = f"{name}: the text of no hit that was taken is known, {said[0].chosen!r} for one"
        fix = "name what was searched: --documents COLLECTION or FILE (documents=...)"
        raise InputError(what, why="a log holds ids and no texts of documents", fix=fix)
    notes = [f"{len(taken):,} of {len(every):,} queries have a hit that was taken."]
    if gone := sum(each.chosen not in known for each in said):
        notes.append(f"{gone:,} of them took what is not there any more, and were left out.")
    asked, found = zip(*dict.fromkeys(pairs), strict=True)
    return Examples(kind=Kind.POSITIVES, texts=(asked, found), searching=True, name=name, notes=tuple(notes))


def _texts(documents: str | os.PathLike[str] | Mapping[str, str] | None, ids: Sequence[str]) -> Mapping[str, str]:
    """The texts of some ids, as far as they are there."""
    if documents is None or not ids:
        return {}
    if isinstance(documents, Mapping):
        return documents
    if is_collection(documents):
        from nearsense.collection import open_collection

        with open_collection(documents, create=False) as collection:
            return {each.id: each.text for each in collection.get(ids) if each is not None}
    return {each.id: each.text for each in documents_of(read_table(documents), skip_empty=True).items}


def _entries(table: Table) -> list[LoggedQuery]:
    """The queries of an exported log."""

    def cell(name: str, row: int) -> Any:
        value = table.columns[name][row] if name in table.columns else None
        return None if is_missing(value) else json_value(value)

    found = []
    for row in range(len(table)):
        ids = cell("ids", row) or []
        if isinstance(ids, str):  # a csv holds lists as JSON
            with suppress(ValueError):
                ids = json.loads(ids)
            ids = ids if isinstance(ids, list) else [ids]
        query, chosen, nearest = (cell(name, row) for name in ("query", "chosen", "nearest"))
        found.append(
            LoggedQuery(
                0.0, None if query is None else str(query), str(cell("digest", row) or ""), "", None, len(ids),
                tuple(map(str, ids)), (), (), True, None if chosen is None else str(chosen), 0.0, "",
                None if nearest is None else str(nearest),
            )
        )  # fmt: skip
    return found


def _of_faq(items: Sequence[FAQItem], name: str) -> Examples:
    """What is asked, and the entry that it belongs to: entries with phrasings, and each question beside them."""
    rows = [
        (text, item.id or item.question)
        for item in items
        for text in dict.fromkeys([item.question, *item.phrasings])
        if item.phrasings
    ]
    alone = sum(not item.phrasings for item in items)
    if not rows:
        why = "what people call the same is learnt from those"
        raise InputError(f"{name}: no entry has a phrasing", why=why, fix="add some, or a label column")
    notes = (f"{alone:,} entries have one phrasing only, and were left out.",) if alone else ()
    texts, truth = zip(*rows, strict=True)
    return Examples(kind=Kind.CLASSES, texts=(texts,), truth=truth, name=name, notes=notes)
