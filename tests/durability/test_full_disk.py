"""A disk that is full, at any size: a clean error, reads go on, nothing acknowledged is lost, writes resume."""

from __future__ import annotations

import ast
import subprocess

import pytest

from durability.forks import Forks

pytestmark = pytest.mark.durability

DISK = 6 << 20
FREE = [*range(0, 70_000, 4096), *range(70_000, 600_000, 23_456), *range(600_000, 3_000_000, 300_000)]
"""Bytes that are free at the start: each kind of write meets the end at some of them."""
LIMITS = [*range(0, 1100, 100), *range(1100, 70_000, 5_000), *range(70_000, 1_500_000, 45_700)]
"""The most that a file may hold."""


def counts(said: list[str]) -> dict[str, int]:
    return dict(sorted(ast.literal_eval(said[-1].removeprefix("COUNTS ")).items()))


def test_a_full_disk_is_a_clean_error_and_loses_nothing(tmp_path):
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={DISK}", "tmpfs", str(tmp_path)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip(f"a small disk cannot be mounted here: {mounted.stderr.decode().strip()}")
    try:
        with Forks() as forks:
            said = forks.run("durability.full:on_small_disks", mount=str(tmp_path), sizes=FREE).ended_well().said
    finally:
        subprocess.run(["umount", "-l", str(tmp_path)], check=True)
    seen = counts(said)
    print(f"\n{len(FREE)} full disks: {seen}")
    assert seen["resumed"] == len(FREE)
    assert seen["write: DiskFull"] >= len(FREE) // 3


def test_a_file_that_may_not_grow_is_a_clean_error_and_loses_nothing(tmp_path):
    pytest.importorskip("resource")
    with Forks() as forks:
        said = forks.run("durability.full:with_small_files", base=str(tmp_path), sizes=LIMITS).ended_well().said
    seen = counts(said)
    print(f"\n{len(LIMITS)} limits on the size of files: {seen}")
    assert seen["resumed"] == len(LIMITS)
    assert seen["write: DiskFull"] >= len(LIMITS) // 3
