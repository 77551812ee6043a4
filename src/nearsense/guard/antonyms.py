"""Words and their opposites: increases, decreases. "Not open" is "closed": such pairs are no difference."""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass

from nearsense.guard.kinds import Difference, Kind
from nearsense.guard.negation import negated
from nearsense.guard.reader import Text, beside
from nearsense.guard.tables import Tables
from nearsense.guard.words import CONVERSE, PERSON, Word

__all__ = ["Opposites", "opposites"]


@dataclass(slots=True)
class Opposites:
    """The opposites of two texts, and what they explain away."""

    found: list[Difference]
    settled: int = 0
    """Negations that an opposite makes up for: not open, closed."""
    turned: bool = False
    """Opposites that say the same of exchanged places: Karen bought from David, David sold to Karen."""


def opposites(
    a: Text, b: Text, only_a: list[tuple[int, Word]], only_b: list[tuple[int, Word]], tables: Tables
) -> Opposites:
    """Pairs of opposites among the words that the other text does not have.

    Args:
        a: One text.
        b: The other.
        only_a: Position and word, for the words of `a` that `b` does not have.
        only_b: The same of `b`.
        tables: The language's.
    """
    result = Opposites([])
    here = {word.key: (i, word) for i, word in only_a}
    there = {word.key: (j, word) for j, word in only_b}
    keys_a, keys_b = here.keys(), there.keys()
    pairs = [(key, other) for key in here for other in _in_order(here[key][1].opposite & keys_b, there)]
    pairs += [
        (key, other)
        for other in there
        for key in _in_order(there[other][1].opposite & keys_a, here)
        if (key, other) not in pairs
    ]
    shared = a.content & b.content if pairs else set()
    for key, opposite in pairs:
        if key not in here or opposite not in there:
            continue
        (i, word), (j, other) = here[key], there[opposite]
        if not _meets(a, i, b, j, shared):
            continue
        del here[key], there[opposite]
        if negated(a.words, i, tables.double) != negated(b.words, j, tables.double):
            result.settled += 1
        elif _lessened(a.words, i, tables) != _lessened(b.words, j, tables):
            continue  # less expensive, cheaper
        elif word.flags & other.flags & CONVERSE and _turned(a, b, i, j):
            result.turned = True
        elif not _one_bound(a.words, i, b.words, j, tables):
            result.found.append(Difference(_kind(a.words, i, b.words, j, tables), word.shown, other.shown))
    return result


def _in_order(keys: Set[str], places: dict[str, tuple[int, Word]]) -> list[str]:
    """Words as they stand in their text: a set has no order that would be the same in every process."""
    return sorted(keys, key=lambda key: places[key][0]) if len(keys) > 1 else list(keys)


def _lessened(words: list[Word], at: int, tables: Tables) -> bool:
    """Whether a word is said in a lesser degree: less expensive."""
    return at > 0 and words[at - 1].small in tables.less


def _meets(a: Text, i: int, b: Text, j: int, shared: Set[str]) -> bool:
    """Whether two opposites are said of the same: beside the same word, or of exchanged places."""
    return beside(a, i, b, j, shared) or bool(
        a.words[i].flags & b.words[j].flags & CONVERSE and _turned(a, b, i, j)
    )


def _kind(a: list[Word], i: int, b: list[Word], j: int, tables: Tables) -> Kind:
    """What two opposites are about; light and dark before a colour are shades, above and below a figure bounds."""
    kind = tables.kinds.get((a[i].key, b[j].key), Kind.ANTONYM)
    after = a[i + 1] if i + 1 < len(a) else None, b[j + 1] if j + 1 < len(b) else None
    if after[0] is None or after[1] is None:
        return kind
    if kind is Kind.ANTONYM and tables.colours.issuperset(after):
        return Kind.COLOUR
    if kind is Kind.ANTONYM and tables.than.issuperset([each.small for each in after if each]):
        return Kind.COMPARISON
    amounts = after[0].number is not None and after[1].number is not None
    return Kind.COMPARISON if kind is Kind.PLACE and amounts else kind


def _one_bound(a: list[Word], i: int, b: list[Word], j: int, tables: Tables) -> bool:
    """Whether one lasts until the other begins: open until 8, closes at 8."""
    one, other = ({word.small for word in words[at + 1 : at + 3]} for words, at in ((a, i), (b, j)))
    until, at = tables.until, tables.at - tables.until
    lasts = not one.isdisjoint(until), not other.isdisjoint(until)
    return lasts[0] != lasts[1] and not (other if lasts[0] else one).isdisjoint(at)


def _turned(a: Text, b: Text, i: int, j: int) -> bool:
    """Whether something before the word in one text stands behind it in the other, and the other way round."""
    shared = a.keys & b.keys
    before_a, after_a = _sides(a, i, shared)
    before_b, after_b = _sides(b, j, shared)
    return bool(before_a & after_b - before_b) and bool(after_a & before_b - after_b)


def _sides(text: Text, at: int, shared: Set[str]) -> tuple[set[str], set[str]]:
    before = {w.key for w in text.words[:at] if w.key in shared and (w.content or w.flags & PERSON)}
    after = {w.key for w in text.words[at + 1 :] if w.key in shared and (w.content or w.flags & PERSON)}
    return before, after
