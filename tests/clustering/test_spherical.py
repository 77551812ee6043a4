"""k-means by direction, beside scikit-learn's."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_rand_score, v_measure_score

import nearsense as ns
from clustering.grouped import blobs, shuffles, sizes
from nearsense.clustering.kmeans import spherical
from nearsense.errors import InputError
from samples import some_of
from turns import in_turn


def inertia(rows, labels):
    return sum(
        float(((rows[labels == label] - rows[labels == label].mean(axis=0)) ** 2).sum()) for label in set(labels)
    )


def test_finds_the_groups_that_are_there():
    rows, truth = blobs(spread=0.5)
    assert adjusted_rand_score(truth, spherical(rows, 8).labels) == 1.0


@pytest.mark.parametrize("k", some_of([3, 8, 20], 8))
def test_inertia_is_within_a_percent_of_scikit_learns(k):
    rows, _ = blobs(groups=12, each=50, spread=1.0)
    theirs = KMeans(k, n_init=10, random_state=0).fit(rows).inertia_
    assert inertia(rows, spherical(rows, k).labels) < 1.01 * theirs


def test_the_rows_in_any_order_have_the_same_labels(orders):
    rows, _ = blobs(groups=6, spread=1.2)
    rows[5] = rows[77]
    own = spherical(rows, 9).labels
    for labels in shuffles(rows, lambda each: spherical(each, 9), orders):
        assert np.array_equal(labels, own)


def test_a_sample_is_learnt_from_where_there_are_many_rows(monkeypatch):
    monkeypatch.setattr("nearsense.clustering.kmeans.SAMPLE", 400)
    monkeypatch.setattr("nearsense.clustering.kmeans.PER_GROUP", 1)
    rows, truth = blobs(each=200, spread=0.5)
    assert adjusted_rand_score(truth, spherical(rows, 8).labels) == 1.0


def test_the_largest_group_is_0_and_strength_is_the_cosine_to_the_centre():
    rows, _ = blobs(spread=1.5)
    found = spherical(rows, 8)
    assert sizes(found) == sorted(sizes(found), reverse=True)
    centre = rows[found.labels == 2].mean(axis=0)
    assert np.allclose(found.centroids[2], centre / np.linalg.norm(centre), atol=1e-5)
    expected = np.clip(np.vecdot(rows, found.centroids[found.labels]), 0, 1)
    assert np.allclose(found.strengths, expected, atol=1e-6)


def test_equal_rows_are_never_parted_and_more_groups_than_different_rows_are_not_made():
    rows = np.repeat(np.eye(3, dtype=np.float32), 4, axis=0)
    assert sizes(spherical(rows, 5)) == [4, 4, 4]
    same = np.repeat(np.eye(1, 4, dtype=np.float32), 6, axis=0)
    assert spherical(same, 2).labels.tolist() == [0] * 6


@in_turn(("n", "k"), [(0, 1), (1, 2), (2, 3), (5, 0)])
def test_groups_that_cannot_be_are_one_clear_error(n, k):
    with pytest.raises(InputError, match=f"{k} groups of {n} texts"):
        spherical(np.eye(n, 8, dtype=np.float32), k)


@pytest.mark.parametrize("n", [1, 2])
def test_one_and_two_rows_are_groups_of_their_own(n):
    assert sizes(spherical(np.eye(n, 8, dtype=np.float32), n)) == [1] * n


def test_what_is_not_finite_is_named():
    rows = np.eye(3, dtype=np.float32)
    rows[1, 2] = np.nan
    with pytest.raises(InputError, match="row 1 "):
        spherical(rows, 2)


@pytest.mark.slow
def test_intents_are_found_as_published_and_inertia_is_scikit_learns(data):
    read = data("banking77/train")
    rows = ns.load().encode([row["text"] for row in read]).data
    labels = spherical(rows, 77).labels
    assert 100 * v_measure_score([row["label"] for row in read], labels) > 78.5
    assert inertia(rows, labels) < 1.01 * KMeans(77, n_init=10, random_state=0).fit(rows).inertia_
