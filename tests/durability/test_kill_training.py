"""A run that is killed, or whose disk is full, goes on from its last whole checkpoint and ends as any other."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import nearsense as ns
from training import made

pytestmark = pytest.mark.durability

RUN = """
import json, os, resource, signal, sys
import nearsense as ns
from nearsense.training import trainer
from training import made
from training.test_learning import entailment

trainer.KEPT_EVERY = 0.0  # a checkpoint a step, not one in half a minute
parent, out, kind, fate, step, resume = sys.argv[1:]
examples = entailment(120, 0) if kind == "entailment" else made.graded(120)

def progress(done, total):
    if total == 8 and done == int(step):
        if fate == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        if fate == "full":
            resource.setrlimit(resource.RLIMIT_FSIZE, (5000, resource.RLIM_INFINITY))

try:
    report = ns.train(examples, encoder=parent, output=out, lr=1e-3, steps=8, epochs=4, test=False, seed=2,
                      lora=2 if kind == "lora" else None, resume=resume == "1", progress=progress)
    print(json.dumps([[p.step, p.loss, p.held_loss] for p in report.curve]))
except ns.errors.NearsenseError as error:
    print(error)
    sys.exit(2)
"""


def child(*words):
    tests = Path(__file__).parents[1]
    code = f"import sys; sys.path.insert(0, {str(tests)!r})\n{RUN}"
    return subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code, *map(str, words)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip


@pytest.fixture(scope="module")
def parent(tmp_path_factory):
    return made.model(tmp_path_factory.mktemp("models") / "parent")


@pytest.fixture(scope="module")
def whole(parent, tmp_path_factory):
    """What comes of each kind of run that nothing happens to."""
    found = {}

    def of(kind):
        if kind not in found:
            out = tmp_path_factory.mktemp("whole") / "new"
            done = child(parent, out, kind, "none", 0, 0)
            assert done.returncode == 0, done.stderr
            found[kind] = out, done.stdout
        return found[kind]

    return of


def same(one, other):
    one, other = (
        ns.load(str(folder), precision="f32").encode(["w1 w2", "w9 w50"]).data for folder in (one, other)
    )
    np.testing.assert_allclose(one, other, atol=1e-6)


@pytest.mark.parametrize("kind", ["graded", "entailment", "lora"])
@pytest.mark.parametrize("step", [0, 1, 4, 8])
def test_a_killed_run_goes_on_with_the_same_losses_and_ends_in_the_same_weights(
    parent, whole, tmp_path, kind, step
):
    folder, losses = whole(kind)
    killed = child(parent, tmp_path / "new", kind, "kill", step, 0)
    assert killed.returncode == -9
    assert not (tmp_path / "new").exists()
    done = child(parent, tmp_path / "new", kind, "none", 0, 1)
    assert done.returncode == 0, done.stdout + done.stderr
    np.testing.assert_allclose(
        np.array(json.loads(done.stdout), float), np.array(json.loads(losses), float), rtol=1e-5, equal_nan=True
    )
    same(folder, tmp_path / "new")
    assert [each.name for each in tmp_path.iterdir()] == ["new"]


def test_a_checkpoint_that_was_cut_off_is_not_gone_on_from(parent, whole, tmp_path):
    folder, losses = whole("graded")
    assert child(parent, tmp_path / "new", "graded", "kill", 5, 0).returncode == -9
    work = tmp_path / "new.training"
    newest = max(work.glob("checkpoint-*"), key=lambda each: int(each.name.partition("-")[2]))
    (newest / "whole").unlink()
    (newest / "optimizer.pt").write_bytes((newest / "optimizer.pt").read_bytes()[:1000])
    done = child(parent, tmp_path / "new", "graded", "none", 0, 1)
    assert done.stdout == losses
    same(folder, tmp_path / "new")


def test_a_full_disk_is_one_line_and_the_run_goes_on_when_there_is_room(parent, whole, tmp_path):
    folder, losses = whole("graded")
    full = child(parent, tmp_path / "new", "graded", "full", 4, 0)
    assert full.returncode == 2, full.stderr
    what, why, fix = full.stdout.splitlines()
    assert what == f"{tmp_path / 'new.training'} cannot be written"
    assert "large" in why or "space" in why or "fail" in why
    assert "go on from step 3" in fix
    assert not (tmp_path / "new").exists()
    done = child(parent, tmp_path / "new", "graded", "none", 0, 1)
    assert done.stdout == losses, done.stderr
    same(folder, tmp_path / "new")
