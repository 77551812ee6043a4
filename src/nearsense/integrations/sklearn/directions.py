"""Checked rows at length one: what every estimator on arrays begins with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.utils.validation import validate_data

from nearsense.vectors.rows import normalize

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from sklearn.base import BaseEstimator

__all__ = ["apart", "directions"]


def directions(owner: BaseEstimator, given: Any, *, reset: bool = False) -> NDArray[np.float32]:
    """Rows by which things are compared; a row of zeros has no direction, and stays.

    Args:
        owner: The estimator, which learns or checks the number of columns.
        given: Shape (n, d).
        reset: Whether it learns it.

    Example:
        >>> from sklearn.cluster import KMeans
        >>> directions(KMeans(), [[3, 4], [0, 0]], reset=True)
        array([[0.6, 0.8], [0. , 0. ]], dtype=float32)
    """
    rows = validate_data(owner, given, dtype=np.float64, reset=reset)
    largest = np.abs(rows).max(axis=1, keepdims=True)
    rows = rows / np.where(largest > 0, largest, 1)  # so that no square overflows
    return normalize(rows, zero="keep")


def apart(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    """The same with one more column, in which rows of zeros have their direction: that of nothing else.

    Args:
        rows: What `directions` gave, shape (n, d).

    Returns:
        float32, shape (n, d + 1), all of unit length.

    Example:
        >>> apart(np.array([[1, 0], [0, 0]], np.float32))
        array([[1., 0., 0.], [0., 0., 1.]], dtype=float32)
    """
    return np.hstack([rows, ~rows.any(axis=1, keepdims=True)]).astype(np.float32)
