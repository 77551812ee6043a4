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
from durability.damage import cases
from durability.forks import Forks

pytestmark = pytest.mark.durability

RANDOM_CASES = 500
"""A file, beside every bit of its headers."""
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
    start, folder = time.monotonic(), memory / "c"
    with Forks() as forks:
        written = forks.run(
            "durability.writer:write", folder=str(folder), seed=8, batches=30, close=ending == "closed",
            checkpoint_every=20 if "checkpoint" in ending else 0, kill_at_end=ending != "closed",
        )  # fmt: skip
    assert written.said[-1] == ("closed" if ending == "closed" else "kept 30")
    files = {each.name: each.stat().st_size for each in sorted(folder.iterdir())}
    assert ("collection.db-wal" in files) == (ending != "closed")
    total = sum(1 for _ in cases(files, 8, RANDOM_CASES))

    def judged(first: int) -> list[str]:
        with Forks() as forks:
            said = []
            for begin in range(first, total, 2 * SHARE):
                outcome = forks.run(
                    "durability.damage:judge", folder=str(folder), workplace=str(memory), seed=8, now=30,
                    random_cases=RANDOM_CASES, start=begin, stop=begin + SHARE,
                )  # fmt: skip
                if outcome.status != 0:
                    said.append(f"WRONG status {outcome.status} in {outcome.said[-1]}")
                said += outcome.said
            return said

    with ThreadPoolExecutor(2) as pool:
        said = [line for part in pool.map(judged, (0, SHARE)) for line in part]
    wrong = [line for line in said if line.startswith("WRONG")]
    counts = sum((Counter(ast.literal_eval(line[7:])) for line in said if line.startswith("COUNTS")), Counter())
    print(f"\n{ending}: {sum(counts.values())} damages in {time.monotonic() - start:.0f} s: {dict(sorted(counts.items()))}")
    print(f"files: {files}; wrong: {len(wrong)}")
    assert not wrong, "\n".join(wrong[:40])
    assert sum(counts.values()) == total >= 1_500
