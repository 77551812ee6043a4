"""What a model does not read, or hardly minds: words without a token of their own, signs (arrows, stars, < and >).

A model has no token for many signs (emoji, scripts it was not made for, words of hundreds of letters), drops
accents before it reads, and reads no further than its limit. Of what stays unread a score says nothing.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from nearsense.encoders.words import essence, one_sign
from nearsense.guard import Difference, Kind
from nearsense.pair_differences.accents import Accents
from nearsense.stopwords import weights
from nearsense.wording import is_ornament

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from nearsense.encoders import Encoder
    from nearsense.encoders.words import Seen

_UNMOVED = 1 - 1e-6
"""A score from which on two vectors are one; texts of different tokens were never seen above 0.9997."""

_INSTEAD = 3  # words that may stand in the place of one that is not read
_LONGEST = 40  # characters of a difference that are shown
_ALIKE = 0.5
"""Share of the words that two texts must have in common for what only one of them has to say something."""

_ALIKE_BEGIN = 0.8
"""Share of what is read of them that two long texts must have in common for what is not read to say something."""

_HAS_SIGN = re.compile(r"[<>=+]|[:;][-']?[()]|[^\x00-\x7f]").search
_FACES = re.compile(r"(?<!\w)([:;])['-]?([()])+(?!\w)")

_EACH = re.compile(r"!=|.", re.DOTALL).findall  # the characters of a word, a sign of two as one


def unread_differences(
    lefts: Sequence[str],
    rights: Sequence[str],
    encoder: Encoder | None,
    language: str | None = None,
    scores: NDArray[np.floating[Any]] | None = None,
) -> dict[int, list[Difference]]:
    """What a model does not read of the difference between two texts, by the number of the pair.

    `language` is ISO 639-1 of all texts, None: told from them. Cosines, shape (n,), tell where encoders do not.
    """
    accents = Accents(language)
    if encoder is None or encoder.sees([]) is None:
        return {} if scores is None else _unmoved(lefts, rights, scores, accents)
    plain = {text: encoder.sees_all(text) for text in {*lefts, *rights}}
    looked = [
        at for at, (a, b) in enumerate(zip(lefts, rights, strict=True)) if not (plain[a] and plain[b]) and a != b
    ]
    if not looked:
        return {}
    texts = list(dict.fromkeys(side[at] for at in looked for side in (lefts, rights)))
    seen = dict(zip(texts, encoder.sees(texts) or (), strict=True))
    found = {at: unread_by_model(seen[lefts[at]], seen[rights[at]], accents) for at in looked}
    return {at: each for at, each in found.items() if each}


def unread_by_model(a: Seen, b: Seen, accents: Accents) -> list[Difference]:
    """What a model does not read of the difference between two texts, given as it sees them."""
    if "".join(a.essences) == "".join(b.essences):
        return []
    found = [*_taken_for_another(a, b, accents), *_unknown(a, b)]
    if (a.cut or b.cut) and (rest := _beyond(a, b)):
        found.append(rest)
    return found


def _taken_for_another(a: Seen, b: Seen, accents: Accents) -> list[Difference]:
    """Words of the same tokens that are other words; what both texts have, wherever it stands, does not count."""
    here, there = _by_tokens(a), _by_tokens(b)
    found = []
    for tokens in here.keys() & there.keys():
        left, right = here[tokens], there[tokens]
        if left.keys() == right.keys() and len(left) == 1:
            continue
        for one, other in zip((left - right).elements(), (right - left).elements(), strict=False):
            if accents.differ(one, other, a.words, b.words):
                found.append((one, other))
    if not found:
        return []
    return [_difference([one], [other], a, b) for one, other in dict.fromkeys(sorted(found))]


def _by_tokens(text: Seen) -> dict[tuple[int, ...], Counter[str]]:
    found: dict[tuple[int, ...], Counter[str]] = {}
    for word, tokens, known in zip(text.essences, text.tokens, text.known, strict=True):
        if known and word:
            found.setdefault(tokens, Counter())[word] += 1
    return found


def _unknown(a: Seen, b: Seen) -> list[Difference]:
    """Words without tokens of their own, that only one of the texts has or that stand in another order."""
    left, right = (
        [e for e, known in zip(each.essences, each.known, strict=True) if not known and e] for each in (a, b)
    )
    here, there = Counter(left) - Counter(right), Counter(right) - Counter(left)
    if not (here and there) and (spare := here or there):  # an ornament that only one text has says nothing
        outer = _ornaments(a if here else b)
        if not spare - outer:
            return []
    if here and there:
        return [_difference(list(here.elements()), list(there.elements()), a, b)]
    if (here or there or left != right) and _share(_read(a), _read(b)) >= _ALIKE:
        if not (here or there):
            return [_difference(left, right, a, b)]
        mine, others = _read(a), _read(b)
        here, there = here or _instead(mine - others), there or _instead(others - mine)
        return [_difference(list(here.elements()), list(there.elements()), a, b)]
    return []


def _ornaments(text: Seen) -> Counter[str]:
    """The ornaments at the ends of a text."""
    found: Counter[str] = Counter()
    for words in (text.essences, text.essences[::-1]):
        for word in words:
            if word and not is_ornament(word):
                break
            found[word] += 1
    return found


def _instead(words: Counter[str]) -> Counter[str]:
    """What stands in the place of a word that is not read: words that say something, and no more than a few."""
    said = Counter({word: count for word, count in words.items() if word not in weights()})
    return said if said.total() <= _INSTEAD and said.total() == words.total() else Counter()


def _beyond(a: Seen, b: Seen) -> Difference | None:
    """What differs beyond the model's limit, where what it reads is nearly the same."""
    left, right = a.essences, b.essences
    first, last = _shared_ends(left, right)
    ends = len(left) - last, len(right) - last
    reached = any(
        text.cut and first < end and (end > text.end or first < text.begin)
        for text, end in zip((a, b), ends, strict=True)
    )
    if not reached or _share(_read(a), _read(b)) < _ALIKE_BEGIN:
        return None
    sides = [
        [word for at, word in enumerate(text.words[first:end], first) if at >= text.end or at < text.begin]
        for text, end in zip((a, b), ends, strict=True)
    ]
    return Difference(Kind.UNREAD, *(_short(" ".join(side)) for side in sides))


def _shared_ends(left: Sequence[str], right: Sequence[str]) -> tuple[int, int]:
    """How many words two texts have in common at their beginning, and how many of the rest at their end."""
    most = min(len(left), len(right))
    first = 0
    while first < most and left[first] == right[first]:
        first += 1
    last = 0
    while last < most - first and left[-1 - last] == right[-1 - last]:
        last += 1
    return first, last


def _read(text: Seen) -> Counter[str]:
    """The words that the model reads and knows."""
    return Counter(
        word
        for word, known in list(zip(text.essences, text.known, strict=True))[text.begin : text.end]
        if known and word
    )


def _share(a: Counter[str], b: Counter[str]) -> float:
    """How much of their words two texts have in common; all, where one has none."""
    if not a or not b:
        return 1.0
    return 2 * (a & b).total() / (a.total() + b.total())


def _difference(left: Iterable[str], right: Iterable[str], a: Seen, b: Seen) -> Difference:
    """As it is written, not as it was compared."""
    sides = []
    for words, text in ((left, a), (right, b)):
        written: dict[str, str] = dict(zip(reversed(text.essences), reversed(text.words), strict=True))
        sides.append(_short(" ".join(written[each] for each in words)))
    return Difference(Kind.UNREAD, *sides)


def _unmoved(
    lefts: Sequence[str], rights: Sequence[str], scores: NDArray[np.floating[Any]], accents: Accents
) -> dict[int, list[Difference]]:
    """Texts whose vectors are one though their words are not."""
    found: dict[int, list[Difference]] = {}
    for at in (scores >= _UNMOVED).nonzero()[0].tolist():
        here, there = lefts[at].split(), rights[at].split()
        left, right = ([essence(word) for word in words] for words in (here, there))
        if "".join(left) == "".join(right) or sorted(left) == sorted(right):
            continue  # models of single words see no order; the guard does
        first, last = _shared_ends(left, right)
        mine, others = (each[first : len(each) - last] for each in (left, right))
        if len(mine) == len(others) and not any(
            one != other and accents.differ(one, other, here, there)
            for one, other in zip(mine, others, strict=True)
        ):
            continue
        sides = (words[first : len(words) - last] for words in (here, there))
        found[at] = [Difference(Kind.UNREAD, *(_short(" ".join(side)) for side in sides))]
    return found


def _short(line: str) -> str:
    return line if len(line) <= _LONGEST else f"{line[: _LONGEST - 1]}…"


def sign_differences(lefts: Sequence[str], rights: Sequence[str]) -> dict[int, Difference]:
    """Where texts that look alike have other signs, by the number of the pair; what only one has does not count.

    Example:
        >>> lefts, rights = ["Heat until T ≤ 80", "Home → Shop"], ["Heat until T ≥ 80", "Home > Shop"]
        >>> print(*sign_differences(lefts, rights).values())
        sign: ≤ → ≥
    """
    has = {text: bool(_HAS_SIGN(text)) for text in {*lefts, *rights}}
    found = {}
    for at, (a, b) in enumerate(zip(lefts, rights, strict=True)):
        if not (has[a] and has[b]) or a == b:
            continue
        left, right = _signs(a), _signs(b)
        here, there = left - right, right - left
        if here and there and _look_alike(a, b):
            found[at] = Difference(Kind.SIGN, _as_written(here, a), _as_written(there, b))
    return found


def _signs(text: str) -> Counter[str]:
    """The signs of each word that has some, faces of punctuation among them."""
    found = Counter(f"{eyes}{mouth}" for eyes, mouth in _FACES.findall(text))
    for word in text.split():
        signs = "".join(filter(_is_sign, one_sign(word)))
        if signs:
            found[signs] += 1
        elif len(letter := word.strip("().,;:!?\"'")) == 1 and "\u03b1" <= letter.lower() <= "\u03c9":
            found[letter.lower()] += 1
    return found


def _as_written(signs: Counter[str], text: str) -> str:
    """Signs as the text has them."""
    forms: dict[str, str] = {}
    for word in text.split():
        sign = "".join(filter(_is_sign, one_sign(word)))
        forms.setdefault(sign, "".join(each for each in _EACH(word) if any(map(_is_sign, one_sign(each)))))
    return " ".join(forms.get(each, each) for each in signs.elements())


def _is_sign(character: str) -> bool:
    if character.isascii():
        return character in "<>=+"
    return unicodedata.category(character) in ("Sm", "So", "No")


def _look_alike(a: str, b: str) -> bool:
    if not any(map(str.isalnum, a + b)):
        return True  # nothing but signs: five stars, one star
    here, there = ({essence(word) for word in text.split()} for text in (a, b))
    return 2 * len(here & there) >= _ALIKE * (len(here) + len(there))
