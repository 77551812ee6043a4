"""Probabilities: against scikit-learn and by hand."""

from itertools import pairwise

import numpy as np
import pytest
from sklearn import metrics as sklearn
from sklearn.calibration import calibration_curve

from nearsense import metrics
from nearsense.errors import InputError
from turns import in_turn


def sample(n=2000, seed=0):
    rng = np.random.default_rng(seed)
    probabilities = np.round(rng.beta(0.5, 0.7, n), 2)  # many equal, some 0 and 1
    return (rng.random(n) < probabilities**1.5).astype(int), probabilities


@in_turn(("equal_mass", "strategy"), [(False, "uniform"), (True, "quantile")])
@in_turn("bins", [1, 7, 15, 400])
def test_the_bins_are_those_of_scikit_learns_calibration_curve(bins, equal_mass, strategy):
    labels, probabilities = sample()
    found = metrics.reliability(labels, probabilities, bins, equal_mass=equal_mass)
    share, mean = calibration_curve(labels, probabilities, n_bins=bins, strategy=strategy)
    np.testing.assert_allclose(found.share, share, atol=1e-12)
    np.testing.assert_allclose(found.mean_probability, mean, atol=1e-12)
    assert found.counts.sum() == len(labels)
    assert (found.lower <= found.mean_probability).all()
    assert (found.mean_probability <= found.upper + 1e-12).all()


def test_a_bin_holds_its_upper_edge_and_the_first_its_lower_too():
    found = metrics.reliability([0, 0, 1, 1], [0.0, 0.5, 0.50001, 1.0], bins=2)
    np.testing.assert_array_equal(found.counts, [2, 2])
    np.testing.assert_array_equal((found.lower, found.upper), [[0, 0.5], [0.5, 1]])


def test_bins_of_equal_mass_hold_as_many_each():
    labels, probabilities = np.arange(300) % 2, np.linspace(0, 1, 300) ** 3
    np.testing.assert_array_equal(metrics.reliability(labels, probabilities, 10, equal_mass=True).counts, 30)


@pytest.mark.parametrize("equal_mass", [False, True])
def test_the_calibration_error_is_what_its_bins_say(equal_mass):
    labels, probabilities = sample()
    edges = np.quantile(probabilities, np.linspace(0, 1, 16)) if equal_mass else np.linspace(0, 1, 16)
    error = 0.0
    for low, high in pairwise(edges):
        inside = (probabilities > low) & (probabilities <= high)
        if low == edges[0]:
            inside |= probabilities == low
        if inside.any():
            error += inside.mean() * abs(labels[inside].mean() - probabilities[inside].mean())
    ours = metrics.expected_calibration_error(labels, probabilities, equal_mass=equal_mass)
    assert ours == pytest.approx(error, abs=1e-12)


def test_the_calibration_error_by_hand():
    assert metrics.expected_calibration_error([0, 1, 1, 1], [0.2, 0.3, 0.9, 0.7], bins=2) == pytest.approx(
        0.5 * abs(0.5 - 0.25) + 0.5 * abs(1.0 - 0.8)
    )
    assert metrics.expected_calibration_error([0, 1], [0.0, 1.0]) == 0.0


def test_brier_score_and_log_loss_are_scikit_learns():
    labels, probabilities = sample()
    assert metrics.brier_score(labels, probabilities) == pytest.approx(
        sklearn.brier_score_loss(labels, probabilities), abs=1e-12
    )
    assert metrics.log_loss(labels, probabilities) == pytest.approx(
        sklearn.log_loss(labels, probabilities), abs=1e-12
    )


def test_a_certain_error_costs_much_but_not_everything():
    assert metrics.log_loss([0], [1.0]) == pytest.approx(36.04, abs=0.01)


@in_turn(
    "figure",
    [metrics.reliability, metrics.expected_calibration_error, metrics.brier_score, metrics.log_loss],
)
@in_turn(
    ("labels", "probabilities", "what"),
    [
        ([0, 1], [0.5], "labels has 2 items and probabilities has 1"),
        ([0, 1], [0.5, 1.2], r"probabilities\[1\] is 1.2"),
        ([0, 1], [0.5, float("nan")], r"probabilities\[1\] is nan"),
        ([0, 3], [0.5, 0.5], r"labels\[1\] is 3"),
        ([], [], "labels is empty"),
    ],
)
def test_what_cannot_be_measured_is_refused_with_a_reason(figure, labels, probabilities, what):
    with pytest.raises(InputError, match=what):
        figure(labels, probabilities)


def test_there_is_at_least_one_bin():
    with pytest.raises(InputError, match="bins=0 is too small"):
        metrics.reliability([0, 1], [0.1, 0.9], bins=0)
