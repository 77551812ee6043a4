"""Another model, version, size or part: codes of two texts that name two things. Grouping is no difference.

What a code is by its shape says coded.py; here also letters (plan B), capitals (EFSATB) and figures behind a name.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TypeAlias

from nearsense.guard.coded import normal
from nearsense.guard.kinds import Difference, Kind
from nearsense.guard.numbers import MODEL, labelled
from nearsense.guard.reader import Text, beside
from nearsense.guard.tables import Tables
from nearsense.guard.words import ADDITION, CAPITAL, CAPITALS, CODE, DATE, NAME, NUMBER, SENTENCE, Word

__all__ = ["Codes", "differing"]

_MOST = 24
"""Codes that are looked at in each text."""

_RUN = 4
"""Words that one code may be written in: WH 1000 X M4."""

_SHOUTED = 0.5
"""Share of content in capitals from which on capitals say nothing."""


Parts: TypeAlias = tuple[list[str], list[str]]
Taken: TypeAlias = tuple[set[int], set[int]]


_NAMING = CODE | NUMBER | CAPITALS
_MODEL = ADDITION | CODE


@dataclass(slots=True)
class Codes:
    """The codes in which two texts differ, and where in either stands what this explains."""

    found: list[Difference] = field(default_factory=list)
    taken: Taken = field(default_factory=lambda: (set(), set()))


def differing(a: Text, b: Text, here: set[Word], there: set[Word], tables: Tables) -> Codes:
    """Codes of the one text that the other does not have, each beside what stands in its place.

    Args:
        a: One text.
        b: The other.
        here: The words that only `a` has.
        there: The words that only `b` has.
        tables: The language's.
    """
    result = Codes()
    if _may_differ(here, there):
        one, other = _codes(a, here, tables), _codes(b, there, tables)
        if one or other:
            _compare(a, b, one, other, result, tables)
    if not result.found:
        result.found += [Difference(Kind.CODE, *pair) for pair in _added(a, b, there)]
        result.found += [Difference(Kind.CODE, *pair[::-1]) for pair in _added(b, a, here)]
    return result


def _may_differ(here: set[Word], there: set[Word]) -> bool:
    """Whether both texts have something of their own that may be a code. The A of plan A is in any text."""
    for one, other in ((here, there), (there, here)):
        codes = [word for word in one if word.flags & CODE]
        letters = any(len(word.shown) == 1 for word in codes)
        if letters or (codes and any(word.flags & _NAMING or word.shown == "I" for word in other)):
            return True
    return any(word.flags & CAPITALS for word in here) and any(word.flags & CAPITALS for word in there)


def _compare(a: Text, b: Text, one: list[int], other: list[int], result: Codes, tables: Tables) -> None:
    """Each code that the other text does not write, beside what stands in its place."""
    parts = _parts(a), _parts(b)
    left = [at for at in one if not _regrouped(at, a, b, parts, other, result.taken, tables)]
    right = [at for at in other if not _regrouped(at, b, a, parts[::-1], one, result.taken[::-1], tables)]
    left = [at for at in left if at not in result.taken[0]]
    right = [at for at in right if at not in result.taken[1]]
    shared = a.content & b.content
    for at in left:
        to = next((to for to in right if _other(a, at, b, to, parts[0][at], parts[1][to], shared)), None)
        if to is None:
            continue
        right.remove(to)
        result.taken[0].add(at)
        result.taken[1].add(to)
        result.found.append(Difference(Kind.CODE, _shown(a.words, at, tables), _shown(b.words, to, tables)))


def _codes(text: Text, own: set[Word], tables: Tables) -> list[int]:
    """Where a text names something by letters and digits."""
    words, found, loud = text.words, [], None
    for at, word in enumerate(words):
        if word.flags & CODE:
            code = not _measures(words, at) and not _initial(words, at)
        elif word.shown in ("A", "I"):
            code = _letter(words, at, tables)
        elif word.flags & CAPITALS and word in own and not word.flags & NAME and not _measures(words, at):
            loud = _shouted(text) if loud is None else loud
            code = not loud
        else:
            code = bool(word.flags & NUMBER and word in own) and (
                labelled(words, at, at + 1, tables) or MODEL.match(word.shown) is not None
            )
        if code:
            found.append(at)
            if len(found) == _MOST:
                break
    return found


def _parts(text: Text) -> list[str]:
    """Every word as a part that a code may be written in."""
    return [normal(word.shown) if word.flags & (CODE | NUMBER) else word.small for word in text.words]


def _letter(words: list[Word], at: int, tables: Tables) -> bool:
    """Whether an A is no article, an I no person: plan A, World War I."""
    before, after = words[at - 1] if at else None, words[at + 1] if at + 1 < len(words) else None
    if before is None or before.flags & SENTENCE:
        return False
    if before.small in tables.labels:
        return True
    titled = after is not None and after.flags & CAPITAL and after.content
    return bool(before.content and not titled and (before.flags & CAPITAL or words[at].shown == "A"))


def _measures(words: list[Word], at: int) -> bool:
    """Whether letters are the unit of a figure: 9 W, 16 GB."""
    return bool(at and words[at].units and words[at - 1].flags & NUMBER)


def _initial(words: list[Word], at: int) -> bool:
    """Whether a letter is short for a name: John F. Kennedy, J. Smith."""
    if len(words[at].shown) > 1 or at + 2 >= len(words) or words[at + 1].shown != ".":
        return False
    return bool(words[at + 2].flags & CAPITAL)


def _shouted(text: Text) -> bool:
    capitals = [1 for word in text.contents if word.flags & CAPITALS]
    return len(capitals) > _SHOUTED * len(text.contents)


def _regrouped(at: int, a: Text, b: Text, parts: Parts, codes: list[int], taken: Taken, tables: Tables) -> bool:
    """Whether the other text writes the same code, in one word or in several; both are then taken."""
    code, others, size = parts[0][at], parts[1], tables.sizes.get(a.words[at].shown)
    for start in range(len(others)) if code not in ("a", "i") else codes:  # an article is no letter
        first = others[start][:1]
        if first.isalnum() and first != code[:1] and not size:
            continue
        joined = ""
        for end in range(start, min(start + _RUN, len(others))):
            joined = normal(f"{joined} {others[end]}") if joined else others[end]
            if joined == code or (size and tables.sizes.get(b.words[end].small) == size):
                taken[0].add(at)
                taken[1].update(range(start, end + 1))
                return True
            if len(joined) >= len(code):
                break
    return False


def _other(a: Text, at: int, b: Text, to: int, code: str, other: str, shared: set[Word]) -> bool:
    """Whether two codes stand for another thing: in the same place, or alike but for a sign or two."""
    one, two = a.words[at], b.words[to]
    if one.flags & two.flags & NUMBER and (
        not (one.shown[-1].isalpha() and two.shown[-1].isalpha()) or MODEL.match(one.shown)
    ):
        return False  # these are compared by their values
    if (code.isalpha() and other.startswith(code)) or (other.isalpha() and code.startswith(other)):
        return one.flags & two.flags & CAPITALS != 0  # COVID is COVID-19, AA is not AAA
    weak = not (one.flags | two.flags) & (CODE | NUMBER)
    return _resemble(code, other) if weak else beside(a, at, b, to, shared) or _resemble(code, other)


def _resemble(code: str, other: str) -> bool:
    """Whether two codes have half of their signs in common, from the start."""
    if min(len(code), len(other)) < 2:
        return False
    same = sum(x == y for x, y in zip(code, other, strict=False))
    return 2 * same >= max(len(code), len(other)) and code[0] == other[0]


def _added(a: Text, b: Text, there: set[Word]) -> Iterator[tuple[str, str]]:
    """What makes another model of a name in `b` that both texts have: 1660 and 1660 Ti, R6 and R6 Mark II."""
    words, end = b.words, 0
    for at in range(1, len(words)):
        if at < end or words[at] not in there or not words[at - 1].flags & (CODE | NUMBER | CAPITAL):
            continue
        end = at
        while end < len(words) and words[end] in there and _extends(words[end]):
            end += 1
        if end == at or not any(word.flags & _MODEL for word in words[at:end]):
            continue
        before, after = words[at - 1], words[end] if end < len(words) else None
        for place, same in enumerate(a.words):
            behind = a.words[place + 1] if place + 1 < len(a.words) else None
            if same == before and (behind == after or (_ends(behind) and _ends(after))):
                yield before.shown, " ".join(word.shown for word in words[at - 1 : end])
                break


def _extends(word: Word) -> bool:
    """Whether a word may be part of a model's name."""
    return bool(word.flags & (CAPITAL | CODE)) and not word.flags & (DATE | NUMBER)


def _ends(word: Word | None) -> bool:
    return word is None or bool(word.flags & SENTENCE)


def _shown(words: list[Word], at: int, tables: Tables) -> str:
    """A code, with the word that says what it is of."""
    word, before = words[at], words[at - 1] if at else None
    if before is not None and (before.small in tables.labels or len(word.shown) == 1) and before.content:
        return f"{before.shown} {word.shown}"
    return word.shown
