"""From the written word to what the tables know of it, once per distinct word. Looks at no neighbour."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from functools import cache

from nearsense.guard.coded import normal, spans
from nearsense.guard.tables import Tables, tables_of
from nearsense.guard.words import (
    ADDITION,
    AUXILIARY,
    BEING,
    BREAK,
    CAPITAL,
    CAPITALS,
    CODE,
    CONVERSE,
    DATE,
    DETERMINER,
    DOUBT,
    IMPLICIT,
    JOIN,
    MODAL,
    NAME,
    NEGATOR,
    NUMBER,
    OPPOSITE,
    PERSON,
    PHRASE,
    PREPOSITION,
    RELATING,
    SENTENCE,
    SIGN,
    SYMMETRIC,
    UNIT,
    Word,
)

__all__ = ["Lexicon", "lexicon_of"]

_KEPT = 65_536
"""Distinct words that are remembered; beyond, memory is emptied and filled anew."""

_LONGEST = 40
"""Characters of a word or figure that is looked into; a longer one is a thing of its own."""

_CHUNK = 200
"""Characters without a space in which codes are looked for."""

_NOTHING: frozenset[str] = frozenset()
_NONE: dict[str, list[tuple[tuple[str, ...], tuple[str, ...]]]] = {}

_FACT = frozenset({"fact"})
"""The family of "is", which is too frequent to ask for because of it alone: only where a text says "may be"."""

_DIGITS = re.compile(r"(\d+(?:[.,:/\-]\d+)*)(.*)", re.DOTALL)
_MARK = r"[.,;:?!()\[\]…]"
_LETTER = r"[^\W\d_]"
_FIGURE = r"(?:(?<![^\s($€£])[-\u2212])?\d+(?:[.,:/\-]\d+)*(?:[^\W\d_]+|[%°])?"
_SYMBOL = r"°[CFcf]\b|[$€£¥₹₽₩₺₪฿₫₿¢%‰°″&+]"
_ENDING = r"'(?:s|re|ve|ll|d|m|t)\b"
_PATTERNS = {
    False: rf"{_LETTER}(?:\.(?:{_LETTER}\.)+|\w*(?:['\u2019]\w+)*)|{_FIGURE}|{_MARK}|{_SYMBOL}|{_ENDING}",
    True: rf"{_LETTER}(?:\.(?:{_LETTER}\.)+|\w*['\u2019]?)|{_FIGURE}|{_MARK}|{_SYMBOL}",
}


@cache
def lexicon_of(code: str) -> Lexicon:
    """The words of a language; of an unknown one, figures and symbols."""
    return Lexicon(tables_of(code))


class Lexicon(dict[str, tuple[Word, ...]]):
    """What stands between two spaces → its words; what is not there is made when it is asked for."""

    def __init__(self, known: Tables) -> None:
        super().__init__()
        self.tables = known
        self._words: dict[str, Word] = {}
        self._instead: dict[tuple[str, ...], tuple[Word, ...]] = {}
        pattern = _PATTERNS[known.elision]
        self._findall = re.compile(pattern).findall
        self._phrases: dict[str, dict[str, list[tuple[tuple[str, ...], tuple[str, ...]]]]] = {}
        self._marks: set[str] = set()
        for left, right in sorted(known.phrases, key=lambda phrase: -len(phrase[0].split())):
            first, second, *rest = self._findall(left)
            self._marks.update(
                part
                for part in (max(first, second, *rest, key=len), (second, *rest)[-1])
                if part not in known.everywhere
            )
            self._phrases.setdefault(first, {}).setdefault(second, []).append((tuple(rest), tuple(right.split())))
        grammar = known.grammar
        self._flags = (
            (grammar.get("determiners", frozenset()), DETERMINER),
            (grammar.get("prepositions", frozenset()), PREPOSITION),
            (grammar.get("auxiliaries", frozenset()), AUXILIARY),
            (grammar.get("being", frozenset()), BEING),
            (grammar.get("joins", frozenset()), JOIN),
            (grammar.get("breaks", frozenset()), BREAK),
            (known.negators, NEGATOR),
        )
        self._stops: frozenset[str] = frozenset().union(*(words for words, _ in self._flags[:6]))
        self._stops |= grammar.get("stops", frozenset())

    def __missing__(self, chunk: str) -> tuple[Word, ...]:
        if len(self) >= _KEPT:
            self.clear()
            self._words.clear()
            self._instead.clear()
        words = tuple(self._split(chunk))
        if len(chunk) <= _LONGEST:
            self[chunk] = words
        return words

    def _split(self, chunk: str) -> Iterator[Word]:
        """The words of a chunk; a code is one word, whatever signs it holds."""
        done = 0
        plain = len(chunk) > _CHUNK or (chunk.isalpha() and not chunk.isupper())
        for start, end in () if plain else spans(chunk, self._measures):
            yield from map(self.word, self._findall(chunk[done:start]))
            yield self._coded(chunk[start:end])
            done = end
        yield from map(self.word, self._findall(chunk[done:]))

    def _measures(self, letters: str) -> bool:
        """Whether letters behind a figure make an amount of it, a time or a place in a row."""
        known, lower = self.tables, letters.lower()
        return (
            letters in known.units
            or lower in known.units
            or lower in known.ordinal_suffixes
            or lower in known.halves
            or lower in known.suffixes
            or lower in ("s", "%", "°")
        )

    def _coded(self, written: str) -> Word:
        """The word of a code; a v before a figure says version and is no part of it."""
        version = written[0] in "vV" and written[1:2].isdecimal()
        if version and written[1:].count(".") <= 1 and written[1:].replace(".", "").isdecimal():
            word = self._figure(written[1:])
            return Word(word.key, written, "", word.flags & ~DATE, number=word.number, code="plain")
        key = normal(written[1:] if version else written)
        return Word(key, written, key, CODE | NAME, small=written.lower())

    def word(self, written: str) -> Word:
        """What is known of one word."""
        word = self._words.get(written)
        if word is None:
            word = self._made(written)
            word.small = written.lower().replace("\u2019", "'")
            word.flags |= PHRASE * (word.small in self._marks)
            word.starts = self._phrases.get(word.small, _NONE)
            self._words[written] = word
        return word

    def instead(self, phrase: tuple[Word, ...], names: tuple[str, ...]) -> tuple[Word, ...]:
        """The words that a phrase is read as, shown as it was written."""
        parts = tuple([part.shown for part in phrase])
        words = self._instead.get(parts)
        if words is None:
            shown = " ".join(parts)
            words = tuple(_as(self.word(name), shown if len(names) == 1 else name, phrase[0]) for name in names)
            if len(self._instead) >= _KEPT:
                self._instead.clear()
            self._instead[parts] = words
        return words

    def _made(self, written: str) -> Word:
        if len(written) > _LONGEST:
            return Word(written, written, written)
        first = written[0]
        if first.isdecimal():
            return self._figure(written)
        if first in "-\u2212" and written[1:2].isdecimal():
            return self._negative(written)
        folded = written if written.isascii() else unicodedata.normalize("NFKC", written)
        if first.isalpha() and "." in folded[1:2]:
            folded = folded.replace(".", "")  # U.S. is US, p.m. is pm
        lower = folded.lower().replace("\u2019", "'")
        if not first.isalpha() and not lower[-1].isalpha() and lower not in self.tables.units:
            end = BREAK | SENTENCE if first in ".?!…" else BREAK
            return Word(written, written, "", JOIN if first in "&+" else end)
        return self._word(written, folded, lower)

    def _word(self, written: str, folded: str, lower: str) -> Word:
        known = self.tables
        flags = CAPITAL if folded[0].isupper() and lower not in known.common else 0
        if known.nouns and lower not in known.capital and lower not in known.known:
            flags = 0  # where every noun has a capital, it makes no name
        base = lower
        if known.suffix and lower.endswith(known.suffix):
            base, flags = lower[: -len(known.suffix)], flags & ~CAPITAL | NEGATOR
        elif not known.elision and "'" in lower:
            base = lower.partition("'")[0] or lower
        elif known.elision and lower.endswith("'"):
            base = lower[:-1]
        for words, flag in self._flags:
            if base in words or lower in words:
                flags |= flag
        stem = self._name(folded, base) or self._stemmed(base)
        if (
            any(mark.isdigit() for mark in folded)
            or base in known.known
            or (base in known.aliases and self._name(folded, base))
            or (flags & CAPITAL and base in known.capital)
        ):
            flags |= NAME
        opposite = _NOTHING if flags & NEGATOR else self._opposite(base, stem)
        levels = known.levels.get(base, ())
        units = known.units.get(folded) or known.units.get(base) or ()
        when = known.when.get(base, ()) if flags & CAPITAL or base not in known.doubtful else ()
        number, code = self._number(base)
        flags |= OPPOSITE * bool(opposite) | UNIT * bool(units) | DATE * bool(when)
        families = {family for family, _ in levels}
        flags |= MODAL * bool(families - _FACT) | DOUBT * (families > _FACT)
        flags |= SIGN * (lower in known.minus or lower in known.below)
        flags |= IMPLICIT * (stem in known.implicit or lower in known.implicit) | CONVERSE * (
            stem in known.converse or base in known.converse
        )
        flags |= PERSON * (stem in known.persons or base in known.persons) | ADDITION * (base in known.additions)
        flags |= RELATING * (stem in known.relating or lower in known.relating)
        flags |= CAPITALS * (len(folded) > 1 and folded.isupper() and folded.isalpha())
        flags |= CODE * ((len(folded) == 1 and folded.isupper() and folded not in "AI") or folded in known.sizes)
        flags |= SYMMETRIC * (stem in known.symmetric) | NUMBER * (number is not None)
        dated = base in known.when or base in known.halves
        flags |= DATE * (base in known.halves or base in known.when)
        plain = number is None and not dated and not flags & NEGATOR and base not in self._stops
        if base in self._stops and not flags & NAME:
            flags &= ~CAPITAL
        key = stem if base == lower or not flags & NEGATOR else lower
        return Word(key, written, stem if plain else "", flags, opposite, number, units, when, levels, code)

    def _name(self, folded: str, base: str) -> str | None:
        """What stands for a name with several forms; short ones need their capitals: US is not us."""
        if len(base) > 3 or folded.isupper():
            return self.tables.aliases.get(base)
        return None

    def _stemmed(self, base: str) -> str:
        """The stem, and that of taller where tall has an opposite."""
        known = self.tables
        stem = known.stem(base)
        if stem not in known.opposites:
            for ending in known.compare:
                short = known.stem(base.removesuffix(ending).removesuffix("i"))
                for lemma in (short, short + "y", short + "e"):
                    if base.endswith(ending) and lemma in known.opposites and len(base) > len(ending) + 2:
                        return lemma
        return stem

    def _opposite(self, base: str, stem: str) -> frozenset[str]:
        known = self.tables
        opposite = known.opposites.get(stem, frozenset())
        if stem in known.unprefixed or base in known.unprefixed:
            return opposite
        turned = {stem[len(p) :] for p in known.prefixes if stem.startswith(p) and len(stem) - len(p) >= 3}
        for ending in known.suffixes_turning:
            if base.endswith(ending) and len(base) - len(ending) >= 3:
                turned.add(known.stem(base[: -len(ending)]))
        return opposite | turned

    def _number(self, base: str) -> tuple[float | None, str]:
        known = self.tables
        if base in known.numbers:
            return known.numbers[base], "weak" if base in known.weak else "word"
        if base in known.scales:
            return known.scales[base], "scale"
        return (known.ordinals[base], "ordinal") if base in known.ordinals else (None, "")

    def _figure(self, written: str) -> Word:
        """Digits with what is glued to them: 1,500 · 7:30pm · 15th · 5kg · 1.5k · 1990s · 2024-03-15."""
        match = _DIGITS.match(written)
        digits, tail = match.groups() if match else (written, "")
        known, lower = self.tables, tail.lower()
        code, number, units = self._code(digits), None, known.units.get(tail) or known.units.get(lower) or ()
        if code == "plain":
            number = self._value(digits)
            if lower in known.ordinal_suffixes:
                code, units = "ordinal", ()
            elif lower in known.halves:
                code, units = "time", ()
            elif lower == "s" and len(digits) in (2, 4):
                code, units = "decade", ()
            elif lower in known.suffixes and number is not None and (not units or lower in ("k", "bn", "b")):
                number, units = number * known.suffixes[lower], ()
            elif tail and not units:
                return Word(written.lower(), written, written.lower(), NAME | CODE)
        flags = NUMBER | DATE * (code in ("date", "time", "decade") or len(digits) <= 4) | UNIT * bool(units)
        return Word(written.lower(), written, "", flags, frozenset(), number, units, (), (), code)

    def _negative(self, written: str) -> Word:
        """A figure below zero; a sign before anything else than an amount is a dash."""
        word = self._figure(written[1:])
        if word.code != "plain" or word.number is None:
            return word
        flags = word.flags & ~DATE
        return Word(f"-{word.key}", written, "", flags, number=-word.number, units=word.units, code="plain")

    @staticmethod
    def _code(digits: str) -> str:
        parts = re.split(r"[:/\-]", digits)
        if ":" in digits:
            return "time" if len(parts) in (2, 3) and "/" not in digits and "-" not in digits else "range"
        dots = digits.split(".")
        if len(dots) == 3 and len(dots[2]) in (2, 4) and len(dots[0]) <= 2 and len(dots[1]) <= 2:
            return "date"
        if len(parts) == 3:
            return "date"
        return "range" if len(parts) > 1 else "plain"

    def _value(self, digits: str) -> float | None:
        point = self.tables.decimal
        comma = "," if point == "." else "."
        groups = digits.split(comma)
        if (
            len(groups) > 1
            and len(groups[0]) <= 3
            and all(len(group.split(point)[0]) == 3 for group in groups[1:])
        ):
            digits = "".join(groups)
        elif len(groups) == 2 and point not in digits:
            digits = ".".join(groups)
        digits = digits.replace(point, ".")
        return float(digits) if digits.count(".") <= 1 and "," not in digits else None


def _as(word: Word, shown: str, first: Word) -> Word:
    """A phrase's word, shown as it was written; a name stays one."""
    flags = word.flags | first.flags & CAPITAL if not word.flags & (BREAK | SENTENCE) else word.flags
    flags |= NAME if "_" in word.key and first.flags & CAPITAL else 0
    more = word.opposite, word.number, word.units, word.when, word.levels, word.code, word.small
    return Word(word.key, shown, word.content, flags, *more)
