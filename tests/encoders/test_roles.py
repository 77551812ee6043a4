"""Prompts follow from the role, by the folder or by the catalogue; who forgets the role is told once."""

from __future__ import annotations

import json
import warnings

import numpy as np
import pytest

import nearsense as ns
from nearsense.encoders import batch
from samples import cached_bert, tiny_bert


@pytest.fixture
def e5(tmp_path, monkeypatch):
    """A small model under the name of one that needs prompts, of which its folder says nothing."""
    cached_bert(tmp_path / "hub", "intfloat/e5-small-v2")
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    monkeypatch.setattr(batch, "_warned_of_roles", set())
    return ns.load("e5-small-v2", precision="f32", cache_dir=tmp_path / "cache")


@pytest.mark.parametrize(("role", "prompt"), [("query", "query: "), ("passage", "passage: ")])
def test_the_catalogue_knows_the_prompts_that_a_folder_does_not(e5, role, prompt):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ns.errors.RoleWarning)
        expected = e5.encode([f"{prompt}w1 w2", f"{prompt}w3"]).data
    np.testing.assert_allclose(e5.encode(["w1 w2", "w3"], role=role).data, expected, atol=1e-6)


def test_a_model_that_needs_a_role_and_gets_none_says_so_once(e5):
    with pytest.warns(ns.errors.RoleWarning, match='e5-small-v2 needs to know .* role="query" or role="passage"'):
        e5.encode("w1")
    e5.encode("w2")  # a second warning would be an error


def test_the_verbs_give_the_role_by_themselves(e5):
    pair = ns.compare("w1 w2", "w2 w3", encoder=e5)
    query = e5.encode(["w1 w2", "w2 w3"], role="query").data.astype(np.float64)
    assert pair.score == pytest.approx(query[0] @ query[1], abs=1e-6)
    hits = ns.search("w1", ["w1 w2", "w5"], encoder=e5)
    asked, found = e5.encode("w1", role="query").data, e5.encode(["w1 w2", "w5"], role="passage").data
    assert hits[0].score == pytest.approx(float((found @ asked[0]).max()), abs=1e-6)
    ns.matrix(["w1", "w2"], encoder=e5)


def test_what_the_folder_says_goes_before_the_catalogue(e5, tmp_path):
    folder = tmp_path / "hub" / "models--intfloat--e5-small-v2" / "snapshots" / "abc123"
    prompts = {"prompts": {"query": "w9 ", "document": "w8 "}}
    (folder / "config_sentence_transformers.json").write_text(json.dumps(prompts))
    other = ns.load("e5-small-v2", precision="f32", cache_dir=tmp_path / "another-cache")
    assert other.prompts == {"query": "w9 ", "passage": "w8 "}
    assert other.fingerprint != e5.fingerprint


def test_the_first_numbers_of_a_vector_are_a_shorter_vector(tmp_path):
    whole = ns.load(str(tiny_bert(tmp_path / "m")), precision="f32")
    short = whole.with_dimensions(16)
    texts = ["w1 w2", "w3"]
    expected = whole.encode(texts).data[:, :16]
    expected = expected / np.linalg.norm(expected, axis=1, keepdims=True)
    np.testing.assert_allclose(short.encode(texts).data, expected, atol=1e-6)
    assert (short.dimension, short.fingerprint != whole.fingerprint) == (16, True)


def test_a_model_that_was_not_trained_for_shorter_vectors_is_not_cut(tmp_path):
    with pytest.raises(ns.errors.InputError, match="all-MiniLM-L6-v2 has vectors of 384 numbers, not of 128"):
        ns.load(dimensions=128)
    assert ns.load(dimensions=384).dimension == 384


def test_a_collection_of_shorter_vectors_is_opened_again_by_its_model_alone(tmp_path):
    folder = tiny_bert(tmp_path / "m")
    with ns.open(tmp_path / "c.near", ns.load(str(folder)).with_dimensions(16)) as collection:
        collection.add(["w1 w2", "w3"])
    with ns.open(tmp_path / "c.near") as collection:
        assert collection.info().dimension == 16
        assert collection.search("w3", k=1)[0].id == "1"
