"""SHA-256 of large files, remembered by the file's identity, so that the second start costs nothing."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path

from nearsense._machine import whoami
from nearsense.errors import BrokenModel

__all__ = ["FileHashes"]


class FileHashes:
    """Hashes of files, kept in one JSON file of the cache folder.

    A file counts as the same while path, size, inode and the nanosecond of its last change are. The cache is only
    ever a short cut: where it cannot be read or written, the hash is computed.

    Args:
        cache_dir: The folder that holds `file-hashes.json`; made when the first hash is written.
    """

    def __init__(self, cache_dir: Path) -> None:
        self._file = cache_dir / "file-hashes.json"

    def sha256(self, path: Path, *, anew: bool = False) -> str:
        """The hash of a file as 64 hexadecimal digits; `anew` computes it whatever is remembered.

        Raises:
            BrokenModel: The file cannot be read.
        """
        try:
            stat = path.stat()
            known = self._read()
            identity = [str(path.resolve()), stat.st_size, stat.st_ino, stat.st_mtime_ns]
            key = "|".join(map(str, identity))
            if anew or key not in known:
                import hashlib

                with path.open("rb") as file:
                    known[key] = hashlib.file_digest(file, "sha256").hexdigest()
                self._write(known)
            return known[key]
        except OSError as error:
            raise BrokenModel(
                f"{path} cannot be read",
                why=error.strerror or str(error),
                fix="check the file and its permissions",
            ) from None

    def _read(self) -> dict[str, str]:
        try:
            content = json.loads(self._file.read_text("utf-8"))
        except (OSError, ValueError, RecursionError):
            return {}
        return content if isinstance(content, dict) else {}

    def _write(self, known: dict[str, str]) -> None:
        aside = self._file.with_suffix(f".{whoami()}.tmp")
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            aside.write_text(json.dumps(known, indent=1), "utf-8")
            aside.replace(self._file)
        except OSError:
            with contextlib.suppress(OSError):
                aside.unlink(missing_ok=True)
