"""Documents of risky formats, read in a bounded process: what it answers, and what is said where it does not."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from nearsense._bounded import CRASHED, LATE, BoundedProcess, Broken
from nearsense._bounded import bound as bound  # for other processes of that kind
from nearsense.documents.blocks import Content
from nearsense.documents.formats import Reader
from nearsense.errors import FileError, MissingExtra

MEMORY = 1 << 30
"""Bytes that reading a file may take."""
SECONDS = 120.0
"""How long a file may take."""
CHARACTERS = 100_000_000
"""The longest text that is taken from a file."""


class Worker(BoundedProcess):
    """Reads files, one after another. Use it in a `with`; it is for one thread."""

    def __init__(self, seconds: float = SECONDS, memory: int = MEMORY) -> None:
        super().__init__(memory, seconds)

    def read(self, reader: Reader, path: Path) -> Content:
        """What a reader makes of a file.

        Raises:
            FileError: It is damaged, encrypted, too large, or reading it broke a bound.
            MissingExtra: The library that reads it is not installed.
        """
        try:
            (told,) = self.ask(f"{__name__}:content_of", reader.module, reader.function, str(path))
        except Broken as error:
            raise self._refused(path, error) from None
        return Content.from_json(told)

    def _refused(self, path: Path, error: Broken) -> FileError | MissingExtra:
        if error.said:
            what, why, fix = error.said
            return (MissingExtra if error.kind == "MissingExtra" else FileError)(what, why=why, fix=fix)
        fix = "open it with the program that made it, and save it anew"
        if error.kind == LATE:
            why, fix = f"reading it took more than {self._seconds:g} seconds", _LEAVE
        elif error.kind == CRASHED:
            size = f"{self._memory / 2**30:g} GiB"
            why = f"its reader crashed, or needs more than {size} of memory: it may be hostile"
            fix = _LEAVE
        elif error.kind == "MemoryError":
            why = "it needs more memory than a document may: it may be hostile"
        elif error.kind == "RecursionError":
            why = "it is nested too deep: it may be hostile"
        else:
            why = f"it is damaged, or not what its name says: {error.why}"
        return FileError(f"{path} cannot be read", why=why, fix=fix)


_LEAVE = "leave it out with --ignore, or convert it with the program that made it"


def content_of(module: str, function: str, path: str) -> Iterator[dict[str, Any]]:
    """What a reader makes of a file, in that process."""
    content = Reader("", module, function).load()(Path(path))
    if len(content.text) > CHARACTERS:
        why = f"its text has more than {CHARACTERS:,} characters"
        raise FileError(f"{path} cannot be read", why=why, fix="split it")
    yield content.to_json()
