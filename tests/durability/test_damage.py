"""Files that were damaged while nobody looked: each damage is named, or changes nothing. Never a wrong answer."""

from __future__ import annotations

import ast
import shutil
import tempfile
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from durability.damage import cases, files_of
from durability.forks import Forks

pytestmark = pytest.mark.durability

RANDOM_CASES = 500
"""A file, beside every bit of its headers."""
RANDOM_OF_DERIVED = 45
SHARE = 100
"""Cases a child."""


@pytest.fixture
def memory(tmp_path):
    base = Path("/dev/shm")
    folder = Path(tempfile.mkdtemp(dir=base if base.is_dir() else tmp_path))
    yield folder
    shutil.rmtree(folder)


@pytest.mark.parametrize("ending", ["closed", "killed", "killed after a checkpoint"])
def test_every_damage_is_named_or_harmless(memory, ending):
    folder = memory / "c"
    with Forks() as forks:
        written = forks.run(
            "durability.writer:write", folder=str(folder), seed=8, batches=30, close=ending == "closed",
            checkpoint_every=20 if "checkpoint" in ending else 0, kill_at_end=ending != "closed",
        )  # fmt: skip
    assert written.said[-1] == ("closed" if ending == "closed" else "kept 30")
    assert (folder / "collection.db-wal").exists() == (ending != "closed")
    tried(memory, ending, now=30, random_cases=RANDOM_CASES)


@pytest.mark.parametrize("index", ["exact", "hnsw"])
def test_every_damage_of_a_collection_is_named_healed_or_harmless(memory, index):
    with Forks() as forks:
        forks.run(
            "durability.keeper:furnish", folder=str(memory / "c"), seed=8, batches=60, index=index, tail=10
        ).ended_well()
    tried(memory, f"with derived files, {index}", now=70, random_cases=RANDOM_OF_DERIVED, whole=True)


def tried(memory: Path, what: str, *, random_cases: int, **options) -> None:
    """Harm each file of the collection in many ways, in children; nothing may be wrong."""
    start, folder = time.monotonic(), memory / "c"
    files = files_of(folder)
    total = sum(1 for _ in cases(files, 8, random_cases, every_bit="whole" not in options))

    def judged(first: int) -> list[str]:
        with Forks() as forks:
            said = []
            for begin in range(first, total, 2 * SHARE):
                outcome = forks.run(
                    "durability.damage:judge", folder=str(folder), workplace=str(memory), seed=8,
                    random_cases=random_cases, start=begin, stop=begin + SHARE, limit=600, **options,
                )  # fmt: skip
                if outcome.status != 0:
                    said.append(f"WRONG status {outcome.status} in {outcome.said[-1]}")
                said += outcome.said
            return said

    with ThreadPoolExecutor(2) as pool:
        said = [line for part in pool.map(judged, (0, SHARE)) for line in part]
    wrong = [line for line in said if line.startswith("WRONG")]
    counts = sum((Counter(ast.literal_eval(line[7:])) for line in said if line.startswith("COUNTS")), Counter())
    print(
        f"\n{what}: {sum(counts.values())} damages in {time.monotonic() - start:.0f} s:"
        f" {dict(sorted(counts.items()))}"
    )
    print(f"files: {files}; wrong: {len(wrong)}")
    assert not wrong, "\n".join(wrong[:40])
    assert sum(counts.values()) == total >= 500
