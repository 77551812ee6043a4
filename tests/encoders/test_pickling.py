"""Encoders that cross to other processes: by name and options, never by weights, and loaded anew there."""

from __future__ import annotations

import copy
import multiprocessing
import os
import pickle
import shutil

import numpy as np
import pytest

import nearsense as ns
from nearsense.cached import cached
from nearsense.encoders.batch import TokenEncoder
from nearsense.records import Long, Metric
from samples import tiny_bert

TEXTS = ["w1 w2", "w3", "some text"]


def crossed(thing):
    return pickle.loads(pickle.dumps(thing))


def same(one, other, **options):
    assert one.fingerprint == other.fingerprint
    np.testing.assert_array_equal(one.encode(TEXTS, **options).data, other.encode(TEXTS, **options).data)
    return True


@pytest.fixture
def folder(tmp_path):
    return tiny_bert(tmp_path / "model")


@pytest.mark.parametrize(
    "options",
    [{}, {"precision": "f32"}, {"precision": "bf16"}, {"threads": 1}, {"pooling": "cls"}, {"long": "chunk"}],
    ids=str,
)
def test_an_encoder_is_the_same_after_pickling_with_its_options(folder, options):
    encoder = ns.load(str(folder), **options)
    again = crossed(encoder)
    assert same(encoder, again)
    assert again.long == encoder.long
    assert again._engine.precision == encoder._engine.precision


def test_the_default_model_is_pickled_by_its_name(encoder):
    assert len(pickle.dumps(encoder)) < 2000
    assert same(encoder, crossed(encoder))


def test_what_was_changed_after_loading_crosses_too(folder):
    encoder = ns.load(str(folder)).with_long(Long.HEAD).with_similarity(Metric.DOT).with_dimensions(8)
    again = crossed(encoder)
    assert (again.long, again.similarity, again.dimension) == (Long.HEAD, Metric.DOT, 8)
    assert same(encoder, again)


def test_a_folder_is_found_from_wherever_the_other_process_is(folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    encoder = ns.load("./model", cache_dir=tmp_path / "cache", offline=True)
    pickled = pickle.dumps(encoder)
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert same(encoder, pickle.loads(pickled))
    assert str(tmp_path / "cache").encode() in pickled


def test_a_model_that_is_another_one_meanwhile_is_refused(folder):
    pickled = pickle.dumps(ns.load(str(folder)))
    shutil.rmtree(folder)
    tiny_bert(folder, seed=1)
    with pytest.raises(ns.errors.ModelMismatch, match="is another model here than where it was pickled"):
        pickle.loads(pickled)


def test_a_model_that_is_gone_is_said(folder):
    pickled = pickle.dumps(ns.load(str(folder)))
    shutil.rmtree(folder)
    with pytest.raises(ns.errors.ModelNotFound):
        pickle.loads(pickled)


def test_one_that_was_put_together_by_hand_says_why_not(folder):
    made = ns.load(str(folder))
    own = TokenEncoder(
        name="mine",
        dimension=made.dimension,
        max_tokens=made.max_tokens,
        pooling=(),
        prompts={},
        tokenizer=made._tokenizer,
        engine=made._engine,
        identity={},
    )
    with pytest.raises(ns.errors.UnsupportedModel, match="mine cannot be pickled"):
        pickle.dumps(own)


def test_a_copy_costs_no_loading_and_has_the_same_engine(folder):
    encoder = ns.load(str(folder))
    assert copy.copy(encoder)._engine is encoder._engine
    assert same(encoder, copy.deepcopy(encoder))


def test_an_encoder_before_its_cache_crosses_with_it(folder, tmp_path, monkeypatch):
    monkeypatch.setenv("NEARSENSE_CACHE_DIR", str(tmp_path / "cache"))
    encoder = cached(ns.load(str(folder)))
    again = crossed(encoder)
    assert type(again) is type(encoder)
    assert same(encoder, again)
    assert again._cache._file.file == tmp_path / "cache" / "embeddings.db"


def test_a_cross_encoder_is_the_same_after_pickling(tmp_path):
    hubs = pytest.importorskip("hubs", reason="needs the extra 'test' (with torch)")
    cross = ns.load_cross(
        str(hubs.transformer(tmp_path / "cross", "bert", head=True)), precision="f32", long="head"
    )
    again = crossed(cross)
    pairs = [("the dog", "a cat"), ("rain", "wind")]
    assert (again.long, again.fingerprint) == (cross.long, cross.fingerprint)
    np.testing.assert_array_equal(again.score(pairs), cross.score(pairs))


@pytest.mark.parametrize("kind", ["static", "electra"])
def test_other_engines_cross_too(tmp_path, kind):
    hubs = pytest.importorskip("hubs", reason="needs the extra 'test' (with torch)")
    with hubs.quiet():
        made = hubs.static(tmp_path / "m") if kind == "static" else hubs.bi_encoder(tmp_path / "m", kind)
        encoder = ns.load(str(made))
        assert same(encoder, crossed(encoder))


ALONE = pytest.mark.slow
"""Checks that run side by side have threads of their own, which hold Python's locks when a pool forks."""


def encoded(encoder):
    """In a worker."""
    return os.getpid(), encoder.fingerprint, encoder.encode(TEXTS).data


@pytest.mark.skipif(os.name == "nt", reason="Windows has no fork")
@pytest.mark.timeout(120)
@pytest.mark.parametrize("way", [pytest.param("fork", marks=ALONE), "spawn", "forkserver"])
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")
def test_workers_load_what_they_receive_anew(folder, way):
    encoder = ns.load(str(folder), precision="f32")
    expected = encoder.encode(TEXTS * 500).data[:3]  # it is in use before anything forks
    with multiprocessing.get_context(way).Pool(2) as pool:
        answers = pool.map(encoded, [encoder] * 4, chunksize=1)
    for process, fingerprint, vectors in answers:
        assert process != os.getpid()
        assert fingerprint == encoder.fingerprint
        np.testing.assert_allclose(vectors, expected, atol=1e-6)


@ALONE
@pytest.mark.skipif(os.name == "nt", reason="Windows has no fork")
@pytest.mark.timeout(120)
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")
def test_a_model_that_torch_runs_says_that_it_wants_children_that_start_afresh(tmp_path):
    hubs = pytest.importorskip("hubs", reason="needs the extra 'test' (with torch)")
    with hubs.quiet():
        encoder = ns.load(str(hubs.bi_encoder(tmp_path / "m", "electra")))
    encoder.encode(TEXTS)
    with (
        multiprocessing.get_context("fork").Pool(1) as pool,
        pytest.raises(ns.errors.UnsupportedModel, match="survive a fork"),
    ):
        pool.map(encoded, [encoder])
