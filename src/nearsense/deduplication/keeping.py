"""Which of several rows that say the same stays: the policies, as numbers to sort by. Not which rows those are."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import numpy as np

from nearsense.checks import is_number, is_whole
from nearsense.errors import InputError
from nearsense.types import Document, parse

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Choose", "Keep", "Policy", "policy_of"]

Choose = Callable[[list[Document]], "int | str"]
"""Rows that may stay, in their order, to the place (from 0) or the id of the one that does."""


class Keep(StrEnum):
    """Which row stays."""

    FIRST = "first"
    """The one that comes first."""
    LONGEST = "longest"
    """The one with the longest text."""
    SHORTEST = "shortest"
    """The one with the shortest text."""
    COMPLETE = "complete"
    """The one with the most fields that are not empty."""
    NEWEST = "newest"
    """The one with the latest date, or the highest number, in a column: "newest:date"."""


@dataclass(frozen=True, slots=True, eq=False)
class Policy:
    """Who stays.

    Args:
        name: As the caller said it.
        rank: float64, shape (n,): the row with the least stays, the first of several.
        choose: The caller's own function instead; it is asked once a group.
    """

    name: str
    rank: NDArray[np.float64]
    choose: Choose | None = None

    def pick(self, documents: Sequence[Document], rows: Sequence[int]) -> int:
        """The row that the caller's own function chooses.

        Raises:
            InputError: It gives something else than one of these rows.
        """
        assert self.choose is not None
        given = [documents[row] for row in rows]
        chosen = self.choose(given)
        if is_whole(chosen, most=len(rows) - 1):
            return rows[int(chosen)]
        places = [row for row, document in zip(rows, given, strict=True) if document.id == chosen]
        if len(places) == 1:
            return places[0]
        raise InputError(
            f"keep= gave {chosen!r} for {len(rows)} rows that may stay",
            why=f"their ids are {', '.join(document.id for document in given[:5])}{', ...' * (len(given) > 5)}",
            fix=f"return one of these ids, or a place from 0 to {len(rows) - 1}",
        )


def policy_of(keep: str | Choose, documents: Sequence[Document]) -> Policy:
    """What the caller means.

    Args:
        keep: A name of `Keep`, "newest:COLUMN", or a function of the rows that may stay.
        documents: All rows.

    Raises:
        InputError: It is none; or a row's date cannot be read, which is named.

    Example:
        >>> rows = [Document("a", "x", {"on": "2024-05-01"}), Document("b", "x", {"on": "2025-01-01"})]
        >>> policy_of("newest:on", rows).rank.argmin()
        np.int64(1)
    """
    if callable(keep):
        return Policy(getattr(keep, "__name__", "own"), np.zeros(len(documents)), keep)
    if not isinstance(keep, str):
        raise InputError(f"keep={keep!r} is not known", fix=f"one of {_NAMES}, or a function of the rows")
    name, colon, column = keep.partition(":")
    kind = parse(Keep, name, name="keep")
    if (kind is Keep.NEWEST) != bool(colon and column):
        raise InputError(f"keep={keep!r} is not known", fix=f"one of {_NAMES}")
    if kind is Keep.NEWEST:
        return Policy(keep, -_times(documents, column))
    return Policy(keep, np.array([_RANKS[kind](document) for document in documents], np.float64))


_NAMES = ", ".join(each.value for each in Keep if each is not Keep.NEWEST) + ", newest:COLUMN"

_RANKS: dict[Keep, Callable[[Document], float]] = {
    Keep.FIRST: lambda document: 0.0,
    Keep.LONGEST: lambda document: -len(document.text),
    Keep.SHORTEST: lambda document: len(document.text),
    Keep.COMPLETE: lambda document: -sum(not _is_empty(value) for value in document.metadata.values()),
}


def _is_empty(value: Any) -> bool:
    if isinstance(value, str):
        return not value or value.isspace()
    return value is None or (isinstance(value, float) and math.isnan(value)) or value in ([], {})


def _times(documents: Sequence[Document], column: str) -> NDArray[np.float64]:
    """When each row is of; a row without a date is the oldest.

    Raises:
        InputError: No row has the column, one cannot be read, or some are numbers and others dates.
    """
    if documents and not any(column in document.metadata for document in documents):
        known = ", ".join(dict.fromkeys(name for document in documents[:100] for name in document.metadata))
        raise InputError(
            f"keep='newest:{column}': no row has a field {column!r}",
            why=f"the fields are: {known}" if known else "the rows have no fields besides their text",
            fix="name another column, or give Documents with metadata",
        )
    found, kinds = np.full(len(documents), -np.inf), dict[str, str]()
    for row, document in enumerate(documents):
        value = document.metadata.get(column)
        if _is_empty(value):
            continue
        kind, found[row] = _time(value, column, document.id)
        kinds.setdefault(kind, document.id)
    if len(kinds) > 1:
        raise InputError(
            f"column {column!r} holds numbers and dates: rows {' and '.join(kinds.values())}",
            why="which of the two is newer nobody can say",
            fix="write all of them as ISO dates: 2024-05-01",
        )
    return found


def _time(value: Any, column: str, id_: str) -> tuple[str, float]:
    """Whether it is a "number" or a "date", and how late it is."""
    if isinstance(value, datetime):
        return "date", _seconds(value)
    if isinstance(value, date):
        return "date", _seconds(datetime(value.year, value.month, value.day))
    if is_number(value) and math.isfinite(value):
        return "number", float(value)
    if isinstance(value, str):
        try:
            number = float(value)
            if math.isfinite(number):
                return "number", number
        except ValueError:
            try:
                return "date", _seconds(datetime.fromisoformat(value.strip()))
            except ValueError:
                pass
    raise InputError(
        f"row {id_}: {column!r} is {str(value)[:40]!r}",
        why="which row is newer goes by ISO dates (2024-05-01, 2024-05-01T12:30) or by numbers",
        fix="correct it, or keep by something else",
    )


def _seconds(moment: datetime) -> float:
    """Seconds since 1970; a time without a zone is taken as UTC."""
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
