"""A check that is made again and again: how much chance each may spend, and the file that knows. No tests.

The rule is alpha spending (Lan and DeMets 1983) at an even rate: whoever asks for a level of 2 % in 30 days gives
each day a thirtieth of it, whatever was seen before. By the union bound the 30 days after any check then speak
falsely with a chance of 2 % at most, however the checks depend on each other: they may share a reference, and
their windows may overlap. A check spends what the time since the last one has brought, so nothing is gained or
lost by checking more often.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from nearsense.errors import FileError, InputError
from nearsense.files import atomic_write
from nearsense.records import Record

RULE = "alpha spending at an even rate (Lan and DeMets 1983), by the union bound"
FORMAT, VERSION = "nearsense-watch", 1
DAY = 86_400.0
PERIOD = 30.0  # days over which the level holds
KEPT = 1_000  # checks that the file remembers


@dataclass(frozen=True, slots=True)
class Check(Record):
    """One check of a watch."""

    number: int  # from 1
    at: str  # when it was made, ISO 8601, UTC
    level: float  # what it might spend: the chance with which it may speak falsely
    p: float  # the least adjusted p-value of its tests
    alarm: bool  # whether that is within the level
    current: int  # how many texts the current side had
    data: str  # what tells both sides from others
    tests: tuple[str, ...]  # the names of the tests that spoke


@dataclass(frozen=True, slots=True)
class Watch:
    """A watch as its file has it."""

    path: Path
    level: float  # over a period
    period: float  # days
    checks: tuple[Check, ...]

    def allowed(self, at: float) -> float:
        """What a check made now may spend: the level's part for the time since the last, at most all of it.

        The first check stands for one day.
        """
        passed = min(1.0, self.period) if not self.checks else (at - _seconds(self.checks[-1].at)) / DAY
        if passed <= 0:
            raise InputError(
                f"{self.path} has a check of {self.checks[-1].at}, and this one is of {_said(at)}",
                why="a check spends the time since the last one, and none has passed",
                fix="check again later, or give the same texts to see the last check again",
            )
        return self.level * min(passed, self.period) / self.period

    def same(self, data: str) -> Check | None:
        """The last check, where it was of the same texts: to look again is no new check."""
        return next((last for last in self.checks[-1:] if last.data == data), None)

    def add(self, at: float, level: float, p: float, current: int, data: str, tests: Sequence[str]) -> Check:
        """The next check, of what was found, written into the file: whole or not at all.

        Raises:
            InputError: Somebody else has made a check since this one was begun: both would spend the same chance.
        """
        number = self.checks[-1].number + 1 if self.checks else 1
        check = Check(number, _said(at), level, p, bool(tests), current, data, tuple(tests))
        if open_watch(self.path, self.level, self.period).checks != self.checks:
            why = "both would spend the chance of the same time"
            raise InputError(f"{self.path} has got another check meanwhile", why=why, fix="check again")
        told = {
            "format": FORMAT,
            "version": VERSION,
            "rule": RULE,
            "level": self.level,
            "period_days": self.period,
            "checks": [each.to_dict() for each in [*self.checks, check][-KEPT:]],
        }
        with atomic_write(self.path) as stream:
            stream.write((json.dumps(told, indent=1) + "\n").encode())
        return check


def open_watch(path: str | os.PathLike[str], level: float, period: float) -> Watch:
    """The watch of a file; a new one where there is none.

    Raises:
        FileError: The file is no watch, or damaged.
        InputError: It was begun with another level or period: what was promised then would not hold.
    """
    file = Path(path)
    try:
        told = json.loads(file.read_text("utf-8"))
    except FileNotFoundError:
        return Watch(file, level, period, ())
    except (OSError, ValueError) as error:
        raise FileError(f"{file} cannot be read: {error}", why=_WHY, fix=_fix(file)) from None
    try:
        if told["format"] != FORMAT or told["version"] != VERSION:
            raise KeyError("format")
        checks = tuple(Check(**{**each, "tests": tuple(each["tests"])}) for each in told["checks"])
        watch = Watch(file, float(told["level"]), float(told["period_days"]), checks)
        _ = [_seconds(check.at) for check in checks]
    except (KeyError, TypeError, ValueError):
        raise FileError(f"{file} is no watch of nearsense", why=_WHY, fix=_fix(file)) from None
    if (watch.level, watch.period) != (level, period):
        raise InputError(
            f"{file} holds a level of {watch.level:g} in {watch.period:g} days, not {level:g} in {period:g}",
            why="how much chance is spent cannot be changed while it is being spent",
            fix=f"go on with --level {watch.level:g} --period {watch.period:g}, or begin another file",
        )
    return watch


_WHY = "it says how much chance was spent, and without it no alarm could be trusted"


def _fix(file: Path) -> str:
    return f"name another file, or begin anew: rm {file}"


def _seconds(at: str) -> float:
    return datetime.fromisoformat(at).timestamp()


def _said(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds")
