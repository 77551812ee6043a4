"""Words that say little by themselves, a list a language; and which language texts are in, by those lists."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from functools import cache
from importlib import resources

from nearsense.errors import InputError

ENOUGH = 0.08
"""Share of the words that a list must know for texts to be of its language: English headlines have 0.2, running
text 0.4 and more."""

BESIDES = 0.012
"""The same for a further language, of words that the lists before do not know: texts of one language have 0.009 at
most."""


@cache
def known_languages() -> tuple[str, ...]:
    """The codes (ISO 639-1) that have a list: de, en, es, fr, it, nl, pt."""
    files = (file.name for file in resources.files(__name__).iterdir())
    return tuple(sorted(name[:-4] for name in files if name.endswith(".txt")))


@cache
def stop_words(language: str) -> frozenset[str]:
    """The stop words of a language, in small letters; none where there is no list."""
    code = _code(language)
    if code not in known_languages():
        return frozenset()
    return frozenset(resources.files(__name__).joinpath(f"{code}.txt").read_text(encoding="utf-8").split())


def _code(language: str) -> str:
    return language.lower().replace("_", "-").partition("-")[0]


def language_code(language: str) -> str:
    """The code of a language that has a list, "en" of "en-GB"; any other is refused."""
    code = _code(language)
    if code not in known_languages():
        what = f"no stop words are known of language {language!r}"
        fix = "leave the language out: what most clusters share then names none"
        raise InputError(what, why=f"there are lists for {', '.join(known_languages())}", fix=fix)
    return code


def languages_of(words: Mapping[str, int]) -> tuple[str, ...]:
    """The languages of texts, the likeliest first, by how often each word in small letters occurs; none may fit.

    Example:
        >>> languages_of({"the": 3, "password": 2, "of": 1}), languages_of({"salasana": 2})
        (('en',), ())
    """
    found: list[str] = []
    known: frozenset[str] = frozenset()
    total = sum(words.values())
    while total:
        shares = {
            code: sum(map(words.__getitem__, words.keys() & (stop_words(code) - known))) / total
            for code in known_languages()
            if code not in found
        }
        best = max(shares, key=lambda code: shares[code], default="")
        if not best or shares[best] < (BESIDES if found else ENOUGH):
            break
        found.append(best)
        known |= stop_words(best)
    return tuple(found)


class Weights(dict[str, int]):
    """What a word says for each language, in one number: `BITS` bits a language, in the order of the codes.

    A word of one list says 12 for it, one of two lists 6 for each, and so on; any other word says nothing. Sums of
    such numbers are sums for each language, as long as each stays below 2 ** `BITS`.
    """

    BITS = 16

    def __missing__(self, word: str) -> int:
        return 0


@cache
def weights() -> Weights:
    """The words of all lists with what they say.

    Example:
        >>> weights()["nicht"] == 12 and weights()["salasana"] == 0
        True
    """
    lists = [stop_words(code) for code in known_languages()]
    often = Counter(word for words in lists for word in words)
    found = Weights()
    for place, words in enumerate(lists):
        for word in words:
            found[word] = found[word] + (12 // often[word] << Weights.BITS * place)
    return found
