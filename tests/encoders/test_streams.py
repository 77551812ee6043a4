"""Streams that compute side by side share no product that one of them has made (docs/architecture.md)."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

SCRIPT = """
import os, sys
import nearsense as ns
from nearsense._openvino import CACHE_SIZE
texts = [f"the {n}th parcel is {'very ' * (n % 60)}late" for n in range(40)]
encoder = ns.load(precision=sys.argv[1])
for many in (1, 2, 10, 40):
    encoder.encode(texts[:many])
    encoder.side_by_side().encode(texts[:many])
print("left:", os.environ.get(CACHE_SIZE), flush=True)
__import__("ctypes").CDLL(None).fflush(None)
"""


@pytest.mark.parametrize(("precision", "before"), [("f32", None), ("bf16", "1024")])
def test_no_product_comes_from_a_cache_that_streams_share(precision, before):
    environ = {**os.environ, "ONEDNN_VERBOSE": "profile_create", "ONEDNN_PRIMITIVE_CACHE_CAPACITY": before or ""}
    if before is None:
        del environ["ONEDNN_PRIMITIVE_CACHE_CAPACITY"]
    ran = subprocess.run(
        [sys.executable, "-c", SCRIPT, precision], env=environ, capture_output=True, text=True, check=True
    )
    if "create:" not in ran.stdout:
        pytest.skip("this build of OpenVINO does not say what it makes")
    assert ran.stdout.count("create:cache_miss") > 10
    assert "create:cache_hit" not in ran.stdout
    assert f"left: {before}" in ran.stdout  # others in the process keep their own setting
