"""The page on continuous integration: its workflow is well formed, and its commands find what they are said to find."""

from __future__ import annotations

import os
import re
import subprocess
import sys
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
    "duplicates": ("test.csv", "text\nWe ship within 2 days.\nwe ship WITHIN two days\n", "we ship WITHIN two days"),
    "dedupe": ("train.csv", "text\nReset your password here.\nreset your password here\n", "reset your password here"),
    "evaluate": ("pairs.csv", PAIRS.replace(",1\n", ",x\n").replace(",0\n", ",1\n").replace(",x\n", ",0\n"), "roc_auc"),
}


def typed(command, folder):
    """A line of the workflow as its runner types it: its exit code, and what it prints and writes."""
    environment = {**os.environ, **WORKFLOW["jobs"]["check"]["env"], "GITHUB_STEP_SUMMARY": str(folder / "summary.md")}
    line = command.replace("nearsense ", f"{sys.executable} -m nearsense ", 1)
    done = subprocess.run(["bash", "-e", "-c", line], cwd=folder, env=environment, capture_output=True, text=True)
    return done.returncode, done.stdout + done.stderr + "".join(each.read_text() for each in folder.glob("*.md"))


@pytest.fixture
def project(tmp_path):
    (tmp_path / "data").mkdir()
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
def test_a_check_passes_what_is_clean_and_fails_what_is_not(command, project):
    code, said = typed(command, project)
    assert code == 0, said
    name, content, found = SPOILT[command.split()[1]]
    (project / "data" / name).write_text(content)
    code, said = typed(command, project)
    assert code == 1, said
    assert found in said
    (project / "data" / name).unlink()
    assert typed(command, project)[0] == 2, "no check passes without its file"
