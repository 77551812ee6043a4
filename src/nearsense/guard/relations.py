"""What joins two parts of a text: which event comes first, which is the cause, which is more, on what condition.

A text is cut in two at a word that relates its parts (before, because, than). Where another text has the words of
the one part in the other part, the relation is turned round; where they stand the same way, nothing differs.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import TypeAlias

from nearsense.guard import words as flag
from nearsense.guard.polarity import denial_count
from nearsense.guard.reader import Text
from nearsense.guard.tables import Tables
from nearsense.guard.words import Difference, Kind, Word

_MOST = 48  # words that are looked at in each text
_BEHIND = 3  # words behind an "only" that may hold the figure that it is about

Sides: TypeAlias = tuple[Text, Text]  # a text as written, and with its phrases joined


@dataclass(slots=True)
class Related:
    """The relations that are turned round, and what those explain away that are not."""

    found: list[Difference] = field(default_factory=list)
    known: bool = False  # whether some relation was understood in both texts: then its words have changed no roles
    settled: int = 0  # negations that belong to a relation: not until, not as good as
    scales: set[str] = field(default_factory=set)  # what is compared, as written: bigger than, smaller than

    def explains(self, opposite: Difference) -> bool:
        """Whether two opposites are no difference of their own: before and after, bigger than and smaller than."""
        compared = not self.scales.isdisjoint((opposite.left.split()[0], opposite.right.split()[0]))
        return self.known and (compared or opposite.kind is Kind.ORDER)


@dataclass(frozen=True, slots=True)
class _Relation:
    """One reading of a text: what comes first (the cause, the greater) and what second, as {key: position}."""

    kind: Kind
    at: int
    first: dict[Word, int]
    second: dict[Word, int]
    denied: bool = False
    scale: str = ""  # in what a comparison compares; of two opposites the other way round
    shown: str = ""
    equal: bool = False


def relations_of(a: Sides, b: Sides, tables: Tables) -> Related:
    """The relations of two texts, compared."""
    result = Related()
    left = list(_relations(a, tables))
    right = list(_relations(b, tables)) if left else []
    for kind in dict.fromkeys(one.kind for one in left):
        here, there = ([one for one in side if one.kind is kind] for side in (left, right))
        seen = [(x, y, turned) for x in here for y in there if (turned := _turned(x, y, tables)) is not None]
        if not seen:
            continue
        x, y, turned = next((each for each in seen if not each[2]), seen[0])
        result.known = True
        result.settled += x.denied != y.denied
        result.scales |= {x.shown, y.shown} - {""}
        if turned:
            result.found.append(Difference(kind, _shown(_words(a, kind), x, y), _shown(_words(b, kind), y, x)))
    return result


def _turned(x: _Relation, y: _Relation, tables: Tables) -> bool | None:
    """Whether two relations say the same the other way round; None where their words do not tell."""
    straight = len(x.first.keys() & y.first.keys()), len(x.second.keys() & y.second.keys())
    across = len(x.first.keys() & y.second.keys()), len(x.second.keys() & y.first.keys())
    if x.scale and y.scale:
        if x.equal or y.equal:
            return None if x.equal == y.equal or x.scale != y.scale else True
        if x.scale != y.scale:
            if x.scale not in tables.opposites.get(y.scale, ()):
                return None
            straight, across = across, straight
    if min(across) and not min(straight):
        return True
    return False if (min(straight) and not min(across)) or sum(straight) > 2 * sum(across) else None


def _words(text: Sides, kind: Kind) -> list[Word]:
    """The words that a relation is read from: in comparisons "more than" is two."""
    return text[kind is not Kind.COMPARISON].words[:_MOST]


def _relations(text: Sides, tables: Tables) -> Iterator[_Relation]:
    words = _words(text, Kind.ORDER)
    asks = bool(words) and words[-1].shown == "?"
    for at, word in enumerate(words):
        known = tables.relations.get(word.small) or tables.relations.get(word.key)
        found = _clauses(words, at, *known, asks) if known else None
        if found is not None:
            yield found
    words = _words(text, Kind.COMPARISON)
    for at, word in enumerate(words):
        found = _comparison(words, at, tables) if word.small in tables.comparing else None
        if found is not None:
            yield found


def _clauses(words: list[Word], at: int, kind: Kind, shape: str, asks: bool) -> _Relation | None:
    """The parts before and behind a connective, in the order of the relation."""
    after = words[at + 1] if at + 1 < len(words) else None
    before = words[at - 1] if at else None
    if after is None or (asks and at == 0 and after.flags & flag.AUXILIARY):
        return None
    if shape in ("then", "back"):
        if before is None or before.flags & (flag.DETERMINER | flag.NUMBER | flag.UNIT):
            return None  # the cause, years later
        main, clause = _content(words, 0, at), _content(words, at + 1, len(words))
        first, second = (main, clause) if shape == "then" else (clause, main)
        return _relation(_Relation(kind, at, first, second))
    end = next((i for i in range(at, len(words)) if words[i].flags & flag.SENTENCE), len(words))
    start = next((i + 1 for i in range(at - 1, -1, -1) if words[i].flags & flag.SENTENCE), 0)
    if not any(word.content for word in words[start:at]):  # the clause comes first, up to a comma
        comma = next((i for i in range(at, end) if words[i].shown == ","), None)
        if comma is None:
            return None
        clause, main, span = _content(words, at + 1, comma), _content(words, comma, end), (comma, end)
    else:
        clause, main, span = _content(words, at + 1, end), _content(words, start, at), (start, at)
    denied = shape == "second" and any(word.flags & flag.NEGATOR for word in words[slice(*span)])
    first, second = (clause, main) if (shape == "first") != denied else (main, clause)
    return _relation(_Relation(kind, at, first, second, denied))


def _comparison(words: list[Word], at: int, tables: Tables) -> _Relation | None:
    """Bigger than, more careful than, less careful than, as careful as, not as careful as."""
    scale, before, start, more = words[at - 1], words[at - 2].small, at - 1, True
    bare = scale.small in tables.more or scale.small in tables.less  # cats sleep more than dogs
    if at < 2 or not (scale.content or bare or scale.small in tables.compared):
        return None
    equal = (before, words[at].small) in tables.equal
    if not equal and words[at].small not in tables.than:
        return None
    if bare:
        more = scale.small in tables.more
    elif equal or before in tables.more or before in tables.less:
        start, more = at - 2, before not in tables.less
    denied = any(word.flags & flag.NEGATOR for word in words[max(start - 2, 0) : start])
    if denied:
        if not equal:
            return None
        more, equal = False, False
    first, second = _sides(words, 0, start), _sides(words, at + 1, len(words))
    first, second = (first, second) if more else (second, first)
    key = "more" if bare else tables.bases.get(scale.small, scale.key)
    return _relation(_Relation(Kind.COMPARISON, at, first, second, denied, key, scale.shown, equal))


def _relation(known: _Relation) -> _Relation | None:
    """The same without what stands in both parts; nothing where a part is then empty."""
    both = known.first.keys() & known.second.keys()
    first, second = (
        {word: place for word, place in part.items() if word not in both} for part in (known.first, known.second)
    )
    return replace(known, first=first, second=second) if first and second else None


def _content(words: list[Word], start: int, end: int) -> dict[Word, int]:
    return {words[i]: i for i in range(start, end) if words[i].content}


def _sides(words: list[Word], start: int, end: int) -> dict[Word, int]:
    """The words that are compared: also pronouns, and figures but for the one of "the red one"."""
    return {
        word: start + i
        for i, word in enumerate(words[start:end])
        if word.content or word.flags & flag.PERSON or (word.flags & flag.NUMBER and word.code != "weak")
    }


def _shown(words: list[Word], one: _Relation, other: _Relation) -> str:
    """A word of each part with the connective between or before them, as they stand."""
    places = {one.at}
    for mine, theirs in ((one.first, other.second), (one.second, other.first)):
        crossing = [place for word, place in mine.items() if word in theirs] or list(mine.values())
        places.add(crossing[0])
    return " … ".join(words[place].shown for place in sorted(places))


def with_conditions(a: Text, b: Text, found: list[Difference], tables: Tables) -> list[Difference]:
    """What differs between two texts, phrases joined, where what comes of another condition is named so."""
    one, other = _conditions(a, tables), _conditions(b, tables)
    left, right = one.keys() - other.keys(), other.keys() - one.keys()
    if not left or not right:
        return found
    here, there = min(left), min(right)
    pair, kinds = {here, there}, [each.kind for each in found]
    if pair == {"if", "only"} and kinds.count(Kind.ANTONYM) == 1 and denial_count(a) % 2 != denial_count(b) % 2:
        return [each for each in found if each.kind is not Kind.ANTONYM]  # only if right; if wrong, not
    if "unless" in pair and "even" not in pair and Kind.NEGATION not in kinds:
        return found  # unless is if not
    rest = [each for each in found if each.kind is not Kind.NEGATION]
    return [*rest, Difference(Kind.CONDITION, one[here], other[there])]


def restrictions(a: Text, b: Text, here: set[Word], there: set[Word], tables: Tables) -> list[Difference]:
    """The "only" of one of two texts that have all else in common: only members can vote, members can vote."""
    limits = [word for word in here | there if word.small in tables.limits]
    if len(limits) != 1 or any(word.content for word in (here | there).difference(limits)):
        return []
    text = a if limits[0] in here else b
    at = text.words.index(limits[0])
    before, behind = text.words[at - 1] if at else None, text.words[at + 1 : at + 1 + _BEHIND]
    if before is not None and before.flags & (flag.DETERMINER | flag.PREPOSITION):
        return []  # the only one
    if any(word.flags & flag.NUMBER for word in behind):
        return []  # only 5 are left: that is few, and still 5
    with_it = " ".join(word.shown for word in text.words[max(at - (not behind), 0) : at + 2])
    without = (behind[:1] or text.words[at - 1 : at] or [limits[0]])[0].shown
    sides = (with_it, without) if text is a else (without, with_it)
    return [Difference(Kind.CONDITION, *sides)]


def _conditions(text: Text, tables: Tables) -> dict[str, str]:
    """The conditions of a text → how they are said."""
    return {tables.conditions[word.small]: word.shown for word in text.words if word.small in tables.conditions}
