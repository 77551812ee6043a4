"""Vectors as other programs take them: Chroma, Qdrant, Pinecone. Not how a file gets its name: see writing.py.

None of these programs is needed to write for it. What each takes stands in docs/collections.md.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any, BinaryIO
from uuid import NAMESPACE_OID, uuid5

from nearsense.errors import FileError
from nearsense.files.formats import COMPRESSIONS, Format
from nearsense.files.parquet import write_pinecone
from nearsense.files.streams import require_place
from nearsense.files.table import json_text
from nearsense.files.vectors import VectorParts, VectorRows, vectors_as_json
from nearsense.files.writing import VECTOR_WRITERS, write_vector_parts
from nearsense.kinds import Receiver

ENDINGS = {
    Receiver.JSONL: ".jsonl",
    Receiver.PARQUET: ".parquet",
    Receiver.NPY: ".npy",
    Receiver.FAISS: ".faiss",
    Receiver.CHROMA: ".jsonl",
    Receiver.QDRANT: ".jsonl",
    Receiver.PINECONE: ".parquet",
}
"""How the names of files end; the first of an ending is meant where nobody says for whom."""

TOGETHER, NUMBERS = 1000, 400_000
"""Documents of a line, and numbers of their vectors: Chroma adds 5,461 at a time, Qdrant takes 32 MB a request."""

PINECONE_BYTES, PINECONE_ID = 40_960, 512
"""What Pinecone keeps of a record: bytes of metadata, characters of an id."""


def receiver_of(path: str | os.PathLike[str], asked: Receiver | None) -> Receiver:
    """For whom a file of that name is written; refused where its ending says something else."""
    name = _unpacked(path)
    found = asked or next((each for each, ending in ENDINGS.items() if name.endswith(ending)), None)
    if found is None:
        known = ", ".join(dict.fromkeys(ENDINGS.values()))
        why = f"vectors are written as {known}"
        fix = f"end it in {known}; or leave the vectors out, for csv, tsv and json: vectors=False, --no-vectors"
        raise FileError(f"{path}: the extension says nothing about its format", why=why, fix=fix)
    if found in (Receiver.FAISS, Receiver.PINECONE):  # whose readers unpack nothing
        name = str(path).lower()
    piped = name == "-" and ENDINGS[found] == ".jsonl"
    if not piped and not name.endswith(ENDINGS[found]):
        fix = f"end its name in {ENDINGS[found]}"
        raise FileError(f"{path} is no name of a file for {found}", why=f"that is {ENDINGS[found]}", fix=fix)
    return found


def ids_beside(path: str | os.PathLike[str]) -> str | None:
    """The file that has the ids of a matrix or an index of that name; None where the file has them itself."""
    return f"{path}.ids.jsonl" if _unpacked(path).endswith((".npy", ".faiss")) else None


def _unpacked(path: str | os.PathLike[str]) -> str:
    """A name in lower case, without what says that it is compressed."""
    name = str(path).lower()
    for packed in COMPRESSIONS:
        name = name.removesuffix(packed)
    return name


def write_for(path: str | os.PathLike[str], rows: VectorParts, receiver: Receiver) -> None:
    """Write vectors with ids, texts and metadata for anybody but faiss; the file is there whole or not at all."""
    require_place(path)
    write_vector_parts(path, rows, _WRITERS[receiver])


def _write_chroma(stream: BinaryIO, rows: VectorParts) -> None:
    for ids, texts, metadata, vectors in _batches(rows):
        simple = [_simple(each) or None for each in metadata]
        said = {"ids": ids, "documents": texts, "metadatas": simple}
        stream.write(f'{json_text(said)[:-1]}, "embeddings": [{", ".join(vectors)}]}}\n'.encode())


def _write_qdrant(stream: BinaryIO, rows: VectorParts) -> None:
    for ids, texts, metadata, vectors in _batches(rows):
        points = []
        for id_, text, fields, vector in zip(ids, texts, metadata, vectors, strict=True):
            point = {"id": str(uuid5(NAMESPACE_OID, id_)), "payload": {"id": id_, "text": text, **fields}}
            points.append(f'{json_text(point)[:-1]}, "vector": {vector}}}')
        stream.write(f'{{"points": [{", ".join(points)}]}}\n'.encode())


def _pinecone_metadata(rows: VectorRows) -> list[str]:
    written = []
    for id_, text, fields in zip(rows.given["id"], rows.given["text"], rows.metadata or (), strict=True):
        if len(id_) > PINECONE_ID or not id_.isascii():
            why = f"an id there is ASCII, of at most {PINECONE_ID} characters"
            raise FileError(f"Pinecone takes no id {id_[:40]!r}", why=why, fix="give such ids, and export again")
        record = json.dumps({"text": text, **_simple(fields)}, ensure_ascii=False)
        if (size := len(record.encode())) > PINECONE_BYTES:
            what = f"the document {id_!r} is too long for Pinecone: {size:,} bytes of text and metadata"
            why, fix = f"it keeps {PINECONE_BYTES:,} of a record", "make the collection of passages, or delete it"
            raise FileError(what, why=why, fix=fix)
        written.append(record)
    return written


def _batches(
    rows: VectorParts,
) -> Iterator[tuple[list[str], list[str], list[Mapping[str, Any]], list[str]]]:
    """Ids, texts, metadata and vectors in JSON of the documents that stand on a line together."""
    for part in rows.parts():
        step = max(1, min(TOGETHER, NUMBERS // part.vectors.dimension))
        for begin in range(0, len(part.vectors), step):
            some = slice(begin, begin + step)
            vectors = [*vectors_as_json(part.vectors.data[some])]
            ids, texts = (list(part.given[name][some]) for name in ("id", "text"))
            yield ids, texts, list((part.metadata or ())[some]), vectors


def _simple(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """Metadata of texts, numbers, true, false and lists of texts; anything else is its JSON, null is left out."""
    return {name: _as_simple(value) for name, value in metadata.items() if value is not None}


def _as_simple(value: Any) -> Any:
    if isinstance(value, (str, bool, float)):
        return value
    if isinstance(value, int):
        return value if abs(value) <= 2**53 else str(value)
    texts = isinstance(value, list) and bool(value) and all(isinstance(each, str) for each in value)
    return value if texts else json_text(value)


_WRITERS: dict[Receiver, Callable[[BinaryIO, VectorParts], None]] = {
    Receiver.JSONL: VECTOR_WRITERS[Format.JSONL],
    Receiver.PARQUET: VECTOR_WRITERS[Format.PARQUET],
    Receiver.NPY: VECTOR_WRITERS[Format.NPY],
    Receiver.CHROMA: _write_chroma,
    Receiver.QDRANT: _write_qdrant,
    Receiver.PINECONE: partial(write_pinecone, metadata=_pinecone_metadata),
}
