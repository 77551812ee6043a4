"""Groups where texts lie densely, beside scikit-learn's HDBSCAN."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.sparse.csgraph import minimum_spanning_tree
from sklearn.cluster import HDBSCAN
from sklearn.metrics import adjusted_rand_score

import nearsense as ns
from clustering.grouped import blobs, shuffles, sizes
from nearsense.clustering.density import density, forest, spanning
from nearsense.errors import InputError
from nearsense.mining import nearest


def theirs(rows, size, samples=None, selection="eom"):
    far = np.maximum(1 - rows.astype(np.float64) @ rows.T.astype(np.float64), 0)
    np.fill_diagonal(far, 0)
    engine = HDBSCAN(
        min_cluster_size=size,
        min_samples=samples,
        metric="precomputed",
        algorithm="brute",
        cluster_selection_method=selection,
        copy=True,
    )
    return engine.fit(far)


@pytest.fixture(scope="module")
def scattered():
    """Groups of several spreads, and noise between them."""
    parts = [blobs(groups=6, each=size, spread=spread, seed=3)[0] for size, spread in ((60, 0.5), (40, 0.9))]
    return np.vstack([*parts, blobs(groups=200, each=1, seed=9)[0]])


@pytest.mark.parametrize("selection", ["eom", "leaf"])
@pytest.mark.parametrize(("size", "samples"), [(5, None), (10, 3), (25, 10)])
def test_labels_and_strengths_are_scikit_learns(scattered, size, samples, selection):
    expected = theirs(scattered, size, samples, selection)
    found = density(scattered, min_size=size, min_samples=samples, selection=selection, by_row=True)
    assert adjusted_rand_score(expected.labels_, found.labels) > 0.999
    assert np.array_equal(found.labels < 0, expected.labels_ < 0)
    assert np.allclose(found.strengths, expected.probabilities_, atol=1e-4)
    assert found.exact


@pytest.mark.parametrize(("size", "samples"), [(5, None), (10, 3), (25, 10)])
def test_ties_decided_by_distance_change_next_to_nothing(scattered, size, samples):
    expected = theirs(scattered, size, samples).labels_
    assert adjusted_rand_score(expected, density(scattered, min_size=size, min_samples=samples).labels) > 0.97


def test_the_tree_weighs_what_scipys_does():
    rows, _ = blobs(spread=1.2)
    far = np.maximum(1 - rows.astype(np.float64) @ rows.T.astype(np.float64), 0)
    np.fill_diagonal(far, 0)
    core = np.sort(far, axis=1)[:, 4]
    reach = np.maximum(far, np.maximum(core, core[:, None]))
    np.fill_diagonal(reach, 0)
    weight = minimum_spanning_tree(reach).sum()
    assert np.isclose(spanning(rows, 5).distances.sum(), weight, rtol=1e-5)
    assert np.isclose(forest(nearest(rows, len(rows) - 1), 5).distances.sum(), weight, rtol=1e-5)


def test_the_graph_of_neighbours_gives_the_groups_of_all_distances(scattered):
    whole = density(scattered, min_size=10)
    graph = density(scattered, min_size=10, exact=False)
    assert adjusted_rand_score(whole.labels, graph.labels) > 0.97
    assert (whole.exact, graph.exact) == (True, False)


@pytest.mark.parametrize("exact", [True, False])
def test_the_rows_in_any_order_have_the_same_labels(scattered, exact, orders):
    own = density(scattered, min_size=5, exact=exact).labels
    for labels in shuffles(scattered, lambda each: density(each, min_size=5, exact=exact), orders):
        assert np.array_equal(labels, own)


@pytest.mark.parametrize("exact", [True, False])
def test_rows_that_are_there_many_times_are_a_group(exact):
    rows = np.vstack([np.repeat(np.eye(3, 40, dtype=np.float32), 40, axis=0), np.eye(40, dtype=np.float32)[3:]])
    found = density(rows, min_size=5, exact=exact)
    assert sizes(found) == [40, 40, 40]
    assert found.labels[120:].tolist() == [-1] * 37


@pytest.mark.parametrize("n", [0, 1, 2])
def test_fewer_rows_than_a_group_needs_are_noise(n):
    assert density(np.eye(n, 4, dtype=np.float32), min_size=3).labels.tolist() == [-1] * n


def test_rows_that_are_all_equal_are_one_group():
    found = density(np.repeat(np.eye(1, 4, dtype=np.float32), 6, axis=0), min_size=2)
    assert found.labels.tolist() == [0] * 6
    assert found.strengths.tolist() == [1.0] * 6


def test_rows_that_are_all_at_right_angles_are_noise():
    for exact in (True, False):
        assert set(density(np.eye(50, dtype=np.float32), min_size=5, exact=exact).labels) == {-1}


@pytest.mark.parametrize("options", [{"min_size": 1}, {"min_size": 2, "min_samples": 0}])
def test_sizes_that_cannot_be_are_one_clear_error(options):
    with pytest.raises(InputError, match="min_size="):
        density(np.eye(4, dtype=np.float32), **options)


def test_progress_is_told():
    seen = []
    density(blobs()[0], min_size=5, progress=lambda done, total: seen.append((done, total)))
    assert seen[-1] == (319, 319)


@pytest.mark.slow
def test_labels_are_scikit_learns_at_8000_texts_and_the_graph_agrees(data):
    rows = ns.load().encode([row["text"] for row in data("banking77/train")[:8000]]).data
    expected = theirs(rows, 15).labels_
    assert adjusted_rand_score(expected, density(rows, min_size=15, by_row=True).labels) > 0.99
    own = density(rows, min_size=15).labels
    assert adjusted_rand_score(expected, own) > 0.99
    assert adjusted_rand_score(own, density(rows, min_size=15, exact=False).labels) > 0.95
