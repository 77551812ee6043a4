"""Where words are compared, the model reads a question once: its vector and its words come of one pass."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

import nearsense as ns
from faq_shop import ANSWERS, ASKED, STRANGERS, WORDINGS
from nearsense.encoders.packing import pool
from nearsense.errors import TextTooLong, TruncationWarning
from nearsense.faq import nearness

ITEMS = [
    {"id": name, "question": question, "answer": ANSWERS[name]}
    for name, question in zip(ANSWERS, WORDINGS[0], strict=True)
]
TEXTS = [*ASKED, *STRANGERS, "   Where is it?  ", "ÜBER\tTÜRKISCH", "?!", "a", "word " * 90]


def runs(monkeypatch):
    """The texts that an engine is given, a list a run."""
    from nearsense.encoders import openvino

    seen = []
    inner = openvino.Runner.run

    def run(self, requests):
        listed = list(requests)
        seen.append(sum(len(request.lengths) for request in listed))
        return inner(self, listed)

    monkeypatch.setattr(openvino.Runner, "run", run)
    return seen


def test_a_question_is_read_once(encoder, monkeypatch):
    faq = ns.FAQ(ITEMS, encoder=encoder)
    assert faq._worded, "words are compared here"
    seen = runs(monkeypatch)
    faq.answer("When will my package arrive?")
    assert seen == [1]
    faq.answer_many(["I want to send an item back", "Do you take bank transfers?", "I want to send an item back"])
    assert seen == [1, 2]


def test_answers_are_those_of_two_passes(encoder, monkeypatch):
    faq = ns.FAQ(ITEMS, encoder=encoder)
    once = [faq.answer(text).to_dict() for text in TEXTS[:-1]]
    together = [each.to_dict() for each in faq.answer_many(TEXTS)]
    monkeypatch.setattr(nearness.Reader, "_wholes", lambda self, texts, read: self.vectors(texts))
    assert once == [faq.answer(text).to_dict() for text in TEXTS[:-1]]
    for one, two in zip(together, faq.answer_many(TEXTS), strict=True):
        two = two.to_dict()
        assert one["outcome"] == two["outcome"]
        assert one["probability"] == pytest.approx(two["probability"], abs=1e-6)
        assert [each["id"] for each in one["candidates"]] == [each["id"] for each in two["candidates"]]


def test_the_vector_of_a_pass_for_words_is_that_of_encode(encoder):
    for text, read in zip(TEXTS, encoder.tokens(TEXTS, long="head"), strict=True):
        alone = encoder.tokens(text, long="head")[0]
        vector = encoder.encode(text, long="head", normalize=False).data[0]
        assert (alone.whole == vector).all(), "bit for bit, where it is read alone"
        assert np.dot(read.whole, vector) / np.linalg.norm(read.whole) / np.linalg.norm(vector) > 0.9999
        lengths = np.array([len(alone.vectors)])
        truth = pool(encoder._pooling, alone.vectors, np.zeros(1, np.int64), lengths)[0]
        assert (alone.whole == truth).all()


def test_windows_count_by_their_tokens_and_adapters_map_the_whole(encoder, tmp_path):
    long = "My parcel was promised for Monday, and nobody knows where it is. " * 60
    whole = encoder.tokens(long, long="chunk")[0].whole
    assert whole == pytest.approx(encoder.encode(long, long="chunk", normalize=False).data[0], abs=1e-5)
    from nearsense.encoders.adapted import AdaptedEncoder, MapKind, VectorMap

    rng = np.random.default_rng(3)
    weight = rng.standard_normal((encoder.dimension, encoder.dimension)).astype(np.float32)
    adapted = AdaptedEncoder(encoder, VectorMap(MapKind.LINEAR, {"weight": weight}), name="adapted")
    own = adapted.tokens("Where is my parcel?")[0].whole
    wanted = adapted.encode("Where is my parcel?").data[0]
    assert own / np.linalg.norm(own) == pytest.approx(wanted, abs=1e-6)


def test_what_is_too_long_is_warned_of_or_refused_as_before(encoder):
    faq = ns.FAQ(ITEMS, encoder=encoder)
    with pytest.warns(TruncationWarning, match="1 of 1 texts exceeds"):
        faq.answer("Where is my parcel? " * 200)
    strict = ns.FAQ(ITEMS, encoder=encoder.with_long(ns.types.Long.ERROR))
    with pytest.raises(TextTooLong):
        strict.answer("Where is my parcel? " * 200)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        faq.answer("Where is my parcel?")
