"""Who does which job: workers are kept at work, replaced where they die or hang, jobs that end them left out."""

from __future__ import annotations

import time
import warnings
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from nearsense import errors
from nearsense._notes import tell
from nearsense.bulk.encoding import duration
from nearsense.bulk.pools import Pool
from nearsense.bulk.records import Answer, Job
from nearsense.errors import NearsenseError

STRIKES = 3
"""How many tries in a row, none of which came any further, may fail or end their worker."""

STILLBORN = 5
"""How many workers may die in a row before one of them is ready."""

TICK = 0.5
"""Seconds that answers are waited for at most."""

SILENT, TIMES = 600.0, 20
"""A worker hangs that answers nothing for ten minutes, as no disk is that slow, and for twenty times the longest
stretch of its step so far, as no machine is that busy."""

AGAIN = "mend that, and add --resume: what is done is kept"


@dataclass(slots=True)
class _Trial:
    """How far a job that is not done came, and how often it was tried in vain there."""

    rows: int = 0
    began: int = 0
    strikes: int = 0

    def strike(self) -> int:
        """A try ended: how many in a row did without coming any further.

        Workers are also ended by others, for whom no job is to blame: a try that came further does not count.
        """
        self.strikes = self.strikes + 1 if self.rows == self.began else 0
        self.began = self.rows
        return self.strikes


class Crew:
    """A number of workers and, once one has died, a spare one beside them that takes its place at once."""

    def __init__(self, pool: Pool, size: int) -> None:
        self._pool, self.size = pool, size
        self.busy: dict[int, Job] = {}
        self.trials: dict[str, _Trial] = {}
        self.processes: dict[int, int] = {}  # the process of each worker that is ready
        self.seen: set[int] = set()  # the processes of all workers that ever were
        self._idle: list[int] = []
        self._starting: set[int] = set()
        self._silent: dict[int, float] = {}  # for how long each that is at work has answered nothing
        self._longest: dict[str, float] = {}  # the longest stretch of each step
        self._alone = 0.0  # for how long none was at work
        self._stillborn = self._died = 0
        self._warned: set[str] = set()

    def do(
        self, jobs: Sequence[Job], update: Callable[[int], None] = lambda rows: None, *, strikes: int = STRIKES
    ) -> Iterator[tuple[Job, Answer]]:
        """Do all jobs; give each when it is "done", or "failed" and left out.

        `update` is told, now and then, how many rows are finished by now. A job is left out of which so
        many tries in a row were in vain.
        """
        waiting, done = deque(jobs), 0
        while waiting or self.busy:
            self._fill(len(waiting))
            while waiting and self._idle and len(self.busy) < self.size:
                self._call(self._idle.pop(), waiting.popleft())
            for worker, answer in self._answers():
                job, answer = self._heard(worker, answer)
                if job is None:
                    continue
                if answer.state == "failed" and self.trials[job.name].strike() < strikes:
                    waiting.appendleft(job)
                    continue
                self.trials.pop(job.name, None)
                done += job.rows
                yield job, answer
            update(done + sum(each.rows for each in self.trials.values()))

    def close(self) -> None:
        """End all workers at once."""
        self._pool.close()

    def _fill(self, waiting: int) -> None:
        wanted = min(self.size, waiting + len(self.busy)) + (self._died > 0 and waiting > 0)
        while len(self._idle) + len(self._starting) + len(self.busy) < wanted:
            self._starting.add(self._pool.start())

    def _call(self, worker: int, job: Job) -> None:
        self.trials.setdefault(job.name, _Trial())
        self.busy[worker], self._silent[worker] = job, 0.0
        self._pool.call(worker, job)

    def _answers(self) -> list[tuple[int, Answer | str]]:
        """What comes within a time; those that hang are ended.

        Only time that was waited counts, so that nobody is blamed after the machine slept.
        """
        began = time.monotonic()
        answers = self._pool.wait(TICK)
        waited = min(time.monotonic() - began, 2 * TICK)
        for worker in self.busy:
            self._silent[worker] += waited
        there = {worker for worker, _ in answers}
        for worker, job in self.busy.items():
            silent = self._silent[worker]
            if worker not in there and silent > max(SILENT, TIMES * self._longest.get(job.step, 0.0)):
                self._pool.end(worker)
                answers.append((worker, f"its worker answered nothing for {duration(silent)}, and was ended"))
        before, self._alone = self._alone, 0.0 if self.busy else self._alone + waited
        if before <= SILENT < self._alone:
            tell(f"no worker is ready after {duration(self._alone)}; they are still waited for")
        return answers

    def _heard(self, worker: int, answer: Answer | str) -> tuple[Job | None, Answer]:
        """The job that an answer ends, if any, "done" or "failed"."""
        if isinstance(answer, str):
            return self._lost(worker, answer), Answer("failed", why=answer)
        self._warn(answer)
        if answer.state == "failed" and answer.fatal:
            raise NearsenseError("a worker cannot go on", why=answer.why, fix=again(answer))
        if answer.state == "ready":
            self._starting.discard(worker)
            self._idle.append(worker)
            self._stillborn, self.processes[worker] = 0, answer.process
            self.seen.add(answer.process)
            return None, answer
        job, stretch = self.busy[worker], self._silent[worker]
        self._longest[job.step] = max(self._longest.get(job.step, 0.0), stretch)
        if answer.state == "going":
            trial = self.trials[job.name]
            trial.rows = max(trial.rows, answer.rows)
            self._call(worker, job)
            return None, answer
        del self.busy[worker]
        self._idle.append(worker)
        return job, answer

    def _lost(self, worker: int, why: str) -> Job | None:
        """A worker died; with what it was at."""
        self.processes.pop(worker, None)
        self._died += 1
        if worker in self._idle:
            self._idle.remove(worker)
        if worker in self._starting:
            self._starting.discard(worker)
            self._stillborn += 1
        if self._stillborn >= STILLBORN:
            fix = "give it more memory or fewer workers: --workers N; then add --resume"
            raise NearsenseError("workers end before they begin", why=why, fix=fix)
        return self.busy.pop(worker, None)

    def _warn(self, answer: Answer) -> None:
        """What was warned of, the first time of each kind."""
        for name, words in answer.warned:
            category = getattr(errors, name, None)
            if category is not None and name not in self._warned and issubclass(category, Warning):
                self._warned.add(name)
                warnings.warn(words, category, stacklevel=2)


def again(answer: Answer) -> str:
    """What to do about a job that failed, before it is gone on with."""
    return answer.fix if "--resume" in answer.fix else f"{answer.fix}; then add --resume" if answer.fix else AGAIN
