"""The command, run in this process: fast, and with what it would print."""

from __future__ import annotations

import io
import sys
from typing import NamedTuple

import pytest

from nearsense.cli import main


class Done(NamedTuple):
    code: int
    out: str
    err: str


@pytest.fixture
def run(monkeypatch, capsys):
    def run(*words, stdin: bytes = b"") -> Done:
        monkeypatch.setattr(sys, "argv", ["nearsense", *map(str, words)])
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin), encoding="utf-8"))
        code = 0
        try:
            main()
        except SystemExit as stop:
            code = stop.code or 0
        captured = capsys.readouterr()
        return Done(code, captured.out, captured.err)

    return run
