"""Children of test_full_disk.py: they write until nothing fits, look, and go on when there is room again."""

from __future__ import annotations

import resource
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np

from durability.truth import Script
from durability.writer import apply, look, same
from nearsense.errors import DiskFull, NearsenseError, StoreError
from nearsense.store import open_store
from nearsense.store.generations import Draft

Say = Callable[[str], None]
ROOM = 4 << 20


def on_small_disks(say: Say, mount: str, sizes: list[int]) -> None:
    """The disk has been filled up to some bytes; afterwards there is room."""
    disk, seen = Path(mount), Counter()
    for size in sizes:
        folder, ballast = disk / f"c{size}", disk / "ballast"
        before = _begun(folder, size)
        _fill(ballast, leave=size)
        _until_full(folder, size, before, seen, room=lambda ballast=ballast: ballast.unlink())
        for each in sorted(folder.rglob("*"), reverse=True):
            each.unlink() if each.is_file() else each.rmdir()
        folder.rmdir()
    say(f"COUNTS {dict(seen)!r}")


def with_small_files(say: Say, base: str, sizes: list[int]) -> None:
    """No file may grow beyond some bytes; afterwards it may."""
    seen, (_, hard) = Counter(), resource.getrlimit(resource.RLIMIT_FSIZE)
    for size in sizes:
        folder = Path(base) / f"c{size}"
        before = _begun(folder, size)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
        _until_full(
            folder, size, before, seen, room=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
        )
    say(f"COUNTS {dict(seen)!r}")


def _fill(ballast: Path, *, leave: int) -> None:
    """Write a file until the disk is full, and cut it by what shall be free."""
    with ballast.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError:
            size = file.tell()
        file.truncate(max(0, size - leave))


def _begun(folder: Path, size: int) -> int:
    """Every second collection was there before, with so many batches, closed."""
    if size // 100 % 2:
        return 0
    store = open_store(folder)
    for number in range(1, 21):
        apply(store, Script(size, size=4).batch(number))
    store.close()
    return 20


def _until_full(folder: Path, size: int, done: int, seen: Counter, room: Callable[[], None]) -> None:
    script, store, sort = Script(size, size=4), None, "existing" if done else "new"
    try:
        try:
            store = open_store(folder)
        except StoreError as error:
            seen[f"open {sort}: {type(error).__name__}"] += 1
        while store is not None and done < 400:
            try:
                apply(store, script.batch(done + 1))
                done += 1
            except StoreError as error:
                seen[f"write: {type(error).__name__}"] += 1
                if not isinstance(error, DiskFull):
                    raise
                break
        if store is not None:
            for _ in range(2):  # a failure leaves the store in order, however often
                assert same(look(store), script.truth(done)), f"at {size}: what was kept is not there"
                try:
                    apply(store, script.batch(done + 1))
                    done += 1
                except DiskFull:
                    seen["write again: DiskFull"] += 1
            _upkeep(store, folder, seen)
            assert same(look(store), script.truth(done)), f"at {size}: upkeep lost something"
    finally:
        room()
    if store is None:
        store = open_store(folder)
        assert same(look(store), script.truth(done)), f"at {size}: what was there is gone"
    for _ in range(3):
        apply(store, script.batch(done + 1))
        done += 1
    store.vacuum()
    assert same(look(store), script.truth(done)), f"at {size}: lost after there was room"
    assert store.integrity() == []
    store.close()
    store = open_store(folder)
    assert same(look(store), script.truth(done)), f"at {size}: lost after opening again"
    store.close()
    seen["resumed"] += 1
    seen["batches"] += done


def _backup(store, folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    store.backup(folder)


def _upkeep(store, folder: Path, seen: Counter) -> None:
    """Everything else that writes."""
    for name, work in (
        ("vacuum", store.vacuum),
        ("checkpoint", store.checkpoint),
        ("backup", lambda: _backup(store, folder / "backup")),
        ("draft", lambda: _draft(folder)),
        ("open", lambda: open_store(folder).close()),
    ):
        try:
            work()
            seen[f"{name}: fits"] += 1
        except NearsenseError as error:
            seen[f"{name}: {type(error).__name__}"] += 1
            if not isinstance(error, StoreError):
                raise
    shutil.rmtree(folder / "backup", ignore_errors=True)


def _draft(folder: Path) -> None:
    draft = Draft(folder)
    try:
        draft.save("rows", np.zeros(1000))
        draft.finish("made")
        shutil.rmtree(folder / "generations" / "made")
    finally:
        draft.discard()
