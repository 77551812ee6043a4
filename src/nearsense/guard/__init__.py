"""What differs between two texts that look alike, in eight kinds and by name. Not a model: tables and a few rules.

A sentence embedding hardly sees a swapped name, a changed figure or a "not". The guard sees little else.
"""

from __future__ import annotations

from collections.abc import Iterable

from nearsense.errors import InputError
from nearsense.guard.antonyms import opposites
from nearsense.guard.dates import differing as differing_dates
from nearsense.guard.dates import moments
from nearsense.guard.kinds import Difference, Kind
from nearsense.guard.lexicon import Lexicon, lexicon_of
from nearsense.guard.modality import strengths
from nearsense.guard.names import replaced
from nearsense.guard.negation import denied
from nearsense.guard.numbers import differing as differing_numbers
from nearsense.guard.numbers import quantities
from nearsense.guard.reader import Text, alike, read
from nearsense.guard.roles import exchanged, reordered
from nearsense.guard.tables import languages
from nearsense.guard.words import CAPITAL, DATE, MODAL, NAME, NEGATOR, NUMBER, OPPOSITE, PHRASE, UNIT, Word

__all__ = ["Difference", "Kind", "differences", "differences_many", "languages"]

_AMOUNT = NUMBER | UNIT | DATE
_NAMED = CAPITAL | NAME


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
    lefts: Iterable[str], rights: Iterable[str], *, language: str = "en"
) -> list[tuple[Difference, ...]]:
    """`differences` of many pairs. Texts of equal lefts in a row are read once.

    Args:
        lefts: One text of each pair.
        rights: The other of each pair, in the same order.
        language: As in `differences`.

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
        raise InputError(
            f"{len(lefts)} lefts and {len(rights)} rights are no pairs", fix="give one text of each for every pair"
        )
    words = lexicon_of(language)
    found: list[tuple[Difference, ...]] = []
    last: tuple[str, Text] = "", read("", words)
    for a, b in zip(lefts, rights, strict=True):
        if a == b:
            found.append(())
            continue
        left = last[1] if a == last[0] else read(a, words)
        last, right = (a, left), read(b, words)
        found.append(_between(left, right, words, b < a) if alike(left, right) else ())
    return found


def _between(left: Text, right: Text, words: Lexicon, turned: bool) -> tuple[Difference, ...]:
    """Each pair is looked at one way round, so that its sides may be exchanged."""
    if not turned:
        return tuple(_compared(left, right, words))
    return tuple([Difference(found.kind, found.right, found.left) for found in _compared(right, left, words)])


def _texts(texts: Iterable[str], what: str) -> list[str]:
    """A list of strings. Half a surrogate pair is allowed: nothing is encoded here."""
    items = [texts] if isinstance(texts, str) else list(texts)
    if {*map(type, items)} - {str}:
        odd = next((at for at, text in enumerate(items) if not isinstance(text, str)), None)
        if odd is None:
            return items
        raise InputError(f"{what} {odd} is of type {type(items[odd]).__name__}, not a string", fix="give texts")
    return items


def _compared(a: Text, b: Text, words: Lexicon) -> list[Difference]:
    """Each kind is asked only where the words that one text has to itself leave room for it."""
    tables, own = words.tables, _Own(a, b)
    if (own.left | own.right) & PHRASE or (own.left & _AMOUNT and own.right & _AMOUNT):
        joined = a.join(words), b.join(words)
        if joined != (a, b):
            (a, b), own = joined, _Own(*joined)
    left, right = own.left, own.right
    found: list[Difference] = []
    if left & _AMOUNT and right & _AMOUNT:
        found += _amounts(a, b, words)
    if left & _NAMED and right & _NAMED:
        found += replaced(a, b, _placed(a, own.a), _placed(b, own.b), tables)
    settled, turned = 0, False
    if (left | right) & OPPOSITE and own.opposed():
        opposed = opposites(a, b, _placed(a, own.a), _placed(b, own.b))
        settled, turned = opposed.settled, opposed.turned
        found += opposed.found
    if not turned and reordered(a, b, own.a.keys() | own.b.keys(), tables):
        found += exchanged(a, b, tables)
    if (left | right) & NEGATOR:
        found += denied(a, b, settled, tables.double)
    if left & right & MODAL and not settled:
        found += strengths(a, b, tables)
    return found


class _Own:
    """The words that each of two texts has to itself, by key, and the tables they stand in."""

    __slots__ = ("a", "b", "left", "right")

    def __init__(self, a: Text, b: Text) -> None:
        words_a, words_b = set(a.words), set(b.words)
        self.a = here = {word.key: word for word in words_a - words_b}
        self.b = there = {word.key: word for word in words_b - words_a}
        for key in here.keys() & there.keys():
            del here[key], there[key]
        left = right = 0
        for word in here.values():
            left |= word.flags
        for word in there.values():
            right |= word.flags
        self.left, self.right = left, right

    def opposed(self) -> bool:
        """Whether any word has its opposite in the other text."""
        for words, others in ((self.a, self.b), (self.b, self.a)):
            for word in words.values():
                if word.flags & OPPOSITE and not word.opposite.isdisjoint(others):
                    return True
        return False


def _placed(text: Text, own: dict[str, Word]) -> list[tuple[int, Word]]:
    """Where in a text its own words stand."""
    return [(at, word) for at, word in enumerate(text.words) if word.key in own]


def _amounts(a: Text, b: Text, words: Lexicon) -> list[Difference]:
    here, there = moments(a, words.tables), moments(b, words.tables)
    amounts = [
        quantities(text, words.tables, {at for moment in found for at in moment.taken})
        for text, found in ((a, here), (b, there))
    ]
    return differing_dates(here, there) + differing_numbers(*amounts)
