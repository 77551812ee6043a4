"""How bench_search.py times: the same for nearsense and its peers. Standard library and numpy only."""

from __future__ import annotations

import contextlib
import json
import os
import resource
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

WARM, LEAST, ROUNDS, BATCH = 5, 10, 3, 256
SECONDS = 5.0
"""What one kind of question may take, all rounds together; at least LEAST are asked."""


class Report(dict):
    """Figures, on the disk as soon as they are known: what is killed leaves what it had."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path

    def note(self, **figures: Any) -> None:
        self.update(figures, peak_memory_mb=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
        draft = self._path.with_suffix(".draft")
        draft.write_text(json.dumps(self))
        draft.replace(self._path)

    @contextlib.contextmanager
    def timed(self, name: str) -> Iterator[None]:
        start = time.perf_counter()
        yield
        self.note(**{name: time.perf_counter() - start})


def latency(ask: Callable[[Any], object], queries: Sequence[Any], seconds: float = SECONDS) -> dict[str, float]:
    """p50 and p95 of one query after the other, in milliseconds: medians of up to three rounds."""
    for query in queries[:WARM]:
        ask(query)
    rounds: list[list[float]] = []
    began = time.perf_counter()
    while len(rounds) < ROUNDS and (not rounds or time.perf_counter() - began < seconds * len(rounds) / ROUNDS):
        taken: list[float] = []
        for query in queries:
            start = time.perf_counter()
            ask(query)
            taken.append(time.perf_counter() - start)
            if len(taken) >= LEAST and time.perf_counter() - began > seconds:
                break
        if not rounds or len(taken) == len(queries):
            rounds.append(taken)
    p50, p95 = (
        statistics.median(float(np.percentile(taken, share)) * 1000 for taken in rounds) for share in (50, 95)
    )
    return {"p50_ms": p50, "p95_ms": p95, "queries": len(rounds[0]), "rounds": len(rounds)}


def throughput(ask: Callable[[Any], object], queries: Sequence[Any], one_ms: float) -> dict[str, float]:
    """Queries a second when they are asked together: 256, or fewer where one by one they would take 15 s."""
    size = max(8, min(BATCH, len(queries), int(15_000 / one_ms)))
    taken: list[float] = []
    while len(taken) < ROUNDS and sum(taken) < SECONDS:
        start = time.perf_counter()
        ask(queries[:size])
        taken.append(time.perf_counter() - start)
    return {"queries_per_second": size / statistics.median(taken), "batch": size, "rounds": len(taken)}


def commit_ms(folder: Path) -> float:
    """What the disk takes for one durable write of 4 KiB: the floor under everything that is durable."""
    taken, path = [], folder / "commit"
    with path.open("wb", buffering=0) as file:
        for _ in range(30):
            start = time.perf_counter()
            file.write(bytes(4096))
            os.fsync(file.fileno())
            taken.append(time.perf_counter() - start)
    path.unlink()
    return statistics.median(taken) * 1000
