"""What a log holds, as pages: queries, and groups of those without an answer."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

import numpy as np

from nearsense.records import percent
from nearsense.render import Column, Page, likelihood, only_if, table

if TYPE_CHECKING:
    from nearsense.querylog import LoggedQuery, UnansweredGroup

HASHES = "In a hashed log nobody knows what was asked: groups are by the entry that was nearest, not by meaning."
LEAST = 3  # queries of a group that a table shows


def entries_page(entries: Sequence[LoggedQuery], shown: Sequence[LoggedQuery], missing: int) -> Page:
    """Some of the queries of a log; the note is about all of them."""
    taken = any(each.chosen is not None for each in shown)
    columns: list[Column] = [
        ("time>", lambda each: _when(each.time)),
        ("query", asked),
        ("answered>", lambda each: "yes" if each.answered else "no"),
        ("probability>", lambda each: likelihood(each.probabilities[0] if each.probabilities else None, None)),
        ("nearest", lambda each: each.ids[0] if each.ids else ""),
        *only_if(taken, ("chosen", lambda each: each.chosen or "")),
        ("ms>", lambda each: f"{1000 * each.latency:,.1f}"),
        *only_if(len({each.mode for each in shown}) > 1, ("mode", lambda each: each.mode)),
    ]
    records = [each.to_dict() for each in shown]
    return Page(
        {**summary(entries, missing), "entries": records},
        records,
        **table(shown, *columns),
        note=_note(entries, len(shown), missing),
    )


def groups_page(groups: Sequence[UnansweredGroup], entries: int, missing: int) -> Page:
    """Groups of queries without an answer, of so many in all."""
    columns: list[Column] = [
        ("asked>", lambda each: f"{each.count:,}"),
        ("group", _named),
        ("nearest", _nearest),
        *only_if(
            any(each.mean_probability is not None for each in groups),
            ("probability>", lambda each: likelihood(each.mean_probability, None)),
        ),
        ("last>", lambda each: _when(each.last)),
    ]
    records = [each.to_dict() for each in groups]
    asked_ = sum(each.count for each in groups)
    where = f"in {len(groups):,} group{'' if len(groups) == 1 else 's'}"
    note = f"{asked_:,} of {entries:,} queries without an answer, {where}." if entries else ""
    if any(each.hashed for each in groups):
        note += f" {HASHES}"
    return Page(
        {"queries": entries, "unanswered": asked_, "missing": missing, "groups": records},
        records,
        **table(groups, *columns),
        note=note + _lost(missing),
    )


def asked(entry: LoggedQuery) -> str:
    """What was asked, as far as the log knows."""
    return f"#{entry.digest[:12]}" if entry.query is None else entry.query


def summary(entries: Sequence[LoggedQuery], missing: int) -> dict[str, object]:
    """How many queries, how many without an answer, and how long answers took, in seconds."""
    latencies = np.array([each.latency for each in entries])
    middle, late = np.quantile(latencies, (0.5, 0.95)).tolist() if len(latencies) else (None, None)
    unanswered = sum(not each.answered for each in entries)
    return {
        "queries": len(entries),
        "unanswered": unanswered,
        "missing": missing,
        "latency_median": middle,
        "latency_p95": late,
    }


def _note(entries: Sequence[LoggedQuery], shown: int, missing: int) -> str:
    if not entries:
        return _lost(missing).strip()
    known = summary(entries, missing)
    middle, late = (1000 * float(str(known[f"latency_{name}"])) for name in ("median", "p95"))
    none = int(str(known["unanswered"]))
    said = f"{len(entries):,} queries, {none:,} without an answer ({percent(none / len(entries))})"
    said += f"; half of them took {middle:,.1f} ms at most, 95 % {late:,.1f} ms."
    return said + (f" Shown: {shown:,}; -k N shows more." if shown < len(entries) else "") + _lost(missing)


def _lost(missing: int) -> str:
    why = "the disk was full, or too many came at once"
    return f" {missing:,} more could not be logged: {why}." if missing else ""


def _named(group: UnansweredGroup) -> str:
    if len(group.queries) == 1 and group.queries[0][0] == group.label:
        return group.label
    more = f" and {len(group.queries) - LEAST:,} more" if len(group.queries) > LEAST else ""
    return f"{group.label}: " + " | ".join(query for query, _ in group.queries[:LEAST]) + more


def _nearest(group: UnansweredGroup) -> str:
    if not group.nearest:
        return "nothing"
    id_, text = group.nearest[0][0], group.entry
    return id_ if text is None or text == id_ else f"{id_}: {text}"


def _when(time: float) -> str:
    return datetime.fromtimestamp(time).isoformat(" ", "seconds")
