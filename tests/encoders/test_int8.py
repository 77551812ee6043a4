"""Whole numbers in a transformer: vectors of their own, near those of f32, and never by accident."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import hubs
import nearsense as ns
from nearsense.errors import UnsupportedModel
from turns import in_turn

MODELS = os.environ.get("NEARSENSE_MODELS")  # before conftest.py takes such variables away
TEXTS = [
    "How do I get my money back?",
    "refund",
    "x",
    "Der Hund schläft auf dem Sofa.",
    "The parcel " * 120,
    "a",
    "1,234.50 EUR",
]


def assert_near(whole, exact):
    cosines = (whole * exact).sum(axis=1)
    assert cosines.min() > 0.98
    assert cosines.mean() > 0.995


def test_vectors_are_near_those_of_f32_alone_and_among_others():
    exact, whole = (ns.load(precision=each, language_check=False) for each in ("f32", "int8"))
    assert_near(whole.encode(TEXTS, long="head").data, exact.encode(TEXTS, long="head").data)
    alone = np.concatenate([whole.encode(text, long="head").data for text in TEXTS])
    assert (alone * whole.encode(TEXTS, long="head").data).sum(axis=1).min() > 0.999


def test_they_are_vectors_of_their_own_and_not_compared_with_others(tmp_path):
    exact, whole = ns.load(precision="f32"), ns.load(precision="int8")
    assert whole.fingerprint != exact.fingerprint
    with ns.open(tmp_path / "a.nearsense", model=whole) as collection:
        collection.add([ns.Document(id="1", text="hello")])
        assert collection.search("hello")[0].id == "1"
    with pytest.raises(ns.ModelMismatch):
        ns.open(tmp_path / "a.nearsense", model=exact).search("hello")


def test_a_cross_encoder_has_them_too(tmp_path):
    folder = str(hubs.transformer(tmp_path / "model", "bert", head=True))
    exact, whole = (ns.load_cross(folder, precision=each) for each in ("f32", "int8"))
    pairs = [("how do I pay?", text) for text in TEXTS]
    assert np.abs(whole.score(pairs, long="head") - exact.score(pairs, long="head")).max() < 0.1


def test_a_model_that_is_not_built_here_says_that_it_has_none(tmp_path):
    folder = hubs.transformer(tmp_path / "model", "bert")
    config = json.loads((folder / "config.json").read_text("utf-8"))
    (folder / "config.json").write_text(json.dumps({**config, "model_type": "another"}), "utf-8")
    for options in ({}, {"device": "cuda"}):
        with pytest.raises(UnsupportedModel, match="does not run in int8") as error:
            ns.load(str(folder), precision="int8", **options)
        assert "safetensors" in error.value.why


def test_the_command_takes_them_from_the_environment():
    command = [sys.executable, "-m", "nearsense", "compare", "a cat", "a kitten", "--json"]
    environment = {**os.environ, "NEARSENSE_PRECISION": "int8"}
    ran = subprocess.run(command, capture_output=True, text=True, env=environment, check=True)
    assert 0.7 < json.loads(ran.stdout)["score"] < 0.85


@pytest.mark.slow
@in_turn("which", ["", "all-mpnet-base-v2", "multilingual-e5-small-4bit"])
def test_sense_is_hardly_lost(data, which):
    if which and not (MODELS and Path(MODELS, which).is_dir()):
        pytest.skip(f"NEARSENSE_MODELS names no folder with {which}")
    rows = data("stsb/en-dev")
    found = []
    for precision in ("f32", "int8"):
        encoder = ns.load(str(Path(MODELS, which)), precision=precision) if which else ns.load(precision=precision)
        left, right = (encoder.encode([row[side] for row in rows]).data for side in "ab")
        found.append(100 * ns.metrics.spearman((left * right).sum(axis=1), [row["score"] for row in rows]))
    assert found[1] > found[0] - 0.2
