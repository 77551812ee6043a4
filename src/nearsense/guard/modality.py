"""How strongly something is said: must or may, all or some, always or sometimes. Not whether: see negation.py."""

from __future__ import annotations

from nearsense.guard.kinds import Difference, Kind
from nearsense.guard.reader import Text, beside
from nearsense.guard.tables import Tables
from nearsense.guard.words import NEGATOR

__all__ = ["strengths"]


def strengths(a: Text, b: Text, tables: Tables) -> list[Difference]:
    """Families of words in which both texts say something, and not the same."""
    asks = _asks(a, tables) or _asks(b, tables)
    one, other = _levels(a, tables, asks), _levels(b, tables, asks)
    found: dict[tuple[str, str], None] = {}
    families = one.keys() & other.keys()
    if not families:
        return []
    shared, uneven = a.content & b.content, _denials(a) != _denials(b)
    for family in families:
        left, right = one[family], other[family]
        if left.keys() & right.keys() or (family != "often" and uneven):
            continue
        met = ((x, y) for x in left.values() for y in right.values() if beside(a, x, b, y, shared))
        found.update({(a.words[x].shown, b.words[y].shown): None for x, y in list(met)[:1]})
    return [Difference(Kind.MODALITY, *pair) for pair in found]


def _levels(text: Text, tables: Tables, asks: bool) -> dict[str, dict[str, int]]:
    found: dict[str, dict[str, int]] = {}
    for at, word in [(at, word) for at, word in enumerate(text.words) if word.levels]:
        if not (at and text.words[at - 1].flags & NEGATOR and not word.flags & NEGATOR):
            for family, level in word.levels:
                if not (asks and level.rstrip("~") in tables.loose):
                    found.setdefault(family, {}).setdefault(level, at)
    for said in found.values():
        for level in [level for level in said if level.endswith("~")]:
            at = said.pop(level)
            if not said:
                said[level[:-1]] = at
    return found


def _asks(text: Text, tables: Tables) -> bool:
    return bool(text.words) and text.words[-1].shown == "?" and any(w.key in tables.asking for w in text.words[:2])


def _denials(text: Text) -> int:
    """How often a text denies: where two differ in that, "not all" and "some" may be one."""
    return sum(word.flags & NEGATOR != 0 for word in text.words)
