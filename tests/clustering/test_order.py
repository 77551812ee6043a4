"""The order that decides where numbers do not: by what rows hold, and hardly by their last digits."""

from __future__ import annotations

import numpy as np

from clustering.grouped import blobs
from nearsense.clustering.density import density
from nearsense.clustering.geometry import canonical_order, checked_rows
from nearsense.clustering.kmeans import bisecting, spherical
from nearsense.clustering.methods import agglomerative
from turns import in_turn

METHODS = {
    "k-means": lambda rows: spherical(rows, 6),
    "k-means without smoothing": lambda rows: spherical(rows, 6, smooth=0),
    "balanced": lambda rows: bisecting(rows, 6),
    "density": lambda rows: density(rows, min_size=5),
    "agglomerative": lambda rows: agglomerative(rows, min_score=0.5),
}


def another_processor(rows, seed, digits=1e-6):
    """The same vectors, but for their last digits."""
    noise = np.random.default_rng(seed).standard_normal(rows.shape)
    return (rows + digits * noise * np.abs(rows)).astype(np.float32)


@in_turn("method", METHODS)
@in_turn("seed", range(5))
def test_groups_of_one_size_have_the_same_numbers_on_another_processor(method, seed):
    rows, _ = blobs(groups=6, each=20, spread=0.3)
    group = METHODS[method]
    assert group(another_processor(rows, seed)).labels.tolist() == group(rows).labels.tolist()


@in_turn("seed", range(5))
def test_bf16_moves_few_rows_to_another_place(seed):
    rows = checked_rows(blobs(groups=6, each=20)[0])
    moved = np.abs(
        np.argsort(canonical_order(rows)) - np.argsort(canonical_order(another_processor(rows, seed, 1e-3)))
    )
    assert moved.max() <= 3


def test_rows_that_begin_alike_go_by_the_rest_of_them():
    rows = np.random.default_rng(0).choice([0.5, 1.0], (200, 9)).astype(np.float32)
    mixed = rows[np.random.default_rng(1).permutation(200)]
    assert np.array_equal(rows[canonical_order(checked_rows(rows))], mixed[canonical_order(checked_rows(mixed))])
