"""A worker that hangs without dying is noticed, and what it was at is done by another or left out."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from nearsense import bulk
from nearsense._notes import told_to
from nearsense.bulk.crew import Crew
from nearsense.bulk.records import Answer, Job
from samples import tiny_bert

FAULTS = Path(__file__).parent / "faults"


@pytest.fixture
def texts(tmp_path, monkeypatch):
    """Two shards of 20 rows, one with a word at which workers sleep; and how to encode them, impatiently."""
    rows = [f"w{row} w{row % 7}" for row in range(40)]
    rows[30] = "w1 slumber"
    pq.write_table(pa.table({"id": [str(row) for row in range(40)], "text": rows}), tmp_path / "texts.parquet")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(FAULTS), *filter(None, sys.path)]))
    monkeypatch.setenv("NEARSENSE_TEST_SLEEP", "slumber")
    monkeypatch.setattr("nearsense.bulk.crew.SILENT", 4.0)
    monkeypatch.setattr("nearsense.bulk.crew.TIMES", 4)
    return str(tmp_path / "texts.parquet"), {"model": str(tiny_bert(tmp_path / "tiny")), "shard_rows": 20}


def ids_in(output):
    return sorted(
        int(id_) for part in (output / "encoded").iterdir() for id_ in pq.read_table(part).column("id").to_pylist()
    )


def test_a_shard_at_which_a_worker_hung_is_done_by_another(texts, tmp_path, monkeypatch):
    monkeypatch.setenv("NEARSENSE_TEST_ONCE", str(tmp_path / "once"))
    monkeypatch.setattr("nearsense.bulk.run.Run._estimate", lambda run, jobs: None)  # it reads the texts, too
    source, known = texts
    done = bulk.encode(source, str(tmp_path / "out"), workers=1, **known)
    assert (tmp_path / "once").exists(), "a worker hung"
    assert done.quarantined == ()
    assert ids_in(tmp_path / "out") == list(range(40))


@pytest.mark.slow
@pytest.mark.parametrize("ray", [None, "auto"])
def test_a_shard_at_which_workers_hang_is_left_out_and_it_is_said_for_how_long_they_were_waited_for(
    texts, tmp_path, ray
):
    if ray is not None:
        pytest.importorskip("ray")
    source, known = texts
    done = bulk.encode(source, str(tmp_path / "out"), workers=2, ray=ray, **known)
    (lost,) = done.quarantined
    assert (lost.begin, lost.rows) == (20, 20)
    assert re.fullmatch(r"its worker answered nothing for \d+ s, and was ended", lost.why)
    assert ids_in(tmp_path / "out") == list(range(20))


class Clock:
    """A clock that goes on when it is waited by it."""

    def __init__(self, monkeypatch):
        self.now = 0.0
        monkeypatch.setattr("nearsense.bulk.crew.time.monotonic", lambda: self.now)


class Slow:
    """Workers that are ready at once; the first takes 100 seconds for a job, and never answers to "b"."""

    threads = 1

    def __init__(self, clock):
        self.clock, self.begun, self.ended, self.due = clock, 0, [], {}

    def start(self):
        self.begun += 1
        self.due[self.begun] = self.clock.now, Answer("ready", process=self.begun)
        return self.begun

    def call(self, worker, job):
        if worker > 1 or job.name != "b":
            seconds = 100 if worker == 1 else 0
            self.due[worker] = self.clock.now + seconds, Answer("done", rows=job.rows, result=worker)

    def wait(self, seconds):
        self.clock.now += seconds
        there = [worker for worker, (when, _) in self.due.items() if when <= self.clock.now]
        return [(worker, self.due.pop(worker)[1]) for worker in there]

    def end(self, worker):
        self.ended.append((worker, self.clock.now))

    def close(self):
        pass


def test_a_step_that_took_long_before_is_waited_for_longer_and_no_hour_that_nobody_waited_counts(monkeypatch):
    clock = Clock(monkeypatch)
    pool = Slow(clock)
    crew = Crew(pool, 1)
    (first,) = crew.do([Job("sums", "a", 5, {})])
    assert first[1].result == 1
    began, woken = clock.now, False

    def heard(rows):
        nonlocal woken
        if not woken:
            clock.now, woken = clock.now + 3600, True  # the machine sleeps

    (second,) = crew.do([Job("sums", "b", 5, {})], heard)
    assert second[1].result > 1, "another did it"
    ((ended, when),) = pool.ended
    assert ended == 1
    assert when - began - 3600 == pytest.approx(2000, abs=5), "twenty times the longest stretch"


class Late(Slow):
    """Workers that take eleven minutes to become ready."""

    def start(self):
        number = super().start()
        self.due[number] = self.clock.now + 660, self.due[number][1]
        return number


def test_where_no_worker_becomes_ready_that_is_said_and_they_are_waited_for(monkeypatch):
    said = []
    with told_to(said.append):
        (done,) = Crew(Late(Clock(monkeypatch)), 1).do([Job("sums", "a", 5, {})])
    assert done[1].state == "done"
    assert said == ["no worker is ready after 10 min; they are still waited for"]


@pytest.mark.slow
def test_ray_prints_nothing_of_workers_that_die_where_results_belong(texts, tmp_path, monkeypatch):
    pytest.importorskip("ray")
    monkeypatch.delenv("NEARSENSE_TEST_SLEEP")
    monkeypatch.setenv("NEARSENSE_TEST_POISON", "slumber")
    source, known = texts
    words = ["bulk", "encode", source, "-o", tmp_path / "out", "--model", known["model"], "--shard-rows", 20]
    command = [sys.executable, "-m", "nearsense", *map(str, words), "--ray", "auto", "--workers", "2"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 4, done.stderr
    assert done.stdout.startswith('{"kind"')
    assert done.stdout.count("\n") == 1
    assert "raylet" not in done.stderr
    assert len(done.stderr.splitlines()) == 3, "the estimate, what came of it, what was left out"
