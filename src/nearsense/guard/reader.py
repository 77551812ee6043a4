"""A text to its words, each looked up in the tables once, codes and phrases read as one. Not a parser."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator, Set
from functools import cache, lru_cache
from itertools import chain, pairwise

from nearsense.guard import words as flag
from nearsense.guard.tables import Tables, tables_of
from nearsense.guard.words import NO_PHRASES, Starts, Word

READ = 8_192  # characters that are looked at, from the start. A text of any length costs no more than one of these
_SHARED = 0.5  # share of content words that two texts have in common (Dice), from which on they look alike
_KEPT = 65_536  # distinct words that are remembered; beyond, memory is emptied and filled anew
_LONGEST = 40  # characters of a word or figure that is looked into; a longer one is a thing of its own
_CHUNK = 200  # characters without a space in which codes are looked for
_NOTHING: frozenset[str] = frozenset()
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

_TOKEN = re.compile(r"#?\w+(?:[-\u2010\u2011./+@]\w+)*(?:\+{1,2}|#|[-\u2212](?!\w))?")
"""What may be a code within what stands between two spaces."""
_CAPITALS = 6
"""Letters that may stand before the figures of a code with a hyphen between: COVID-19, but not CHAPTER-19."""
_SPLIT = re.compile(r"[-\u2010\u2011./_+@]")
_ATOM = re.compile(r"\d+(?:\.\d+)*|[^\W\d_]+|[+#]")
_GLUED = re.compile(r"\d+(?:[.,:/\-]\d+)*(\D*)")
_VERSION = re.compile(r"\d+(?:\.\d+){2,}")
_HEX = re.compile(r"#(?:[0-9a-f]{3}|[0-9a-f]{6}|[0-9a-f]{8})")
_GRADE = re.compile(r"[A-Za-z](?:\+\+|#)|(?:[A-FO]|AB)[-\u2212+]")
_MAIL = re.compile(r"[\w.+\-]+@[\w\-]+(?:\.[\w\-]+)+")
_WORDS_AROUND = re.compile(r"^(?:[^\W\d_A-Z]{3,}-)+|(?:-[^\W\d_A-Z]{3,})+$")
_ROMAN = re.compile(r"(?=[IVX]{2})X{0,3}(?:IX|IV|V?I{0,3})")
_FILE = re.compile(
    r"[\w.\-]+\.(?:txt|pdf|docx?|xlsx?|pptx?|csv|tsv|json|xml|ya?ml|toml|ini|conf|cfg|env|log|sql|db|html?|css|jsx?|tsx?"
    r"|py|ipynb|java|rb|go|rs|cpp|sh|bat|exe|dll|jar|zip|gz|tar|rar|7z|iso|png|jpe?g|gif|svg|webp|mp[34]|wav|avi|mov|md)"
)


class Text:
    """One text, read: its words in order, those that carry content, and both as sets. Made by `text_of`."""

    __slots__ = ("content", "contents", "joined", "keys", "words")

    words: list[Word]
    contents: list[Word]
    content: set[Word]
    keys: set[Word]
    joined: bool

    def join(self, lexicon: Lexicon) -> Text:
        """The same with its phrases read as one word each."""
        if self.joined:
            return self
        self.joined = True
        starts: list[int] = []
        seconds: Starts = {}
        for at, word in enumerate(self.words, -1):
            if seconds and word.small in seconds:
                starts.append(at)
            seconds = word.starts
        words = _with_phrases(self.words, starts, lexicon) if starts else self.words
        return self if words is self.words else text_of(words, joined=True)


def text_of(words: list[Word], *, joined: bool = False) -> Text:
    """A text of words; no `Text.__init__`, which takes twice the time."""
    text = Text()
    text.words, text.joined = words, joined
    text.contents = contents = [word for word in words if word.content]
    text.content, text.keys = set(contents), set(words)
    return text


def read(text: str, lexicon: Lexicon) -> Text:
    """The words of a text, in order.

    Example:
        >>> [word.key for word in read("Prices increased.", lexicon_of("en")).words]
        ['pric', 'increas', '.']
    """
    return text_of(list(chain.from_iterable(map(lexicon.__getitem__, text[:READ].split()))))


def shared_content(left: Text, right: Text) -> set[Word] | None:
    """The content that two texts share, where it is so much that what differs says something."""
    a, b = left.content, right.content
    shared = a & b
    return shared if 2 * len(shared) + 1 >= _SHARED * (len(a) + len(b)) else None


def slot(text: Text, at: int, shared: Set[str]) -> tuple[str, str]:
    """The nearest words on both sides that the other text has too: where in a text something stands."""
    words, before = text.words, ""
    for word in words[at - 1 :: -1] if at else ():
        if word in shared:
            before = word.key
            break
    for word in words[at + 1 :]:
        if word in shared:
            return before, word.key
    return before, ""


def same_slot(a: Text, i: int, b: Text, j: int, shared: Set[str]) -> bool:
    """Whether two words stand in the same place: beside the same word, on the same side."""
    one, other = slot(a, i, shared), slot(b, j, shared)
    return one[0] == other[0] or one[1] == other[1]


def _with_phrases(words: list[Word], starts: list[int], lexicon: Lexicon) -> list[Word]:
    """Phrases of the language replaced by the words they are read as; the longest wins."""
    found: list[Word] = []
    done = 0
    for at in starts:
        if at < done:
            continue
        for rest, instead in words[at].starts[words[at + 1].small]:
            end = at + 2 + len(rest)
            if end <= len(words) and all(words[at + 2 + i].small == part for i, part in enumerate(rest)):
                found += words[done:at]
                found += lexicon.instead(tuple(words[at:end]), instead)
                done = end
                break
    return [*found, *words[done:]] if done else words


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
        self._findall = re.compile(_PATTERNS[known.elision]).findall
        self._phrases: dict[str, Starts] = {}
        self._marks: set[str] = set()
        for left, right in sorted(known.phrases, key=lambda phrase: -len(phrase[0].split())):
            first, second, *rest = self._findall(left)
            self._marks |= {max(first, second, *rest, key=len), (second, *rest)[-1]} - known.everywhere
            self._phrases.setdefault(first, {}).setdefault(second, []).append((tuple(rest), tuple(right.split())))
        grammar = known.grammar
        classes = {
            "determiners": flag.DETERMINER, "prepositions": flag.PREPOSITION, "auxiliaries": flag.AUXILIARY,
            "being": flag.BEING, "joins": flag.JOIN, "breaks": flag.BREAK,
        }  # fmt: skip
        self._flags = [(grammar.get(name, _NOTHING), bit) for name, bit in classes.items()]
        self._stops = _NOTHING.union(grammar.get("stops", ()), *(words for words, _ in self._flags))
        self._flags.append((known.negators, flag.NEGATOR))

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
        for start, end in () if plain else code_spans(chunk, self._measures):
            yield from map(self.word, self._findall(chunk[done:start]))
            yield self._coded(chunk[start:end])
            done = end
        yield from map(self.word, self._findall(chunk[done:]))

    def _measures(self, letters: str) -> bool:
        """Whether letters behind a figure make an amount of it, a time or a place in a row."""
        known, lower = self.tables, letters.lower()
        tables = (known.units, known.ordinal_suffixes, known.halves, known.suffixes, ("s", "%", "°"))
        return letters in known.units or any(lower in table for table in tables)

    def _coded(self, written: str) -> Word:
        """The word of a code; a v before a figure says version and is no part of it."""
        version = written[0] in "vV" and written[1:2].isdecimal()
        if version and written[1:].count(".") <= 1 and written[1:].replace(".", "").isdecimal():
            word = self._figure(written[1:])
            return Word(word.key, written, "", word.flags & ~flag.DATE, number=word.number, code="plain")
        key = normal_code(written[1:] if version else written)
        return Word(key, written, key, flag.CODE | flag.NAME, small=written.lower())

    def word(self, written: str) -> Word:
        """What is known of one word."""
        word = self._words.get(written)
        if word is None:
            word = self._look_up(written)
            word.small = written.lower().replace("\u2019", "'")
            word.flags |= flag.PHRASE * (word.small in self._marks)
            word.starts = self._phrases.get(word.small, NO_PHRASES)
            self._words[written] = word
        return word

    def instead(self, phrase: tuple[Word, ...], names: tuple[str, ...]) -> tuple[Word, ...]:
        """The words that a phrase is read as, shown as it was written."""
        parts = tuple([part.shown for part in phrase])
        words = self._instead.get(parts)
        if words is None:
            shown = " ".join(parts)
            words = tuple(
                _shown_as(self.word(name), shown if len(names) == 1 else name, phrase[0]) for name in names
            )
            if len(self._instead) >= _KEPT:
                self._instead.clear()
            self._instead[parts] = words
        return words

    def _look_up(self, written: str) -> Word:
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
            end = flag.BREAK | flag.SENTENCE if first in ".?!…" else flag.BREAK
            return Word(written, written, "", flag.JOIN if first in "&+" else end)
        return self._word(written, folded, lower)

    def _word(self, written: str, folded: str, lower: str) -> Word:
        known = self.tables
        flags = flag.CAPITAL if folded[0].isupper() and lower not in known.common else 0
        if known.nouns and lower not in known.capital and lower not in known.known:
            flags = 0  # where every noun has a capital, it makes no name
        base = lower
        if known.suffix and lower.endswith(known.suffix):
            base, flags = lower[: -len(known.suffix)], flags & ~flag.CAPITAL | flag.NEGATOR
        elif not known.elision and "'" in lower:
            base = lower.partition("'")[0] or lower
        elif known.elision and lower.endswith("'"):
            base = lower[:-1]
        for words, own in self._flags:
            if base in words or lower in words:
                flags |= own
        stem = self._name(folded, base) or self._stemmed(base)
        if (
            any(mark.isdigit() for mark in folded)
            or base in known.known
            or (base in known.aliases and self._name(folded, base))
            or (flags & flag.CAPITAL and base in known.capital)
        ):
            flags |= flag.NAME
        opposite = _NOTHING if flags & flag.NEGATOR else self._opposite(base, stem)
        levels = known.levels.get(base, ())
        units = known.units.get(folded) or known.units.get(base) or ()
        when = known.when.get(base, ()) if flags & flag.CAPITAL or base not in known.doubtful else ()
        number, code = self._number(base)
        flags |= flag.OPPOSITE * bool(opposite) | flag.UNIT * bool(units) | flag.DATE * bool(when)
        families = {family for family, _ in levels}
        flags |= flag.MODAL * bool(families - _FACT) | flag.DOUBT * (families > _FACT)
        flags |= flag.SIGN * (lower in known.minus or lower in known.below)
        flags |= flag.IMPLICIT * (stem in known.implicit or lower in known.implicit)
        flags |= flag.CONVERSE * (stem in known.converse or base in known.converse)
        flags |= flag.PERSON * (stem in known.persons or base in known.persons)
        flags |= flag.ADDITION * (base in known.additions)
        flags |= flag.RELATING * (stem in known.relating or lower in known.relating)
        flags |= flag.CAPITALS * (len(folded) > 1 and folded.isupper() and folded.isalpha())
        letter = len(folded) == 1 and folded.isupper() and folded not in "AI"
        flags |= flag.CODE * (letter or folded in known.sizes)
        flags |= flag.SYMMETRIC * (stem in known.symmetric) | flag.NUMBER * (number is not None)
        dated = base in known.when or base in known.halves
        flags |= flag.DATE * dated
        plain = number is None and not dated and not flags & flag.NEGATOR and base not in self._stops
        if base in self._stops and not flags & flag.NAME:
            flags &= ~flag.CAPITAL
        key = stem if base == lower or not flags & flag.NEGATOR else lower
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
                return Word(written.lower(), written, written.lower(), flag.NAME | flag.CODE)
        flags = (
            flag.NUMBER
            | flag.DATE * (code in ("date", "time", "decade") or len(digits) <= 4)
            | flag.UNIT * bool(units)
        )
        return Word(written.lower(), written, "", flags, frozenset(), number, units, (), (), code)

    def _negative(self, written: str) -> Word:
        """A figure below zero; a sign before anything else than an amount is a dash."""
        word = self._figure(written[1:])
        if word.code != "plain" or word.number is None:
            return word
        flags = word.flags & ~flag.DATE
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


def _shown_as(word: Word, shown: str, first: Word) -> Word:
    """A phrase's word, shown as it was written; a name stays one."""
    flags = (
        word.flags | first.flags & flag.CAPITAL if not word.flags & (flag.BREAK | flag.SENTENCE) else word.flags
    )
    flags |= flag.NAME if "_" in word.key and first.flags & flag.CAPITAL else 0
    more = word.opposite, word.number, word.units, word.when, word.levels, word.code, word.small
    return Word(word.key, shown, word.content, flags, *more)


@lru_cache(4_096)
def normal_code(written: str) -> str:
    """A code without what only groups it: letters close up, a hyphen stands between two figures.

    Example:
        >>> normal_code("WH-1000XM4"), normal_code("i5 9400"), normal_code("Bluetooth 5.0"), normal_code("VII")
        ('wh1000xm4', 'i5-9400', 'bluetooth5', '7')
    """
    if _ROMAN.fullmatch(written):
        return str(_roman_value(written))
    if _GRADE.fullmatch(written):
        return written.lower()
    found, last = "", ""
    for atom in _ATOM.findall(written.lower().lstrip("#")):
        figure = atom[0].isdigit()
        if figure and "." in atom and not _VERSION.fullmatch(atom):
            atom = re.sub(r"\.0$", "", atom)
        found += f"-{atom}" if figure and last[-1:].isdigit() else atom
        last = atom
    return found


def code_spans(chunk: str, measures: Callable[[str], bool]) -> list[tuple[int, int]]:
    """Where codes stand in what is written without a space, by their shape alone.

    `measures` says whether letters behind a figure make an amount of it, or a place in a row: kg, pm, th.

    Example:
        >>> known = {"kg", "th"}.__contains__
        >>> [len(code_spans(each, known)) for each in ("(MG-3650)", "5kg", "19th", "3.11.4", "two-way", "W32/L34")]
        [1, 0, 0, 1, 0, 2]
    """
    found = []
    for match in _TOKEN.finditer(chunk):
        start, token = match.start(), match.group()
        parts = token.split("/")
        if len(parts) > 1 and all(_has_code_shape(part, measures) for part in parts):
            for part in parts:
                found.append((start, start + len(part)))
                start += len(part) + 1
        elif _has_code_shape(token, measures):
            kept = token if _FILE.fullmatch(token.lower()) else _WORDS_AROUND.sub("", token)
            start += token.index(kept)
            found.append((start, start + len(kept)))
    return found


def _has_code_shape(token: str, measures: Callable[[str], bool]) -> bool:
    """Whether a token names something by its shape alone."""
    lower = token.lower()
    if len(token) > _LONGEST:
        return False
    if token.isalpha():
        return bool(_ROMAN.fullmatch(token))
    if _FILE.fullmatch(lower) or _GRADE.fullmatch(token) or _HEX.fullmatch(lower) or _MAIL.fullmatch(lower):
        return True
    if not any(map(str.isdigit, token)):
        return False
    if token[0] == "#":
        return True
    figure = _GLUED.fullmatch(token)
    if figure and (not figure[1] or measures(figure[1])):
        return bool(_VERSION.fullmatch(token)) and not _dated(token)
    parts = _SPLIT.split(token)
    if any(_mixed(part, measures) for part in parts):
        return True
    return any(
        (_letters(one) and other[:1].isdigit()) or (one.isdigit() and _letters(other) and not measures(other))
        for one, other in pairwise(parts)
    )


def _letters(part: str) -> bool:
    """Whether a part is of capitals only, and few."""
    return part.isalpha() and part.isupper() and len(part) <= _CAPITALS


def _mixed(part: str, measures: Callable[[str], bool]) -> bool:
    """Whether letters and figures are glued, and make no amount: D5300, 1000XM4, but not 16GB."""
    if part.isdigit() or not any(map(str.isdigit, part)):
        return False
    figure = _GLUED.fullmatch(part)
    return not (figure and measures(figure[1]))


def _dated(token: str) -> bool:
    """Whether three figures may be a day: 5.1.2021."""
    parts = token.split(".")
    return len(parts) == 3 and len(parts[0]) <= 2 and len(parts[1]) <= 2 and len(parts[2]) in (2, 4)


def _roman_value(roman: str) -> int:
    figures = [{"I": 1, "V": 5, "X": 10}[letter] for letter in roman]
    return sum(-x if x < y else x for x, y in zip(figures, [*figures[1:], 0], strict=True))
