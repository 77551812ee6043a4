"""Checksums of the compiled graphs in a cache folder: a damaged one is deleted before anything reads it.

OpenVINO takes what it finds in its cache as it is; a flipped bit there would be a wrong vector here.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from pathlib import Path

from nearsense._machine import whoami

__all__ = ["drop_unsealed", "seal"]

SEALS = "seals.json"


def drop_unsealed(folder: Path) -> bool:
    """Delete every compiled graph of a folder that is not what it was when `seal` saw it.

    Args:
        folder: The cache folder; made where it is missing.

    Returns:
        Whether the folder can be used as a cache.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        seals = _read(folder)
        for file in folder.glob("*.blob"):
            if seals.get(file.name) != _digest(file):
                file.unlink()
    except OSError:
        return False
    return os.access(folder, os.W_OK)


def seal(folder: Path) -> None:
    """Note the checksums of the graphs that are new in a folder."""
    seals = _read(folder)
    aside = folder / f"{SEALS}.{whoami()}.tmp"
    try:
        files = list(folder.glob("*.blob"))
        if all(file.name in seals for file in files):
            return
        aside.write_text(json.dumps({file.name: seals.get(file.name) or _digest(file) for file in files}), "utf-8")
        aside.replace(folder / SEALS)
    except OSError:
        with contextlib.suppress(OSError):
            aside.unlink(missing_ok=True)


def _digest(file: Path) -> str:
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def _read(folder: Path) -> dict[str, str]:
    try:
        seals = json.loads((folder / SEALS).read_text("utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return seals if isinstance(seals, dict) else {}
