"""Checksums of the compiled graphs in a cache folder: what is damaged or another user's is deleted, never read.

OpenVINO takes what it finds in its cache as it is; a flipped bit there would be a wrong vector here, and what
somebody else has put there could be any program.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator
from pathlib import Path

from nearsense._folder import Folder, make_folders

__all__ = ["sealed"]

SEALS, GRAPH = "seals.json", ".blob"
LEVELS = 3
"""Folders of the cache's own, the last one included: all compiled ones, a model's, those of a precision."""


@contextlib.contextmanager
def sealed(path: Path) -> Iterator[Path | None]:
    """A cache folder for as long as a graph is compiled; every graph in it is what it was when it was sealed.

    Args:
        path: The cache folder; made where it is missing, and neither it nor the two folders above it may be links.
            What is new in it in the end is sealed.

    Yields:
        The path by which the folder can be used; None where it is somebody else's or cannot be written.
    """
    with contextlib.ExitStack() as opened:
        try:
            *_, base = path.parents[:LEVELS]
            make_folders(base)
            cache = opened.enter_context(Folder(Path(os.path.realpath(base)), private=True))
            folder = opened.enter_context(cache.reached(*path.parts[-LEVELS:]))
            usable = os.access(path, os.W_OK) and folder.keep_to_owner()
            seals = _checked(folder) if usable else {}
        except OSError:
            usable = False
        if not usable:
            yield None
            return
        yield folder.place()
        with contextlib.suppress(OSError):
            _seal(folder, seals)


def _checked(folder: Folder) -> dict[str, str]:
    """The seals of the graphs that are in order; the others are deleted."""
    seals, found = _read(folder), {}
    for name in _graphs(folder):
        if folder.is_mine(name) and name in seals and folder.sha256(name) == seals[name]:
            found[name] = seals[name]
        else:
            folder.unlink(name)
    return found


def _seal(folder: Folder, seals: dict[str, str]) -> None:
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
