"""nearsense train: what it prints, what it says to type to go on, what it refuses."""

from __future__ import annotations

import json

import pytest

from nearsense.training import trainer
from training import made


@pytest.fixture(scope="module")
def parent(tmp_path_factory):
    return str(made.model(tmp_path_factory.mktemp("models") / "parent"))


@pytest.fixture
def pairs(tmp_path):
    file, examples = tmp_path / "my pairs.csv", made.graded(40)
    lines = [f"{a},{b},{grade}" for (a, b), grade in zip(examples.rows(), examples.truth, strict=True)]
    file.write_text("\n".join(["a,b,score", *lines]) + "\n")
    return file


def interrupted(at):
    fit = trainer.fit

    def progress(done, total):
        if done == at:
            raise KeyboardInterrupt

    return lambda job, work, _: fit(job, work, progress)


def test_after_ctrl_c_the_command_says_what_to_type_to_go_on(tmp_path, parent, pairs, run, monkeypatch):
    words = ("train", pairs, "-o", tmp_path / "new", "--model", parent, "--steps", "4", "--test", "none", "-q")
    with monkeypatch.context() as patch:
        patch.setattr(trainer, "fit", interrupted(3))
        patch.setattr(trainer, "KEPT_EVERY", 0.0)
        done = run(*words)
    assert done.code == 130
    assert done.err.splitlines()[0] == f"interrupted: step 2 of 4 is kept in {tmp_path / 'new.training'}"
    assert done.err.splitlines()[-1].removeprefix("  fix: go on: ") == (
        f"nearsense train '{pairs}' --output {tmp_path / 'new'} --model {parent} --test none --steps 4 --resume"
    )
    assert run(*words).code == 2, "an unfinished run is not begun anew in silence"
    done = run(*words, "--resume", "--json")
    assert done.code == 0, done.err
    report = json.loads(done.out)
    assert (report["steps"], report["kind"], report["loss"]) == (4, "graded", "cosine")
    assert (tmp_path / "new" / "model.safetensors").is_file()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--loss", "triplet"), "learns nothing from examples that are graded"),
        (("--columns", "a"), "--columns takes"),
        (("--kind", "positives", "--columns", "a,c"), "no column 'c'"),
        (("--lr", "0"), "--lr"),
        (("--model", "./nowhere"), "there is no folder ./nowhere"),
    ],
)
def test_what_cannot_be_done_is_said_before_anything_is_learnt(tmp_path, pairs, run, words, said):
    done = run("train", pairs, "-o", tmp_path / "new", "-q", *words)
    assert done.code == 2
    assert said in done.err
    assert not list(tmp_path.glob("new*"))
