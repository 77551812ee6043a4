"""Progress: nothing for short work, a bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import io

import pytest

from nearsense import _progress
from nearsense._progress import tracked


class Screen(io.StringIO):
    def __init__(self, terminal):
        super().__init__()
        self.terminal = terminal

    def isatty(self):
        return self.terminal


@pytest.fixture
def clock(monkeypatch):
    """A clock that the test moves."""
    now = [100.0]
    monkeypatch.setattr(_progress.time, "monotonic", lambda: now[0])
    return now


def shown(monkeypatch, terminal, clock, steps):
    screen = Screen(terminal)
    monkeypatch.setattr("sys.stderr", screen)
    monkeypatch.setenv("TERM", "xterm")
    with tracked(1000, "texts", True) as update:
        for seconds, done in steps:
            clock[0] += seconds
            update(done)
    return screen.getvalue()


@pytest.mark.parametrize("terminal", [True, False])
def test_work_of_less_than_a_second_shows_nothing(monkeypatch, clock, terminal):
    assert shown(monkeypatch, terminal, clock, [(0.3, 300), (0.3, 600), (0.3, 1000)]) == ""


def test_a_terminal_gets_a_bar_with_the_rate_that_goes_away(monkeypatch, clock):
    text = shown(monkeypatch, True, clock, [(2.0, 200), (2.0, 400)])
    assert "100 texts/s" in text
    assert text.endswith("\x1b[2K")


def test_a_log_gets_a_line_every_ten_seconds_with_rate_and_time_left(monkeypatch, clock):
    text = shown(monkeypatch, False, clock, [(4, 100), (6, 200), (1, 250), (9, 400), (10, 1000)])
    assert text.splitlines() == [
        "200 of 1,000 texts, 20 texts/s, 40 s left",
        "400 of 1,000 texts, 20 texts/s, 30 s left",
    ]


def test_an_error_in_the_work_passes_and_the_bar_goes_away(monkeypatch, clock):
    screen = Screen(True)
    monkeypatch.setattr("sys.stderr", screen)

    def work():
        with tracked(10, "texts", True) as update:
            clock[0] += 5
            update(5)
            raise KeyError

    with pytest.raises(KeyError):
        work()
    assert screen.getvalue().endswith("\x1b[2K")
