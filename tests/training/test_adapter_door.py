"""An adapter through the doors of training: ns.train_adapter and the command, without torch."""

from __future__ import annotations

import csv
import json
import subprocess
import sys

import pytest

import nearsense as ns
from samples import tiny_bert

ROWS = [(f"w{label} {letter} {other}", letter) for label in range(5) for letter in "abcdef" for other in "xyz"]


@pytest.fixture
def parent(tmp_path):
    return str(tiny_bert(tmp_path / "parent"))


def test_train_learns_a_map_and_writes_its_folder(parent, tmp_path):
    made = ns.train_adapter(ROWS, encoder=parent, kind="classes", output=tmp_path / "mine")
    assert made.better
    assert ns.load(str(tmp_path / "mine")).fingerprint == made.encoder.fingerprint
    assert (made.encoder.name, made.kind) == ("mine", "linear")
    with pytest.raises(ns.errors.FileError, match="there already"):
        ns.train_adapter(ROWS, encoder=parent, kind="classes", output=tmp_path / "mine")
    few = ns.train_adapter(ROWS, encoder=parent, kind="classes", form="low-rank", output=tmp_path / "few")
    assert few.kind == "low-rank"
    with pytest.raises(ns.errors.InputError, match="bent"):
        ns.train_adapter(ROWS, encoder=parent, kind="classes", form="bent", output=tmp_path / "bent")


def test_the_command_writes_a_folder_or_says_that_none_is_better(parent, tmp_path):
    def run(name, rows, *more):
        with (tmp_path / f"{name}.csv").open("w", newline="") as file:
            csv.writer(file).writerows([("text", "label"), *rows])
        words = [
            "train",
            tmp_path / f"{name}.csv",
            "--adapter",
            "--model",
            parent,
            "-o",
            tmp_path / name,
            "-q",
            *more,
        ]
        code = "from nearsense.cli import main; main()"
        return subprocess.run([sys.executable, "-c", code, *map(str, words)], capture_output=True, text=True)

    done = run("mine", ROWS)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert (found["better"], found["kind"]) == (True, "linear")
    assert ns.load(str(tmp_path / "mine")).name == "mine"
    same = [(f"w{n} a", "xy"[n % 2]) for n in range(40)]
    done = run("none", same)
    if not json.loads(done.stdout)["better"]:
        assert (done.returncode, (tmp_path / "none").exists()) == (1, False)
    assert run("other", ROWS, "--cross").returncode == 2
