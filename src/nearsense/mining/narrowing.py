"""Vectors in fewer numbers, of which no pair scores less than it does: most of a product need not be made.

Of a vector x, turned so that the first directions hold most of all vectors, the first m numbers are kept, and
as one more how long the rest is: r. By Cauchy and Schwarz x·y <= x₁·y₁ + r s, the product of what is kept. So
a pair whose narrow score does not reach a floor does not reach it in truth; how many do nevertheless is tried out
on some vectors, and that says which m is soonest.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from nearsense._forks import computing
from nearsense.vectors.rows import evenly_spaced

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Float32: TypeAlias = NDArray[np.float32]

LARGE = 2**28
"""Pairs from which on trying pays."""

LEARNT = 2**14
"""Vectors that the directions are learnt from."""

ROWS, COLUMNS = 1024, 4096
"""Pairs of so many rows and columns are tried."""

ROUNDING = 1e-5
"""By how much the square of a length may be off; so the rest of a vector is never taken for less than it is."""

STEP = 64
"""Products of whole numbers are as fast for any number of numbers up to the next multiple of it."""

SLACK = 0.03
"""About what rounding to whole numbers lets through."""

CHECK = 150.0
"""What it costs to look at one pair, in products of whole vectors: 40 to 200, by the processor."""

GAIN = 0.8
"""What a narrow product may cost of a whole one at most, to be worth it."""


@dataclass(frozen=True, slots=True, eq=False)
class Narrow:
    """m directions, shape (d, m), in which vectors of dimension d are told with m + 1 numbers."""

    directions: Float32

    def __call__(self, rows: Float32) -> Float32:
        """Unit vectors in fewer numbers, of unit length too, or hardly longer: float32, shape (n, m + 1)."""
        n, m = len(rows), self.directions.shape[1]
        found = np.empty((n, m + 1), np.float32)
        with computing():
            np.matmul(rows, self.directions, out=found[:, :m])
        left = 1.0 + ROUNDING - np.einsum("ij,ij->i", found[:, :m], found[:, :m], dtype=np.float64)
        found[:, m] = np.sqrt(np.maximum(left, 0.0))
        return found


def narrow_for(columns: Float32, rows: Float32, floor: float) -> Narrow | None:
    """The way in which pairs that may reach a floor are soonest found; None where whole vectors are."""
    d = columns.shape[1]
    if len(columns) * len(rows) < LARGE or d < 2 * STEP:
        return None
    some = [
        side[evenly_spaced(len(side), LEARNT)] for side in ((columns,) if columns is rows else (columns, rows))
    ]
    known = np.concatenate(some).astype(np.float64)
    directions = np.linalg.eigh(known.T @ known)[1][:, ::-1].astype(np.float32)
    which, other = evenly_spaced(len(rows), ROWS), evenly_spaced(len(columns), COLUMNS)
    asked, others, same = rows[which], columns[other], which[:, None] == other if columns is rows else None
    costs = {d: _cost(asked, others, same, floor, 1.0)}
    for m in range(STEP - 1, d - STEP, STEP):
        narrow = Narrow(np.ascontiguousarray(directions[:, :m]))
        costs[m] = _cost(narrow(asked), narrow(others), same, floor, (m + 1) / d)
    best = min(costs, key=costs.__getitem__)
    if best == d or costs[best] > GAIN * costs[d]:
        return None
    return Narrow(np.ascontiguousarray(directions[:, :best]))


def _cost(rows: Float32, columns: Float32, same: NDArray[np.bool_] | None, floor: float, product: float) -> float:
    """What a pair costs, in products of whole vectors; those of a vector with itself do not count."""
    with computing():
        found = rows @ columns.T >= floor - SLACK
    if same is not None:
        found &= ~same
    return product + CHECK * float(found.mean())
