"""metrics: against scipy, scikit-learn and brute force, at the edges of float32, and at a million rows."""

import subprocess
import sys
import tracemalloc
from importlib import import_module

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import stats
from scipy.sparse import csgraph
from scipy.spatial.distance import cdist
from sklearn.metrics import pairwise
from sklearn.preprocessing import normalize as sklearn_normalize

from nearsense import metrics
from nearsense.errors import InputError, TooLargeError, ZeroVectorError
from nearsense.records import Metric
from nearsense.vectors.rows import connected_components
from turns import in_turn

TRUTH = {
    "cosine": lambda a, b: 1.0 - cdist(a, b, "cosine"),
    "dot": lambda a, b: a @ b.T,
    "euclidean": lambda a, b: cdist(a, b, "euclidean"),
    "manhattan": lambda a, b: cdist(a, b, "cityblock"),
}
SIGN = {"cosine": 1, "dot": 1, "euclidean": -1, "manhattan": -1}
MATRIX = {name: getattr(metrics, name) for name in TRUTH}
PAIRED = {name: getattr(metrics, f"paired_{name}") for name in TRUTH}
every_metric = in_turn("metric", list(TRUTH))


def random_rows(n, d, seed=0, dtype=np.float32):
    return np.random.default_rng(seed).standard_normal((n, d)).astype(dtype)


def sorted_scores(scores, k):
    """Brute force: a stable sort of every row."""
    ids = np.argsort(-scores, axis=1, kind="stable")[:, :k]
    return ids, np.take_along_axis(scores, ids, axis=1)


# the forms


@every_metric
def test_the_matrix_form_is_scipys_distance(metric):
    a, b = random_rows(37, 48), random_rows(1100, 48, seed=1)
    scores = MATRIX[metric](a, b)
    assert scores.dtype == np.float32
    np.testing.assert_allclose(scores, TRUTH[metric](a.astype(float), b.astype(float)), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("name", ["cosine_similarity", "euclidean_distances", "manhattan_distances"])
def test_the_matrix_form_is_scikit_learns(name):
    a, b = random_rows(20, 30), random_rows(25, 30, seed=1)
    ours = MATRIX[name.partition("_")[0]](a, b)
    np.testing.assert_allclose(
        ours, getattr(pairwise, name)(a.astype(float), b.astype(float)), rtol=1e-6, atol=1e-6
    )


@every_metric
def test_the_paired_form_is_the_diagonal_of_the_matrix(metric):
    a, b = random_rows(50, 32), random_rows(50, 32, seed=1)
    paired = PAIRED[metric](a, b)
    assert paired.dtype == np.float32
    truth = np.diag(TRUTH[metric](a.astype(float), b.astype(float)))
    np.testing.assert_allclose(paired, truth, rtol=1e-6, atol=1e-6)


@every_metric
def test_as_a_similarity_higher_always_means_closer(metric):
    a, b = random_rows(7, 16), random_rows(9, 16, seed=1)
    truth = SIGN[metric] * TRUTH[metric](a.astype(float), b.astype(float))
    np.testing.assert_allclose(metrics.similarity(a, b, metric), truth, rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(metrics.paired_similarity(a, b[:7], metric), np.diag(truth), rtol=1e-6, atol=1e-6)


@every_metric
@in_turn("dtype", [np.float64, np.float16, np.int64, np.bool_])
def test_other_numbers_are_accepted_and_float32_comes_out(metric, dtype):
    a = (random_rows(6, 8) * 3).astype(dtype)
    a[:, 0] = 1
    scores = metrics.similarity(a, a, metric)
    assert scores.dtype == np.float32
    truth = SIGN[metric] * TRUTH[metric](a.astype(float), a.astype(float))
    np.testing.assert_allclose(scores, truth, rtol=1e-5, atol=1e-5)


@every_metric
def test_lists_are_as_good_as_arrays(metric):
    a = [[1, 2], [3, 4]]
    np.testing.assert_array_equal(
        MATRIX[metric](a, a), MATRIX[metric](np.array(a, np.float32), np.array(a, float))
    )


@every_metric
def test_rows_in_any_memory_order_score_alike(metric):
    a = random_rows(40, 20)
    np.testing.assert_array_equal(MATRIX[metric](np.asfortranarray(a), a[::-1]), MATRIX[metric](a, a[::-1].copy()))


@every_metric
def test_inputs_are_left_as_they_were(metric):
    for dtype in (np.float32, np.float64):
        a, b = random_rows(5, 4, dtype=dtype), random_rows(6, 4, seed=1, dtype=dtype)
        before = a.copy(), b.copy()
        MATRIX[metric](a, b), PAIRED[metric](a, b[:5]), metrics.top_k(a, b, 2, metric), metrics.normalize(a)
        np.testing.assert_array_equal(a, before[0])
        np.testing.assert_array_equal(b, before[1])


@every_metric
def test_no_rows_give_no_scores(metric):
    none, some = np.empty((0, 3), np.float32), random_rows(2, 3)
    assert MATRIX[metric](none, some).shape == (0, 2)
    assert MATRIX[metric](some, none).shape == (2, 0)
    assert PAIRED[metric](none, none).shape == (0,)


@every_metric
def test_tiles_meet_without_a_seam(metric, monkeypatch):
    a, b = random_rows(50, 6), random_rows(70, 6, seed=1)
    whole = MATRIX[metric](a, b), PAIRED[metric](a, b[:50])
    monkeypatch.setattr(import_module("nearsense.vectors.rows"), "BLOCK", 6 * 8)
    np.testing.assert_allclose(MATRIX[metric](a, b), whole[0], rtol=3e-7, atol=1e-7)
    np.testing.assert_array_equal(PAIRED[metric](a, b[:50]), whole[1])


@given(hnp.arrays(np.float32, (4, 5), elements=st.floats(-(2.0**40), 2.0**40, width=32)))
def test_a_cosine_never_leaves_minus_one_to_one_and_is_one_with_itself(a):
    a[:, 0] = 1.0
    scores = metrics.cosine(a, a)
    assert np.abs(scores).max() <= 1.0
    np.testing.assert_array_equal(np.diag(scores), 1.0)
    np.testing.assert_array_equal(metrics.paired_cosine(a, -a), -1.0)


def test_a_tiny_angle_survives_because_the_cosine_is_summed_in_float64():
    a = np.ones((1, 4096), np.float32)
    b = a.copy()
    b[0, 0] += 0.5
    truth = 1.0 - cdist(a.astype(float), b.astype(float), "cosine")
    np.testing.assert_allclose(metrics.cosine(a, b), truth, rtol=1e-7)


@pytest.mark.parametrize("form", [metrics.euclidean, metrics.paired_euclidean])
def test_nearly_equal_vectors_keep_the_digits_of_their_distance(form):
    a = (random_rows(1, 384) + 100).astype(np.float32)
    b = a.copy()
    b[0, 7] = np.nextafter(b[0, 7], np.float32(np.inf))
    assert form(a, b).item() == pytest.approx(float(b[0, 7]) - float(a[0, 7]), rel=1e-6)


@given(st.floats(-12, 0), st.integers(0, 1000))
def test_a_euclidean_distance_is_accurate_at_every_closeness(exponent, seed):
    a = random_rows(3, 64, seed, dtype=np.float64)
    b = a + 10**exponent * random_rows(3, 64, seed + 1, dtype=np.float64)
    np.testing.assert_allclose(metrics.euclidean(a, b), cdist(a, b), rtol=1.2e-7)


def test_the_distance_of_a_vector_to_itself_is_zero_and_not_minus_zero():
    a = random_rows(20, 384)
    for metric in ("euclidean", "manhattan"):
        for zero in (np.diag(MATRIX[metric](a, a)), np.diag(metrics.similarity(a, a, metric))):
            np.testing.assert_array_equal(zero, 0.0)
            assert not np.signbit(zero).any()


@pytest.mark.parametrize("scale", [1e30, 1e-30])
def test_cosine_and_distances_hold_where_float32_squares_would_not(scale):
    a, b = random_rows(5, 8, dtype=np.float64), random_rows(6, 8, seed=1, dtype=np.float64)
    large, other = (a * scale).astype(np.float32), (b * scale).astype(np.float32)
    for metric in ("cosine", "euclidean", "manhattan"):
        truth = TRUTH[metric](large.astype(float), other.astype(float))
        np.testing.assert_allclose(MATRIX[metric](large, other), truth, rtol=1e-6, atol=1e-7 * min(scale, 1))


@pytest.mark.parametrize(
    "call", [metrics.similarity, metrics.paired_similarity, lambda *a: metrics.top_k(*a[:2], 1, a[2])]
)
def test_a_score_beyond_float32_is_refused_not_infinite(call):
    with pytest.raises(InputError, match=r"1e\+60 exceeds the range of float32"):
        call(np.full((1, 1), 1e30), np.full((1, 1), 1e30), "dot")


@in_turn("call", [*MATRIX.values(), *PAIRED.values(), lambda a, b: metrics.top_k(a, b, 1)])
def test_different_dimensions_are_refused_with_both_shapes(call):
    with pytest.raises(InputError, match=r"\(2, 3\).*\(2, 4\)"):
        call(random_rows(2, 3), random_rows(2, 4))


def test_paired_forms_refuse_different_numbers_of_rows():
    with pytest.raises(InputError, match=r"\(2, 3\).*\(4, 3\)"):
        metrics.paired_dot(random_rows(2, 3), random_rows(4, 3))


@in_turn(
    ("bad", "word"),
    [
        (np.ones(3), r"shape \(n, d\), got \(3,\)"),
        (np.ones((1, 2, 3)), r"got \(1, 2, 3\)"),
        ([["a", "b"]], "real numbers"),
        ([[1j]], "real numbers"),
        ([[1.0], [1.0, 2.0]], "differ in length"),
    ],
)
def test_what_is_not_rows_of_numbers_is_refused(bad, word):
    for call in (metrics.normalize, lambda x: metrics.dot(x, x), lambda x: metrics.top_k(x, x, 1)):
        with pytest.raises(InputError, match=word):
            call(bad)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e39])
@every_metric
def test_a_value_that_is_not_a_finite_float32_is_named_by_row_and_column(metric, value):
    good, bad = random_rows(5, 4, dtype=np.float64), random_rows(5, 4, dtype=np.float64)
    bad[3, 2] = value
    for call in (MATRIX[metric], PAIRED[metric]):
        with pytest.raises(InputError, match=r"row 3 of b .* column 2"):
            call(good, bad)
    with pytest.raises(InputError, match=r"row 3 of corpus .* column 2"):
        metrics.top_k(good, bad, 1, metric, block_rows=2)
    with pytest.raises(InputError, match=r"row 3 of queries .* column 2"):
        metrics.top_k(bad, good, 1, metric)


def test_a_vector_without_direction_has_no_cosine_but_the_other_metrics():
    a = random_rows(5, 4)
    a[3] = 0
    for call in (metrics.cosine, metrics.paired_cosine):
        with pytest.raises(ZeroVectorError, match=r"row 3 of a"):
            call(a, random_rows(5, 4))
    with pytest.raises(ZeroVectorError, match=r"row 3 of corpus"):
        metrics.top_k(random_rows(2, 4), a, 1, block_rows=2)
    with pytest.raises(ZeroVectorError, match=r"row 3 of queries"):
        metrics.top_k(a, random_rows(2, 4), 1)
    for metric in ("dot", "euclidean", "manhattan"):
        found = metrics.top_k(a, a, 1, metric, block_rows=2)
        assert found.scores[3, 0] == TRUTH[metric](a[3:4], a[3:4]) == 0


def test_an_unknown_metric_is_answered_with_the_known_ones():
    for call in (metrics.similarity, metrics.paired_similarity, lambda a, b, m: metrics.top_k(a, b, 1, m)):
        with pytest.raises(InputError, match="cosine, dot, euclidean, manhattan"):
            call([[1.0]], [[1.0]], "hamming")


def test_a_matrix_beyond_memory_is_refused_with_its_size():
    a = np.broadcast_to(np.float32(1), (2**31, 1))
    with pytest.raises(TooLargeError, match=r"\(2147483648, 2147483648\) takes 17,179,869,184.0 GiB"):
        metrics.dot(a, a)


# normalize


@given(
    hnp.arrays(
        np.float32, hnp.array_shapes(min_dims=2, max_dims=2), elements=st.floats(-(2.0**60), 2.0**60, width=32)
    )
)
def test_normalize_is_scikit_learns(x):
    x[:, 0] = 1.0
    unit = metrics.normalize(x)
    assert unit.dtype == np.float32
    np.testing.assert_allclose(unit, sklearn_normalize(x.astype(float)), rtol=1e-6, atol=1e-44)


@in_turn("scale", [1e30, 3e38, 1.0, 1e-30, 1e-45])
def test_neither_large_nor_small_components_overflow_the_norm(scale):
    x = np.full((3, 4), scale, np.float32)
    np.testing.assert_array_equal(metrics.normalize(x), np.full((3, 4), 0.5, np.float32))


def test_a_zero_row_is_refused_by_its_number_or_kept():
    x = random_rows(6, 3)
    x[4] = 0
    with pytest.raises(ZeroVectorError, match=r"row 4 of x"):
        metrics.normalize(x)
    kept = metrics.normalize(x, zero="keep")
    np.testing.assert_array_equal(kept, sklearn_normalize(x.astype(float)).astype(np.float32))
    assert not kept[4].any()
    with pytest.raises(InputError, match="use one of: error, keep"):
        metrics.normalize(x, zero="drop")


def test_the_row_that_is_named_is_counted_from_the_start_of_the_input(monkeypatch):
    monkeypatch.setattr(import_module("nearsense.vectors.rows"), "BLOCK", 6)
    x = random_rows(9, 3)
    x[7] = 0
    with pytest.raises(ZeroVectorError, match=r"row 7 of x"):
        metrics.normalize(x)
    x[7, 1] = np.nan
    with pytest.raises(InputError, match=r"row 7 of x holds nan in column 1"):
        metrics.normalize(x, zero="keep")


def test_normalize_makes_a_new_array_even_of_unit_rows():
    x = np.eye(3, dtype=np.float32)
    assert not np.shares_memory(metrics.normalize(x), x)


# top-k


@every_metric
@in_turn("dtype", [np.float32, np.float64])
def test_top_k_is_a_full_sort_of_the_true_scores(metric, dtype):
    queries, corpus = random_rows(30, 24, 1, dtype), random_rows(3000, 24, 2, dtype)
    truth = SIGN[metric] * TRUTH[metric](queries.astype(float), corpus.astype(float))
    ids, scores = sorted_scores(truth, 12)
    found = metrics.top_k(queries, corpus, 12, metric)
    assert (found.ids.dtype, found.scores.dtype, found.counts.dtype) == (np.int64, np.float32, np.int64)
    np.testing.assert_array_equal(found.ids, ids)
    np.testing.assert_allclose(found.scores, scores, rtol=1e-6)
    np.testing.assert_array_equal(found.counts, 12)


few_values = hnp.arrays(
    np.float32,
    st.tuples(st.integers(1, 40), st.just(3)),
    elements=st.sampled_from([-2.0, -1.0, 0.0, 1.0, 2.0]),
)


@pytest.mark.parametrize("metric", list(TRUTH))
@given(corpus=few_values, queries=few_values, k=st.integers(1, 50), block_rows=st.integers(1, 50))
def test_ties_go_to_the_lower_row_whatever_the_block_size(metric, corpus, queries, k, block_rows):
    if metric == "cosine":  # so that integers stay exact: every row gets the same length
        corpus, queries = (np.hstack([x, np.sqrt(13 - (x**2).sum(1, keepdims=True))]) for x in (corpus, queries))
        assert np.allclose((corpus**2).sum(1), 13)
    whole = metrics.similarity(queries, corpus, metric)
    found = metrics.top_k(queries, corpus, k, metric, block_rows=block_rows)
    alone = metrics.top_k(queries, corpus, k, metric)
    np.testing.assert_array_equal(found.ids, alone.ids)
    np.testing.assert_array_equal(found.scores, alone.scores)
    n = min(k, len(corpus))
    np.testing.assert_array_equal(found.counts, n)
    np.testing.assert_array_equal(found.ids[:, n:], -1)
    np.testing.assert_array_equal(found.scores[:, n:], -np.inf)
    if metric == "cosine":
        np.testing.assert_allclose(found.scores[:, :n], sorted_scores(whole, n)[1], atol=1e-6)
    else:
        ids, scores = sorted_scores(whole, n)
        np.testing.assert_array_equal(found.ids[:, :n], ids)
        np.testing.assert_array_equal(found.scores[:, :n], scores)


@every_metric
def test_copies_of_a_row_tie_exactly_wherever_they_stand(metric):
    corpus = np.tile(random_rows(7, 384), (300, 1))
    queries = random_rows(5, 384, seed=1)
    base = SIGN[metric] * TRUTH[metric](queries.astype(float), corpus[:7].astype(float))
    for block_rows in (None, 1, 13, 1000, 2100, 10**9):
        found = metrics.top_k(queries, corpus, 300, metric, block_rows=block_rows)
        np.testing.assert_array_equal(found.ids, base.argmax(1)[:, None] + 7 * np.arange(300))


@every_metric
def test_one_query_finds_what_it_finds_in_a_batch(metric):
    queries, corpus = random_rows(40, 96, 3), random_rows(5000, 96, 4)
    batch = metrics.top_k(queries, corpus, 7, metric)
    alone = metrics.top_k(queries[17:18], corpus, 7, metric)
    np.testing.assert_array_equal(batch.ids[17:18], alone.ids)
    np.testing.assert_array_equal(batch.scores[17:18], alone.scores)


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
def test_neighbours_that_float32_cannot_tell_apart_are_still_found_in_order(metric):
    spread = np.random.default_rng(5).permutation(2000)
    direction = random_rows(1, 64, dtype=np.float64)
    step = random_rows(1, 64, seed=1, dtype=np.float64)
    corpus = 50 * direction + (1 + spread[:, None]) * 1e-4 * step
    found = metrics.top_k(50 * direction, corpus, 5, metric)
    if metric == "euclidean":
        np.testing.assert_array_equal(spread[found.ids[0]], range(5))
    truth = SIGN[metric] * TRUTH[metric](50 * direction, corpus)
    np.testing.assert_allclose(found.scores, sorted_scores(truth, 5)[1], rtol=1e-6)


@every_metric
@in_turn("scale", [1e18, 1e-25, 1e-38])
def test_top_k_holds_where_float32_products_would_not(metric, scale):
    queries, corpus = random_rows(4, 8) * np.float32(scale), random_rows(500, 8, seed=1) * np.float32(scale)
    corpus[::3] /= 7
    truth = SIGN[metric] * TRUTH[metric](queries.astype(float), corpus.astype(float))
    ids, scores = sorted_scores(truth.astype(np.float32), 6)
    found = metrics.top_k(queries, corpus, 6, metric, block_rows=50)
    np.testing.assert_allclose(found.scores, scores, rtol=2e-6)
    if metric != "cosine" and scores.all():
        np.testing.assert_array_equal(found.ids, ids)


def test_of_unit_rows_dot_and_cosine_find_the_same():
    queries, corpus = metrics.normalize(random_rows(5, 64)), metrics.normalize(random_rows(4000, 64, seed=1))
    by_dot, by_cosine = (metrics.top_k(queries, corpus, 10, metric) for metric in (Metric.DOT, Metric.COSINE))
    np.testing.assert_array_equal(by_dot.ids, by_cosine.ids)
    np.testing.assert_allclose(by_dot.scores, by_cosine.scores, atol=2e-7)


def test_fewer_rows_than_k_leave_empty_places_and_say_how_many():
    found = metrics.top_k([[1.0, 0.0]], [[0.0, 1.0], [1.0, 0.0]], 4)
    np.testing.assert_array_equal(found.ids, [[1, 0, -1, -1]])
    np.testing.assert_array_equal(found.scores, [[1.0, 0.0, -np.inf, -np.inf]])
    np.testing.assert_array_equal(found.counts, [2])


def test_an_empty_corpus_and_no_queries_have_no_neighbours():
    some, none = random_rows(3, 4), np.empty((0, 4), np.float32)
    assert metrics.top_k(some, none, 2).counts.tolist() == [0, 0, 0]
    assert metrics.top_k(none, some, 2).ids.shape == (0, 2)
    assert metrics.top_k_of(np.empty((3, 0)), 2).counts.tolist() == [0, 0, 0]


@in_turn(("k", "word"), [(0, "k=0"), (-3, "k=-3"), (1.5, "k=1.5"), ("2", "k='2'")])
def test_k_counts_from_one(k, word):
    for call in (lambda: metrics.top_k([[1.0]], [[1.0]], k), lambda: metrics.top_k_of([[1.0]], k)):
        with pytest.raises(InputError, match=word):
            call()
    with pytest.raises(InputError, match="block_rows"):
        metrics.top_k([[1.0]], [[1.0]], 1, block_rows=k)


def test_a_memory_map_is_searched_where_it_lies(tmp_path):
    corpus = random_rows(500, 16)
    np.save(tmp_path / "corpus.npy", corpus)
    mapped = np.load(tmp_path / "corpus.npy", mmap_mode="r")
    np.testing.assert_array_equal(
        metrics.top_k(corpus[:3], mapped, 4, "dot", block_rows=64).ids,
        metrics.top_k(corpus[:3], corpus, 4, "dot").ids,
    )


@given(
    hnp.arrays(
        np.float32,
        hnp.array_shapes(min_dims=2, max_dims=2, max_side=30),
        elements=st.sampled_from([0.0, -0.0, 0.5, 1.0, -np.inf]),
    ),
    st.integers(1, 35),
    st.integers(1, 40),
)
def test_top_k_of_scores_is_a_stable_sort_without_the_masked(scores, k, block):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(import_module("nearsense.vectors.similarity"), "BLOCK", block)
        found = metrics.top_k_of(scores, k)
    for row, ids, values, count in zip(scores, found.ids, found.scores, found.counts, strict=True):
        order = [j for j in np.argsort(-row, kind="stable") if row[j] > -np.inf][:k]
        assert ids.tolist() == order + [-1] * (k - len(order))
        assert values.tolist() == row[order].tolist() + [-np.inf] * (k - len(order))
        assert count == len(order)


@in_turn("value", [np.nan, np.inf, 1e39, -1e39])
def test_a_score_that_cannot_be_ranked_is_named(value):
    scores = np.zeros((3, 4))
    scores[2, 1] = value
    with pytest.raises(InputError, match=r"row 2 of scores holds .* in column 1"):
        metrics.top_k_of(scores, 2)


# a million rows


@pytest.fixture(scope="module")
def million():
    return metrics.normalize(np.random.default_rng(0).standard_normal((1_000_000, 16), dtype=np.float32))


def peak_mib(call):
    tracemalloc.start()
    try:
        result = call()
        return tracemalloc.get_traced_memory()[1] / 2**20, result
    finally:
        tracemalloc.stop()


@every_metric
def test_a_search_through_a_million_rows_copies_no_corpus(million, metric):
    queries = million[:10] + np.float32(0.01)
    mib, found = peak_mib(lambda: metrics.top_k(queries, million, 10, metric))
    assert mib < 48  # the corpus is 61, a score matrix 38 more
    sample = np.random.default_rng(1).integers(0, len(million), 20_000)
    best = (SIGN[metric] * TRUTH[metric](queries.astype(float), million[sample].astype(float))).max(axis=1)
    assert (found.scores[:, 0] >= best.astype(np.float32)).all()
    assert found.ids[:, 0].tolist() == list(range(10))


def test_top_k_of_a_million_is_the_sorted_truth(million):
    found = metrics.top_k(million[:2], million, 50, "dot")
    ids, scores = sorted_scores(million[:2].astype(float) @ million.T.astype(float), 50)
    np.testing.assert_allclose(found.scores, scores, rtol=1e-6)
    np.testing.assert_array_equal(found.ids, ids)


def test_normalizing_a_million_rows_takes_its_result_and_little_more(million):
    mib, unit = peak_mib(lambda: metrics.normalize(million))
    assert mib < million.nbytes / 2**20 + 32
    np.testing.assert_allclose(np.linalg.norm(unit[::1000].astype(float), axis=1), 1.0, atol=1e-7)


# correlation

numbers = st.floats(-1e6, 1e6)
pairs_of_lists = st.integers(2, 40).flatmap(
    lambda n: st.tuples(*[st.lists(st.integers(-5, 5).map(float), min_size=n, max_size=n)] * 2)
)


@given(st.lists(st.integers(-4, 4) | st.floats(allow_nan=False), min_size=0, max_size=50))
def test_ranks_are_scipys_average_ranks(values):
    x = np.array(values, float)
    ours = metrics.ranks(x)
    assert ours.dtype == np.float64
    np.testing.assert_array_equal(ours, stats.rankdata(x))


@given(pairs_of_lists)
def test_correlations_with_ties_are_scipys(pair):
    x, y = pair
    if len(set(x)) == 1 or len(set(y)) == 1:
        for correlation in (metrics.pearson, metrics.spearman):
            with pytest.raises(InputError, match="the correlation with a constant is not defined"):
                correlation(x, y)
    else:
        assert metrics.pearson(x, y) == pytest.approx(stats.pearsonr(x, y).statistic, abs=1e-12)
        assert metrics.spearman(x, y) == pytest.approx(stats.spearmanr(x, y).statistic, abs=1e-12)


@pytest.mark.parametrize("n", [2, 3, 1000])
def test_correlations_of_continuous_values_are_scipys(n):
    x, y = np.random.default_rng(n).standard_normal((2, n))
    y += x
    assert metrics.pearson(x, y) == pytest.approx(stats.pearsonr(x, y).statistic, abs=1e-12)
    assert metrics.spearman(x, y) == pytest.approx(stats.spearmanr(x, y).statistic, abs=1e-12)
    assert isinstance(metrics.pearson(x, y), float)
    assert isinstance(metrics.spearman(x, y), float)


@pytest.mark.parametrize(("factor", "shift"), [(1e300, 0.0), (1e-300, 0.0), (1.0, 1e9)])
def test_pearson_is_blind_to_scale_and_origin(factor, shift):
    x, y = np.random.default_rng(0).standard_normal((2, 100))
    truth = stats.pearsonr(x, y).statistic
    assert metrics.pearson(x * factor + shift, y) == pytest.approx(truth, rel=1e-6)


def test_anscombes_first_set_has_its_published_correlation():
    x = [10, 8, 13, 9, 11, 14, 6, 4, 12, 7, 5]
    y = [8.04, 6.95, 7.58, 8.81, 8.33, 9.96, 7.24, 4.26, 10.84, 4.82, 5.68]
    assert round(metrics.pearson(x, y), 3) == 0.816


@pytest.mark.parametrize("correlation", [metrics.pearson, metrics.spearman])
def test_a_correlation_refuses_what_has_none(correlation):
    with pytest.raises(InputError, match="x has 3 items and y has 2"):
        correlation([1, 2, 3], [1, 2])
    with pytest.raises(InputError, match="at least 2 pairs, got 1"):
        correlation([1], [2])
    with pytest.raises(InputError, match=r"y\[2\] is nan"):
        correlation([1, 2, 3], [1, 2, np.nan])
    with pytest.raises(InputError, match="all 3 values of y are the same"):
        correlation([1, 2, 3], [0.1, 0.1, 0.1])
    for bad, what in (
        ([[1, 2]], r"x must have shape \(n,\)"),
        (["a", "b"], "x must be numbers"),
        ([[1], [1, 2]], "the items of x differ in length"),
    ):
        with pytest.raises(InputError, match=what):
            correlation(bad, [1, 2])


def test_infinity_has_a_rank_but_no_mean():
    assert metrics.spearman([1, np.inf, 2], [1, 3, 2]) == pytest.approx(1.0)
    with pytest.raises(InputError, match=r"x\[1\] is inf"):
        metrics.pearson([1, np.inf, 2], [1, 3, 2])


# the room


def test_metrics_need_nothing_but_numpy():
    code = "import sys, nearsense.metrics; print(*{'scipy', 'sklearn', 'openvino', 'pandas'} & set(sys.modules))"
    assert (
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()
        == ""
    )


def test_what_hangs_together_is_what_scipy_says():
    chance = np.random.default_rng(2)
    links = chance.integers(0, 60, (40, 2))
    graph = np.zeros((60, 60))
    graph[links[:, 0], links[:, 1]] = 1
    expected = csgraph.connected_components(graph, directed=False)[1]
    found = connected_components(60, map(tuple, links.tolist()))
    assert ((found[:, None] == found) == (expected[:, None] == expected)).all()
