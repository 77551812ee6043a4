"""A worker: it does one job after the other, a stretch at a time, and says how far it is. Not how it is called."""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Callable
from dataclasses import replace
from errno import EDQUOT, ENOSPC, EROFS
from functools import cached_property
from importlib import import_module
from typing import TYPE_CHECKING, Any

from nearsense.bulk.places import Place, place_of, without_secrets
from nearsense.bulk.records import Answer, Job, Setup, Steps
from nearsense.errors import MissingExtra, ModelError

if TYPE_CHECKING:
    from nearsense.encoders import Encoder

Step = Callable[["Desk", Job], Steps]
"""Does a job: yields how many rows are finished, again and again, and returns what became of it."""

STEPS = {
    "time": "nearsense.bulk.encoding:time_shard",
    "encode": "nearsense.bulk.encoding:encode_shard",
    "count": "nearsense.bulk.encoding:count_part",
    "sample": "nearsense.bulk.encoding:sample_of_part",
    "keys": "nearsense.bulk.deduplicating:keys_of_part",
    "cells": "nearsense.bulk.mining:cells_of_part",
    "pairs": "nearsense.bulk.mining:pairs_of_cell",
    "recall": "nearsense.bulk.mining:true_pairs_of_part",
    "rows": "nearsense.bulk.deduplicating:rows_of_part",
    "split": "nearsense.bulk.deduplicating:split_part",
    "sums": "nearsense.bulk.clustering:sums_of_part",
    "labels": "nearsense.bulk.clustering:labels_of_part",
}
"""What workers can do, by name."""

_EVERY = {ENOSPC, EDQUOT, EROFS}


class Desk:
    """Where a worker works: its model, its place to write, the job that it is at."""

    def __init__(self, setup: Setup) -> None:
        self.setup = setup
        self._job: Job | None = None
        self._going: Steps | None = None
        self.kept: dict[str, Any] = {}  # what jobs of one step share

    @cached_property
    def output(self) -> Place:
        """Where results go."""
        return place_of(self.setup.output)

    @cached_property
    def encoder(self) -> Encoder:
        """The model, the very one that the driver has."""
        from nearsense.encoders import load
        from nearsense.errors import ModelMismatch

        assert self.setup.model is not None
        loaded = load(**self.setup.model | {"threads": self.setup.threads})
        if loaded.fingerprint != self.setup.fingerprint:
            what = f"{loaded.name} is another model on this machine"
            raise ModelMismatch(what, why="its vectors would not compare", fix="copy the model's folder there")
        return loaded

    def ready(self) -> Answer:
        """Load what is needed before the first job."""
        try:
            if self.setup.model is not None:
                self.encoder.encode(["ready"])  # what is made at the first call is made now
        except Exception as error:
            return replace(_failed(error), fatal=True)
        return Answer("ready", process=os.getpid())

    def go_on(self, job: Job) -> Answer:
        """The next stretch of a job; of another than before, its first."""
        if job != self._job or self._going is None:
            self._job, self._going = job, _step(job.step)(self, job)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            try:
                rows, result, state = next(self._going), None, "going"
            except StopIteration as end:
                rows, result, state = job.rows, end.value, "done"
            except Exception as error:
                self._going = None
                return _failed(error)
        if state == "done":
            self._going = None
        warned = tuple({each.category.__name__: str(each.message) for each in caught}.items())
        return Answer(state, rows, result, warned=warned, process=os.getpid())


def _step(name: str) -> Step:
    module, _, function = STEPS[name].partition(":")
    found: Step = getattr(import_module(module), function)
    return found


def _failed(error: Exception) -> Answer:
    what = str(getattr(error, "what", "")) or f"{type(error).__name__}: {error}"
    why = str(getattr(error, "why", ""))
    said = without_secrets(" ".join(f"{what}{f' ({why})' if why else ''}".split()))[:400]
    fix = str(getattr(error, "fix", ""))
    return Answer("failed", why=said, fix=fix, fatal=_is_fatal(error), process=os.getpid())


def _is_fatal(error: BaseException | None) -> bool:
    """Whether every other job would fail too."""
    while error is not None:
        if isinstance(error, (ModelError, MissingExtra, MemoryError)) or getattr(error, "errno", None) in _EVERY:
            return not isinstance(error, MemoryError)
        error = error.__cause__
    return False


def serve(pipe: Any, setup: Setup) -> None:
    """What the process of a worker runs: answers to jobs that come through a pipe, until that is closed."""
    import signal

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the driver, who ends its workers
    limit_threads(setup.threads)
    desk = Desk(setup)
    try:
        pipe.send(desk.ready())
        while True:
            pipe.send(desk.go_on(pipe.recv()))
    except (EOFError, BrokenPipeError, ConnectionResetError):
        sys.exit(0)  # the driver is gone


def limit_threads(count: int) -> None:
    """Keep the libraries that multiply to so many cores; before they are loaded."""
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NEARSENSE_THREADS"):
        os.environ[name] = str(count)
