"""Groupings: against scikit-learn."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sklearn

from nearsense import metrics
from nearsense.errors import InputError
from turns import in_turn

groupings = st.integers(1, 40).flatmap(
    lambda n: st.tuples(*[st.lists(st.integers(-1, 5), min_size=n, max_size=n)] * 2)
)


@settings(deadline=None)
@given(groupings)
def test_both_figures_are_scikit_learns(pair):
    ours = metrics.v_measure(*pair)
    truth = sklearn.homogeneity_completeness_v_measure(*pair)
    assert (ours.homogeneity, ours.completeness, ours.v) == pytest.approx(truth, abs=1e-12)
    assert metrics.adjusted_rand(*pair) == pytest.approx(sklearn.adjusted_rand_score(*pair), abs=1e-12)


def test_a_million_items_are_measured_without_overflow():
    rng = np.random.default_rng(0)
    true = rng.integers(0, 3, 1_000_000)
    predicted = np.where(rng.random(len(true)) < 0.9, true, rng.integers(0, 1000, len(true)))
    ours = metrics.v_measure(true, predicted)
    assert ours.v == pytest.approx(sklearn.v_measure_score(true, predicted), abs=1e-12)
    assert metrics.adjusted_rand(true, predicted) == pytest.approx(
        sklearn.adjusted_rand_score(true, predicted), abs=1e-12
    )


def test_the_names_of_groups_do_not_count():
    assert metrics.adjusted_rand(["x", "x", "y"], [7, 7, -1]) == 1.0
    assert metrics.v_measure(["x", "x", "y"], [7, 7, -1]) == metrics.VMeasure(1.0, 1.0, 1.0)


@in_turn("figure", [metrics.v_measure, metrics.adjusted_rand])
@in_turn(
    ("true", "predicted", "what"),
    [
        ([0, 1], [0], "true has 2 items and predicted has 1"),
        ([], [], "true is empty"),
        ([0, 1], [0, float("nan")], r"predicted\[1\] is nan"),
        ([0, 1], ["a", None], "predicted mixes kinds"),
    ],
)
def test_what_cannot_be_measured_is_refused_with_a_reason(figure, true, predicted, what):
    with pytest.raises(InputError, match=what):
        figure(true, predicted)
