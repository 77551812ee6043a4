"""Reciprocal rank fusion: against the formula, whatever the order."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nearsense.errors import InputError
from nearsense.lexical import reciprocal_rank_fusion

some_rankings = st.lists(st.lists(st.integers(0, 20), unique=True), max_size=4)


def fused(rankings, k, **options):
    ids, scores = reciprocal_rank_fusion([np.array(ranking, np.int64) for ranking in rankings], k, **options)
    return ids.tolist(), scores.tolist()


@settings(deadline=None)
@given(some_rankings, st.integers(1, 30), st.sampled_from([1, 60]))
def test_scores_are_sums_of_reciprocal_places_and_the_lower_id_wins_a_tie(rankings, k, constant):
    truth = {}
    for ranking in rankings:
        for place, identity in enumerate(ranking, 1):
            truth[identity] = truth.get(identity, 0) + Fraction(1, constant + place)
    ids, scores = fused(rankings, k, constant=constant)
    assert ids == sorted(truth, key=lambda identity: (-truth[identity], identity))[:k]
    assert scores == pytest.approx([float(truth[identity]) for identity in ids], rel=1e-12)


@given(some_rankings, st.randoms())
def test_the_order_of_the_rankings_does_not_matter(rankings, random):
    shuffled = random.sample(rankings, len(rankings))
    assert fused(rankings, 30) == fused(shuffled, 30)


def test_places_not_taken_are_passed_over():
    assert fused([[4, -1, -1], [-1, -1]], 3) == ([4], [1 / 61])


def test_an_id_twice_in_one_ranking_is_refused():
    with pytest.raises(InputError, match="ranking 1 holds an id twice"):
        fused([[1], [2, 2]], 1)


@pytest.mark.parametrize("wrong", [{"k": 0}, {"k": 1, "constant": 0}])
def test_what_makes_no_sense_is_refused(wrong):
    with pytest.raises(InputError):
        fused([[1]], **wrong)
