"""kill -9 while a watch is checked: no chance is spent twice, none is forgotten, and the file is always whole."""

from __future__ import annotations

import random

import pytest

from durability.forks import Forks
from nearsense.monitoring.watching import PERIOD, open_watch

pytestmark = pytest.mark.durability

KILLS = 30
LEVEL = 0.02


@pytest.fixture(scope="module")
def forks():
    with Forks() as server:
        yield server


def told(path):
    """What the file says of each check, as the child says it."""
    checks = open_watch(path, LEVEL, PERIOD).checks
    return [f"{number} {each.number} {each.level!r} {each.p!r}" for number, each in enumerate(checks)]


def test_after_any_kill_the_watch_holds_every_check_that_was_said_each_once(forks, tmp_path):
    path, chance, heard = tmp_path / "watch.json", random.Random(4), []
    for _ in range(KILLS):
        options = {"path": str(path), "day": max(len(heard) - 1, 0)}
        outcome = forks.run("durability.checking:check", after=0.5 * chance.random(), **options)
        assert outcome.killed, "\n".join(outcome.said[-30:])
        said = [line for line in outcome.said if line.count(" ") == 3]
        if heard and said:
            assert said[0] == heard[-1], "a day that is checked again is the same check"
        kept = told(path) if path.exists() else []
        heard = [*heard, *said[bool(heard) :]]
        assert kept[: len(heard)] == heard
        assert len(kept) <= len(heard) + 1, "one may be written and not yet said"
        heard = kept
    checks = open_watch(path, LEVEL, PERIOD).checks
    assert len(checks) > KILLS
    assert sum(each.level for each in checks) == pytest.approx(len(checks) * LEVEL / PERIOD)
    print(f"\n{KILLS} kills, {len(checks):,} checks")


@pytest.mark.parametrize(("when", "kept"), [("before", 2), ("after", 3)])
def test_a_kill_beside_the_renaming_leaves_the_old_file_or_the_new_one(forks, tmp_path, when, kept):
    options = {"path": str(tmp_path / "watch.json"), "until": 3}
    forks.run("durability.checking:check", day=0, **options | {"until": 2}).ended_well()
    assert forks.run("durability.checking:check", day=2, die=when, **options).killed
    assert len(told(tmp_path / "watch.json")) == kept
    again = forks.run("durability.checking:check", day=2, **options).ended_well()
    assert told(tmp_path / "watch.json")[2:] == again.said
    last = open_watch(tmp_path / "watch.json", LEVEL, PERIOD).checks[-1]
    assert (last.number, last.level) == (3, pytest.approx(LEVEL / PERIOD))
