"""On what condition something holds: if, unless, only if, even if. Not which clause that is: relations.py."""

from __future__ import annotations

from nearsense.guard.kinds import Difference, Kind
from nearsense.guard.reader import Text
from nearsense.guard.tables import Tables
from nearsense.guard.words import NEGATOR

__all__ = ["conditioned"]


def conditioned(a: Text, b: Text, found: list[Difference], tables: Tables) -> list[Difference]:
    """The differences of two texts, where those that come of another condition are named so.

    Args:
        a: One text, phrases joined.
        b: The other.
        found: What else differs.
        tables: The language's.
    """
    one, other = _said(a, tables), _said(b, tables)
    left, right = one.keys() - other.keys(), other.keys() - one.keys()
    if not left or not right:
        return found
    here, there = min(left), min(right)
    pair, kinds = {here, there}, [each.kind for each in found]
    if pair == {"if", "only"} and kinds.count(Kind.ANTONYM) == 1 and _denies(a) != _denies(b):
        return [each for each in found if each.kind is not Kind.ANTONYM]  # only if right; if wrong, not
    if "unless" in pair and "even" not in pair and Kind.NEGATION not in kinds:
        return found  # unless is if not
    rest = [each for each in found if each.kind is not Kind.NEGATION]
    return [*rest, Difference(Kind.CONDITION, one[here], other[there])]


def _said(text: Text, tables: Tables) -> dict[str, str]:
    """The conditions of a text → how they are said."""
    return {tables.conditions[word.small]: word.shown for word in text.words if word.small in tables.conditions}


def _denies(text: Text) -> bool:
    return sum(bool(word.flags & NEGATOR) for word in text.words) % 2 == 1
