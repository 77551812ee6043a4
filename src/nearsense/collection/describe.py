"""What a collection says of itself."""

from __future__ import annotations

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
        size=sum(file.stat().st_size for file in live.store.folder.rglob("*") if file.is_file()),
        created=state.facts["created"],
    )
