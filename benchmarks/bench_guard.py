"""How many pairs a second the guard looks at, beside an older state of it on the same core in the same moments.

    python benchmarks/bench_guard.py PAIRS.jsonl.gz COMMIT

PAIRS: lines with texts "a" and "b". COMMIT: the state that this one is compared with. A shared machine is easily
twice as slow in one moment as in another: the two, each in a process of its own and both on one core, take turns
of a hundred pairs each, and of each hundred the least time counts.
"""

from __future__ import annotations

import gzip
import io
import json
import os
import statistics
import subprocess
import sys
import tarfile
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).parent.parent
SLICE = 100
ROUNDS = 10


def main(pairs: str, commit: str) -> None:
    """Print the speed of both states, and their ratio."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    with tempfile.TemporaryDirectory() as folder:
        archive = subprocess.run(["git", "archive", commit, "src"], cwd=HERE, check=True, capture_output=True)
        with tarfile.open(fileobj=io.BytesIO(archive.stdout)) as files:
            files.extractall(folder, filter="data")
        sides = {commit: _started(Path(folder) / "src", pairs), "this state": _started(HERE / "src", pairs)}
        counts = [int(_line(side)) for side in sides.values()]
        starts = range(0, counts[0], SLICE)
        rounds = [{at: [_asked(side, at) for side in sides.values()] for at in starts} for _ in range(ROUNDS)]
        for side in sides.values():
            side.communicate()
    for which, name in enumerate(sides):
        least = sum(min(each[at][which] for each in rounds) for at in starts)
        print(f"{name:12} {counts[0] / least:8,.0f} pairs/s")
    ratios = [sum(old for old, _ in each.values()) / sum(new for _, new in each.values()) for each in rounds]
    spread = f"{min(ratios):.2f} to {max(ratios):.2f}"
    print(f"ratio        {statistics.median(ratios):8.2f}  (median of {ROUNDS} rounds, {spread})")


def serve(pairs: str) -> None:
    """Answer each start of a slice with the seconds that its pairs take."""
    from nearsense.guard import differences_many

    with gzip.open(pairs, "rt", encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    lefts, rights = [row["a"] for row in rows], [row["b"] for row in rows]
    differences_many(lefts, rights)
    print(len(rows), flush=True)
    for line in sys.stdin:
        part = slice(int(line), int(line) + SLICE)
        start = time.thread_time()
        differences_many(lefts[part], rights[part])
        print(time.thread_time() - start, flush=True)


def _started(source: Path, pairs: str) -> subprocess.Popen[str]:
    """A process that serves one state."""
    return subprocess.Popen(
        [sys.executable, __file__, "--serve", pairs],
        env={**os.environ, "PYTHONPATH": str(source)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def _line(side: subprocess.Popen[str]) -> str:
    assert side.stdout is not None
    return side.stdout.readline()


def _asked(side: subprocess.Popen[str], start: int) -> float:
    assert side.stdin is not None
    print(start, file=side.stdin, flush=True)
    return float(_line(side))


if __name__ == "__main__":
    serve(sys.argv[2]) if sys.argv[1] == "--serve" else main(*sys.argv[1:])
