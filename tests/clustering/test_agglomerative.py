"""Merging from the bottom up, beside scipy."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import squareform
from sklearn.metrics import adjusted_rand_score

from clustering.grouped import blobs, shuffles, sizes
from nearsense.clustering.methods import agglomerative
from nearsense.errors import InputError, TooLargeError
from turns import in_turn


@in_turn("min_score", [-1, 0.1, 0.4, 0.6, 0.8, 1])
def test_groups_are_scipys(min_score):
    rows, _ = blobs(groups=10, each=30, spread=1.0)
    far = 1 - rows.astype(np.float64) @ rows.T.astype(np.float64)
    np.fill_diagonal(far, 0)
    theirs = fcluster(linkage(squareform(far, checks=False), "average"), 1 - min_score, "distance")
    ours = agglomerative(rows, min_score=min_score)
    assert adjusted_rand_score(theirs, ours.labels) == 1.0
    assert len(ours.centroids) == theirs.max()


def test_the_rows_in_any_order_have_the_same_labels(orders):
    rows, _ = blobs(spread=1.2)
    rows[3:9] = rows[100]
    own = agglomerative(rows, min_score=0.5).labels
    for labels in shuffles(rows, lambda each: agglomerative(each, min_score=0.5), orders):
        assert np.array_equal(labels, own)


def test_equal_rows_count_as_many_as_they_are():
    rows = np.array([[1, 0], [0.8, 0.6], [0.1, 0.995]], np.float32)
    repeated = rows[[0, 0, 0, 0, 1, 2]]
    far = 1 - repeated.astype(np.float64) @ repeated.T.astype(np.float64)
    theirs = fcluster(linkage(squareform(np.maximum(far, 0), checks=False), "average"), 0.7, "distance")
    assert adjusted_rand_score(theirs, agglomerative(repeated, min_score=0.3).labels) == 1.0


@pytest.mark.parametrize("n", [0, 1, 2])
def test_few_rows_are_groups_of_their_own(n):
    assert sizes(agglomerative(np.eye(n, 4, dtype=np.float32), min_score=0.5)) == [1] * n


def test_rows_that_are_all_equal_are_one_group():
    rows = np.repeat(np.eye(1, 4, dtype=np.float32), 6, axis=0)
    assert agglomerative(rows, min_score=1).labels.tolist() == [0] * 6


def test_too_many_rows_and_scores_that_cannot_be_are_clear_errors(monkeypatch):
    monkeypatch.setattr("nearsense.clustering.methods.MOST", 3)
    with pytest.raises(TooLargeError, match="4 different texts"):
        agglomerative(np.eye(4, dtype=np.float32), min_score=0.5)
    with pytest.raises(InputError, match=r"min_score=1\.5"):
        agglomerative(np.eye(2, dtype=np.float32), min_score=1.5)
