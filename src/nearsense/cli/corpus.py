"""A file's documents with their vectors: stored ones where the file holds them, else encoded now."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from nearsense.cli.options import read
from nearsense.encoders import Encoder
from nearsense.files import Documents, Table, documents, has_texts
from nearsense.records import Document, Vectors

__all__ = ["Corpus", "corpus_of", "documents_of", "vectors_of"]

Foreign = Literal["refuse", "keep", "encode"]


@dataclass(frozen=True, slots=True)
class Corpus:
    """n documents and their n vectors."""

    documents: list[Document]
    vectors: Vectors


def corpus_of(
    file: str,
    options: dict[str, Any],
    load: Callable[[], Encoder],
    quiet: bool,
    *,
    check: Callable[[int], None] = lambda rows: None,
    foreign: Foreign = "refuse",
) -> Corpus:
    """Read FILE with the options of `document_options`, and encode it unless it holds vectors.

    Args:
        file: A path, or - for standard input.
        options: What click parsed; the options of `document_options` are taken out.
        load: Gives the encoder for what has no vector yet.
        quiet: No progress bar.
        check: Called with the number of documents before they are encoded.
        foreign: What becomes of stored vectors of another model than that encoder's: "refuse" them, "keep" them,
            or "encode" their texts again.

    Raises:
        ModelMismatch: FILE holds vectors of another model, and they are refused, or there is no text to encode.
    """
    from nearsense.cached import cached

    table = read(file, options)
    texts_there = has_texts(table, options["text"])
    stored = vectors_of(table, options["text"])
    if stored is not None and foreign != "keep" and stored.fingerprint != load().fingerprint:
        if foreign == "refuse" or not texts_there:
            stored.require_made_by(load().name, load().fingerprint)
        stored = None
    if stored is not None and not texts_there:
        check(len(table))
        return Corpus(_unnamed(table.columns, len(table)), stored)
    found = documents_of(table, options)
    check(len(found.items))
    if stored is not None:
        return Corpus(found.items, stored.take(found.rows) if found.skipped else stored)
    texts = (document.text for document in found.items)
    return Corpus(found.items, cached(load()).encode(texts, role="passage", progress=not quiet))


def vectors_of(table: Table, text: str | None) -> Vectors | None:
    """The vectors of a file, but for those of no known model where there are texts to encode: that is told."""
    stored = table.vectors
    if stored is None or stored.fingerprint or not has_texts(table, text):
        return stored
    said = f"{table.source}: the column 'vector' says nothing of its model: the texts are encoded"
    sys.stderr.write(f"{said}, its {stored.dimension:,} numbers are not used\n")
    return None


def documents_of(table: Table, options: dict[str, Any], *, numbers: bool = False) -> Documents:
    """A table's documents by the options of `document_options`, taken out of `options`; rows left out are told."""
    text, id_, skip_empty = (options.pop(name) for name in ("text", "id_", "skip_empty"))
    found = documents(table, text=text, id=id_, skip_empty=skip_empty, numbers=numbers)
    if found.skipped:
        sys.stderr.write(f"warning: left out {found.skipped:,} of {len(table):,} rows without text\n")
    return found


def _unnamed(columns: dict[str, list[Any]], rows: int) -> list[Document]:
    """Documents without a text, by the stored ids; where there are none, by row numbers from 0."""
    return [Document(str(id_), "") for id_ in columns.get("id") or range(rows)]
