"""Texts as they come in: one or many, strings or Documents, checked. Not tokens: those stay in encoders/."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from nearsense.errors import InputError
from nearsense.records import Document

if TYPE_CHECKING:
    import json

T = TypeVar("T")


def as_texts(texts: str | Iterable[str], what: str = "text", *, content: bool = False) -> list[str]:
    """A list of encodable strings, each with `content` where that is asked for; one string is a list of one."""
    items = [texts] if isinstance(texts, str) else _listed(texts, what)
    for position, text in enumerate(items):
        if not isinstance(text, str):
            raise InputError(
                f"{what} {position} is {_kind(text)}, not a string",
                why="only strings have a meaning to compare",
                fix="leave such rows out, or turn them into strings first",
            )
        if not text.isascii():
            try:
                text.encode()
            except UnicodeEncodeError as error:
                raise InputError(
                    f"{what} {position} holds a lone surrogate at character {error.start}",
                    why="half of a UTF-16 pair is no character, no encoding can write it",
                    fix='clean it first: text.encode("utf-8", "replace").decode()',
                ) from None
    if content:
        require_content(items, what)
    return items


def require_content(texts: Iterable[str], what: str = "text") -> None:
    """Refuse texts without a visible character: a score against nothing means nothing."""
    for position, text in enumerate(texts):
        if not text or text.isspace():
            raise InputError(
                f"{what} {position} is empty",
                why="an empty text has no meaning that a score could be about",
                fix="leave empty texts out",
            )


def as_documents(items: Iterable[str | Document]) -> list[Document]:
    """Plain strings become Documents with their position (from 0) as id."""
    if isinstance(items, (str, Document)):
        items = [items]
    documents = [
        item if isinstance(item, Document) else Document(id=str(position), text=item)
        for position, item in enumerate(_listed(items, "text"))
    ]
    as_texts((document.text for document in documents), content=True)
    seen: dict[str, int] = {}
    for position, document in enumerate(documents):
        if not isinstance(document.id, str) or not document.id:
            raise InputError(f"document {position} has the id {document.id!r}", fix="give a non-empty string")
        if document.id in seen:
            what = f"documents {seen[document.id]} and {position} share the id {document.id!r}"
            fix = "give each document an id of its own"
            raise InputError(what, why="a hit could not say which of them it means", fix=fix)
        seen[document.id] = position
    return documents


def _listed(items: Iterable[T], what: str) -> list[T]:
    what = f"{what.removesuffix('y')}ies" if what.endswith("y") else f"{what}s"
    if isinstance(items, Mapping) or hasattr(items, "columns"):
        raise InputError(
            f"{what} are {_kind(items)}, not strings",
            why="iterating it gives the names of its columns, not its texts",
            fix='give one column: table["text"]',
        )
    try:
        return list(items)
    except TypeError:
        raise InputError(f"{what} are {_kind(items)}, not strings", fix='give a list: ["one", "two"]') from None


def _kind(item: object) -> str:
    if isinstance(item, float) and item != item:
        return "missing (NaN)"
    return "None" if item is None else f"of type {type(item).__name__}"


def content_hash(text: str) -> bytes:
    """16 bytes that stand for a text: BLAKE2b of its UTF-8. Equal texts have equal ones; two texts never meet."""
    from hashlib import blake2b  # here: it costs a sixth of numpy to import, and many programs never hash

    return blake2b(text.encode(), digest_size=16).digest()


def as_json(metadata: Mapping[str, Any]) -> str:
    """Metadata as they are kept: short JSON."""
    return _encoder().encode(metadata if type(metadata) is dict else dict(metadata)) if metadata else "{}"


@functools.cache
def _encoder() -> json.JSONEncoder:
    import json

    return json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"))
