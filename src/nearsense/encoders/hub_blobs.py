"""Files of the hub's cache on the disk: is one there, is there room, and one snapshot made of all. No network."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from nearsense._machine import whoami
from nearsense.encoders.hub_cache import Promised, digest, keep_promises

__all__ = ["check_room", "is_there", "publish"]


def is_there(root: Path, promised: Promised) -> bool:
    """Whether the blob is there as promised; a wrong one is removed."""
    blob = root / "blobs" / promised.hash
    try:
        if blob.stat().st_size == promised.size and digest(blob, promised.hash) == promised.hash:
            return True
    except FileNotFoundError:
        return False
    blob.unlink(missing_ok=True)
    return False


def check_room(root: Path, needed: int) -> None:
    """Refuse to begin what does not fit, as an OSError."""
    root.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(root).free
    if needed > free:
        raise OSError(errno.ENOSPC, f"{needed / 1e6:,.1f} MB are needed, {free / 1e6:,.1f} MB are free")


def publish(root: Path, commit: str, revision: str, promised: Mapping[str, Promised]) -> Path:
    """Make the snapshot of blobs that are all there, and then point the revision to it."""
    folder = root / "snapshots" / commit
    keep_promises(folder, promised)
    for name, each in promised.items():
        file, blob = folder / name, root / "blobs" / each.hash
        file.parent.mkdir(parents=True, exist_ok=True)
        aside = file.with_name(f".{file.name}.{whoami()}")
        aside.unlink(missing_ok=True)
        try:
            aside.symlink_to(os.path.relpath(blob, file.parent))
        except OSError:  # a file system without links
            shutil.copyfile(blob, aside)
        aside.replace(file)
    if revision != commit:
        reference = root / "refs" / revision
        reference.parent.mkdir(parents=True, exist_ok=True)
        aside = reference.with_name(f".{reference.name}.{whoami()}")
        aside.write_text(commit, "ascii")
        aside.replace(reference)
    return folder
