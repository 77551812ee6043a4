"""Notices texts that a model was not made for: many at a time, for a warning, and single ones, for a verdict."""

from __future__ import annotations

import re
import tomllib
import warnings
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

from nearsense._forks import lock
from nearsense.encoders.catalog import Kind
from nearsense.errors import InputError, LanguageWarning

SHARE = 0.2
"""Share of the texts that must be foreign. Of 11,000 English questions, headlines, tweets and titles the library
takes at most 0.7 % of a set for another language; of short foreign sentences it knows 29 to 98 %."""

LETTERS = 50
"""Letters in the foreign language that a verdict of the library must rest on: no single English text of those
11,000 that was taken for another language had more than 38."""

LETTERS_TO_TELL_APART = 15
"""Letters below which the library does not tell apart the languages of one script, Russian and Bulgarian say."""

SAMPLE = 200  # texts that are looked at in one call
CHARACTERS = 400  # what is read of a text: its beginning
READ_AGAIN = 2048  # texts of which it is remembered: the same ones are read for a warning, then for a verdict
PATIENCE = 5000  # texts after which a check is content: they were the right language for so long

_DATA: dict[str, Any] = tomllib.loads(Path(__file__).with_name("languages.toml").read_text(encoding="utf-8"))

NAMES: Mapping[str, str] = _DATA["names"]
"""English names by ISO 639-1. A language that is not here is never reported: models are not made for it, and the
library sees it where it is not."""

WORDS = 3  # words in small letters that a text must have: without them it is a name, a product or a title

_WORD = re.compile(
    r"(?<![\w@/.\\#$:=<>\[\](){}-])[^\W\d_]+(?:['\u2019-][^\W\d_]+)*(?=[\s,;:!?\u2026\"'\u00bb\u201d)]|\.\s|\.?\Z)"
)
_INNER_CAPITAL = re.compile(r"[^\W\d_A-Z][A-Z]")

_OTHER_CODES = {"iw": "he", "jw": "jv", "zh-Hant": "zh", "sr-ME": "sr", "nn": "no", "co": "it"}
"""Codes of the library under which models are not listed: old ones, variants, and Corsican, for which it takes
3 % of short Italian sentences."""


@lru_cache(READ_AGAIN)
def guess(text: str) -> tuple[str, int]:
    """The language, ISO 639-1, that the library is sure of, else `""`, and the letters on which that rests.

    Only running words count: what holds a digit, a slash, an at sign or a capital inside is an address, code or a
    product.

    >>> guess("Wo ist bitte der nächste Bahnhof?")
    ('de', 27)
    >>> guess("Samsung Galaxy S24 Ultra")[0], guess("https://www.example.it/notizie")[0]
    ('', '')
    """
    words = [word for word in _WORD.findall(text) if not _INNER_CAPITAL.search(word)]
    letters = sum(map(len, words))
    if sum(not word[0].isupper() for word in words) < WORDS:
        return "", letters
    detect = _library()
    return (detect(" ".join(words)) if detect else ""), letters


@cache
def _library() -> Callable[[str], str] | None:
    """The library's verdict as a function; None where it is not installed. Loading takes 2 ms and 2 MB."""
    try:
        import pycld2
    except ImportError:
        return None

    def detect(words: str) -> str:
        sure, _, ((_, code, _, _), *_) = pycld2.detect(words, isPlainText=True)
        return _OTHER_CODES.get(code, code) if sure and code != "un" else ""

    return detect


_RANGES: list[tuple[int, int, str]] = [(first, last, name) for first, last, name in _DATA["scripts"]["ranges"]]
_STARTS = tuple(first for first, _, _ in _RANGES)

LANGUAGES_OF = {script: tuple(codes.split()) for script, codes in _DATA["languages_of"].items()}
"""The languages, ISO 639-1, that are written in a script, the most likely first; Latin is written by too many."""


@lru_cache(READ_AGAIN)
def main_script(text: str) -> str:
    """The script of more than half of the letters, or `""`: no letters, or no script has that many.

    A text with kana is Japanese whatever its share of Han characters. One letter of another script than Latin is a
    symbol (π, Ω), not a text.
    """
    if text.isascii():
        return "Latin" if any(map(str.isalpha, text)) else ""
    counts: Counter[str] = Counter()
    for character, times in Counter(text).items():
        if character.isalpha():
            counts[_script(ord(character))] += times
    if counts["Kana"]:
        counts["Kana"] += counts.pop("Han", 0)
    script, most = max(counts.items(), key=lambda item: item[1], default=("", 0))
    enough = 2 * most > counts.total() and (most > 1 or script in ("Latin", "Han"))
    return script if enough else ""


def _script(point: int) -> str:
    place = bisect_right(_STARTS, point) - 1
    if place < 0:
        return ""
    _, last, script = _RANGES[place]
    return script if point <= last else ""


_WORDS = {code: frozenset(words.split()) for code, words in _DATA["small_words"].items()}

LISTED = tuple(code for code in _WORDS if code != "en")  # the languages other than English that have a list


@cache
def _small_words_of(languages: frozenset[str]) -> frozenset[str]:
    return frozenset().union(*map(small_words, languages))


def small_words(language: str) -> frozenset[str]:
    """Those of a language, ISO 639-1; none where they are not listed."""
    return _WORDS.get(language, frozenset())


_KIN = {
    **{"nb": "no", "nn": "no", "da": "no", "af": "nl", "bs": "hr", "sr": "hr", "ms": "id", "mk": "bg", "mr": "hi"},
    **{"fil": "tl", "iw": "he", "jw": "jv"},
}
"""Languages that short texts do not tell apart, and former codes: who knows one is not warned of the other."""

_USUAL = "paraphrase-multilingual-MiniLM-L12-v2"
"""What is suggested where it knows the language: small, and of the same makers as the default."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What was seen in texts that a model was not made for."""

    share: float  # of the texts looked at, from 0 to 1
    language: str  # ISO 639-1; none where several share it and none has half
    texts: int  # how many were looked at


@dataclass(slots=True)
class _Tally:
    """How many texts are in which language that is not the model's, and how many letters say so."""

    texts: int = 0
    languages: Counter[str] = field(default_factory=Counter)
    letters: Counter[str] = field(default_factory=Counter)
    scripts: Counter[str] = field(default_factory=Counter)

    def add(self, text: str, known: frozenset[str]) -> None:
        """Read the beginning of one more text; `known` holds the model's languages."""
        self.texts += 1
        text = text[:CHARACTERS]
        script = main_script(text)
        of_script = LANGUAGES_OF.get(script, ())
        strange = bool(of_script) and known.isdisjoint(map(kin, of_script))
        if strange and len(of_script) == 1:
            self.languages[of_script[0]] += 1
            self.letters[of_script[0]] += LETTERS
        elif script and script not in ("Han", "Kana"):
            language, letters = guess(text)
            if strange and (letters < LETTERS_TO_TELL_APART or language not in of_script):
                self.scripts[script] += 1
            elif language in NAMES and kin(language) not in known:
                self.languages[language] += 1
                self.letters[language] += max(letters, LETTERS * strange)
        elif strange:
            self.scripts[script] += 1

    def merge(self, other: _Tally) -> None:
        self.texts += other.texts
        self.languages.update(other.languages)
        self.letters.update(other.letters)
        self.scripts.update(other.scripts)

    def finding(self) -> Finding | None:
        if not self.languages and not self.scripts:
            return None
        languages, letters = Counter(self.languages), Counter(self.letters)
        for script, texts in self.scripts.items():  # those of which only the script is sure follow the others
            likely = max(LANGUAGES_OF[script], key=lambda language: self.languages[language])
            languages[likely] += texts
            letters[likely] += LETTERS
        families, family_letters = _sum_of_kin(languages), _sum_of_kin(letters)
        foreign = families.total()
        if not foreign or foreign < SHARE * self.texts:
            return None
        family, most = max(families.items(), key=lambda item: item[1])
        if family_letters[family] < LETTERS:
            return None
        if 2 * most < foreign:
            return Finding(foreign / self.texts, "", self.texts)
        members = (language for language in languages if kin(language) == family)
        return Finding(most / self.texts, max(members, key=lambda member: languages[member]), self.texts)


def find_foreign(texts: Sequence[str], languages: Collection[str], *, sample: int = SAMPLE) -> Finding | None:
    """Whether a notable share of a sample of texts is in a language that is not among these, ISO 639-1.

    A script is sure even for one short text. For languages that share a script with the model's the library
    decides; it is heard where its verdict rests on 50 letters, of one text or of several.
    """
    known = frozenset(map(kin, languages))
    return _count(texts, known, sample).finding() if known else None


def sentence(finding: Finding, model_name: str, model_languages: Collection[str], suggestion: str = "") -> str:
    """A finding in words: what was seen, what the model is for, what to try."""
    language = NAMES.get(finding.language, finding.language)
    many = f"{100 * finding.share:.0f} % of these texts"
    who, looks = ("this text", "looks") if finding.texts == 1 else (many, "look")
    seen = f"{who} {looks} {language}" if language else f"{who} are in several other languages"
    made_for = sorted(NAMES.get(code, code) for code in model_languages)
    match made_for:
        case [only]:
            model = f"{model_name} is {only} only"
        case [*most, last] if len(most) < 4:
            model = f"{model_name} is for {', '.join(most)} and {last}"
        case _:
            model = f"{model_name} is for {len(made_for)} other languages"
    return "; ".join([seen, model, f"try {suggestion}"] if suggestion else [seen, model])


def suggestion(language: str, model_name: str = "", model_languages: Collection[str] = ()) -> str:
    """A model of the catalogue that knows a language, and the model's own where these are few; `""` for none.

    The language `""` is a mixture: a model that knows French will know others.
    """
    from nearsense.encoders.recommend import recommend

    own = model_languages if len(model_languages) < 4 else ()
    try:
        cards = recommend("similarity", languages={language or "fr", *own})
    except InputError:
        return ""
    fitting = [card for card in cards if card.name != model_name and card.kind is not Kind.REMOTE]
    fitting.sort(key=lambda card: (card.name != _USUAL, card.torch))
    return fitting[0].name if fitting else ""


class LanguageCheck:
    """Looks at what goes into one model, and warns once per model and process; safe to use from several threads.

    Each call is judged by itself and together with all before it, so that single queries add up. After 5,000 texts
    without a finding it is content and costs nothing.
    """

    _warned: set[str] = set()  # noqa: RUF012 - one for the process, as the promise is
    _lock = lock()

    def __init__(self, name: str, languages: Collection[str], *, on: bool = True) -> None:
        self.name = name
        self.languages = tuple(languages)
        self._known = frozenset(map(kin, languages))
        self._on = on and bool(self._known)
        self._sofar = _Tally()

    def __call__(self, texts: Sequence[str], *, stacklevel: int = 3) -> None:
        """Look at a sample of texts without prompts; a LanguageWarning names the line `stacklevel` calls above."""
        if not self._on or self.name in self._warned or self._sofar.texts >= PATIENCE:
            return
        tally = _count(texts, self._known, SAMPLE)
        with self._lock:
            self._sofar.merge(tally)
            finding = tally.finding() or self._sofar.finding()
            if finding is None or self.name in self._warned:
                return
            self._warned.add(self.name)
        better = suggestion(finding.language, self.name, self.languages)
        text = sentence(finding, self.name, self.languages, better)
        warnings.warn(text, LanguageWarning, stacklevel=stacklevel)


def _count(texts: Sequence[str], known: frozenset[str], sample: int) -> _Tally:
    tally = _Tally()
    count = min(len(texts), sample)
    for place in range(count):
        tally.add(texts[place * len(texts) // count], known)
    return tally


@cache
def kin(language: str) -> str:
    """The language that stands for those which short texts do not tell apart from this one.

    >>> kin("nb-NO"), kin("da"), kin("it")
    ('no', 'no', 'it')
    """
    code = language.lower().replace("_", "-").partition("-")[0]
    return _KIN.get(code, code)


def _sum_of_kin(counts: Counter[str]) -> Counter[str]:
    families: Counter[str] = Counter()
    for language, count in counts.items():
        families[kin(language)] += count
    return families


LETTERS_BESIDE_WORDS = 12  # letters that the library's word must rest on, where small words stand by it
LETTERS_BESIDE_ACCENTS = 25  # letters, where only accents do
WORDS_ALONE = 2  # small words of a language that tell it where the library is not sure
DENSITY = 2  # letters that one of Chinese, Japanese or Korean counts as: it says as much as several Latin ones

MOSTLY = 0.5
"""Share of a batch that must be of one foreign language for its other short texts to be taken for the same."""

BATCH_SAMPLE = 1_000  # texts that tell the language of all, where single ones are judged

_LETTERS = re.compile(r"[^\W\d_]+")


def language_of(text: str) -> str:
    """The language of a text, ISO 639-1; `""` where nobody can be sure.

    >>> language_of("Wir wollen die Rechnungen zahlen"), language_of("La Traviata")
    ('de', '')
    """
    text = text[:CHARACTERS]
    return guess(text)[0] or _by_small_words(text, frozenset())


def foreign_languages(
    texts: Sequence[str], languages: Collection[str], *, among: Sequence[str] | None = None
) -> list[str | None]:
    """For each text the language, ISO 639-1, that is not among these; None where it may well be one of them.

    A text alone must be as sure as a batch: by its script, by 50 letters, or by its small words. Where a batch
    (`among`, else the texts) is mostly foreign, its short texts are what the library takes them for, and what it
    takes for nothing is as most are. Of 100,000 English questions, headlines, tweets and titles less than 1 in
    1,000 of each set is taken for foreign; of single foreign sentences of Latin letters half to nearly all are
    known, of a batch nearly all.

    >>> foreign_languages(["你好，世界", "reset my password", "Domani vado al mercato con mia sorella"], ["en"])
    ['zh', None, 'it']
    >>> foreign_languages(["Domani vado al mercato con mia sorella", "Ieri sono andato dalla zia", "Si"], ["en"])
    ['it', 'it', 'it']
    """
    known = frozenset(map(kin, languages))
    if not known:
        return [None] * len(texts)
    read = [text[:CHARACTERS] for text in texts]
    found = [_foreign_alone(text, known) for text in read]
    together = find_foreign(read if among is None else among, languages, sample=BATCH_SAMPLE)
    mostly = together.language if together is not None and together.share >= MOSTLY else ""
    if among is None and not mostly:
        (most, count), *_ = Counter(found).most_common(1) or [(None, 0)]
        mostly = most if most and count >= MOSTLY * len(found) else ""
    if together is None and not mostly:
        return found
    return [language or _among_others(text, known, mostly) for text, language in zip(read, found, strict=True)]


def _dense_script(text: str) -> str:
    """The script of a text that has fewer letters of it than Latin ones and more words; `""` for none."""
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


def _foreign_alone(text: str, known: frozenset[str]) -> str | None:
    """The language of one text, where it is surely none of these."""
    script = main_script(text)
    if script in ("Latin", "") and not text.isascii() and (dense := _dense_script(text)):
        script = dense
    if script not in ("Latin", "Cyrillic", "Arabic", "Devanagari"):  # which many languages share
        of_script = LANGUAGES_OF.get(script, ())
        return of_script[0] if of_script and known.isdisjoint(map(kin, of_script)) else None
    if script != "Latin":
        finding = find_foreign([text], known)
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
    # loan words and names have accents too
    enough = letters >= LETTERS_BESIDE_WORDS if own else letters >= LETTERS_BESIDE_ACCENTS and accented > 2
    return language if enough and own + accented > others else None


def _evidence(text: str, language: str, known: frozenset[str]) -> tuple[int, int, int]:
    """Small words of a language, words with accents that are no names, small words of others that are known."""
    words = _LETTERS.findall(text)
    lower = {word.lower() for word in words}
    own, others = small_words(language), _small_words_of(known)
    accented = {word for word in words if not word.isascii() and not word.istitle()} - own
    return len(lower & (own - others)), len(accented), len(lower & (others - own))


def _by_small_words(text: str, known: frozenset[str]) -> str:
    """The language that most small words speak for, where none speaks for one that is known."""
    words = _LETTERS.findall(text)
    if sum(word[0].islower() for word in words) < WORDS:
        return ""
    lower = {word.lower() for word in words}
    others = _small_words_of(known)
    listed = {code: len(lower & _WORDS[code]) for code in LISTED}
    if lower & others:
        best = max(listed, key=listed.__getitem__)
        if lower & (others - _WORDS[best]):
            return ""
        listed = {code: len(lower & (_WORDS[code] - others)) for code in LISTED}
    counts: Counter[str] = Counter(listed)
    (language, count), (other, next_) = counts.most_common(2)
    if count < WORDS_ALONE or kin(language) in known or (count == next_ and kin(language) != kin(other)):
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
