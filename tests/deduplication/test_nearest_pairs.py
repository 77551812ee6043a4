"""The nearest of each text as pairs: those of brute force, whatever the threshold would be."""

from __future__ import annotations

import numpy as np
import pytest

import nearsense as ns
from heaps import crowd
from nearsense.errors import InputError
from nearsense.records import Vectors


def stored(data):
    return Vectors(data, "made", np.zeros(len(data), bool), "made")


@pytest.mark.parametrize("k", [1, 3, 500])
def test_the_pairs_are_each_row_with_its_nearest_others(k):
    data = np.unique(crowd(60), axis=0)
    scores = data.astype(np.float64) @ data.T.astype(np.float64)
    np.fill_diagonal(scores, -np.inf)
    best = np.argsort(-scores, axis=1, kind="stable")[:, : min(k, len(data) - 1)]
    wanted = {tuple(sorted((row, int(other)))) for row, others in enumerate(best) for other in others}
    found = ns.duplicates(vectors=stored(data), nearest=k, calibration="none")
    assert {(int(pair.left), int(pair.right)) for pair in found.pairs} == wanted


def test_a_threshold_leaves_out_what_is_too_far():
    data = np.unique(crowd(60), axis=0)
    found = ns.duplicates(vectors=stored(data), nearest=3, min_score=0.9, calibration="none")
    assert 0 < len(found) < len(ns.duplicates(vectors=stored(data), nearest=3, calibration="none"))
    assert min(pair.score for pair in found.pairs) >= 0.9


def test_the_nearest_are_not_looked_for_in_an_archive():
    with pytest.raises(InputError, match="goes with no archive"):
        ns.duplicates(["a"], against=["b"], nearest=1)
