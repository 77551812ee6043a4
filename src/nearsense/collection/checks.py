"""What may go into a collection: refused here, before the store, with the item named. Not how it is kept."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from nearsense.collection.binding import read_as
from nearsense.collection.unkept import unkept
from nearsense.errors import InputError, ModelMismatch
from nearsense.records import Document, Vectors, json_name, require_names, shown
from nearsense.text import as_documents, as_json
from nearsense.vectors.rows import unit_rows

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["ID_BYTES", "Checked", "checked_documents", "checked_ids", "checked_vectors"]

DEPTH = 100
ID_BYTES = 512
"""The longest id, in UTF-8."""


class Checked(NamedTuple):
    """Documents that can be kept, and the JSON of their metadata, which is costly to make twice."""

    documents: list[Document]
    metadata: list[str]


def checked_documents(documents: Iterable[str | Document]) -> Checked:
    """Documents that a collection can keep.

    Raises:
        InputError: A text is empty or no string, an id is empty, too long, holds NUL or occurs twice, or metadata
            is not JSON. The document is named.
    """
    found = as_documents(documents)
    for document in found:
        _require_id(document.id)
    return Checked(found, [_json(document) for document in found])


def checked_ids(ids: str | Iterable[str]) -> list[str]:
    """Ids as a list; one string is a list of one.

    Raises:
        InputError: One of them is no string.
    """
    try:
        found = [ids] if isinstance(ids, str) else list(ids)
    except TypeError:
        raise InputError(f"the ids are of type {type(ids).__name__}", fix='give a list: ["7", "8"]') from None
    for each in found:
        if not isinstance(each, str):
            raise InputError(
                f"the id {each!r} is of type {type(each).__name__}", fix=f"give it as a string: {str(each)!r}"
            )
    return found


def checked_vectors(
    vectors: Vectors | NDArray[np.floating],
    facts: Mapping[str, Any],
    count: int | None,
    name: Callable[[int], str],
) -> Vectors:
    """Given vectors as a collection keeps them: float32, of unit length.

    Args:
        vectors: Vectors, or a plain array, which is taken as made by the collection's model.
        facts: Of the collection: its model, fingerprint and dimension.
        count: How many there have to be; None for any number: of questions, which may have been read otherwise.
        name: What a row belongs to, for messages.

    Raises:
        ModelMismatch: Another model made them, or it read the texts in another way.
        InputError: The shape does not fit; a row holds NaN or an infinity, or has no direction. It is named.
    """
    if isinstance(vectors, Vectors):
        vectors.require_made_by(facts["model"], facts["fingerprint"])
        if count is not None:
            _require_read_alike(vectors, facts)
        data, truncated = vectors.data, vectors.truncated
    else:
        data = _array(vectors)
        truncated = np.zeros(data.shape[:1], bool)
    wanted = (len(data) if count is None and data.ndim else count, int(facts["dimension"]))
    if data.shape != wanted:
        raise InputError(
            f"vectors of shape {data.shape} where {wanted} is wanted",
            why=f"the collection's model {facts['model']} makes vectors of {wanted[1]} numbers",
            fix="give one vector a row",
        )
    data = unit_rows(data, lambda row: f"the vector of {name(row)}")
    return Vectors(data, facts["fingerprint"], truncated, facts["model"])


def _require_read_alike(vectors: Vectors, facts: Mapping[str, Any]) -> None:
    """Refuse vectors that the collection would have made otherwise; where nothing was cut, heads are windows."""
    wanted, cut = read_as(facts), bool(vectors.truncated.any())
    given = vectors.read_as or replace(wanted, windows=wanted.windows and not cut)
    limit = wanted.limit if None in (given.limit, wanted.limit) else given.limit
    windows = given.windows or (wanted.windows and not cut)
    if replace(given, windows=windows, limit=limit) != wanted:
        raise ModelMismatch(
            f"vectors of {given} for a collection of {wanted}",
            why="the same text would have two vectors in it",
            fix='encode with the role and the long="..." that the collection has, or leave vectors out',
        )


def _array(vectors: Any) -> NDArray[np.float32]:
    try:
        given = np.asarray(vectors)
        if given.dtype.kind not in "fiu":
            raise TypeError(f"they are of type {given.dtype}")
        with np.errstate(over="ignore"):
            return given.astype(np.float32, copy=False)
    except (TypeError, ValueError) as error:
        raise InputError(
            "the vectors are no array of numbers",
            why=str(error),
            fix="give an array of shape (n, d), one vector a row",
        ) from None


def _require_id(id_: str) -> None:
    try:
        too_long = len(id_) > ID_BYTES // 4 and len(id_.encode()) > ID_BYTES
        if not id_.isascii():
            id_.encode()
    except UnicodeEncodeError:
        raise InputError(
            f"the id {id_!r} holds a lone surrogate", why="no encoding can write it", fix="give another id"
        ) from None
    if too_long:
        raise InputError(
            f"the id {id_[:40]!r}... has {len(id_.encode()):,} bytes",
            why=f"at most {ID_BYTES} fit",
            fix="shorten it",
        )
    if "\0" in id_:
        raise InputError(f"the id {id_!r} holds NUL", why="most programs end a name there", fix="give another id")


def _json(document: Document) -> str:
    if not document.metadata:
        return "{}"
    require_names(document.metadata, f"the metadata of document {document.id!r}")
    try:
        written = as_json(document.metadata)
        if not written.isascii():
            written.encode()
    except (TypeError, ValueError, RecursionError):
        raise (unkept(document.metadata, document.id) or _too_deep(document)) from None
    bad = next((name for name in document.metadata if not isinstance(name, str)), "")
    if not isinstance(bad, str):
        raise InputError(
            f"a metadata field of document {document.id!r} is named by {shown(bad)}",
            why="a field's name is a string",
            fix=f'name it by one: "{json_name(bad)}"',
        )
    if written.count("[") + written.count("{") > DEPTH and _depth(written) > DEPTH:
        raise _too_deep(document)
    return written


def _too_deep(document: Document) -> InputError:
    return InputError(
        f"the metadata of document {document.id!r} are nested more than {DEPTH} deep",
        why="no filter reaches so far, and many programs cannot read it",
        fix="flatten them",
    )


def _depth(written: str) -> int:
    """How deep JSON is nested at most; brackets within strings count as well, which errs on the safe side."""
    depth = deepest = 0
    for character in written:
        depth += (character in "[{") - (character in "]}")
        deepest = max(deepest, depth)
    return deepest
