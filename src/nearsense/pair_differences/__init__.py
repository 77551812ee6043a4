"""What differs between the two texts of a pair, beyond their score. Not how sure that leaves one.

The guard names what it sees in the words; the model's own tokenizer tells what the model does not see at all.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from nearsense.encoders.languages import Finding, foreign_languages, guess, language_of, sentence, suggestion
from nearsense.guard import Difference, Kind, differences_many, languages
from nearsense.pair_differences.accents import Accents
from nearsense.pair_differences.unread import sign_differences, unread_differences
from nearsense.stopwords import Weights, known_languages, weights
from nearsense.wording import normal_form

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from nearsense.encoders import CrossEncoder, Encoder

__all__ = ["pair_differences", "unfamiliar"]

_PLAIN = (Kind.SIDE, Kind.COLOUR)  # kinds whose words are of one language mostly: few words are tried in every one
_FEW = 4  # spaces in each of two short texts
_ENGLISH = "en"  # what is assumed where no word decides
_LEAD = 12  # what one word of a single list says: less is no lead ("man" is a word of the German list)
_WEAK = 2 * _LEAD  # what one word in each of two texts says; it may be chance: "van" is a word of the Dutch list
_ENGLISH_TOO = frozenset(("car", "door", "fast", "hat", "man", "men", "van"))  # on other languages' lists
_CHARACTERS = 400  # what is read of a text: its beginning


def pair_differences(
    lefts: Sequence[str],
    rights: Sequence[str],
    *,
    encoder: Encoder | None = None,
    language: str | None = None,
    scores: NDArray[np.floating] | None = None,
    dialogue: bool = False,
) -> list[tuple[Difference, ...]]:
    """What differs between the texts of each pair; nothing where none was seen.

    Of the encoder that scores them, what it cannot read is named too; where it does not tell (a server's), cosine
    `scores`, shape (n,), show it: texts of one vector. `language` is ISO 639-1 of all texts, None: told from them.
    `dialogue`: all are what a customer asks, as in `guard.differences_many`.
    """
    if language:
        found = differences_many(lefts, rights, language=language, dialogue=dialogue)
    else:
        found = _guard_differences(lefts, rights, dialogue)
    for at, missed in unread_differences(lefts, rights, encoder, language, scores).items():
        found[at] = (*found[at], *missed)
    for at, sign in sign_differences(lefts, rights).items():
        if not found[at]:  # most are named already: unread, or units
            found[at] = (sign,)
    for at, each in enumerate(found):
        if each and not (lefts[at].isascii() and rights[at].isascii()):
            found[at] = _two_things(each, lefts[at], rights[at], language)
    return found


def _two_things(found: tuple[Difference, ...], a: str, b: str, language: str | None) -> tuple[Difference, ...]:
    """Without what is one thing in two forms: 5 ℃ and 5 °C, Niño and Nino in English."""
    if normal_form(a) == normal_form(b):
        return ()
    accents = Accents(language)
    return tuple(
        one
        for one in found
        if not accents.only(one.left, one.right)
        or accents.differ(one.left.casefold(), one.right.casefold(), a.split(), b.split())
    )


def _guard_differences(
    lefts: Sequence[str], rights: Sequence[str], dialogue: bool
) -> list[tuple[Difference, ...]]:
    """What the guard names, each pair by the tables of its own language."""
    codes = languages_of_pairs(lefts, rights)
    found: list[tuple[Difference, ...]] = [()] * len(codes)
    for code in sorted(set(codes)):
        rows = [row for row, own in enumerate(codes) if own == code]
        pairs = [lefts[row] for row in rows], [rights[row] for row in rows]
        seen = differences_many(*pairs, language=code, dialogue=dialogue)
        for row, differs in zip(rows, seen, strict=True):
            found[row] = differs
    short = [at for at, (a, b) in enumerate(zip(lefts, rights, strict=True)) if not found[at] and _few_words(a, b)]
    for code in languages() if short else ():
        seen = differences_many([lefts[row] for row in short], [rights[row] for row in short], language=code)
        for row, differs in zip(short, seen, strict=True):
            found[row] = found[row] or tuple(each for each in differs if each.kind in _PLAIN)
    return found


def _few_words(a: str, b: str) -> bool:
    """Whether two texts are as long as names of products, so that nothing may tell their language."""
    return a != b and a.count(" ") == b.count(" ") <= _FEW


def languages_of_pairs(lefts: Sequence[str], rights: Sequence[str]) -> list[str]:
    """The language of each pair, ISO 639-1, as far as the guard's tables go.

    The lists of stop words decide, "nicht" more than "die", which several share; where they decide nothing (a
    product's name, two words), the detector does where it is sure, and else the other pairs of the call.

    Example:
        >>> languages_of_pairs(["Non riesco ad accedere", "Conto 15"], ["Riesco ad accedere al conto", "Conto 51"])
        ['it', 'it']
    """
    weighed: dict[str, int] = {}
    decided: dict[int, tuple[str, int]] = {0: ("", 0)}
    tables = languages()
    found = []
    for a, b in zip(lefts, rights, strict=True):
        if a not in weighed:
            weighed[a] = _weight_of_words(a)
        total = weighed[a] + _weight_of_words(b)
        if total not in decided:
            decided[total] = _likeliest(total)
        code, lead = decided[total]
        if not code:
            code = guess(f"{a[:_CHARACTERS]} {b[:_CHARACTERS]}")[0]
        elif lead <= _WEAK and code not in tables and language_of(f"{a} {b}") == _ENGLISH:
            code = _ENGLISH
        found.append(code)
    most = Counter(filter(None, found)).most_common(1)
    usual = most[0][0] if most else _ENGLISH
    return [code or usual for code in found]


def _weight_of_words(text: str) -> int:
    words = text[:_CHARACTERS].lower().replace("'", " ").replace("\u2019", " ").split()
    known = weights()
    return sum([known[word] for word in words if word not in _ENGLISH_TOO])


def _likeliest(total: int) -> tuple[str, int]:
    """The language that most is said for, and by how much; nothing where another has nearly as much."""
    one = 2**Weights.BITS - 1
    said = ((total >> Weights.BITS * place & one, code) for place, code in enumerate(known_languages()))
    (most, code), (next_, _), *_ = sorted(said, reverse=True)
    return code if most - next_ >= _LEAD else "", most - next_


def unfamiliar(
    texts: Sequence[str], encoder: Encoder | CrossEncoder, *, among: Sequence[str] | None = None
) -> list[str | None]:
    """For each text why the model cannot judge it: a language or script it was not made for. None: it can.

    Judged by each text alone and by all together: a short text that alone could be anything is Italian among
    Italian ones. Of a model that does not say for which languages it was made nothing is said.

    `among`: all that they are some of, a corpus say; without it they are all.

    Example:
        >>> import nearsense as ns
        >>> english, chinese = unfamiliar(["Where is my parcel?", "我的包裹在哪里？"], ns.load())
        >>> english is None, chinese
        (True, 'this text looks Chinese; all-MiniLM-L6-v2 is English only;
        try paraphrase-multilingual-MiniLM-L12-v2')
    """
    languages = encoder.languages
    if not languages:
        return [None] * len(texts)
    reasons: dict[str, str] = {}
    found = foreign_languages(texts, languages, among=among)
    for language in {each for each in found if each}:
        better = suggestion(language, encoder.name, languages)
        reasons[language] = sentence(Finding(1.0, language, 1), encoder.name, languages, better)
    return [reasons[each] if each else None for each in found]
