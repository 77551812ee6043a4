"""What a collection says of itself."""

from __future__ import annotations

import stat
from pathlib import Path

from nearsense.collection.live import Live
from nearsense.reports import Info

__all__ = ["describe"]


def describe(live: Live) -> Info:
    """See `Collection.info`."""
    with live.seen() as (reader, snapshot):
        state, truncated = snapshot.state, reader.truncated()
        fields = tuple(sorted(snapshot.fields()))
    built = snapshot.frozen.generation.manifest["index"] if snapshot.frozen else {}
    return Info(
        path=str(live.path),
        documents=state.documents,
        model=state.facts["model"],
        fingerprint=state.facts["fingerprint"],
        dimension=state.facts["dimension"],
        role=state.facts["role"],
        truncated=truncated,
        fields=fields,
        index=built.get("kind"),
        why=built.get("why"),
        recall=built.get("recall"),
        pending=snapshot.changes,
        size=sum(map(_size, live.store.folder.rglob("*"))),
        created=state.facts["created"],
    )


def _size(file: Path) -> int:
    """The bytes of a file; 0 of what is none, or has just gone."""
    try:
        found = file.lstat()
    except OSError:
        return 0
    return found.st_size if stat.S_ISREG(found.st_mode) else 0
