"""The table of docs/models.md that shows what another pooling costs."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import nearsense as ns

PAGE = Path(__file__).parents[2] / "docs" / "models.md"
ROWS = re.findall(r'^\| `"(\w+)"`.*?\| ([\d.]+) \| ([\d.]+) \|$', PAGE.read_text(), re.MULTILINE)


def test_the_table_is_found():
    assert [pooling for pooling, _, _ in ROWS] == ["mean", "last", "max", "cls"]


@pytest.mark.slow
@pytest.mark.parametrize(("pooling", "spearman", "pearson"), ROWS)
def test_a_row_is_what_the_model_gives_with_that_pooling(data, pooling, spearman, pearson):
    rows = data("stsb/en-dev")
    encoder = ns.load(precision="f32", pooling=pooling)
    scores = [each.score for each in ns.compare_pairs([(row["a"], row["b"]) for row in rows], encoder=encoder)]
    truth = [row["score"] for row in rows]
    assert ns.metrics.spearman(scores, truth) * 100 == pytest.approx(float(spearman), abs=0.006)
    assert ns.metrics.pearson(scores, truth) * 100 == pytest.approx(float(pearson), abs=0.006)


@pytest.mark.slow
def test_another_pooling_is_another_model():
    own, cls = ns.load(precision="f32"), ns.load(precision="f32", pooling="cls")
    assert own.fingerprint != cls.fingerprint
    with pytest.raises(ns.errors.ModelMismatch):
        ns.search_vectors(["a"], own.encode(["a"]), encoder=cls)
