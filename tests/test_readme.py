"""What stands in the README can be pasted, from its first line to its last, in a clone of the repository."""

from __future__ import annotations

import doctest
import os
import re
import shlex
import shutil
import tomllib
from pathlib import Path

import pytest

from nearsense.cli import main

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text("utf-8")
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```", README, re.MULTILINE | re.DOTALL)


def lines_of(*kinds):
    lines = [(kind, line) for kind, block in BLOCKS if kind in kinds for line in block.splitlines()]
    assert lines
    return lines


@pytest.fixture
def clone(tmp_path, monkeypatch):
    """What a reader has: the examples, with room for what the lines write."""
    shutil.copytree(ROOT / "examples", tmp_path / "examples")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_every_shell_line_of_the_readme_can_be_pasted(clone, monkeypatch, capsys):
    for kind, line in lines_of("console", "sh"):
        command = line.removeprefix("$ ")
        assert line.startswith("$ ") or kind == "sh", f"neither a command nor what it prints: {line}"
        if command.startswith("cd "):
            monkeypatch.chdir(command.removeprefix("cd "))
            continue
        code, err = typed(command, monkeypatch, capsys)
        absent = code == 2 and "the hub is not asked" in err  # the line is right, its model is to be fetched
        assert code == 0 or (kind == "sh" and absent), (line, err)


def typed(line, monkeypatch, capsys) -> tuple[int, str]:
    """The exit code of a command, and what it says."""
    words = shlex.split(line)
    assert words[0] == "nearsense"
    code = 0
    with monkeypatch.context() as patch:
        patch.setattr(os, "environ", {**os.environ, "NEARSENSE_OFFLINE": "1"})
        patch.setattr("sys.argv", words)
        try:
            main()
        except SystemExit as stop:
            code = int(stop.code or 0)
    return code, capsys.readouterr().err


def test_every_python_line_of_the_readme_can_be_pasted_and_prints_what_stands_there(clone):
    code = "\n".join(block for kind, block in BLOCKS if kind == "pycon")
    assert code.count(">>>") > 8
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)
    runner.run(doctest.DocTestParser().get_doctest(code, {}, "README.md", None, 0))
    assert runner.summarize(verbose=False).failed == 0


def test_what_the_readme_installs_is_there_to_be_installed():
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["optional-dependencies"]
    rules = (ROOT / "Makefile").read_text("utf-8")
    for _, line in lines_of(""):
        command = line.partition("#")[0].strip()
        if command.startswith("make "):
            assert re.search(rf"^{command.split()[1]}:", rules, re.MULTILINE), line
        elif named := re.search(r"\[(.+)\]", command):
            assert set(named[1].split(",")) <= extras.keys(), line
        else:
            assert command.startswith(("pip install", "nearsense demo")), line


def test_the_data_of_the_examples_are_small_and_read_without_an_option():
    from nearsense.files import documents, read_table

    folder = ROOT / "examples" / "data"
    assert sum(file.stat().st_size for file in folder.rglob("*")) < 200_000
    assert {"tickets.csv", "phrases.txt", "labels.csv", "faq.csv", "notes"} <= {
        file.name for file in folder.iterdir()
    }
    for name in ("tickets.csv", "phrases.txt", "faq.csv"):
        assert len(documents(read_table(folder / name)).items) >= 20
