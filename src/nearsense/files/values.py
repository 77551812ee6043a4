"""A cell of whatever origin as a JSON value. Not what it means: see columns.py."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from datetime import date, datetime, time, timedelta
from typing import Any

import numpy as np

from nearsense.errors import InputError
from nearsense.terminal import STEERING
from nearsense.types import json_name, require_names

__all__ = ["as_numbers", "is_missing", "json_text", "json_value", "kind_of"]


_NUMBER = re.compile(r"-?(0|[1-9][0-9]{0,30})(\.[0-9]+)?([eE][+-]?[0-9]{1,3})?")


def as_numbers(cells: list[str]) -> list[int | float | None] | None:
    """A column of texts as numbers, empty ones as None; None where one is not written as JSON writes numbers.

    Example:
        >>> as_numbers(["1", "", "2.5"]), as_numbers(["1", "n/a"]), as_numbers(["007"])
        ([1, None, 2.5], None, None)
    """
    written = {cell for cell in cells if cell}
    if not written or not all(map(_NUMBER.fullmatch, written)):
        return None
    values = {cell: json.loads(cell) for cell in written}
    if not all(map(math.isfinite, values.values())):
        return None
    return [values.get(cell) for cell in cells]


def json_value(value: Any) -> Any:
    """As None, bool, int, float, str, list or dict.

    Numpy's scalars and arrays become Python's; dates and times ISO 8601; durations seconds; a Decimal an int where
    its exponent says so, else the nearest float; NaN and infinities, which JSON does not have, None; bytes text
    where they are UTF-8, else hexadecimal; everything else its `str()`.

    Raises:
        InputError: Two names in an object are one in JSON, or it is nested too deep.

    Example:
        >>> from datetime import date
        >>> json_value({"on": date(2024, 5, 1), 7: np.float32(0.5), "rate": float("nan")})
        {'on': '2024-05-01', '7': 0.5, 'rate': None}
    """
    # Most cells are one of these; the exact type keeps str's and int's children (enums) for the rules below.
    if value is None or type(value) in (str, int, bool):
        return value
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    try:
        return _whole(value)
    except RecursionError:
        raise InputError(
            "a value is nested too deep, or holds itself", why="JSON cannot write it", fix="flatten it"
        ) from None


def _whole(value: Any) -> Any:
    """What may hold others, and what is rare."""
    if isinstance(value, Mapping):
        require_names(value, "a value")
        return {json_name(key): json_value(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [json_value(item) for item in value]
    if isinstance(value, (np.datetime64, np.timedelta64)):
        return None if np.isnat(value) else str(value)
    if isinstance(value, (np.ndarray, np.generic)):
        return json_value(value.tolist())
    return _rare(value)


def _rare(value: Any) -> Any:
    from decimal import Decimal

    if isinstance(value, (datetime, date, time)):
        return value.isoformat() if value == value else None  # pandas' NaT is a datetime that differs from itself
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, Decimal):
        if not value.is_finite():
            return None
        exponent = value.as_tuple().exponent
        return int(value) if isinstance(exponent, int) and exponent >= 0 else float(value)
    if isinstance(value, (bytes, bytearray)):
        try:
            return value.decode()
        except UnicodeDecodeError:
            return value.hex()
    return str.__str__(value) if isinstance(value, str) else int(value) if isinstance(value, int) else str(value)


_ESCAPED = re.compile(f"[{STEERING}\ud800-\udfff]".replace("\x00-\x08\x0b-\x1f", ""))


def json_text(value: Any, indent: int | None = None) -> str:
    r"""A JSON value as JSON for people to read: letters as they are, what steers a terminal escaped.

    So is half a surrogate pair, which no encoding can write.

    Example:
        >>> json_text({"name": "café \x9b31m"})
        '{"name": "café \\u009b31m"}'
    """
    written = json.dumps(value, ensure_ascii=False, indent=indent)
    return _ESCAPED.sub(lambda found: f"\\u{ord(found.group()):04x}", written)


def is_missing(value: Any) -> bool:
    """Whether a cell holds nothing: None, NaN, or a text without a visible character.

    Example:
        >>> [is_missing(value) for value in (None, float("nan"), " ", 0, "a")]
        [True, True, True, False, False]
    """
    if isinstance(value, str):
        return not value or value.isspace()
    return value is None or (isinstance(value, (float, np.floating)) and math.isnan(value))


_KINDS: tuple[tuple[tuple[type, ...], str], ...] = (
    ((bool, np.bool_), "true or false"),
    ((int, float, np.number), "numbers"),
    ((list, tuple, np.ndarray), "lists"),
    ((Mapping,), "objects"),
    ((bytes,), "bytes"),
    ((date, time), "dates or times"),
)


def kind_of(value: Any) -> str:
    """What a cell that is no text is, as a plural for messages.

    Example:
        >>> kind_of(3.5)
        'numbers'
    """
    return next((name for types, name in _KINDS if isinstance(value, types)), f"{type(value).__name__} values")
