"""Filters of Haystack as filters of nearsense, which hold for the same documents."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields
from datetime import datetime
from typing import Any

from nearsense.errors import InputError
from nearsense.filters import escaped
from nearsense.integrations._shared import NEVER, import_haystack, missing

import_haystack()

from haystack.dataclasses import Document as HaystackDocument  # noqa: E402
from haystack.errors import FilterError  # noqa: E402


class NotAFilter(InputError, FilterError):  # type: ignore[misc]
    """A filter is not well formed: an error of both libraries."""


def as_where(filters: Mapping[str, Any] | None) -> dict[str, Any]:
    """A filter of Haystack as one of nearsense, which holds for the same documents.

    Example:
        >>> as_where({"field": "meta.year", "operator": ">=", "value": 2020})
        {'year': {'>=': 2020}}
        >>> as_where({"field": "meta.lang", "operator": "!=", "value": "de"})
        {'not': {'lang': {'=': 'de'}}}
    """
    if not filters:
        return {}
    if not isinstance(filters, Mapping):
        raise _no_filter(f"a filter is of type {type(filters).__name__}")
    if "field" not in filters:
        return _joined(filters)
    field, operator = filters["field"], filters.get("operator")
    if operator not in _CONDITIONS or "value" not in filters:
        raise _no_filter(f"a condition on {field!r} has no known operator, or no value")
    if field in _OWN:
        raise _no_filter(
            f"{field!r} is not of the metadata, which alone are looked at; a field of theirs is meta.{field}"
        )
    return _CONDITIONS[operator](escaped(str(field).removeprefix("meta.")), filters["value"])


def _joined(filters: Mapping[str, Any]) -> dict[str, Any]:
    operator, conditions = filters.get("operator"), filters.get("conditions")
    if operator not in ("AND", "OR", "NOT") or not isinstance(conditions, (list, tuple)):
        raise _no_filter(f"a filter without a field has the operator {operator!r}, and needs conditions")
    parts = [as_where(each) for each in conditions]
    return {"or": parts} if operator == "OR" else {"and": parts} if operator == "AND" else {"not": {"and": parts}}


def _equal(name: str, value: Any) -> dict[str, Any]:
    if value is None:
        return missing(name)
    if isinstance(value, (list, dict)):
        raise _no_filter(f"{name} is compared with a value of type {type(value).__name__}")
    return {name: {"=": value}}


def _one_of(name: str, value: Any) -> dict[str, Any]:
    if not isinstance(value, list):
        raise _no_filter(f'{name}: "in" and "not in" take a list')
    return {"or": [_equal(name, each) for each in value]}


def _ordered(operator: str) -> Callable[[str, Any], dict[str, Any]]:
    def condition(name: str, value: Any) -> dict[str, Any]:
        if value is None:
            return NEVER
        number = isinstance(value, (int, float)) and not isinstance(value, bool)
        if not (number or (isinstance(value, str) and _is_date(value))):
            raise _no_filter(f"{name} {operator} {value!r}: only numbers and ISO dates have an order")
        return {name: {operator: value}}

    return condition


def _is_date(text: str) -> bool:
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return True


_OWN = {each.name for each in fields(HaystackDocument)} - {"meta"}
_CONDITIONS: dict[Any, Callable[[str, Any], dict[str, Any]]] = {
    "==": _equal,
    "!=": lambda name, value: {"not": _equal(name, value)},
    "in": _one_of,
    "not in": lambda name, value: {"not": _one_of(name, value)},
    **{operator: _ordered(operator) for operator in (">", ">=", "<", "<=")},
}


def _no_filter(what: str) -> NotAFilter:
    why = "the operators are == != > >= < <= in, not in; AND, OR, NOT join conditions"
    return NotAFilter(what, why=why, fix='{"field": "meta.lang", "operator": "==", "value": "en"}')
