"""What a child does that makes the checks of a watch, one a day, until it is killed. Run by forks.py."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from pathlib import Path

import nearsense as ns
from drifting import around, vectors
from nearsense.monitoring.watching import DAY
from nearsense.records import Vectors

START = 1_700_000_000.0


def texts_of(day: int) -> Vectors:
    """What came in on a day."""
    return vectors(around(5, [4] * 5, seed=100 + day))


def check(
    say: Callable[[str], None], path: str, day: int, until: int = 1_000, die: str = "", after: float = 0.0
) -> None:
    """Check day after day, saying each that is done, until some seconds `after` the second one.

    Or die just `before` or `after` the file gets its name.
    """
    reference = vectors(around(5, [12] * 5, seed=1))
    if die:
        _die(die)
    for each in range(day, until):
        found = ns.drift(texts_of(each), reference, watch=path, at=START + each * DAY, relabellings=19).check
        say(f"{each} {found.number} {found.level!r} {found.p!r}")
        if after and each == day + 1:
            threading.Timer(after, os.kill, (os.getpid(), signal.SIGKILL)).start()


def _die(when: str) -> None:
    replace = Path.replace

    def last(self: Path, target: Path) -> None:
        if when == "after":
            replace(self, target)
        os.kill(os.getpid(), signal.SIGKILL)

    Path.replace = last  # type: ignore[assignment, method-assign]
