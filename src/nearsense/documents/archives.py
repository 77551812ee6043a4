"""Documents that are zip archives: what they may hold is bounded before any of it is unpacked."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from nearsense.errors import FileError

UNPACKED, RATIO, PARTS = 256 << 20, 200, 20_000
"""How many bytes all parts together may have, how many times more than the file, and how many parts."""
SMALL = 16 << 20
"""Up to so many bytes, no ratio is suspicious."""


@contextmanager
def opened(path: Path) -> Iterator[zipfile.ZipFile]:
    """An archive whose parts are few and small enough.

    What a part says of its size bounds what is read of it: the zip reader stops there.

    Raises:
        FileError: It is a bomb, encrypted, or no archive.
    """
    again = "open it with the program that made it, and save it anew"
    try:
        archive = zipfile.ZipFile(path)
    except (zipfile.BadZipFile, NotImplementedError, ValueError) as error:
        if path.open("rb").read(8) == b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1":
            why, fix = "it opens with a password only, or is of an office program of before 2007", again
            raise FileError(f"{path} is encrypted, or of an old format", why=why, fix=fix) from None
        raise FileError(f"{path} cannot be read", why=f"it is damaged: {error}", fix=again) from None
    with archive:
        parts = archive.infolist()
        size, packed = sum(part.file_size for part in parts), path.stat().st_size
        if len(parts) > PARTS or size > UNPACKED or (size > SMALL and size > RATIO * packed):
            why = f"{packed:,} bytes unpack to {size:,} in {len(parts):,} parts: it may be hostile"
            raise FileError(f"{path} is a zip bomb, or too large", why=why, fix="leave it out with --ignore")
        if any(part.flag_bits & 1 for part in parts):
            raise FileError(f"{path} is encrypted", why="its parts open with a password only", fix=again)
        yield archive
