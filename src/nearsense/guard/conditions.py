"""On what condition something holds: if, unless, only if, even if. Not which clause that is: relations.py."""

from __future__ import annotations

from nearsense.guard.kinds import Difference, Kind
from nearsense.guard.reader import Text
from nearsense.guard.tables import Tables
from nearsense.guard.words import DETERMINER, NEGATOR, NUMBER, PREPOSITION, Word

__all__ = ["conditioned", "limited"]

_BEHIND = 3
"""Words behind an "only" that may hold the figure that it is about."""


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


def limited(a: Text, b: Text, here: set[Word], there: set[Word], tables: Tables) -> list[Difference]:
    """The "only" of one of two texts that have all else in common: only members can vote, members can vote.

    Args:
        a: One text.
        b: The other.
        here: The words that only `a` has.
        there: The words that only `b` has.
        tables: The language's.
    """
    limits = [word for word in here | there if word.small in tables.limits]
    if len(limits) != 1 or any(word.content for word in (here | there).difference(limits)):
        return []
    text = a if limits[0] in here else b
    at = text.words.index(limits[0])
    before, behind = text.words[at - 1] if at else None, text.words[at + 1 : at + 1 + _BEHIND]
    if before is not None and before.flags & (DETERMINER | PREPOSITION):
        return []  # the only one
    if any(word.flags & NUMBER for word in behind):
        return []  # only 5 are left: that is few, and still 5
    with_it = " ".join(word.shown for word in text.words[max(at - (not behind), 0) : at + 2])
    without = (behind[:1] or text.words[at - 1 : at] or [limits[0]])[0].shown
    sides = (with_it, without) if text is a else (without, with_it)
    return [Difference(Kind.CONDITION, *sides)]


def _said(text: Text, tables: Tables) -> dict[str, str]:
    """The conditions of a text → how they are said."""
    return {tables.conditions[word.small]: word.shown for word in text.words if word.small in tables.conditions}


def _denies(text: Text) -> bool:
    return sum(bool(word.flags & NEGATOR) for word in text.words) % 2 == 1
