"""A writer dies at any moment, hundreds of times: nothing acknowledged is lost, nothing is half there."""

from __future__ import annotations

import random
import time
from collections import Counter
from pathlib import Path

import pytest

from durability.forks import Forks
from durability.truth import Script
from durability.writer import acknowledged, look, same
from nearsense.store import open_store
from nearsense.store.tables import MIGRATIONS

pytestmark = pytest.mark.durability

RANDOM_KILLS = 250
POINT_KILLS = 10
"""At each point."""
STORE_POINTS = (
    "rows.before", "rows.after", "commit.before", "commit.after", "mark.before", "mark.after",
    "compact.before-vacuum", "compact.after-vacuum",
)  # fmt: skip
SECOND = "CREATE TABLE extra (a INTEGER) STRICT; INSERT INTO extra SELECT position FROM documents;"


@pytest.fixture(scope="module")
def forks():
    with Forks() as server:
        yield server


class Tally:
    """Counts what was seen; looks at a folder after each death."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()

    def look(self, folder: Path, script: Script, before: int, said: list[str]) -> int:
        kept = max(before, acknowledged(said))
        store = open_store(folder)
        try:
            with store.reading() as reader:
                now = reader.sequence()
            found = look(store)
            assert now in (kept, kept + 1), f"{kept} batches were acknowledged, {now} are there"
            assert same(found, script.truth(now)), f"what is there is not what batch {now} left"
            assert store.integrity() == []
        finally:
            store.close()
        self.counts["kills"] += 1
        self.counts["batches"] += now - before
        self.counts["kept, not yet acknowledged"] += now - kept
        return now


def test_nothing_is_lost_when_a_writer_is_killed_at_any_moment(forks, tmp_path):
    tally, chance, start = Tally(), random.Random(5), time.monotonic()
    died = 0
    for life in range(10):
        folder, script, now = tmp_path / f"c{life}", Script(life), 0
        for _ in range(RANDOM_KILLS // 10):
            outcome = forks.run(
                "durability.writer:write", folder=str(folder), seed=life, batches=10_000,
                kill_after=chance.random() ** 2 * 0.25, compact_every=7, checkpoint_every=5,
            )  # fmt: skip
            assert outcome.killed, outcome.said[-5:]
            died += 1
            if not folder.exists():
                continue
            now = tally.look(folder, script, now, outcome.said)
    assert died == RANDOM_KILLS < tally.counts["batches"], "the kills came before there was work"
    took = time.monotonic() - start
    print(f"\n{died} kills at random moments in {took:.0f} s: {dict(tally.counts)}; lost 0, torn 0")


@pytest.mark.parametrize("point", STORE_POINTS)
def test_nothing_is_lost_when_a_writer_is_killed_at_a_point(forks, tmp_path, point):
    tally, script, now = Tally(), Script(99), 0
    for kill in range(POINT_KILLS):
        outcome = forks.run(
            "durability.writer:write", folder=str(tmp_path / "c"), seed=99, batches=200, point=point,
            nth=kill % 3 + 1, compact_every=4,
        )  # fmt: skip
        assert outcome.killed, outcome.said[-5:]
        now = tally.look(tmp_path / "c", script, now, outcome.said)
    print(f"\n{point}: {dict(tally.counts)}; lost 0, torn 0")


@pytest.mark.parametrize("point", ["migration.before", "migration.after"])
def test_a_migration_is_whole_or_has_not_begun(forks, tmp_path, point):
    """Also the first one, which makes the tables of a new collection."""
    script = Script(3)
    for kill in range(POINT_KILLS):
        folder = tmp_path / f"c{kill}"
        died = forks.run("durability.writer:write", folder=str(folder), seed=3, batches=3, point=point)
        assert died.killed
        now = Tally().look(folder, script, 0, died.said)
        assert now == 0
        forks.run("durability.writer:write", folder=str(folder), seed=3, batches=5 + kill).ended_well()
        died = forks.run(
            "durability.writer:write", folder=str(folder), seed=3, batches=1, point=point, migration=SECOND
        )
        assert died.killed
        done = forks.run("durability.writer:write", folder=str(folder), seed=3, batches=2, migration=SECOND)
        assert acknowledged(done.ended_well().said) == 7 + kill
        rows = forks.run("durability.writer:extra_rows", folder=str(folder)).ended_well().said
        assert rows == [str(len(MIGRATIONS) + 1), str(len(script.truth(5 + kill).rows))]
    print(f"\n{point}: {2 * POINT_KILLS} kills; each migration is whole")
