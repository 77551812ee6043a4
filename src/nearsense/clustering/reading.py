"""Texts with their vectors, as clusters need them. Not where either comes from: files are the command's."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING

from nearsense._progress import Progress
from nearsense.clustering.clusters import Held
from nearsense.errors import InputError
from nearsense.text import as_documents
from nearsense.types import Document, Vectors
from nearsense.vectors.rows import unit_rows

if TYPE_CHECKING:
    from nearsense.encoders import Encoder

__all__ = ["held_of"]


def held_of(
    texts: Iterable[str | Document],
    vectors: Vectors | None,
    encoder: Encoder | str | None,
    language: str | None,
    progress: Progress,
) -> Held:
    """Documents and vectors of unit length; what has no vectors is encoded, each text once, in one fixed order.

    Raises:
        InputError: A text is empty or no string, ids repeat, or there are not as many vectors as texts.
    """
    from nearsense.encoders import resolve

    documents = as_documents(texts)
    if vectors is None:
        encoder = resolve(encoder)
        different = sorted({document.text for document in documents})
        places = {text: place for place, text in enumerate(different)}
        encoded = encoder.encode(different, progress=progress)
        vectors = encoded.take([places[document.text] for document in documents])
    elif not isinstance(vectors, Vectors):
        raise InputError(
            f"vectors are of type {type(vectors).__name__}, not Vectors",
            why="only Vectors know which model made them",
            fix="use what encoder.encode(...) returns",
        )
    elif encoder is not None:
        encoder = resolve(encoder)
        vectors.require_made_by(encoder.name, encoder.fingerprint)
    if len(vectors) != len(documents):
        raise InputError(
            f"{len(documents):,} texts, {len(vectors):,} vectors", fix="give one vector for each text"
        )
    return Held(documents, _unit(vectors), encoder, language)


def _unit(vectors: Vectors) -> Vectors:
    """The same directions at length one; without a copy where they have it already."""
    data = unit_rows(vectors.data, lambda row: f"vector {row}")
    return vectors if data is vectors.data else replace(vectors, data=data)
