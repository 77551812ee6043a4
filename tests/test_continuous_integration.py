"""Checks in continuous integration: the workflow is well formed, its commands find what they are said to find."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
import yaml

PAGE = (Path(__file__).parents[1] / "docs/continuous-integration.md").read_text("utf-8")
WORKFLOW = yaml.safe_load(re.search(r"```yaml\n(.*?)```", PAGE, re.S)[1])
STEPS = WORKFLOW["jobs"]["check"]["steps"]
COMMANDS = [step["run"] for step in STEPS if step.get("run", "").startswith("nearsense ")]

PAIRS = "sentence1,sentence2,label\n" + "".join(
    f"How do I open a {thing}?,How can I open the {thing}?,1\nHow do I open a {thing}?,Why is my {thing} late?,0\n"
    for thing in ("box", "door", "tin", "jar", "lid", "bag")
)
CLEAN = {
    "train.csv": "text\nReset your password here.\nWe ship within two days.\n",
    "test.csv": "text\nTea is hot.\nTea is hot!\nA refund takes a week.\n",
    "pairs.csv": PAIRS,
}
SPOILT = {
    "duplicates": ("test.csv", "text\nTea is hot.\nwe ship WITHIN two days\n", "we ship WITHIN two days"),
    "dedupe": ("train.csv", "text\nReset your password.\nreset your password\n", "reset your password"),
    "evaluate": ("pairs.csv", PAIRS.replace(",1\n", ",x\n").translate({48: "1", 120: "0"}), "roc_auc"),
}


@pytest.fixture
def project(tmp_path, monkeypatch):
    """Where the workflow runs, as it runs it."""
    (tmp_path / "data").mkdir()
    monkeypatch.chdir(tmp_path)
    for name, value in WORKFLOW["jobs"]["check"]["env"].items():
        monkeypatch.setenv(name, value)
    for name, content in CLEAN.items():
        (tmp_path / "data" / name).write_text(content)
    return tmp_path


def test_the_workflow_is_one_that_github_reads():
    assert WORKFLOW[True] == ["push", "pull_request"], "YAML reads the word on as true, and GitHub knows"
    assert all(("uses" in step) != ("run" in step) for step in STEPS)
    assert [command.split()[1] for command in COMMANDS] == [*SPOILT]
    written = [command.split()[-1] for command in COMMANDS if " -o " in command]
    assert STEPS[-1]["run"].split()[1 : 1 + len(written)] == written, "what is shown is what was written"
    for command in COMMANDS:
        assert command.partition(" -o ")[0] in PAGE.split("## GitHub Actions")[0], "the table has it, too"


@pytest.mark.parametrize("command", COMMANDS, ids=[*SPOILT])
def test_a_check_passes_what_is_clean_and_fails_what_is_not(command, project, run):
    words = shlex.split(command)[1:]
    done = run(*words)
    assert done.code == 0, done.err
    name, content, found = SPOILT[words[0]]
    (project / "data" / name).write_text(content)
    done = run(*words)
    assert done.code == 1, done.err
    assert found in done.out + done.err + "".join(each.read_text() for each in project.glob("*.md"))
    (project / "data" / name).unlink()
    assert run(*words).code == 2, "no check passes without its file"
