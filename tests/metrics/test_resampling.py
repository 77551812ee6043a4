"""Resampling: every resample's figure against scipy and scikit-learn; intervals and p-values against scipy."""

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import average_precision_score, roc_auc_score

from nearsense import metrics
from nearsense.errors import InputError
from turns import in_turn


def columns(n=300, seed=0):
    """Grades with ties, scores, scores with ties, labels."""
    rng = np.random.default_rng(seed)
    a = rng.standard_normal(n)
    b = a + rng.standard_normal(n)
    return np.round(a * 2) / 2, b, np.round(b, 1), (a > 0.4).astype(int)


GRADES, SCORES, TIED, LABELS = columns()
STATISTICS = {
    "mean": (metrics.weighted_mean(SCORES), lambda i: SCORES[i].mean()),
    "pearson": (
        metrics.weighted_pearson(GRADES, SCORES),
        lambda i: stats.pearsonr(GRADES[i], SCORES[i]).statistic,
    ),
    "spearman": (
        metrics.weighted_spearman(SCORES**3, SCORES + GRADES),
        lambda i: stats.spearmanr(SCORES[i] ** 3, SCORES[i] + GRADES[i]).statistic,
    ),
    "spearman, ties": (
        metrics.weighted_spearman(GRADES, TIED),
        lambda i: stats.spearmanr(GRADES[i], TIED[i]).statistic,
    ),
    "average precision": (
        metrics.weighted_average_precision(LABELS, SCORES),
        lambda i: average_precision_score(LABELS[i], SCORES[i]),
    ),
    "average precision, ties": (
        metrics.weighted_average_precision(LABELS, TIED),
        lambda i: average_precision_score(LABELS[i], TIED[i]),
    ),
    "roc auc": (metrics.weighted_roc_auc(LABELS, SCORES), lambda i: roc_auc_score(LABELS[i], SCORES[i])),
    "roc auc, ties": (metrics.weighted_roc_auc(LABELS, TIED), lambda i: roc_auc_score(LABELS[i], TIED[i])),
}


@in_turn("name", list(STATISTICS))
def test_the_figure_of_a_resample_is_that_of_the_items_written_out(name):
    statistic, truth = STATISTICS[name]
    (counts,) = metrics.resample_counts(len(SCORES), 40)
    written_out = [np.repeat(np.arange(len(SCORES)), row.astype(int)) for row in counts]
    np.testing.assert_allclose(statistic(counts), [truth(items) for items in written_out], atol=1e-12)


def test_small_resamples_are_right_too_and_undefined_ones_are_nan():
    labels, scores = [0, 1, 1, 0], [0.1, 0.4, 0.4, 0.4]
    (counts,) = metrics.resample_counts(4, 500)
    for statistic, truth in (
        (metrics.weighted_spearman(labels, scores), lambda x, y: stats.spearmanr(x, y).statistic),
        (metrics.weighted_pearson(labels, scores), lambda x, y: stats.pearsonr(x, y).statistic),
        (metrics.weighted_roc_auc(labels, scores), roc_auc_score),
    ):
        drawn, first = np.unique(counts.astype(int), axis=0, return_index=True)  # 35 in all, of four items
        for figure, row in zip(statistic(counts)[first], drawn, strict=True):
            x, y = np.repeat(labels, row), np.repeat(scores, row)
            if len({*x}) == 1 or (truth is not roc_auc_score and len({*y}) == 1):
                assert np.isnan(figure)
            else:
                assert figure == pytest.approx(truth(x, y), abs=1e-12)


def test_pearson_survives_an_outlier_that_a_resample_leaves_out():
    a = np.append(np.arange(20.0), 1e12)
    b = np.append(np.arange(20.0)[::-1], 1e12)
    counts = np.append(np.ones(20), 0.0)[None, :]
    assert metrics.weighted_pearson(a, b)(counts) == pytest.approx([-1.0])


def test_counts_are_draws_with_replacement():
    counts = np.concatenate([*metrics.resample_counts(50, 20_000)])
    np.testing.assert_array_equal(counts.sum(axis=1), 50)
    assert counts.mean(axis=0) == pytest.approx(np.ones(50), abs=0.05)
    assert counts.var() == pytest.approx(1 - 1 / 50, abs=0.01)  # of a multinomial
    assert np.cov(counts[:, 0], counts[:, 1])[0, 1] == pytest.approx(-1 / 50, abs=0.03)


def test_the_same_seed_gives_the_same_interval_and_another_a_close_one():
    first, again, other = (metrics.bootstrap_pairs("spearman", GRADES, SCORES, seed=seed) for seed in (3, 3, 4))
    assert first == again
    assert first != other
    assert (first.low, first.high) == pytest.approx((other.low, other.high), abs=0.03)


@pytest.mark.parametrize(
    ("ours", "theirs", "data"),
    [
        (metrics.bootstrap_mean, np.mean, (SCORES,)),
        (
            lambda a, b, **how: metrics.bootstrap_pairs("pearson", a, b, **how),
            lambda a, b, axis: stats.pearsonr(a, b, axis=axis).statistic,
            (GRADES, SCORES),
        ),
        (
            lambda a, b, **how: metrics.bootstrap_pairs("spearman", a, b, **how),
            lambda a, b, axis: (
                stats.pearsonr(stats.rankdata(a, axis=axis), stats.rankdata(b, axis=axis), axis=axis).statistic
            ),
            (GRADES, SCORES),
        ),
    ],
    ids=["mean", "pearson", "spearman"],
)
def test_the_interval_is_scipys_percentile_bootstrap(ours, theirs, data):
    found = ours(*data, resamples=20_000)
    truth = stats.bootstrap(
        data, theirs, paired=True, vectorized=True, n_resamples=2000, method="percentile", random_state=0
    ).confidence_interval
    noise = 0.1 * (truth.high - truth.low)  # 2,000 resamples place an end within a few hundredths of the width
    assert (found.low, found.high) == pytest.approx((truth.low, truth.high), abs=noise)


@pytest.mark.parametrize("figure", ["average_precision", "roc_auc"])
def test_the_interval_of_a_figure_of_labels_holds_the_figure(figure):
    truth = getattr(metrics, figure)(LABELS, SCORES)
    interval = metrics.bootstrap_pairs(figure, LABELS, SCORES)
    assert interval.low < truth < interval.high
    narrow = metrics.bootstrap_pairs(figure, LABELS, SCORES, level=0.5)
    assert interval.low < narrow.low < truth < narrow.high < interval.high


def test_nineteen_of_twenty_intervals_hold_the_truth():
    rng = np.random.default_rng(0)
    held = 0
    for seed in range(150):
        interval = metrics.bootstrap_mean(rng.random(100), resamples=500, seed=seed)
        held += interval.low <= 0.5 <= interval.high
    assert 0.90 <= held / 150 <= 0.985


def test_ten_thousand_items_are_drawn_within_a_mebibyte_at_a_time():
    for counts in metrics.resample_counts(10_000, 20):
        assert counts.nbytes <= 2**20


def test_two_models_see_the_same_resamples():
    worse = TIED + np.random.default_rng(1).standard_normal(len(TIED)) * 2
    first, second = metrics.weighted_spearman(GRADES, SCORES), metrics.weighted_spearman(GRADES, worse)
    found = metrics.paired_bootstrap(first, second, len(GRADES))
    (counts,) = metrics.resample_counts(len(GRADES), 400, seed=5)
    differences = first(counts) - second(counts)
    small = metrics.paired_bootstrap(first, second, len(GRADES), resamples=400, seed=5)
    assert (small.low, small.high) == pytest.approx(tuple(np.quantile(differences, [0.025, 0.975])))
    assert found.value == pytest.approx(metrics.spearman(GRADES, SCORES) - metrics.spearman(GRADES, worse))
    assert found.low > 0
    assert found.p == pytest.approx(2 / 1001)
    swapped = metrics.paired_bootstrap(second, first, len(GRADES))
    assert (swapped.low, swapped.high, swapped.p) == pytest.approx((-found.high, -found.low, found.p))


def test_a_model_is_not_better_than_itself():
    same = metrics.weighted_roc_auc(LABELS, SCORES)
    assert metrics.paired_bootstrap(same, same, len(LABELS)) == metrics.Difference(0.0, 0.0, 0.0, 1.0)
    assert metrics.paired_permutation(SCORES, SCORES) == 1.0


def test_of_equal_models_the_p_value_is_uniform():
    rng = np.random.default_rng(0)
    boot, flips = [], []
    for seed in range(150):
        x, y = rng.random((2, 80))
        means = metrics.weighted_mean(x), metrics.weighted_mean(y)
        boot.append(metrics.paired_bootstrap(*means, 80, resamples=500, seed=seed).p)
        flips.append(metrics.paired_permutation(x, y, resamples=500, seed=seed))
    for values in (boot, flips):
        assert stats.kstest(values, "uniform").pvalue > 0.01


@pytest.mark.parametrize("ties", [False, True])
def test_few_items_give_scipys_exact_p_value(ties):
    rng = np.random.default_rng(3)
    x, y = rng.random((2, 10))
    if ties:
        x, y = np.round(x, 1), np.round(y, 1)
    truth = stats.permutation_test(
        (x, y), lambda a, b: np.mean(a - b), permutation_type="samples", n_resamples=np.inf
    )
    assert metrics.paired_permutation(x, y) == pytest.approx(truth.pvalue, abs=1e-12)


def test_many_items_give_scipys_p_value_within_its_noise():
    rng = np.random.default_rng(0)
    x = rng.random(200)
    y = x + 0.2 * stats.zscore(rng.standard_normal(200)) + 0.02
    truth = stats.permutation_test(
        (x, y),
        lambda a, b, axis: np.mean(a - b, axis=axis),
        permutation_type="samples",
        n_resamples=9999,
        vectorized=True,
        random_state=0,
    ).pvalue
    assert 0.01 < truth < 0.5
    assert metrics.paired_permutation(x, y) == pytest.approx(truth, abs=0.03)


@in_turn(
    ("call", "what"),
    [
        (lambda: metrics.bootstrap_mean([1, float("nan")]), r"values\[1\] is nan"),
        (lambda: metrics.bootstrap_mean([]), "values is empty"),
        (lambda: metrics.bootstrap_mean([1, 2], resamples=0), "resamples=0 is too small"),
        (lambda: metrics.bootstrap_mean([1, 2], level=1.0), "level=1.0 is not a share"),
        (lambda: metrics.bootstrap_pairs("spearman", [1, 2], [1]), "a has 2 items and b has 1"),
        (lambda: metrics.bootstrap_pairs("kendall", [1, 2], [1, 2]), "figure='kendall' is not known"),
        (lambda: metrics.bootstrap_pairs("spearman", [1, 1], [1, 2]), "not defined in any of 1000 resamples"),
        (lambda: metrics.bootstrap_pairs("roc_auc", [1, 1], [1, 2]), "all 2 labels are 1"),
        (lambda: metrics.paired_permutation([1, 2], [1]), "x has 2 items and y has 1"),
        (lambda: metrics.paired_permutation([1, 2], [1, 2], resamples=0), "resamples=0 is too small"),
    ],
)
def test_what_cannot_be_resampled_is_refused_with_a_reason(call, what):
    with pytest.raises(InputError, match=what):
        call()
