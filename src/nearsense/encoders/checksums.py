"""Checksums of large files, remembered, and of compiled graphs: what is damaged or another user's is never read.

OpenVINO takes what it finds in its cache as it is; a flipped bit there would be a wrong vector here, and what
somebody else has put there could be any program.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from nearsense._folder import Folder, make_folders
from nearsense.errors import BrokenModel


class Remembered:
    """What took time to find, in one JSON file of the cache folder; failing to read or write it is no error."""

    def __init__(self, file: Path) -> None:
        self._file = Path(os.path.realpath(file.parent)) / file.name

    def read(self) -> dict[str, Any]:
        """What is remembered, by its key."""
        try:
            with Folder(self._file.parent) as folder:
                content = json.loads(folder.read(self._file.name))
        except (OSError, ValueError, RecursionError):
            return {}
        return content if isinstance(content, dict) else {}

    def write(self, known: dict[str, Any]) -> None:
        """Keep all of it."""
        with contextlib.suppress(OSError):
            make_folders(self._file.parent)
            with Folder(self._file.parent, private=True) as folder:
                folder.replace(self._file.name, json.dumps(known, indent=1).encode())


def identity_of(path: Path) -> str:
    """What a file is known by: it counts as the same while path, size, inode and time of its last change are."""
    stat = path.stat()
    return "|".join(map(str, (path.resolve(), stat.st_size, stat.st_ino, stat.st_mtime_ns)))


class FileHashes:
    """Hashes of files, kept in one JSON file of the cache folder.

    A file counts as the same while path, size, inode and the nanosecond of its last change are.
    """

    def __init__(self, cache_dir: Path) -> None:
        self._remembered = Remembered(cache_dir / "file-hashes.json")

    def sha256(self, path: Path, *, anew: bool = False) -> str:
        """The hash of a file as 64 hexadecimal digits; `anew` computes it whatever is remembered."""
        try:
            key, known = identity_of(path), self._remembered.read()
            if anew or key not in known:
                import hashlib

                with path.open("rb") as file:
                    known[key] = hashlib.file_digest(file, "sha256").hexdigest()
                self._remembered.write(known)
            return str(known[key])
        except OSError as error:
            raise BrokenModel(
                f"{path} cannot be read",
                why=error.strerror or str(error),
                fix="check the file and its permissions",
            ) from None


SEALS, GRAPH = "seals.json", ".blob"
LEVELS = 3  # folders of the cache's own, the last one included: all compiled ones, a model's, those of a precision


@contextlib.contextmanager
def verified_cache(path: Path) -> Iterator[Path | None]:
    """A cache folder while a graph is compiled: what it holds is as it was sealed, what is new is sealed.

    None where the folder is somebody else's or cannot be written, or where it or one of the two above it is a
    link.
    """
    with contextlib.ExitStack() as opened:
        try:
            *_, base = path.parents[:LEVELS]
            make_folders(base)
            cache = opened.enter_context(Folder(Path(os.path.realpath(base)), private=True))
            folder = opened.enter_context(cache.reached(*path.parts[-LEVELS:]))
            usable = os.access(path, os.W_OK) and folder.keep_to_owner()
            seals = _intact_graphs(folder) if usable else {}
        except OSError:
            usable = False
        if not usable:
            yield None
            return
        yield folder.place()
        with contextlib.suppress(OSError):
            _note_checksums(folder, seals)


def _intact_graphs(folder: Folder) -> dict[str, str]:
    """The seals of the graphs that are in order; the others are deleted."""
    seals, found = _read(folder), {}
    for name in _graphs(folder):
        if folder.is_mine(name) and name in seals and folder.sha256(name) == seals[name]:
            found[name] = seals[name]
        else:
            folder.unlink(name)
    return found


def _note_checksums(folder: Folder, seals: dict[str, str]) -> None:
    """Note the checksums of the graphs that are new, and keep these to their owner."""
    new = [name for name in _graphs(folder) if name not in seals]
    if not new:
        return
    for name in new:
        folder.keep_to_owner(name)
    folder.replace(SEALS, json.dumps({**seals, **{name: folder.sha256(name) for name in new}}).encode())


def _graphs(folder: Folder) -> list[str]:
    return [name for name in folder.names() if name.endswith(GRAPH)]


def _read(folder: Folder) -> dict[str, str]:
    try:
        seals = json.loads(folder.read(SEALS)) if folder.is_mine(SEALS) else {}
    except (OSError, ValueError, RecursionError):
        return {}
    return seals if isinstance(seals, dict) else {}
