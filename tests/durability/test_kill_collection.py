"""As test_kill.py, for a whole collection: builds, compaction, backups, syncs, another model: all are killed."""

from __future__ import annotations

import random
import time
from collections import Counter

import pytest

from durability.forks import Forks
from durability.keeper import checked, script
from durability.truth import MAPPED, Truth, vectors_of
from durability.writer import acknowledged

pytestmark = pytest.mark.durability

RANDOM_KILLS = 100
POINT_KILLS = 8
POINTS = (
    "rows.before", "rows.after", "commit.before", "commit.after", "mark.before", "mark.after",
    "generation.before-rename", "generation.after-rename", "generation.after-commit",
    "compact.before-vacuum", "compact.after-vacuum", "backup.before-rename", "backup.after-rename",
)  # fmt: skip


@pytest.fixture(scope="module")
def forks():
    with Forks() as server:
        yield server


def killed(forks, folder, seed: int, now: int, counts: Counter, **how) -> int:
    """Let a writer die, look at what is there and at every backup; how many batches are there now."""
    lines = script(seed)
    outcome = forks.run(
        "durability.keeper:write", folder=str(folder), seed=seed, done=now, batches=10_000, upkeep=2, **how
    )
    assert outcome.killed, "\n".join(outcome.said[-30:])
    counts["kills"] += 1
    if not folder.exists():
        return now
    kept = max(now, acknowledged(outcome.said))
    kept += checked(folder, [lines.truth(kept), lines.truth(kept + 1)])
    for line in outcome.said:
        if line.startswith("backup "):
            number = int(line.split()[1])
            backup = folder.with_name(f"{folder.name}-backup-{number}-{now}")
            assert backup.exists() or f"backed up {number}" not in outcome.said
            if backup.exists():
                checked(backup, [lines.truth(number)])
                counts["backups"] += 1
    generations = folder / "generations"
    counts["generations"] += sum(1 for _ in generations.iterdir()) if generations.exists() else 0
    return kept


def test_nothing_is_lost_when_a_keeper_is_killed_at_any_moment(forks, tmp_path):
    counts, chance, start = Counter(), random.Random(6), time.monotonic()
    for life in range(4):
        now = 0
        for _ in range(RANDOM_KILLS // 4):
            now = killed(forks, tmp_path / f"c{life}", life, now, counts, kill_after=0.02 + chance.random() * 0.4)
        counts["batches"] += now
    assert counts["batches"] > RANDOM_KILLS, "the kills came before there was work"
    took = time.monotonic() - start
    print(f"\n{RANDOM_KILLS} kills at random moments in {took:.0f} s: {dict(counts)}; lost 0, torn 0")


@pytest.mark.parametrize("point", POINTS)
def test_nothing_is_lost_when_a_keeper_is_killed_at_a_point(forks, tmp_path, point):
    counts, now = Counter(), 0
    for kill in range(POINT_KILLS):
        now = killed(forks, tmp_path / "c", 77, now, counts, point=point, nth=kill % 2 + 1 + 2 * (kill == 0))
    print(f"\n{point}: {dict(counts)}, {now} batches; lost 0, torn 0")


@pytest.mark.parametrize("point", ["rows.before", "rows.after", "commit.after", "mark.after"])
def test_an_interrupted_sync_leaves_whole_documents_and_goes_on(forks, tmp_path, point):
    lines, kills = script(5), 0
    for nth in (1, 2, 3):
        folder, old, new = tmp_path / f"c{nth}", lines.truth(30), lines.truth(45)
        forks.run("durability.keeper:write", folder=str(folder), seed=5, done=0, batches=30).ended_well()
        died = forks.run("durability.keeper:sync", folder=str(folder), seed=5, number=45, point=point, nth=nth)
        kills += died.killed
        steps = [Truth(rows) for rows in _between(old.rows, new.rows)]
        checked(folder, steps)
        forks.run("durability.keeper:sync", folder=str(folder), seed=5, number=45).ended_well()
        checked(folder, [new])
    print(f"\n{point}: {kills} syncs killed; each went on to its end")
    assert kills


def _between(old: dict, new: dict) -> list[dict]:
    """What a sync may leave: everything old; then new metadata; then new documents; then without the removed."""
    kept = {id_: row for id_, row in new.items() if id_ in old and old[id_][0] == row[0]}
    return [old, {**old, **kept}, {**old, **new}, new]


@pytest.mark.parametrize("point", ["commit.before", "commit.after", "mark.after"])
@pytest.mark.parametrize("nth", [1, 2, 3, 4, 99])
@pytest.mark.parametrize("model", [1, MAPPED], ids=["encoded", "mapped"])
def test_an_interrupted_change_of_the_model_has_one_model_and_goes_on(forks, tmp_path, model, point, nth):
    lines, folder = script(6), tmp_path / "c"
    forks.run("durability.keeper:write", folder=str(folder), seed=6, done=0, batches=12, upkeep=6).ended_well()
    old = lines.truth(12)
    new = Truth(
        {
            id_: (text, metadata, vectors_of([text], model)[0].tobytes())
            for id_, (text, metadata, _) in old.rows.items()
        }
    )
    nth = nth if nth < 99 else 2 + -(-len(old.rows) // 5)  # the last commit: the swap
    died = forks.run("durability.keeper:reembed", folder=str(folder), model=model, point=point, nth=nth)
    assert died.killed
    swapped = point != "commit.before" and nth == 2 + -(-len(old.rows) // 5)
    checked(folder, [new if swapped else old], model=model if swapped else 0)
    forks.run("durability.keeper:reembed", folder=str(folder), model=model).ended_well()
    checked(folder, [new], model=model)
