"""What names a thing: people, places, products; codes of models, sizes and parts; letters that stand for things.

A name or code that one text leaves out is no difference, and how a code is grouped is none either.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TypeAlias
from unicodedata import combining, normalize

from nearsense.guard import words as flag
from nearsense.guard.numbers import MODEL, is_label
from nearsense.guard.reader import Text, normal_code, same_slot, slot, text_of
from nearsense.guard.tables import Tables
from nearsense.guard.words import Difference, Kind, Word

_TITLE = 0.6  # share of capitals from which on a text is a headline, whose capitals say nothing
_MOST_NAMES, _MOST_CODES = 24, 24  # how many are looked at in each text
_BARE = str.maketrans(
    {"ø": "o", "ł": "l", "đ": "d", "\u0131": "i", "ß": "ss", "æ": "ae", "œ": "oe", "ð": "d", "þ": "th"}
)

_DIGRAPHS = str.maketrans({**dict(zip("äöüøåđ", ("ae", "oe", "ue", "oe", "aa", "dj"), strict=True)), "ß": "ss"})

_RUN = 4  # words that one code may be written in: WH 1000 X M4
_SHOUTED = 0.5  # share of content in capitals from which on capitals say nothing

_NAMING = flag.CODE | flag.NUMBER | flag.CAPITALS
_ARTICLE = "a"
_SHORT = 3  # signs of a letter with its 's

Parts: TypeAlias = tuple[list[str], list[str]]
Taken: TypeAlias = tuple[set[int], set[int]]


def other_names(
    a: Text, b: Text, only_a: list[tuple[int, Word]], only_b: list[tuple[int, Word]], tables: Tables
) -> list[Difference]:
    """The names that each text has to itself, if both have any."""
    left = _names(a, only_a, tables)
    right = _names(b, only_b, tables) if left else []
    if not right or all(word.flags & flag.CODE for _, word in left + right):
        return []  # codes are compared as codes
    shared = a.content & b.content
    here = [(word, slot(a, at, shared)) for at, word in left]
    there = [(word, slot(b, at, shared)) for at, word in right]
    pairs = [(x, y) for x, one in here for y, other in there if one[0] == other[0] or one[1] == other[1]]
    words = [word for _, word in left], [word for _, word in right]
    if (
        not pairs
        or any(_one_thing(x, y) for x, y in pairs)
        or _stands_for(words[0], b)
        or _stands_for(words[1], a)
    ):
        return []
    kind = Kind.PLACE if _is_place(a, *left[0], tables) and _is_place(b, *right[0], tables) else Kind.NAME
    return [Difference(kind, *(" ".join(word.shown for word in names[:3]) for names in words))]


def _names(text: Text, only: list[tuple[int, Word]], tables: Tables) -> list[tuple[int, Word]]:
    headline = None
    found = []
    for at, word in only:
        if (
            not word.content
            or not word.flags & flag.NAMED
            or word.flags & flag.AMOUNT
            or word.small in tables.titles
        ):
            continue
        if word.flags & flag.NAME:
            found.append((at, word))
        elif word.flags & flag.CAPITALS or not _begins(text, at, tables.titles):
            if headline is None:
                headline = _headline(text)
            if not headline:
                found.append((at, word))
        if len(found) == _MOST_NAMES:
            break
    return found


def _begins(text: Text, at: int, titles: frozenset[str]) -> bool:
    """Whether the capital is the sentence's: nothing before it, and no other capital behind it."""
    if at and (not text.words[at - 1].flags & flag.SENTENCE or (at > 1 and text.words[at - 2].small in titles)):
        return False
    after = text.words[at + 1] if at + 1 < len(text.words) else None
    return (
        after is None or not after.flags & flag.CAPITAL or not after.content or bool(after.flags & flag.DETERMINER)
    )


def _headline(text: Text) -> bool:
    capitals = [word.flags & flag.CAPITALS for word in text.contents if word.flags & flag.CAPITAL]
    if len(text.contents) >= 4 and len(capitals) >= _TITLE * len(text.contents):
        return True
    return 2 * sum(map(bool, capitals)) > len(text.contents)


def _stands_for(names: list[Word], other: Text) -> bool:
    """Whether an abbreviation among the names is made of the other text's initials."""
    short = [name.shown.replace(".", "") for name in names if sum(map(str.isupper, name.shown)) > 1]
    if not short:
        return False
    initials = "".join([part[0] for word in other.words for part in word.shown.split()]).upper()
    return any(name.upper() in initials for name in short)


def _one_thing(x: Word, y: Word) -> bool:
    """Whether two names are spellings of one: Philippine and Philippines, Qaida and Qaeda. Known ones are two."""
    a, b = sorted((x.key, y.key), key=len)
    if x.flags & y.flags & flag.NAME:
        return False
    if not (x.shown.isascii() and y.shown.isascii()) and _spelled(x.small) & _spelled(y.small):
        return True
    return len(a) >= 3 and (b.startswith(a) or (len(a) >= 5 and _one_off(a, b)))


def _spelled(name: str) -> set[str]:
    """A name without its accents, and as who has no such letters on the keyboard writes it: Müller, Mueller."""
    plain = (name.translate(each) for each in (_BARE, _DIGRAPHS))
    return {"".join(c for c in normalize("NFD", each) if not combining(c)) for each in plain}


def _one_off(a: str, b: str) -> bool:
    """Whether one letter is changed, added, or two have changed places."""
    start = next((i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), len(a))
    rest, other = a[start:], b[start:]
    swapped = rest[:2] == other[:2][::-1] and rest[2:] == other[2:]
    return rest[1:] == other[1:] or rest == other[1:] or swapped


def _is_place(text: Text, at: int, name: Word, tables: Tables) -> bool:
    """Whether a name is said to be where something is, and no known person or thing."""
    before = (
        next((word for word in text.words[at - 1 :: -1] if not word.flags & flag.DETERMINER), None) if at else None
    )
    if before is None or before.small not in tables.places_before:
        return False
    return not name.flags & flag.NAME or name.key in tables.places


@dataclass(slots=True)
class Codes:
    """The codes in which two texts differ, and where in either stands what this explains."""

    found: list[Difference] = field(default_factory=list)
    taken: Taken = field(default_factory=lambda: (set(), set()))


def other_codes(a: Text, b: Text, here: set[Word], there: set[Word], tables: Tables) -> Codes:
    """Codes of the one text that the other does not have, each beside what stands in its place.

    `here` are the words that only `a` has, `there` those that only `b` has.
    """
    result = Codes()
    if _may_differ(here, there):
        one, other = _codes(a, here, tables), _codes(b, there, tables)
        if one or other:
            _compare_codes(a, b, one, other, result, tables)
    if not result.found:
        result.found += [Difference(Kind.CODE, *pair) for pair in _additions(a, b, there)]
        result.found += [Difference(Kind.CODE, *pair[::-1]) for pair in _additions(b, a, here)]
    return result


def _may_differ(here: set[Word], there: set[Word]) -> bool:
    """Whether both texts have something of their own that may be a code. The A of plan A is in any text."""
    for one, other in ((here, there), (there, here)):
        codes = [word for word in one if word.flags & flag.CODE]
        letters = any(len(word.shown) == 1 for word in codes)
        if letters or (codes and any(word.flags & _NAMING or word.shown == "I" for word in other)):
            return True
    return any(word.flags & flag.CAPITALS for word in here) and any(word.flags & flag.CAPITALS for word in there)


def _compare_codes(a: Text, b: Text, one: list[int], other: list[int], result: Codes, tables: Tables) -> None:
    """Each code that the other text does not write, beside what stands in its place."""
    parts = _parts(a), _parts(b)
    left = [at for at in one if not _written_too(at, a, b, parts, other, result.taken, tables)]
    right = [at for at in other if not _written_too(at, b, a, parts[::-1], one, result.taken[::-1], tables)]
    left = [at for at in left if at not in result.taken[0]]
    right = [at for at in right if at not in result.taken[1]]
    shared = a.content & b.content
    for at in left:
        to = next((to for to in right if _another_thing(a, at, b, to, parts[0][at], parts[1][to], shared)), None)
        if to is None:
            continue
        right.remove(to)
        result.taken[0].add(at)
        result.taken[1].add(to)
        result.found.append(
            Difference(Kind.CODE, _code_shown(a.words, at, tables), _code_shown(b.words, to, tables))
        )


def _codes(text: Text, own: set[Word], tables: Tables) -> list[int]:
    """Where a text names something by letters and digits."""
    words, found, loud = text.words, [], None
    for at, word in enumerate(words):
        if word.flags & flag.CODE:
            code = not _is_unit(words, at) and not _initial(words, at)
        elif word.shown in ("A", "I"):
            code = _letter_is_code(words, at, tables)
        elif word.flags & flag.CAPITALS and word in own and not word.flags & flag.NAME and not _is_unit(words, at):
            if loud is None:
                loud = sum(other.flags & flag.CAPITALS > 0 for other in text.contents) > _SHOUTED * len(
                    text.contents
                )
            code = not loud
        else:
            code = bool(word.flags & flag.NUMBER and word in own) and (
                is_label(words, at, at + 1, tables) or MODEL.match(word.shown) is not None
            )
        if code:
            found.append(at)
            if len(found) == _MOST_CODES:
                break
    return found


def _parts(text: Text) -> list[str]:
    """Every word as a part that a code may be written in."""
    return [
        normal_code(word.shown) if word.flags & (flag.CODE | flag.NUMBER) else word.small for word in text.words
    ]


def _letter_is_code(words: list[Word], at: int, tables: Tables) -> bool:
    """Whether an A is no article, an I no person: plan A, World War I."""
    before, after = words[at - 1] if at else None, words[at + 1] if at + 1 < len(words) else None
    if before is None or before.flags & flag.SENTENCE:
        return False
    if before.small in tables.labels:
        return True
    titled = after is not None and after.flags & flag.CAPITAL and after.content
    return bool(before.content and not titled and (before.flags & flag.CAPITAL or words[at].shown == "A"))


def _is_unit(words: list[Word], at: int) -> bool:
    """Whether letters are the unit of a figure: 9 W, 16 GB."""
    return bool(at and words[at].units and words[at - 1].flags & flag.NUMBER)


def _initial(words: list[Word], at: int) -> bool:
    """Whether a letter is short for a name: John F. Kennedy, J. Smith."""
    if len(words[at].shown) > 1 or at + 2 >= len(words) or words[at + 1].shown != ".":
        return False
    return bool(words[at + 2].flags & flag.CAPITAL)


def _written_too(at: int, a: Text, b: Text, parts: Parts, codes: list[int], taken: Taken, tables: Tables) -> bool:
    """Whether the other text writes the same code, in one word or in several; both are then taken."""
    code, others, size = parts[0][at], parts[1], tables.sizes.get(a.words[at].shown)
    for start in range(len(others)) if code not in ("a", "i") else codes:  # an article is no letter
        first = others[start][:1]
        if first.isalnum() and first != code[:1] and not size:
            continue
        joined = ""
        for end in range(start, min(start + _RUN, len(others))):
            joined = normal_code(f"{joined} {others[end]}") if joined else others[end]
            if joined == code or (size and tables.sizes.get(b.words[end].small) == size):
                taken[0].add(at)
                taken[1].update(range(start, end + 1))
                return True
            if len(joined) >= len(code):
                break
    return False


def _another_thing(a: Text, at: int, b: Text, to: int, code: str, other: str, shared: set[Word]) -> bool:
    """Whether two codes stand for another thing: in the same place, or alike but for a sign or two."""
    one, two = a.words[at], b.words[to]
    if one.flags & two.flags & flag.NUMBER and (
        not (one.shown[-1].isalpha() and two.shown[-1].isalpha()) or MODEL.match(one.shown)
    ):
        return False  # these are compared by their values
    if (code.isalpha() and other.startswith(code)) or (other.isalpha() and code.startswith(other)):
        return one.flags & two.flags & flag.CAPITALS != 0  # COVID is COVID-19, AA is not AAA
    weak = not (one.flags | two.flags) & (flag.CODE | flag.NUMBER)
    return _resemble(code, other) if weak else same_slot(a, at, b, to, shared) or _resemble(code, other)


def _resemble(code: str, other: str) -> bool:
    """Whether two codes have half of their signs in common, from the start."""
    if min(len(code), len(other)) < 2:
        return False
    same = sum(x == y for x, y in zip(code, other, strict=False))
    return 2 * same >= max(len(code), len(other)) and code[0] == other[0]


def _additions(a: Text, b: Text, there: set[Word]) -> Iterator[tuple[str, str]]:
    """What makes another model of a name in `b` that both texts have: 1660 and 1660 Ti, R6 and R6 Mark II."""
    words, end = b.words, 0
    for at in range(1, len(words)):
        if (
            at < end
            or words[at] not in there
            or not words[at - 1].flags & (flag.CODE | flag.NUMBER | flag.CAPITAL)
        ):
            continue
        end = at
        while end < len(words) and words[end] in there and _extends(words[end]):
            end += 1
        if end == at or not any(word.flags & flag.CODED for word in words[at:end]):
            continue
        before, after = words[at - 1], words[end] if end < len(words) else None
        for place, same in enumerate(a.words):
            behind = a.words[place + 1] if place + 1 < len(a.words) else None
            if same == before and (behind == after or (_ends(behind) and _ends(after))):
                yield before.shown, " ".join(word.shown for word in words[at - 1 : end])
                break


def _extends(word: Word) -> bool:
    """Whether a word may be part of a model's name."""
    return bool(word.flags & (flag.CAPITAL | flag.CODE)) and not word.flags & (flag.DATE | flag.NUMBER)


def _ends(word: Word | None) -> bool:
    return word is None or bool(word.flags & flag.SENTENCE)


def _code_shown(words: list[Word], at: int, tables: Tables) -> str:
    """A code, with the word that says what it is of."""
    word, before = words[at], words[at - 1] if at else None
    if before is not None and (before.small in tables.labels or len(word.shown) == 1) and before.content:
        return f"{before.shown} {word.shown}"
    return word.shown


def with_named_letters(a: Text, b: Text) -> tuple[Text, Text]:
    """Two texts whose letters and figures that stand for things carry content; the same where they have none.

    Example:
        >>> from nearsense.guard.reader import lexicon_of, read
        >>> pair = [read(text, lexicon_of("en")) for text in ("A beats B", "Then B beats A")]
        >>> [[word.content for word in text.words] for text in with_named_letters(*pair)]
        [['a', 'beat', 'b'], ['', 'b', 'beat', 'a']]
    """
    letters = _ARTICLE in a.keys and _ARTICLE in b.keys and _lettered(a) and _lettered(b)
    letters = letters and (_stands_alone(a) or _stands_alone(b))
    left = _letter_places(a, letters)
    right = _letter_places(b, letters) if left else left
    return (_with_names(a, left), _with_names(b, right)) if right else (a, b)


def _is_letter(word: Word) -> bool:
    """Whether a word is a single letter, or one with its 's."""
    return word.shown[:1].isalpha() and (len(word.shown) == 1 or word.shown[1:] in ("'s", "\u2019s"))


def _lettered(text: Text) -> bool:
    """Whether a letter other than the article and a person (I) stands in a text."""
    short = [word for word in text.contents if len(word.shown) <= _SHORT]
    return any(_is_letter(word) and word.key != _ARTICLE and not word.flags & flag.PERSON for word in short)


def _stands_alone(text: Text) -> bool:
    """Whether an A is no article: nothing that one may belong to stands behind it."""
    words = text.words
    return any(
        word.key == _ARTICLE
        and _is_letter(word)
        and (len(word.shown) > 1 or at + 1 == len(words) or not words[at + 1].content)
        for at, word in enumerate(words)
    )


def _letter_places(text: Text, letters: bool) -> set[int]:
    """Where they stand: every A, and figures behind a word that stands before several of them."""
    words = text.words
    found = (
        {at for at, word in enumerate(words) if word.key == _ARTICLE and _is_letter(word)} if letters else set()
    )
    figures = [at for at, word in enumerate(words) if word.flags & flag.NUMBER]
    if len(figures) > 1:
        figures = [at for at in figures if at and words[at - 1].content]
        labels = Counter(words[at - 1] for at in figures)
        found.update(at for at in figures if labels[words[at - 1]] > 1)
    return found


def _with_names(text: Text, places: set[int]) -> Text:
    return text_of([_as_name(word) if at in places else word for at, word in enumerate(text.words)])


def _as_name(word: Word) -> Word:
    """A word with content, that is no article."""
    more = word.opposite, word.number, word.units, word.when, word.levels, word.code, word.small, word.starts
    return Word(word.key, word.shown, word.key, word.flags & ~flag.DETERMINER, *more)
