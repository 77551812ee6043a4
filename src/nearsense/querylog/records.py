"""What a log gives: queries with what came of them, groups of those without answer; times as people say them."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from nearsense.checks import is_number
from nearsense.errors import InputError
from nearsense.records import as_json, percent

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from nearsense.filters import Filter

Moment = float | str | datetime | timedelta | None
"""A time as users say it: seconds since 1970, "7d", "2026-11-30", a datetime; a timedelta before now; None."""


@dataclass(frozen=True, slots=True)
class LoggedQuery:
    """One query that was asked, and what came of it.

    Args:
        time: When it was answered, in seconds since 1970.
        query: What was asked, at most its first 2,000 characters; None in a hashed log, and where a vector was.
        digest: A keyed hash of it, 32 hexadecimal digits: queries that differ in case, spaces and punctuation at
            their ends have the same.
        mode: "dense", "lexical", "hybrid", with "+rerank" where a cross-encoder had the last word; "vector" where
            a vector was asked; "faq" for questions to a FAQ.
        where: The filter; in a hashed log with digests for its values. None without one.
        k: How many hits were asked for.
        ids: Of the best hits, best first, 10 at most; of FAQ entries without an id their question.
        scores: Theirs.
        probabilities: Theirs, in [0, 1]; None where there is no calibration, or the model cannot judge.
        answered: Whether a hit is as probable as the search asked for (`min_probability`), without that 0.5; where
            no hit has a probability, whether there is one. For a FAQ, whether it gave an answer.
        chosen: The id of the hit that was taken, where somebody told.
        latency: Seconds that the call took; of many queries at once their share.
        model: The fingerprint of the model that gave the scores.
        nearest: The question of the FAQ entry that was nearest, at most its first 200 characters; None for a
            collection, whose log holds no text of its documents.
    """

    time: float
    query: str | None
    digest: str
    mode: str
    where: dict[str, Any] | None
    k: int
    ids: tuple[str, ...]
    scores: tuple[float, ...]
    probabilities: tuple[float | None, ...]
    answered: bool
    chosen: str | None
    latency: float
    model: str
    nearest: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """As JSON values; the time as ISO 8601, UTC."""
        named = {name: getattr(self, name) for name in self.__slots__}
        lists = {name: list(named[name]) for name in ("ids", "scores", "probabilities")}
        return {**named, "time": iso(self.time), **lists}

    def __str__(self) -> str:
        said = self.query if self.query is not None else f"#{self.digest[:12]}"
        return f"{said}: {'answered' if self.answered else 'not answered'}"


@dataclass(frozen=True, slots=True)
class UnansweredGroup:
    """Queries that are near in meaning and got no answer.

    Args:
        label: Its name: phrases that set it apart; of a single query the query. In a hashed log, where what was
            asked is not known, the entry that they were nearest to.
        count: How often one of them was asked.
        queries: The different ones and how often each was asked, the most frequent first; in a hashed log their
            digests, "#" before them.
        nearest: Ids of the hits that came first and how often each did, the most frequent first; of FAQ entries
            without an id their question. Empty where nothing was found.
        entry: The text of the first of these: of the document, if it is still there, or a FAQ entry's question.
        mean_probability: That the nearest was right, on average, in [0, 1]; None where that is not known.
        last: When one of them was asked last, in seconds since 1970.
        hashed: Whether they are grouped by what they were nearest to, not by meaning.
    """

    label: str
    count: int
    queries: tuple[tuple[str, int], ...]
    nearest: tuple[tuple[str, int], ...]
    entry: str | None
    mean_probability: float | None
    last: float
    hashed: bool = False

    def __str__(self) -> str:
        sure = "" if self.mean_probability is None else f" ({percent(self.mean_probability)})"
        near = f"; nearest: {self.entry or self.nearest[0][0]}{sure}" if self.nearest and not self.hashed else ""
        return f"{self.count:>6,}  {self.label}{near}"

    def to_dict(self) -> dict[str, Any]:
        """As JSON values; the time as ISO 8601, UTC."""
        queries = [{"query": text, "count": count} for text, count in self.queries]
        nearest = [{"id": id_, "count": count} for id_, count in self.nearest]
        known = as_json(self, "label count entry mean_probability hashed")
        return known | {"last": iso(self.last), "nearest": nearest, "queries": queries}


@dataclass(frozen=True, slots=True)
class Asked:
    """What is in common to the queries of one call; made when it begins."""

    began: float  # time.perf_counter()
    mode: str
    k: int
    where: Filter | None = None
    least: float | None = None  # from which probability on a hit answers; None for ANSWERED
    named: bool = False  # whether the text of the nearest hit is kept
    vectors: NDArray[np.float32] | None = None  # one a query, where they were asked

    @classmethod
    def now(
        cls, mode: str, k: int, where: Filter | None = None, least: float | None = None, *, named: bool = False
    ) -> Asked:
        """Something that is being asked now."""
        return cls(time.perf_counter(), mode, k, where, least, named)


def iso(when: float) -> str:
    """A time as ISO 8601, UTC."""
    return datetime.fromtimestamp(when, UTC).isoformat(timespec="milliseconds")


_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 7 * 86_400}


def moment(said: Moment, *, end: bool = False) -> float | None:
    """A time as users say it, in seconds since 1970; a date alone is its begin, or its `end`.

    Example:
        >>> moment("1970-01-01T00:01:00+00:00"), moment(None)
        (60.0, None)
        >>> round(time.time() - moment("7d")) == 7 * 86400
        True
    """
    if said is None:
        return None
    if isinstance(said, timedelta):
        return time.time() - said.total_seconds()
    if isinstance(said, datetime):
        return said.timestamp()
    if is_number(said):
        return float(said)
    text = str(said).strip()
    if ago := re.fullmatch(r"(\d+(?:\.\d+)?)\s*([smhdw])", text):
        return time.time() - float(ago[1]) * _UNITS[ago[2]]
    try:
        found = datetime.fromisoformat(text)
        if end and len(text) <= len("2026-11-30"):
            found += timedelta(days=1) - timedelta(microseconds=1)
        return found.timestamp()
    except (ValueError, OverflowError, OSError):
        fix = 'for example "7d", "24h", "2026-11-30" or "2026-11-30T14:00"'
        raise InputError(f"{said!r} is no time", why="neither a span before now nor a date", fix=fix) from None
