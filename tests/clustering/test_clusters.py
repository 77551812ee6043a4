"""The verb: what comes out for texts whose groups are known, for any order of them, and for bad input."""

from __future__ import annotations

import numpy as np
import pytest

import nearsense as ns
from cluster_made import around, as_vectors, numbered, seen, texts
from nearsense.clustering.methods import default_min_size
from nearsense.errors import InputError, ModelMismatch
from nearsense.metrics import v_measure
from turns import in_turn

THREE = [12, 8, 5]


def test_k_clusters_are_the_groups_the_largest_first():
    clusters = ns.cluster(numbered(25), 3, vectors=around(THREE))
    assert [cluster.size for cluster in clusters] == THREE
    assert clusters.labels.tolist() == [0] * 12 + [1] * 8 + [2] * 5
    assert (clusters.method, clusters.noise, clusters.coverage) == ("kmeans", (), 1.0)
    assert set(clusters.get(1).members) == {f"d{n}" for n in range(12, 20)}


def test_without_k_there_are_as_many_as_there_are_and_the_rest_is_noise():
    vectors = around([*THREE, 1, 1])
    clusters = ns.cluster(numbered(27), vectors=vectors)
    assert [cluster.size for cluster in clusters] == THREE
    assert clusters.noise == ("d25", "d26")
    assert clusters.strengths[25:].tolist() == [0.0, 0.0]
    assert (clusters.method, clusters.exact) == ("density", True)


@pytest.mark.parametrize("options", [{"k": 4}, {}], ids=["k known", "k unknown"])
def test_any_order_gives_the_same_clusters(options, orders):
    given, _ = texts()
    documents = [ns.Document(str(row), text) for row, text in enumerate(given)]
    random = np.random.default_rng(0)
    first = seen(ns.cluster(documents, **options))
    for _ in range(orders):
        assert seen(ns.cluster(random.permutation(np.array(documents, object)).tolist(), **options)) == first


def test_cohesion_is_the_mean_of_all_pairs_and_the_exemplar_the_nearest_to_the_middle():
    vectors = around([9, 6], spread=0.2)
    for cluster in ns.cluster(numbered(15), 2, vectors=vectors):
        rows = [int(member[1:]) for member in cluster.members]
        own = vectors.data[rows].astype(float)
        pairs = (own @ own.T)[np.triu_indices(len(rows), 1)]
        assert cluster.cohesion == pytest.approx(pairs.mean(), abs=1e-5)
        near = own @ own.mean(axis=0)
        assert near.argmax() == 0
        assert cluster.exemplar.id == cluster.members[0]
        assert (np.diff(near) < 1e-4).all()


def test_methods_are_chosen_by_what_is_given():
    vectors = around(THREE)
    assert ns.cluster(numbered(25), 3, vectors=vectors, method="balanced").method == "balanced"
    grouped = ns.cluster(numbered(25), vectors=vectors, min_score=0.5)
    assert (grouped.method, [each.size for each in grouped]) == ("agglomerative", THREE)


@in_turn(
    ("options", "said"),
    [
        ({"k": 26}, "26"),
        ({"k": 0}, "k=0"),
        ({"k": True}, "k=True"),
        ({"k": 2.5}, "k=2.5"),
        ({"method": "kmeans"}, "without k"),
        ({"method": "density", "k": 2}, "says nothing"),
        ({"k": 2, "min_size": 3}, "says nothing"),
        ({"k": 2, "strict": True}, "strict=True says nothing to method='kmeans'"),
        ({"strip": "tags"}, "use one of: html, urls, quotes"),
        ({"min_size": 1}, "min_size=1"),
        ({"min_score": 1.5}, "min_score"),
        ({"method": "magic"}, "not known"),
        ({"k": 2, "seed": -1}, "seed=-1"),
        ({"seed": 0.5}, "seed=0.5"),
        ({"language": "xx"}, "no stop words are known of language 'xx'"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_encoded(options, said):
    with pytest.raises(InputError, match=said):
        ns.cluster(numbered(25), encoder="no-such-model", **options)


@pytest.mark.parametrize("count", [0, 1, 2])
def test_hardly_any_texts_are_no_cluster(count):
    clusters = ns.cluster(numbered(count), vectors=around([count]))
    assert len(clusters) == 0
    assert len(clusters.noise) == count
    assert clusters.to_dict()["texts"] == count
    assert str(clusters)


@pytest.mark.parametrize("count", [1, 2])
def test_hardly_any_texts_are_k_clusters(count):
    clusters = ns.cluster(numbered(count), count, vectors=as_vectors(np.eye(4)[:count]))
    assert [cluster.size for cluster in clusters] == [1] * count
    assert len({cluster.label for cluster in clusters}) == count


@pytest.mark.parametrize("options", [{}, {"k": 3}])
def test_equal_texts_are_one_cluster(options):
    documents = [ns.Document(str(row), "the same words") for row in range(20)]
    clusters = ns.cluster(documents, **options)
    assert [cluster.size for cluster in clusters] == [20]
    assert clusters[0].cohesion == pytest.approx(1.0, abs=1e-3)
    assert clusters[0].label == "words"


def test_texts_that_are_all_different_are_noise():
    clusters = ns.cluster(numbered(20), vectors=as_vectors(np.eye(20)))
    assert len(clusters.noise) in (0, 20)


def test_clusters_are_of_one_model():
    with pytest.raises(ModelMismatch):
        ns.cluster(numbered(25), 2, vectors=around(THREE), encoder=ns.load())
    with pytest.raises(InputError, match="24 texts, 25 vectors"):
        ns.cluster(numbered(24), 2, vectors=around(THREE))


def test_a_vector_without_direction_is_named():
    vectors = around(THREE)
    data = vectors.data.copy()
    data[3] = 0
    with pytest.raises(InputError, match="vector 3"):
        ns.cluster(numbered(25), 2, vectors=ns.Vectors(data, "made", vectors.truncated))


def test_a_long_text_is_no_problem():
    given, _ = texts()
    clusters = ns.cluster([*given, "exchange rate " * 500_000], 4, encoder=_Short())
    assert sum(cluster.size for cluster in clusters) == 61


class _Short:
    """Vectors of texts by their first letters: the model is not what is asked here."""

    name, fingerprint, dimension = "letters", "letters", 64

    def encode(self, given, *, role=None, long=None, progress=False):
        data = np.zeros((len(given := list(given)), 64))
        for row, text in enumerate(given):
            for place, letter in enumerate(text[:40]):
                data[row, (ord(letter) * 7 + place) % 64] += 1
        vectors = as_vectors(data)
        return ns.Vectors(vectors.data, self.fingerprint, vectors.truncated, self.name)


def test_a_notebook_shows_names_and_not_every_member():
    shown = ns.cluster(numbered(25), 3, vectors=around(THREE))._repr_html_()
    assert "text number" in shown
    assert "d24" not in shown
    assert "members" not in shown


def test_to_pandas_has_a_row_a_cluster():
    pytest.importorskip("pandas")
    frame = ns.cluster(numbered(25), 3, vectors=around(THREE)).to_pandas()
    assert frame["size"].tolist() == THREE


def test_the_smallest_cluster_grows_with_the_root_of_the_texts():
    assert [default_min_size(n) for n in (0, 20, 2_500, 250_000)] == [3, 3, 10, 100]


@pytest.mark.slow
def test_tweets_are_found_again_and_most_are_in_a_cluster(data):
    rows = data("clustering/tweet2472")
    clusters = ns.cluster([row["text"] for row in rows])
    truth = np.array([str(row["label"]) for row in rows])
    assert clusters.coverage > 0.8
    assert v_measure(truth, clusters.labels).v > 0.85
    assert 40 <= len(clusters) <= 100


def test_clusters_remember_the_seed_that_they_were_found_with():
    assert ns.cluster(numbered(25), 3, vectors=around([10, 8, 7]), seed=7).model.seed == 7
