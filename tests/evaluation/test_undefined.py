"""Figures that scores do not give, and intervals: what is said of them, in every form."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

import nearsense as ns
from fakes import HashEncoder
from nearsense.datasets import Clustering, GradedPairs
from nearsense.evaluation import Figure
from nearsense.evaluation.results import UNDEFINED
from nearsense.pages import evaluation_html, parts
from nearsense.render.evaluation import evaluation_markdown
from turns import in_turn

ENCODER = HashEncoder(32)
SAME = GradedPairs(name="same", pairs=[("x", "x")] * 4, scores=[0, 1, 2, 3])
# no word is shared, so Jaccard and TF-IDF of words are 0 everywhere; the letters differ
LETTERS = GradedPairs(
    name="letters",
    pairs=[("houses", "housing"), ("bicycle", "cycles"), ("highway", "waylay"), ("rain", "sun"), ("tea", "teas")],
    scores=[4, 3, 2, 0, 5],
)


def strict(text):
    """JSON as its grammar has it: without NaN."""
    return json.loads(text, parse_constant=lambda word: pytest.fail(f"{word} is no JSON"))


def test_a_correlation_with_a_constant_is_null_in_json_and_a_dash_in_tables():
    result = ns.evaluate(ENCODER, SAME)
    found = strict(json.dumps(result.to_dict(raw=True)))
    assert found["systems"][0]["figures"]["spearman"] == {"value": None, "low": None, "high": None}
    assert math.isnan(result.figure().value)
    assert not result.figure().defined
    assert str(result.figure()) == "-"
    assert "nan" not in evaluation_markdown(result).lower().replace("pearman", "")
    assert "| x |" not in evaluation_markdown(result).splitlines()[4]
    assert "| - | - |" in evaluation_markdown(result)
    assert any("all scores are equal" in note and "Jaccard" in note for note in result.notes)
    assert result.comparisons == ()


def test_the_best_baseline_is_the_best_of_those_that_have_the_figure():
    result = ns.evaluate(ENCODER, LETTERS)
    assert [each.name for each in result.systems if not each.figures["spearman"].defined] == [
        "Jaccard", "TF-IDF words",
    ]  # fmt: skip
    assert [test.second for test in result.comparisons] == ["TF-IDF characters"]
    assert "No spearman and no pearson of Jaccard, TF-IDF words" in result.notes[-1]


@pytest.mark.parametrize("data", [SAME, LETTERS], ids=["all", "some"])
def test_a_page_shows_what_is_not_defined_as_a_dash(data):
    html = evaluation_html(ns.evaluate(ENCODER, data))
    assert "nan" not in html.lower()
    assert ">-</t" in html


def test_a_chart_of_no_values_is_drawn():
    row = parts.Interval("one", UNDEFINED, UNDEFINED, UNDEFINED, "a")
    assert "no values" in parts.intervals([row], title="t", axis="a")
    assert parts.ticks(math.nan, math.nan) == parts.ticks(1.0, 1.0) == []


def test_what_is_undefined_stays_so_times_a_hundred():
    assert f"{100 * UNDEFINED:+.2f} {UNDEFINED * 100:.1f}" == "- -"
    assert not UNDEFINED >= 0
    assert np.isnan(np.array([UNDEFINED])).all()
    assert str(Figure(0.5, 0.25, 0.75)) == "50.00 [25.00, 75.00]"


def test_intervals_of_clusters_hold_their_figure_and_stay_within_its_range():
    rng = np.random.default_rng(0)
    for texts, labels in [
        (["same"] * 8, ["a", "b"] * 4),
        ([f"word{i}" for i in range(8)], ["a", "b"] * 4),
        ([f"w{rng.integers(3)}" for _ in range(12)], list("aaabbbcccddd")),
    ]:
        result = ns.evaluate(ENCODER, Clustering(texts=texts, labels=labels), resamples=200)
        for system in result.systems:
            for name, least in (("v_measure", 0.0), ("adjusted_rand", -0.5)):
                figure = system.figures[name]
                assert least <= figure.low <= figure.value <= figure.high <= 1.0


@in_turn(
    ("options", "what"),
    [
        ({"seed": -1}, "seed=-1"),
        ({"seed": 1.5}, "seed=1.5"),
        ({"seed": "x"}, "seed='x'"),
        ({"limit": "5"}, "limit='5'"),
        ({"limit": 2}, "limit=2"),
        ({"errors": 2.5}, "errors=2.5"),
        ({"errors": -1}, "errors=-1"),
        ({"resamples": 0}, "resamples=0"),
    ],
)
def test_options_that_are_no_whole_numbers_are_refused(options, what):
    with pytest.raises(ns.errors.InputError) as refused:
        ns.evaluate(ENCODER, SAME, **options)
    assert what in refused.value.what


@in_turn("models", [5, 1.5, [5], [None, object()]])
def test_what_is_no_model_is_refused(models):
    with pytest.raises(ns.errors.InputError):
        ns.evaluate(models, SAME)
