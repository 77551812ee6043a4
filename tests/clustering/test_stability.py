"""Stability: clusters that are there come again, and those that chance made do not."""

from __future__ import annotations

import numpy as np
import pytest

import nearsense as ns
from cluster_made import around, as_vectors, numbered
from nearsense.clustering.exploring import jaccard
from nearsense.errors import InputError


def test_jaccard_is_that_of_the_best_match():
    random = np.random.default_rng(0)
    before, after = random.integers(-1, 4, 200), random.integers(-1, 5, 200)
    sets = [
        [set(np.flatnonzero(labels == label)) for label in range(k)] for labels, k in ((before, 4), (after, 5))
    ]
    expected = [max(len(one & other) / len(one | other) for other in sets[1]) for one in sets[0]]
    assert jaccard(before, after, 4) == pytest.approx(expected)
    assert jaccard(np.array([0, 0]), np.array([-1, -1]), 1).tolist() == [0.0]


@pytest.mark.parametrize("options", [{"k": 3}, {}])
def test_clear_clusters_are_stable(options):
    clusters = ns.cluster(numbered(60), vectors=around([25, 20, 15]), **options).with_stability(5)
    assert all(cluster.stability > 0.95 for cluster in clusters)


def test_clusters_in_what_has_none_are_not():
    random = np.random.default_rng(0)
    clusters = ns.cluster(numbered(80), 6, vectors=as_vectors(random.standard_normal((80, 32)))).with_stability(5)
    assert np.mean([cluster.stability for cluster in clusters]) < 0.7


def test_the_same_seed_gives_the_same_figures():
    clusters = ns.cluster(numbered(60), 4, vectors=around([25, 20, 15]))
    first, second = ([cluster.stability for cluster in clusters.with_stability(3)] for _ in range(2))
    assert first == second


def test_more_clusters_than_the_part_has_texts_is_no_error():
    clusters = ns.cluster(numbered(5), 5, vectors=as_vectors(np.eye(5))).with_stability(2)
    assert len(clusters) == 5


def test_only_what_was_found_can_be_found_again():
    clusters = ns.cluster(numbered(60), 3, vectors=around([25, 20, 15]))
    with pytest.raises(InputError, match="assigned or split"):
        clusters.split(0, 2).with_stability()
    with pytest.raises(InputError, match="rounds"):
        clusters.with_stability(0)
