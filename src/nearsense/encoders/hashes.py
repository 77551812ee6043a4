"""SHA-256 of large files, remembered by the file's identity, so that the second start costs nothing."""

from __future__ import annotations

import contextlib
import json
import os
from pathlib import Path
from typing import Any

from nearsense._folder import Folder, make_folders
from nearsense.errors import BrokenModel

__all__ = ["FileHashes", "Remembered"]


class Remembered:
    """What took time to find, kept in one JSON file of the cache folder: a short cut, never more.

    Args:
        file: Where; made, its folder too, when the first thing is written. Where it cannot be read, nothing is
            remembered, and where it cannot be written, nothing is kept.
    """

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


class FileHashes:
    """Hashes of files, kept in one JSON file of the cache folder.

    A file counts as the same while path, size, inode and the nanosecond of its last change are. The cache is only
    ever a short cut: where it cannot be read or written, the hash is computed.

    Args:
        cache_dir: The folder that holds `file-hashes.json`; made when the first hash is written.
    """

    def __init__(self, cache_dir: Path) -> None:
        self._remembered = Remembered(cache_dir / "file-hashes.json")

    def sha256(self, path: Path, *, anew: bool = False) -> str:
        """The hash of a file as 64 hexadecimal digits; `anew` computes it whatever is remembered.

        Raises:
            BrokenModel: The file cannot be read.
        """
        try:
            stat = path.stat()
            known = self._remembered.read()
            identity = [str(path.resolve()), stat.st_size, stat.st_ino, stat.st_mtime_ns]
            key = "|".join(map(str, identity))
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
