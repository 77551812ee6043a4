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
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from nearsense._folder import Folder, Refused, flush
from nearsense.errors import DiskFull, FileError, NearsenseError, StoreError
from nearsense.store.place import FULL, unwritable
from nearsense.store.points import reach

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["BUILDER", "GENERATIONS", "DamagedGeneration", "Draft", "Files", "clean_up", "named"]

GENERATIONS, BUILDER = "generations", "builder.lock"
"""What a collection calls the folder of its generations, and the lock of who makes them."""
_OURS = re.compile(r"\d{10,}-[0-9a-f]{8}|draft-[0-9a-f]{8}")
"""What is deleted in that folder; whatever else lies there is not ours."""
_FILE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
SMALL = 4096
"""Bytes up to which a file is read instead of mapped into memory."""


class DamagedGeneration(NearsenseError):
    """A derived file is missing or is not what was written. Never seen by users: it is made again."""


def named(sequence: int) -> str:
    """A new name for the generation of a commit."""
    return f"{sequence:010d}-{secrets.token_hex(4)}"


class Draft:
    """A generation that is being made, in a folder of its own that is its owner's alone until it is finished.

    Args:
        collection: The collection's folder; the draft lies among its generations.

    Raises:
        StoreError: What should hold the generations is a link, or cannot be written.
    """

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
        """Bring everything to the disk, and give the folder its name.

        Returns:
            Size and SHA-256 of each file.
        """
        manifest = {}
        with _disk(self._collection):
            self._folder.share_as(self._generations)
            for each in self._folder.names():
                with self._folder.file(each, "rb") as opened:
                    flush(opened.fileno())
                    size = opened.seek(0, os.SEEK_END)
                manifest[each] = {"bytes": size, "sha256": self._folder.sha256(each)}
            self._folder.sync()
            reach("generation.before-rename")
            self._generations.rename(self._name, name)
            self._generations.sync()
            reach("generation.after-rename")
        return manifest

    def discard(self) -> None:
        """Remove it, if it has not got its name, and let go of its folder."""
        with self._open:
            self._generations.remove(self._name)


class Files:
    """The files of a generation, each checked before its first use.

    Args:
        folder: Of the generation.
        manifest: Size and SHA-256 of each file.

    Raises:
        DamagedGeneration: A file is missing, or has another size.
    """

    def __init__(self, folder: Path, manifest: dict[str, dict[str, Any]]) -> None:
        self._folder, self._manifest = folder, manifest
        if not _OURS.fullmatch(folder.name) or not all(map(_FILE.fullmatch, manifest)):
            raise DamagedGeneration(f"{folder} holds files of strange names", why="no generation is called so")
        with _damage(folder.name), Folder(folder.parent) as generations, generations.within(folder.name) as opened:
            opened.require(*manifest)
            sizes = {name: getattr(opened.status(name), "st_size", None) for name in manifest}
        for name, known in manifest.items():
            if sizes[name] is None:
                raise DamagedGeneration(f"{folder / name} is missing")
            if sizes[name] != known["bytes"]:
                raise DamagedGeneration(f"{folder / name} has {sizes[name]:,} bytes instead of {known['bytes']:,}")
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
        with _damage(name):
            mapped = path.stat().st_size > SMALL  # nothing of no size can be mapped
            return np.load(path, mmap_mode="r" if mapped else None, allow_pickle=False)  # type: ignore[no-any-return]

    def _checked(self, name: str) -> Path:
        """The path of a file that is, byte for byte, what was written."""
        path = self._folder / name
        with _damage(name), path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        if digest != self._manifest[name]["sha256"]:
            raise DamagedGeneration(f"{path} is not what was written", why="its SHA-256 is another")
        return path


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
        full = isinstance(error, FileError) or error.errno in FULL
        raise (DiskFull if full else StoreError)(
            f"{folder} cannot take the files of the index; no document is affected",
            why=error.why if isinstance(error, FileError) else error.strerror or str(error),
            fix="free some space on the disk; the index is made at the next chance"
            if full
            else "check the folder",
        ) from None


@contextlib.contextmanager
def _damage(name: str) -> Iterator[None]:
    try:
        yield
    except (OSError, ValueError) as error:
        raise DamagedGeneration(f"{name} cannot be read", why=str(error)) from None
