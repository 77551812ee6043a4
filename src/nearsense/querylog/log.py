"""The log itself: what was asked goes in without waiting, and comes out again. Lines as JSON, one an event."""

from __future__ import annotations

import json
import logging
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nearsense import checks
from nearsense._paths import is_url
from nearsense.errors import InputError, StoreError
from nearsense.filters import as_where
from nearsense.querylog.records import Asked, LoggedQuery, Moment, UnansweredGroup, moment
from nearsense.records import Hit, Results
from nearsense.store.querylog import Lines, LogFolder, Passing
from nearsense.text import as_texts
from nearsense.wording import normal_form

if TYPE_CHECKING:
    from nearsense._progress import Progress
    from nearsense.encoders import Encoder
    from nearsense.filters import Filter

log = logging.getLogger("nearsense")

HASHED = "hashed"
"""What is said for a log that keeps no query, only its keyed hash."""
ANSWERED = 0.5
"""From this probability on a hit answers, where the search says none."""
TOP = 10
"""Hits that are kept of each query."""
LONGEST = 2000
"""Characters that are kept of a query."""
LONGEST_NAME = 200
"""Characters of the nearest entry of a FAQ."""
MOST_FILTER = 4000
"""Characters of a filter; a longer one is not kept."""


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
        path: Path | Lines,
        *,
        hashed: bool = False,
        max_bytes: int | None = None,
        encoder: Callable[[], Encoder] | None = None,
        texts: Callable[[Sequence[str]], Mapping[str, str]] | None = None,
        named: bool = True,
    ) -> None:
        if max_bytes is None:
            from nearsense.settings import load_settings

            max_bytes = load_settings().log_mb * 1_000_000
        self.hashed, self._told = hashed, 0
        self._encoder, self._texts = encoder, texts  # of the collection
        self._named = named  # whether what a FAQ's entry asks may be kept; a document's text may not
        self._folder: Lines = LogFolder(path, max_bytes) if isinstance(path, Path) else path
        self._passing = Passing(self._folder, self._lines_of, _lost_line)

    def __reduce__(self) -> tuple[object, ...]:
        place = self.path if isinstance(self.path, Path) else self._folder
        return QueryLog._again, (place, self.hashed, self._folder.max_bytes, self._named)

    @staticmethod
    def _again(path: Path | Lines, hashed: bool, max_bytes: int, named: bool) -> QueryLog:
        return QueryLog(path, hashed=hashed, max_bytes=max_bytes, named=named)

    def __repr__(self) -> str:
        return f"QueryLog({str(self.path)!r}{', hashed' * self.hashed})"

    @property
    def path(self) -> Path | str:
        """Its folder; or the address of the collection in PostgreSQL that it lies in."""
        return self._folder.path

    @property
    def lost(self) -> int:
        """How many queries this handle could not log: the disk was full, or too many came at once."""
        return self._passing.lost

    @property
    def damaged(self) -> int:
        """How many lines the last reading left out: torn by a kill, or damaged."""
        return self._folder.damaged

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
                [(hit.id or hit.text or "", hit.score, hit.probability) for hit in islice(hits, TOP)],
                _answers(hits, least) if answered is None else answered[row],
                (hits[0].text or "")[:LONGEST_NAME] if asked.named and self._named and hits else None,
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
            StoreError: The log is closed.
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
        if text is not None:
            as_texts(text, "query")
        if self._passing.closed:
            raise StoreError(f"{self.path} is closed", fix="open it again: ns.querylog.open_log(path)")
        self._passing.put((time.time(), entry or text, id_))

    def flush(self) -> None:
        """Write what waits to be written; else that happens within a second."""
        self._passing.flush()

    def close(self) -> None:
        """Write what waits; nothing is logged afterwards. Reading goes on."""
        self._passing.close()
        self._folder.close()

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
        return self._within(_within(since, until), unanswered)

    def _within(self, within: Callable[[Mapping[str, Any]], bool], unanswered: bool) -> Iterator[LoggedQuery]:
        self.flush()
        chosen = self._choices()
        for record in self._records(b'"query":'):
            if "query" not in record or not within(record):
                continue
            entry = _entry(record)
            if not (unanswered and entry.answered):
                taken = chosen.get((entry.time, entry.digest))
                yield entry if taken is None else replace(entry, chosen=taken)
        if self.damaged > self._told:
            self._told = self.damaged
            lines = f"{self.damaged:,} lines are" if self.damaged > 1 else "a line is"
            why = "a process was killed while it wrote, or the disk is damaged"
            log.warning("%s: %s not what was written, and left out: %s", self.path, lines, why)

    def __iter__(self) -> Iterator[LoggedQuery]:
        return self.entries()

    def missing(self, since: Moment = None, until: Moment = None) -> int:
        """How many queries could not be logged then, by whatever process: the disk was full, or too many came."""
        within = _within(since, until)
        return sum(record["lost"] for record in self._records(b'"lost":') if "lost" in record and within(record))

    def _records(self, with_: bytes = b"") -> Iterator[dict[str, Any]]:
        """All lines, or those that hold some bytes: a name in quotation marks stands in no text, but as a name."""
        return (record for line in self._folder.lines() if with_ in line and (record := _parsed(line)))

    def _choices(self) -> dict[tuple[float, str], str]:
        """Which hit was taken, by the time and the digest of the entry that it was taken of."""
        told = [record for record in self._records(b'"chosen":') if "chosen" in record]
        asked: dict[str, list[tuple[float, Sequence[str]]]] = {
            each["digest"]: [] for each in told if "of" not in each
        }
        for record in self._records() if asked else ():
            if "query" in record and record["digest"] in asked:
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

    def unanswered(
        self,
        since: Moment = None,
        until: Moment = None,
        *,
        min_score: float = 0.5,
        encoder: Encoder | str | None = None,
        progress: Progress = False,
    ) -> list[UnansweredGroup]:
        """What people asked and got no answer to, grouped by meaning and named, the most asked first.

        A hashed log knows no words: nothing can be grouped by meaning or named there, only by the entry that was
        nearest. Likewise where vectors were asked.

        Args:
            since: As in `entries`.
            until: As in `entries`.
            min_score: What the queries of a group score with each other on average, at least; cosine similarity in
                [-1, 1]. Of more than 5,000 different queries groups are the dense regions instead.
            encoder: An Encoder or a model's name; without it the collection's own, or the default model.
            progress: True for a bar on stderr, or a function called with (done, total).

        Raises:
            InputError: A time is none, or `min_score` no cosine.

        Example:
            >>> import tempfile, nearsense as ns
            >>> with ns.open(tempfile.mkdtemp() + "/shop.nearsense", log=True) as shop:
            ...     added = shop.add(["We ship within two days.", "Send it back within 30 days."])
            ...     found = shop.search_many(["Do you sell gift cards?", "can I buy a gift card", "Sing!"])
            ...     for group in shop.log.unanswered():
            ...         print(group.count, [query for query, _ in group.queries])
            2 ['Do you sell gift cards?', 'can I buy a gift card']
            1 ['Sing!']
        """
        from nearsense.encoders import resolve
        from nearsense.querylog.groups import groups

        checks.score(min_score, such=0.5)
        asked = list(self.entries(since, until, unanswered=True))
        own = self._encoder if encoder is None else None
        found = groups(asked, min_score, own or (lambda: resolve(encoder)), progress)
        if self._texts is None:
            return found
        texts = self._texts(list({id_ for group in found for id_, _ in group.nearest}))
        return [replace(each, entry=texts.get(each.nearest[0][0]) if each.nearest else None) for each in found]

    def export(
        self, path: str | os.PathLike[str], since: Moment = None, until: Moment = None, unanswered: bool = False
    ) -> int:
        """Write entries into a file, one a row: jsonl, parquet, csv, tsv or json, by its extension.

        Times are ISO 8601, UTC; in all but jsonl and json a filter is its JSON. What was forgotten is not in it;
        what is forgotten later is: the file is a copy.

        Args:
            path: The file.
            since: As in `entries`.
            until: As in `entries`.
            unanswered: Only what got no answer.

        Returns:
            How many were written.

        Raises:
            FileError: The file cannot be written, or its extension is not known.
            InputError: A time is none, or the file would lie in the log's own folder.
        """
        from nearsense.files import write_table

        moment(since), moment(until)
        if Path(os.path.realpath(path)).parent == self.path:
            raise InputError(f"{path} would lie in the log itself", fix="write it elsewhere")
        plain = any(name in (".jsonl", ".json") for name in Path(path).suffixes)
        rows = (each.to_dict() for each in self.entries(since, until, unanswered))
        if not plain:
            rows = ({**row, "where": row["where"] and json.dumps(row["where"])} for row in rows)
        return write_table(path, rows, columns=LoggedQuery.__slots__)

    def forget(self, query: str) -> int:
        """Remove a query wherever it was asked: its lines are overwritten on the disk, not only left out.

        Args:
            query: Its text; in whatever case, and with whatever punctuation at the ends of its words.

        Returns:
            How often it was in the log.

        Raises:
            InputError: It is no text.
            StoreError: The log cannot be written.
        """
        as_texts(query, "query")
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
        where = None if asked.where is None else self._kept(asked.where)
        for row, (query, model, hits, answered, nearest) in enumerate(rows):
            kept = None if self.hashed or not query else query[:LONGEST] + "…" * (len(query) > LONGEST)
            digest = self.digest(query) if asked.vectors is None else self._hash(asked.vectors[row].tobytes())
            ids, scores, probabilities = map(list, zip(*hits, strict=True)) if hits else ([], [], [])
            record = {
                "time": when,
                "query": kept,
                "digest": digest,
                "mode": asked.mode,
                "where": where,
                "k": int(asked.k),
                "ids": ids,
                "scores": [round(float(each), 6) for each in scores],
                "probabilities": [None if each is None else round(float(each), 6) for each in probabilities],
                "answered": bool(answered),
                "latency": round(share, 6),
                "model": model,
            }
            yield _line(record if nearest is None else {**record, "nearest": nearest})

    def digest(self, query: str) -> str:
        """The keyed hash by which a query is known in this log: BLAKE2b of its normal form, 32 digits."""
        return self._hash(normal_form(query).encode())

    def _hash(self, content: bytes) -> str:
        from hashlib import blake2b  # here, as in text.py

        return blake2b(content, key=self._folder.key(), digest_size=16).hexdigest()

    def _kept(self, where: Filter) -> Any:
        """A filter as it is logged."""
        try:
            raw = as_where(where)
            if len(json.dumps(raw)) <= MOST_FILTER:
                return self._veiled(raw) if self.hashed else raw
        except ValueError:  # a number of thousands of digits
            pass
        return {"…": "too long to be kept"}

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
        path: A folder, made with the first query if it is missing; or a collection, a folder or an address, whose
            log is meant.
        hashed: Keep no query's text from now on, only its keyed hash.
        max_mb: How many megabytes it may have; the oldest queries go first. Without it the setting `log_mb`, 64.

    Raises:
        InputError: It would lie within a collection, or `max_mb` is below 1.
        StoreError: Something else lies there.

    Example:
        >>> import tempfile
        >>> list(open_log(tempfile.mkdtemp() + "/faq.queries"))
        []
    """
    from nearsense.store import collection_around, is_collection

    if max_mb is not None:
        checks.positive_int(max_mb, "max_mb")
    if isinstance(path, str) and is_url(path):
        return QueryLog(log_table(path, max_mb), hashed=hashed, named=False)
    folder = Path(path)
    if collection := is_collection(folder):
        folder = beside(folder)
    elif around := collection_around(folder):
        what = f"{folder} lies within the collection {around.name}, where nothing else may lie"
        raise InputError(what, fix=f"name the collection itself, {around}, or a folder elsewhere")
    most = None if max_mb is None else max_mb * 1_000_000
    made = QueryLog(folder, hashed=hashed, max_bytes=most, named=not collection)
    made._folder.require_mine()
    return made


def log_table(url: str, max_mb: int | None = None) -> Lines:
    """Where the log of a collection in PostgreSQL lies: in a table of its own, beside its documents."""
    from nearsense.settings import load_settings
    from nearsense.store.postgres_log import LogTable

    return LogTable(url, (load_settings().log_mb if max_mb is None else max_mb) * 1_000_000)


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


def _within(since: Moment, until: Moment) -> Callable[[Mapping[str, Any]], bool]:
    """Whether a record is of a span of time."""
    begin, end = moment(since), moment(until, end=True)
    return lambda record: (begin is None or record["time"] >= begin) and (end is None or record["time"] <= end)


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
        record.get("nearest"),
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
