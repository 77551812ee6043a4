"""The encoder with a cache before it: to the caller the same encoder, and no text is encoded twice."""

from __future__ import annotations

import copy
import warnings

import numpy as np
import pytest

import nearsense as ns
from nearsense.encoders import cache as cache_module
from nearsense.encoders.base import as_encoder
from nearsense.encoders.cache import CachedEncoder
from nearsense.errors import InputError, TextTooLong, UnsupportedModel
from nearsense.records import Long
from nearsense.store.embeddings import EmbeddingCache
from samples import awkward_texts, some_of, tiny_bert

LONG, LONGER = "word " * 300, "term " * 1932


class Memory:
    """A cache that forgets nothing, and can be counted."""

    def __init__(self):
        self.known, self.puts = {}, []

    def get(self, keys, dimension):
        rows = [row for row, key in enumerate(keys) if key in self.known]
        vectors = np.array([self.known[keys[row]][0] for row in rows], np.float32).reshape(-1, dimension)
        return np.array(rows, int), vectors, np.array([self.known[keys[row]][1] for row in rows], int)

    def put(self, keys, vectors, tokens):
        assert len(set(keys)) == len(keys) == len(vectors) == len(tokens)
        assert {len(key) for key in keys} == {16}
        self.puts.append(len(keys))
        self.known |= {
            key: (vector.copy(), token)
            for key, vector, token in zip(keys, vectors, tokens, strict=True)
            if key not in self.known
        }


class Watched:
    """An encoder that notes which texts it is given."""

    def __init__(self, encoder):
        self._inner, self.asked = encoder, []
        self.name, self.dimension, self.max_tokens = encoder.name, encoder.dimension, encoder.max_tokens

    def __getattr__(self, name):
        return getattr(self._inner, name)

    def encode(self, texts, **options):
        self.asked += texts
        return self._inner.encode(texts, **options)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    """A model of two layers that reads 48 tokens, and puts something before a query."""
    folder = tiny_bert(tmp_path_factory.mktemp("tiny") / "m")
    (folder / "config_sentence_transformers.json").write_text('{"prompts": {"query": "w7 w8 "}}')
    return ns.load(str(folder), precision="f32")


def outcome(encoder, texts, **options):
    """Vectors, or the error, and what was warned of."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            result = encoder.encode(texts, **options)
        except (InputError, TextTooLong) as error:
            result = (type(error), str(error))
    return result, [(each.category, str(each.message), each.filename) for each in caught]


def require_same(encoder, cached, texts, **options):
    (expected, warned), (found, also_warned) = (
        outcome(encoder, texts, **options),
        outcome(cached, texts, **options),
    )
    assert also_warned == warned
    if isinstance(expected, tuple):
        assert found == expected
    else:
        np.testing.assert_allclose(
            found.data, expected.data, atol=2e-5 * (1 + np.abs(expected.data).max(initial=0))
        )
        assert found.data.dtype == np.float32
        np.testing.assert_array_equal(found.truncated, expected.truncated)
        assert (found.fingerprint, found.model) == (expected.fingerprint, expected.model)
    return found


# The same as without it


@pytest.mark.parametrize("long", [None, "warn", "error", "head", "chunk"])
@pytest.mark.parametrize("role", some_of([None, "query", "passage"], None, "query"))
@pytest.mark.parametrize("normalize", some_of([True, False], True))
def test_result_warnings_and_errors_are_those_of_the_encoder(tiny, long, role, normalize):
    cached = CachedEncoder(tiny, Memory())
    options = {"long": long, "role": role, "normalize": normalize}
    texts = awkward_texts(60)
    short = [text for text, tokens in zip(texts, tiny.count_tokens(texts), strict=True) if tokens <= 46]
    for some in (short[:9], texts[::3], [*texts[10:30], *texts[:20]], texts, short, texts[::-1], [], texts[5]):
        require_same(tiny, cached, some, **options)


def test_one_cache_serves_all_options_without_mixing_them_up(tiny):
    cached, texts = CachedEncoder(tiny, Memory()), ["w1 w2", "w3 " * 60, "w4 w5 w6", "w9 " * 47]
    for _ in range(2):
        for long in ("head", "chunk", "warn", "error"):
            for role in ("query", None):
                for normalize in (True, False):
                    require_same(tiny, cached, texts, long=long, role=role, normalize=normalize)


def test_with_the_real_model_it_is_the_same_too(encoder, tmp_path):
    cached = CachedEncoder(encoder, EmbeddingCache(tmp_path / "e.db", 10**8))
    texts = [*awkward_texts(40), LONG, LONGER]
    first, again = (require_two_hundredths(encoder, cached, texts) for _ in range(2))
    np.testing.assert_array_equal(first.data, again.data)


def require_two_hundredths(encoder, cached, texts):
    (expected, warned), (found, also_warned) = outcome(encoder, texts), outcome(cached, texts)
    assert also_warned == warned
    assert "exceed 256 tokens (longest 1,934)" in warned[-1][1]
    assert (expected.data * found.data).sum(axis=1).min() > 0.9998
    np.testing.assert_array_equal(found.truncated, expected.truncated)
    return found


@pytest.mark.parametrize("texts", [["ok", "half \ud83d pair"], ["a", None], [b"bytes"], 5, ["a", 1.5]])
def test_bad_texts_are_refused_before_the_cache_is_asked(tiny, texts):
    class Untouched:
        def get(self, keys, dimension):
            raise AssertionError

        put = get

    found = require_same(tiny, CachedEncoder(tiny, Untouched()), texts)
    assert found[0] is InputError


@pytest.mark.parametrize("options", [{"long": "maybe"}, {"role": "answer"}, {"batch_tokens": 0}])
def test_unknown_options_are_refused_though_all_texts_are_known(tiny, options):
    cached = CachedEncoder(tiny, Memory())
    cached.encode("w1")
    assert require_same(tiny, cached, "w1", **options)[0] is InputError


def test_nothing_and_one_string_are_what_they_are_without_it(tiny):
    cached = CachedEncoder(tiny, Memory())
    assert cached.encode([]).data.shape == (0, 32)
    assert cached.encode("w1").data.shape == cached.encode(["w1"]).data.shape == (1, 32)
    np.testing.assert_allclose(cached.encode("").data, tiny.encode("").data, atol=1e-6)


def test_a_known_text_that_is_too_long_is_still_an_error_that_names_the_first(tiny):
    cached = CachedEncoder(tiny, Memory())
    cached.encode(["w1 " * 60, "w2"], long="head")
    for texts in (["w2", "w3", "w1 " * 60], ["w2", "w4 " * 70, "w1 " * 60], ["w5", "w5", "w6", "w7 " * 80]):
        for _ in range(2):
            assert require_same(tiny, cached, texts, long="error")[0] is TextTooLong


def test_a_prompt_counts_towards_the_limit(tiny):
    text = "w1 " * 45
    cached = CachedEncoder(tiny, Memory())
    for _ in range(2):
        assert require_same(tiny, cached, [text, "w2"], role="query").truncated.tolist() == [True, False]
        assert require_same(tiny, cached, [text, "w2"]).truncated.tolist() == [False, False]


def test_an_encoder_set_to_a_policy_keeps_it(tiny):
    memory = Memory()
    plain = CachedEncoder(tiny, memory)
    for policy in Long:
        for cached in (plain.with_long(policy), CachedEncoder(tiny.with_long(policy), memory)):
            for _ in range(2):
                require_same(tiny.with_long(policy), cached, ["w1", "w2 " * 60])
    require_same(tiny, plain, ["w1", "w2 " * 60])


def test_everything_else_shows_through(tiny):
    cached = CachedEncoder(tiny, Memory())
    for name in ("name", "dimension", "max_tokens", "fingerprint", "prompts"):
        assert getattr(cached, name) == getattr(tiny, name)
    assert cached.count_tokens(["w1 w2"]).tolist() == [4]
    assert repr(cached) == repr(tiny)
    assert copy.copy(cached).fingerprint == tiny.fingerprint
    with pytest.raises(AttributeError, match="no_such_thing"):
        _ = cached.no_such_thing


# No text twice


def test_no_text_is_encoded_twice(tiny):
    watched = Watched(tiny)
    cached = CachedEncoder(as_encoder(watched), Memory())
    cached.encode(["w1", "w2", "w1"])
    cached.encode(["w2", "w3", "w1", "w3"])
    cached.encode("w3")
    assert watched.asked == ["w1", "w2", "w3"]


def test_known_vectors_are_those_first_computed_bit_for_bit(encoder):
    cached = CachedEncoder(encoder, Memory())
    texts = [f"sentence {number} about {'rain ' * (number % 20)}" for number in range(40)]
    first = cached.encode(texts).data
    np.testing.assert_array_equal(cached.encode([*texts[::-1], "other"]).data[:-1], first[::-1])
    np.testing.assert_array_equal(cached.encode(texts[7]).data[0], first[7])


def test_roles_share_what_no_prompt_parts(tiny):
    watched = Watched(tiny)
    cached = CachedEncoder(as_encoder(watched), Memory())
    for role in (None, "passage", "query", "query"):
        cached.encode("w1", role=role)
    cached.encode("w7 w8 w1")  # what a model reads as the query
    assert watched.asked == ["w1", "w1"]


def test_models_and_precisions_do_not_share(tmp_path):
    memory, asked = Memory(), []
    for seed in (1, 2):
        folder = str(tiny_bert(tmp_path / str(seed), seed=seed))
        for precision in ("f32", "bf16", "f32"):
            watched = Watched(ns.load(folder, precision=precision))
            found = CachedEncoder(as_encoder(watched), memory).encode("w1 w2").data
            asked.append(len(watched.asked))
            np.testing.assert_allclose(found, watched.encode(["w1 w2"]).data, atol=1e-6)
    assert asked == [1, 1, 0] * 2


def test_progress_counts_only_what_has_to_be_encoded(tiny, monkeypatch):
    monkeypatch.setattr(cache_module, "BLOCK", 100)
    cached, seen = CachedEncoder(tiny, Memory()), []
    cached.encode([f"w{number}" for number in range(50)])
    texts = [f"w{number % 60} w{number}" if number >= 50 else f"w{number}" for number in range(300)]
    cached.encode([*texts, *texts], progress=lambda done, total: seen.append((done, total)))
    dones = [done for done, _ in seen]
    assert dones == sorted(dones)
    assert seen[-1] == (250, 250)
    assert {total for _, total in seen} == {250}
    seen.clear()
    cached.encode(texts, progress=lambda done, total: seen.append((done, total)))
    assert seen == []


def test_what_an_interrupted_run_has_done_is_kept(tiny, monkeypatch):
    monkeypatch.setattr(cache_module, "BLOCK", 100)
    texts, memory = [f"w{number % 60} {number}" for number in range(450)], Memory()

    def interrupt(done, total):
        if done > 320:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        CachedEncoder(tiny, memory).encode(texts, progress=interrupt)
    assert memory.puts == [100, 100, 100]
    watched = Watched(tiny)
    CachedEncoder(as_encoder(watched), memory).encode(texts)
    assert watched.asked == texts[300:]


def test_blocks_change_nothing(tiny, monkeypatch):
    texts = awkward_texts(90)
    for block in (1, 7, 90):
        monkeypatch.setattr(cache_module, "BLOCK", block)
        cached = CachedEncoder(tiny, Memory())
        for part in (texts[::4], texts):
            for long in ("warn", "error", "chunk"):
                require_same(tiny, cached, part, long=long)


def test_the_text_is_not_in_the_file(tiny, tmp_path):
    cache = EmbeddingCache(tmp_path / "e.db", 10**8)
    CachedEncoder(tiny, cache).encode(["w1 secretword w2"])
    cache.close()
    content = (tmp_path / "e.db").read_bytes()
    assert tiny.encode(["w1 secretword w2"]).data.tobytes()[:16] in content
    assert b"secretword" not in content


def test_a_cache_that_fails_is_no_obstacle(tiny, tmp_path):
    (tmp_path / "e.db").mkdir()
    cached = CachedEncoder(tiny, EmbeddingCache(tmp_path / "e.db", 10**8))
    for _ in range(2):
        require_same(tiny, cached, ["w1", "w2", "w1"])


# Encoders of somebody else


class Plain:
    """What the protocol asks of an encoder, and no more: a vector is the hash of a text."""

    name, dimension, max_tokens, fingerprint = "plain", 2, 8, "f" * 64

    def __init__(self):
        self.asked = []

    def encode(self, texts, *, role=None, long=None, batch_tokens=512, normalize=True, progress=False):
        texts = [texts] if isinstance(texts, str) else list(texts)
        self.asked += texts
        data = np.array([(len(text), sum(map(ord, text))) for text in texts], np.float32).reshape(-1, 2)
        return ns.Vectors(data, self.fingerprint, np.zeros(len(texts), bool), self.name)


class Counting(Plain):
    """One that can also count."""

    def count_tokens(self, texts):
        return np.array([len(text) for text in texts])


def test_an_encoder_that_cannot_count_is_asked_every_time():
    plain, memory = Plain(), Memory()
    cached = CachedEncoder(as_encoder(plain), memory)
    for _ in range(2):
        np.testing.assert_array_equal(cached.encode(["a", "b"]).data, plain.encode(["a", "b"]).data)
    assert memory.puts == []
    with pytest.raises(UnsupportedModel, match="cannot count"):
        cached.count_tokens(["a"])


def test_an_encoder_without_a_fingerprint_is_asked_every_time():
    nameless, memory = Counting(), Memory()
    nameless.fingerprint = ""
    CachedEncoder(as_encoder(nameless), memory).encode(["a", "b"])
    assert memory.puts == []


def test_any_encoder_that_can_count_is_remembered():
    plain = Counting()
    cached = CachedEncoder(as_encoder(plain), Memory())
    for _ in range(2):
        np.testing.assert_array_equal(cached.encode(["ab", "a", "ab"]).data, [[2, 195], [1, 97], [2, 195]])
    assert plain.asked == ["ab", "a"]
