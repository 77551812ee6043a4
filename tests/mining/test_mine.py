"""All pairs above a score: the same as looking at every pair, whatever the engine, the shape and the order."""

from __future__ import annotations

import builtins
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from heaps import crowd, units
from nearsense.errors import FileError, InputError, TooLargeError, ZeroVectorError
from nearsense.metrics import normalize
from nearsense.mining import mine, mine_approximately, narrowing
from nearsense.mining.narrowing import narrow_for
from nearsense.mining.pairs import COLUMNS, FloatSieve, Int8Sieve
from nearsense.records import Precision
from samples import some_of
from turns import in_turn

ENGINES = [None, "f32", "bf16"]


def brute(rows, columns, floor):
    """Every pair in float64, rounded to float32 at the end."""
    a, b = (np.asarray(x, np.float64) for x in (rows, columns))
    a, b = (x / np.linalg.norm(x, axis=1, keepdims=True) for x in (a, b))
    scores = np.clip(a @ b.T, -1, 1).astype(np.float32)
    near = scores >= np.float32(floor)
    i, j = np.nonzero(np.triu(near, 1) if columns is rows else near)
    return {(int(left), int(right)): scores[left, right] for left, right in zip(i, j, strict=True)}


def as_dict(found):
    pairs = zip(found.left.tolist(), found.right.tolist(), strict=True)
    return dict(zip(pairs, found.scores, strict=True))


@pytest.mark.parametrize("precision", ENGINES)
@pytest.mark.parametrize("n", some_of([0, 1, 2, 255, 257, COLUMNS + 1, 2 * COLUMNS + 300], 0, 1, 257, COLUMNS + 1))
def test_the_pairs_are_those_of_brute_force(n, precision):
    vectors = crowd(n)
    found, truth = as_dict(mine(vectors, 0.8, precision=precision)), brute(vectors, vectors, 0.8)
    assert found.keys() == truth.keys()
    assert all(found[pair] == pytest.approx(truth[pair], abs=2e-7) for pair in truth)


@pytest.mark.parametrize("precision", ENGINES)
def test_two_sets_are_compared_with_each_other_only(precision):
    rows, columns = crowd(500), crowd(COLUMNS + 700)
    found = as_dict(mine(rows, 0.7, against=columns, precision=precision))
    assert found.keys() == brute(rows, columns, 0.7).keys()


def test_the_best_come_first_and_equal_scores_by_their_rows():
    found = mine(crowd(3000), 0.5)
    order = np.lexsort((found.right, found.left, -found.scores))
    assert (order == np.arange(len(found))).all()
    assert (found.left < found.right).all()


def test_the_pairs_are_those_of_sentence_transformers():
    import torch
    from sentence_transformers.util import paraphrase_mining_embeddings

    vectors = crowd(800)
    peer = paraphrase_mining_embeddings(torch.from_numpy(vectors), top_k=800, max_pairs=10**6)
    near = {tuple(sorted((i, j))) for score, i, j in peer if score >= 0.8}
    border = {tuple(sorted((i, j))) for score, i, j in peer if abs(score - 0.8) < 1e-6}
    assert as_dict(mine(vectors, 0.8)).keys() ^ near <= border


@given(
    st.integers(0, 40), st.integers(1, 9), st.sampled_from([-1.0, -0.3, 0.0, 0.5, 0.999, 1.0]), st.integers(0, 99)
)
def test_any_shape_and_any_threshold_give_what_brute_force_gives(n, d, floor, seed):
    random = np.random.default_rng(seed)
    vectors = np.rint(random.standard_normal((n, d)) * 2).astype(np.float32)
    vectors[~vectors.any(axis=1)] = 1.0
    found, truth = as_dict(mine(vectors, floor)), brute(vectors, vectors, floor)
    border = {pair for pair in found.keys() | truth.keys() if abs(truth.get(pair, found.get(pair)) - floor) < 1e-6}
    assert found.keys() ^ truth.keys() <= border


@in_turn("dimension", [1, 3, 384, 1024])
def test_vectors_of_any_length_are_compared_by_direction(dimension):
    vectors = units(300, dimension) * np.linspace(0.01, 1e6, 300, dtype=np.float32)[:, None]
    assert as_dict(mine(vectors, 0.1)).keys() == brute(vectors, vectors, 0.1).keys()


def test_one_large_coordinate_does_not_hide_the_others():
    vectors = units(600, 64) * 0.05
    vectors[::2, 0] = 1.0
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    for floor in (0.2, 0.9, 0.999):
        assert as_dict(mine(vectors, floor)).keys() == brute(vectors, vectors, floor).keys()


def test_a_sieve_lets_pass_all_that_reach_the_score_and_few_others():
    vectors = crowd(COLUMNS)
    for sieve in (Int8Sieve(vectors), FloatSieve(vectors, Precision.F32)):
        i, j = sieve.near(sieve.prepare(vectors[:256]), slice(0, COLUMNS), 0.8)
        passed = set(zip(i.tolist(), j.tolist(), strict=True))
        scores = vectors[:256].astype(np.float64) @ vectors.T.astype(np.float64)
        needed = set(zip(*(side.tolist() for side in np.nonzero(scores >= 0.8)), strict=True))
        assert needed <= passed
        assert all(scores[pair] > 0.75 for pair in passed)


def test_without_the_library_for_whole_numbers_the_pairs_are_the_same(monkeypatch):
    vectors = crowd(1500)
    with_it = mine(vectors, 0.7)
    real = builtins.__import__

    def refuse(name, *rest):
        if name == "numkong":
            raise ImportError(name)
        return real(name, *rest)

    monkeypatch.delitem(sys.modules, "numkong", raising=False)
    monkeypatch.setattr(builtins, "__import__", refuse)
    assert as_dict(mine(vectors, 0.7)) == as_dict(with_it)


def of_rank(rank, n, rest=0.05, d=256):
    """Groups of vectors that lie in few directions, all but a rest of them."""
    random = np.random.default_rng(rank)
    turned = np.linalg.qr(random.standard_normal((d, d)))[0]
    middles = random.standard_normal((n // 8, d))[random.integers(0, n // 8, n)]
    inside = (middles + random.standard_normal((n, d)) / 3) * (np.arange(d) < rank)
    return normalize((inside + rest * random.standard_normal((n, d))) @ turned)


@pytest.mark.parametrize("rank", [3, 40, 63, 64, 120])
@pytest.mark.parametrize("rest", [0.0, 0.02, 0.2])
def test_vectors_that_are_told_in_fewer_numbers_give_the_same_pairs(monkeypatch, rank, rest):
    monkeypatch.setattr(narrowing, "LARGE", 1)
    vectors, others = of_rank(rank, 1500, rest), of_rank(rank + 1, 700, rest)
    for floor in (0.7, 0.95):
        assert as_dict(mine(vectors, floor)).keys() == brute(vectors, vectors, floor).keys()
        found = as_dict(mine(vectors, floor, against=others))
        assert found.keys() == brute(vectors, others, floor).keys()


def test_vectors_are_told_in_fewer_numbers_where_that_is_sooner_and_only_there(monkeypatch):
    monkeypatch.setattr(narrowing, "LARGE", 1)
    flat, round_ = of_rank(60, 3000), units(3000, 256)
    assert narrow_for(flat, flat, 0.9).directions.shape == (256, 63)
    assert narrow_for(flat, flat, 0.1) is None
    assert narrow_for(round_, round_, 0.1) is None
    narrow = narrow_for(flat, flat, 0.9)
    whole, less = flat @ flat.T, narrow(flat) @ narrow(flat).T
    assert (less >= whole - 1e-6).all()


def test_the_number_of_threads_changes_nothing():
    vectors = crowd(3 * COLUMNS)
    one, four = mine(vectors, 0.7, threads=1), mine(vectors, 0.7, threads=4)
    assert all((getattr(one, name) == getattr(four, name)).all() for name in ("left", "right", "scores"))


def test_pairs_that_would_not_fit_are_told_before_the_work_begins():
    vectors = units(4000, 64)
    began = []
    with pytest.raises(TooLargeError, match=r"about [78],\d{3},\d{3} pairs reach a score of -1") as refused:
        mine(vectors, -1.0, max_memory=80 * 2**20, progress=lambda done, total: began.append(done))
    assert not began
    advised = float(refused.value.fix.split()[2])
    assert len(mine(vectors, advised, max_memory=80 * 2**20)) > 0


def test_pairs_that_no_sample_foretold_stop_the_run_too(monkeypatch):
    monkeypatch.setattr("nearsense.mining.pairs.SAMPLE", 1)
    vectors = np.concatenate([np.eye(64, dtype=np.float32), np.tile(units(1, 64), (4000, 1))])
    with pytest.raises(TooLargeError, match="pairs were found"):
        mine(vectors, 0.99, max_memory=80 * 2**20)


def test_too_little_memory_for_any_work_is_one_clear_error():
    with pytest.raises(InputError, match=r"too little for 100 vectors of dimension 8"):
        mine(units(100, 8), 0.5, max_memory=1000)


@in_turn("floor", [float("nan"), 1.01, -1.5, True])
def test_a_threshold_that_no_cosine_reaches_is_refused(floor):
    with pytest.raises(InputError, match="no cosine similarity"):
        mine(units(3), floor)


def test_there_is_at_least_one_thread():
    with pytest.raises(InputError, match="threads=0 is too small"):
        mine(units(3), 0.5, threads=0)


def test_vectors_that_do_not_compare_are_refused():
    with pytest.raises(InputError, match="row 1 of vectors holds nan"):
        mine(np.array([[1.0, 0.0], [np.nan, 0.0]]), 0.5)
    with pytest.raises(ZeroVectorError, match="row 1 "):
        mine(np.array([[1.0, 0.0], [0.0, 0.0]]), 0.5)
    with pytest.raises(InputError, match="dimension 32 and 16"):
        mine(units(3), 0.5, against=units(3, 16))


def test_all_equal_vectors_give_every_pair():
    assert len(mine(np.tile(units(1), (300, 1)), 1.0)) == 300 * 299 // 2


class Stopped(Exception):
    pass


def test_an_interrupted_run_goes_on_where_it_was(tmp_path):
    vectors, file = crowd(4 * COLUMNS, 16), tmp_path / "run"
    seen = []

    def stop(done, total):
        seen.append(done)
        if len(seen) == 2:
            raise Stopped

    with pytest.raises(Stopped):
        mine(vectors, 0.9, resume=file, progress=stop)
    kept = file.stat().st_size
    assert kept > 1000
    with file.open("ab") as half:
        half.write(b"half a stripe")
    seen.clear()
    found = mine(vectors, 0.9, resume=file, progress=lambda done, total: seen.append(done))
    assert len(seen) == 2
    assert as_dict(found) == as_dict(mine(vectors, 0.9))
    assert not file.exists()


def test_a_run_does_not_go_on_with_other_vectors_or_another_score(tmp_path):
    file = tmp_path / "run"

    def stop(done, total):
        raise Stopped

    with pytest.raises(Stopped):
        mine(crowd(3000), 0.9, resume=file, progress=stop)
    for vectors, floor in ((crowd(3000, seed=1), 0.9), (crowd(3000), 0.8)):
        with pytest.raises(FileError, match="no unfinished run of these texts"):
            mine(vectors, floor, resume=file)
    other = tmp_path / "letter.txt"
    other.write_text("Dear Sir, " * 20)
    with pytest.raises(FileError):
        mine(crowd(30), 0.9, resume=other)
    assert other.read_text().startswith("Dear Sir")


def test_a_folder_is_no_place_to_keep_a_run(tmp_path):
    with pytest.raises(FileError, match="cannot be opened"):
        mine(crowd(30), 0.9, resume=tmp_path)


def test_approximate_pairs_are_true_pairs_and_the_recall_is_what_was_missed():
    vectors = crowd(6000)
    found, truth = mine_approximately(vectors, 0.8), mine(vectors, 0.8)
    assert as_dict(found).items() <= as_dict(truth).items()
    assert found.recall == pytest.approx(len(found) / len(truth), abs=0.05)
    assert found.recall > 0.9


@in_turn("n", [0, 1, 2, 40])
def test_approximate_mining_of_few_vectors_misses_nothing(n):
    vectors = crowd(n)
    assert as_dict(mine_approximately(vectors, 0.5)).keys() <= brute(vectors, vectors, 0.5).keys()
    assert (
        as_dict(mine_approximately(vectors, 0.5, against=crowd(7))).keys() <= brute(vectors, crowd(7), 0.5).keys()
    )


@pytest.mark.slow
def test_fifty_thousand_real_like_vectors_give_the_pairs_of_brute_force():
    vectors = crowd(50_000, 384)
    found = mine(vectors, 0.8)
    truth = set()
    for start in range(0, 50_000, 1000):
        scores = vectors[start : start + 1000] @ vectors.T
        i, j = np.nonzero(scores >= 0.8 - 1e-6)
        truth |= {(a + start, b) for a, b in zip(i.tolist(), j.tolist(), strict=True) if a + start < b}
    mined = set(zip(found.left.tolist(), found.right.tolist(), strict=True))
    assert mined <= truth
    left = np.array(sorted(truth - mined), np.int64).reshape(-1, 2)
    assert (np.vecdot(vectors[left[:, 0]], vectors[left[:, 1]]) < 0.8 + 1e-6).all()


@pytest.mark.parametrize("score", ["0.5", None, 1 + 0j])
def test_a_threshold_that_is_no_number_is_refused_in_words(score):
    with pytest.raises(InputError, match="is no cosine similarity"):
        mine(units(5, 4), score)
