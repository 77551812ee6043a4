"""Two models with their published weights, in both precisions: the tables of docs/models.md. Slow."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

import nearsense as ns

MODELS = os.environ.get("NEARSENSE_MODELS")  # before conftest.py takes such variables away
PAGE = (Path(__file__).parents[2] / "docs" / "models.md").read_text()
ROW = re.compile(r"^\| ([^|]+) \| stsb/(\S+) \| ([\d.]+) \| ([\d.]+) \| ([\d.]*) ?\|$", re.MULTILINE)
PAIR = re.compile(r"^\| ([A-Z][^|]+) \| ([A-Z][^|]+) \| ([\d.]+) \|$", re.MULTILINE)
ROWS = ROW.findall(PAGE)
MPNET, E5 = "all-mpnet-base-v2", "multilingual-e5-small-4bit"


def model(name, precision):
    if not MODELS or not Path(MODELS, name).is_dir():
        pytest.skip(f"NEARSENSE_MODELS names no folder with {name}")
    return ns.load(str(Path(MODELS, name)), precision=precision)


def correlation(encoder, rows, role):
    left, right = (encoder.encode([row[side] for row in rows], role=role).data for side in "ab")
    return 100 * ns.metrics.spearman((left * right).sum(axis=1), [row["score"] for row in rows])


def test_the_tables_are_found():
    assert [name for _, name, *_ in ROWS] == ["en-dev", "it-dev", "de-dev", "en-dev"]
    assert len(PAIR.findall(PAGE)) == 6


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row[0][:10]} {row[1]}")
def test_a_row_is_what_the_model_gives_and_both_precisions_agree(data, row):
    named, name, near, exact, _ = row
    rows = data(f"stsb/{name}")
    which, role = (MPNET, None) if named == MPNET else (E5, "query")
    found = [correlation(model(which, precision), rows, role) for precision in ("auto", "f32")]
    assert abs(found[0] - found[1]) <= 0.1
    assert found == pytest.approx([float(near), float(exact)], abs=0.1)
    if which == E5:
        assert found[0] >= {"it-dev": 83.0, "de-dev": 84.4, "en-dev": 87.0}[name]


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("which", [MPNET, E5])
def test_the_vectors_of_both_precisions_are_near_each_other(data, which):
    texts = list(dict.fromkeys(text for row in data("stsb/en-dev") for text in (row["a"], row["b"])))[:2000]
    role = "query" if which == E5 else None
    near, exact = (model(which, precision).encode(texts, role=role).data for precision in ("auto", "f32"))
    assert (near * exact).sum(axis=1).min() >= 0.9995


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["auto", "f32"])
def test_a_sentence_is_nearer_to_its_translation_than_unrelated_ones_are(precision):
    encoder = model(E5, precision)
    found = {}
    for left, right, shown in PAIR.findall(PAGE):
        vectors = encoder.encode([left, right], role="query").data
        found[left, right] = float(vectors[0] @ vectors[1])
        assert found[left, right] == pytest.approx(float(shown), abs=0.01)
    related = {("The dog runs fast", "Il cane corre veloce"), ("It is raining.", "Rain is falling.")}
    assert min(found[pair] for pair in related) > max(
        score for pair, score in found.items() if pair not in related
    )
