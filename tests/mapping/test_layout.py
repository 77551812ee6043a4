"""Layouts: principal components against scikit-learn, neighbours kept, nothing left to the order of rows."""

from __future__ import annotations

import numpy as np
import pytest

import nearsense as ns
from nearsense.mapping import (
    DARK,
    GREY,
    LIGHT,
    NEIGHBOURS,
    Layout,
    Pairs,
    Scene,
    anchors,
    first_rows,
    neighbour_layout,
    principal_components,
    shared_colours,
)
from nearsense.mining import nearest
from nearsense.records import Document, Neighbours
from turns import in_turn


def clouds(n=600, clusters=6, width=24, seed=0):
    """Unit vectors around some middles, and which one each is around."""
    random = np.random.default_rng(seed)
    labels = np.arange(n) % clusters
    vectors = random.normal(0, 1, (clusters, width))[labels] * 1.5 + random.normal(0, 0.5, (n, width))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors.astype(np.float32), labels


def test_principal_components_are_those_of_scikit_learn():
    from sklearn.decomposition import PCA

    vectors, _ = clouds()
    truth = PCA(2, svd_solver="full").fit_transform(vectors)
    found = principal_components(vectors)
    for axis in range(2):
        assert abs(np.corrcoef(truth[:, axis], found[:, axis])[0, 1]) == pytest.approx(1, abs=1e-4)
    spread = truth.std(axis=0) / found.std(axis=0)
    assert spread[0] == pytest.approx(spread[1], rel=1e-3), "one factor for both axes"
    assert np.abs(found).max() == pytest.approx(1)


def test_principal_components_do_not_depend_on_the_order_of_rows():
    vectors, _ = clouds()
    order = np.random.default_rng(1).permutation(len(vectors))
    np.testing.assert_allclose(
        principal_components(vectors[order]), principal_components(vectors)[order], atol=1e-4
    )


@in_turn("rows", [0, 1, 2, 5])
def test_vectors_that_do_not_differ_lie_on_one_point(rows):
    assert principal_components(np.ones((rows, 8), np.float32)).tolist() == [[0.0, 0.0]] * rows


def test_a_line_stays_a_line():
    found = principal_components(np.array([[0.0], [1.0], [3.0]], np.float32))
    np.testing.assert_allclose(found, [[-1, 0], [-1 / 3, 0], [1, 0]], atol=1e-6)


def test_the_neighbour_layout_keeps_clusters_and_neighbours_better_than_principal_components():
    from sklearn.neighbors import NearestNeighbors

    vectors, labels = clouds(600, clusters=15)
    graph = nearest(vectors, NEIGHBOURS)
    start = principal_components(vectors)

    def kept(points):
        near = NearestNeighbors(n_neighbors=11).fit(points).kneighbors(points, return_distance=False)[:, 1:]
        own = (labels[near] == labels[:, None]).mean()
        return own, np.mean([len(set(a) & set(b)) / 10 for a, b in zip(near, graph.ids[:, :10], strict=True)])

    laid = kept(neighbour_layout(start, graph))
    before = kept(start)
    assert laid[0] > 0.97 > before[0]
    assert laid[1] > 0.4 > before[1]


def test_the_same_seed_gives_the_same_map():
    vectors, _ = clouds(200)
    graph, start = nearest(vectors, NEIGHBOURS), principal_components(vectors)
    first = neighbour_layout(start, graph, seed=3)
    assert np.abs(first).max() == pytest.approx(1)
    np.testing.assert_array_equal(first, neighbour_layout(start, graph, seed=3))


@pytest.mark.slow
def test_threads_do_not_change_a_large_map():
    vectors, _ = clouds(4_500)
    graph, start = nearest(vectors, NEIGHBOURS), principal_components(vectors)
    np.testing.assert_array_equal(
        neighbour_layout(start, graph, threads=1), neighbour_layout(start, graph, threads=2)
    )


def test_progress_counts_up_to_the_last_step():
    vectors, _ = clouds(60)
    told = []
    neighbour_layout(
        principal_components(vectors),
        nearest(vectors, 20),
        progress=lambda done, total: told.append((done, total)),
    )
    assert told[-1][0] == told[-1][1]
    assert [done for done, _ in told] == sorted(done for done, _ in told)


def test_different_texts_are_taken_once_in_their_own_order():
    rows, places = first_rows(["c", "a", "c", "b"])
    assert rows.tolist() == [1, 3, 0]
    assert places.tolist() == [2, 0, 2, 1]


def test_clusters_of_one_colour_lie_apart():
    random = np.random.default_rng(0)
    places = random.uniform(-1, 1, (60, 2)).astype(np.float32)
    colours = shared_colours(places, random.integers(5, 100, 60))
    assert set(colours) == set(range(len(LIGHT)))
    apart = np.linalg.norm(places[:, None] - places[None], axis=2) + 9 * np.eye(60)
    same = np.where(colours[:, None] == colours[None], apart, 9).min(axis=1)
    assert np.median(same) > 3 * np.median(apart.min(axis=1))


MACHADO = {
    "everybody": np.eye(3),
    "deuteranopia": [
        [0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.01182, 0.04294, 0.968881],
    ],
    "protanopia": [
        [0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998],
    ],
}  # fmt: skip
"""What two kinds of colour blindness make of linear sRGB (Machado, Oliveira, Fernandes 2009)."""


@in_turn("sight", MACHADO)
@in_turn("palette", [(*LIGHT, GREY[0]), (*DARK, GREY[1])])
def test_colours_are_told_apart(palette, sight):
    srgb = np.array([[int(each[at : at + 2], 16) / 255 for at in (1, 3, 5)] for each in palette])
    linear = np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)
    seen = np.clip(linear @ np.array(MACHADO[sight]).T, 0, 1)
    xyz = seen @ np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]).T
    f = np.cbrt(xyz / [0.9505, 1, 1.089])
    lab = np.stack([116 * f[:, 1] - 16, 500 * (f[:, 0] - f[:, 1]), 200 * (f[:, 1] - f[:, 2])], axis=1)
    apart = np.linalg.norm(lab[:, None] - lab[None], axis=2) + 999 * np.eye(len(palette))
    assert apart.min() > 20


def test_a_name_stands_on_a_text_of_the_densest_part_of_its_cluster():
    points = np.array([[0, 0], [0.1, 0], [0, 0.1], [0.05, 0.05], [1, 1]], np.float32)
    nobody = Neighbours(np.zeros((5, 0), np.int64), np.zeros((5, 0), np.float32), np.zeros(5, np.int64))
    documents = [Document(str(row), "x") for row in range(5)]
    one = Scene(documents, points, np.zeros(5, np.int64), ["all", "empty"], nobody, Pairs.none())
    np.testing.assert_allclose(anchors(one), [[0.05, 0.05], [0, 0]])
    with pytest.raises(ns.errors.InputError, match="one point, one label"):
        Scene(documents[:4], points, np.zeros(5, np.int64), ["all"], nobody)
    with pytest.raises(ns.errors.InputError, match="labels from 0 to 0 for 0 names"):
        Scene(documents, points, np.zeros(5, np.int64), [], nobody)


def test_the_layouts_are_named():
    assert [each.value for each in Layout] == ["pca", "neighbours"]
