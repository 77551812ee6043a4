"""One level up and one down: themes hold whole clusters, parts are of one cluster."""

from __future__ import annotations

import numpy as np
import pytest

import nearsense as ns
from cluster_made import around, as_vectors, numbered
from nearsense.errors import InputError
from nearsense.metrics import v_measure

TIGHT = 0.02


def families():
    """Nine clusters of three families: the centres of a family are near each other."""
    random = np.random.default_rng(1)
    family = np.repeat(np.eye(24)[:3], 3, axis=0)
    centres = family + 0.5 * np.eye(24)[3:12]
    data = np.repeat(centres, 6, axis=0) + TIGHT * random.standard_normal((54, 24))
    return as_vectors(data), np.repeat(np.arange(3), 18)


def test_themes_are_the_families():
    vectors, family = families()
    clusters = ns.cluster(numbered(54), 9, vectors=vectors)
    assert [theme.size for theme in clusters.themes] == [18, 18, 18]
    assert v_measure(family, clusters.themes.labels).v == pytest.approx(1.0)
    for cluster in clusters:
        assert set(cluster.members) <= set(clusters.themes.get(cluster.parent).members)
    assert len({theme.label for theme in clusters.themes}) == 3


def test_few_clusters_have_no_themes():
    clusters = ns.cluster(numbered(25), 3, vectors=around([12, 8, 5]))
    assert clusters.themes is None
    assert {cluster.parent for cluster in clusters} == {None}


def test_a_split_is_of_one_cluster_alone():
    vectors, _ = families()
    clusters = ns.cluster(numbered(54), 3, vectors=vectors)
    parts = clusters.split(0, 3)
    assert sorted(member for part in parts for member in part.members) == sorted(clusters[0].members)
    assert [part.size for part in parts] == [6, 6, 6]
    assert {part.parent for part in parts} == {0}
    assert len(clusters.split(0)) == 3


@pytest.mark.parametrize("k", [0, 13])
def test_a_cluster_is_split_into_no_more_than_it_has(k):
    clusters = ns.cluster(numbered(25), 3, vectors=around([12, 8, 5]))
    with pytest.raises(InputError, match="cannot be split"):
        clusters.split(0, k)
    with pytest.raises(InputError, match="no cluster has the id 7"):
        clusters.split(7)


@pytest.mark.slow
def test_themes_of_assistant_requests_are_their_domains(data):
    rows = [row for row in data("clinc150/train") if row["label"] != "oos"]
    clusters = ns.cluster([row["text"] for row in rows], 150)
    assert v_measure([row["domain"] for row in rows], clusters.themes.labels).v > 0.5
