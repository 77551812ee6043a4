"""Texts as they come in: one or many, checked. Not Documents: corpus.py; not tokens: those stay in encoders/."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from nearsense.columns import cells_of, index_of, is_absent, is_frame, library_of, list_names, names_of
from nearsense.errors import InputError

if TYPE_CHECKING:
    import json

T = TypeVar("T")


def as_texts(texts: str | Iterable[str], what: str = "text", *, content: bool = False) -> list[str]:
    """A list of encodable strings, each with `content` where that is asked for; one string is a list of one."""
    items = [texts] if isinstance(texts, str) else listed(texts, what)
    require_texts(items, what, texts, content=content)
    return items


def is_encodable(text: str) -> bool:
    """Whether a text can be written: half of a surrogate pair cannot."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def require_texts(
    cells: Sequence[Any], what: str = "text", source: Any = None, column: Any = None, *, content: bool = True
) -> None:
    """Refuse what is no encodable string, or has no visible character; messages call its row as `source` does."""
    for position, text in enumerate(cells):
        if not isinstance(text, str):
            raise InputError(
                f"{_called(position, what, source)} is {_kind(text)}, not a string",
                why="only strings have a meaning to compare",
                fix=_remedy(source, column) if is_absent(text) else _OUT,
            )
        if not text.isascii():
            try:
                text.encode()
            except UnicodeEncodeError as error:
                raise InputError(
                    f"{_called(position, what, source)} holds a lone surrogate at character {error.start}",
                    why="half of a UTF-16 pair is no character, no encoding can write it",
                    fix='clean it first: text.encode("utf-8", "replace").decode()',
                ) from None
        if content and (not text or text.isspace()):
            raise InputError(
                f"{_called(position, what, source)} is empty",
                why="an empty text has no meaning that a score could be about",
                fix="leave empty texts out",
            )


_OUT = "leave such rows out, or turn them into strings first"


def _called(position: int, what: str, source: Any) -> str:
    """What messages call a row: by its label, where there is an index."""
    index = index_of(source)
    label = None if index is None else cells_of(index[position : position + 1])
    return f"{what} of row {label[0]!r}" if label else f"{what} {position}"


def _remedy(source: Any, column: Any) -> str:
    """What leaves out the rows without a value, where the library is known."""
    way = {"pandas": "dropna", "polars": "drop_nulls"}.get(library_of(source))
    if way is None:
        return _OUT
    if not is_frame(source):
        return f"leave such rows out: series.{way}()"
    return f"leave such rows out: df.{way}(subset={[column] if column is not None else None!r})"


def listed(items: Iterable[T], what: str) -> list[T]:
    """The things in a list, a Series, an array, ...: not the names of a frame's columns."""
    many = f"{what.removesuffix('y')}ies" if what.endswith("y") else f"{what}s"
    if is_frame(items):
        raise InputError(
            f"{many} are {_kind(items)}, not strings",
            why=f"iterating it gives no texts; its columns are: {list_names(names_of(items))}",
            fix='give one column: table["text"]',
        )
    cells = cells_of(items)
    if cells is None:
        raise InputError(f"{many} are {_kind(items)}, not strings", fix='give a list: ["one", "two"]')
    return cells


def _kind(item: object) -> str:
    if item is not None and is_absent(item):
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
