"""What lies between dense regions: smaller groups, the nearest texts, and no text that is near to nothing."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import adjusted_rand_score

import nearsense as ns
from cluster_made import as_vectors, numbered
from clustering.grouped import blobs, sets, shuffles
from nearsense.clustering.density import Selection, dense_rows
from nearsense.clustering.methods import find, settings
from nearsense.errors import InputError
from nearsense.metrics import v_measure


def grouped(rows, **options):
    return find(rows, settings(len(rows), None, None, options.pop("min_size", None), None, 0, **options))


def around(direction, count, spread, seed, dimension=48):
    """Unit rows around one of the axes."""
    rows = np.eye(dimension)[[direction] * count]
    rows = rows + spread * np.random.default_rng(seed).standard_normal(rows.shape) / np.sqrt(dimension)
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


@pytest.fixture(scope="module")
def between():
    """Five groups of 40, a tight and a loose one of 5, texts half way to a group, and texts that are nowhere."""
    large = [around(axis, 40, 0.7, axis) for axis in range(5)]
    small = [around(5, 5, 0.5, 5), around(6, 5, 2.5, 6)]
    halfway = np.vstack([around(axis, 50, 3.5, 20 + axis) for axis in range(5)])
    nowhere = np.eye(48, dtype=np.float32)[10:40]
    return np.vstack([*large, *small, halfway, nowhere])


def test_who_is_in_a_dense_region_stays_with_the_same_texts(between):
    strict, default = grouped(between, strict=True), grouped(between)
    inside = strict.labels >= 0
    assert adjusted_rand_score(strict.labels[inside], default.labels[inside]) == 1
    assert (default.labels[inside] >= 0).all()
    assert np.array_equal(strict.strengths[inside], default.strengths[inside])


def test_strict_is_hdbscan_and_what_is_as_near_as_its_own(between):
    strict = grouped(between, strict=True)
    plain = dense_rows(between, 4, 3).groups(Selection.EOM)
    expected = plain.labels.copy()
    members = [np.flatnonzero(plain.labels == label) for label in range(plain.labels.max() + 1)]
    rows = between.astype(np.float64)
    centroids = np.array([rows[own].mean(axis=0) / np.linalg.norm(rows[own].mean(axis=0)) for own in members])
    thresholds = []
    for own in members:
        others = rows[own].sum(axis=0) - rows[own]
        thresholds.append(np.quantile((rows[own] * others).sum(axis=1) / np.linalg.norm(others, axis=1), 0.05))
    scores = rows @ centroids.T
    near = (plain.labels < 0) & (scores.max(axis=1) >= np.array(thresholds)[scores.argmax(axis=1)] - 1e-4)
    expected[near] = scores.argmax(axis=1)[near]
    assert sets(strict.labels) == sets(expected)


def test_a_smaller_group_is_a_cluster_where_it_holds_together_as_the_others():
    rows = np.vstack([*(around(axis, 60, 0.7, axis) for axis in range(6)), around(7, 5, 0.5, 7)])
    rows = np.vstack([rows, np.eye(48, dtype=np.float32)[20:40]])
    size = {"min_size": None}
    strict, default = (grouped(rows, strict=strict, **size) for strict in (True, False))
    own = set(range(360, 365))
    assert not any(own & group for group in sets(strict.labels)) or own in sets(strict.labels)
    assert own in sets(default.labels)


def test_of_many_texts_that_are_near_a_third_stays_out_and_what_is_nowhere_is_among_them(between):
    strict, default = grouped(between, strict=True), grouped(between)
    assert (strict.labels < 0).mean() > 0.4
    assert (default.labels < 0).mean() == pytest.approx(1 / 3, abs=0.005)
    assert (default.labels[-30:] == -1).all()
    assert default.reach < 1


def test_texts_that_are_near_to_nothing_stay_out_however_many_they_are():
    far = np.eye(200, dtype=np.float32)[50:]
    rows = np.vstack([around(axis, 30, 0.5, axis, dimension=200) for axis in range(2)])
    default = grouped(np.vstack([rows, far]), min_size=10)
    assert (default.labels[:60] >= 0).mean() > 0.9
    assert (default.labels[60:] == -1).all()


def test_strengths_say_how_texts_came_in(between):
    strict, default = grouped(between, strict=True), grouped(between)
    assert ((default.strengths > 0) == (default.labels >= 0)).all()
    late = (strict.labels < 0) & (default.labels >= 0) & ~default.core
    for group in sets(default.labels):
        rows = np.array(sorted(group))
        firm, loose = default.strengths[rows[~late[rows]]], default.strengths[rows[late[rows]]]
        assert not len(loose) or loose.max() <= firm.min()
    assert len(set(default.strengths[late].tolist())) > 20


@pytest.mark.parametrize("exact", [True, False])
def test_any_order_gives_the_same_groups_and_strengths(between, exact, orders, monkeypatch):
    monkeypatch.setattr("nearsense.clustering.density.EXACT", 10_000 if exact else 100)
    own = grouped(between)
    assert own.exact is exact
    for labels in shuffles(between, grouped, orders):
        assert np.array_equal(labels, own.labels)
    order = np.random.default_rng(9).permutation(len(between))
    assert np.array_equal(grouped(between[order]).strengths, own.strengths[order])


def test_the_graph_of_neighbours_gives_the_groups_of_all_distances(between, monkeypatch):
    whole = grouped(between)
    monkeypatch.setattr("nearsense.clustering.density.EXACT", 100)
    assert adjusted_rand_score(whole.labels, grouped(between).labels) > 0.95


def test_a_part_of_the_rows_is_as_if_it_were_alone(between):
    chosen = np.arange(len(between)) % 2 == 0
    alone = dense_rows(between[chosen], 4, 3).groups(Selection.LEAF)
    for exact in (True, False):
        part = dense_rows(between, 4, 3, exact=exact).part(chosen, 4).groups(Selection.LEAF)
        assert adjusted_rand_score(alone.labels, part.labels) > (0.999 if exact else 0.8)


def test_a_size_that_is_given_is_that_of_every_cluster(between):
    labels = grouped(between, min_size=8).labels
    assert np.bincount(labels[labels >= 0]).min() >= 8


def test_no_region_no_cluster():
    rows = np.eye(40, dtype=np.float32)
    assert set(grouped(rows).labels) == {-1}
    assert grouped(blobs(groups=1, each=2)[0]).labels.tolist() == [-1, -1]


def test_what_was_let_in_is_let_in_again_also_by_a_file(between, tmp_path):
    documents = numbered(len(between))
    clusters = ns.cluster(documents, vectors=as_vectors(between))
    strict = ns.cluster(documents, vectors=as_vectors(between), strict=True)
    late = (strict.labels < 0) & (clusters.labels >= 0)
    assert late.sum() > 50
    clusters.save(tmp_path / "known.clusters")
    loaded = ns.load_clusters(tmp_path / "known.clusters")
    assert (loaded.strict, strict.strict) == (False, True)
    assert loaded.to_dict() == clusters.to_dict()
    for known in (clusters, loaded):
        again = known.assign(documents, vectors=as_vectors(between), open_new=False)
        assert np.array_equal(again.labels[late], clusters.labels[late])
        assert (again.labels[-30:] == -1).all()
    closed = strict.assign(documents, vectors=as_vectors(between), open_new=False)
    assert (closed.labels >= 0).sum() < (again.labels >= 0).sum()


def test_json_has_the_strength_of_every_member(between):
    clusters = ns.cluster(numbered(len(between)), vectors=as_vectors(between))
    strengths = dict(zip(clusters.ids, clusters.strengths.tolist(), strict=True))
    whole = clusters.to_dict()
    assert whole["strict"] is False
    for each in whole["clusters"]:
        assert each["strengths"] == pytest.approx([strengths[member] for member in each["members"]], abs=1e-4)


def test_strict_is_for_dense_regions():
    with pytest.raises(InputError, match="strict=True says nothing to method='kmeans'"):
        ns.cluster(numbered(4), 2, vectors=as_vectors(np.eye(4)), strict=True)


def purity(truth, labels):
    inside = labels >= 0
    return sum(np.unique(truth[labels == label], return_counts=True)[1].max() for label in set(labels[inside])) / (
        inside.sum()
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "column"),
    [
        ("banking77/train", "label"),
        ("clinc150/train", "label"),
        ("clustering/trec-questions-train", "fine"),
        ("clustering/tweet2472", "label"),
    ],
)
def test_most_texts_are_in_a_cluster_and_the_whole_is_no_farther_from_the_truth(data, name, column):
    rows = [row for row in data(name) if row["label"] != "oos"]
    texts, truth = [row["text"] for row in rows], np.array([str(row[column]) for row in rows])
    vectors = ns.load().encode(texts)
    strict, default = (ns.cluster(texts, vectors=vectors, strict=strict) for strict in (True, False))
    assert len(default.noise) <= 0.35 * len(texts)
    assert v_measure(truth, default.labels).v >= v_measure(truth, strict.labels).v
    assert purity(truth, default.labels) >= purity(truth, strict.labels) - 0.03
