"""Which texts hold a term, and how often: as arrays that never change. Not what a match is worth: see bm25.py.

They fit into files and hold no text: a term is known by its hash. Texts that come later go into growing.py.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np

from nearsense.errors import InputError
from nearsense.lexical.analysis import stemmed, tokens

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Found", "Postings", "Searchable", "term_hash"]

_BATCH = 2**20
"""Terms that are sorted at once: bounds the memory of a build."""


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

    Args:
        hashes: uint64, shape (t,), ascending: the terms.
        offsets: int64, shape (t + 1,): the texts of term i stand at `offsets[i]` to `offsets[i + 1]`.
        rows: int32: numbers of texts, ascending within a term.
        counts: Small unsigned integers, as long as `rows`: how often the text holds the term.
        lengths: Small unsigned integers, shape (n,): terms of each text.

    Example:
        >>> postings = Postings.build(["a red car", "a blue bike", "red red wine"])
        >>> found = postings.find("red")
        >>> found.rows.tolist(), found.counts.tolist(), postings.lengths.tolist()
        ([0, 2], [1, 2], [3, 3, 3])
    """

    hashes: NDArray[np.uint64]
    offsets: NDArray[np.int64]
    rows: NDArray[np.int32]
    counts: NDArray[Any]
    lengths: NDArray[Any]

    @classmethod
    def build(cls, texts: Iterable[str]) -> Postings:
        """Read texts once, front to back.

        Args:
            texts: At most 2**31 - 1 of them; a generator is fine.
        """
        return _Build().of(texts)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """What to keep, by name: the arguments of the class."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> Postings:
        """What `arrays` gave, read back. Nothing is copied; whoever kept the arrays answers for their content.

        Args:
            arrays: All arrays by name; further names are ignored.

        Raises:
            InputError: One is missing, or their shapes or types do not fit together.
        """
        missing = [field.name for field in fields(cls) if field.name not in arrays]
        if missing:
            raise InputError(f"postings without {', '.join(missing)}", fix="build them again")
        postings = cls(**{field.name: arrays[field.name] for field in fields(cls)})
        fits = (
            all(array.ndim == 1 and array.dtype.kind in "iu" for array in postings.arrays().values())
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
        """The texts that hold a term.

        Args:
            term: As `terms` gives it.
        """
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
        for terms, _, _ in self._batches:
            frequencies += np.bincount(terms, minlength=len(order))
        offsets = np.concatenate([[0], np.cumsum(frequencies[order])])
        free = np.empty_like(frequencies)
        free[order] = offsets[:-1]
        rows, counts = self._placed(free, int(offsets[-1]))
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

    def _placed(self, free: NDArray[np.int64], total: int) -> tuple[NDArray[np.int32], NDArray[Any]]:
        """All batches by term; `free` is the next place of each term. Batches are let go as they are read."""
        rows = np.empty(total, np.int32)
        counts = np.empty(total, np.result_type(np.uint8, *{batch[2].dtype for batch in self._batches}))
        while self._batches:
            terms, texts, repeats = self._batches.pop(0)
            which, starts, sizes = np.unique(terms, return_index=True, return_counts=True)
            places = np.repeat(free[which] - starts, sizes) + np.arange(len(terms))
            rows[places], counts[places] = texts, repeats
            free[which] += sizes
        return rows, counts


def _small(values: NDArray[Any]) -> NDArray[Any]:
    """In the smallest unsigned integers that hold them."""
    return values.astype(np.min_scalar_type(int(values.max(initial=0))))
