"""Every write that a process does to a folder, in order, and every sync. Not the crashes: images.py.

SQLite writes through an apsw VFS that is made the default before the checksum VFS is loaded, so that it lies under
it; the mark and the derived files write through `os`, which is patched. Use it in a fresh process only.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Event:
    """One thing that happened to a file (`inode`: two files of one name are two), or to the folder.

    Kinds: create, write, truncate, sync, delete, rename, sync-folder, and acknowledge (number: which batch).
    """

    kind: str
    inode: int = -1
    name: str = ""
    offset: int = 0
    data: bytes = b""
    number: int = 0


@dataclass
class Recorder:
    """What happened in a folder, from `start` on."""

    folder: Path
    events: list[Event] = field(default_factory=list)
    _inodes: dict[str, int] = field(default_factory=dict)
    _next: int = 0

    def inode(self, name: str) -> int:
        """The number of the file that a name means now; the file is made if need be."""
        if name not in self._inodes:
            self._inodes[name], self._next = self._next, self._next + 1
            self.events.append(Event("create", self._inodes[name], name))
        return self._inodes[name]

    def acknowledge(self, number: int) -> None:
        """From here on, a batch must survive whatever comes."""
        self.events.append(Event("acknowledge", number=number))

    def deleted(self, name: str, synced: bool) -> None:
        if name in self._inodes:
            self.events.append(Event("delete", self._inodes.pop(name), name))
        if synced:
            self.events.append(Event("sync-folder"))

    def name_of(self, path: str | Path) -> str | None:
        """The name inside the folder; None for files elsewhere."""
        path = Path(path)
        return str(path.relative_to(self.folder)) if path.is_relative_to(self.folder) else None

    def start(self) -> None:
        """Record from now on; for the rest of this process."""
        assert self.folder == self.folder.resolve()
        self._patch_sqlite()
        self._patch_os()

    def _patch_sqlite(self) -> None:
        import apsw

        assert "cksmvfs" not in apsw.vfs_names(), "too late: use a fresh process"
        recorder, base = self, apsw.vfs_names()[0]

        class File(apsw.VFSFile):
            def __init__(self, vfs: str, name: Any, flags: list[int]) -> None:
                super().__init__(vfs, name, flags)
                path = name.filename() if isinstance(name, apsw.URIFilename) else name
                self.known = path and recorder.name_of(path)
                if self.known:
                    self.inode = recorder.inode(self.known)

            def xWrite(self, data: bytes, offset: int) -> None:  # noqa: N802
                super().xWrite(data, offset)
                if self.known:
                    recorder.events.append(Event("write", self.inode, self.known, offset, bytes(data)))

            def xTruncate(self, size: int) -> None:  # noqa: N802
                super().xTruncate(size)
                if self.known:
                    recorder.events.append(Event("truncate", self.inode, self.known, size))

            def xSync(self, flags: int) -> None:  # noqa: N802
                super().xSync(flags)
                if self.known:
                    recorder.events.append(Event("sync", self.inode, self.known))

        class VFS(apsw.VFS):
            def __init__(self) -> None:
                super().__init__("recording", base=base, makedefault=True)

            def xOpen(self, name: Any, flags: list[int]) -> apsw.VFSFile:  # noqa: N802
                return File(base, name, flags)

            def xDelete(self, name: str, sync: bool) -> None:  # noqa: N802
                super().xDelete(name, sync)
                if known := recorder.name_of(name):
                    recorder.deleted(known, bool(sync))

        self._vfs = VFS()

    def _patch_os(self) -> None:
        """What nearsense itself writes; numpy writes through descriptors of Python files, seen at their fsync."""
        pwrite, sync, datasync, opened, rename = os.pwrite, os.fsync, os.fdatasync, os.open, os.rename

        def name(descriptor: int) -> str | None:
            return self.name_of(Path(f"/proc/self/fd/{descriptor}").readlink())

        def recorded_open(path: Any, flags: int, *rest: Any, **named: Any) -> int:
            descriptor = opened(path, flags, *rest, **named)
            if flags & os.O_CREAT and (known := name(descriptor)):
                self.inode(known)
            return descriptor

        def recorded_write(descriptor: int, data: Any, offset: int) -> int:
            written = pwrite(descriptor, data, offset)
            if known := name(descriptor):
                self.events.append(Event("write", self.inode(known), known, offset, bytes(data)))
            return written

        def recorded_sync(original: Any) -> Any:
            def called(descriptor: Any) -> None:
                original(descriptor)
                number = descriptor if isinstance(descriptor, int) else descriptor.fileno()
                known = name(number)
                if known == ".":
                    self.events.append(Event("sync-folder"))
                elif known and not Path(f"/proc/self/fd/{number}").is_dir():
                    self.events.append(Event("sync", self.inode(known), known))

            return called

        os.open, os.pwrite = recorded_open, recorded_write
        os.fsync, os.fdatasync, os.rename = recorded_sync(sync), recorded_sync(datasync), rename
