"""A watch: how much chance each check may spend, and a file that goes on from day to day."""

from __future__ import annotations

import json

import numpy as np
import pytest

import nearsense as ns
from drifting import around, vectors
from nearsense.errors import FileError, InputError
from nearsense.monitoring.watching import DAY, open_watch

START = 1_700_000_000.0


@pytest.fixture(scope="module")
def pool():
    rows = around(5, [400] * 5, seed=21)
    return rows[np.random.default_rng(0).permutation(len(rows))]


def check(pool, rows, path, day, **how):
    return ns.drift(vectors(pool[rows]), vectors(pool[:100]), watch=path, at=START + day * DAY, **how)


def test_thirty_days_spend_the_level_together(pool, tmp_path):
    path = tmp_path / "watch.json"
    levels = [check(pool, slice(200 + day * 40, 240 + day * 40), path, day).check.level for day in range(4)]
    assert levels == pytest.approx([0.02 / 30] * 4)
    later = check(pool, slice(400, 440), path, 10).check
    assert later.level == pytest.approx(7 * 0.02 / 30), "a week that nobody checked is not lost"
    assert later.number == 5
    assert check(pool, slice(440, 480), path, 1000).check.level == pytest.approx(0.02), "never more than all"
    told = json.loads(path.read_text())
    assert (len(told["checks"]), told["rule"][:14]) == (6, "alpha spending")


def test_checks_every_hour_spend_no_more_than_one_a_day(pool, tmp_path):
    path = tmp_path / "watch.json"
    hourly = [
        check(pool, slice(200 + hour, 240 + hour), path, hour / 12, relabellings=250).check.level
        for hour in range(13)
    ]
    assert sum(hourly[1:]) == pytest.approx(0.02 / 30)


def test_the_same_texts_again_are_the_same_check(pool, tmp_path):
    path = tmp_path / "watch.json"
    first, again = (check(pool, slice(200, 240), path, day) for day in (0, 0.5))
    assert first.check == again.check
    assert len(open_watch(path, 0.02, 30).checks) == 1


def test_of_two_checks_at_once_one_is_refused_and_nothing_is_spent_twice(pool, tmp_path):
    path, done = tmp_path / "watch.json", []

    def meanwhile(*_):
        if not done:
            done.append(check(pool, slice(240, 280), path, 0).check)

    with pytest.raises(InputError, match="another check meanwhile"):
        check(pool, slice(200, 240), path, 0, progress=meanwhile)
    assert open_watch(path, 0.02, 30).checks == tuple(done)


def test_a_strong_drift_alarms_on_its_first_day(pool, tmp_path):
    path = tmp_path / "watch.json"
    assert not check(pool, slice(500, 900, 4), path, 0).check.alarm
    strange = around(6, [8, 8, 8, 8, 8, 40], seed=5)
    found = ns.drift(vectors(strange), vectors(pool[::4]), watch=path, at=START + DAY)
    assert found.check.alarm
    assert "topics" in found.check.tests
    assert found.check.p <= found.check.level == pytest.approx(0.02 / 30)


@pytest.mark.slow
def test_months_of_daily_checks_speak_falsely_no_oftener_than_promised(pool, tmp_path):
    """Ten months at a level that makes false alarms certain without the rule: 300 checks at 20 % would give 60."""
    random = np.random.default_rng(1)
    months = 0
    for month in range(10):
        rows, path = random.permutation(2000), tmp_path / f"{month}.json"
        reference = vectors(pool[rows[:100]])
        alarms = 0
        for day in range(30):
            now = vectors(pool[rows[100 + 30 * day : 130 + 30 * day]])
            found = ns.drift(now, reference, watch=path, at=START + day * DAY, level=0.2, relabellings=300)
            alarms += found.check.alarm
        months += alarms > 0
    assert months <= 6  # two are due at most; more than six come once in 1,000 times


def test_a_watch_goes_on_only_as_it_was_begun(pool, tmp_path):
    path = tmp_path / "watch.json"
    check(pool, slice(200, 240), path, 0)
    with pytest.raises(InputError, match=r"a level of 0\.02 in 30 days"):
        check(pool, slice(240, 280), path, 1, level=0.05)
    with pytest.raises(InputError, match=r"a level of 0\.02 in 30 days"):
        check(pool, slice(240, 280), path, 1, period=7)
    with pytest.raises(InputError, match="none has passed"):
        check(pool, slice(240, 280), path, -1)
    assert len(open_watch(path, 0.02, 30).checks) == 1


@pytest.mark.parametrize(
    "content", ["", "{", "[]", '{"format": "else"}', '{"format": "nearsense-watch", "version": 1}']
)
def test_a_file_that_is_no_watch_is_refused_and_stays_as_it_is(pool, tmp_path, content):
    path = tmp_path / "watch.json"
    path.write_text(content)
    with pytest.raises(FileError) as refused:
        check(pool, slice(200, 240), path, 0)
    assert f"rm {path}" in refused.value.fix
    assert path.read_text() == content


def test_what_fails_spends_nothing(pool, tmp_path):
    path = tmp_path / "watch.json"
    with pytest.raises(InputError, match="empty"):
        ns.drift([], ["a"], watch=path)
    assert not path.exists()
