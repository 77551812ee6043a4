"""Groups of about one size."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import adjusted_rand_score

from clustering.grouped import blobs, shuffles, sizes
from nearsense.clustering.kmeans import bisecting
from nearsense.errors import InputError
from turns import in_turn


def test_groups_of_one_size_are_found():
    rows, truth = blobs(groups=2, spread=0.5)
    assert adjusted_rand_score(truth, bisecting(rows, 2).labels) == 1.0


@in_turn("balance", [0, 0.1, 0.25, 1])
@in_turn("k", [1, 2, 3, 7, 11, 317, 320])
def test_no_size_is_out_of_balance(k, balance):
    rows, _ = blobs(spread=1.0)
    own = np.array(sizes(bisecting(rows, k, balance=balance)))
    assert len(own) == k
    assert own.sum() == len(rows)
    assert own.max() <= max(np.ceil(len(rows) / k), (1 + balance) * len(rows) / k)
    assert own.min() >= min(len(rows) // k, (1 - balance) * len(rows) / k)


def test_the_rows_in_any_order_have_the_same_labels(orders):
    rows, _ = blobs(spread=1.2)
    own = bisecting(rows, 9).labels
    for labels in shuffles(rows, lambda each: bisecting(each, 9), orders):
        assert np.array_equal(labels, own)


def test_equal_rows_are_shared_colours():
    assert sizes(bisecting(np.ones((10, 1), np.float32), 5, balance=0)) == [2] * 5


@in_turn(("n", "k"), [(0, 1), (1, 2), (2, 3), (5, 0)])
def test_groups_that_cannot_be_are_one_clear_error(n, k):
    with pytest.raises(InputError, match=f"{k} groups of {n} texts"):
        bisecting(np.eye(n, 8, dtype=np.float32), k)


def test_a_balance_is_a_share():
    with pytest.raises(InputError, match="balance=2"):
        bisecting(np.eye(4, dtype=np.float32), 2, balance=2)
