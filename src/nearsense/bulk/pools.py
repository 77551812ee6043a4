"""Workers as processes of this machine, or none: started, called, waited for, ended. Not what is done next."""

from __future__ import annotations

import multiprocessing
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from typing import Any, Protocol

from nearsense.bulk.records import Answer, Job, Setup
from nearsense.bulk.work import Desk, serve


class Pool(Protocol):
    """Workers, wherever they run. Each has a number, and does one thing at a time."""

    threads: int
    """Cores of each."""

    def start(self) -> int:
        """Begin to start a worker; it answers once, "ready" or "failed"."""
        ...  # pragma: no cover

    def call(self, worker: int, job: Job) -> None:
        """Have a worker go on with a job; it answers once."""
        ...  # pragma: no cover

    def wait(self, seconds: float) -> list[tuple[int, Answer | str]]:
        """The answers that are there, or come within a time; of a worker that died, how, in words."""
        ...  # pragma: no cover

    def end(self, worker: int) -> None:
        """End a worker at once, and hear no more of it."""
        ...  # pragma: no cover

    def close(self) -> None:
        """End all workers at once."""
        ...  # pragma: no cover


@dataclass(frozen=True, slots=True, eq=False)
class _Process:
    process: Any
    pipe: Connection


class Processes:
    """Processes of this machine, each started anew (spawned), each with a pipe."""

    def __init__(self, setup: Setup) -> None:
        self.threads = setup.threads
        self._setup, self._context = setup, multiprocessing.get_context("spawn")
        self._workers: dict[int, _Process] = {}
        self._next = 0

    def start(self) -> int:
        """See `Pool`."""
        ours, theirs = self._context.Pipe()
        process = self._context.Process(target=serve, args=(theirs, self._setup), daemon=True)
        process.start()
        theirs.close()
        self._next += 1
        self._workers[self._next] = _Process(process, ours)
        return self._next

    def call(self, worker: int, job: Job) -> None:
        """See `Pool`."""
        with suppress(OSError):  # it died: `wait` says so
            self._workers[worker].pipe.send(job)

    def wait(self, seconds: float) -> list[tuple[int, Answer | str]]:
        """See `Pool`."""
        pipes: dict[Any, int] = {each.pipe: number for number, each in self._workers.items()}
        found: list[tuple[int, Answer | str]] = []
        for pipe in wait(list(pipes), seconds):
            number = pipes[pipe]
            try:
                found.append((number, self._workers[number].pipe.recv()))
            except (EOFError, OSError):
                found.append((number, self._ended(number)))
        return found

    def end(self, worker: int) -> None:
        """See `Pool`."""
        self._workers[worker].process.kill()
        self._ended(worker)

    def _ended(self, number: int) -> str:
        """Let go of a worker that died, and say how."""
        each = self._workers.pop(number)
        each.pipe.close()
        each.process.join(5)
        code = each.process.exitcode
        with suppress(ValueError):  # it is killed, and waits for a disk before it goes
            each.process.close()
        return f"its worker was ended by signal {-code}" if code and code < 0 else f"its worker left with {code}"

    def close(self) -> None:
        """See `Pool`."""
        for each in self._workers.values():
            each.process.kill()
        for each in self._workers.values():
            each.process.join(5)
            each.pipe.close()
        self._workers.clear()


class Here:
    """No worker but the driver itself: one job after the other, with all cores, and nobody to replace."""

    def __init__(self, setup: Setup) -> None:
        self.threads = setup.threads
        self._desk, self._answers = Desk(setup), list[tuple[int, Answer | str]]()

    def start(self) -> int:
        """See `Pool`."""
        self._answers.append((1, self._desk.ready()))
        return 1

    def call(self, worker: int, job: Job) -> None:
        """See `Pool`."""
        self._answers.append((worker, self._desk.go_on(job)))

    def wait(self, seconds: float) -> list[tuple[int, Answer | str]]:
        """See `Pool`."""
        answers, self._answers = self._answers, []
        return answers

    def end(self, worker: int) -> None:
        """See `Pool`. It never comes to that: whoever would wait is at work itself."""

    def close(self) -> None:
        """See `Pool`."""
