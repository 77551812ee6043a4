"""How far a bulk job is, as a page: a row a shard."""

from __future__ import annotations

from typing import Any

from nearsense.records import as_json
from nearsense.render import Page


def status_page(status: Any) -> Page:
    """The state of each shard; below, how far the whole is, and who is at it."""
    known = as_json(status, "output kind state rows done shards drivers")
    cells = [
        (each["file"] or "-", f"{each['begin'] + 1:,}", f"{each['rows']:,}", _state(each))
        for each in status.shards
    ]
    lines = [
        f"{status.kind}: {status.state}; {status.done:,} of {status.rows:,} rows are encoded",
        *(
            f"{each['driver']}: {each['step']}, {each['done']:,} of {each['rows']:,} rows"
            for each in status.drivers
        ),
    ]
    return Page(known, known["shards"], ("file", "from row>", "rows>", "state"), cells, note="\n".join(lines))


def _state(shard: dict[str, Any]) -> str:
    if shard["state"] == "running":
        return f"running, {shard['done']:,} rows done"
    return f"quarantined: {shard['why']}" if shard["state"] == "quarantined" else str(shard["state"])
