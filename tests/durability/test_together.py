"""Many writers and readers at once, as processes and as threads: no update is lost, a reader sees one moment."""

from __future__ import annotations

import ast

import pytest

from durability.forks import Forks

WRITERS, READERS = 4, 8
LONG, SHORT = 60, 2
"""Seconds."""
LONGEST_WAIT = 1.0


@pytest.mark.parametrize("kind", ["processes", "threads"])
@pytest.mark.parametrize("seconds", [SHORT, pytest.param(LONG, marks=pytest.mark.durability)])
def test_no_update_is_lost_and_every_reader_sees_one_moment(tmp_path, kind, seconds):
    with Forks() as forks:
        outcome = forks.run(
            f"durability.together:{kind}", folder=str(tmp_path / "c"), writers=WRITERS, readers=READERS,
            seconds=seconds, limit=seconds + 60,
        )  # fmt: skip
    wrong = [line for line in outcome.said if line.startswith("WRONG")]
    assert not wrong, wrong[:3]
    end = ast.literal_eval(outcome.ended_well().said[-1].removeprefix("END "))
    writers = [line.split()[1:] for line in outcome.said if line.startswith("WRITER")]
    readers = [line.split()[1:] for line in outcome.said if line.startswith("READER")]
    assert (len(writers), len(readers)) == (WRITERS, READERS)
    changes = {number: int(count) for number, count, *_ in writers}
    assert end == {**changes, "shared": sum(changes.values())}
    longest = max(float(row[4]) for row in writers)
    print(
        f"\n{kind}, {seconds} s: {sum(changes.values())} changes by {WRITERS} writers"
        f" ({min(changes.values())} to {max(changes.values())} each);"
        f" wait p50 {1e3 * max(float(row[2]) for row in writers):.1f} ms,"
        f" p99 {1e3 * max(float(row[3]) for row in writers):.1f} ms, longest {1e3 * longest:.1f} ms;"
        f" {sum(int(row[0]) for row in readers)} snapshots by {READERS} readers,"
        f" p50 {1e3 * max(float(row[1]) for row in readers):.1f} ms,"
        f" p99 {1e3 * max(float(row[2]) for row in readers):.1f} ms"
    )
    assert longest < LONGEST_WAIT
