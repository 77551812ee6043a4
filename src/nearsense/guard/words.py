"""What is known of one word: its stem and the tables it stands in. Not of its neighbours: that is reader.py."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

__all__ = [
    "ADDITION",
    "AUXILIARY",
    "BEING",
    "BREAK",
    "CAPITAL",
    "CAPITALS",
    "CODE",
    "CONVERSE",
    "DATE",
    "DETERMINER",
    "DOUBT",
    "IMPLICIT",
    "JOIN",
    "MODAL",
    "NAME",
    "NEGATOR",
    "NUMBER",
    "OPPOSITE",
    "PERSON",
    "PHRASE",
    "PREPOSITION",
    "RELATING",
    "SENTENCE",
    "SIGN",
    "SYMMETRIC",
    "UNIT",
    "Starts",
    "Unit",
    "Word",
]

# The tables that a word stands in, as bits of `Word.flags`. PHRASE: the longest word of a phrase.
NEGATOR = 1 << 0
IMPLICIT = 1 << 1
NUMBER = 1 << 2
UNIT = 1 << 3
DATE = 1 << 4
MODAL = 1 << 5
NAME = 1 << 6
CAPITAL = 1 << 7
OPPOSITE = 1 << 8
CONVERSE = 1 << 9
BREAK = 1 << 10
SENTENCE = 1 << 11
PHRASE = 1 << 12
PREPOSITION = 1 << 13
DETERMINER = 1 << 14
AUXILIARY = 1 << 15
BEING = 1 << 16
JOIN = 1 << 17
SYMMETRIC = 1 << 18
PERSON = 1 << 19
SIGN = 1 << 20
DOUBT = 1 << 21
CODE = 1 << 22
CAPITALS = 1 << 23
ADDITION = 1 << 24
RELATING = 1 << 25

When: TypeAlias = tuple[tuple[str, int | str], ...]
Starts: TypeAlias = dict[str, list[tuple[tuple[str, ...], tuple[str, ...]]]]
_NONE: Starts = {}


@dataclass(frozen=True, slots=True)
class Unit:
    """What one word measures: value · factor in the base of its dimension, after the offset."""

    dimension: str
    factor: float
    offset: float


class Word(str):
    """All that the tables know of one word; made once per distinct word and kept. As a string it is its key.

    Args:
        key: What stands for it and its inflections: words with one key are equal.
        shown: As written.
        content: The key where it carries content of its own, else "".
        flags: The tables it stands in, as bits.
        opposite: Keys of its opposites.
        number: Its value, where it is one.
        units: What it may measure.
        when: (component, value) where it is part of a date.
        levels: {family: level} where it says how strongly.
        code: How a number was written, where that matters: scale, ordinal, fraction, weak, version, time, date.
        small: As written, in small letters.
        starts: {second word: phrases that begin so}.
    """

    __slots__ = (
        "code",
        "content",
        "flags",
        "key",
        "levels",
        "number",
        "opposite",
        "shown",
        "small",
        "starts",
        "units",
        "when",
    )

    def __new__(
        cls,
        key: str,
        shown: str,
        content: str = "",
        flags: int = 0,
        opposite: frozenset[str] = frozenset(),
        number: float | None = None,
        units: tuple[Unit, ...] = (),
        when: When = (),
        levels: tuple[tuple[str, str], ...] = (),
        code: str = "",
        small: str = "",
        starts: Starts = _NONE,
    ) -> Word:
        """One word; what is left out it is not."""
        word = super().__new__(cls, key)
        word.key, word.shown, word.content, word.flags, word.opposite = key, shown, content, flags, opposite
        word.number, word.units, word.when, word.levels, word.code = number, units, when, levels, code
        word.small, word.starts = small, starts
        return word

    key: str
    shown: str
    content: str
    flags: int
    opposite: frozenset[str]
    number: float | None
    units: tuple[Unit, ...]
    when: When
    levels: tuple[tuple[str, str], ...]
    code: str
    small: str
    starts: Starts
