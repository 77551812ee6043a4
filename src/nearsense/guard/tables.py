"""A language's data file into what one word is asked for. The only reader of languages/*.toml; knows no rule."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from importlib import resources
from itertools import permutations
from typing import Any
from unicodedata import normalize

from nearsense.guard.words import Kind, Unit, When

_OPPOSED = {
    "opposites": Kind.ANTONYM,
    "sides": Kind.SIDE,
    "places": Kind.PLACE,
    "ordinals": Kind.ORDINAL,
    "order": Kind.ORDER,
    "comparisons": Kind.COMPARISON,
    "colours": Kind.COLOUR,
}
"""Sections whose `pairs` are words that exclude each other, and what it is in which they differ."""

_FOLDER = "languages"
_BASE = "any"


@cache
def languages() -> tuple[str, ...]:
    """The codes that have a data file.

    Example:
        >>> languages()
        ('de', 'en', 'es', 'fr', 'it')
    """
    files = (file.name for file in resources.files("nearsense.guard").joinpath(_FOLDER).iterdir())
    return tuple(sorted(name[:-5] for name in files if name.endswith(".toml") and name != f"{_BASE}.toml"))


@cache
def tables_of(code: str) -> Tables:
    """The tables of a language, region or not; of one without a file, those that need none: figures, symbols."""
    code = code.lower().replace("_", "-").split("-")[0]
    base = _read(_BASE)
    data = _read(code) if code in languages() else base
    return Tables(data, base.get("units", {}))


def _read(name: str) -> dict[str, Any]:
    text = resources.files("nearsense.guard").joinpath(_FOLDER, f"{name}.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)


def stemmer(table: Mapping[str, Any]) -> Callable[[str], str]:
    r"""A function that stems lower-case words by the `[stems]` of a language.

    Example:
        >>> stem = stemmer({"least": 3, "steps": "s: \ned: ing:", "doubles": True, "irregular": "buy bought"})
        >>> stem("stopped"), stem("stops"), stem("bought")
        ('stop', 'stop', 'buy')
    """
    least, doubles = int(table.get("least", 3)), bool(table.get("doubles", False))
    steps = [
        [tuple(rule.split(":")) for rule in line.split()]
        for line in str(table.get("steps", "")).strip().splitlines()
    ]

    def regular(word: str) -> str:
        for step in steps:
            for ending, instead in step:
                if word.endswith(ending) and len(word) - len(ending) >= least:
                    word = word[: len(word) - len(ending)] + instead
                    break
        if doubles and len(word) > least and word[-1] == word[-2]:
            word = word[:-1]
        return word

    lemmas: dict[str, str] = {}
    for line in (str(table.get("irregular", "")) + "\n" + str(table.get("same", ""))).splitlines():
        lemma, *forms = line.split() or [""]
        stem = lemmas.get(lemma) or regular(lemma)
        for form in (lemma, *forms):
            lemmas.setdefault(form, stem)
            lemmas.setdefault(regular(form), stem)

    def stem_of(word: str) -> str:
        lemma = lemmas.get(word)
        if lemma is None:
            lemma = regular(word)
            lemma = lemmas.get(lemma, lemma)
        return lemma

    return stem_of


class Tables:
    """One language's file, ready to be asked; `signs` are the units that are written alike everywhere.

    Tables of inflected words are keyed by stem, the others by the word.
    """

    def __init__(self, data: dict[str, Any], signs: dict[str, str]) -> None:
        self.data = data
        self.decimal: str = self._one("language", "decimal", ".")
        self.dates: str = self._one("language", "dates", "dmy")
        self.elision: bool = bool(data.get("language", {}).get("elision", False))
        self.nouns: bool = bool(data.get("language", {}).get("nouns", False))
        self.stem = stemmer(data.get("stems", {}))
        self.grammar = {name: self._words("grammar", name) for name in data.get("grammar", {})}
        if self.elision:  # a word's key has no apostrophe at its end
            bare = {name: {word.rstrip("'") for word in words} for name, words in self.grammar.items()}
            self.grammar = {name: words | bare[name] for name, words in self.grammar.items()}
        self.roles = self.grammar.get("roles", frozenset())
        self.agent = self.grammar.get("agent", frozenset())
        self.persons = self.grammar.get("persons", frozenset())
        self.turning = self.roles | self.agent
        self.symmetric = self._stems("grammar", "symmetric")
        self.negators = self._words("negation", "negators")
        self.suffix: str = self._one("negation", "suffix", "")
        self.double = bool(data.get("negation", {}).get("double", False))
        self.implicit = self._forms("negation", "implicit")
        self.prefixes = tuple(self._one("opposites", "prefixes", "").split())
        self.suffixes_turning = tuple(self._one("opposites", "suffixes", "").split())
        self.unprefixed = self._stems("opposites", "unprefixed")
        self.compare = tuple(self._one("opposites", "compare", "").split())
        self.converse = self._forms("opposites", "converse")
        self.opposites = self._opposites()
        self.colours = frozenset(word for word, _ in self.kinds if self.kinds[word, _] is Kind.COLOUR)
        self.numbers = self._values("words")
        self.scales = self._values("scales")
        self.ordinals = self._values("ordinals")
        self.suffixes = self._values("suffixes")
        self.fractions = self._words("numbers", "fractions")
        self.ordinal_suffixes = self._words("numbers", "ordinal_suffixes")
        self.weak = self._words("numbers", "weak")
        self.minus, self.below = self._words("numbers", "minus"), self._words("numbers", "below")
        self.ranges = self._words("numbers", "ranges")
        self.number_joins = self._words("numbers", "joins")
        self.versions = self._words("numbers", "versions")
        self.units = self._units(signs.get("lines", ""))
        self.bound = self._words("units", "bound") | frozenset(signs.get("bound", "").split())
        self.between = self._words("units", "between")
        self.compound = {tuple(words[:-1]): words[-1] for words in self._rows("units", "compound")}
        self.when = self._when()
        self.doubtful = self._words("dates", "doubtful")
        self.halves = {
            word: int(hours) for word, hours in (half.rsplit(":", 1) for half in self._words("dates", "halves"))
        }
        self.clock = {word: int(minutes) for word, minutes in self._rows("dates", "clock")}
        self.at, self.since = self._words("dates", "at"), self._words("dates", "since")
        self.until = self._words("dates", "until")
        self.past, self.to = self._words("dates", "past"), self._words("dates", "to")
        self.past_or_to = self.past | self.to
        self.hour = self._words("dates", "hour")
        self.date_joins, self.monthly = self._words("dates", "joins"), self._words("dates", "monthly")
        self.labels = self._words("codes", "labels") | self.versions
        self.additions = self._words("codes", "additions")
        self.sizes = {word: row[0] for row in self._rows("codes", "sizes") for word in row}
        self.levels = self._levels()
        self.limits = {word for word, levels in self.levels.items() if ("much", "only") in levels}
        self.asking, self.loose = self._words("modality", "asking"), self._words("modality", "loose")
        self.places_before, self.places = self._words("places", "before"), self._forms("places", "names")
        self.titles = self._words("names", "titles")
        self.common = self._words("names", "common")
        self.known = self._words("names", "known")
        self.capital = self._words("names", "capital")
        self.aliases = {word: row[0] for row in self._rows("names", "same") for word in row}
        self.than = self.grammar.get("than", frozenset())
        self.more, self.less = self._words("comparisons", "more"), self._words("comparisons", "less")
        self.equal = {tuple(pair.split(":")) for pair in self._words("comparisons", "equal")}
        self.bases = {word: self.stem(row[0]) for row in self._rows("comparisons", "irregular") for word in row}
        self.compared = self.bases.keys()
        self.comparing = self.than | {closing for _, closing in self.equal}
        self.relations = self._relations()
        self.conditions = self._conditions()
        self.exchanges, self.moves = self._forms("dialogue", "exchanges"), self._forms("dialogue", "moves")
        self.asker, self.asked = self._words("dialogue", "asker"), self._words("dialogue", "asked")
        self.open, self.anyone = self._words("dialogue", "open"), self._words("dialogue", "anyone")
        self.toward = self._words("dialogue", "toward")
        self.inverted = bool(data.get("dialogue", {}).get("inverted", False))
        self.everywhere = self._words("phrases", "everywhere")
        self.phrases = list(self._phrases())
        self.relating = self._relating()

    def _one(self, section: str, name: str, default: str) -> str:
        return str(self.data.get(section, {}).get(name, default))

    def _words(self, section: str, name: str) -> frozenset[str]:
        return frozenset(self._one(section, name, "").split())

    def _stems(self, section: str, name: str) -> frozenset[str]:
        return frozenset(map(self.stem, self._words(section, name)))

    def _forms(self, section: str, name: str) -> frozenset[str]:
        """Words and their stems."""
        return self._stems(section, name) | self._words(section, name)

    def _rows(self, section: str, name: str) -> list[list[str]]:
        return [line.split() for line in self._one(section, name, "").splitlines() if line.strip()]

    def _values(self, name: str) -> dict[str, float]:
        return {word: float(value) for word, value in self._rows("numbers", name)}

    def _opposites(self) -> dict[str, frozenset[str]]:
        """Word → what it excludes, of every section; fills `kinds`. A line has two sides, or more."""
        found: dict[str, set[str]] = {}
        self.kinds: dict[tuple[str, str], Kind] = {}
        for section, kind in _OPPOSED.items():
            for line in self._one(section, "pairs", "").splitlines():
                sides = [set(map(self.stem, side.split())) for side in line.split("|")]
                for here, there in permutations(sides, 2):
                    for word in here:
                        found.setdefault(word, set()).update(there - {word})
                        self.kinds.update(((word, other), kind) for other in there)
        return {word: frozenset(others) for word, others in found.items()}

    def _units(self, signs: str) -> dict[str, tuple[Unit, ...]]:
        found: dict[str, tuple[Unit, ...]] = {}
        for line in (signs + self._one("units", "lines", "")).splitlines():
            measure, _, names = line.partition(" : ")
            for name in {*names.split(), *normalize("NFKC", names).split()}:  # the sign of micro, and the letter
                dimension, factor, *offset = measure.split()
                unit = Unit(dimension, float(factor), float(offset[0]) if offset else 0.0)
                if unit not in found.get(name, ()):
                    found[name] = (*found.get(name, ()), unit)
        return found

    def _when(self) -> dict[str, When]:
        found: dict[str, When] = {}
        for component, name, first in (("month", "months", 1), ("weekday", "weekdays", 0)):
            for value, row in enumerate(self._rows("dates", name), first):
                found.update(dict.fromkeys(row, ((component, value),)))
        for component, name in (("part", "parts"), ("relative", "relative"), ("season", "seasons")):
            for row in self._rows("dates", name):
                for word in row[1:]:
                    found[word] = ((component, row[0].rstrip(":")),)
        for word, minutes in self._rows("dates", "clock"):
            found[word] = (("time", int(minutes)),)
        return found

    def _levels(self) -> dict[str, tuple[tuple[str, str], ...]]:
        found: dict[str, tuple[tuple[str, str], ...]] = {}
        for line in self._one("modality", "levels", "").splitlines():
            family_level, _, words = line.partition(":")
            for word in words.split():
                family, level = family_level.split()
                found[word] = (*found.get(word, ()), (family, level))
        return found

    def _relations(self) -> dict[str, tuple[Kind, str]]:
        """Word → what it relates, and in which order its parts stand."""
        found: dict[str, tuple[Kind, str]] = {}
        for line in self._one("relations", "lines", "").splitlines():
            kind_shape, _, words = line.partition(":")
            for word in words.split():
                kind, shape = kind_shape.split()
                found[word] = found[self.stem(word)] = Kind(kind), shape
        return found

    def _conditions(self) -> dict[str, str]:
        lines = (line.partition(":") for line in self._one("conditions", "lines", "").splitlines())
        return {word: name.strip() for name, _, words in lines for word in words.split()}

    def _relating(self) -> frozenset[str]:
        """The keys one of which a text has that relates two parts, phrases not yet joined."""
        found = set(self.relations) | {self.stem(word) for word in self.comparing | self.conditions.keys()}
        for left, right in self.phrases:
            if not found.isdisjoint(map(self.stem, right.split())):
                marks = [part for part in left.split() if part not in self.everywhere]
                found.update(map(self.stem, [max(reversed(marks), key=len)] if marks else ()))
        return frozenset(found | self.comparing | self.conditions.keys())

    def _phrases(self) -> Iterator[tuple[str, str]]:
        lines = self._one("phrases", "lines", "") + "\n" + self._one("phrases", "idioms", "")
        for line in lines.splitlines():
            left, middle, right = line.partition(" =")
            if middle:
                yield left.strip(), right.strip()
