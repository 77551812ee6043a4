from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from nearsense.metrics import normalize
from nearsense.records import Precision
from nearsense.vectors import gemm
from turns import in_turn


def vectors(n, d, seed=0):
    return normalize(np.random.default_rng(seed).standard_normal((n, d))) if n else np.empty((0, d), np.float32)


def truth(a, b):
    return a.astype(np.float64) @ b.astype(np.float64).T


@in_turn("precision", [Precision.F32, Precision.BF16])
@in_turn(("q", "m", "d"), [(1, 1, 3), (5, 1000, 384), (300, 9000, 7), (17, 1025, 64)])
def test_scores_are_those_of_float64_within_the_slack(precision, q, m, d):
    a, b = vectors(q, d), vectors(m, d, 1)
    found = gemm.scores(a, b, precision)
    assert found.shape == (q, m)
    assert found.dtype == np.float32
    assert np.abs(found - truth(a, b)).max() <= gemm.slack(d, precision)


def test_f32_is_really_f32():
    a, b = vectors(300, 384), vectors(3000, 384, 1)
    assert np.abs(gemm.scores(a, b) - truth(a, b)).max() < 1e-6


@pytest.mark.parametrize("precision", [Precision.F32, Precision.BF16])
def test_no_queries_and_no_rows_are_no_scores(precision):
    assert gemm.scores(vectors(0, 4), vectors(3, 4), precision).shape == (0, 3)
    assert gemm.scores(vectors(3, 4), vectors(0, 4), precision).shape == (3, 0)


def test_vectors_that_are_a_part_of_wider_ones_give_the_same():
    wide = vectors(1000, 64)
    part = wide[::2, 8:40]
    found = gemm.scores(part[:20], part, Precision.BF16)
    np.testing.assert_array_equal(found, gemm.scores(part[:20].copy(), part.copy(), Precision.BF16))


def test_threads_do_not_see_each_others_scores():
    sides = [(vectors(40, 96, 2 * i), vectors(2000, 96, 2 * i + 1)) for i in range(8)]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda pair: gemm.scores(*pair, Precision.BF16), sides))
    for pair, each in zip(sides, found, strict=True):
        np.testing.assert_array_equal(each, gemm.scores(*pair, Precision.BF16))


def test_small_work_stays_in_f32_and_loads_no_engine():
    code = "import sys; from nearsense.vectors.gemm import fastest; print(fastest(1, 10**6, 384), *sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split()[0] == "f32"
    assert "openvino" not in done.stdout.split()


def test_without_openvino_numpy_multiplies():
    code = """
import sys; sys.modules["openvino"] = None
import numpy as np; from nearsense.vectors import gemm
x = np.eye(3, dtype=np.float32)
print(gemm.fastest(1000, 10**6, 384), (gemm.scores(x, x, gemm.Precision.BF16) == x).all())"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["f32", "True"]
