"""Duplicates as pages: pairs, groups, and what would go. Not how a page is written: see __init__.py."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nearsense.render import DIFFERS, PROBABILITY, SCORE, Column, Page, of, only_if, table

if TYPE_CHECKING:
    from nearsense.deduplication import Duplicates

TIER: Column = ("tier", of("tier.value"))


def pairs_page(found: Duplicates, limit: int | None) -> Page:
    """Pairs of rows, surest first; at most `limit`."""
    pairs = found.pairs if limit is None else found.best(limit)
    dicts = [each.to_dict() for each in pairs]
    columns = table(
        pairs,
        *only_if(found.probabilities is not None, PROBABILITY),
        SCORE,
        TIER,
        *only_if(any(each.differs for each in pairs), DIFFERS),
        # Where there are no texts the ids stand in their place.
        *only_if(any(each.a for each in pairs), ("left", of("left")), ("right", of("right"))),
        ("a", lambda pair: pair.a or pair.left),
        ("b", lambda pair: pair.b or pair.right),
    )
    return Page(dicts, dicts, **columns, note=_more(len(found) - len(pairs), "pairs") + _note(found))


def groups_page(found: Duplicates, limit: int | None) -> Page:
    """Groups, largest first; at most `limit`."""
    groups = found.groups[:limit]
    columns = (PROBABILITY, SCORE, TIER, ("id", of("id")), ("text", of("text")))
    pages = [
        Page(
            **table(group.dropped, *columns),
            title=f"{group.kept.id}: {group.kept.text}" if group.kept.text else group.kept.id,
        )
        for group in groups
    ]
    records = [
        {"group": number, **each.to_dict(), "kept_text": group.kept.text}
        for number, group in enumerate(groups, 1)
        for each in group.dropped
    ]
    heads = [] if pages else [head for head, _ in columns]
    note = _more(len(found.groups) - len(groups), "groups") + _note(found)
    return Page([group.to_dict() for group in groups], records, heads, groups=pages, note=note)


def dropped_page(found: Duplicates, limit: int | None, *, written: bool) -> Page:
    """The rows that go, or would."""
    dropped, shown = found.dropped, found.dropped[:limit]
    dicts = [each.to_dict() for each in dropped]
    known = {name: value for name, value in found.to_dict().items() if name != "groups"}
    tiers = ", ".join(f"{count:,} {tier.value}" for tier, count in found.tiers.items())
    stay, go = ("stay", "go") if written else ("would stay", "would go")
    columns = table(
        shown,
        ("id", of("id")),
        ("text", of("text")),
        ("reason", of("reason")),
        ("stays", of("kept")),
        *only_if(any(each.differs for each in dropped), DIFFERS),
    )
    return Page(
        {**known, "written": written, "rows_dropped": dicts},
        dicts,
        **columns,
        title=f"{len(found.rows.documents):,} rows: {len(found.kept):,} {stay}, {len(dropped):,} {go} ({tiers})",
        note=_more(len(dropped) - len(shown), "rows") + _note(found),
    )


def _more(count: int, what: str) -> str:
    return f"{count:,} more {what}: --limit shows as many as you say. " if count > 0 else ""


def _note(found: Duplicates) -> str:
    """What was asked, and what the figures are."""
    line = f"Pairs of {found.threshold}. Score: cosine similarity by {found.origin.model}."
    if found.probabilities is None:
        return line
    return f"{line} Probability: that both say the same; {found.probabilities.prior:.2g} before the score is seen."
