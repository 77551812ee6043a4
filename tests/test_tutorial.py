"""docs/tutorial.md: typed from first to last, on a terminal 80 columns wide, it shows what stands there."""

from __future__ import annotations

import io
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from nearsense.cli import main
from served import COMMAND, Served

PAGE = (Path(__file__).parents[1] / "docs" / "tutorial.md").read_text("utf-8")
ADDRESS = "http://127.0.0.1:8765"

FIGURE = re.compile(r"<?>?\d+ %(?:, <?>?\d+ to <?>?\d+)?|\d+\.\d+")
"""What a processor rounds in its own way: percentages, their intervals, scores. Counts are not among them."""


def steps() -> Iterator[tuple[str, str, str]]:
    """What is done on the page: (kind, what is typed or saved, what is shown)."""
    for kind, block in re.findall(r"^```(console|python|csv)\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL):
        if kind != "console":
            yield kind, block, ""
            continue
        for typed, shown in re.findall(r"^\$ ((?:.*\\\n)*.*)\n((?:(?!\$ ).*\n)*)", block, re.MULTILINE):
            yield kind, typed.replace("\\\n", ""), shown


class Screen(io.StringIO):
    """A terminal, or a file where `tty` is false; what is written stands in `lines`, in its order."""

    def __init__(self, lines: list[str], tty: bool) -> None:
        super().__init__()
        self.lines, self.tty = lines, tty

    def isatty(self) -> bool:
        return self.tty

    def write(self, text: str) -> int:
        self.lines.append(text)
        return len(text)


def typed(line: str, monkeypatch) -> str:
    """What a command says: nearsense in this process, which saves its start; any other in a shell."""
    if not line.startswith("nearsense "):
        done = subprocess.run(["bash", "-c", line], capture_output=True, text=True, timeout=60)
        return done.stdout + done.stderr
    lines: list[str] = []
    with monkeypatch.context() as patch:
        for name, value in (("COLUMNS", "80"), ("NO_COLOR", "1"), ("TERM", "dumb")):
            patch.setenv(name, value)  # in os.environ itself, which the tables have looked at since their import
        patch.setattr(sys, "argv", shlex.split(line))
        patch.setattr(sys, "stdout", Screen(lines, True))
        patch.setattr(sys, "stderr", Screen(lines, False))  # else a bar may come, where the machine is busy
        code = 0
        try:
            main()
        except SystemExit as stop:
            code = int(stop.code or 0)
    assert code in (0, 1), "".join(lines)  # 1: a question got no answer
    return "".join(lines)


def same(shown: str, said: str) -> str:
    """What is wrong where a text is not what is shown: other words, or a figure that is not near; else nothing."""
    shown, said = (" ".join(re.sub("─+", "─", text).split()) for text in (shown, said))
    figures = FIGURE.findall(shown)
    words = [".*?".join(map(re.escape, each.split("..."))) for each in FIGURE.split(shown)]
    found = re.fullmatch(f"({FIGURE.pattern})".join(words), said, re.DOTALL)
    if found is None:
        return "other words"
    far = [f"{b} for {a}" for a, b in zip(figures, found.groups(), strict=True) if not near(a, b)]
    return ", ".join(far)


def near(a: str, b: str) -> bool:
    numbers = [[float(each) for each in re.findall(r"\d+(?:\.\d+)?", text)] for text in (a, b)]
    room = 4 if "%" in a else 0.02
    return len(numbers[0]) == len(numbers[1]) and all(abs(x - y) <= room for x, y in zip(*numbers, strict=True))


@pytest.mark.filterwarnings("ignore")
def test_what_a_newcomer_types_shows_what_stands_in_the_tutorial(tmp_path, monkeypatch):
    pytest.importorskip("xlsxwriter")
    pytest.importorskip("uvicorn")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", f"{Path(COMMAND).parent}{os.pathsep}{os.environ['PATH']}")
    server, wrong, count = None, [], 0
    try:
        for kind, text, shown in steps():
            count += kind == "console"
            if kind == "python":
                exec(compile(text, "tutorial.md", "exec"), {})
            elif kind == "csv":
                (tmp_path / "asked.csv").write_text(text, "utf-8")
            else:
                if text.startswith("nearsense serve "):
                    assert text.endswith(" &")
                    server = Served(tmp_path, *shlex.split(text.removesuffix(" &"))[2:])
                    said = server.said.replace(server.address, ADDRESS)
                elif text.startswith("kill "):
                    assert server is not None
                    said = server.end()
                    server = None
                else:
                    said = typed(text.replace(ADDRESS, server.address) if server else text, monkeypatch)
                if fault := same(shown, said):
                    wrong.append(f"$ {text}\n{fault}\n{said}")
    finally:
        if server is not None:
            server.end()
    assert not wrong, "\n".join(wrong)
    assert count >= 15


def test_a_figure_that_moved_and_a_word_that_changed_are_noticed():
    table = "  1   0.6152   25 %, 4 to 75   13\n"
    assert not same(table, "1 0.6149  26 %, 5 to 74 13")
    assert same(table, "1 0.6149  36 %, 5 to 74 13")
    assert same(table, "1 0.7149  26 %, 5 to 74 13")
    assert same(table, "1 0.6149  26 %, 5 to 74 14") == "other words"
    assert same("18 rows stay", "17 rows stay") == "other words"
    assert not same("18 rows\n...\n3 of all", "18 rows and more, 3 of all")
