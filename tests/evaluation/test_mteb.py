"""The wrapper for MTEB: its protocol without the package, and the same figures with it."""

from __future__ import annotations

from enum import StrEnum

import numpy as np
import pytest

import nearsense as ns
from nearsense.datasets import GradedPairs
from nearsense.integrations.mteb import MtebEncoder, as_mteb
from nearsense.records import Metric, Vectors

TEXTS = ["a dog barks", "a hound is loud", "the moon is full", "tea is hot"]


class PromptType(StrEnum):
    """As MTEB has it."""

    query = "query"
    document = "document"


class Fake:
    """An encoder that needs to know the role of a text, and remembers what it was told."""

    name, dimension, max_tokens, fingerprint, needs_role = "fake", 2, 8, "f" * 64, True
    similarity = Metric.DOT

    def __init__(self):
        self.roles = []

    def encode(self, texts, *, role=None, **_options):
        self.roles.append(role)
        data = np.array([[len(text), 1.0] for text in texts], np.float32)
        return Vectors(data, self.fingerprint, np.zeros(len(data), bool), self.name)


def test_batches_become_rows_in_their_order(encoder):
    wrapped = as_mteb(encoder)
    found = wrapped.encode(
        [{"text": TEXTS[:3]}, {"text": TEXTS[3:]}], task_metadata=None, hf_split="test", hf_subset=""
    )
    assert found.shape == (4, encoder.dimension)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, encoder.encode(TEXTS).data, atol=1e-3)


def test_similarities_are_those_of_the_model(encoder):
    wrapped = as_mteb(encoder)
    vectors = encoder.encode(TEXTS).data
    table = np.asarray(wrapped.similarity(3 * vectors, vectors[:2]))
    assert table.shape == (4, 2)
    np.testing.assert_allclose(table, vectors @ vectors[:2].T, atol=1e-3)
    pairs = np.asarray(wrapped.similarity_pairwise(vectors[:2], vectors[2:]))
    assert pairs.shape == (2,)
    np.testing.assert_allclose(pairs, np.sum(vectors[:2] * vectors[2:], axis=1), atol=1e-6)


def test_dot_products_keep_the_lengths():
    wrapped = MtebEncoder(Fake())
    assert np.asarray(wrapped.similarity([[3.0, 0.0]], [[2.0, 1.0]])).tolist() == [[6.0]]


def test_sides_of_a_search_become_roles():
    wrapped = MtebEncoder(Fake())
    for prompt in (PromptType.query, PromptType.document, "document", None):
        wrapped.encode([{"text": ["a"]}], prompt_type=prompt)
    assert wrapped.encoder.roles == ["query", "passage", "passage", "query"]


def test_mteb_is_named_where_it_is_missing(encoder):
    import importlib.util

    if importlib.util.find_spec("mteb"):
        pytest.skip("it is here")
    with pytest.raises(ns.errors.MissingExtra) as caught:
        _ = as_mteb(encoder).mteb_model_meta
    assert caught.value.fix == "pip install mteb"


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_mteb_finds_the_same_spearman(exact, data):
    mteb = pytest.importorskip("mteb")
    from datasets import Dataset
    from mteb.abstasks.sts import AbsTaskSTS
    from mteb.abstasks.task_metadata import TaskMetadata

    rows = data("stsb/en-dev")
    content = {"sentence1": [row["a"] for row in rows], "sentence2": [row["b"] for row in rows]}
    content["score"] = [row["score"] for row in rows]

    class Local(AbsTaskSTS):
        metadata = TaskMetadata(
            name="LocalSTS", description="STS benchmark", reference=None,
            dataset={"path": "local", "revision": "1"},
            type="STS", category="t2t", eval_splits=["dev"], eval_langs=["eng-Latn"], main_score="cosine_spearman",
            date=None, domains=None, task_subtypes=None, license=None, annotations_creators=None, dialect=None,
            sample_creation=None, bibtex_citation=None, modalities=["text"],
        )  # fmt: skip

        def load_data(self, **_options):
            self.dataset, self.data_loaded = {"dev": Dataset.from_dict(content)}, True

    wrapped = as_mteb(exact)
    assert isinstance(wrapped, mteb.models.EncoderProtocol)
    theirs = mteb.evaluate(wrapped, Local(), cache=None).task_results[0].scores["dev"][0]
    pairs = list(zip(content["sentence1"], content["sentence2"], strict=True))
    ours = ns.evaluate(exact, GradedPairs(pairs=pairs, scores=content["score"]), baselines=False)
    assert ours.figure("spearman").value == pytest.approx(theirs["cosine_spearman"], abs=1e-6)
