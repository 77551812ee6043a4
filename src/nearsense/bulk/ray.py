"""Workers as actors of Ray, on the machines of a cluster: as in pools.py. The one file that knows Ray."""

from __future__ import annotations

import logging
import os
import socket
from contextlib import suppress
from dataclasses import replace
from typing import Any

from nearsense._machine import cores
from nearsense._optional import require
from nearsense.bulk.records import Answer, Job, Setup
from nearsense.errors import InputError

AUTO = "auto"
"""The cluster that this machine is part of; without one, Ray is started here for this run."""

REACHED = 10.0
"""Seconds in which the machine of a cluster has to answer at all."""

_FIX = "check that `ray status` finds it; --ray auto starts Ray on this machine"

_MEMORY = 128 << 20  # bytes of Ray's own store, through which no vector goes

_NEWS = "A worker died or was killed"
"""What Ray prints of each actor that dies, on standard output, where results belong, and with `log_to_driver` off
too: its raylet reports such errors by another way, which heeds only the expression of lines that are skipped."""


def connect(address: str, setup: Setup, workers: int | None) -> tuple[Actors, int]:
    """Connect to a cluster, and make ready to start actors there: one a core where nobody says how many.

    Raises:
        MissingExtra: Ray is not installed.
        InputError: There is no cluster at the address.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing is reported to anybody
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    os.environ.setdefault("RAY_worker_niceness", "0")  # where Ray is started here: as the processes of pools.py
    os.environ.setdefault("RAY_DEDUP_LOGS_SKIP_REGEX", _NEWS)  # read when Ray is imported
    ray: Any = require("ray", extra="ray", purpose="work on many machines")
    _require_there(address)
    quiet: dict[str, Any] = {
        "log_to_driver": False,
        "logging_level": logging.CRITICAL,
        "ignore_reinit_error": True,
    }
    ours = False
    try:
        ray.init(address=address, **quiet)
    except (ConnectionError, ValueError) as error:
        if address != AUTO:
            why = " ".join(str(error).split())[:200]
            raise InputError(f"there is no Ray cluster at {address}", why=why, fix=_FIX) from None
        local = {"include_dashboard": False, "object_store_memory": _MEMORY, "_node_ip_address": "127.0.0.1"}
        ray.init(address="local", num_cpus=cores(), **local, **quiet)
        ours = True
    there = max(1, int(ray.cluster_resources().get("CPU", 1)))
    size = there if workers is None else max(1, workers)
    return Actors(ray, replace(setup, threads=max(1, there // size)), ours=ours), size


def _require_there(address: str) -> None:
    """Refuse an address at which nobody listens: Ray itself asks there for minutes, and prints all the while."""
    host, _, port = address.rpartition("//")[2].rpartition(":")
    if port.isdigit():
        try:
            socket.create_connection((host.strip("[]"), int(port)), REACHED).close()
        except (OSError, OverflowError) as error:
            why = f"nobody answers ({getattr(error, 'strerror', None) or error})"
            raise InputError(f"there is no Ray cluster at {address}", why=why, fix=_FIX) from None


class Actors:
    """Actors, which Ray places where cores are free; those that die are not started again by Ray, but here."""

    def __init__(self, ray: Any, setup: Setup, *, ours: bool) -> None:
        self.threads = setup.threads
        self._ray, self._setup, self._ours = ray, setup, ours
        self._spread = len([each for each in ray.nodes() if each["Alive"]]) > 1
        self._class = ray.remote(max_restarts=0, max_task_retries=0)(_Worker)
        self._actors: dict[int, Any] = {}
        self._asked: dict[Any, int] = {}
        self._next = 0

    def start(self) -> int:
        """See `Pool`. On one machine a spare one may stand beside the others; else it takes free cores."""
        self._next += 1
        threads = self._setup.threads
        options: dict[str, Any] = {"num_cpus": 0}
        if self._spread:
            options = {"num_cpus": threads, "scheduling_strategy": "SPREAD"}
        actor = self._class.options(**options).remote(self._setup)
        self._actors[self._next] = actor
        self._asked[actor.ready.remote()] = self._next
        return self._next

    def call(self, worker: int, job: Job) -> None:
        """See `Pool`."""
        self._asked[self._actors[worker].go_on.remote(job)] = worker

    def wait(self, seconds: float) -> list[tuple[int, Answer | str]]:
        """See `Pool`."""
        if not self._asked:
            return []
        there, _ = self._ray.wait(list(self._asked), num_returns=1, timeout=seconds)
        if there:
            there, _ = self._ray.wait(list(self._asked), num_returns=len(self._asked), timeout=0)
        found: list[tuple[int, Answer | str]] = []
        for reference in there:
            number = self._asked.pop(reference)
            try:
                found.append((number, self._ray.get(reference)))
            except self._ray.exceptions.RayError as error:
                self._actors.pop(number, None)
                found.append((number, f"its worker died ({type(error).__name__})"))
        return found

    def end(self, worker: int) -> None:
        """See `Pool`."""
        with suppress(Exception):  # it is gone already
            self._ray.kill(self._actors.pop(worker))
        self._asked = {reference: number for reference, number in self._asked.items() if number != worker}

    def close(self) -> None:
        """See `Pool`."""
        for actor in self._actors.values():
            with suppress(Exception):
                self._ray.kill(actor)
        self._actors.clear()
        self._asked.clear()
        if self._ours:
            self._ray.shutdown()


class _Worker:
    """What an actor is."""

    def __init__(self, setup: Setup) -> None:
        from nearsense.bulk.work import Desk, limit_threads

        limit_threads(setup.threads)
        self._desk = Desk(setup)

    def ready(self) -> Answer:
        """Be there, with the model."""
        return self._desk.ready()

    def go_on(self, job: Job) -> Answer:
        """The next stretch of a job."""
        return self._desk.go_on(job)
