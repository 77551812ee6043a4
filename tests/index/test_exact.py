from __future__ import annotations

import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from nearsense import metrics
from nearsense.errors import InputError
from nearsense.index import ArrayRows, ExactIndex
from nearsense.index import exact as room
from nearsense.records import Precision
from nearsense.vectors import gemm
from turns import in_turn


def vectors(n, d=48, seed=0):
    if not n:
        return np.empty((0, d), np.float32)
    rng = np.random.default_rng(seed)
    centres = rng.standard_normal((max(1, n // 50), d))
    return metrics.normalize(centres[rng.integers(0, len(centres), n)] + rng.standard_normal((n, d)) / 2)


def brute_force(queries, data, k, allowed=None):
    """Float64 throughout, rounded once; ties by row."""
    scores = (queries.astype(np.float64) @ data.astype(np.float64).T).astype(np.float32)
    if allowed is not None:
        scores[:, ~allowed] = -np.inf
    order = np.argsort(-scores, axis=1, kind="stable")[:, :k]
    best = np.take_along_axis(scores, order, axis=1)
    order[best == -np.inf] = -1
    room = ((0, 0), (0, k - order.shape[1]))
    return np.pad(order, room, constant_values=-1), np.pad(best, room, constant_values=-np.inf)


def assert_same(found, ids, scores):
    np.testing.assert_array_equal(found.counts, (ids >= 0).sum(axis=1))
    np.testing.assert_allclose(found.scores, scores, rtol=0, atol=1.2e-7)
    assert (found.ids != ids).mean() < 1e-3  # the order of a float64 sum may round a near tie the other way


@pytest.fixture
def always_bf16(monkeypatch):
    monkeypatch.setattr(gemm, "fastest", lambda *_: Precision.BF16)


@in_turn("q", [1, 3, 40, 300])
@in_turn("n", [1, 9, 20_000])
def test_the_answer_is_that_of_brute_force(q, n):
    data, queries = vectors(n), vectors(q, seed=1)
    assert_same(ExactIndex(ArrayRows(data)).search(queries, 10), *brute_force(queries, data, 10))


def test_a_bf16_screen_changes_nothing(always_bf16):
    data, queries = vectors(20_000), vectors(300, seed=1)
    assert_same(ExactIndex(ArrayRows(data)).search(queries, 10), *brute_force(queries, data, 10))


def test_vectors_too_alike_for_bf16_are_screened_in_f32(always_bf16, monkeypatch):
    used = []
    decided = gemm.decide_block
    monkeypatch.setattr(gemm, "decide_block", lambda *args: used.append(args[2]) or decided(*args))
    rng = np.random.default_rng(0)
    data = metrics.normalize(1 + rng.standard_normal((20_000, 16)) / 1000)
    assert_same(ExactIndex(ArrayRows(data)).search(data[:20], 5), *brute_force(data[:20], data, 5))
    assert used.count(Precision.BF16) == 1


@in_turn("share", [0, "one row", 0.01, 0.25, 0.6, 1])
@in_turn("q", [2, 30])
def test_only_allowed_rows_are_found(share, q):
    data, queries = vectors(10_000), vectors(q, seed=1)
    allowed = np.random.default_rng(2).random(len(data)) < (0 if share == "one row" else share)
    if share == "one row":
        allowed[77] = True
    found = ExactIndex(ArrayRows(data)).search(queries, 10, allowed=allowed)
    assert_same(found, *brute_force(queries, data, 10, allowed))


@pytest.mark.parametrize("q", [1, 50])
def test_equals_come_in_the_order_of_rows(q):
    data = np.repeat(vectors(5), 2000, axis=0)
    found = ExactIndex(ArrayRows(data)).search(np.repeat(data[4000:4001], q, axis=0), 7)
    np.testing.assert_array_equal(found.ids, np.tile(np.arange(4000, 4007), (q, 1)))
    odd = np.arange(len(data)) % 2 == 1
    found = ExactIndex(ArrayRows(data)).search(data[4000:4001], 3, allowed=odd)
    assert found.ids.tolist() == [[4001, 4003, 4005]]


@pytest.mark.parametrize("n", [0, 4])
def test_fewer_rows_than_k_leave_places_empty(n):
    found = ExactIndex(ArrayRows(vectors(n))).search(vectors(2, seed=1), 6)
    assert found.counts.tolist() == [n, n]
    assert (found.ids[:, n:] == -1).all()
    assert (found.scores[:, n:] == -np.inf).all()


def test_the_scores_are_those_of_the_metrics():
    data, queries = vectors(5000), vectors(20, seed=1)
    found, truth = ExactIndex(ArrayRows(data)).search(queries, 10), metrics.top_k(queries, data, 10, "dot")
    np.testing.assert_array_equal(found.ids, truth.ids)
    np.testing.assert_array_equal(found.scores, truth.scores)


def test_rows_are_read_a_block_at_a_time():
    class Watched(ArrayRows):
        largest = 0

        def block(self, start, stop):
            self.largest = max(self.largest, stop - start)
            return super().block(start, stop)

    rows = Watched(vectors(300_000, 4))
    ExactIndex(rows).search(vectors(300, 4, seed=1), 3)
    assert 0 < rows.largest <= gemm.ROWS
    ExactIndex(rows).search(vectors(1, 4, seed=1), 3)
    assert rows.largest <= 8 * gemm.ROWS


def test_no_queries_are_no_answers():
    assert ExactIndex(ArrayRows(vectors(10))).search(vectors(0), 3).ids.shape == (0, 3)


def test_nothing_is_saved(tmp_path):
    ExactIndex(ArrayRows(vectors(3))).save(tmp_path / "index")
    assert not list(tmp_path.iterdir())


def test_best_among_some_rows_is_best_of_all_where_all_are_some():
    data, query = vectors(3000), vectors(1, seed=1)[0]
    ids, scores = room.best_among(ArrayRows(data), query, np.arange(3000), 9)
    truth = metrics.top_k(query[None], data, 9, "dot")
    assert (ids.tolist(), scores.tolist()) == (truth.ids[0].tolist(), truth.scores[0].tolist())


@in_turn(
    ("queries", "k", "allowed", "says"),
    [
        (np.ones((1, 3), np.float32), 1, None, "dimension 3, an index of dimension 4"),
        (np.ones(4, np.float32), 1, None, "queries"),
        (np.full((1, 4), np.nan, np.float32), 1, None, "not finite"),
        (np.ones((1, 4), np.float32), 0, None, "k=0"),
        (np.ones((1, 4), np.float32), 1, np.ones(9, bool), "allowed"),
        (np.ones((1, 4), np.float32), 1, np.ones(8, np.int64), "allowed"),
    ],
)
def test_what_does_not_fit_is_refused(queries, k, allowed, says):
    with pytest.raises(InputError, match=says):
        ExactIndex(ArrayRows(vectors(8, 4))).search(queries, k, allowed=allowed)


@pytest.fixture
def soon_rounded(monkeypatch):
    """Rows are few here, and rounded at once; a step holds for 4,096 of them."""
    for name, value in (("LARGE", 1), ("OFTEN", 0), ("ROUNDED", 4096)):
        monkeypatch.setattr(room, name, value)


@pytest.mark.parametrize("share", [None, 0.02, 0.6])
@pytest.mark.parametrize("q", [1, 260])
def test_a_screen_of_whole_numbers_changes_nothing(soon_rounded, q, share):
    data, queries = vectors(9000), vectors(q, seed=1)
    allowed = None if share is None else np.random.default_rng(2).random(len(data)) < share
    index = ExactIndex(ArrayRows(data))
    for k in (1, 200) if q == 1 else (10,):
        assert_same(index.search(queries, k, allowed=allowed), *brute_force(queries, data, k, allowed))


@pytest.mark.parametrize("kind", ["all alike", "one far coordinate", "opposite", "few rows", "zeros"])
def test_vectors_that_round_badly_are_found_all_the_same(soon_rounded, kind):
    rng = np.random.default_rng(0)
    data = vectors(9000, 16)
    if kind == "all alike":
        data = metrics.normalize(1 + rng.standard_normal((9000, 16)) / 1000)
    elif kind == "one far coordinate":
        data[:, 0] = 30 * np.abs(data[:, 0])
        data = metrics.normalize(data)
    elif kind == "opposite":
        data = np.concatenate([data, -data])
    elif kind == "few rows":
        data = data[:7]
    else:
        data[::3] = 0
    index, queries = ExactIndex(ArrayRows(data)), data[1:6]
    for k in (1, 9):
        assert_same(index.search(queries, k), *brute_force(queries, data, k))


def test_equals_come_in_the_order_of_rows_from_whole_numbers_too(soon_rounded):
    data = np.repeat(vectors(5), 2000, axis=0)
    found = ExactIndex(ArrayRows(data)).search(data[:1], 10)
    assert found.ids[0].tolist() == list(range(10))


def test_many_threads_that_ask_at_once_get_what_one_gets(soon_rounded):
    data, queries = vectors(9000), vectors(64, seed=1)
    index = ExactIndex(ArrayRows(data))
    ids, scores = brute_force(queries, data, 10)
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda row: index.search(queries[row : row + 1], 10), range(64)))
    for row, own in enumerate(found):
        assert_same(own, ids[row : row + 1], scores[row : row + 1])


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the system has no fork")
def test_a_forked_process_searches_as_its_parent_did(soon_rounded):
    data, queries = vectors(9000), vectors(3, seed=1)
    index = ExactIndex(ArrayRows(data))
    before = index.search(queries, 5)
    child = os.fork()
    if child == 0:
        os._exit(0 if np.array_equal(index.search(queries, 5).ids, before.ids) else 1)
    end = time.monotonic() + 20
    while not (done := os.waitpid(child, os.WNOHANG))[0] and time.monotonic() < end:
        time.sleep(0.01)
    if not done[0]:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    assert done == (child, 0)


def test_rows_are_rounded_only_for_those_who_ask_often():
    data = vectors(2**18, 64)
    index, queries = ExactIndex(ArrayRows(data)), vectors(20, 64, seed=1)
    ids, scores = brute_force(queries, data, 5)
    for row in range(20):
        assert_same(index.search(queries[row : row + 1], 5), ids[row : row + 1], scores[row : row + 1])
    assert_same(index.search(queries, 5), ids, scores)
