"""What a disk may hold after a power cut, from a recording: everything synced, and any part of the rest.

The model: a sector of 512 bytes is old or new, never mixed; among the writes since a file's last sync each sector
stops at a moment of its own, and so does the file's length; a file that grew without its data reads as zeros. A
new, renamed or deleted name is sure once the file (if new) or the folder was synced, open until then.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from durability.recorder import Event

SECTOR = 512


@dataclass
class _File:
    """One file: what is on the disk for sure, and what came after, in order."""

    safe: bytearray = field(default_factory=bytearray)
    pending: list[Event] = field(default_factory=list)

    def sync(self) -> None:
        for event in self.pending:
            _do(self.safe, event)
        self.pending.clear()

    def crashed(self, chance: random.Random, mood: str) -> bytes:
        """One of the contents that a crash may leave."""
        if mood == "nothing" or not self.pending:
            return bytes(self.safe)
        if mood == "everything":
            whole = bytearray(self.safe)
            for event in self.pending:
                _do(whole, event)
            return bytes(whole)
        if mood == "prefix":
            cut = chance.randrange(len(self.pending) + 1)
            left = bytearray(self.safe)
            for event in self.pending[:cut]:
                _do(left, event)
            if cut < len(self.pending) and self.pending[cut].kind == "write":
                torn = self.pending[cut]
                first = -torn.offset % SECTOR
                edges = list(range(first, len(torn.data), SECTOR)) or [0]
                _do(left, Event("write", offset=torn.offset, data=torn.data[: chance.choice(edges)]))
            return bytes(left)
        return self._shuffled(chance)

    def _shuffled(self, chance: random.Random) -> bytes:
        """Each sector stops at a moment of its own."""
        stages = [bytearray(self.safe)]
        for event in self.pending:
            stages.append(bytearray(stages[-1]))
            _do(stages[-1], event)
        length = len(chance.choice(stages))
        left = bytearray(length)
        share = chance.random()
        for start in range(0, length, SECTOR):
            if chance.random() < share:
                stage = stages[-1]
            else:
                stage = stages[0] if chance.random() < 0.7 else chance.choice(stages)
            piece = stage[start : min(start + SECTOR, length)]
            left[start : start + len(piece)] = piece
        return bytes(left)


def _do(content: bytearray, event: Event) -> None:
    if event.kind == "truncate":
        del content[event.offset :]
        content.extend(bytes(event.offset - len(content)))
        return
    end = event.offset + len(event.data)
    if len(content) < end:
        content.extend(bytes(end - len(content)))
    content[event.offset : end] = event.data


@dataclass
class Disk:
    """A folder as the kernel and the disk see it, while the events go by."""

    files: dict[int, _File] = field(default_factory=dict)
    sure: dict[str, int] = field(default_factory=dict)
    """Names on the disk."""
    names: list[Event] = field(default_factory=list)
    """What happened to names since then."""
    acknowledged: int = 0

    def feed(self, event: Event) -> None:
        """One event goes by."""
        match event.kind:
            case "acknowledge":
                self.acknowledged = event.number
            case "create":
                self.files[event.inode] = _File()
                self.names.append(event)
            case "delete" | "rename":
                self.names.append(event)
            case "sync":
                self.files[event.inode].sync()
                self._settle(lambda each: each.kind == "create" and each.inode == event.inode)
            case "sync-folder":
                self._settle(lambda each: True)
            case _:
                self.files[event.inode].pending.append(event)

    def crash(self, chance: random.Random, mood: str) -> dict[str, bytes]:
        """One of the folders that a power cut may leave now."""
        names = dict(self.sure)
        for event in self.names:
            if mood == "everything" or (mood != "nothing" and chance.random() < 0.5):
                _name(names, event)
        return {name: self.files[inode].crashed(chance, mood) for name, inode in names.items()}

    def _settle(self, which) -> None:
        last = max((i for i, each in enumerate(self.names) if which(each)), default=-1)
        # A folder's changes reach the disk in their order: what came before is on the disk, too.
        for event in self.names[: last + 1]:
            _name(self.sure, event)
        self.names = self.names[last + 1 :]


def _name(names: dict[str, int], event: Event) -> None:
    if event.kind == "create":
        names[event.name] = event.inode
    elif event.kind == "delete" and names.get(event.name) == event.inode:
        del names[event.name]


def images(events: list[Event], seed: int, each: dict[str, int]) -> Iterator[tuple[str, int, dict[str, bytes]]]:
    """(where, batches acknowledged by then, files) for many crashes: at each event, so many of each mood."""
    disk, chance = Disk(), random.Random(seed)
    for number, event in enumerate(events):
        # Just before a sync the most is open; in between there are too many events to stop at each.
        if event.kind in ("sync", "sync-folder", "acknowledge", "delete") or chance.random() < 0.1:
            for mood, count in each.items():
                for _ in range(count):
                    yield (
                        f"before event {number} ({event.kind} {event.name}), {mood}",
                        disk.acknowledged,
                        disk.crash(chance, mood),
                    )
        disk.feed(event)
    yield "after the last event", disk.acknowledged, disk.crash(chance, "nothing")


def lay(files: dict[str, bytes], folder: Path) -> None:
    """Write an image into an empty folder."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
