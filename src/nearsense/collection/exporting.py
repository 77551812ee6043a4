"""All documents of a collection into a file, for whoever it is, as they are at one moment; some at a time."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nearsense._progress import Progress, tracked
from nearsense.collection.documents import beside_text
from nearsense.collection.engine import Engine, Moment
from nearsense.errors import InputError
from nearsense.kinds import Receiver
from nearsense.records import parse

if TYPE_CHECKING:
    from nearsense.files import VectorParts, VectorRows

READINGS = {Receiver.PARQUET: 2}
"""How often everything is read, where that is not once."""


def export(engine: Engine, path: str | os.PathLike[str], to: str | None, vectors: bool, progress: Progress) -> int:
    """Write all documents into a file, with their vectors for somebody, else as any table; returns how many."""
    try:
        file = Path(path)
    except TypeError as error:
        raise InputError(f"{path!r} is no path of a file", why=str(error), fix='export("all.jsonl")') from None
    receiver = None if to is None else parse(Receiver, to, name="to")
    if receiver is not None and not vectors:
        raise InputError(f"{to} without vectors", why="it is there for them", fix="leave one of the two out")
    engine.facts()  # one that is closed says so, whatever the file
    require_outside(file)
    with engine.moment() as now:
        if not vectors:
            return _export_table(now, file)
        _export_vectors(engine, now, file, receiver, progress)
        return now.count


def require_outside(path: Path) -> Path:
    """A path, unless it lies within a collection's folder."""
    from nearsense.store import collection_around

    if folder := collection_around(path):
        what = f"{path} lies within the collection {folder.name}, where nothing else may lie"
        raise InputError(what, fix="write it elsewhere")
    return path


def _export_table(now: Moment, path: Path) -> int:
    from nearsense.files import write_table

    if any(suffix in (".json", ".jsonl", ".ndjson") for suffix in path.suffixes):
        return write_table(path, _cells(now))
    names = dict.fromkeys(name for row in _cells(now) for name in row)  # a table has the same ones in each row
    return write_table(path, _cells(now), columns=list(names))


def _cells(now: Moment) -> Iterator[dict[str, Any]]:
    for documents, _ in now.parts():
        for document in documents:
            yield {"id": document.id, "text": document.text, **beside_text(document.metadata)}


def _export_vectors(
    engine: Engine, now: Moment, path: Path, receiver: Receiver | None, progress: Progress
) -> None:
    from nearsense.files import atomic_write, ids_beside, receiver_of, write_for, write_table

    receiver, beside = receiver_of(path, receiver), ids_beside(path)
    with tracked(now.count, "documents", progress) as update:
        rows = _vector_parts(engine, now, update, READINGS.get(receiver, 1))
        if receiver is Receiver.FAISS:
            from nearsense.index import write_faiss

            with atomic_write(path) as stream:
                write_faiss(stream, (part.vectors.data for part in rows.parts()))
        else:
            write_for(path, rows, receiver)
        if beside is not None:
            write_table(beside, _ids(now))


def _vector_parts(engine: Engine, now: Moment, update: Callable[[int], None], readings: int) -> VectorParts:
    """The documents of a moment as files take them; how far it is, over all readings of them."""
    from nearsense.files import VectorParts, VectorRows

    seen = 0

    def parts() -> Iterator[VectorRows]:
        nonlocal seen
        for documents, vectors in now.parts() if now.count else [([], engine.sample(0))]:
            given = {"id": [each.id for each in documents], "text": [each.text for each in documents]}
            yield VectorRows(vectors, given, [beside_text(each.metadata) for each in documents])
            seen += len(documents)
            update(seen // readings)

    return VectorParts(now.count, parts)


def _ids(now: Moment) -> Iterator[Mapping[str, Any]]:
    """Which document each row is."""
    ids = (document.id for documents, _ in now.parts() for document in documents)
    return ({"row": row, "id": id_} for row, id_ in enumerate(ids))
