"""What turns or weakens a statement: negations, opposites, and how strongly it is said (must or may, all or some).

Two negations make up for each other, and so do a negation and an opposite: "not open" is "closed".
"""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass

from nearsense.guard import words as flag
from nearsense.guard.reader import Text, same_slot
from nearsense.guard.tables import Tables
from nearsense.guard.words import Difference, Kind, Word

_REACH = 4  # words before a word in which a negation is taken to mean it


def is_negated(words: list[Word], at: int, double: bool) -> bool:
    """Whether an odd number of negations reaches the word at a position; where two are one (`double`), any."""
    count = 0
    for word in words[at - 1 : max(at - 1 - _REACH, 0) - 1 if at - 1 - _REACH > 0 else None : -1] if at else ():
        if word.flags & flag.BREAK:
            break
        count += bool(word.flags & flag.NEGATOR)
    return count > 0 if double else count % 2 == 1


def negations(a: Text, b: Text, settled: int, double: bool) -> list[Difference]:
    """One difference where the negations of two texts do not come out even, `settled` of them made up for.

    `double`: two in one clause are one, as in Italian "non ... nessuno".
    """
    left, right = _negators(a, double), _negators(b, double)
    if (len(left) + len(right) + settled) % 2 == 0:
        return []
    quiet = len([1 for word in a.words if word.flags & flag.IMPLICIT and word not in b.keys])
    quiet += len([1 for word in b.words if word.flags & flag.IMPLICIT and word not in a.keys])
    if quiet % 2:
        return []
    more, fewer = (left, right) if len(left) >= len(right) else (right, left)
    text, other = (a, b) if more is left else (b, a)
    if not any(_is_spoken_of(text, at, other) for at in more):
        return []
    keys = {other.words[at].key for at in fewer}
    extra = next((at for at in more if text.words[at].key not in keys), more[0])
    shown = text.words[extra].shown
    return [Difference(Kind.NEGATION, *((shown, "") if more is left else ("", shown)))]


def _negators(text: Text, double: bool) -> list[int]:
    """Where a text denies; the "no" of "no, thanks" answers and denies nothing."""
    asks = bool(text.words) and text.words[-1].shown == "?"
    words, last, found, before = text.words, len(text.words) - 1, [], False
    for at, word in enumerate(words):
        if word.flags & flag.BREAK:
            before = False
        if not word.flags & flag.NEGATOR or (double and before):
            continue
        if asks and at < 2 and words[0].flags & flag.AUXILIARY:
            before = True  # "isn't it", "don't you think": asked, not denied
            continue
        answers = at < last and words[at + 1].shown == "," and (at == 0 or words[at - 1].flags & flag.BREAK)
        labels = at + 2 <= last and words[at + 1].shown == "." and words[at + 2].shown[0].isdigit()  # no. 12
        if not answers and not labels:
            found.append(at)
            before = True
    return found


def _is_spoken_of(text: Text, at: int, other: Text) -> bool:
    """Whether what is denied is spoken of in the other text: of the words behind it, or of that before."""
    words = text.words
    found: list[bool] = []
    for word in words[at + 1 : at + 7]:
        if word.flags & flag.SENTENCE or len(found) == 2:
            break
        if word.content or word.opposite:
            found.append(word.key in other.keys or not word.opposite.isdisjoint(other.keys))
    if not any(found) and (not found or not words[at].flags & flag.AUXILIARY):
        found += [word.key in other.keys for word in reversed(words[:at]) if word.content][:1]
    return any(found) or not found


@dataclass(slots=True)
class Opposites:
    """The opposites of two texts, and what they explain away."""

    found: list[Difference]
    settled: int = 0  # negations that an opposite makes up for: not open, closed
    turned: bool = False
    """Opposites that say the same of exchanged places: Karen bought from David, David sold to Karen."""


def opposites(
    a: Text, b: Text, only_a: list[tuple[int, Word]], only_b: list[tuple[int, Word]], tables: Tables
) -> Opposites:
    """Pairs of opposites among the words that the other text does not have, given with their positions."""
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
        if not _said_of_same(a, i, b, j, shared):
            continue
        del here[key], there[opposite]
        if is_negated(a.words, i, tables.double) != is_negated(b.words, j, tables.double):
            result.settled += 1
        elif _lessened(a.words, i, tables) != _lessened(b.words, j, tables):
            continue  # less expensive, cheaper
        elif word.flags & other.flags & flag.CONVERSE and _turned(a, b, i, j):
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


def _said_of_same(a: Text, i: int, b: Text, j: int, shared: Set[str]) -> bool:
    """Whether two opposites are said of the same: beside the same word, or of exchanged places."""
    return same_slot(a, i, b, j, shared) or bool(
        a.words[i].flags & b.words[j].flags & flag.CONVERSE and _turned(a, b, i, j)
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
    before_a, after_a = _around(a, i, shared)
    before_b, after_b = _around(b, j, shared)
    return bool(before_a & after_b - before_b) and bool(after_a & before_b - after_b)


def _around(text: Text, at: int, shared: Set[str]) -> tuple[set[str], set[str]]:
    before = {w.key for w in text.words[:at] if w.key in shared and (w.content or w.flags & flag.PERSON)}
    after = {w.key for w in text.words[at + 1 :] if w.key in shared and (w.content or w.flags & flag.PERSON)}
    return before, after


def strengths(a: Text, b: Text, tables: Tables) -> list[Difference]:
    """Families of words in which both texts say something, and not the same."""
    asks = _asks(a, tables) or _asks(b, tables)
    one, other = _levels(a, tables, asks), _levels(b, tables, asks)
    found: dict[tuple[str, str], None] = {}
    families = one.keys() & other.keys()
    if not families:
        return []
    shared, uneven = a.content & b.content, denial_count(a) != denial_count(b)
    for family in families:
        left, right = one[family], other[family]
        if left.keys() & right.keys() or (family != "often" and uneven):
            continue
        met = ((x, y) for x in left.values() for y in right.values() if same_slot(a, x, b, y, shared))
        found.update({(a.words[x].shown, b.words[y].shown): None for x, y in list(met)[:1]})
    return [Difference(Kind.MODALITY, *pair) for pair in found]


def _levels(text: Text, tables: Tables, asks: bool) -> dict[str, dict[str, int]]:
    found: dict[str, dict[str, int]] = {}
    for at, word in [(at, word) for at, word in enumerate(text.words) if word.levels]:
        if not (at and text.words[at - 1].flags & flag.NEGATOR and not word.flags & flag.NEGATOR):
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


def denial_count(text: Text) -> int:
    """How often a text denies: where two differ in that, "not all" and "some" may be one."""
    return sum(word.flags & flag.NEGATOR != 0 for word in text.words)
