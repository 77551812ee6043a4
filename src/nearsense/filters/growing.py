"""Metadata of the documents that came last, in columns that grow. Not for millions of rows: see columns.py.

A field is a list of pairs (row, code), a code being the place of a value among the field's distinct values in the
order they came. A filter is asked of each distinct value once; the answer goes to the rows by their codes.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Mapping
from itertools import repeat
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from nearsense.errors import InputError
from nearsense.filters.where import (
    COMPARE,
    Every,
    Exists,
    Filter,
    Fixed,
    Key,
    Leaf,
    Not,
    OneOf,
    Some,
    Where,
    Within,
    parse,
    values_of,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Mask: TypeAlias = NDArray[np.bool_]


EXACT = 2**53
"""Integers up to here, of either sign, are float64 without loss."""


def fits_float64(number: int | float) -> bool:
    """Whether a number is known to be the same as float64."""
    return isinstance(number, float) or -EXACT <= number <= EXACT


class _Ordered:
    """The distinct values of one type that has an order, with their codes."""

    def __init__(self) -> None:
        self.keys: list[Any] = []
        self._codes = array("I")

    def add(self, key: Any, code: int) -> None:
        """One more."""
        self.keys.append(key)
        self._codes.append(code)

    def within(self, bounds: tuple[tuple[str, Key], ...]) -> NDArray[np.uint32]:
        """The codes of those within all bounds."""
        codes = np.frombuffer(self._codes.tobytes(), self._codes.typecode)  # a copy: a view would stop the writer
        inside = np.ones(codes.size, bool)
        for op, bound in bounds:
            inside &= self._compared(op, bound, codes.size)
        return codes[inside]

    def _compared(self, op: str, bound: Any, count: int) -> Mask:
        return np.fromiter(map(COMPARE[op], self.keys, repeat(bound)), bool, count)


class _Numbers(_Ordered):
    """Numbers, compared as float64 where that is exact."""

    def __init__(self) -> None:
        super().__init__()
        self._floats, self._large = array("d"), list[int]()

    def add(self, key: Any, code: int) -> None:
        """One more."""
        if fits_float64(key):
            self._floats.append(key)
        else:
            self._floats.append(np.nan)
            self._large.append(len(self.keys))
        super().add(key, code)

    def _compared(self, op: str, bound: Any, count: int) -> Mask:
        if not fits_float64(bound) or len(self._large) * 4 > count:
            return super()._compared(op, bound, count)
        inside: Mask = COMPARE[op](np.frombuffer(self._floats.tobytes())[:count], float(bound))
        for i in self._large:
            if i < count:
                inside[i] = COMPARE[op](self.keys[i], bound)
        return inside


class GrowingField:
    """One field: its distinct values, and which row has which. Written by one thread, read by any."""

    def __init__(self) -> None:
        self.codes: dict[Key, int] = {}
        self.numbers, self.strings = _Numbers(), _Ordered()
        self._rows, self._row_codes = np.empty(8, np.uint32), np.empty(8, np.uint32)
        self.pairs = self._rows[:0], self._row_codes[:0]
        """Rows, ascending, and the code that each has: uint32, a pair for each value. Replaced, never changed."""

    def append(self, rows: list[int], keys: list[Key]) -> None:
        """More pairs, of rows that come after all others."""
        # What readers find must be whole: the values are there before the first pair that speaks of them.
        codes, old = [self._code(key) for key in keys], self.pairs[0].size
        size = old + len(rows)
        if size > self._rows.size:
            self._rows, self._row_codes = (_larger(array, old, size) for array in (self._rows, self._row_codes))
        self._rows[old:size], self._row_codes[old:size] = rows, codes
        self.pairs = self._rows[:size], self._row_codes[:size]

    def _code(self, key: Key) -> int:
        code = self.codes.get(key)
        if code is None:
            code = self.codes[key] = len(self.codes)
            if isinstance(key, str):
                self.strings.add(key, code)
            elif not isinstance(key, Fixed):
                self.numbers.add(key, code)
        return code

    def mask(self, leaf: Leaf, n: int) -> Mask:
        """Which of the first n rows a condition accepts."""
        rows, codes = self.pairs
        stop = np.searchsorted(rows, np.uint32(n))
        accepted = self._accepted(leaf)[codes[:stop]]
        mask = np.zeros(n, bool)
        mask[rows[:stop][accepted]] = True
        return mask

    def _accepted(self, leaf: Leaf) -> Mask:
        """For each code, whether its value is accepted."""
        match leaf:
            case Exists():
                return np.ones(len(self.codes), bool)
            case OneOf():
                found = [self.codes[key] for key in leaf.values if key in self.codes]
                codes: NDArray[np.integer[Any]] = np.array(found, np.intp)
            case Within():
                ordered = self.strings if isinstance(leaf.bounds[0][1], str) else self.numbers
                codes = ordered.within(leaf.bounds)
        accepted = np.zeros(len(self.codes), bool)
        accepted[codes] = True
        return accepted


class GrowingColumns:
    """The metadata of rows that are only ever added to. Readers and one writer may work at the same time."""

    def __init__(self) -> None:
        self._fields: dict[str, GrowingField] = {}
        self._count = 0

    def __len__(self) -> int:
        return self._count

    @property
    def fields(self) -> tuple[str, ...]:
        """The dotted names of all fields, sorted."""
        return tuple(sorted(self._fields))

    def field(self, name: str) -> GrowingField:
        """One of the fields."""
        return self._fields[name]

    def extend(self, metadatas: Iterable[Mapping[str, Any]]) -> None:
        """Add rows: all of them, or none where one cannot be read."""
        added: dict[str, tuple[list[int], list[Key]]] = {}
        count = self._count
        for metadata in metadatas:
            for name, key in values_of(metadata):
                if name not in added:
                    added[name] = [], []
                rows, keys = added[name]
                rows.append(count)
                keys.append(key)
            count += 1
        for name, (rows, keys) in added.items():
            field = self._fields.get(name) or GrowingField()
            field.append(rows, keys)
            self._fields[name] = field
        self._count = count

    def mask(self, where: Where, n: int | None = None) -> Mask:
        """Which rows a filter lets pass."""
        wanted = self._count if n is None else n
        if not 0 <= wanted <= self._count:
            raise InputError(f"n={wanted}: there are {self._count} rows")

        def leaf(condition: Leaf) -> Mask:
            field = self._fields.get(condition.field)
            return np.zeros(wanted, bool) if field is None else field.mask(condition, wanted)

        return combined(parse(where), wanted, leaf)


def combined(node: Filter, n: int, leaf: Callable[[Leaf], Mask]) -> Mask:
    """The mask of a filter from the masks of its conditions, which are used up."""
    match node:
        case Every():
            mask = np.ones(n, bool)
            for part in node.parts:
                mask &= combined(part, n, leaf)
            return mask
        case Some():
            mask = np.zeros(n, bool)
            for part in node.parts:
                mask |= combined(part, n, leaf)
            return mask
        case Not():
            mask = combined(node.part, n, leaf)
            return np.logical_not(mask, out=mask)
        case _:
            return leaf(node)


def _larger(array: NDArray[np.uint32], used: int, size: int) -> NDArray[np.uint32]:
    grown = np.empty(max(size, 2 * array.size), np.uint32)
    grown[:used] = array[:used]
    return grown
