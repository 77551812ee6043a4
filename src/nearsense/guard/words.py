"""What the guard's files hand on: the kinds of differences, and a word with the tables it stands in. No rule."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

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

AMOUNT = NUMBER | UNIT | DATE
NAMED = CAPITAL | NAME
CODED = CODE | ADDITION

When: TypeAlias = tuple[tuple[str, int | str], ...]
Starts: TypeAlias = dict[str, list[tuple[tuple[str, ...], tuple[str, ...]]]]
NO_PHRASES: Starts = {}


class Kind(StrEnum):
    """In what two texts that look alike can differ."""

    NEGATION = "negation"  # one says not, never, without, where the other does not
    NUMBER = "number"  # another amount, count or share
    UNIT = "unit"  # the same figure of something else: mg and g, dollars and euros, daily and weekly
    DATE = "date"  # another day, month, year, weekday, time of day
    ANTONYM = "antonym"  # a word and its opposite, of no finer kind
    ROLES = "roles"  # the same words with their parts exchanged: from A to B, from B to A
    NAME = "name"  # another person, product, company
    MODALITY = "modality"  # another strength: must and may, all and some, always and sometimes
    CODE = "code"  # another model, version, size, part, room, error: what letters and digits name and do not count
    COLOUR = "colour"  # another colour
    ORDINAL = "ordinal"  # another place in a row: second and third, first and last
    SIDE = "side"  # the other side of a thing: left and right, front and rear, upper and lower
    PLACE = "place"  # another place: in Rome and in Milan, under and on, north and south
    ORDER = "order"  # the same events one after the other, the other way round
    CAUSE = "cause"  # cause and effect exchanged
    CONDITION = "condition"  # another condition: if and unless, only if and even if
    COMPARISON = "comparison"  # more for less: at least and at most, A bigger than B and B bigger than A
    SIGN = "sign"  # another sign: an arrow, stars, less for greater, a face. The guard never says this of itself
    UNREAD = "unread"  # what the model does not read, or as another word. The guard never says this of itself


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing in which two texts differ.

    Args:
        kind: Which kind of thing.
        left: The words of the first text; empty where only the second has any.
        right: The words of the second text; empty where only the first has any.

    Example:
        >>> print(Difference(Kind.NUMBER, "15", "51"))
        number: 15 → 51
        >>> print(Difference(Kind.NEGATION, "", "not"))
        negation: not
    """

    kind: Kind
    left: str
    right: str

    def __str__(self) -> str:
        return f"{self.kind}: {' → '.join(side for side in (self.left, self.right) if side)}"


@dataclass(frozen=True, slots=True)
class Unit:
    """What one word measures: value · factor in the base of its dimension, after the offset."""

    dimension: str
    factor: float
    offset: float


class Word(str):
    """All that the tables know of one word; made once per distinct word and kept. As a string it is its key."""

    __slots__ = (
        "code", "content", "flags", "key", "levels", "number", "opposite", "shown", "small", "starts", "units",
        "when",
    )  # fmt: skip

    key: str  # what stands for it and its inflections: words with one key are equal
    shown: str  # as written
    content: str  # the key where it carries content of its own, else ""
    flags: int
    opposite: frozenset[str]  # keys of its opposites
    number: float | None  # its value, where it is one
    units: tuple[Unit, ...]
    when: When  # (component, value) where it is part of a date
    levels: tuple[tuple[str, str], ...]  # (family, level) where it says how strongly
    code: str  # how a number was written, where that matters: scale, ordinal, fraction, weak, version, time, date
    small: str  # as written, in small letters
    starts: Starts  # {second word: phrases that begin so}

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
        starts: Starts = NO_PHRASES,
    ) -> Word:
        """One word; what is left out it is not."""
        word = super().__new__(cls, key)
        word.key, word.shown, word.content, word.flags, word.opposite = key, shown, content, flags, opposite
        word.number, word.units, word.when, word.levels, word.code = number, units, when, levels, code
        word.small, word.starts = small, starts
        return word
