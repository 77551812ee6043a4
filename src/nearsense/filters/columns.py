"""The metadata of one generation in columns that open from files at once and never change. Not a place to add to.

A field's distinct values are sorted: numbers, strings by code point, then false, true, null. A row holds the place
of its value in that order, from 1; 0 where it has none. So a condition is a few ranges of codes, found by binary
search in the file, and the rows are asked by comparing small integers. A field with several values in a row, tags
say, lies in several layers: the first values, the second, and so on; a layer with few rows is a list of pairs.

Two arrays hold everything: `data`, all columns end to end, and `manifest`, JSON that says what lies where.
"""

from __future__ import annotations

import json
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from nearsense.errors import InputError
from nearsense.filters.growing import GrowingColumns, GrowingField, combined, fits_float64
from nearsense.filters.where import Exists, Fixed, Key, Leaf, OneOf, Where, parse

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Mask: TypeAlias = NDArray[np.bool_]
    Place: TypeAlias = tuple[int, int, str]


FORM = 1
"""Of the two arrays; another number is refused."""
BATCH = 65_536
ALIGNED = 64
SPARSE = 8
"""A layer that less than one row in so many has is kept as pairs."""
FEW = 12
"""Ranges times bytes of a code: up to here they are compared one by one; beyond, looked up in a table."""


class Columns:
    """The metadata of n rows: `build` makes them, `arrays` and `from_arrays` take them through files."""

    def __init__(self, manifest: NDArray[np.uint8], data: NDArray[np.uint8]) -> None:
        self._manifest, self._data = np.asarray(manifest), np.asarray(data)
        said = json.loads(self._manifest.tobytes())
        if said["form"] != FORM:
            raise InputError(f"the columns are of form {said['form']}", why=f"this version reads form {FORM}")
        self._n: int = said["rows"]
        self._said: dict[str, dict[str, Any]] = said["fields"]
        self._fields: dict[str, _Field] = {}

    @classmethod
    def build(cls, metadatas: Iterable[Mapping[str, Any]]) -> Columns:
        """Make columns."""
        growing, source = GrowingColumns(), iter(metadatas)
        while batch := list(islice(source, BATCH)):
            growing.extend(batch)
        return cls.of(growing)

    @classmethod
    def of(cls, growing: GrowingColumns) -> Columns:
        """Make columns of all that growing columns hold."""
        packer, n = _Packer(), len(growing)
        fields = {name: _written(growing.field(name), n, packer) for name in growing.fields}
        manifest = json.dumps({"form": FORM, "rows": n, "fields": fields}, separators=(",", ":")).encode()
        return cls(np.frombuffer(manifest, np.uint8), packer.packed())

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> Columns:
        """Open what `arrays` gave; memory maps are not read until a filter asks."""
        missing = [name for name in ("manifest", "data") if name not in arrays]
        if missing:
            raise InputError(f"the columns lack {' and '.join(missing)}", fix="give all that arrays() gave")
        return cls(arrays["manifest"], arrays["data"])

    def arrays(self) -> dict[str, NDArray[np.uint8]]:
        """All there is, as two uint8 arrays: "manifest" and "data"."""
        return {"manifest": self._manifest, "data": self._data}

    def __len__(self) -> int:
        return self._n

    @property
    def fields(self) -> tuple[str, ...]:
        """The dotted names of all fields, sorted."""
        return tuple(self._said)

    @property
    def counts(self) -> dict[str, int]:
        """How many rows have each field."""
        return {name: said["count"] for name, said in self._said.items()}

    def mask(self, where: Where) -> Mask:
        """Which rows a filter lets pass."""
        return combined(parse(where), self._n, self._leaf)

    def _leaf(self, leaf: Leaf) -> Mask:
        name = leaf.field
        if name not in self._said:
            return np.zeros(self._n, bool)
        if name not in self._fields:
            self._fields[name] = _Field(self._said[name], self._n, self._view)
        return self._fields[name].mask(leaf)

    def _view(self, place: Place) -> NDArray[Any]:
        start, size, dtype = place
        return self._data[start : start + size * np.dtype(dtype).itemsize].view(dtype)


class _Field:
    """One field of a generation."""

    def __init__(self, said: Mapping[str, Any], n: int, view: Callable[[Place], NDArray[Any]]) -> None:
        self._n = n
        self._layers = [view(place) for place in said["layers"]]
        self._rows, self._codes = view(said["rows"]), view(said["codes"])
        self._dictionary = _Dictionary(said, view)

    def mask(self, leaf: Leaf) -> Mask:
        """Which rows a condition accepts."""
        ranges = self._dictionary.ranges(leaf)
        mask = np.zeros(self._n, bool)
        if not ranges:
            return mask
        layers = self._layers[:1] if isinstance(leaf, Exists) else self._layers
        for i, codes in enumerate(layers):
            inside = _inside(codes, ranges, self._dictionary.size)
            mask = inside if i == 0 else np.logical_or(mask, inside, out=mask)
        mask[self._rows[_inside(self._codes, ranges, self._dictionary.size)]] = True
        return mask


class _Dictionary:
    """A field's distinct values, sorted; read from the file one by one, as a search needs them."""

    def __init__(self, said: Mapping[str, Any], view: Callable[[Place], NDArray[Any]]) -> None:
        self._numbers = view(said["numbers"])
        self._large_at, self._large = view(said["large_at"]), _Strings(said["large"], view)
        self._strings = _Strings(said["strings"], view)
        self._fixed = [Fixed[name] for name in said["fixed"]]
        self._first_string = 1 + self._numbers.size
        self._first_fixed = self._first_string + len(self._strings)
        self.size = self._first_fixed + len(self._fixed)
        """One more than the last code."""

    def ranges(self, leaf: Leaf) -> list[tuple[int, int]]:
        """The codes that a condition accepts: from, up to but without; ascending, apart from each other."""
        if isinstance(leaf, Exists):
            return [(1, self.size)]
        if isinstance(leaf, OneOf):
            return _joined(sorted(code for code in map(self._code, leaf.values) if code))
        text = isinstance(leaf.bounds[0][1], str)
        start, stop = (self._first_string, self._first_fixed) if text else (1, self._first_string)
        for op, bound in leaf.bounds:
            place = self._place(bound, after=op in ("<=", ">"))
            start, stop = (max(start, place), stop) if op.startswith(">") else (start, min(stop, place))
        return [(start, stop)] if start < stop else []

    def _code(self, key: Key) -> int:
        """The code of a value; 0 where no row has it."""
        if isinstance(key, Fixed):
            return self._first_fixed + self._fixed.index(key) if key in self._fixed else 0
        place = self._place(key)
        if isinstance(key, str):
            at = place - self._first_string
            return place if at < len(self._strings) and self._strings[at] == _encoded(key) else 0
        return place if place < self._first_string and self._number(place - 1) == key else 0

    def _place(self, key: Key, *, after: bool = False) -> int:
        """The code of the first value that is not below the key; `after`: of the first one above it."""
        search: Callable[..., int] = bisect_right if after else bisect_left
        if isinstance(key, str):
            strings = self._strings
            return self._first_string + search(range(len(strings)), _encoded(key), key=strings.__getitem__)
        return 1 + search(range(self._numbers.size), key, key=self._number)

    def _number(self, i: int) -> int | float:
        number: float = self._numbers.item(i)
        return number if number == number else int(self._large[bisect_left(self._large_at, i)], 16)


class _Strings:
    """Many byte strings end to end."""

    def __init__(self, places: Sequence[Place], view: Callable[[Place], NDArray[Any]]) -> None:
        self._ends, self._bytes = map(view, places)

    def __len__(self) -> int:
        return int(self._ends.size)

    def __getitem__(self, i: int) -> bytes:
        return self._bytes[self._ends.item(i - 1) if i else 0 : self._ends.item(i)].tobytes()


class _Packer:
    """Lays arrays end to end, each at an address that every type can be read from."""

    def __init__(self) -> None:
        self._parts: list[NDArray[np.uint8]] = [np.zeros(ALIGNED, np.uint8)]
        self._size = ALIGNED

    def add(self, array: NDArray[Any]) -> Place:
        """Where it went, how many items, and of which type."""
        array = np.ascontiguousarray(array, array.dtype.newbyteorder("<"))
        start, filled = self._size, -array.nbytes % ALIGNED
        self._parts += [array.view(np.uint8), np.zeros(filled, np.uint8)]
        self._size += array.nbytes + filled
        return start, array.size, array.dtype.str

    def add_strings(self, strings: list[bytes]) -> tuple[Place, Place]:
        """Where the ends and the bytes went."""
        ends = np.cumsum(np.fromiter(map(len, strings), np.uint64, len(strings)))
        whole = np.frombuffer(b"".join(strings), np.uint8)
        return self.add(ends.astype(np.min_scalar_type(whole.size))), self.add(whole)

    def packed(self) -> NDArray[np.uint8]:
        """All of them."""
        return np.concatenate(self._parts)


def _written(field: GrowingField, n: int, packer: _Packer) -> dict[str, Any]:
    """Pack one field; what the manifest says of it."""
    rows, old_codes = field.pairs
    numbers, strings = sorted(field.numbers.keys), sorted(field.strings.keys)
    fixed = [key for key in Fixed if key in field.codes]
    ordered: list[Key] = [*numbers, *strings, *fixed]
    small = np.min_scalar_type(len(ordered))
    new_codes = np.empty(len(ordered), small)
    new_codes[np.fromiter(map(field.codes.__getitem__, ordered), np.intp, len(ordered))] = np.arange(
        1, len(ordered) + 1
    )
    codes = new_codes[old_codes]
    large = [i for i, key in enumerate(numbers) if not fits_float64(key)]  # kept as text, whole
    floats = np.array([key if fits_float64(key) else np.nan for key in numbers], np.float64)
    nth = _nth_of_its_row(rows)
    per_layer = np.bincount(nth)
    dense = int(np.sum(per_layer * SPARSE >= n))
    layers = [np.zeros(n, small) for _ in range(dense)]
    for i, layer in enumerate(layers):
        layer[rows[nth == i]] = codes[nth == i]
    rest = nth >= dense
    return {
        "count": int(per_layer[0]),
        "layers": [packer.add(layer) for layer in layers],
        "rows": packer.add(rows[rest]),
        "codes": packer.add(codes[rest]),
        "numbers": packer.add(floats),
        "large_at": packer.add(np.array(large, np.uint32)),
        "large": packer.add_strings([format(numbers[i], "x").encode() for i in large]),
        "strings": packer.add_strings(list(map(_encoded, strings))),
        "fixed": [key.name for key in fixed],
    }


def _nth_of_its_row(rows: NDArray[np.uint32]) -> NDArray[np.int64]:
    """For each pair how many pairs before it are of the same row. The rows ascend."""
    places = np.arange(rows.size)
    begins = np.diff(rows, prepend=-1).astype(bool)
    return places - np.maximum.accumulate(np.where(begins, places, 0))


def _inside(codes: NDArray[Any], ranges: list[tuple[int, int]], size: int) -> Mask:
    """Which codes lie in one of the ranges, all below `size`."""
    if len(ranges) * codes.itemsize > FEW:
        return _looked_up(codes, ranges, size)
    mask = _between(codes, *ranges[0])
    for start, stop in ranges[1:]:
        mask |= _between(codes, start, stop)
    return mask


def _between(codes: NDArray[Any], start: int, stop: int) -> Mask:
    kind = codes.dtype.type
    # Unsigned: what is below `start` wraps around to the far end. One comparison instead of two.
    mask: Mask = codes == kind(start) if stop == start + 1 else codes - kind(start) < kind(stop - start)
    return mask


def _looked_up(codes: NDArray[Any], ranges: list[tuple[int, int]], size: int) -> Mask:
    table = np.zeros(size, bool)
    for start, stop in ranges:
        table[start:stop] = True
    mask = np.empty(codes.size, bool)
    for i in range(
        0, codes.size, BATCH // 2
    ):  # numpy widens the codes first: a piece at a time stays in the cache
        np.take(table, codes[i : i + BATCH // 2], out=mask[i : i + BATCH // 2], mode="clip")
    return mask


def _joined(codes: list[int]) -> list[tuple[int, int]]:
    """As ranges: neighbours become one."""
    ranges: list[tuple[int, int]] = []
    for code in codes:
        if ranges and ranges[-1][1] == code:
            ranges[-1] = ranges[-1][0], code + 1
        else:
            ranges.append((code, code + 1))
    return ranges


def _encoded(text: str) -> bytes:
    """UTF-8, whose bytes sort as code points do; a lone surrogate, which JSON can spell, is let pass."""
    return text.encode("utf-8", "surrogatepass")
