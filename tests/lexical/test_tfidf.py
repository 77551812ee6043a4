"""TF-IDF against scikit-learn's: it is meant to be the same."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.feature_extraction.text import TfidfVectorizer

from nearsense.lexical.tfidf import Sparse, Tfidf, overlaps, paired_dot
from samples import awkward_texts

LIKE = {"words": {}, "characters": {"analyzer": "char_wb", "ngram_range": (3, 5)}}


@pytest.fixture(scope="module")
def texts():
    return awkward_texts(300)


def dense(sparse: Sparse) -> np.ndarray:
    whole = np.zeros((len(sparse), sparse.width))
    whole[sparse.rows, sparse.columns] = sparse.values
    return whole


@pytest.mark.parametrize("unit", LIKE)
def test_similarities_are_those_of_scikit_learn(texts, unit):
    reference = TfidfVectorizer(**LIKE[unit]).fit(texts)
    model = Tfidf(texts, unit)
    left, right = texts[:150], texts[150:]
    expected = (reference.transform(left) @ reference.transform(right).T).toarray()
    assert model.fitted.width == len(reference.vocabulary_)
    assert dense(model(left)) @ dense(model(right)).T == pytest.approx(expected, abs=1e-9)
    assert paired_dot(model(left), model(right)) == pytest.approx(expected.diagonal(), abs=1e-9)
    found = np.vstack([block for _, block in overlaps(model(left), model(right))])
    assert found == pytest.approx(expected, abs=1e-5)  # float32


@pytest.mark.parametrize("unit", LIKE)
def test_terms_that_were_not_learnt_count_for_nothing(unit):
    texts, other = ["a red car", "a blue car"], ["a red submarine", "zzzz", ""]
    reference, model = TfidfVectorizer(**LIKE[unit]).fit(texts), Tfidf(texts, unit)
    expected = (reference.transform(other) @ reference.transform(texts).T).toarray()
    assert dense(model(other)) @ dense(model.fitted).T == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("unit", LIKE)
def test_texts_without_a_term_are_rows_of_zeros(unit):
    model = Tfidf(["", " ", "?"[:0]], unit)
    assert model.fitted.width == 0
    assert paired_dot(model([""]), model([" "])).tolist() == [0.0]


def test_a_projection_keeps_similarities_roughly(texts):
    weights = Tfidf([text for text in texts if len(text) > 200]).fitted
    whole = dense(weights)
    near = weights.projected(4096)
    filled = np.linalg.norm(whole, axis=1) > 0
    assert np.linalg.norm(near[filled], axis=1) == pytest.approx(np.ones(filled.sum()), abs=1e-6)
    assert np.abs(near[filled] @ near[filled].T - whole[filled] @ whole[filled].T).mean() < 0.02


def test_rows_are_taken_in_the_order_asked_for(texts):
    weights = Tfidf(texts).fitted
    rows = np.array([5, 2, 2, 290])
    assert np.array_equal(dense(weights.take(rows)), dense(weights)[rows])
