"""Whatever ends in the middle of bulk work, Ctrl-C, kill -9, an actor of Ray: it goes on, and nothing is twice."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from nearsense import bulk
from samples import tiny_bert

pytestmark = pytest.mark.slow

FILES, ROWS = 6, 300


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    """Six files of 300 texts, and a small model."""
    base = tmp_path_factory.mktemp("kills")
    tiny_bert(base / "tiny", num_hidden_layers=8)
    (base / "texts").mkdir()
    for file in range(FILES):
        texts = [" ".join(f"w{(row * each + file) % 60}" for each in range(40)) for row in range(ROWS)]
        columns = {"id": [f"{file}-{row}" for row in range(ROWS)], "text": texts}
        pq.write_table(pa.table(columns), base / f"texts/{file}.parquet")
    return base


EVERY = sorted(f"{file}-{row}" for file in range(FILES) for row in range(ROWS))


def ids_in(output):
    names = json.loads((output / "_manifest.json").read_text())["files"]
    return sorted(id_ for name in names for id_ in pq.read_table(output / name).column("id").to_pylist())


def words(base, output, *more):
    how = ["--model", base / "tiny", "--id", "id", "--shard-rows", 100, "--workers", 2, *more]
    return [sys.executable, "-m", "nearsense", "bulk", "encode", base / "texts", "-o", output, *how]


def begun(command, output):
    """The command, running, when some parts are there."""
    running = subprocess.Popen(
        list(map(str, command)),
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    )
    until = time.monotonic() + 120
    while len(list(output.glob("encoded/*"))) < 2:
        assert running.poll() is None, running.stderr.read()
        assert time.monotonic() < until
        time.sleep(0.01)
    return running


def alive(session):
    """The processes of a session."""
    found = []
    for each in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = each.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[3]) == session and fields[0] != "Z":
            found.append(int(each.parent.name))
    return found


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="processes are looked for in /proc")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_command_that_is_ended_leaves_no_half_part_and_no_worker_and_goes_on(base, tmp_path, number):
    output = tmp_path / "out"
    running = begun(words(base, output), output)
    os.kill(running.pid, number)  # the driver alone, as `kill` does
    _, said = running.communicate(timeout=60)
    until = time.monotonic() + 30
    while alive(running.pid) and time.monotonic() < until:
        time.sleep(0.05)
    assert alive(running.pid) == [], "workers end with their driver"
    assert not (output / "_manifest.json").exists()
    if number == signal.SIGINT:
        assert running.returncode == 130
        assert "nearsense bulk encode" in said
        assert said.rstrip().endswith("--resume")
    if number != signal.SIGKILL:
        assert not list(output.rglob("*.tmp"))
        assert bulk.status(str(output)).state == "stopped"
    for part in (output / "encoded").iterdir():
        assert pq.read_table(part).num_rows == 100
    subprocess.run(list(map(str, words(base, output, "--resume"))), check=True, timeout=300, capture_output=True)
    assert ids_in(output) == EVERY
    assert not list(output.rglob("*.tmp"))


class Killer(threading.Thread):
    """Ends a worker whenever one is newly at work, a few times."""

    def __init__(self, output, times):
        super().__init__(daemon=True)
        self.output, self.times, self.killed = output, times, []

    def run(self):
        while len(self.killed) < self.times:
            time.sleep(0.01)
            for each in (self.output / "status").glob("*.json"):
                try:
                    known = json.loads(each.read_text())["running"]
                except (OSError, ValueError):
                    continue
                for one in known:
                    if one["done"] and one["process"] not in [None, *self.killed]:
                        os.kill(one["process"], signal.SIGKILL)
                        self.killed.append(one["process"])
                        break


@pytest.mark.parametrize("ray", [None, "auto"])
def test_killed_workers_are_replaced_and_each_row_is_there_once(base, tmp_path, ray, monkeypatch):
    if ray is not None:
        pytest.importorskip("ray")
        monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, sys.path)))
    monkeypatch.setattr("nearsense.bulk.run.BEAT", 0.01)
    monkeypatch.setattr("nearsense.bulk.encoding.PIECE", 2000)
    output = tmp_path / "out"
    killer = Killer(output, 4)
    killer.start()
    known = {"model": str(base / "tiny"), "id": "id", "shard_rows": 100, "workers": 2}
    done = bulk.encode(str(base / "texts"), str(output), ray=ray, **known)
    assert len(killer.killed) == 4, "it was over before four were killed"
    assert done.quarantined == ()
    assert ids_in(output) == EVERY
    assert bulk.status(str(output)).state == "done"
