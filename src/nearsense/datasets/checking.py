"""What a data set made in Python has to hold; what is off is said in one line. Not what cells hold: cells.py."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from operator import index
from typing import Any

import numpy as np

from nearsense.errors import InputError


def whole(value: Any, name: str, least: int) -> int:
    """A whole number that is not too small."""
    try:
        number = index(value)
    except TypeError:
        raise InputError(f"{name}={value!r} is not a whole number", fix=f"{name}={least}") from None
    if number < least:
        raise InputError(f"{name}={number} is too small", why=f"{name} is {least} or more", fix=f"{name}={least}")
    return number


def tupled(owner: str, name: str, values: Any) -> tuple[Any, ...]:
    """A field that has an entry an item, as a tuple."""
    if isinstance(values, Mapping) or not isinstance(values, Iterable):
        raise InputError(
            f"{owner}: {name} is {_shown(values)}", why="it has one entry an item", fix="give a list, or a tuple"
        )
    return tuple(values)


def require_texts(owner: str, name: str, values: Iterable[Any], *, none: bool = False) -> None:
    """Refuse what is no text, or an empty one; `None` too, unless it may be."""
    for place, value in enumerate(values, 1):
        if not (isinstance(value, str) and value and not value.isspace()) and not (none and value is None):
            raise InputError(
                f"{owner}, {name} {place}: {_shown(value)} is no text",
                why="without a text there is no meaning to compare"
                if isinstance(value, str) or value is None
                else "a string is needed",
                fix="complete it, or leave the item out",
            )


def require_tuples(owner: str, name: str, values: Iterable[Any], size: int) -> None:
    """Refuse what is not so many texts."""
    for place, value in enumerate(values, 1):
        if not _is_list(value) or len(value) != size:
            raise InputError(
                f"{owner}, {name} {place}: {_shown(value)}",
                why=f"a {name} is {size} texts",
                fix="give a tuple of as many",
            )
        require_texts(f"{owner}, {name} {place}", "text", value)


def require_lists(owner: str, name: str, values: Iterable[Any]) -> None:
    """Refuse what is no list."""
    for place, value in enumerate(values, 1):
        if not _is_list(value):
            raise InputError(
                f"{owner}, query {place}: {name} is {_shown(value)}, no list",
                why=f"each query has a list of {name}",
                fix="give a list for each",
            )


def require_scores(owner: str, values: Iterable[Any]) -> None:
    """Refuse what is no finite number."""
    for place, value in enumerate(values, 1):
        number = _is_number(value)
        if not number or not np.isfinite(value):
            raise InputError(
                f"{owner}, pair {place}: the score is {value if number else _shown(value)}",
                why="it has no place in an order" if number else "a score is a number",
                fix="correct it, or leave the pair out",
            )


def require_flags(owner: str, values: Iterable[Any]) -> None:
    """Refuse what is neither yes nor no."""
    for place, value in enumerate(values, 1):
        if not _is_number(value) or value not in (0, 1):
            raise InputError(
                f"{owner}, label {place}: {_shown(value)} is neither True nor False",
                why="a label says yes or no",
                fix="give True or False, or 1 or 0",
            )


def require_judgements(owner: str, judgements: Sequence[Any], corpus: Any) -> None:
    """Refuse a corpus without texts, and judgements of what is not in it or that no document answers."""
    if not isinstance(corpus, Mapping) or not corpus:
        raise InputError(
            f"{owner}: the corpus is {_shown(corpus)}",
            why="it holds the documents' texts by their ids",
            fix='give a dict such as {"d1": "a text"}',
        )
    for id_, text in corpus.items():
        if not isinstance(id_, str):
            raise InputError(
                f"{owner}: the document id {_shown(id_)} is no string", why="ids are texts", fix=f'write "{id_}"'
            )
        if not (isinstance(text, str) and text and not text.isspace()):
            raise InputError(
                f"{owner}: document {id_!r} has no text",
                why="without a text there is no meaning to compare",
                fix="complete it, or leave it out of corpus and judgements",
            )
    for place, own in enumerate(judgements, 1):
        _require_judged(f"{owner}, query {place}", own, corpus)


def _require_judged(owner: str, own: Any, corpus: Mapping[str, str]) -> None:
    if not isinstance(own, Mapping):
        raise InputError(
            f"{owner}: its judgements are {_shown(own)}",
            why="they say which documents answer the query",
            fix='give a dict such as {"d1": 1}',
        )
    strangers = [str(id_) for id_ in own if id_ not in corpus]
    if strangers:
        raise InputError(
            f"{owner}: judged documents are not in the corpus: {', '.join(strangers[:5])}",
            why="what is not there cannot be found, and every figure would be too low",
            fix="complete the corpus, or remove these judgements",
        )
    for id_, grade in own.items():
        if not _is_number(grade) or not np.isfinite(grade) or grade < 0:
            raise InputError(
                f"{owner}: the grade of document {id_!r} is {_shown(grade)}",
                why="a grade is a number from 0",
                fix="correct it",
            )
    if not any(own.values()):
        raise InputError(
            f"{owner}: no document answers it", why="nothing can be right then", fix="leave the query out"
        )


def _is_number(value: Any) -> bool:
    return isinstance(value, (bool, int, float, np.bool_, np.integer, np.floating))


def _is_list(value: Any) -> bool:
    return isinstance(value, (Sequence, np.ndarray)) and not isinstance(value, (str, bytes))


def _shown(value: Any) -> str:
    text = " ".join(repr(value).split())
    return text if len(text) <= 40 else f"{text[:39]}…"
