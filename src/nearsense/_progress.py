"""How far long work is, on stderr, with rate and time left. Not for results."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from nearsense.terminal import steerable

Progress = bool | Callable[[int, int], None]
"""False: nothing. True: a bar on stderr, or a line now and then where that is no terminal. A function: called with
(done, total)."""

PATIENCE = 1.0
"""Seconds before anything appears."""

EVERY = 10.0
"""Seconds between two lines where there is no terminal for a bar."""


@contextmanager
def tracked(total: int, what: str, progress: Progress) -> Iterator[Callable[[int], None]]:
    """Show how far a piece of work of `total` units ("texts") is, by a function of how many are done by now.

    Example:
        >>> with tracked(2, "texts", lambda done, total: print(done, "of", total)) as update:
        ...     update(2)
        2 of 2
    """
    if callable(progress):
        yield lambda done: progress(done, total)
    elif progress and sys.stderr.isatty():
        bar = _Bar(total, what)
        try:
            yield bar.update
        finally:
            bar.close()
    elif progress:
        yield _lines(total, what)
    else:
        yield lambda done: None


def _lines(total: int, what: str) -> Callable[[int], None]:
    """A line of plain text every `EVERY` seconds."""
    start = last = time.monotonic()

    def update(done: int) -> None:
        nonlocal last
        now = time.monotonic()
        if now >= last + EVERY and 0 < done < total:
            last, rate = now, done / (now - start)
            left = (total - done) / rate
            sys.stderr.write(f"{done:,} of {total:,} {what}, {rate:,.0f} {what}/s, {left:,.0f} s left\n")

    return update


class _Bar:
    """A bar that comes after `PATIENCE` and goes when the work is done."""

    def __init__(self, total: int, what: str) -> None:
        self._total, self._what, self._start = total, what, time.monotonic()
        self._rich: Any = None
        self._task: Any = None

    def update(self, done: int) -> None:
        if self._rich is None:
            if time.monotonic() - self._start < PATIENCE or done >= self._total:
                return
            self._open()
        elapsed = max(time.monotonic() - self._start, 1e-9)
        self._rich.update(self._task, completed=done, rate=f"{done / elapsed:,.0f} {self._what}/s")

    def _open(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
        from rich.progress import Progress as RichProgress

        self._rich = RichProgress(
            MofNCompleteColumn(),
            TextColumn(self._what),
            BarColumn(),
            TextColumn("{task.fields[rate]}"),
            TimeRemainingColumn(),
            TextColumn("left"),
            console=Console(file=steerable(sys.stderr)),
            transient=True,
        )
        self._task = self._rich.add_task(self._what, total=self._total, rate="")
        self._rich.start()

    def close(self) -> None:
        if self._rich is not None:
            self._rich.stop()
