"""Outliers stand alone, and representatives show the breadth of a cluster."""

from __future__ import annotations

import numpy as np
import pytest

import nearsense as ns
from cluster_made import around, as_vectors, numbered
from nearsense.errors import InputError


def test_outliers_are_those_whose_nearest_other_text_is_farthest():
    vectors = around([10, 10, 1, 1], spread=0.1)
    clusters = ns.cluster(numbered(22), 2, vectors=vectors)
    scores = vectors.data @ vectors.data.T
    np.fill_diagonal(scores, -2)
    best = np.argsort(scores.max(axis=1))[:5]
    found = clusters.outliers(5)
    assert {hit.id for hit in found[:2]} == {"d20", "d21"}
    assert [hit.id for hit in found] == [f"d{row}" for row in best]
    assert [hit.score for hit in found] == pytest.approx(scores.max(axis=1)[best].tolist(), abs=1e-5)


def test_the_same_words_again_are_no_company():
    documents = [*numbered(10), ns.Document("x", "odd"), ns.Document("y", "odd")]
    data = np.vstack([around([10]).data, *([np.eye(32)[5:6]] * 2)])
    assert ns.cluster(documents, 2, vectors=as_vectors(data)).outliers(1)[0].id == "x"


def test_representatives_begin_with_the_exemplar_and_differ():
    data = np.repeat([[1, 0.3, 0], [1, 0, 0.3], [1, 0.01, 0.01]], [5, 5, 3], axis=0)
    data = data + 0.001 * np.random.default_rng(0).standard_normal(data.shape)
    clusters = ns.cluster(numbered(13), 1, vectors=as_vectors(data))
    found = clusters.representatives(0, 3)
    assert found[0].id == clusters[0].exemplar.id
    sides = {(int(hit.id[1:]) // 5) for hit in found}
    assert sides == {0, 1, 2}
    assert [hit.rank for hit in found] == [1, 2, 3]


def test_no_representative_says_what_another_says():
    documents = [ns.Document(str(row), "the same") for row in range(5)]
    clusters = ns.cluster(documents, 1, vectors=around([5]))
    assert len(clusters.representatives(0, 5)) == 1


@pytest.mark.parametrize("count", [0, 1])
def test_who_is_alone_is_no_outlier(count):
    assert ns.cluster(numbered(count), vectors=around([count])).outliers() == []


def test_none_is_not_a_number_of_texts():
    clusters = ns.cluster(numbered(10), 1, vectors=around([10]))
    for ask in (lambda: clusters.outliers(0), lambda: clusters.representatives(0, 0)):
        with pytest.raises(InputError, match="n"):
            ask()
