"""Spherical k-means against groups that are known, and against scikit-learn's."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_rand_score

import nearsense as ns
from nearsense.index import kmeans


def unit(rows):
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def test_groups_that_lie_apart_are_found():
    random = np.random.default_rng(1)
    centres = unit(random.normal(size=(12, 32)))
    true = random.integers(0, 12, 600)
    vectors = unit(centres[true] + random.normal(0, 0.05, (600, 32)))
    for seed in range(3):
        assert adjusted_rand_score(true, kmeans(vectors, 12, seed=seed)) == 1.0


def test_groups_are_as_tight_as_those_of_scikit_learn():
    vectors = unit(np.random.default_rng(2).normal(size=(500, 16)) + np.random.default_rng(3).normal(size=16))

    def tightness(groups):
        return sum(np.linalg.norm(vectors[groups == group].sum(axis=0)) for group in np.unique(groups))

    ours = max(tightness(kmeans(vectors, 10, seed=seed)) for seed in range(3))
    assert ours >= 0.99 * tightness(KMeans(10, n_init=3, random_state=0).fit_predict(vectors))


def test_the_same_seed_gives_the_same_groups():
    vectors = unit(np.random.default_rng(4).normal(size=(300, 8)))
    assert np.array_equal(kmeans(vectors, 7, seed=5), kmeans(vectors, 7, seed=5))


def test_equal_vectors_and_as_many_groups_as_vectors_do_no_harm():
    same = np.repeat(unit(np.ones((1, 4))), 5, axis=0)
    assert kmeans(same, 3).shape == (5,)
    assert len(set(kmeans(np.eye(6, dtype=np.float32), 6).tolist())) == 6


@pytest.mark.parametrize("k", [0, 7])
def test_more_groups_than_vectors_are_refused(k):
    with pytest.raises(ns.errors.InputError, match=f"{k} groups of 6 vectors"):
        kmeans(np.eye(6, dtype=np.float32), k)
