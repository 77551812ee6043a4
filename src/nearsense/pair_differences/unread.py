"""What a model does not read: words that it has no token for, or the same tokens as for another word.

A model has no token for many signs (emoji, scripts it was not made for, words of hundreds of letters), drops
accents before it reads, and reads no further than its limit. Of what stays unread a score says nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from nearsense.guard import Difference, Kind
from nearsense.pair_differences.accents import Accents
from nearsense.stopwords import weights
from nearsense.wording import is_ornament

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from nearsense.encoders import Encoder
    from nearsense.encoders.words import Seen

__all__ = ["UNMOVED", "unread", "unread_many"]

UNMOVED = 1 - 1e-6
"""A score from which on two vectors are one; texts of different tokens were never seen above 0.9997."""

_INSTEAD = 3
"""Words that may stand in the place of one that is not read."""

_LONGEST = 40
"""Characters of a difference that are shown."""

_ALIKE = 0.5
"""Share of the words that two texts must have in common for what only one of them has to say something."""

_ALIKE_BEGIN = 0.8
"""Share of what is read of them that two long texts must have in common for what is not read to say something."""


def unread_many(
    lefts: Sequence[str],
    rights: Sequence[str],
    encoder: Encoder | None,
    language: str | None = None,
    scores: NDArray[np.floating[Any]] | None = None,
) -> dict[int, list[Difference]]:
    """What a model does not read of the difference between two texts, by the number of the pair.

    Args:
        lefts: One text of each pair.
        rights: The other of each pair.
        encoder: The model; None: it is not known.
        language: ISO 639-1 of all texts; None: told from the texts.
        scores: Cosine similarities, shape (n,): they tell of encoders that do not say what they see.
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
    found = {at: unread(seen[lefts[at]], seen[rights[at]], accents) for at in looked}
    return {at: each for at, each in found.items() if each}


def unread(a: Seen, b: Seen, accents: Accents) -> list[Difference]:
    """What a model does not read of the difference between two texts.

    Args:
        a: The words of one text as the model sees them.
        b: Those of the other.
        accents: Tells which words differ that differ in accents alone.
    """
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
    for essence, tokens, known in zip(text.essences, text.tokens, text.known, strict=True):
        if known and essence:
            found.setdefault(tokens, Counter())[essence] += 1
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
        essence
        for essence, known in list(zip(text.essences, text.known, strict=True))[text.begin : text.end]
        if known and essence
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
    from nearsense.encoders.words import essence

    found: dict[int, list[Difference]] = {}
    for at in (scores >= UNMOVED).nonzero()[0].tolist():
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
