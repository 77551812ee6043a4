"""Files of the hub's cache on the disk: is one there, is there room, and one snapshot made of all. No network."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from nearsense._folder import Folder, make_folders
from nearsense.encoders.hub_cache import Promised, digest, keep_promises, opened_root

__all__ = ["check_room", "is_there", "publish"]


def is_there(root: Path, promised: Promised) -> bool:
    """Whether the blob is there as promised; a wrong one is removed, and a link out of the cache as well."""
    blob = root / "blobs" / promised.hash
    try:
        inside = blob.resolve().parent in ((root / "blobs").resolve(), (root.parent / "blobs").resolve())
        if inside and blob.stat().st_size == promised.size and digest(blob, promised.hash) == promised.hash:
            return True
        with opened_root(root) as folder, folder.within("blobs") as blobs:
            blobs.unlink(blob.name)
    except FileNotFoundError:
        pass
    return False


def check_room(root: Path, needed: int) -> None:
    """Refuse to begin what does not fit, as an OSError."""
    make_folders(root.parent)
    free = shutil.disk_usage(root.parent).free
    if needed > free:
        raise OSError(errno.ENOSPC, f"{needed / 1e6:,.1f} MB are needed, {free / 1e6:,.1f} MB are free")


def publish(root: Path, commit: str, revision: str, promised: Mapping[str, Promised]) -> Path:
    """Make the snapshot of blobs that are all there, and then point the revision to it."""
    folder = root / "snapshots" / commit
    keep_promises(folder, promised)
    with opened_root(root) as opened:
        for name, each in promised.items():
            *above, last = name.split("/")
            with opened.reached("snapshots", commit, *above) as place:
                _linked(place, last, root / "blobs" / each.hash, folder.joinpath(*above))
        if revision != commit:
            *above, last = revision.split("/")
            with opened.reached("refs", *above) as place:
                place.replace(last, commit.encode("ascii"))
    return folder


def _linked(place: Folder, name: str, blob: Path, above: Path) -> None:
    """A name for a blob; a copy of it on a file system without links."""
    try:
        place.link(name, os.path.relpath(blob, above))
    except OSError:
        place.replace(name, blob.read_bytes())
