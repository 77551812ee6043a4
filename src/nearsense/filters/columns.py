"""The metadata of many rows in columns: `GrowingColumns` for rows that come, `Columns` for a generation's files.

A field is a list of pairs (row, code), a code being the place of a value among the field's distinct values: in the
order they came while columns grow. A filter is asked of each distinct value once; the answer goes to the rows by
their codes.

Frozen, the distinct values are sorted: numbers, strings by code point, then false, true, null. A row holds the
place of its value in that order, from 1; 0 where it has none. So a condition is a few ranges of codes, found by
binary search in the file, and the rows are asked by comparing small integers. A field with several values in a
row, tags say, lies in several layers: the first values, the second, and so on; a layer with few rows is a list of
pairs.
Two arrays hold everything: `data`, all columns end to end, and `manifest`, JSON that says what lies where.
"""

from __future__ import annotations

import json
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import islice, repeat
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
    Place: TypeAlias = tuple[int, int, str]

FORM = 1  # of the two arrays; another number is refused
BATCH = 65_536
ALIGNED = 64
SPARSE = 8  # a layer that less than one row in so many has is kept as pairs
FEW = 12  # ranges times bytes of a code: up to here they are compared one by one; beyond, looked up in a table


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
        fields = {name: _write_field(growing.by_name[name], n, packer) for name in growing.fields}
        manifest = json.dumps({"form": FORM, "rows": n, "fields": fields}, separators=(",", ":")).encode()
        return cls(np.frombuffer(manifest, np.uint8), np.concatenate(packer.parts))

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
        return combine(parse(where), self._n, self._leaf)

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
            return _ranges_of(sorted(code for code in map(self._code, leaf.values) if code))
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
            return place if at < len(self._strings) and self._strings[at] == _utf8(key) else 0
        return place if place < self._first_string and self._number(place - 1) == key else 0

    def _place(self, key: Key, *, after: bool = False) -> int:
        """The code of the first value that is not below the key; `after`: of the first one above it."""
        search: Callable[..., int] = bisect_right if after else bisect_left
        if isinstance(key, str):
            strings = self._strings
            return self._first_string + search(range(len(strings)), _utf8(key), key=strings.__getitem__)
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
    """Lays arrays end to end in `parts`, each at an address that every type can be read from."""

    def __init__(self) -> None:
        self.parts: list[NDArray[np.uint8]] = [np.zeros(ALIGNED, np.uint8)]
        self._size = ALIGNED

    def add(self, array: NDArray[Any]) -> Place:
        """Where it went, how many items, and of which type."""
        array = np.ascontiguousarray(array, array.dtype.newbyteorder("<"))
        start, filled = self._size, -array.nbytes % ALIGNED
        self.parts += [array.view(np.uint8), np.zeros(filled, np.uint8)]
        self._size += array.nbytes + filled
        return start, array.size, array.dtype.str

    def add_strings(self, strings: list[bytes]) -> tuple[Place, Place]:
        """Where the ends and the bytes went."""
        ends = np.cumsum(np.fromiter(map(len, strings), np.uint64, len(strings)))
        whole = np.frombuffer(b"".join(strings), np.uint8)
        return self.add(ends.astype(np.min_scalar_type(whole.size))), self.add(whole)


def _write_field(field: GrowingField, n: int, packer: _Packer) -> dict[str, Any]:
    """Pack one field; what the manifest says of it."""
    rows, old_codes = field.pairs
    numbers, strings = sorted(field.numbers.keys), sorted(field.strings.keys)
    fixed = [key for key in Fixed if key in field.codes]
    ordered: list[Key] = [*numbers, *strings, *fixed]
    small = np.min_scalar_type(len(ordered))
    new_codes = np.empty(len(ordered), small)
    places = np.fromiter(map(field.codes.__getitem__, ordered), np.intp, len(ordered))
    new_codes[places] = np.arange(1, len(ordered) + 1)
    codes = new_codes[old_codes]
    large = [i for i, key in enumerate(numbers) if not fits_float64(key)]  # kept as text, whole
    floats = np.array([key if fits_float64(key) else np.nan for key in numbers], np.float64)
    at = np.arange(rows.size)
    begins = np.diff(rows, prepend=-1).astype(bool)
    nth = at - np.maximum.accumulate(np.where(begins, at, 0))  # pairs before this one of the same row
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
        "strings": packer.add_strings(list(map(_utf8, strings))),
        "fixed": [key.name for key in fixed],
    }


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
    mask, step = np.empty(codes.size, bool), BATCH // 2
    for i in range(0, codes.size, step):  # numpy widens the codes first: a piece at a time stays in the cache
        np.take(table, codes[i : i + step], out=mask[i : i + step], mode="clip")
    return mask


def _ranges_of(codes: list[int]) -> list[tuple[int, int]]:
    """As ranges: neighbours become one."""
    ranges: list[tuple[int, int]] = []
    for code in codes:
        if ranges and ranges[-1][1] == code:
            ranges[-1] = ranges[-1][0], code + 1
        else:
            ranges.append((code, code + 1))
    return ranges


def _utf8(text: str) -> bytes:
    """UTF-8, whose bytes sort as code points do; a lone surrogate, which JSON can spell, is let pass."""
    return text.encode("utf-8", "surrogatepass")


EXACT = 2**53  # integers up to here, of either sign, are float64 without loss


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
            larger = max(size, 2 * self._rows.size)
            self._rows, self._row_codes = np.resize(self._rows, larger), np.resize(self._row_codes, larger)
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
        self.by_name: dict[str, GrowingField] = {}
        self._count = 0

    def __len__(self) -> int:
        return self._count

    @property
    def fields(self) -> tuple[str, ...]:
        """The dotted names of all fields, sorted."""
        return tuple(sorted(self.by_name))

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
            field = self.by_name.get(name) or GrowingField()
            field.append(rows, keys)
            self.by_name[name] = field
        self._count = count

    def mask(self, where: Where, n: int | None = None) -> Mask:
        """Which rows a filter lets pass."""
        wanted = self._count if n is None else n
        if not 0 <= wanted <= self._count:
            raise InputError(f"n={wanted}: there are {self._count} rows")

        def leaf(condition: Leaf) -> Mask:
            field = self.by_name.get(condition.field)
            return np.zeros(wanted, bool) if field is None else field.mask(condition, wanted)

        return combine(parse(where), wanted, leaf)


def combine(node: Filter, n: int, leaf: Callable[[Leaf], Mask]) -> Mask:
    """The mask of a filter from the masks of its conditions, which are used up."""
    match node:
        case Every():
            mask = np.ones(n, bool)
            for part in node.parts:
                mask &= combine(part, n, leaf)
            return mask
        case Some():
            mask = np.zeros(n, bool)
            for part in node.parts:
                mask |= combine(part, n, leaf)
            return mask
        case Not():
            mask = combine(node.part, n, leaf)
            return np.logical_not(mask, out=mask)
        case _:
            return leaf(node)
