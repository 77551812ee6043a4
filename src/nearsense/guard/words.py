"""What is known of one word: its stem and the tables it stands in. Not of its neighbours: that is reader.py."""

from __future__ import annotations

from dataclasses import dataclass, field

__all__ = [
    "AUXILIARY",
    "BEING",
    "BREAK",
    "CAPITAL",
    "CONVERSE",
    "DATE",
    "DETERMINER",
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
    "SENTENCE",
    "SYMMETRIC",
    "UNIT",
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


@dataclass(frozen=True, slots=True)
class Unit:
    """What one word measures: value · factor in the base of its dimension, after the offset."""

    dimension: str
    factor: float
    offset: float


@dataclass(slots=True, eq=False)
class Word:
    """All that the tables know of one word; made once per distinct word and kept.

    Args:
        key: What stands for it and its inflections.
        shown: As written.
        content: The key where it carries content of its own, else "".
        flags: The tables it stands in, as bits.
        opposite: Keys of its opposites.
        number: Its value, where it is one.
        units: What it may measure.
        when: (component, value) where it is part of a date.
        levels: {family: level} where it says how strongly.
        lower: As written, in small letters.
        starts: {second word: phrases that begin so}.
        code: How a number was written, where that matters: scale, ordinal, fraction, weak, version, time, date.
    """

    key: str
    shown: str
    content: str = ""
    flags: int = 0
    opposite: frozenset[str] = frozenset()
    number: float | None = None
    units: tuple[Unit, ...] = ()
    when: tuple[tuple[str, int | str], ...] = ()
    levels: tuple[tuple[str, str], ...] = ()
    code: str = ""
    lower: str = ""
    starts: dict[str, list[tuple[tuple[str, ...], tuple[str, ...]]]] = field(default_factory=dict)
