"""Drift: how often it speaks falsely, what it finds, and how long it takes, beside what is asked of it.

    NEARSENSE_DATA=... python benchmarks/bench_drift.py [--parts splits,months,power,watch,kernel,copies,time]
                                           [--runs 40] [--months 200] [--json benchmarks/results/drift.json]

splits   200 random pairs of samples of headlines, 500 texts each: how many alarm. Bar: 5 % at most.
months   30 daily checks of 25 headlines against 100 that stay the same, by a watch: how many months alarm, and
         how many would without the rule, by the day's level alone. Bar: 5 % at most.
power    5 % of banking77's questions in clinc150's requests, of all 77 intents and of one, as they are and written
         as the requests are (small letters, no punctuation): how often it is found, and whether what was put in is
         among the topics that are told (most of a topic's current texts). Bar: 0.9.
watch    the same in a watch, one intent from day 11 on: on which day after that it alarms.
kernel   MMD alone: the whole kernel beside what is seen through landmarks, and random features (Rahimi and Recht).
copies   one text 500 times among 1,000: alarms with copies counted once and each.
time     10,000 against 10,000 texts, vectors given, and with encoding: seconds, and seconds of processors, which
         other work on the machine does not change. Bar: 10 s.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path

import numpy as np
from fit_faq import rows
from machine import SETS, machine, require_data

import nearsense as ns
from nearsense.cached import cached
from nearsense.monitoring.twosample import MMD, WIDTH, relabelled
from nearsense.records import Vectors

PARTS = ("splits", "months", "power", "watch", "kernel", "copies", "time")
SHARE, DAY = 0.05, 86_400.0


class Texts:
    """Texts with their vectors, encoded once."""

    def __init__(self, texts: list[str], labels: list[str] | None = None) -> None:
        self.texts, self.labels = texts, np.array(labels if labels is not None else [""] * len(texts))
        self.vectors = cached(ns.load()).encode(texts, role="query", progress=True)

    def __len__(self) -> int:
        return len(self.texts)

    def part(self, at: np.ndarray) -> tuple[list[str], Vectors]:
        return [self.texts[row] for row in at.tolist()], self.vectors.take(at.tolist())


def together(*parts: tuple[list[str], Vectors]) -> tuple[list[str], Vectors]:
    texts = [text for some, _ in parts for text in some]
    data = np.concatenate([each.data for _, each in parts])
    first = parts[0][1]
    return texts, Vectors(data, first.fingerprint, np.zeros(len(data), np.bool_), first.model)


def compared(now: tuple[list[str], Vectors], before: tuple[list[str], Vectors], **how: object) -> ns.types.Drift:
    return ns.drift(now[0], before[0], vectors=now[1], reference_vectors=before[1], **how)


def plainly(text: str) -> str:
    """As clinc150 writes: small letters, no punctuation but apostrophes."""
    return " ".join("".join(c if c.isalnum() or c in " '" else " " for c in text.lower()).split())


def splits(runs: int) -> dict:
    pool, random = Texts([row["text"] for row in rows("headlines/abc-2003")]), np.random.default_rng(0)
    alarms, p = 0, []
    for _ in range(runs):
        drawn = random.permutation(len(pool))[:1000]
        found = compared(pool.part(drawn[:500]), pool.part(drawn[500:]))
        alarms += found.drifted
        p.append(found.p)
    return {"splits": runs, "alarms": alarms, "p below 0.05": float(np.mean(np.array(p) <= 0.05)), "bar": "5 %"}


def months(count: int, first: int = 0) -> dict:
    pool = Texts([row["text"] for row in rows("headlines/abc-2003")])
    alarms, plain, checks = 0, 0, 0
    for month in range(first, first + count):
        drawn = np.random.default_rng([1, month]).permutation(len(pool))
        before = pool.part(drawn[:100])
        least, spoke = 1.0, False
        with tempfile.TemporaryDirectory() as folder:
            for day in range(30):
                now = pool.part(drawn[100 + 25 * day : 125 + 25 * day])
                check = compared(now, before, watch=Path(folder, "w"), at=1.7e9 + day * DAY).check
                least, spoke = min(least, check.p), spoke or check.alarm
                checks += 1
        alarms, plain = alarms + spoke, plain + (least <= 0.02)
    return {
        "months": count,
        "first": first,
        "checks": checks,
        "alarm": alarms,
        "without the rule": plain,
        "bar": "5 %",
    }


def injected(traffic: Texts, strange: Texts, n: int, intents: str, random: np.random.Generator) -> tuple:
    drawn, put = random.permutation(len(traffic)), round(SHARE * n)
    if intents == "all":
        which = random.choice(len(strange), put, replace=False)
    else:
        own = np.flatnonzero(strange.labels == random.choice(np.unique(strange.labels)))
        which = random.choice(own, put, replace=len(own) < put)
    now = together(traffic.part(drawn[: n - put]), strange.part(which))
    return now, traffic.part(drawn[n : 2 * n]), n - put


def power(runs: int, sizes: list[int]) -> list[dict]:
    traffic = Texts([row["text"] for row in rows("clinc150/train")])
    read = rows("banking77/train")
    labels = [row["label"] for row in read]
    found = []
    own = [row["text"] for row in read]
    for form, texts in (("as it is", own), ("as requests are", [plainly(text) for text in own])):
        strange = Texts(texts, labels)
        for intents in ("one", "all"):
            for n in sizes:
                random, spoke, named, tests = np.random.default_rng(n), 0, 0, {}
                start = time.perf_counter()
                for _ in range(runs):
                    now, before, from_ = injected(traffic, strange, n, intents, random)
                    result = compared(now, before)
                    spoke += result.drifted
                    named += any(
                        topic.current > topic.reference
                        and sum(int(row) >= from_ for row in topic.ids) >= (topic.current - topic.reference) / 2
                        for topic in result.topics
                    )
                    for test in result.tests:
                        tests[test.name] = tests.get(test.name, 0) + test.drifted / runs
                seconds = (time.perf_counter() - start) / runs
                shares = {name: round(share, 2) for name, share in tests.items()}
                told = {"form": form, "intents": intents, "a side": n, "power": spoke / runs}
                found.append({**told, "named": named / runs, "tests": shares, "seconds": round(seconds, 2)})
                print(found[-1], flush=True)
    return found


def watch(runs: int) -> dict:
    traffic, read = Texts([row["text"] for row in rows("clinc150/train")]), rows("banking77/train")
    strange = Texts([plainly(row["text"]) for row in read], [row["label"] for row in read])
    delays = []
    for run in range(runs):
        random = np.random.default_rng([2, run])
        drawn = random.permutation(len(traffic))
        before, rest = traffic.part(drawn[:2000]), drawn[2000:]
        own = np.flatnonzero(strange.labels == random.choice(np.unique(strange.labels)))
        with tempfile.TemporaryDirectory() as folder:
            for day in range(25):
                now = traffic.part(rest[500 * day : 500 * (day + 1)])
                if day >= 10:
                    now = together(now, strange.part(random.choice(own, 25)))
                alarm = compared(now, before, watch=Path(folder, "w"), at=1.7e9 + day * DAY).check.alarm
                if alarm:
                    break
        delays.append(day - 9 if alarm else None)
    return {"runs": runs, "days until an alarm": delays}


def kernel(runs: int) -> list[dict]:
    traffic, strange = (
        Texts([row["text"] for row in rows(name)]) for name in ("clinc150/train", "banking77/train")
    )
    n, every, found = 2000, np.arange(4000), []
    labels = every < n
    shares: dict[str, list[float]] = {}
    seconds: dict[str, list[float]] = {}
    for run in range(runs):
        random = np.random.default_rng([3, run])
        now, before, _ = injected(traffic, strange, n, "all", random)
        data = np.concatenate([now[1].data, before[1].data])
        width = MMD(data, every, random).width
        for name, make in MAKERS.items():
            start = time.perf_counter()
            p = relabelled([make(data, width, random)], labels, 500, run).p[0]
            seconds.setdefault(name, []).append(time.perf_counter() - start)
            shares.setdefault(name, []).append(p)
    for name, p in shares.items():
        power_at = float(np.mean(np.array(p) <= 0.05))
        found.append({"kernel": name, "width": WIDTH, "power at 0.05": power_at, "median p": float(np.median(p)),
                      "seconds": round(float(np.median(seconds[name])), 2)})  # fmt: skip
    return found


class _Features:
    """The same statistic by the whole kernel, or by random features."""

    def __init__(self, data: np.ndarray, width: float, count: int | None, random: np.random.Generator) -> None:
        if count is None:
            self._kernel, self._features = np.exp((data @ data.T - 1) / width**2), None
        else:
            angles = data @ (random.standard_normal((data.shape[1], count // 2)) / width).astype(np.float32)
            self._features = np.concatenate([np.cos(angles), np.sin(angles)], axis=1) / np.sqrt(count / 2)

    def __call__(self, labels: np.ndarray) -> np.ndarray:
        signs = labels / labels.sum(axis=0) - (1 - labels) / (1 - labels).sum(axis=0)
        if self._features is None:
            return np.cbrt(np.einsum("ij,ij->j", signs, self._kernel @ signs))
        return np.cbrt(((self._features.T.astype(np.float32) @ signs) ** 2).sum(axis=0))


MAKERS = {
    "whole kernel": lambda data, width, random: _Features(data, width, None, random),
    "256 landmarks": lambda data, _, random: MMD(data, np.arange(len(data)), random),
    "1,024 random features": lambda data, width, random: _Features(data, width, 1024, random),
}


def copies(runs: int) -> dict:
    pool = Texts([row["text"] for row in rows("clinc150/train")])
    alarms = {"once": 0, "each": 0}
    for run in range(runs):
        drawn = np.random.default_rng([4, run]).permutation(len(pool))
        flood = np.concatenate([drawn[:1000], np.repeat(drawn[:1], 500)])
        for how in alarms:
            alarms[how] += compared(pool.part(flood), pool.part(drawn[1000:2000]), copies=how).drifted
    return {"runs": runs, "alarms": alarms}


def timed() -> dict:
    texts = sorted({row["text"] for row in rows("headlines/abc-2003")})
    drawn = np.random.default_rng(5).permutation(len(texts))[:20_000]
    chosen = [texts[row] for row in drawn.tolist()]
    start = time.perf_counter()
    encoder = ns.load()
    encoded = encoder.encode(chosen)
    encoding = time.perf_counter() - start
    first, second = np.arange(10_000), np.arange(10_000, 20_000)
    sides = [[chosen[row] for row in half.tolist()] for half in (first, second)]
    runs, busy = [], []
    for _ in range(3):
        start, used = time.perf_counter(), time.process_time()
        found = ns.drift(
            *sides, vectors=encoded.take(first.tolist()), reference_vectors=encoded.take(second.tolist())
        )
        runs.append(time.perf_counter() - start)
        busy.append(time.process_time() - used)
    told = {"a side": 10_000, "seconds": min(runs), "processor seconds": min(busy), "all": runs}
    return {**told, "encoding": encoding, "units": found.units, "bar": "10 s"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--parts", default=",".join(PARTS))
    parser.add_argument("--runs", type=int, default=40)
    parser.add_argument("--months", type=int, default=200)
    parser.add_argument("--first", type=int, default=0, help="the first month, where they are run in parts")
    parser.add_argument("--sizes", default="500,1000,2000,3000")
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    require_data()
    assert SETS
    jobs = {
        "splits": lambda: splits(200),
        "months": lambda: months(given.months, given.first),
        "power": lambda: power(given.runs, [int(each) for each in given.sizes.split(",")]),
        "watch": lambda: watch(given.runs),
        "kernel": lambda: kernel(given.runs),
        "copies": lambda: copies(given.runs),
        "time": timed,
    }
    told: dict = json.loads(given.json.read_text()) if given.json and given.json.exists() else {}
    for name in given.parts.split(","):
        start = time.perf_counter()
        told[name] = jobs[name]()
        print(f"{name} ({time.perf_counter() - start:.0f} s): {told[name]}", flush=True)
        if given.json:
            given.json.write_text(json.dumps({**told, "machine": machine()}, indent=1) + "\n")


if __name__ == "__main__":
    main()
