"""Vectors in fewer bytes, against the definition."""

from __future__ import annotations

import numpy as np
import pytest

import nearsense as ns
from nearsense.quantize import quantize


@pytest.fixture(scope="module")
def vectors():
    data = np.random.default_rng(0).normal(size=(500, 100)).astype(np.float32)
    data /= np.linalg.norm(data, axis=1, keepdims=True)
    return ns.Vectors(data, "f" * 64, np.zeros(500, np.bool_), "some model")


def test_int8_is_off_by_half_a_step_at_most(vectors):
    small = quantize(vectors, "int8", anyway=True)
    assert small.data.dtype == np.int8
    step = np.abs(vectors.data).max(axis=1, keepdims=True) / 127
    assert (np.abs(small.restored().data - vectors.data) <= step / 2 + 1e-7).all()


def test_binary_keeps_the_sign_of_each_number(vectors):
    small = quantize(vectors, "binary", anyway=True)
    assert small.data.shape == (500, 13)
    assert (np.sign(small.restored().data) == np.where(vectors.data > 0, 1, -1)).all()
    np.testing.assert_allclose(np.linalg.norm(small.restored().data, axis=1), 1, rtol=1e-6)


@pytest.mark.parametrize("kind", ["int8", "binary"])
def test_recall_is_the_share_of_neighbours_that_brute_force_still_finds(vectors, kind):
    small = quantize(vectors, kind, anyway=True)
    rows = np.unique(np.linspace(0, 499, 200).astype(int))
    shares = []
    for row in rows:
        was, now = (
            [int(each) for each in np.argsort(-(data @ vectors.data[row]), kind="stable") if each != row][:10]
            for data in (vectors.data.astype(np.float64), small.restored().data.astype(np.float64))
        )
        shares.append(len({*was} & {*now}) / 10)
    assert small.recall(vectors) == pytest.approx(np.mean(shares), abs=0.01)


def test_int8_loses_less_than_binary(vectors):
    int8, binary = (quantize(vectors, kind, anyway=True).recall(vectors) for kind in ("int8", "binary"))
    assert binary < 0.7 < 0.95 < int8


def test_a_model_whose_makers_say_nothing_is_refused(vectors):
    with pytest.raises(ns.errors.InputError, match="nobody says that vectors of some model can be int8") as caught:
        quantize(vectors, "int8")
    assert "recall" in caught.value.fix


def test_a_model_that_was_made_for_it_is_not():
    vectors = ns.Vectors(np.eye(4, dtype=np.float32), "f", np.zeros(4, np.bool_), "mxbai-embed-large-v1")
    assert quantize(vectors, "binary").data.tolist() == [[128], [64], [32], [16]]


def test_zero_vectors_stay_zero():
    vectors = ns.Vectors(np.zeros((2, 8), np.float32), "f", np.zeros(2, np.bool_))
    assert not quantize(vectors, "int8", anyway=True).restored().data.any()


def test_quantized_vectors_know_their_model(vectors):
    small = quantize(vectors, "int8", anyway=True)
    other = ns.Vectors(vectors.data, "e" * 64, vectors.truncated)
    with pytest.raises(ns.errors.ModelMismatch):
        small.recall(other)
    with pytest.raises(ns.errors.InputError, match="int4"):
        quantize(vectors, "int4")
