"""What it costs to start, and to work on much. The long tests: `make test-slow`."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

import pytest

ENVIRONMENT = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
"""As users have it: what was compiled once is not compiled again."""

COMMAND = str(Path(sys.executable).with_name("nearsense"))


def seconds_to_import(module: str) -> float:
    code = f"import time; start = time.perf_counter(); import {module}; print(time.perf_counter() - start)"
    return float(
        subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, env=ENVIRONMENT).stdout
    )


def seconds_to_run(*words: str) -> float:
    start = time.perf_counter()
    subprocess.run([COMMAND, *words], capture_output=True, check=True, env=ENVIRONMENT)
    return time.perf_counter() - start


@pytest.mark.slow
def test_importing_nearsense_costs_at_most_1_3_times_numpy():
    pairs = [(seconds_to_import("numpy"), seconds_to_import("nearsense")) for _ in range(15)]
    numpy, mine = (statistics.median(times) for times in zip(*pairs, strict=True))
    print(f"numpy {numpy:.4f} s, nearsense {mine:.4f} s, ratio {mine / numpy:.2f}")
    assert mine <= 1.3 * numpy


@pytest.mark.slow
def test_the_version_is_told_within_0_2_seconds():
    assert statistics.median(seconds_to_run("--version") for _ in range(7)) <= 0.2


@pytest.mark.slow
def test_a_comparison_stays_well_under_a_second_from_the_second_start_on():
    seconds_to_run("compare", "a", "b")
    taken = statistics.median(seconds_to_run("compare", "a", "b") for _ in range(7))
    print(f"{taken:.2f} s")
    assert taken <= 0.9


@pytest.mark.slow
def test_a_hundred_thousand_short_texts_fit_into_1_5_gb_beyond_the_input():
    code = """
import resource
import nearsense as ns
texts = [f"text number {i} about the weather of day {i * 7919 % 365} in the mountains" for i in range(100_000)]
def peak(): return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
before = peak()
vectors = ns.load().encode(texts)
assert vectors.data.shape == (100_000, 384)
print(peak() - before)
"""
    environment = os.environ | {"PYTHONWARNINGS": "error"}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment
    )
    print(f"{int(done.stdout) / 1e9:.2f} GB")
    assert int(done.stdout) <= 1.5e9
