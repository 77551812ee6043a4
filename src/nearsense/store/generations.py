"""Derived files: immutable, written aside, on the disk before they count, checked before anything parses them.

What is in them is the collection's affair. A set of them is one folder, a *generation*; the database says which
one is in use, and the size and SHA-256 of each file. Whatever is missing or does not fit is made again.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from nearsense.errors import DiskFull, FileError, NearsenseError, StoreError
from nearsense.store.place import FULL
from nearsense.store.points import reach

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["DamagedGeneration", "Draft", "Files", "clean_up", "fsync_folder"]

DRAFT = "draft-"
SMALL = 4096
"""Bytes up to which a file is read instead of mapped into memory."""


class DamagedGeneration(NearsenseError):
    """A derived file is missing or is not what was written. Never seen by users: it is made again."""


class Draft:
    """A generation that is being made, in a folder of its own.

    Args:
        folder: Where generations lie.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.path = folder / f"{DRAFT}{secrets.token_hex(4)}"
        with _disk(folder):
            self.path.mkdir(parents=True)

    def save(self, name: str, array: NDArray[Any]) -> None:
        """Write an array as `name`.npy."""
        with _disk(self._folder):
            np.save(self.path / f"{name}.npy", array)

    @contextlib.contextmanager
    def file(self, name: str) -> Iterator[Path]:
        """The path of a file that somebody else writes."""
        with _disk(self._folder):
            yield self.path / name

    @contextlib.contextmanager
    def opened(self, name: str) -> Iterator[BinaryIO]:
        """A file to be written from its beginning to its end."""
        with _disk(self._folder), (self.path / name).open("wb") as file:
            yield file

    def finish(self, name: str) -> dict[str, dict[str, Any]]:
        """Bring everything to the disk, and give the folder its name.

        Returns:
            Size and SHA-256 of each file.
        """
        manifest = {}
        with _disk(self._folder):
            for file in sorted(self.path.iterdir()):
                with file.open("rb") as opened:
                    os.fsync(opened.fileno())
                    digest = hashlib.file_digest(opened, "sha256").hexdigest()
                manifest[file.name] = {"bytes": file.stat().st_size, "sha256": digest}
            fsync_folder(self.path)
            reach("generation.before-rename")
            self.path.rename(self._folder / name)
            fsync_folder(self._folder)
            reach("generation.after-rename")
        return manifest

    def discard(self) -> None:
        """Remove it, if it has not got its name."""
        shutil.rmtree(self.path, ignore_errors=True)


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
        for name, known in manifest.items():
            with _damage(name):
                size = (folder / name).stat().st_size
            if size != known["bytes"]:
                raise DamagedGeneration(f"{folder / name} has {size:,} bytes instead of {known['bytes']:,}")
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


def clean_up(folder: Path, keep: str | None) -> None:
    """Remove every generation but one, and the drafts of who died; only for who builds alone."""
    with contextlib.suppress(OSError):
        for each in folder.iterdir():
            if each.name != keep:
                shutil.rmtree(each, ignore_errors=True)


def fsync_folder(folder: Path) -> None:
    """Bring the names in a folder to the disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def _disk(folder: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, FileError) as error:
        if isinstance(error, StoreError):
            raise
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
