"""What a query log costs: an answer with and without it, in turns; how fast it is written, read and cleaned.

    python benchmarks/bench_log.py [--documents 2000] [--questions 4000]

Bar: it adds less than 0.3 ms to an answer, p95. The pairs are the same question to one collection through two
handles, one of which logs, whose turn is first by chance; the log's own thread writes meanwhile, as always. On a
machine that does something else, the clock says more of that than of the log: there go by the processor's time.
"""

from __future__ import annotations

import argparse
import random
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
from machine import processor

import nearsense as ns
from nearsense.querylog import Asked, QueryLog
from nearsense.records import Hit, Origin, Results

WORDS = [
    "parcel",
    "refund",
    "login",
    "screen",
    "invoice",
    "password",
    "gift",
    "card",
    "shipping",
    "return",
    "order",
    "late",
    "broken",
    "blue",
    "error",
    "account",
    "dashboard",
    "export",
    "payment",
    "address",
    "warranty",
    "price",
    "discount",
    "update",
    "printer",
    "window",
    "battery",
    "cable",
    "manual",
    "shop",
]


def sentence(chance: random.Random, length: int = 8) -> str:
    return " ".join(chance.choices(WORDS, k=length))


def hits_for(query: str) -> Results[Hit]:
    """Ten hits as a search gives them."""
    hits = [Hit(n, f"document-{n}", 0.5, 0.4, "a text") for n in range(10)]
    return Results(hits, Origin("model", "f" * 64), query)


def timed(action) -> float:
    begin = time.perf_counter()
    action()
    return 1000 * (time.perf_counter() - begin)


def paired(place: Path, documents: int, questions: int, mode: str) -> tuple[np.ndarray, np.ndarray]:
    """Milliseconds of q questions, shape (2, 2, q): without a log, with one; by the clock, of the processor.

    Beside it those that the log itself took of each logged question, (q,), by the clock.
    """
    chance, spent = random.Random(0), []
    taken = np.empty((questions, 2, 2))
    with ns.open(place / "c", log=False) as without, ns.open(place / "c", log=True) as logged:
        if not len(without):
            without.add(list({sentence(chance, 12) for _ in range(documents)}))
            without.build()
        for handle in (without, logged):
            for _ in range(50):
                handle.search(sentence(chance), mode=mode, calibration="none")
        record = logged.log.record

        def watched(*what) -> None:
            begin = time.perf_counter()
            record(*what)
            spent.append(1000 * (time.perf_counter() - begin))

        logged.log.record = watched
        for row in range(questions):
            question = sentence(chance)
            order = [(0, without), (1, logged)]
            chance.shuffle(order)
            for column, handle in order:
                begin, used = time.perf_counter(), time.thread_time()
                handle.search(question, mode=mode, calibration="none")
                taken[row, column] = time.perf_counter() - begin, time.thread_time() - used
    return 1000 * taken.T.swapaxes(0, 1), np.array(spent)


def alone(place: Path, calls: int) -> np.ndarray:
    """Milliseconds of each `record` alone, ten hits each, eight threads at once."""
    log = QueryLog(place / "alone.queries", max_bytes=64_000_000)
    hits = hits_for("a query")
    taken: list[float] = []

    def some() -> None:
        own = [timed(lambda: log.record(Asked.now("dense", 10), [hits])) for _ in range(calls // 8)]
        taken.extend(own)

    threads = [threading.Thread(target=some) for _ in range(8)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    log.close()
    return np.array(taken)


def kept(place: Path, entries: int) -> None:
    """How many entries a log of 64 MB holds, how fast they are written, read, grouped and forgotten."""
    log = QueryLog(place / "kept.queries", max_bytes=64_000_000)
    chance = random.Random(1)
    begin = time.perf_counter()
    for _ in range(0, entries, 1000):
        found = [hits_for(sentence(chance)) for _ in range(1000)]
        log.record(Asked.now("dense", 10), found)
        log.flush()
    wrote = time.perf_counter() - begin
    begin = time.perf_counter()
    held = sum(1 for _ in log)
    read = time.perf_counter() - begin
    query = next(iter(log)).query
    forgot = timed(lambda: log.forget(query)) / 1000
    size = log._folder.size() / 1e6
    print(f"written {entries:,} in {wrote:.1f} s ({1e6 * wrote / entries:.0f} us each), lost {log.lost:,}")
    print(f"held {held:,} in {size:.1f} MB ({1e6 * size / held:.0f} bytes each)")
    print(f"read in {read:.1f} s; one forgotten in {forgot:.1f} s")


def quantiles(values: np.ndarray) -> str:
    shown = (("p50", 0.5), ("p95", 0.95), ("p99", 0.99))
    return "  ".join(f"{name} {np.quantile(values, q):8.4f}" for name, q in shown)


def added(without: np.ndarray, logged: np.ndarray) -> str:
    """By how much the log moves the p95, with an interval by resampling pairs; and the median of the pairs."""
    rows = np.random.default_rng(0).integers(0, len(logged), (2000, len(logged)))
    moved = np.quantile(logged[rows], 0.95, axis=1) - np.quantile(without[rows], 0.95, axis=1)
    low, high = np.quantile(moved, (0.025, 0.975))
    p95 = np.quantile(logged, 0.95) - np.quantile(without, 0.95)
    return (
        f"p95 {p95:+.4f} ms ({low:+.4f} to {high:+.4f}); median of the pairs {np.median(logged - without):+.4f} ms"
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="What a query log costs.")
    parser.add_argument("--documents", type=int, default=2000)
    parser.add_argument("--questions", type=int, default=4000)
    parser.add_argument("--entries", type=int, default=200_000)
    given = parser.parse_args()
    print(processor())
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        for mode in ("dense", "lexical"):
            taken, spent = paired(place, given.documents, given.questions, mode)
            print(f"{mode}: what the log took of an answer, ms   {quantiles(spent)} (bar: p95 < 0.3)")
            for clock, (without, logged) in zip(("clock", "processor"), taken.swapaxes(0, 1), strict=True):
                print(f"{mode}, {clock}: an answer without a log, ms   {quantiles(without)}")
                print(f"{mode}, {clock}: an answer with a log, ms      {quantiles(logged)}")
                print(f"{mode}, {clock}: added: {added(without, logged)} (bar: p95 < 0.3)")
        own = alone(place, 16_000)
        print(f"what the asking thread does for it, 8 at once, ms   {quantiles(own)} (bar: p95 < 0.3)")
        kept(place, given.entries)
