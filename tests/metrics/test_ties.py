"""Ties: every figure of a ranking is its mean over all orders of the tied documents, by brute force."""

from __future__ import annotations

from itertools import permutations, product

import numpy as np
import pytest

from nearsense import metrics
from nearsense.errors import InputError
from turns import in_turn

FIGURES = {
    "ndcg": lambda grades, k, ideal, **ties: metrics.ndcg([grades], [ideal], k, **ties),
    "reciprocal_rank": lambda grades, k, ideal, **ties: metrics.reciprocal_rank([grades], k, **ties),
    "precision_at": lambda grades, k, ideal, **ties: metrics.precision_at([grades], k, **ties),
    "recall": lambda grades, k, ideal, **ties: metrics.recall([grades], [sum(g > 0 for g in ideal)], k, **ties),
    "average_precision": lambda grades, k, ideal, **ties: metrics.ranked_average_precision(
        [grades], [sum(g > 0 for g in ideal)], k, **ties
    ),
}


def orders(grades, scores):
    """All orders in which only tied documents change places."""
    groups = [[g for g, s in zip(grades, scores, strict=True) if s == level] for level in sorted({*scores})[::-1]]
    for chosen in product(*map(permutations, groups)):
        yield [grade for group in chosen for grade in group]


def cases():
    random = np.random.default_rng(7)
    yield [0, 0, 0, 1], [1, 1, 1, 1]
    yield [1, 1, 1], [0, 0, 0]
    yield [1, 0], [2, 2]
    yield [0, 2, 1, 0, 1, 3], [5, 4, 4, 4, 4, 1]
    yield [1], [0]
    for _ in range(12):
        depth = int(random.integers(2, 7))
        grades = random.choice([0, 0, 1, 2], depth).tolist()
        yield [*grades[:-1], 1], sorted(random.integers(0, 3, depth).tolist(), reverse=True)


@in_turn("name", FIGURES)
@in_turn(("grades", "scores"), list(cases()))
def test_a_tie_counts_as_the_mean_over_all_orders(name, grades, scores):
    figure, ideal = FIGURES[name], [*grades, 1]  # one relevant document was not found
    for k in (1, 2, 3, 5, 10):
        truth = np.mean([figure(order, k, ideal)[0] for order in orders(grades, scores)])
        assert figure(grades, k, ideal, scores=[scores])[0] == pytest.approx(truth, abs=1e-12)


@in_turn("name", FIGURES)
def test_without_ties_scores_change_nothing_and_lists_may_differ_in_length(name):
    figure = FIGURES[name]
    for grades in ([0, 1, 2, 0, 1], [1], [0, 0, 1]):
        scores = np.linspace(1, 0, len(grades))
        assert figure(grades, 3, [1, 2, 1], scores=[scores]) == figure(grades, 3, [1, 2, 1])
    several = metrics.reciprocal_rank([[0, 1], [1], [0, 0, 1]], 10, scores=[[1, 1], [0], [2, 1, 1]])
    np.testing.assert_allclose(several, [0.75, 1.0, (1 / 2 + 1 / 3) / 2])


@in_turn("scores", [[[0.1, 0.2]], [[0.2]], [[0.2, 0.1], [0.1]], [[np.nan, 0.1]]])
def test_scores_that_rise_or_are_not_as_many_are_refused(scores):
    with pytest.raises(InputError):
        metrics.ndcg([[1, 0]], [[1]], scores=scores)


def test_thousands_of_ties_cost_no_more_than_their_number():
    grades = np.zeros(20_000)
    grades[:3] = 1
    found = metrics.recall([grades], [3], 100, scores=[np.zeros(20_000)])
    assert found[0] == pytest.approx(100 / 20_000)
    assert metrics.ranked_average_precision([grades], [3], scores=[np.zeros(20_000)])[0] < 0.001
