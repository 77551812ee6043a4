"""Why metadata cannot be kept: which field is at fault, and what to give. Asked only once JSON refused them."""

from __future__ import annotations

import datetime
import decimal
import math
from collections.abc import Iterator, Mapping
from typing import Any

from nearsense.errors import InputError
from nearsense.records import shown

__all__ = ["unkept"]

_JSON = "metadata are JSON: strings, numbers, true, false, null, lists and objects"

_INSTEAD = (
    ((datetime.date, datetime.time), "a date or time", "give it as text: value.isoformat()"),
    ((decimal.Decimal,), "a decimal number", "give float(value), or str(value) to keep every digit"),
    ((set, frozenset), "a set", "give a list: sorted(value)"),
    ((bytes, bytearray), "bytes", 'give text: value.decode("utf-8")'),
)


def unkept(metadata: Mapping[Any, Any], id_: str) -> InputError | None:
    """The error for metadata that JSON or UTF-8 refused; None where they are only nested too deep.

    Args:
        metadata: A document's.
        id_: The document's id.
    """
    for path, value, within in _values(metadata):
        name = f"the metadata field {shown(path)} of document {shown(id_)}"
        if within:
            return InputError(
                f"{name} holds itself", why="written down it would never end", fix="give a copy without it"
            )
        found = _off(value)
        if found is not None:
            what, why, fix = found
            return InputError(f"{name} {what}", why=why, fix=fix)
    return None


def _values(metadata: Mapping[Any, Any]) -> Iterator[tuple[str, Any, bool]]:
    """Every value with its dotted name, and whether it stands within itself."""
    waiting: list[tuple[str, Any, tuple[int, ...]]] = [("", metadata, ())]
    while waiting:
        path, value, around = waiting.pop()
        if path:
            yield path, value, id(value) in around
        if id(value) in around or len(around) > _DEEPEST:
            continue
        inside: list[tuple[Any, Any]] = []
        if isinstance(value, Mapping):
            inside = list(value.items())
            odd = next((each for each, _ in inside if not isinstance(each, (str, int, float, type(None)))), None)
            if odd is not None:
                yield path or shown(odd), _Name(odd), False
        elif isinstance(value, (list, tuple)):
            inside = [(None, each) for each in value]
        for name, each in reversed(inside):
            part = "" if name is None else str(name) if not path else f".{name}"
            waiting.append((f"{path}{part}", each, (*around, id(value))))


_DEEPEST = 900


class _Name:
    """A field's name that is no string."""

    def __init__(self, name: Any) -> None:
        self.shown = shown(name)


def _off(value: Any) -> tuple[str, str, str] | None:
    """What is wrong with one value, why, and what to give instead; None where nothing is."""
    if isinstance(value, _Name):
        return f"is named by {value.shown}", "a field's name is a string", "name it by a string"
    if isinstance(value, str):
        try:
            value.encode()
        except UnicodeEncodeError:
            return (
                "holds half of a character (a surrogate)",
                "it stands for nothing by itself, and no file can hold it",
                'give text that is whole: value.encode("utf-8", "replace").decode()',
            )
        return None
    if value is None or isinstance(value, (bool, Mapping, list, tuple)):
        return None
    if isinstance(value, float):
        return (
            None
            if math.isfinite(value)
            else (f"is {value}", "JSON has no such number", "leave it out, or give null")
        )
    if isinstance(value, int):
        huge = value.bit_length() > _BITS
        why = "reading it costs more than it is worth"
        return ("is a number of thousands of digits", why, "give it as text") if huge else None
    for kinds, what, fix in _INSTEAD:
        if isinstance(value, kinds):
            return f"is {what}", _JSON, fix
    if hasattr(value, "tolist"):
        return "is an array or a number of numpy", _JSON, "give value.tolist()"
    return f"is of the class {type(value).__name__}", _JSON, "give its text, or its fields: vars(value)"


_BITS = 14_000
"""Bits from which on Python does not write a number."""
