"""Encoders that users bring: five names are enough, subclass or not; what they say beyond those is heard."""

from __future__ import annotations

import numpy as np
import pytest

import nearsense as ns
from fakes import HashEncoder, WordCross
from nearsense.encoders.base import as_cross_encoder, as_encoder
from nearsense.encoders.cache import CachedEncoder
from nearsense.errors import InputError, UnsupportedModel
from nearsense.records import Long, Metric
from turns import in_turn

TEXTS = ["a cat sat", "the dog ran", "a cat ran", "rain again"]


class Bare:
    """The five names, and no base class."""

    name, max_tokens = "bare", 256

    def __init__(self):
        self._inner = HashEncoder(name="bare")
        self.dimension, self.fingerprint = self._inner.dimension, self._inner.fingerprint

    def encode(self, texts, **options):
        return self._inner.encode(texts, **options)


class Declared(Bare, ns.Encoder):
    """The same, as a subclass."""


@pytest.mark.parametrize("kind", [Bare, Declared, lambda: HashEncoder(name="bare")])
def test_five_names_are_enough_for_every_verb(kind, tmp_path):
    encoder = kind()
    assert ns.compare("a cat", "a cat", encoder=encoder).score == pytest.approx(1)
    assert ns.search("a cat", TEXTS, k=1, encoder=encoder)[0].text in (TEXTS[0], TEXTS[2])
    assert ns.duplicates([*TEXTS, TEXTS[0]], min_score=0.9, encoder=encoder).pairs
    assert len(ns.cluster(TEXTS * 3, k=2, encoder=encoder)) == 2
    with ns.open(tmp_path / "c", encoder) as collection:
        collection.add([ns.Document(str(row), text) for row, text in enumerate(TEXTS)])
        assert collection.search("rain again", k=1, calibration="none")[0].id == "3"


@in_turn("kind", [Bare, Declared])
@in_turn(
    ("ask", "default"),
    [
        (lambda encoder: encoder.similarity, Metric.COSINE),
        (lambda encoder: encoder.languages, ()),
        (lambda encoder: encoder.needs_role, False),
        (lambda encoder: encoder.cuts, True),
        (lambda encoder: encoder.long, None),
        (lambda encoder: encoder.prompts, None),
        (lambda encoder: encoder.precision, ""),
        (lambda encoder: encoder.sees(["a"]), None),
        (lambda encoder: encoder.sees_all("a"), False),
        (lambda encoder: encoder.check_language(["a"]), None),
    ],
)
def test_what_an_encoder_does_not_say_has_a_default(kind, ask, default):
    assert ask(as_encoder(kind())) == default


@pytest.mark.parametrize("kind", [Bare, Declared])
def test_what_an_encoder_cannot_do_is_an_error_or_itself(kind):
    encoder = as_encoder(kind())
    for change in (
        lambda: encoder.with_long(Long.HEAD),
        lambda: encoder.with_dimensions(4),
        lambda: encoder.with_similarity(Metric.DOT),
    ):
        assert change() is encoder
    with pytest.raises(UnsupportedModel, match="bare cannot count tokens"):
        encoder.count_tokens(["a"])
    with pytest.raises(UnsupportedModel, match="bare cannot be explained"):
        ns.explain("a cat", "a dog", encoder=kind())


@in_turn(
    ("name", "value"),
    [
        ("needs_role", True),
        ("languages", ("de",)),
        ("similarity", Metric.DOT),
        ("prompts", {"query": "q: "}),
        ("cuts", False),
        ("source", "a folder"),
    ],
)
def test_what_an_encoder_says_is_heard_whether_it_is_a_subclass_or_not_and_when_it_changes(name, value):
    for encoder in (Bare(), Declared()):
        whole = as_encoder(encoder)
        setattr(encoder, name, value)
        assert getattr(whole, name) == value
        assert repr(whole) == repr(encoder)


@in_turn("thing", [7, object(), ["all-MiniLM-L6-v2"], {"encode": 1}, WordCross()])
def test_what_makes_no_vectors_is_no_encoder(thing):
    with pytest.raises(InputError, match="is no Encoder"):
        ns.search("a", ["b"], encoder=thing)


@pytest.mark.parametrize("thing", [7, object(), HashEncoder()])
def test_what_scores_no_pairs_is_no_cross_encoder(thing):
    with pytest.raises(InputError, match="is no CrossEncoder"):
        ns.rerank("a", ["b"], cross=thing)


def test_a_cross_encoder_of_three_names_reranks():
    class Length:
        name, max_tokens, fingerprint = "length", 512, "0" * 64

        def score(self, pairs, **options):
            return np.array([len(text) for _, text in pairs], np.float32)

    assert [hit.text for hit in ns.rerank("x", ["bb", "a", "ccc"], cross=Length())] == ["ccc", "bb", "a"]
    assert as_cross_encoder(Length()).languages == ()


def test_an_encoder_that_only_declares_itself_says_what_is_missing():
    class Empty(ns.Encoder):
        name, dimension, max_tokens = "empty", 2, 8

    class Mute(ns.CrossEncoder):
        name, max_tokens = "mute", 8

    with pytest.raises(NotImplementedError, match="empty"):
        Empty().encode(["a"])
    with pytest.raises(NotImplementedError, match="mute"):
        Mute().score([("a", "b")])


class Full(HashEncoder):
    """An encoder that overrides all of the contract."""

    similarity, languages, needs_role, cuts, long = Metric.DOT, ("de", "en"), True, False, Long.HEAD
    precision, source, prompts = "bf16", "a/folder", {"query": "q: "}

    def count_tokens(self, texts):
        return np.array([len(text) for text in texts])

    def tokens(self, texts, *, role=None, long=None):
        return [texts, role, long]

    def sees_all(self, text):
        return text == "all"

    def sees(self, texts):
        return list(texts)

    def check_language(self, texts):
        raise InputError(f"checked {len(texts)}")

    def with_long(self, long):
        return Full(name=f"long {long}")

    def with_similarity(self, similarity):
        return Full(name=f"similarity {similarity}")

    def with_dimensions(self, dimensions):
        return Full(dimension=dimensions)


PLAIN = [name for name in vars(ns.Encoder) if not name.startswith("_") and not callable(getattr(ns.Encoder, name))]
ABLE = {
    "count_tokens": lambda encoder: encoder.count_tokens(["abc"]).tolist(),
    "tokens": lambda encoder: encoder.tokens(["a"], role="query", long="head"),
    "sees_all": lambda encoder: (encoder.sees_all("all"), encoder.sees_all("some")),
    "sees": lambda encoder: encoder.sees(["a", "b"]),
    "with_long": lambda encoder: encoder.with_long(Long.CHUNK).name,
    "with_similarity": lambda encoder: encoder.with_similarity(Metric.COSINE).name,
    "with_dimensions": lambda encoder: encoder.with_dimensions(4).dimension,
}


def test_a_cache_before_an_encoder_says_all_that_the_encoder_says():
    full = Full(name="full")
    cached = CachedEncoder(full, None)
    assert {"similarity", "precision", "source", "prompts", "cuts", "long"} <= {*PLAIN}
    for name in (*PLAIN, "name", "dimension", "max_tokens", "fingerprint"):
        assert getattr(cached, name) == getattr(full, name), name
    methods = {name for name, each in vars(ns.Encoder).items() if callable(each) and not name.startswith("_")}
    assert methods == {*ABLE, "encode", "check_language", "encode_and_count", "side_by_side"}
    for name, ask in ABLE.items():
        assert ask(cached) == ask(full), name
    with pytest.raises(InputError, match="checked 2"):
        cached.check_language(["a", "b"])
    for changed in (
        cached.with_long(Long.CHUNK),
        cached.with_similarity(Metric.COSINE),
        cached.with_dimensions(4),
    ):
        assert isinstance(changed, CachedEncoder)
