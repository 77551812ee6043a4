"""Work that goes on while nobody waits for it: how far it is, what came of it, how it is ended. Not what it does.

Jobs live in the memory of the server. What they wrote is in the collections, batch by batch; that survives.
"""

from __future__ import annotations

import logging
import math
import secrets
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from nearsense.errors import NearsenseError
from nearsense.querylog import iso
from nearsense.server.errors import as_refused, overloaded
from nearsense.server.work import CURRENT, Work

log = logging.getLogger("nearsense")

WORKERS = 2
"""Jobs that run at once: encoding is bounded by the processor, and requests want it, too."""
WAITING = 16
"""Jobs that may wait for their turn."""
REMEMBERED = 100
"""Jobs that have ended and are remembered; the oldest is forgotten first."""
PATIENCE = 30.0
"""Seconds that closing waits for the batch that a job is writing."""
RETRY = 5.0
"""Seconds after which who found no room may ask again."""

Advance = Callable[[int, int], None]
"""Told (done, total) by what a job does; raises Cancelled where it is to end."""
Doing = Callable[[Advance], dict[str, Any]]
"""What a job does; returns its result as JSON values."""


class Cancelled(Exception):
    """A job was asked to end; what it wrote before is kept."""


class State(StrEnum):
    """Where a job stands."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


GONE = "client_left"
"""The code of the error by which what is waited for in the middle of a batch ends, where nobody waits any more."""
ENDED = (State.DONE, State.FAILED, State.CANCELLED)


@dataclass(slots=True, eq=False)
class Job:
    """A piece of work, and how it stands. Read by `to_dict`; only `Jobs` changes it.

    Args:
        kind: What it does: "add", "sync", "calibrate", ...
        target: The collection that it is about, if any: one job at a time works on each.
        total: Units of work; 0 where that is not known yet.
        unit: What is counted: "documents".
    """

    kind: str
    target: str | None
    total: int
    unit: str
    id: str = field(default_factory=lambda: secrets.token_hex(8))
    state: State = State.WAITING
    done: int = 0
    created: float = field(default_factory=time.time)
    started: float | None = None
    ended: float | None = None
    result: dict[str, Any] | None = None
    error: NearsenseError | None = None
    work: Work = field(default_factory=lambda: Work(math.inf, patient=True))
    doing: Doing | None = None

    @property
    def has_ended(self) -> bool:
        """Whether nothing will change any more."""
        return self.state in ENDED

    def seconds_left(self) -> float | None:
        """How long it will take at the rate so far; None where that cannot be told."""
        if self.state is not State.RUNNING or not self.done or not self.total or self.started is None:
            return None
        passed = time.time() - self.started
        return round(max(self.total - self.done, 0) * passed / self.done, 1)

    def to_dict(self) -> dict[str, Any]:
        """As JSON values; times as ISO 8601, UTC.

        `done` counts what is durable: it stays whatever becomes of the job.
        """
        return {
            "id": self.id,
            "kind": self.kind,
            "collection": self.target,
            "state": self.state.value,
            "cancelling": self.work.left and not self.has_ended,
            "done": self.done,
            "total": self.total,
            "unit": self.unit,
            "seconds_left": self.seconds_left(),
            "created": iso(self.created),
            "started": None if self.started is None else iso(self.started),
            "ended": None if self.ended is None else iso(self.ended),
            "result": self.result,
            "warnings": list(self.work.warnings),
            "error": None if self.error is None else as_refused(self.error).to_dict()["error"],
        }


class Jobs:
    """The jobs of a server: some run, others wait, those that ended are remembered for a while. Thread-safe.

    Example:
        >>> jobs = Jobs()
        >>> job = jobs.submit("count", lambda advance: advance(3, 3) or {"counted": 3}, total=3)
        >>> jobs.wait(job, 10).state.value, job.result
        ('done', {'counted': 3})
        >>> jobs.close()
    """

    def __init__(self, workers: int = WORKERS, waiting: int = WAITING, remembered: int = REMEMBERED) -> None:
        self._workers, self._most, self._remembered = workers, waiting, remembered
        self._changed = threading.Condition()
        self._waiting: deque[Job] = deque()
        self._running: list[Job] = []
        self._ended: deque[Job] = deque()
        self._threads: list[threading.Thread] = []
        self._closed = False

    def submit(
        self, kind: str, doing: Doing, *, target: str | None = None, total: int = 0, unit: str = "documents"
    ) -> Job:
        """Have something done; it is given a function to say how far it is.

        Raises:
            Refused: As many wait as may, or the server is being closed.
        """
        job = Job(kind, target, total, unit, doing=doing)
        with self._changed:
            if self._closed or len(self._waiting) >= self._most:
                raise overloaded(f"{len(self._waiting)} jobs wait, and that is all there is room for", RETRY)
            self._waiting.append(job)
            if len(self._threads) < self._workers:
                thread = threading.Thread(target=self._serve, name="nearsense-job", daemon=True)
                self._threads.append(thread)
                thread.start()
            self._changed.notify_all()
        return job

    def __getitem__(self, id: str) -> Job:  # noqa: A002 - a job's name
        """The job of an id; KeyError where there is none, or no longer."""
        with self._changed:
            for job in (*self._running, *self._waiting, *self._ended):
                if job.id == id:
                    return job
        raise KeyError(id)

    def __len__(self) -> int:
        """How many are running or waiting."""
        return len(self._running) + len(self._waiting)

    def all(self) -> list[Job]:
        """All that are known, the newest first."""
        with self._changed:
            every = [*self._running, *self._waiting, *self._ended]
        return sorted(every, key=lambda job: job.created, reverse=True)

    def cancel(self, job: Job) -> None:
        """Ask a job to end: at once where it waits, else after the batch that it is writing."""
        with self._changed:
            job.work.leave()
            if job in self._waiting:
                self._waiting.remove(job)
                self._end(job, State.CANCELLED)

    def wait(self, job: Job, seconds: float) -> Job:
        """Wait until a job has ended, so many seconds at most."""
        with self._changed:
            self._changed.wait_for(lambda: job.has_ended, seconds)
        return job

    def close(self, patience: float = PATIENCE) -> None:
        """Take no more, end those that wait, let those that run end after their batch."""
        with self._changed:
            self._closed = True
            waiting, running = list(self._waiting), list(self._running)
            self._changed.notify_all()
        for job in (*waiting, *running):
            self.cancel(job)
        until = time.monotonic() + patience
        for thread in self._threads:
            thread.join(max(0.0, until - time.monotonic()))

    # -- the threads that work

    def _serve(self) -> None:
        while (job := self._next()) is not None:
            state: State = State.DONE
            error: NearsenseError | None = None
            try:
                job.result = self._do(job)
            except Cancelled:
                state = State.CANCELLED
            except Exception as told:
                error = as_refused(told)
                state = State.CANCELLED if error.code == GONE and job.work.left else State.FAILED
                if not isinstance(told, NearsenseError):
                    log.exception("job %s (%s) failed", job.id, job.kind)
            with self._changed:
                self._running.remove(job)
                job.error = error if state is State.FAILED else None
                self._end(job, state)

    def _next(self) -> Job | None:
        """The first that waits for nobody else, which is running from now on; None when all is over."""
        with self._changed:
            while True:
                busy = {job.target for job in self._running if job.target is not None}
                job = next((each for each in self._waiting if each.target not in busy), None)
                if job is not None:
                    self._waiting.remove(job)
                    self._running.append(job)
                    job.state, job.started = State.RUNNING, time.time()
                    self._changed.notify_all()
                    return job
                if self._closed:
                    return None
                self._changed.wait()

    def _do(self, job: Job) -> dict[str, Any]:
        def advance(done: int, total: int) -> None:
            job.done, job.total = done, total
            if job.work.left and done < total:
                raise Cancelled

        assert job.doing is not None
        if job.work.left:
            raise Cancelled
        CURRENT.set(job.work)
        return job.doing(advance)

    def _end(self, job: Job, state: State) -> None:
        job.doing = None  # with all that it holds
        job.state, job.ended = state, time.time()
        self._ended.append(job)
        while len(self._ended) > self._remembered:
            self._ended.popleft()
        self._changed.notify_all()
