"""The k nearest of each: the same as sorting every score."""

from __future__ import annotations

import numpy as np
import pytest

from heaps import crowd, units
from nearsense.errors import InputError
from nearsense.mining import nearest
from nearsense.mining.pairs import COLUMNS


@pytest.mark.parametrize("precision", [None, "f32", "bf16"])
@pytest.mark.parametrize(
    ("n", "k"),
    [
        *((0, 3), (1, 3), (2, 3), (300, 5), (COLUMNS + 1, 3)),
        pytest.param(2 * COLUMNS + 9, 12, marks=pytest.mark.slow),
    ],
)
def test_the_nearest_are_those_of_brute_force(n, k, precision):
    vectors = units(n)
    found = nearest(vectors, k, precision=precision)
    scores = np.clip(vectors.astype(np.float64) @ vectors.T.astype(np.float64), -1, 1)
    np.fill_diagonal(scores, -np.inf)
    k = min(k, max(n - 1, 0))
    best = np.argsort(-scores, axis=1, kind="stable")[:, :k]
    assert found.ids.shape == found.scores.shape == (n, k)
    assert (found.counts == k).all()
    np.testing.assert_allclose(found.scores, np.take_along_axis(scores, best, 1), atol=2e-7)
    assert (found.ids != np.arange(n)[:, None]).all()
    assert (found.ids == best).mean() > 0.999 if found.ids.size else True


def test_equal_vectors_are_each_others_nearest_the_lower_row_first():
    found = nearest(np.tile(units(1), (6, 1)), 3)
    assert found.ids.tolist() == [[1, 2, 3], [0, 2, 3], [0, 1, 3], [0, 1, 2], [0, 1, 2], [0, 1, 2]]
    assert (found.scores == 1).all()


def test_heaps_of_equal_vectors_are_no_trouble():
    vectors = crowd(3000)
    found = nearest(vectors, 20)
    scores = vectors.astype(np.float64) @ vectors.T.astype(np.float64)
    np.fill_diagonal(scores, -np.inf)
    np.testing.assert_allclose(found.scores, -np.sort(-scores, axis=1)[:, :20], atol=3e-7)


def test_k_counts_from_one():
    with pytest.raises(InputError, match="k=0 is too small"):
        nearest(units(5), 0)
