"""A collection as a file for other tools: with vectors jsonl, parquet, npy or faiss, without them any table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from nearsense.collection.binding import read_as
from nearsense.files import write_table, write_vectors
from nearsense.records import Vectors
from nearsense.store import Reader

__all__ = ["export"]


def export(reader: Reader, path: Path, *, vectors: bool) -> int:
    """Write what a reader sees; see `Collection.export`."""
    if path.suffix == ".faiss":
        from nearsense.index import write_faiss

        ids, _, _, rows = _vectors(reader)
        write_faiss(path, rows.data, ids)
        return len(ids)
    if not vectors:
        return write_table(path, _rows(reader), columns=_columns(reader) if not _of_objects(path) else None)
    ids, texts, metadata, rows = _vectors(reader)
    write_vectors(path, rows, ids=ids, texts=texts, metadata=metadata)
    return len(ids)


def _of_objects(path: Path) -> bool:
    """Whether each row of the format has names of its own."""
    return any(suffix in (".json", ".jsonl", ".ndjson") for suffix in path.suffixes)


def _columns(reader: Reader) -> list[str]:
    """The names of all fields: a table has the same ones in each row."""
    names: dict[str, None] = {}
    for row in _rows(reader):
        names.update(dict.fromkeys(row))
    return list(names)


def _rows(reader: Reader) -> Iterator[dict[str, Any]]:
    for block in reader.blocks():
        for document in block.documents:
            yield {"id": document.id, "text": document.text, **_beside(document.metadata)}


def _vectors(reader: Reader) -> tuple[list[str], list[str], list[dict[str, Any]], Vectors]:
    facts = reader.state().facts
    ids: list[str] = []
    texts: list[str] = []
    metadata: list[dict[str, Any]] = []
    parts = [np.empty((0, facts["dimension"]), np.float32)]
    for block in reader.blocks():
        ids += [document.id for document in block.documents]
        texts += [document.text for document in block.documents]
        metadata += [_beside(document.metadata) for document in block.documents]
        parts.append(block.vectors)
    made_by = (facts["fingerprint"], reader.truncated_rows(), facts["model"], read_as(facts))
    return ids, texts, metadata, Vectors(np.concatenate(parts), *made_by)


def _beside(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """Metadata as further columns: fields that are called like the first two get a longer name."""
    return {f"metadata.{name}" if name in ("id", "text") else name: value for name, value in metadata.items()}
