"""What differs between two texts that look alike, by kind and by name. Not a model: tables and a few rules.

A sentence embedding hardly sees a swapped name, a changed figure or a "not". The guard sees little else.
"""

from __future__ import annotations

from collections.abc import Iterable, Set

from nearsense.errors import InputError
from nearsense.guard import words as flag
from nearsense.guard.dates import moments, other_moments
from nearsense.guard.dialogue import without_sides
from nearsense.guard.names import other_codes, other_names, with_named_letters
from nearsense.guard.numbers import other_amounts, quantities, same_digits, turned_pairs
from nearsense.guard.polarity import negations, opposites, strengths
from nearsense.guard.reader import Lexicon, Text, lexicon_of, read, shared_content
from nearsense.guard.relations import Related, relations_of, restrictions, with_conditions
from nearsense.guard.roles import MANY, is_reordered, new_places, role_exchange
from nearsense.guard.tables import languages
from nearsense.guard.words import Difference, Kind, Word

__all__ = ["Difference", "Kind", "differences", "differences_many", "languages"]

_NO_RELATION = Related()
_RELATED = flag.RELATING | flag.NEGATOR
_NOWHERE: Set[int] = frozenset()
_TURNED = 2
"""Words that two texts may have to themselves where only figures have changed places: costs more, costs less."""


def differences(a: str, b: str, *, language: str = "en") -> tuple[Difference, ...]:
    """What differs between two texts that look alike; nothing where they do not look alike.

    Args:
        a: One text.
        b: The other. The first 8,192 characters of each are looked at.
        language: A code of `languages()`, region or not. Of another language only what needs no table is seen:
            figures, signs of units and money, numeric dates, codes.

    Returns:
        The differences: amounts, names, opposites, roles, negation, modality. Empty: none was seen.

    Raises:
        InputError: A text is no string.

    Example:
        >>> for found in differences("It costs 15 dollars in 2021", "It costs 51 dollars in 2012"):
        ...     print(found)
        date: 2021 → 2012
        number: 15 dollars → 51 dollars
        >>> differences("Alice pays Bob", "Bob is paid by Alice")
        ()
    """
    return differences_many([a], [b], language=language)[0]


def differences_many(
    lefts: Iterable[str], rights: Iterable[str], *, language: str = "en", dialogue: bool = False
) -> list[tuple[Difference, ...]]:
    """`differences` of many pairs. Texts of equal lefts in a row are read once.

    Args:
        lefts: One text of each pair.
        rights: The other of each pair, in the same order.
        language: As in `differences`.
        dialogue: Both texts of a pair are what a customer asks whoever answers: "can I buy it?" and "do you sell
            it?" are one request then, where "do you buy it?" is another.

    Returns:
        The differences of each pair, in the order of the pairs.

    Raises:
        InputError: The sides are not equally long, or hold what is no string.

    Example:
        >>> found = differences_many(["Open the door", "Take 5 mg"], ["Close the door", "Take 5 g"])
        >>> [str(difference) for differences in found for difference in differences]
        ['antonym: Open → Close', 'unit: 5 mg → 5 g']
    """
    lefts, rights = _texts(lefts, "lefts"), _texts(rights, "rights")
    if len(lefts) != len(rights):
        what = f"{len(lefts)} lefts and {len(rights)} rights are no pairs"
        raise InputError(what, fix="give one text of each for every pair")
    words = lexicon_of(language)
    found: list[tuple[Difference, ...]] = []
    last, left = "", read("", words)
    for a, b in zip(lefts, rights, strict=True):
        if a == b:
            found.append(())
            continue
        if a != last:
            last, left = a, read(a, words)
        right = read(b, words)
        shared = shared_content(left, right)
        if shared is None:
            found.append(())
        elif a < b:
            seen = _compare(left, right, shared, words)
            found.append(tuple(without_sides(left, right, seen, words) if dialogue and seen else seen))
        else:  # each pair is looked at one way round, so that its sides may be exchanged
            turned = _compare(right, left, shared, words)
            turned = without_sides(right, left, turned, words) if dialogue and turned else turned
            found.append(tuple([Difference(one.kind, one.right, one.left) for one in turned]) if turned else ())
    return found


def _texts(texts: Iterable[str], what: str) -> list[str]:
    """A list of strings. Half a surrogate pair is allowed: nothing is encoded here."""
    items = [texts] if isinstance(texts, str) else list(texts)
    if {*map(type, items)} - {str}:
        odd = next((at for at, text in enumerate(items) if not isinstance(text, str)), None)
        if odd is None:
            return items
        raise InputError(f"{what} {odd} is of type {type(items[odd]).__name__}, not a string", fix="give texts")
    return items


def _compare(a: Text, b: Text, shared: set[Word], words: Lexicon) -> list[Difference]:
    """Each kind is asked only where the words that one text has to itself leave room for it."""
    tables, written = words.tables, (a, b)
    here, there, left, right = _own(a.keys, b.keys)
    if (left | right) & flag.PHRASE or (left & flag.AMOUNT and right & flag.AMOUNT):
        joined = a.join(words), b.join(words)
        if joined[0] is not a or joined[1] is not b:
            a, b = joined
            shared = a.content & b.content
            here, there, left, right = _own(a.keys, b.keys)
    found: list[Difference] = []
    skipped: tuple[Set[int], Set[int]] = (_NOWHERE, _NOWHERE)
    either = left | right
    if either & flag.CODED or left & right & flag.CAPITALS:
        codes = other_codes(a, b, here, there, tables)
        found, skipped = codes.found, codes.taken
        if skipped[0] or skipped[1]:
            here, there, left, right = _own(
                {word for at, word in enumerate(a.words) if word in here and at not in skipped[0]},
                {word for at, word in enumerate(b.words) if word in there and at not in skipped[1]},
            )
            either = left | right
    if (left & flag.AMOUNT and right & flag.AMOUNT) or either & flag.SIGN:
        found += _amounts(a, b, words, skipped)
    elif not here and not there:
        found += turned_pairs(a.words, b.words, tables)
    if left & flag.NAMED and right & flag.NAMED:
        found += other_names(a, b, _places_of(a, here), _places_of(b, there), tables)
    own = len(here) + len(there)
    few = own <= MANY
    places = new_places(a, b, shared) if few else []
    if places or own <= _TURNED:
        things = with_named_letters(a, b)
        if things[0] is not a:
            written, (a, b) = with_named_letters(*written), things
            shared = a.content & b.content
            places = new_places(a, b, shared)
    relations = _NO_RELATION
    if few and (places or either & _RELATED):
        relations = _relations(written, a, b, words)
        found += relations.found
    settled, turned = relations.settled, relations.known
    if (left & flag.OPPOSITE and _has_opposite(here, there)) or (
        right & flag.OPPOSITE and _has_opposite(there, here)
    ):
        opposed = opposites(a, b, _places_of(a, here), _places_of(b, there), tables)
        settled, turned = settled + opposed.settled, turned or opposed.turned
        dated = {(one.left, one.right) for one in found if one.kind is Kind.DATE}
        found += [
            one for one in opposed.found if (one.left, one.right) not in dated and not relations.explains(one)
        ]
    if few and not turned and len(shared) > 1 and is_reordered(a, b, places, here, there, tables):
        found += role_exchange(a, b, tables)
    if either & flag.NEGATOR:
        found += negations(a, b, settled, tables.double)
    if (left & right & flag.MODAL or either & flag.DOUBT) and not settled:
        found += strengths(a, b, tables)
    if relations is not _NO_RELATION:
        found = with_conditions(a.join(words), b.join(words), found, tables)
    if either & flag.MODAL and own <= _TURNED and not found:
        found = restrictions(a, b, here, there, tables)
    return found


def _relations(written: tuple[Text, Text], a: Text, b: Text, words: Lexicon) -> Related:
    """The relations of two texts that both have one."""
    relating = words.tables.relating
    if a.keys.isdisjoint(relating) or b.keys.isdisjoint(relating):
        return _NO_RELATION
    return relations_of((written[0], a.join(words)), (written[1], b.join(words)), words.tables)


def _own(a: set[Word], b: set[Word]) -> tuple[set[Word], set[Word], int, int]:
    """The words that each of two texts has to itself, and the tables they stand in."""
    here, there, left, right = a - b, b - a, 0, 0
    for word in here:
        left |= word.flags
    for word in there:
        right |= word.flags
    return here, there, left, right


def _has_opposite(words: set[Word], others: set[Word]) -> bool:
    """Whether any word has its opposite among the others."""
    for word in words:  # noqa: SIM110 - any() takes twice the time
        if word.opposite and not word.opposite.isdisjoint(others):
            return True
    return False


def _places_of(text: Text, own: set[Word]) -> list[tuple[int, Word]]:
    """Where in a text its own words stand."""
    return [(at, word) for at, word in enumerate(text.words) if word in own]


def _amounts(a: Text, b: Text, words: Lexicon, codes: tuple[Set[int], Set[int]]) -> list[Difference]:
    """Dates, figures and their pairs, but for what belongs to codes."""
    tables = words.tables
    skipped = tuple(one | other for one, other in zip(same_digits(a.words, b.words), codes, strict=True))
    here, there = moments(a, tables, skipped[0]), moments(b, tables, skipped[1])
    amounts = [
        quantities(text, tables, {at for moment in found for at in moment.taken} | skip)
        for text, found, skip in ((a, here, skipped[0]), (b, there, skipped[1]))
    ]
    return other_moments(here, there) + other_amounts(*amounts) + turned_pairs(a.words, b.words, tables)
