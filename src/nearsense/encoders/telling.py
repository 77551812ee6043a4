"""Which language a single text is in, and which texts are in none of a model's. Not the warning: see languages.py.

The library that tells languages is sure of short texts more often than it is right: of English headlines it takes
one in five hundred for Danish, Indonesian, Latin. So its word on few letters counts only where small words or
accented letters of that language stand by it, more of them than small words of the model's languages.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Sequence

from nearsense.encoders._detector import WORDS, guess
from nearsense.encoders._scripts import LANGUAGES_OF, main_script
from nearsense.encoders._small_words import LISTED, small_words
from nearsense.encoders.languages import CHARACTERS, LETTERS, NAMES, kin, look

__all__ = ["foreign", "told"]

FEW = 12
"""Letters that the library's word must rest on, where small words stand by it."""

SOME = 25
"""Letters, where only accents do."""

ALONE = 2
"""Small words of a language that tell it where the library is not sure."""

DENSITY = 2
"""Letters that one of Chinese, Japanese or Korean counts as: it says as much as several Latin ones."""

MOSTLY = 0.5
"""Share of a batch that must be of one foreign language for its other short texts to be taken for the same."""

TOGETHER = 1_000
"""Texts that tell the language of all, where single ones are judged."""

_LETTERS = re.compile(r"[^\W\d_]+")


def told(text: str) -> str:
    """The language of a text, ISO 639-1; `""` where nobody can be sure.

    Example:
        >>> told("Wir wollen die Rechnungen zahlen"), told("La Traviata")
        ('de', '')
    """
    text = text[:CHARACTERS]
    return guess(text)[0] or _by_small_words(text, frozenset())


def foreign(
    texts: Sequence[str], languages: Collection[str], *, among: Sequence[str] | None = None
) -> list[str | None]:
    """For each text the language that is not among these; None where it may well be one of them.

    A text alone must be as sure as a batch: by its script, by 50 letters, or by its small words. Where a batch is
    mostly foreign, its short texts are what the library takes them for, and what it takes for nothing is as most
    are. Of 100,000 English questions, headlines, tweets and titles less than 1 in 1,000 of each set is taken for
    foreign; of single foreign sentences of Latin letters half to nearly all are known, of a batch nearly all.

    Args:
        texts: Any number of strings; the beginning of each is looked at.
        languages: The model's, ISO 639-1. Empty: nothing is known, nothing is said.
        among: All that they are some of; a sample of it is looked at. Without it they are all.

    Returns:
        ISO 639-1 codes.

    Example:
        >>> foreign(["你好，世界", "reset my password", "Domani vado al mercato con mia sorella"], ["en"])
        ['zh', None, 'it']
        >>> foreign(["Domani vado al mercato con mia sorella", "Ieri sono andato dalla zia", "Va bene"], ["en"])
        ['it', 'it', 'it']
    """
    known = frozenset(map(kin, languages))
    if not known:
        return [None] * len(texts)
    read = [text[:CHARACTERS] for text in texts]
    found = [_alone(text, known) for text in read]
    together = look(read if among is None else among, languages, sample=TOGETHER)
    mostly = together.language if together is not None and together.share >= MOSTLY else ""
    if among is None and not mostly:
        (most, count), *_ = Counter(found).most_common(1) or [(None, 0)]
        mostly = most if most and count >= MOSTLY * len(found) else ""
    if together is None and not mostly:
        return found
    return [language or _among_others(text, known, mostly) for text, language in zip(read, found, strict=True)]


def _dense(text: str) -> str:
    """The script of a text that has fewer letters of it than Latin ones and more words; `""` for none."""
    if text.isascii():
        return ""
    wide = "".join(each for each in text if each >= "\u1100")
    script = main_script(wide)
    letters = sum(each.isalpha() for each in text)
    own = sum(each.isalpha() for each in wide)
    return script if script in ("Han", "Kana", "Hangul") and DENSITY * own > letters - own else ""


def _among_others(text: str, known: frozenset[str], mostly: str) -> str | None:
    """The language of a text that is no case by itself, among others of which many are foreign."""
    language = guess(text)[0] or _by_small_words(text, frozenset())
    if language in NAMES:
        return None if kin(language) in known else language
    return (mostly or None) if main_script(text) and not _is_english(text) else None


def _alone(text: str, known: frozenset[str]) -> str | None:
    """The language of one text, where it is surely none of these."""
    script = main_script(text)
    if script in ("Latin", "") and (dense := _dense(text)):
        script = dense
    if script not in ("Latin", "Cyrillic", "Arabic", "Devanagari"):  # which many languages share
        of_script = LANGUAGES_OF.get(script, ())
        return of_script[0] if of_script and known.isdisjoint(map(kin, of_script)) else None
    if script != "Latin":
        finding = look([text], known)
        return finding.language if finding else None
    if "en" in known and text.isascii() and _is_english(text):
        return None
    language, letters = guess(text)
    if not language:
        return _by_small_words(text, known) or None
    if language not in NAMES or kin(language) in known:
        return None
    if letters >= LETTERS:
        return language
    own, accented, others = _evidence(text, language, known)
    enough = letters >= FEW if own else letters >= SOME and accented > 2  # loan words and names have accents too
    return language if enough and own + accented > others else None


def _evidence(text: str, language: str, known: frozenset[str]) -> tuple[int, int, int]:
    """Small words of a language, words with accents that are no names, small words of others that are known."""
    words = _LETTERS.findall(text)
    lower = {word.lower() for word in words}
    own, others = small_words(language), frozenset().union(*map(small_words, known))
    accented = {word for word in words if not word.isascii() and not word.istitle()} - own
    return len(lower & (own - others)), len(accented), len(lower & (others - own))


def _by_small_words(text: str, known: frozenset[str]) -> str:
    """The language that most small words speak for, where none speaks for one that is known."""
    words = _LETTERS.findall(text)
    if sum(word[0].islower() for word in words) < WORDS:
        return ""
    lower = {word.lower() for word in words}
    others = frozenset().union(*map(small_words, known))
    if lower & others:
        best = max(LISTED, key=lambda code: len(lower & small_words(code)))
        if lower & (others - small_words(best)):
            return ""
    counts: Counter[str] = Counter({code: len(lower & (small_words(code) - others)) for code in LISTED})
    (language, count), (other, next_) = counts.most_common(2)
    if count < ALONE or kin(language) in known or (count == next_ and kin(language) != kin(other)):
        return ""
    return language


_SURE = """
    and are been from have how its my not should that the their there these they this what when where which why
    with would you your
"""
_ENGLISH = frozenset(_SURE.split())


def _is_english(text: str) -> bool:
    """Whether a text has so many words that only English has that nobody need ask further."""
    words = _LETTERS.findall(text.lower())
    sure = _ENGLISH.intersection(words)
    return len(sure) >= 2 or (len(sure) == 1 and len(words) <= 6)
