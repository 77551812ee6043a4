"""Where a collection may lie: on a file system of this machine, unless asked otherwise."""

from __future__ import annotations

import errno
import re
from pathlib import Path

from nearsense._folder import Refused
from nearsense.errors import DiskFull, StoreError

__all__ = ["FULL", "require_local", "unwritable"]

FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
"""How systems say that something did not fit."""

NETWORK = frozenset(
    {
        "9p",
        "afs",
        "beegfs",
        "ceph",
        "cifs",
        "glusterfs",
        "gpfs",
        "lustre",
        "ncpfs",
        "nfs",
        "nfs4",
        "ocfs2",
        "smb3",
        "smbfs",
        "fuse.ceph",
        "fuse.davfs",
        "fuse.gcsfuse",
        "fuse.glusterfs",
        "fuse.rclone",
        "fuse.s3fs",
        "fuse.sshfs",
    }
)
"""Their locks and their fsync do not keep what they promise, often enough."""
MOUNTS = Path("/proc/self/mountinfo")


def require_local(path: Path, mounts: Path = MOUNTS) -> None:
    """Refuse a folder on a network file system. Where the system does not tell, the folder counts as local.

    Raises:
        StoreError: It is one; the message names its type.
    """
    kind = file_system(path, mounts)
    if kind in NETWORK:
        raise StoreError(
            f"{path} lies on a network file system ({kind})",
            why="locks and durable writes do not hold there, and both are needed to lose nothing",
            fix="keep the collection on a local disk, or say network=True (--network) and have a single writer",
        )


def unwritable(path: Path, error: OSError) -> StoreError:
    """What the system says about a file of a collection, as an error of nearsense."""
    if error.errno in FULL:
        return DiskFull(f"{path} cannot grow", why=str(error.strerror), fix="free some space on the disk")
    if isinstance(error, Refused):
        name = error.filename or path
        own = f"cp {name} {name}.own && mv {name}.own {name}"
        return StoreError(
            f"{name} {error.strerror}",
            why="a collection's own files lie in its folder alone: else files elsewhere would be changed",
            fix=f"make it a file of its own: {own}"
            if error.errno == errno.EMLINK
            else f"remove it (rm {name}), or put what it leads to in its place",
        )
    return StoreError(
        f"{path} cannot be written", why=str(error.strerror), fix="check the path, its permissions and the disk"
    )


def file_system(path: Path, mounts: Path = MOUNTS) -> str | None:
    """The type of the file system that holds a path, as the kernel names it."""
    try:
        lines = mounts.read_text("utf-8", "surrogateescape").splitlines()
    except OSError:
        return None
    place, best, kind = path.resolve(), -1, None
    for line in lines:
        mounted, _, rest = line.partition(" - ")
        point = Path(re.sub(r"\\([0-7]{3})", lambda octal: chr(int(octal[1], 8)), mounted.split()[4]))
        if place.is_relative_to(point) and len(point.parts) >= best:
            best, kind = len(point.parts), rest.split()[0]
    return kind
