"""Near texts to rows that stay and rows that go: stars around centres, and who of a group stays. Not how near."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import numpy as np

from nearsense.checks import is_number, is_whole
from nearsense.deduplication.edges import EXACT
from nearsense.errors import InputError
from nearsense.records import Document, parse

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from nearsense.deduplication.edges import Edges
    from nearsense.deduplication.rows import Rows, Sides

    Ints = NDArray[np.int64]
    Bools = NDArray[np.bool_]

Choose = Callable[[list[Document]], "int | str"]
"""Rows that may stay, in their order, to the place (from 0) or the id of the one that does."""


@dataclass(frozen=True, slots=True, eq=False)
class Grouping:
    """Which row each of n rows gives way to.

    `kept` is the row that stays in the place of each, itself where it stays, n plus a number for an archive's row;
    `edge` the pair of texts that says so, -1 for equal texts and for rows that stay.
    """

    kept: Ints
    edge: Ints


def group_rows(sides: Sides, edges: Edges, usable: Bools, policy: Policy, *, within: bool) -> Grouping:
    """Who stays and who goes, by the pairs that are `usable`; `within`, rows give way to each other too."""
    rows, archive, m = sides.rows, sides.archive, len(sides.rows)
    pairs = np.flatnonzero(usable)
    left, right = edges.left[pairs], edges.right[pairs]
    strength = np.where(edges.tier[pairs] == EXACT, np.float32(2), np.minimum(edges.score[pairs], np.float32(1)))
    fixed = np.arange(len(sides)) >= m if len(sides) > m else None
    found = stars(len(sides), left, right, strength, sides.digests(np.concatenate([left, right])), fixed)
    stays = _stays(rows, found.centre[:m], found.free[:m], policy)  # a row for each centre that is no archive's
    kept_node = np.where(stays >= 0, rows.node[stays], np.arange(m)) if m else stays
    edge = _edges(len(sides), left, right, pairs, found.centre, kept_node)
    home = found.centre[rows.node]  # the centre of each row
    kept, own = np.arange(len(home)), home < m
    if within:
        kept[own] = stays[home[own]]
    if archive is not None:
        kept[~own] = len(rows.documents) + archive.first[home[~own] - m]
    return Grouping(kept, edge[rows.node])


@dataclass(frozen=True, slots=True, eq=False)
class Stars:
    """n texts in groups: the centre of each text's group, and whether it is `free` to stay in that centre's place.

    Free are centres, and texts that are near all others of their group and near nothing else.
    """

    centre: Ints
    free: Bools


def stars(
    n: int,
    left: Ints,
    right: Ints,
    strength: NDArray[np.float32],
    content: NDArray[np.uint64],
    fixed: Bools | None = None,
) -> Stars:
    """Group n texts around centres, no two of which are near each other.

    Texts are taken in the order of how many others they are near, the fewest first, `content` deciding between
    equals; each that is taken is a centre, and those near it go. Both ends of a chain stay, and few texts go. Each
    that goes belongs to the strongest of the centres it is near. The order of texts and pairs has no say in it.
    Each pair stands in `left` and `right` once. Texts that are `fixed` are centres in any case and have no pairs
    among themselves; what is near one belongs to such a one.

    Example:
        >>> pairs = np.array([[0, 1], [1, 2], [2, 3]])
        >>> stars(4, pairs[:, 0], pairs[:, 1], np.ones(3, np.float32), np.arange(4, dtype=np.uint64)).centre
        array([0, 0, 3, 3])
    """
    goes = np.zeros(n, bool)
    if fixed is not None and fixed.any():
        goes[left[fixed[right]]] = goes[right[fixed[left]]] = True
        alive = ~(goes | fixed)
        live = alive[left] & alive[right]
        owned = (goes[left] & ~fixed[right]) | (goes[right] & ~fixed[left])
    else:
        live = np.ones(len(left), bool)
        owned = ~live
    goes |= _texts_that_go(n, left[live], right[live], content)
    centre = _nearest_centre(n, left[~owned], right[~owned], strength[~owned], content, goes)
    return Stars(centre, _free(centre, left, right, fixed))


def _texts_that_go(n: int, left: Ints, right: Ints, content: NDArray[np.uint64]) -> Bools:
    """The texts that go, where each in turn is taken and drops its neighbours: all local firsts at once."""
    degree = np.bincount(left, minlength=n) + np.bincount(right, minlength=n)
    rank = np.empty(n, np.int64)
    rank[np.lexsort((content, degree))] = np.arange(n)
    turned = rank[left] > rank[right]
    before, after = np.where(turned, right, left), np.where(turned, left, right)
    goes, stays = np.zeros(n, bool), np.zeros(n, bool)
    while len(before):
        behind = np.zeros(n, bool)
        behind[after] = True
        first = ~behind[before]
        stays[before[first]] = True
        goes[after[first]] = True
        open_ = ~(goes[before] | goes[after] | stays[before])
        before, after = before[open_], after[open_]
    return goes


def _nearest_centre(
    n: int, left: Ints, right: Ints, strength: NDArray[np.float32], content: NDArray[np.uint64], goes: Bools
) -> Ints:
    """For each text that goes the strongest centre; at equal strength the content decides."""
    forward, backward = goes[left] & ~goes[right], goes[right] & ~goes[left]
    who = np.concatenate([left[forward], right[backward]])
    at = np.concatenate([right[forward], left[backward]])
    near = np.concatenate([strength[forward], strength[backward]])
    best = np.full(n, -np.inf, np.float32)
    np.maximum.at(best, who, near)
    top = near == best[who]
    who, at = who[top], at[top]
    order = np.lexsort((at, content[at]))[::-1]
    centre = np.arange(n)
    centre[who[order]] = at[order]  # the last that is written is the first of the order
    return centre


def _free(centre: Ints, left: Ints, right: Ints, fixed: Bools | None) -> Bools:
    n = len(centre)
    inside = centre[left] == centre[right]
    others = np.bincount(centre, minlength=n)[centre] - 1
    free = np.bincount(left[inside], minlength=n) + np.bincount(right[inside], minlength=n) == others
    free[left[~inside]] = free[right[~inside]] = False
    if fixed is not None:
        free &= ~fixed[centre]
    free[centre] = True
    return np.asarray(free, bool)


def _stays(rows: Rows, centre: Ints, free: Bools, policy: Policy) -> Ints:
    """For each centre the row that stays of its group; -1 for texts that are no centre."""
    stays = np.full(len(rows), -1, np.int64)
    may = np.flatnonzero(free[rows.node] & (centre[rows.node] < len(rows)))
    group = centre[rows.node[may]]
    if policy.choose is None:
        order = np.lexsort((may, policy.rank[may], group))[::-1]
        stays[group[order]] = may[order]  # the last that is written has the least rank
        return stays
    order = np.lexsort((may, group))
    may, group = may[order], group[order]
    begin = np.flatnonzero(np.concatenate([[True], group[1:] != group[:-1]])) if len(group) else group
    for at, rival in zip(begin.tolist(), [*begin[1:].tolist(), len(may)], strict=True):
        chosen = may[at:rival].tolist()
        stays[group[at]] = policy.pick(rows.documents, chosen) if len(chosen) > 1 else chosen[0]
    return stays


def _edges(n: int, left: Ints, right: Ints, pairs: Ints, centre: Ints, kept_node: Ints) -> Ints:
    """For each text its pair with the text that stays of its group; -1 where it is that text itself."""
    stays = np.arange(n)
    stays[: len(kept_node)] = kept_node
    edge = np.full(n, -1, np.int64)
    for here, there in ((left, right), (right, left)):
        its = (centre[here] == centre[there]) & (stays[centre[here]] == there)
        edge[here[its]] = pairs[its]
    return edge


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
    """Who stays: of n rows the one of least `rank`, the first of several; or what the caller's function says."""

    name: str
    rank: NDArray[np.float64]
    choose: Choose | None = None

    def pick(self, documents: Sequence[Document], rows: Sequence[int]) -> int:
        """The row that the caller's own function chooses."""
        assert self.choose is not None
        given = [documents[row] for row in rows]
        chosen = self.choose(given)
        if is_whole(chosen, most=len(rows) - 1):
            return rows[int(chosen)]
        places = [row for row, document in zip(rows, given, strict=True) if document.id == chosen]
        if len(places) == 1:
            return places[0]
        why = f"their ids are {', '.join(document.id for document in given[:5])}{', ...' * (len(given) > 5)}"
        fix = f"return one of these ids, or a place from 0 to {len(rows) - 1}"
        raise InputError(f"keep= gave {chosen!r} for {len(rows)} rows that may stay", why=why, fix=fix)


def policy_of(keep: str | Choose, documents: Sequence[Document]) -> Policy:
    """What the caller means by a name of `Keep`, "newest:COLUMN", or a function of the rows that may stay."""
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
    """When each row is of; a row without a date is the oldest."""
    if documents and not any(column in document.metadata for document in documents):
        known = ", ".join(dict.fromkeys(name for document in documents[:100] for name in document.metadata))
        what = f"keep='newest:{column}': no row has a field {column!r}"
        why = f"the fields are: {known}" if known else "the rows have no fields besides their text"
        raise InputError(what, why=why, fix="name another column, or give Documents with metadata")
    found, kinds = np.full(len(documents), -np.inf), dict[str, str]()
    for row, document in enumerate(documents):
        value = document.metadata.get(column)
        if _is_empty(value):
            continue
        kind, found[row] = _time(value, column, document.id)
        kinds.setdefault(kind, document.id)
    if len(kinds) > 1:
        what = f"column {column!r} holds numbers and dates: rows {' and '.join(kinds.values())}"
        fix = "write all of them as ISO dates: 2024-05-01"
        raise InputError(what, why="which of the two is newer nobody can say", fix=fix)
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
    why = "which row is newer goes by ISO dates (2024-05-01, 2024-05-01T12:30) or by numbers"
    fix = "correct it, or keep by something else"
    raise InputError(f"row {id_}: {column!r} is {str(value)[:40]!r}", why=why, fix=fix)


def _seconds(moment: datetime) -> float:
    """Seconds since 1970; a time without a zone is taken as UTC."""
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
