"""As test_full_disk.py, for a whole collection: adding, building, compacting and backing up without room."""

from __future__ import annotations

import subprocess

import numpy as np
import pytest

import nearsense as ns
from fakes import HashEncoder

pytestmark = pytest.mark.durability

DISK = 8 << 20
FREE = [*range(4096, 200_000, 20_000), *range(200_000, 6_000_000, 400_000)]
"""Bytes that are free when the work begins."""


@pytest.fixture
def disk(tmp_path):
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={DISK}", "tmpfs", str(tmp_path)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip(f"a small disk cannot be mounted here: {mounted.stderr.decode().strip()}")
    yield tmp_path
    subprocess.run(["umount", "-l", str(tmp_path)], check=True)


def test_a_collection_on_a_full_disk_answers_loses_nothing_and_goes_on(disk):
    encoder, said = HashEncoder(64), {"kept": 0, "full": 0}
    for free in FREE:
        path = disk / f"c{free}"
        with ns.open(path, encoder=encoder) as collection:
            collection.add([ns.Document("first", "the first text")])
            ballast = disk / "ballast"
            ballast.write_bytes(bytes(max(0, room(disk) - free)))
            acknowledged = ["first"]
            for batch in range(6):
                documents = [ns.Document(f"{batch}-{row}", f"text {batch} {row} " * 20) for row in range(200)]
                for work in (lambda d=documents: collection.add(d), collection.build, collection.compact):
                    try:
                        done = work()
                        said["kept"] += 1
                        if done:
                            acknowledged += [document.id for document in documents]
                    except ns.errors.DiskFull:
                        said["full"] += 1
                    assert collection.count() == len(acknowledged), free
                    assert collection.search("the first text", k=1)[0].id == "first", free
                    assert collection.search("first", k=1, mode="lexical")[0].id == "first", free
            try:
                collection.backup(disk / "copy")
            except ns.errors.DiskFull:
                assert not list(disk.glob("copy*")), free
            ballast.unlink()
            collection.add([ns.Document("last", "the last text")])
            collection.compact()
            assert all(collection.get([*acknowledged, "last"])), free
            assert collection.verify().ok
            scores = [hit.score for hit in collection.search("the last text", k=3, exact=True)]
            assert np.allclose(scores[0], 1, atol=1e-6)
        subprocess.run(["rm", "-rf", str(path), str(disk / "copy")], check=True)
    print(f"\n{len(FREE)} full disks: {said}")
    assert said["full"] >= len(FREE)
    assert said["kept"] >= len(FREE)


def room(disk) -> int:
    import os

    there = os.statvfs(disk)
    return there.f_bavail * there.f_frsize
