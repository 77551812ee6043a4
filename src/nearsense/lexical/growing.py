"""Which texts hold a term, for texts that keep coming. Not kept in files: see postings.py for what is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from nearsense.errors import InputError
from nearsense.lexical.analysis import terms
from nearsense.lexical.postings import Found

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["FirstRows", "GrowingPostings"]


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
            self._add(text)

    def first(self, m: int) -> FirstRows:
        """The first m texts, as if there were no others.

        Args:
            m: At most as many as there are.

        Raises:
            InputError: There are not so many.
        """
        if not 0 <= m <= len(self):
            raise InputError(
                f"the first {m} of {len(self)} texts were asked for", fix="ask for no more than exist"
            )
        return FirstRows(self._found, self._lengths.so_far()[:m])

    def _add(self, text: str) -> None:
        row = len(self)
        found = terms(text)
        counts: dict[str, int] = {}
        for term in found:
            counts[term] = counts.get(term, 0) + 1
        for term, count in counts.items():
            grown = self._found.get(term)
            if grown is None:
                grown = self._found[term] = _Grown()
            grown.append(row << 32 | count)
        self._lengths.append(len(found))


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
