"""Words that say little by themselves, a list a language; and which language texts are in, by those lists."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib import resources

from nearsense.errors import InputError

__all__ = ["known_languages", "languages_of", "listed", "stop_words"]

ENOUGH, BESIDES = 0.08, 0.012
"""Share of the words that a list must know, and a further list besides those before, which share some with it:
English headlines have 0.2, running text 0.4 and more; texts of one language have 0.009 besides at most."""


@cache
def known_languages() -> tuple[str, ...]:
    """The codes (ISO 639-1) that have a list.

    Example:
        >>> known_languages()
        ('de', 'en', 'es', 'fr', 'it', 'nl', 'pt')
    """
    files = (file.name for file in resources.files(__name__).iterdir())
    return tuple(sorted(name[:-4] for name in files if name.endswith(".txt")))


@cache
def stop_words(language: str) -> frozenset[str]:
    """The stop words of a language, in small letters; none where there is no list.

    Example:
        >>> "the" in stop_words("en"), "della" in stop_words("it-IT"), len(stop_words("sw"))
        (True, True, 0)
    """
    code = _code(language)
    if code not in known_languages():
        return frozenset()
    return frozenset(resources.files(__name__).joinpath(f"{code}.txt").read_text(encoding="utf-8").split())


def _code(language: str) -> str:
    return language.lower().replace("_", "-").partition("-")[0]


def listed(language: str) -> str:
    """The code of a language that has a list.

    Raises:
        InputError: It has none.

    Example:
        >>> listed("en-GB")
        'en'
    """
    code = _code(language)
    if code not in known_languages():
        raise InputError(
            f"no stop words are known of language {language!r}",
            why=f"there are lists for {', '.join(known_languages())}",
            fix="leave the language out: what most clusters share then names none",
        )
    return code


def languages_of(words: Mapping[str, int]) -> tuple[str, ...]:
    """The languages of texts, by how many of their words each list knows.

    Args:
        words: How often each word occurs, in small letters.

    Returns:
        Codes, the likeliest first; empty where no list fits.

    Example:
        >>> languages_of({"the": 3, "password": 2, "of": 1}), languages_of({"salasana": 2})
        (('en',), ())
    """
    found: list[str] = []
    known: frozenset[str] = frozenset()
    total = sum(words.values())
    while total:
        shares = {
            code: sum(words.get(word, 0) for word in stop_words(code) - known) / total
            for code in known_languages()
            if code not in found
        }
        best = max(shares, key=lambda code: shares[code], default="")
        if not best or shares[best] < (BESIDES if found else ENOUGH):
            break
        found.append(best)
        known |= stop_words(best)
    return tuple(found)
