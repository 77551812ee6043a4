"""A power cut at any moment: whatever a disk may lose of what was not synced, nothing acknowledged is lost."""

from __future__ import annotations

import ast
import shutil
import tempfile
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from durability.forks import Forks

pytestmark = pytest.mark.durability

BATCHES = 60
MOODS = {"nothing": 1, "everything": 1, "prefix": 2, "shuffled": 3}
LEAST = 2_000
PARTS = 2


@pytest.fixture
def memory(tmp_path):
    """A folder in memory where there is one: thousands of images are laid out."""
    base = Path("/dev/shm")
    if not base.is_dir():
        yield tmp_path
        return
    folder = Path(tempfile.mkdtemp(dir=base))
    yield folder
    shutil.rmtree(folder)


def cuts(memory: Path, seed: int, **options) -> tuple[list[str], Counter[str]]:
    """What was wrong, and how much was tried."""
    start, log = time.monotonic(), str(memory / "log")
    with Forks() as forks:
        recorded = forks.run(
            "durability.power:record", folder=str(memory / "c"), log=log, seed=seed, **options
        ).ended_well()

    def judged(part: int) -> list[str]:
        with Forks() as forks:
            return forks.run(
                "durability.power:judge", log=log, workplace=str(memory), seed=seed, each=MOODS, part=part,
                parts=PARTS, limit=600,
            ).ended_well().said  # fmt: skip

    with ThreadPoolExecutor(PARTS) as pool:
        said = [line for part in pool.map(judged, range(PARTS)) for line in part]
    wrong = [line for line in said if line.startswith("WRONG")]
    counts = sum((Counter(ast.literal_eval(line[7:])) for line in said if line.startswith("COUNTS")), Counter())
    print(f"\nrecorded {recorded.said[0]}; in {time.monotonic() - start:.0f} s: {dict(counts)}")
    return wrong, counts


@pytest.mark.parametrize(("seed", "pages"), [(1, 30), (2, 4096)])
def test_nothing_acknowledged_is_lost_in_a_power_cut(memory, seed, pages):
    wrong, counts = cuts(memory, seed, batches=BATCHES, checkpoint_pages=pages)
    assert not wrong, "\n".join(wrong[:20])
    assert counts["images"] >= LEAST


@pytest.mark.parametrize("careless", ["no sync", "mark first"])
def test_a_careless_store_would_be_noticed(memory, careless):
    """The crashes are hard enough: a store without a sync at each commit, or that marks too soon, loses."""
    wrong, _ = cuts(memory, 3, batches=12, checkpoint_pages=30, careless=careless)
    assert any("lost commits" in line for line in wrong)
