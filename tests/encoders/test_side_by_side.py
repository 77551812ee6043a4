"""The same encoder for many small calls at a time, and tokens counted on the way."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import nearsense as ns
from nearsense.cached import cached, lookups
from nearsense.encoders.adapted import AdaptedEncoder, VectorMap
from nearsense.kinds import MapKind
from worded import Uncounted

TEXTS = [f"parcel {number} is {'very ' * number}late" for number in range(12)]


@pytest.fixture(scope="module")
def encoder():
    return ns.load()


def test_each_call_gives_what_one_call_gives(encoder):
    other = encoder.side_by_side()
    assert other.calls_at_once >= 1
    assert other.fingerprint == encoder.fingerprint
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda text: other.encode(text).data[0], TEXTS * 4))
    expected = encoder.encode(TEXTS * 4).data
    assert (np.array(found) * expected).sum(axis=1).min() > 0.9999


@pytest.mark.parametrize("role", [None, "query"])
def test_tokens_are_counted_on_the_way(encoder, role):
    long = "word " * 400
    vectors, tokens = encoder.encode_and_count([*TEXTS, long, TEXTS[0]], role=role, long="head")
    assert tokens.tolist() == encoder.count_tokens([*TEXTS, long, TEXTS[0]]).tolist()
    assert vectors.truncated.tolist() == [False] * 12 + [True, False]
    assert (vectors.data * encoder.encode([*TEXTS, long, TEXTS[0]], long="head").data).sum(axis=1).min() > 0.9999


def test_an_adapter_and_a_cache_count_as_what_is_behind_them(encoder):
    scale = np.linspace(0.5, 1.5, encoder.dimension, dtype=np.float32)
    adapted = AdaptedEncoder(encoder, VectorMap(MapKind.DIAGONAL, {"scale": scale}), name="mine")
    for other in (adapted, adapted.side_by_side(), cached(encoder), cached(encoder).side_by_side()):
        vectors, tokens = other.encode_and_count(TEXTS)
        assert tokens.tolist() == encoder.count_tokens(TEXTS).tolist()
        assert vectors.fingerprint == other.fingerprint
        assert (vectors.data * other.encode(TEXTS).data).sum(axis=1).min() > 0.9999


def test_who_cannot_count_says_zero():
    vectors, tokens = Uncounted().encode_and_count(["one", "two"])
    assert len(vectors) == 2
    assert tokens.tolist() == [0, 0]


def test_the_cache_counts_what_it_was_asked_for_and_what_it_knew(encoder):
    asked, known = lookups()
    cached(encoder).encode(["a text of this test alone", "and one more of them"])
    cached(encoder).encode(["a text of this test alone"])
    assert [now - before for now, before in zip(lookups(), (asked, known), strict=True)] == [3, 1]
