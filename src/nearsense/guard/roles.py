"""Who does what to whom, and from where to where, by prepositions and the order of words. Not a parser."""

from __future__ import annotations

from collections.abc import Set
from operator import gt

from nearsense.guard import words as flag
from nearsense.guard.reader import Text
from nearsense.guard.tables import Tables
from nearsense.guard.words import Difference, Kind, Word

MANY = 8  # words that two texts may have to themselves; with more of them the order of the others says little
_FEW = 2  # words that two texts may have to themselves where prepositions alone are thought to have changed places
_MOST = 32  # words that are looked at in each text


def new_places(a: Text, b: Text, shared: set[Word]) -> list[int]:
    """Where the content of the one text stands in the other; nothing where it stands in the same order."""
    if len(shared) < 2:
        return []
    one, other = list(filter(shared.__contains__, a.contents)), list(filter(shared.__contains__, b.contents))
    if one == other:
        return []
    place = {key: at for at, key in enumerate(other)}
    places = [place[key] for key in one]
    return places if any(map(gt, places, places[1:])) else []


def is_reordered(a: Text, b: Text, places: list[int], here: set[Word], there: set[Word], tables: Tables) -> bool:
    """Whether what both texts have stands in another order (see `new_places`), or under other prepositions."""
    if places:
        return _turned(places) or not (a.keys & b.keys).isdisjoint(tables.turning)
    if not (tables.agent.isdisjoint(here) and tables.agent.isdisjoint(there)):
        return True
    if len(here) + len(there) > _FEW:
        return False
    left = [word.key for word in a.words if word.flags & flag.PREPOSITION and word.key in tables.roles]
    right = [word.key for word in b.words if word.flags & flag.PREPOSITION and word.key in tables.roles]
    return left != right and sorted(left) == sorted(right)


def _turned(places: list[int]) -> bool:
    """Whether three words stand the other way round: without prepositions, nothing less exchanges roles."""
    highest = middle = -1
    for place in places:
        if place < middle:
            return True
        if place < highest:
            middle = max(middle, place)
        else:
            highest = place
    return False


def role_exchange(a: Text, b: Text, tables: Tables) -> list[Difference]:
    """One difference where two words have taken each other's part."""
    shared = a.content & b.content
    left, right = _active(a, tables), _active(b, tables)
    one, other = _places(left, shared, tables), _places(right, shared, tables)
    both = [key for key in one if key in other]
    if [key for key in other if key in one] == both and all(one[k][1] == other[k][1] for k in both):
        return []
    pair = _across(one, other, both, tables)
    if pair and (_symmetric(left, one, pair) or _symmetric(right, other, pair)):
        return []
    pair = pair or _around(one, other, both, left, right)
    if pair is None:
        return []
    return [Difference(Kind.ROLES, _shown(left, one, pair), _shown(right, other, pair))]


Places = dict[str, tuple[int, str, int]]
"""Key → position, the preposition that governs it or "", and the number of its clause; keys that occur once."""


def _places(words: list[Word], shared: Set[str], tables: Tables) -> Places:
    found: Places = {}
    twice: set[str] = set()
    role, clause, after_noun = "", 0, False
    for at, word in enumerate(words[: 4 * _MOST]):
        if word.content:
            if word.key in shared:
                if word.key in found:
                    twice.add(word.key)
                found[word.key] = (at, role, clause)
            after_noun = True
        elif word.flags & flag.PREPOSITION:
            role, after_noun = word.key, False
        elif word.flags & flag.BREAK:
            role, after_noun, clause = "", False, clause + 1
        elif word.flags & flag.AUXILIARY or (word.flags & flag.DETERMINER and after_noun):
            role, after_noun = "", False
        if len(found) >= _MOST:
            break
    for key in twice:
        del found[key]
    return found


def _across(one: Places, other: Places, both: list[str], tables: Tables) -> tuple[str, str] | None:
    """Two words whose prepositions have changed places: from A to B, from B to A."""
    roles = tables.roles
    moved = [key for key in both if one[key][1] != other[key][1]]
    for i, x in enumerate(moved):
        for y in moved[i + 1 :]:
            here, there = one[x][1], other[x][1]
            if other[y][1] != here or one[y][1] != there or not {here, there} - {""} <= roles:
                continue
            if one[x][2] != one[y][2] or other[x][2] != other[y][2]:
                continue
            if (here and there) or (one[x][0] < one[y][0]) != (other[x][0] < other[y][0]):
                return x, y
    return None


def _symmetric(words: list[Word], places: Places, pair: tuple[str, str]) -> bool:
    """Whether what joins two words holds both ways: married to, the distance from A to B, 5 km from."""
    last = max(places[key][0] for key in pair)
    for word in reversed(words[:last]):
        if word.key not in pair and (word.content or word.flags & flag.SYMMETRIC):
            far = any(unit.dimension == "length" for unit in word.units)
            return far or (word.flags & flag.SYMMETRIC and not word.flags & flag.JOIN) != 0
    return False


def _around(
    one: Places, other: Places, both: list[str], left: list[Word], right: list[Word]
) -> tuple[str, str] | None:
    """Two words without preposition that stand on the other side of a third: A pays B, B pays A."""
    bare = [key for key in both if not one[key][1] and not other[key][1]]
    for verb in bare:
        if left[one[verb][0]].flags & flag.SYMMETRIC:
            continue
        x = next((k for k in bare if _before(k, verb, one, left) and _before(verb, k, other, right)), None)
        y = next((k for k in bare if _before(verb, k, one, left) and _before(k, verb, other, right)), None)
        if x is not None and y is not None:
            return x, y
    return None


def _before(first: str, second: str, places: Places, words: list[Word]) -> bool:
    """Whether one stands before the other in one clause, with no "and" between them."""
    (i, _, clause), (j, _, same) = places[first], places[second]
    return i < j and clause == same and not any(word.flags & flag.JOIN for word in words[i + 1 : j])


def _active(text: Text, tables: Tables) -> list[Word]:
    """B is paid by A, read as A is paid B: agent first, so that both voices have one order."""
    words, agents = text.words, tables.agent
    if text.keys.isdisjoint(agents):
        return words
    by = next((i for i, word in enumerate(words[: 4 * _MOST]) if word.key in agents and i > 2), None)
    if by is None:
        return words
    being = next((i for i in range(by - 2, 0, -1) if words[i].flags & flag.BEING), None)
    if being is None or by - being > 5 or any(word.flags & flag.BREAK for word in words[being:by]):
        return words
    start = next((i + 1 for i in range(being - 1, -1, -1) if words[i].flags & (flag.BREAK | flag.PREPOSITION)), 0)
    end = next(
        (i for i in range(by + 1, len(words)) if words[i].flags & (flag.BREAK | flag.PREPOSITION | flag.JOIN)),
        len(words),
    )
    return [*words[:start], *words[by + 1 : end], *words[being:by], *words[start:being], *words[end:]]


def _shown(words: list[Word], places: Places, pair: tuple[str, str]) -> str:
    """Two words in their order, with their prepositions where only those have changed."""
    found = sorted((places[key] for key in pair), key=lambda place: place[0])
    return " … ".join(f"{role} {words[at].shown}".lstrip() for at, role, _ in found)
