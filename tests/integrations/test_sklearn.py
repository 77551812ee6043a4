"""The estimators, by scikit-learn's own checks and beside its own estimators."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.cluster import HDBSCAN, KMeans
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import adjusted_rand_score
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.utils.estimator_checks import parametrize_with_checks

from clustering.grouped import blobs, sets
from nearsense.errors import InputError
from nearsense.integrations.sklearn import DensityClusterer, SemanticDeduplicator, SphericalKMeans, TextEncoder

TEXTS = ["a dog barks", "a dog is barking", "interest rates rise", "the rates of interest go up", "tea"]


@parametrize_with_checks([SphericalKMeans(3), DensityClusterer(), SemanticDeduplicator()])
def test_scikit_learns_own_checks_pass(estimator, check):
    check(estimator)


def test_inertia_is_within_a_percent_of_kmeans():
    rows, _ = blobs(spread=1.0)
    assert SphericalKMeans(8).fit(rows).inertia_ < 1.01 * KMeans(8, n_init=10, random_state=0).fit(rows).inertia_


def test_kmeans_sends_rows_to_the_nearest_centre():
    rows, truth = blobs(spread=0.5)
    model = SphericalKMeans(8).fit(rows[::2] * 7)
    assert adjusted_rand_score(truth[1::2], model.predict(rows[1::2])) == 1.0
    assert np.allclose(model.transform(rows), 1 - rows @ model.cluster_centers_.T, atol=1e-6)
    assert np.isclose(model.score(rows), -2 * model.transform(rows).min(axis=1).sum(), rtol=1e-5)
    assert model.get_feature_names_out().tolist() == [f"sphericalkmeans{column}" for column in range(8)]


def test_kmeans_says_of_the_rows_it_learnt_from_what_it_said_while_learning():
    rows, _ = blobs(spread=2.0)
    rows = np.vstack([rows, np.zeros((3, rows.shape[1]))])
    model = SphericalKMeans(9).fit(rows)
    assert np.array_equal(model.labels_, model.predict(rows))
    assert np.array_equal(np.argsort(-np.bincount(model.labels_), kind="stable"), np.arange(9))
    assert np.isclose(model.score(rows[:-3]), -2 * model.transform(rows[:-3]).min(axis=1).sum(), rtol=1e-5)


def test_a_table_is_no_list_of_texts():
    pandas = pytest.importorskip("pandas")
    with pytest.raises(InputError, match="table"):
        TextEncoder().fit_transform(pandas.DataFrame({"text": TEXTS}))


def test_density_gives_the_labels_of_hdbscan():
    rows = np.vstack([blobs(spread=0.6)[0], blobs(groups=100, each=1, seed=5)[0]])
    theirs = HDBSCAN(min_cluster_size=8, metric="cosine", algorithm="brute", copy=True).fit(rows).labels_
    assert adjusted_rand_score(theirs, DensityClusterer(8, by_row=True).fit_predict(rows)) > 0.99


def test_every_row_that_goes_is_near_the_one_that_is_kept():
    rows, _ = blobs(spread=0.7)
    model = SemanticDeduplicator(min_score=0.8).fit(rows)
    scores = np.vecdot(rows, rows[model.kept_for_])
    assert (scores >= 0.8).all()
    assert np.allclose(model.scores_, scores, atol=1e-6)
    kept = rows[model.kept_] @ rows[model.kept_].T - 2 * np.eye(len(model.kept_))
    assert kept.max() < 0.8
    assert np.array_equal(model.kept_for_[model.kept_], model.kept_)
    assert np.array_equal(model.predict(rows[model.kept_]), model.labels_[model.kept_])
    assert (model.predict(-rows) == -1).any()


def test_texts_are_deduplicated_with_what_belongs_to_them(encoder):
    texts = [*TEXTS, "a dog barks"]
    model = SemanticDeduplicator(0.75, encoder=encoder)
    kept, labels = model.fit_resample(texts, [1, 1, 2, 2, 3, 1])
    assert labels.tolist() == [1, 2, 3]
    assert set(kept) < set(texts)
    assert model.predict(["interest rates rise", "the moon"]).tolist() == [model.labels_[2], -1]


def test_texts_go_through_a_pipeline_and_a_search_for_parameters(encoder):
    pipeline = make_pipeline(TextEncoder(encoder), LogisticRegression())
    labels = [0, 0, 1, 1, 0]
    assert pipeline.fit(TEXTS, labels).score(TEXTS, labels) == 1.0
    search = GridSearchCV(pipeline, {"logisticregression__C": [0.1, 1.0]}, cv=2).fit(TEXTS, labels)
    assert search.best_params_["logisticregression__C"] in (0.1, 1.0)
    labels = make_pipeline(TextEncoder(encoder), SphericalKMeans(3)).fit_predict(TEXTS)
    assert sets(labels) == {frozenset({0, 1}), frozenset({2, 3}), frozenset({4})}


def test_vectors_are_the_encoders_and_a_clone_shares_it(encoder):
    step = TextEncoder(encoder)
    assert np.array_equal(step.transform(np.array(TEXTS)), encoder.encode(TEXTS).data)
    assert clone(step).encoder is encoder
    assert clone(SemanticDeduplicator(encoder=encoder)).encoder is encoder
    assert len(step.get_feature_names_out()) == 384


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("one text", "one text is given where a list of texts"),
        ([1, 2], "text 0 is of type int"),
        ([["a", "b"]], "text 0 is of type list"),
        (["a", None], "text 1 is None"),
    ],
)
def test_what_is_no_list_of_texts_is_a_clear_error(encoder, given, said):
    with pytest.raises(InputError, match=said):
        TextEncoder(encoder).transform(given)


@pytest.mark.parametrize("k", ["two", 2.5, 0])
def test_a_number_of_clusters_that_is_none_is_a_clear_error(k):
    with pytest.raises(InputError, match="n_clusters="):
        SphericalKMeans(k).fit(np.eye(3))


def test_more_groups_than_rows_are_a_clear_error():
    with pytest.raises(ValueError, match="n_samples=2 should be >= n_clusters=3"):
        SphericalKMeans(3).fit(np.eye(2))
