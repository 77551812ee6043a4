"""Arguments and rows, checked in one place for all verbs: through the verbs, and by themselves."""

from __future__ import annotations

import re
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import nearsense as ns
from nearsense import checks
from nearsense.errors import InputError, ZeroVectorError
from nearsense.vectors.rows import distinct, evenly_spaced, unit_rows
from turns import in_turn

TEXTS = ["a cat", "a dog", "the sea"]
VECTORS = ns.Vectors(np.eye(3, dtype=np.float32), "f", np.zeros(3, bool), "m")


@in_turn("k", [True, 1.0, "3", None, np.float32(2), [1]])
@in_turn(
    "verb",
    [
        lambda k: ns.search("cat", TEXTS, k=k),
        lambda k: ns.metrics.top_k(np.eye(2), np.eye(2), k),
        lambda k: ns.metrics.precision_at([[1]], k),
    ],
)
def test_what_is_no_whole_number_is_refused_by_every_verb(verb, k):
    with pytest.raises(InputError, match=re.escape(f"k={k!r} is not a whole number")):
        verb(k)


@in_turn("k", [np.int8(2), np.int64(2), np.uint16(2), 2, np.array(2)])
def test_whole_numbers_of_every_kind_are_taken(k):
    assert ns.metrics.top_k(np.eye(2), np.ones((3, 2)), k).ids.shape == (2, 2)


@in_turn("score", [True, "0.9", float("nan"), 1.01, -1.5, 1j, None])
def test_what_no_cosine_reaches_is_refused(score):
    with pytest.raises(InputError, match="no cosine similarity"):
        checks.score(score)
    if score is not None:
        with pytest.raises(InputError, match="no cosine similarity"):
            ns.duplicates(vectors=VECTORS, min_score=score)


@in_turn("share", [0, 1, True, "0.5", float("nan"), -0.1, float("inf")])
def test_what_is_no_share_is_refused(share):
    with pytest.raises(InputError, match="no share between 0 and 1"):
        ns.compare("a", "b", prior=share)


@given(st.lists(st.sampled_from(["a", "b", "", "é", "e\u0301"])))
def test_distinct_items_come_in_the_order_of_their_first_place(items):
    different, rows = distinct(items)
    assert different == list(dict.fromkeys(items))
    assert [different[row] for row in rows] == items


@in_turn(("n", "size"), [(0, 5), (1, 5), (5, 5), (6, 5), (1000, 7)])
def test_evenly_spaced_rows_rise_and_hold_both_ends(n, size):
    rows = evenly_spaced(n, size)
    assert len(rows) == min(n, size)
    assert (np.diff(rows) > 0).all()
    if n and size > 1:
        assert (rows[0], rows[-1]) == (0, n - 1)


def test_rows_of_unit_length_are_not_copied_and_others_are_scaled():
    unit = np.eye(4, dtype=np.float32)
    assert unit_rows(unit, "vectors") is unit
    for other in (
        2 * unit,
        unit.astype(np.float64),
        unit[:, ::-1],
        unit * np.float32(1e-30),
        5 * np.eye(4, dtype=int),
    ):
        scaled = unit_rows(other, "vectors")
        assert scaled.dtype == np.float32
        assert np.allclose(np.linalg.norm(scaled, axis=1), 1)


@pytest.mark.parametrize(
    ("value", "error", "words"),
    [
        (0.0, ZeroVectorError, "the vector of 'b' has length zero"),
        (np.nan, InputError, "the vector of 'b' holds nan in column 0"),
        (np.inf, InputError, "the vector of 'b' holds inf in column 0"),
    ],
)
def test_a_row_without_direction_is_called_by_its_name(value, error, words):
    rows = np.eye(3, dtype=np.float32)
    rows[1] = value
    with pytest.raises(error, match=words):
        unit_rows(rows, lambda row: f"the vector of {'abc'[row]!r}")


@in_turn("least", [np.float32(0.1), np.int64(0), Fraction(1, 10), -(10**400), 10**400])
def test_a_least_score_is_a_number_of_any_kind(least):
    assert ns.rank("a cat", TEXTS, min_score=least) == ns.rank("a cat", TEXTS, min_score=checks.threshold(least))
    assert ns.search("a cat", TEXTS, min_score=least) == [
        hit for hit in ns.search("a cat", TEXTS) if hit.score >= checks.threshold(least)
    ]
