"""Duplicates as pages: pairs, groups, and what would go. Not how a page is written: see __init__.py."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nearsense.render import Page, likelihood

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nearsense.deduplication import Dropped, Duplicates, Group, Pair

__all__ = ["dropped_page", "groups_page", "pairs_page"]


def pairs_page(found: Duplicates, limit: int | None) -> Page:
    """Pairs of rows, surest first; at most `limit`."""
    pairs: Sequence[Pair] = found.pairs if limit is None else found.best(limit)
    sure, differing = found.probabilities is not None, any(each.differs for each in pairs)
    named = any(each.a for each in pairs)  # else the ids stand in the place of texts
    return Page(
        document=[each.to_dict() for each in pairs],
        records=[each.to_dict() for each in pairs],
        columns=(
            *(("probability>",) if sure else ()),
            "score>",
            "tier",
            *(("differs",) if differing else ()),
            *(("left", "right") if named else ()),
            "a",
            "b",
        ),
        cells=[
            (
                *((likelihood(each.probability, each.interval),) if sure else ()),
                f"{each.score:.4f}",
                each.tier.value,
                *((", ".join(each.differs or ()),) if differing else ()),
                *((each.left, each.right) if named else ()),
                each.a or each.left,
                each.b or each.right,
            )
            for each in pairs
        ],
        note=_more(len(found) - len(pairs), "pairs") + _note(found),
    )


def groups_page(found: Duplicates, limit: int | None) -> Page:
    """Groups, largest first; at most `limit`."""
    groups: Sequence[Group] = found.groups[:limit]
    pages = [
        Page(
            document=None,
            records=(),
            columns=_COLUMNS,
            cells=[_cells(each) for each in group.dropped],
            title=f"{group.kept.id}: {group.kept.text}" if group.kept.text else group.kept.id,
        )
        for group in groups
    ]
    return Page(
        document=[group.to_dict() for group in groups],
        records=[
            {"group": number, **each.to_dict(), "kept_text": group.kept.text}
            for number, group in enumerate(groups, 1)
            for each in group.dropped
        ],
        columns=_COLUMNS if not pages else (),
        cells=(),
        groups=pages,
        note=_more(len(found.groups) - len(groups), "groups") + _note(found),
    )


def dropped_page(found: Duplicates, limit: int | None, *, written: bool) -> Page:
    """The rows that go, or would."""
    dropped: Sequence[Dropped] = found.dropped
    shown, differing = dropped[:limit], any(each.differs for each in dropped)
    known: dict[str, Any] = {name: value for name, value in found.to_dict().items() if name != "groups"}
    rows, kept = len(found.rows.documents), len(found.kept)
    tiers = ", ".join(f"{count:,} {tier.value}" for tier, count in found.tiers.items())
    verbs = ("stay", "go") if written else ("would stay", "would go")
    return Page(
        document={**known, "written": written, "rows_dropped": [each.to_dict() for each in dropped]},
        records=[each.to_dict() for each in dropped],
        columns=("id", "text", "reason", "stays", *(("differs",) if differing else ())),
        cells=[
            (each.id, each.text, each.reason, each.kept, *((", ".join(each.differs or ()),) if differing else ()))
            for each in shown
        ],
        title=f"{rows:,} rows: {kept:,} {verbs[0]}, {len(dropped):,} {verbs[1]} ({tiers})",
        note=_more(len(dropped) - len(shown), "rows") + _note(found),
    )


_COLUMNS = ("probability>", "score>", "tier", "id", "text")


def _cells(each: Dropped) -> tuple[str, ...]:
    return likelihood(each.probability, each.interval), f"{each.score:.4f}", each.tier.value, each.id, each.text


def _more(count: int, what: str) -> str:
    return f"{count:,} more {what}: --limit shows as many as you say. " if count > 0 else ""


def _note(found: Duplicates) -> str:
    """What was asked, and what the figures are."""
    line = f"Pairs of {found.threshold}. Score: cosine similarity by {found.origin.model}."
    if found.probabilities is None:
        return line
    return f"{line} Probability: that both say the same; {found.probabilities.prior:.2g} before the score is seen."
