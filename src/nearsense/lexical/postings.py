"""Which texts hold a term, and how often. Not what a match is worth: see bm25.py.

`Postings` are arrays that never change, fit into files and hold no text: a term is known by its hash. Texts that
come later go into `GrowingPostings`, in memory.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np

from nearsense.errors import InputError
from nearsense.lexical.analysis import ANALYSIS, stemmed, terms, tokens

if TYPE_CHECKING:
    from numpy.typing import NDArray

_BATCH = 2**20  # terms that are sorted at once: bounds the memory of a build


class Found(NamedTuple):
    """The texts that hold a term: their rows, ascending, and how often each holds it; both of shape (df,)."""

    rows: NDArray[Any]
    counts: NDArray[Any]


class Searchable(Protocol):
    """What BM25 needs of n texts."""

    @property
    def lengths(self) -> NDArray[Any]:
        """Terms of each text, shape (n,)."""
        ...  # pragma: no cover

    def find(self, term: str) -> Found:
        """The texts that hold a term."""
        ...  # pragma: no cover


def term_hash(term: str) -> int:
    """64 bits that stand for a term, the same on every machine and at all times: BLAKE2b, little end first.

    Two of a million different terms share a hash with a probability of 3 in a hundred million.

    Example:
        >>> hex(term_hash("password"))
        '0xf522524f09e516a3'
    """
    return int.from_bytes(blake2b(term.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "little")


@dataclass(frozen=True, slots=True, eq=False)
class Postings:
    """An inverted index of n texts that never changes. Arrays may be memory maps: nothing is read or copied early.

    Example:
        >>> postings = Postings.build(["a red car", "a blue bike", "red red wine"])
        >>> found = postings.find("red")
        >>> found.rows.tolist(), found.counts.tolist(), postings.lengths.tolist()
        ([0, 2], [1, 2], [3, 3, 3])
    """

    hashes: NDArray[np.uint64]  # (t,), ascending: the terms
    offsets: NDArray[np.int64]  # (t + 1,): the texts of term i stand at `offsets[i]` to `offsets[i + 1]`
    rows: NDArray[np.int32]  # numbers of texts, ascending within a term
    counts: NDArray[Any]  # small unsigned integers, as long as `rows`: how often the text holds the term
    lengths: NDArray[Any]  # small unsigned integers, (n,): terms of each text

    @classmethod
    def build(cls, texts: Iterable[str]) -> Postings:
        """The postings of at most 2**31 - 1 texts, which are read once, front to back."""
        return _Build().of(texts)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """What to keep, by name: the arguments of the class, and how terms are made of texts."""
        columns = {field.name: getattr(self, field.name) for field in fields(self)}
        return {**columns, "analysis": np.array([ANALYSIS], np.int64)}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> Postings:
        """What `arrays` gave, read back, uncopied; refused where it does not fit, or terms are made otherwise."""
        missing = [name for name in (*(field.name for field in fields(cls)), "analysis") if name not in arrays]
        if missing:
            raise InputError(f"postings without {', '.join(missing)}", fix="build them again")
        if arrays["analysis"].tolist() != [ANALYSIS]:
            raise InputError("postings of another version", why="it stems otherwise", fix="build them again")
        postings = cls(**{field.name: arrays[field.name] for field in fields(cls)})
        fits = (
            all(array.ndim == 1 and array.dtype.kind in "iu" for array in arrays.values())
            and postings.hashes.dtype == np.uint64
            and len(postings.offsets) == len(postings.hashes) + 1
            and int(postings.offsets[-1]) == len(postings.rows) == len(postings.counts)
        )
        if not fits:
            raise InputError("postings whose arrays do not fit together", fix="build them again")
        return postings

    def __len__(self) -> int:
        return len(self.lengths)

    def find(self, term: str) -> Found:
        """The texts that hold a term of `terms`."""
        wanted = np.uint64(term_hash(term))
        place = int(np.searchsorted(self.hashes, wanted))
        if place == len(self.hashes) or self.hashes[place] != wanted:
            return Found(self.rows[:0], self.counts[:0])
        part = slice(int(self.offsets[place]), int(self.offsets[place + 1]))
        return Found(self.rows[part], self.counts[part])


class _Numbers(dict[str, int]):
    """Tokens to the numbers of their terms, in the order of their first use; each token is stemmed once."""

    def __init__(self) -> None:
        self.terms: dict[str, int] = {}

    def __missing__(self, token: str) -> int:
        self[token] = number = self.terms.setdefault(stemmed(token), len(self.terms))
        return number


class _Build:
    """The work of `Postings.build`: batches sorted by term, then each put into its place."""

    def __init__(self) -> None:
        self._numbers = _Numbers()
        self._batches: list[tuple[NDArray[np.int32], NDArray[np.int32], NDArray[Any]]] = []
        self._lengths: list[NDArray[np.int32]] = []
        self._read = 0
        self._found: list[int] = []
        self._ends: list[int] = []

    def of(self, texts: Iterable[str]) -> Postings:
        for text in texts:
            self._found.extend(map(self._numbers.__getitem__, tokens(text)))
            self._ends.append(len(self._found))
            if len(self._found) >= _BATCH:
                self._sort()
        self._sort()
        hashes = np.fromiter(map(term_hash, self._numbers.terms), np.uint64, len(self._numbers.terms))
        order = np.argsort(hashes, kind="stable")
        frequencies = np.zeros(len(order), np.int64)
        for which, _, _ in self._batches:
            frequencies += np.bincount(which, minlength=len(order))
        offsets = np.concatenate([[0], np.cumsum(frequencies[order])])
        free = np.empty_like(frequencies)
        free[order] = offsets[:-1]
        rows, counts = self._place(free, int(offsets[-1]))
        return Postings(hashes[order], offsets, rows, counts, _small(np.concatenate(self._lengths)))

    def _sort(self) -> None:
        """What has been read since the last time, by term and text."""
        ends = np.array([0, *self._ends], np.int64)
        lengths = ends[1:] - ends[:-1]
        rows = np.repeat(np.arange(self._read, self._read + len(lengths)), lengths)
        keys, counts = np.unique(np.array(self._found, np.int64) << 32 | rows, return_counts=True)
        batch = (keys >> 32).astype(np.int32), (keys & 0xFFFFFFFF).astype(np.int32), _small(counts)
        self._batches.append(batch)
        self._lengths.append(lengths.astype(np.int32))
        self._read += len(lengths)
        self._found.clear()
        self._ends.clear()

    def _place(self, free: NDArray[np.int64], total: int) -> tuple[NDArray[np.int32], NDArray[Any]]:
        """All batches by term; `free` is the next place of each term. Batches are let go as they are read."""
        rows = np.empty(total, np.int32)
        counts = np.empty(total, np.result_type(np.uint8, *{batch[2].dtype for batch in self._batches}))
        while self._batches:
            found, texts, repeats = self._batches.pop(0)
            which, starts, sizes = np.unique(found, return_index=True, return_counts=True)
            places = np.repeat(free[which] - starts, sizes) + np.arange(len(found))
            rows[places], counts[places] = texts, repeats
            free[which] += sizes
        return rows, counts


def _small(values: NDArray[Any]) -> NDArray[Any]:
    """In the smallest unsigned integers that hold them."""
    return values.astype(np.min_scalar_type(int(values.max(initial=0))))


class _Grown:
    """Integers that are only ever appended: what has been read stays as it was, so readers need no lock."""

    __slots__ = ("_data", "used")

    def __init__(self) -> None:
        self._data = np.empty(4, np.int64)
        self.used = 0

    def append(self, value: int) -> None:
        used = self.used
        if used == len(self._data):
            larger = np.empty(2 * used, np.int64)
            larger[:used] = self._data
            self._data = larger
        self._data[used] = value
        self.used = used + 1

    def so_far(self) -> NDArray[np.int64]:
        used = self.used  # before the data: a reader that is overtaken sees less, never what is not there
        return self._data[:used]


class GrowingPostings:
    """An inverted index in memory that takes further texts, for the hundred thousand since `Postings` were built.

    One thread adds; any number read at the same time through `first`.

    Example:
        >>> growing = GrowingPostings()
        >>> growing.extend(["a red car"])
        >>> before = growing.first(len(growing))
        >>> growing.extend(["red wine"])
        >>> before.find("red").rows.tolist(), growing.first(2).find("red").rows.tolist()
        ([0], [0, 1])
    """

    def __init__(self) -> None:
        self._found: dict[str, _Grown] = {}
        self._lengths = _Grown()

    def __len__(self) -> int:
        return self._lengths.used

    def extend(self, texts: Iterable[str]) -> None:
        """Add texts after those that are there; each can be found as soon as it is in."""
        for text in texts:
            found = terms(text)
            for term, count in Counter(found).items():
                grown = self._found.get(term)
                if grown is None:
                    grown = self._found[term] = _Grown()
                grown.append(len(self) << 32 | count)
            self._lengths.append(len(found))

    def first(self, m: int) -> FirstRows:
        """The first m texts, as if there were no others."""
        if not 0 <= m <= len(self):
            what = f"the first {m} of {len(self)} texts were asked for"
            raise InputError(what, fix="ask for no more than exist")
        return FirstRows(self._found, self._lengths.so_far()[:m])


@dataclass(frozen=True, slots=True, eq=False)
class FirstRows:
    """The first texts of `GrowingPostings`, for a reader that must not see later ones. Made by `first`."""

    _found: Mapping[str, _Grown]
    lengths: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.lengths)

    def find(self, term: str) -> Found:
        """The texts that hold a term."""
        grown = self._found.get(term)
        packed = np.zeros(0, np.int64) if grown is None else grown.so_far()
        packed = packed[: np.searchsorted(packed, len(self.lengths) << 32)]
        return Found(packed >> 32, packed & 0xFFFFFFFF)
