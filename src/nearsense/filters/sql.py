"""Filters as conditions of PostgreSQL on a jsonb column, which lets the same pass. Values are parameters only.

The column holds for each field the list of its values, as `values_of` has them: `{"year": [2020], "tag": ["a"]}`.
Numbers are written so that jsonb compares them as Python does, and strings without NUL, which it does not hold.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from nearsense.filters.where import Every, Exists, Filter, Fixed, Key, Not, OneOf, Some, Within, values_of
from nearsense.text import is_encodable

_FIXED: dict[Key, Any] = {Fixed.TRUE: True, Fixed.FALSE: False, Fixed.NULL: None, Fixed.BARE: {}}
FEW = 16
"""Values that are looked up one by one; more are compared with all of a field's."""


def fields_of(metadata: Mapping[str, Any]) -> dict[str, list[Any]]:
    """What the column holds of a document's metadata.

    Example:
        >>> fields_of({"year": 2020.0, "author": {"name": "Li"}, "tags": ["a", None]})
        {'year': [2020], 'author': [{}], 'author.name': ['Li'], 'tags': [None, 'a']}
    """
    fields: dict[str, list[Any]] = {}
    for name, key in values_of(metadata):
        fields.setdefault(without_nul(name), []).append(_raw(key))
    return fields


def condition(where: Filter, column: str, parameters: list[Any]) -> str:
    """A filter in SQL, true or false of every row; its values are added to the parameters.

    Example:
        >>> from nearsense.filters import parse
        >>> given = []
        >>> condition(parse({"year": {">=": 2020}}), "fields", given)
        "coalesce(jsonb_path_exists(fields -> %s, '$[*] ? (@ >= $b0)', %s::jsonb), FALSE)"
        >>> given
        ['year', '{"b0": 2020}']
    """
    match where:
        case Every(parts):
            return f"({' AND '.join(condition(part, column, parameters) for part in parts) or 'TRUE'})"
        case Some(parts):
            return f"({' OR '.join(condition(part, column, parameters) for part in parts) or 'FALSE'})"
        case Not(part):
            return f"NOT {condition(part, column, parameters)}"
        case Exists(name):
            return _there(name, column, parameters)
        case OneOf(name, values):
            return _one_of(name, values, column, parameters)
        case Within(name, bounds):
            return _within(name, bounds, column, parameters)


def _there(name: str, column: str, parameters: list[Any]) -> str:
    if not is_encodable(name):
        return "FALSE"
    parameters.append(without_nul(name))
    return f"({column} ? %s)"


def _one_of(name: str, values: Iterable[Key], column: str, parameters: list[Any]) -> str:
    wanted = [_raw(value) for value in values if not isinstance(value, str) or is_encodable(value)]
    if not (wanted and is_encodable(name)):
        return "FALSE"
    if len(wanted) <= FEW:
        parameters += [json.dumps({without_nul(name): [value]}, ensure_ascii=False) for value in wanted]
        return f"({' OR '.join([f'{column} @> %s::jsonb'] * len(wanted))})"
    parameters += [without_nul(name), [json.dumps(value, ensure_ascii=False) for value in wanted]]
    return f"EXISTS (SELECT FROM jsonb_array_elements({column} -> %s) AS each WHERE each = ANY(%s::jsonb[]))"


def _within(name: str, bounds: Iterable[tuple[str, Key]], column: str, parameters: list[Any]) -> str:
    if not is_encodable(name):
        return "FALSE"
    tests, given = [], {}
    for number, (op, bound) in enumerate(bounds):
        if isinstance(bound, str) and not is_encodable(
            bound
        ):  # half a character: all strings lie on one side of it
            op, bound = op[0] + "=" * (op[0] == ">"), _cut(bound)
        tests.append(f"@ {op} $b{number}")
        given[f"b{number}"] = _raw(bound)
    parameters += [without_nul(name), json.dumps(given, ensure_ascii=False)]
    return f"coalesce(jsonb_path_exists({column} -> %s, '$[*] ? ({' && '.join(tests)})', %s::jsonb), FALSE)"


def without_nul(text: str) -> str:
    r"""A text that PostgreSQL can hold, equal and in order where the texts are; `with_nul` is the way back.

    Example:
        >>> without_nul("a\0b"), with_nul(without_nul("a\0\1b")) == "a\0\1b"
        ('a\x01\x01b', True)
    """
    if "\0" not in text and "\1" not in text:
        return text
    return text.replace("\1", "\1\2").replace("\0", "\1\1")


def with_nul(text: str) -> str:
    """What `without_nul` was given."""
    return text.replace("\1\1", "\0").replace("\1\2", "\1") if "\1" in text else text


def _raw(key: Key) -> Any:
    """A value as JSON; whole numbers as such, the others in digits that no whole number lies between."""
    if isinstance(key, str):
        return without_nul(key)
    if isinstance(key, float):
        return int(key) if key.is_integer() else key
    return _FIXED[key] if isinstance(key, Fixed) else key


def _cut(text: str) -> str:
    """The least text beyond all that are below a text with half a character, of those that can be written."""
    at = next(place for place, each in enumerate(text) if "\ud800" <= each <= "\udfff")
    return text[:at] + "\ue000"
