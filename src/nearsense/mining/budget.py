"""How much memory mining may use, and whether the pairs will fit. Told before the work begins."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from nearsense._machine import free_memory
from nearsense.errors import InputError, TooLargeError
from nearsense.mining.sample import candidates, spread
from nearsense.mining.sieve import Sieve
from nearsense.vectors import gemm

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Budget"]

SAMPLE = 1024
"""Rows whose pairs are counted beforehand."""

PAIR = 120
"""Bytes that a pair takes at most while the best are put first, and while it is judged as a duplicate."""

LOOKED_AT = 2**24
"""Scores that are looked at to say which threshold would fit."""


@dataclass(frozen=True, slots=True)
class Budget:
    """A bound of memory, and what it leaves for pairs.

    Args:
        limit: Bytes.
        pairs: How many pairs that is.
    """

    limit: int
    pairs: int

    @classmethod
    def of(cls, columns: int, dimension: int, limit: int | None) -> Budget:
        """The budget for so many columns: a byte a coordinate goes to them.

        Raises:
            InputError: The limit is too small for any work.
        """
        allowed = free_memory() // 2 if limit is None else limit
        fixed = columns * (dimension + 16) + 64 * 2**20
        if allowed <= fixed:
            raise InputError(
                f"{_size(allowed)} of memory are too little for {columns:,} vectors of dimension {dimension}",
                why=f"{_size(fixed)} are needed beside the vectors before any pair is found",
                fix=f"allow {_size(2 * fixed)} or more as max_memory",
            )
        return cls(allowed, (allowed - fixed) // PAIR)

    def require(self, sieve: Sieve, rows: NDArray[np.float32], columns: NDArray[np.float32], floor: float) -> None:
        """Refuse a score that so many pairs reach that they would not fit, by counting those of some rows.

        Raises:
            TooLargeError: They would not; it says what score would do.
        """
        chosen = spread(len(rows), SAMPLE)
        count = sum(len(found) for found, _ in candidates(sieve, rows, chosen, len(columns), floor))
        expected = count * len(rows) // max(1, len(chosen))
        if columns is rows:
            expected = max(0, expected - len(rows)) // 2
        if expected > self.pairs:
            enough = self._enough(rows, columns)
            raise TooLargeError(
                f"about {expected:,} pairs reach a score of {floor:g}: they take {_size(expected * PAIR)}",
                why=f"{_size(self.limit)} of memory may be used",
                fix=f"ask for {enough:.2f} or more, or for the nearest of each text, or allow more memory",
            )

    def count(self, pairs: int) -> None:
        """Refuse to go on where more pairs were found than fit.

        Raises:
            TooLargeError: They do not.
        """
        if pairs > self.pairs:
            raise TooLargeError(
                f"more than {self.pairs:,} pairs were found",
                why=f"{_size(self.limit)} of memory may be used",
                fix="ask for a higher score, or allow more memory",
            )

    def _enough(self, rows: NDArray[np.float32], columns: NDArray[np.float32]) -> float:
        """The least score, in hundredths, that so few pairs reach that they fit."""
        some = rows[:: max(1, len(rows) * len(columns) // LOOKED_AT)]
        scores = gemm.scores(some, columns[:: max(1, len(some) * len(columns) // LOOKED_AT)]).ravel()
        share = min(1.0, self.pairs / (len(rows) * len(columns)) * (2 if columns is rows else 1))
        return float(np.ceil(100 * np.quantile(scores, 1 - share / 2)) / 100)


def _size(count: int) -> str:
    """Rounded to the next; as it is said to --max-memory."""
    return f"{-(-count // 2**20):,} MiB" if count < 2**30 else f"{count / 2**30:,.1f} GiB"
