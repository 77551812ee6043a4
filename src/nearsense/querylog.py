"""What was asked of a collection or a FAQ, and what came of it. How it lies on the disk: store/querylog.py.

Nothing is logged unless that was asked for, and no answer waits for the log: what was asked is written moments
later, by a thread of its own.
"""

from __future__ import annotations

import json
import logging
import os
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nearsense.checks import is_number
from nearsense.errors import InputError
from nearsense.filters import as_where
from nearsense.records import Hit, Results
from nearsense.store.querylog import LogFolder, Passing
from nearsense.wording import normal_form

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from nearsense.encoders import Encoder
    from nearsense.filters import Filter

__all__ = ["HASHED", "Asked", "LoggedQuery", "QueryLog", "moment", "open_log"]

log = logging.getLogger("nearsense")

HASHED = "hashed"
"""What is said for a log that keeps no query, only its keyed hash."""
ANSWERED = 0.5
"""From this probability on a hit answers, where the search says none."""
TOP = 10
"""Hits that are kept of each query."""
LONGEST = 2000
"""Characters that are kept of a query."""
MOST_FILTER = 4000
"""Characters of a filter; a longer one is not kept."""

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

    def to_dict(self) -> dict[str, Any]:
        """As JSON values; the time as ISO 8601, UTC."""
        named = {name: getattr(self, name) for name in self.__slots__}
        when = datetime.fromtimestamp(self.time, UTC).isoformat(timespec="milliseconds")
        lists = {name: list(named[name]) for name in ("ids", "scores", "probabilities")}
        return {**named, "time": when, **lists}

    def __str__(self) -> str:
        said = self.query if self.query is not None else f"#{self.digest[:12]}"
        return f"{said}: {'answered' if self.answered else 'not answered'}"


@dataclass(frozen=True, slots=True)
class Asked:
    """What is in common to the queries of one call; made when it begins."""

    began: float  # time.perf_counter()
    mode: str
    k: int
    where: Filter | None = None
    least: float | None = None  # from which probability on a hit answers; None for ANSWERED
    vectors: NDArray[np.float32] | None = None  # one a query, where they were asked

    @classmethod
    def now(cls, mode: str, k: int, where: Filter | None = None, least: float | None = None) -> Asked:
        """Something that is being asked now."""
        return cls(time.perf_counter(), mode, k, where, least)


class QueryLog:
    """The queries of a collection or a FAQ, in a folder of its own. Safe for several threads and processes.

    Made by `ns.open(path, log=True)`, where it is `collection.log`, or by `ns.querylog.open_log`.

    Example:
        >>> import tempfile, nearsense as ns
        >>> with ns.open(tempfile.mkdtemp() + "/notes.nearsense", log=True) as notes:
        ...     added = notes.add(["Water the plants.", "Call the bank."])
        ...     hits = notes.search("a phone call", k=1)
        ...     notes.log.choose(hits, hits[0])
        ...     [(each.query, each.ids, each.chosen) for each in notes.log.entries()]
        [('a phone call', ('1',), '1')]
    """

    def __init__(
        self,
        path: Path,
        *,
        hashed: bool = False,
        max_bytes: int | None = None,
        encoder: Callable[[], Encoder] | None = None,
    ) -> None:
        if max_bytes is None:
            from nearsense.settings import load_settings

            max_bytes = load_settings().log_mb * 1_000_000
        self.hashed, self._encoder = hashed, encoder
        self._folder = LogFolder(path, max_bytes)
        self._passing = Passing(self._folder, self._lines_of, _lost_line)

    def __reduce__(self) -> tuple[object, ...]:
        return QueryLog._again, (self.path, self.hashed, self._folder.max_bytes)

    @staticmethod
    def _again(path: Path, hashed: bool, max_bytes: int) -> QueryLog:
        return QueryLog(path, hashed=hashed, max_bytes=max_bytes)

    def __repr__(self) -> str:
        return f"QueryLog({str(self.path)!r}{', hashed' * self.hashed})"

    @property
    def path(self) -> Path:
        """Its folder."""
        return self._folder.path

    @property
    def lost(self) -> int:
        """How many queries this handle could not log: the disk was full, or too many came at once."""
        return self._passing.lost

    # -- in

    def record(self, asked: Asked, found: Sequence[Results[Hit]], answered: Sequence[bool] | None = None) -> None:
        """Log the queries of one call with their hits; neither waits nor fails.

        `answered` says of each whether it got an answer, where that does not follow from its hits.
        """
        if not found:
            return
        share = (time.perf_counter() - asked.began) / len(found)
        least = ANSWERED if asked.least is None else asked.least
        rows = [
            (
                hits.query,
                hits.origin.fingerprint,
                [(hit.id or hit.text or "", hit.score, hit.probability) for hit in hits[:TOP]],
                _answers(hits, least) if answered is None else answered[row],
            )
            for row, hits in enumerate(found)
        ]
        self._passing.put((time.time(), share, asked, rows), len(rows))

    def choose(self, query: str | LoggedQuery | Results[Hit], hit: Hit | str) -> None:
        """Tell which hit was taken: what the last time that this was asked gets as its `chosen`.

        Args:
            query: What was asked, as text, as the results of a search, or as an entry of the log.
            hit: The hit, or its id.

        Raises:
            InputError: The query has no text, or the hit no id.
        """
        entry = query if isinstance(query, LoggedQuery) else None
        text = query.query if isinstance(query, (LoggedQuery, Results)) else query
        id_ = (hit.id or hit.text) if isinstance(hit, Hit) else hit
        if entry is None and not isinstance(text, str):
            raise InputError(
                "these results do not know their query", fix="give the query's text, or a logged entry"
            )
        if not isinstance(id_, str) or not id_:
            raise InputError(
                f"the hit {hit!r} has no id", fix='give a hit, or an id: choose("late parcel", "T-17")'
            )
        self._passing.put((time.time(), entry or text, id_))

    def flush(self) -> None:
        """Write what waits to be written; else that happens within a second."""
        self._passing.flush()

    def close(self) -> None:
        """Write what waits; nothing is logged afterwards. Reading goes on."""
        self._passing.close()

    # -- out

    def entries(
        self, since: Moment = None, until: Moment = None, unanswered: bool = False
    ) -> Iterator[LoggedQuery]:
        """What was asked, in the order in which it was written.

        Args:
            since: Only what was asked from then on: seconds since 1970, a datetime, "7d", "24h", "30m", or a date
                and time as ISO 8601 ("2026-11-30", local time where no other is said).
            until: Only what was asked until then; a date without a time is meant with all of that day.
            unanswered: Only what got no answer.

        Raises:
            InputError: A time is none.
            StoreError: The log cannot be read.
        """
        begin, end = moment(since), moment(until, end=True)
        self.flush()
        chosen = self._choices()
        for record in self._records():
            when = record.get("time", 0.0)
            if "query" not in record or (begin is not None and when < begin) or (end is not None and when > end):
                continue
            entry = _entry(record)
            if not (unanswered and entry.answered):
                taken = chosen.get((entry.time, entry.digest))
                yield entry if taken is None else replace(entry, chosen=taken)
        if self._folder.damaged:
            log.warning(
                "%s: %d lines are not what was written, and left out: a process was killed in the middle of one, "
                "or the disk is damaged",
                self.path,
                self._folder.damaged,
            )

    def __iter__(self) -> Iterator[LoggedQuery]:
        return self.entries()

    def _records(self) -> Iterator[dict[str, Any]]:
        return (record for line in self._folder.lines() if (record := _parsed(line)))

    def _choices(self) -> dict[tuple[float, str], str]:
        """Which hit was taken, by the time and the digest of the entry that it was taken of."""
        told = [record for record in self._records() if "chosen" in record]
        if not told:
            return {}
        wanted = {record["digest"] for record in told}
        asked: dict[str, list[tuple[float, Sequence[str]]]] = {digest: [] for digest in wanted}
        for record in self._records():
            if "query" in record and record["digest"] in wanted:
                asked[record["digest"]].append((record["time"], record["ids"]))
        found = {}
        for record in told:
            digest, when, id_ = record["digest"], record["time"], record["chosen"]
            if "of" in record:
                found[record["of"], digest] = id_
            elif times := asked[digest]:
                # The last before it that showed the hit; clocks go backwards at times: else the nearest.
                best = max(times, key=lambda each: (id_ in each[1], each[0] <= when, -abs(when - each[0])))
                found[best[0], digest] = id_
        return found

    def forget(self, query: str) -> int:
        """Remove a query wherever it was asked: its lines are overwritten on the disk, not only left out.

        Args:
            query: Its text; in whatever case, and with whatever punctuation at the ends of its words.

        Returns:
            How often it was in the log.

        Raises:
            StoreError: The log cannot be written.
        """
        self.flush()
        if not self._folder.exists():
            return 0
        digest, count = self.digest(query), 0

        def unwanted(line: bytes) -> bool:
            nonlocal count
            record = _parsed(line)
            found = record.get("digest") == digest
            count += found and "query" in record
            return found

        self._folder.blank(unwanted)
        return count

    # -- lines

    def _lines_of(self, item: tuple[Any, ...]) -> Iterator[bytes]:
        """What was put, as lines; in the thread that writes."""
        if len(item) == 3:
            when, query, id_ = item
            entry = isinstance(query, LoggedQuery)
            digest = query.digest if entry else self.digest(query)
            yield _line({"time": when, "digest": digest, "chosen": id_} | ({"of": query.time} if entry else {}))
            return
        when, share, asked, rows = item
        where = None if asked.where is None else as_where(asked.where)
        if where is not None and len(json.dumps(where)) > MOST_FILTER:
            where = {"…": "too long to be kept"}
        elif where is not None and self.hashed:
            where = self._veiled(where)
        for row, (query, model, hits, answered) in enumerate(rows):
            kept = None if self.hashed or not query else query[:LONGEST] + "…" * (len(query) > LONGEST)
            digest = self.digest(query) if asked.vectors is None else self._hash(asked.vectors[row].tobytes())
            ids, scores, probabilities = map(list, zip(*hits, strict=True)) if hits else ([], [], [])
            yield _line(
                {
                    "time": when,
                    "query": kept,
                    "digest": digest,
                    "mode": asked.mode,
                    "where": where,
                    "k": asked.k,
                    "ids": ids,
                    "scores": [round(float(each), 6) for each in scores],
                    "probabilities": [None if each is None else round(float(each), 6) for each in probabilities],
                    "answered": bool(answered),
                    "latency": round(share, 6),
                    "model": model,
                }
            )

    def digest(self, query: str) -> str:
        """The keyed hash by which a query is known in this log: BLAKE2b of its normal form, 32 digits."""
        return self._hash(normal_form(query).encode())

    def _hash(self, content: bytes) -> str:
        from hashlib import blake2b  # here, as in text.py

        return blake2b(content, key=self._folder.key(), digest_size=16).hexdigest()

    def _veiled(self, value: Any) -> Any:
        """A filter whose values are digests."""
        if isinstance(value, dict):
            return {name: self._veiled(each) for name, each in value.items()}
        if isinstance(value, list):
            return [self._veiled(each) for each in value]
        known = value is None or isinstance(value, bool)
        return value if known else f"#{self._hash(json.dumps(value).encode())[:12]}"


def open_log(path: str | os.PathLike[str], *, hashed: bool = False, max_mb: int | None = None) -> QueryLog:
    """The query log in a folder; or the one that lies beside a collection, by the collection's path.

    Args:
        path: A folder, made with the first query if it is missing; or a collection, whose log is meant.
        hashed: Keep no query's text from now on, only its keyed hash.
        max_mb: How many megabytes it may have; the oldest queries go first. Without it the setting `log_mb`, 64.

    Raises:
        StoreError: Something else lies there.

    Example:
        >>> import tempfile
        >>> list(open_log(tempfile.mkdtemp() + "/faq.queries"))
        []
    """
    folder = Path(path)
    from nearsense.store import is_collection

    if is_collection(folder):
        folder = beside(folder)
    made = QueryLog(folder, hashed=hashed, max_bytes=None if max_mb is None else max_mb * 1_000_000)
    made._folder.require_mine()
    return made


def require_said(log: bool | str | None) -> None:
    """Refuse what does not say whether, and how, something is logged."""
    if not (log is None or isinstance(log, bool) or log == HASHED):
        raise InputError(f"log={log!r} is not known", fix='use log=True, log="hashed" or log=False')


def said_of(log: QueryLog | None) -> bool | str:
    """What was said for a log, to open it again."""
    return False if log is None else HASHED if log.hashed else True


def beside(collection: Path) -> Path:
    """Where the log of a collection lies: beside it, so that who is given the collection is not given the log."""
    folder = Path(os.path.realpath(collection))
    return folder.with_name(f"{folder.name}.queries")


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


def _answers(hits: Results[Hit], least: float) -> bool:
    """Whether a hit is probable enough; without any probability, whether there is a hit that could be judged."""
    known = [hit.probability for hit in hits if hit.probability is not None]
    return any(each >= least for each in known) if known else any(hit.unsure is None for hit in hits)


def _entry(record: Mapping[str, Any]) -> LoggedQuery:
    return LoggedQuery(
        float(record["time"]),
        record["query"],
        record["digest"],
        record["mode"],
        record["where"],
        int(record["k"]),
        tuple(record["ids"]),
        tuple(record["scores"]),
        tuple(record["probabilities"]),
        bool(record["answered"]),
        None,
        float(record["latency"]),
        record["model"],
    )


def _parsed(line: bytes) -> dict[str, Any]:
    try:
        record = json.loads(line)
    except ValueError:
        return {}
    return record if isinstance(record, dict) else {}


def _line(record: Mapping[str, Any]) -> bytes:
    return json.dumps(record, ensure_ascii=False, separators=(",", ":")).encode()


def _lost_line(count: int) -> bytes:
    return _line({"time": time.time(), "lost": count})
