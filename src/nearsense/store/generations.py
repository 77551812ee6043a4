"""Derived files: immutable, written aside, on the disk before they count, checked before anything parses them.

What is in them is the collection's affair. A set of them is one folder, a *generation*; the database says which
one is in use, and the size and SHA-256 of each file. Whatever is missing or does not fit is made again.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
import re
import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from nearsense._folder import Folder, Refused, flush
from nearsense.errors import DiskFull, FileError, NearsenseError, StoreError
from nearsense.store.lock import FULL, unwritable

if TYPE_CHECKING:
    from numpy.typing import NDArray

GENERATIONS, BUILDER = "generations", "builder.lock"
"""What a collection calls the folder of its generations, and the lock of who makes them."""
_OURS = re.compile(r"\d{10,}-[0-9a-f]{8}|draft-[0-9a-f]{8}")
"""What is deleted in that folder; whatever else lies there is not ours."""
_FILE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
SMALL = 4096
"""Bytes up to which a file is read instead of mapped into memory."""


@dataclass(frozen=True, slots=True)
class Generation:
    """A set of derived files, and the commit that they were made at: its number and the next position then."""

    name: str
    sequence: int
    position: int
    manifest: dict[str, Any] = field(default_factory=dict)


class DamagedGeneration(NearsenseError):
    """A derived file of a generation is missing or is not what was written; users never see it."""

    def __init__(self, what: str, *, generation: str, why: str = "") -> None:
        super().__init__(what, why=why)
        self.generation = generation


def new_name(sequence: int) -> str:
    """A new name for the generation of a commit."""
    return f"{sequence:010d}-{secrets.token_hex(4)}"


class Draft:
    """A generation of a collection's folder that is being made, in one that is its owner's until finished."""

    def __init__(self, collection: Path) -> None:
        self._collection, self._name = collection, f"draft-{secrets.token_hex(4)}"
        self._open = contextlib.ExitStack()
        with _disk(collection), contextlib.ExitStack() as opened:
            folder = opened.enter_context(Folder(collection))
            self._generations = opened.enter_context(folder.reached(GENERATIONS))
            self._generations.make(self._name, private=True)
            self._folder = opened.enter_context(self._generations.within(self._name))
            self._open = opened.pop_all()
        self.path = self._folder.place()

    def save(self, name: str, array: NDArray[Any]) -> None:
        """Write an array as `name`.npy."""
        with self.opened(f"{name}.npy") as file:
            np.save(file, array)

    @contextlib.contextmanager
    def file(self, name: str) -> Iterator[Path]:
        """The path of a file that somebody else writes."""
        with _disk(self._collection):
            yield self.path / name

    @contextlib.contextmanager
    def opened(self, name: str) -> Iterator[BinaryIO]:
        """A file to be written from its beginning to its end."""
        with _disk(self._collection), self._folder.file(name, "xb") as file:
            yield file

    def finish(self, name: str) -> dict[str, dict[str, Any]]:
        """Bring everything to the disk, give the folder its name; returns size and SHA-256 of each file."""
        manifest = {}
        with _disk(self._collection):
            self._folder.share_as(self._generations)
            for each in self._folder.names():
                with self._folder.file(each, "rb") as opened:
                    flush(opened.fileno())
                    size = opened.seek(0, os.SEEK_END)
                manifest[each] = {"bytes": size, "sha256": self._folder.sha256(each)}
            self._folder.sync()
            crash_point("generation.before-rename")
            self._generations.rename(self._name, name)
            self._generations.sync()
            crash_point("generation.after-rename")
        return manifest

    def discard(self) -> None:
        """Remove it, if it has not got its name, and let go of its folder."""
        with self._open:
            self._generations.remove(self._name)


class Files:
    """The files of a generation in its folder, each checked before its first use against size and SHA-256."""

    def __init__(self, folder: Path, manifest: dict[str, dict[str, Any]]) -> None:
        self._folder, self._manifest = folder, manifest
        if not _OURS.fullmatch(folder.name) or not all(map(_FILE.fullmatch, manifest)):
            raise self._damaged(f"{folder} holds files of strange names", "no generation is called so")
        with (
            self._readable(folder.name),
            Folder(folder.parent) as generations,
            generations.within(folder.name) as opened,
        ):
            opened.require(*manifest)
            sizes = {name: getattr(opened.status(name), "st_size", None) for name in manifest}
        for name, known in manifest.items():
            if sizes[name] is None:
                raise self._damaged(f"{folder / name} is missing")
            if sizes[name] != known["bytes"]:
                raise self._damaged(f"{folder / name} has {sizes[name]:,} bytes instead of {known['bytes']:,}")
        self.array = functools.lru_cache(maxsize=None)(self._array)
        self.checked = functools.lru_cache(maxsize=None)(self._checked)

    def names(self) -> list[str]:
        """The names of all files."""
        return list(self._manifest)

    def unchecked(self, name: str) -> Path:
        """The path of a file whose contents are checked by whoever reads them."""
        return self._folder / name

    def arrays(self, prefix: str) -> dict[str, NDArray[Any]]:
        """The arrays whose names start like that, by the rest of their names."""
        found = [name.removesuffix(".npy") for name in self._manifest if name.startswith(prefix)]
        return {name.removeprefix(prefix): self.array(name) for name in found}

    def _array(self, name: str) -> NDArray[Any]:
        """An array, mapped into memory."""
        path = self.checked(f"{name}.npy")
        with self._readable(name):
            mapped = path.stat().st_size > SMALL  # nothing of no size can be mapped
            return np.load(path, mmap_mode="r" if mapped else None, allow_pickle=False)  # type: ignore[no-any-return]

    def _checked(self, name: str) -> Path:
        """The path of a file that is, byte for byte, what was written."""
        path = self._folder / name
        with self._readable(name), path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        if digest != self._manifest[name]["sha256"]:
            raise self._damaged(f"{path} is not what was written", "its SHA-256 is another")
        return path

    @contextlib.contextmanager
    def _readable(self, name: str) -> Iterator[None]:
        try:
            yield
        except (OSError, ValueError) as error:
            raise self._damaged(f"{name} cannot be read", str(error)) from None

    def _damaged(self, what: str, why: str = "") -> DamagedGeneration:
        return DamagedGeneration(what, generation=self._folder.name, why=why)


def clean_up(collection: Path, keep: str | None) -> None:
    """Remove every generation but one, and the drafts of who died; only for who builds alone.

    Only what has a name as generations and drafts have, only plain files in it, and nothing through a link.
    """
    with contextlib.suppress(OSError), Folder(collection) as folder, folder.within(GENERATIONS) as generations:
        for name in generations.names():
            if name != keep and _OURS.fullmatch(name):
                generations.remove(name)


@contextlib.contextmanager
def _disk(folder: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, FileError) as error:
        if isinstance(error, StoreError):
            raise
        if isinstance(error, Refused):
            raise unwritable(folder, error) from None
        full = isinstance(error, FileError) or error.errno in {*FULL, None}  # numpy numbers no write that is cut
        raise (DiskFull if full else StoreError)(
            f"{folder} cannot take the files of the index; no document is affected",
            why=error.why if isinstance(error, FileError) else error.strerror or str(error),
            fix="free some space on the disk; the index is made at the next chance"
            if full
            else "check the folder",
        ) from None


CRASH_POINTS = (
    "rows.before",
    "rows.after",
    "commit.before",
    "commit.after",
    "mark.before",
    "mark.after",
    "generation.before-rename",
    "generation.after-rename",
    "generation.after-commit",
    "compact.before-vacuum",
    "compact.after-vacuum",
    "migration.before",
    "migration.after",
    "backup.before-rename",
    "backup.after-rename",
)

_watcher: Callable[[str], None] | None = None


def crash_point(point: str) -> None:
    """Say that a place is reached where a crash would hurt most; tests put a kill there."""
    if _watcher is not None:
        _watcher(point)


def watch_crash_points(watcher: Callable[[str], None] | None) -> None:
    """Call `watcher` with each crash point from now on; None for nobody."""
    global _watcher
    _watcher = watcher
