"""The default model against sentence-transformers, and against figures that were published."""

from __future__ import annotations

import numpy as np
import pytest

import nearsense as ns
from nearsense.encoders.folder import find
from samples import awkward_texts
from turns import in_turn

pytestmark = pytest.mark.filterwarnings("ignore::nearsense.UnknownTextWarning")
sentence_transformers = pytest.importorskip("sentence_transformers", reason="needs the extra 'test' (with torch)")


@pytest.fixture(scope="module")
def texts():
    return awkward_texts(100)


@pytest.fixture(scope="module")
def reference(texts):
    model = sentence_transformers.SentenceTransformer(str(find("all-MiniLM-L6-v2").path), device="cpu")
    return model.encode(texts, batch_size=32)


@pytest.fixture(scope="module")
def in_f32(exact, texts):
    return exact.encode(texts, long="head").data


def test_f32_vectors_equal_those_of_sentence_transformers(in_f32, reference):
    cosines = (in_f32.astype(np.float64) * reference).sum(axis=1)
    assert cosines.min() >= 0.999999


def test_bf16_vectors_are_near_those_of_f32(in_f32, texts):
    encoder = ns.load(precision="bf16")
    cosines = (encoder.encode(texts, long="head").data * in_f32).sum(axis=1)
    assert cosines.min() >= 0.9999


def test_the_vector_of_hello_world_begins_as_published(exact):
    start = exact.encode("hello world").data[0, :5]
    np.testing.assert_allclose(start, [-0.0345, 0.0310, 0.0067, 0.0261, -0.0394], atol=6e-5)


@in_turn(
    ("a", "b", "score"),
    [
        ("A dog is playing in the park.", "A puppy is running outside.", 0.4189),
        ("The stock market crashed today.", "Investors lost billions overnight.", 0.5578),
        ("She loves reading mystery novels.", "The weather forecast shows heavy rain.", 0.0182),
        (
            "Python is a popular programming language.",
            "Many developers use Python for data science.",
            0.7595,
        ),
    ],
)
def test_known_pairs_have_their_known_scores(exact, a, b, score):
    assert round(ns.compare(a, b, encoder=exact).score, 4) == score


def test_a_known_ranking_has_its_known_scores(exact):
    known = {
        "Steps to build a deep learning model.": 0.5657,
        "Backpropagation computes gradients in neural networks.": 0.4655,
        "Gradient descent optimises model weights during training.": 0.3500,
        "I enjoy hiking on weekends.": -0.1051,
    }
    hits = ns.rank("How do I train a neural network?", sorted(known), encoder=exact)
    assert {hit.text: round(hit.score, 4) for hit in hits} == known
    assert [hit.text for hit in hits] == list(known)


@pytest.mark.slow
def test_sts_benchmark_has_the_published_correlations(exact, data):
    rows = data("stsb/en-dev")
    truth = [row["score"] for row in rows]
    pairs = [(row["a"], row["b"]) for row in rows]
    scores = [each.score for each in ns.compare_pairs(pairs, encoder=exact)]
    assert ns.metrics.spearman(scores, truth) * 100 == pytest.approx(86.72, abs=0.005)
    assert ns.metrics.pearson(scores, truth) * 100 == pytest.approx(86.96, abs=0.005)


@pytest.mark.slow
def test_bf16_costs_nothing_in_correlation(exact, data):
    rows = data("stsb/en-dev")
    truth = [row["score"] for row in rows]
    pairs = [(row["a"], row["b"]) for row in rows]
    scores = [each.score for each in ns.compare_pairs(pairs, encoder=ns.load(precision="bf16"))]
    assert ns.metrics.spearman(scores, truth) * 100 == pytest.approx(86.72, abs=0.05)
