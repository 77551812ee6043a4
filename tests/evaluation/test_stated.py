"""How true the product's own probabilities are, as `evaluate` says it: against compare_pairs and arithmetic."""

from __future__ import annotations

import html
import json

import numpy as np
import pytest

import nearsense as ns
from fakes import HashEncoder
from nearsense.calibration.probe import probe_pairs
from nearsense.datasets import GradedPairs, LabelledPairs, Triplets
from nearsense.metrics import expected_calibration_error, reliability
from nearsense.pages import evaluation_html
from nearsense.render.evaluation import evaluation_markdown
from turns import in_turn

OURS = [each for each in probe_pairs("en") if each.form == "sentences"][::3][:120]
PAIRS = [(each.left, each.right) for each in OURS]
LABELS = [each.relation == "same" for each in OURS]
DATA = LabelledPairs(name="ours", pairs=PAIRS, labels=LABELS)
FAST = {"baselines": False, "errors": 0, "resamples": 5}


@pytest.fixture(scope="module")
def evaluation():
    return ns.evaluate(None, DATA, **FAST)


def notes(result):
    return " ".join(result.notes)


def test_the_figures_are_those_of_what_compare_pairs_says(evaluation):
    said = [each for each in ns.compare_pairs(PAIRS) if each.probability is not None]
    truth = dict(zip(PAIRS, LABELS, strict=True))
    labels = np.array([truth[each.a, each.b] for each in said], int)
    stated = evaluation.system().probabilities
    assert (stated.task, stated.pairs, stated.left_out) == ("paraphrase", len(said), len(PAIRS) - len(said))
    expected = expected_calibration_error(labels, [each.probability for each in said])
    assert stated.ece == pytest.approx(expected, abs=1e-6)
    assert stated.width == pytest.approx(np.mean([each.interval[1] - each.interval[0] for each in said]), abs=1e-6)


def test_the_bands_hold_every_pair_once_and_say_whether_their_interval_holds(evaluation):
    stated = evaluation.system().probabilities
    assert sum(each.pairs for each in stated.bands) == stated.pairs
    assert sum(each.share * each.pairs for each in stated.bands) == pytest.approx(sum(LABELS))
    for each in stated.bands:
        assert each.above <= each.stated <= each.up_to
        assert each.held == (None if each.pairs < 10 else each.low <= each.share <= each.high)
    held = [each.held for each in stated.bands if each.held is not None]
    assert stated.coverage == pytest.approx(sum(held) / len(held))


@pytest.mark.parametrize("task", ["question", "request", "passage"])
def test_another_task_may_be_judged_and_is_named(task):
    result = ns.evaluate(None, DATA, calibration=task, **FAST)
    assert result.system().probabilities.task == task
    assert f'"task": "{task}"' in json.dumps(result.to_dict()["systems"][0]["probabilities"])


def test_your_own_calibration_is_judged_from_its_file_too(tmp_path):
    mine = ns.calibrate([(a, b, label) for (a, b), label in zip(PAIRS, LABELS, strict=True)], task="alike")
    mine.save(tmp_path / "mine.json")
    by_object, by_file = (
        ns.evaluate(None, DATA, calibration=each, **FAST).system().probabilities
        for each in (mine, str(tmp_path / "mine.json"))
    )
    assert by_object.task == by_file.task == "alike"
    assert by_object.ece == pytest.approx(by_file.ece)


@pytest.mark.parametrize("count", [3, 20, 49])
def test_too_few_pairs_are_not_judged_and_that_is_said(count):
    order = sorted(range(len(LABELS)), key=lambda row: (row % 7, row))[:count]
    result = ns.evaluate(None, DATA.take([LABELS.index(True), LABELS.index(False), *order][:count]), **FAST)
    assert result.system().probabilities is None
    assert f"{count} pairs are too few, it takes 50" in notes(result)


def test_scores_are_no_labels_until_it_is_said_from_which_on_pairs_are_the_same():
    graded = GradedPairs(name="ours", pairs=PAIRS, scores=[5.0 if each else 1.0 for each in LABELS], scale=(0, 5))
    without = ns.evaluate(None, graded, **FAST)
    assert without.system().probabilities is None
    assert "--same-from 4" in notes(without)
    assert ns.evaluate(None, graded, same_from=5, **FAST).system().probabilities == (
        ns.evaluate(None, DATA, **FAST).system().probabilities
    )


@in_turn(
    ("data", "said", "what"),
    [
        (DATA, {"same_from": 4}, "graded pairs"),
        (GradedPairs(pairs=PAIRS, scores=range(len(PAIRS))), {"same_from": 200}, "no pairs score so"),
        (GradedPairs(pairs=PAIRS, scores=range(len(PAIRS))), {"same_from": -1}, "all pairs score so"),
        (Triplets(triplets=[("a", "b", "c")] * 3), {"calibration": "question"}, "pairs of texts"),
        (Triplets(triplets=[("a", "b", "c")] * 3), {"same_from": 1}, "pairs of texts"),
        (DATA, {"calibration": "missing.json"}, "missing.json cannot be read"),
    ],
)
def test_what_is_not_for_the_data_is_refused_before_a_text_is_read(data, said, what):
    model = HashEncoder(8)
    with pytest.raises(ns.errors.InputError, match=what):
        ns.evaluate(model, data, **said)
    assert model.encoded == 0


def test_a_model_without_probabilities_has_a_line_that_says_so():
    result = ns.evaluate([HashEncoder(8), "all-MiniLM-L6-v2"], DATA, **FAST)
    assert result.system("hash").probabilities is None
    assert result.system("all-MiniLM-L6-v2").probabilities is not None
    assert len([each for each in result.notes if "robabilities of hash" in each]) == 1


def test_a_calibration_of_one_of_two_models_is_judged_for_it_alone():
    mine = ns.calibrate([(a, b, label) for (a, b), label in zip(PAIRS, LABELS, strict=True)])
    both = ns.evaluate([HashEncoder(8), "all-MiniLM-L6-v2"], DATA, calibration=mine, **FAST)
    assert [each.probabilities is None for each in both.systems] == [True, False]
    with pytest.raises(ns.errors.ModelMismatch):
        ns.evaluate(HashEncoder(8), DATA, calibration=mine, **FAST)


def test_nothing_is_said_where_nothing_is_wanted():
    result = ns.evaluate(None, DATA, calibration="none", **FAST)
    assert result.system().probabilities is None
    assert "robabilit" not in notes(result)


def test_pairs_that_the_model_cannot_read_are_counted_and_not_judged():
    foreign = [
        ("Il gatto dorme sul divano da questa mattina presto", "Der Zug nach Hamburg hat heute viel Verspätung"),
        (
            "Domani andiamo tutti insieme al mare con la macchina",
            "Questa ricetta prevede molte uova e poco zucchero",
        ),
        ("Die Rechnung wurde gestern schon bezahlt", "Le chat dort toute la journée sur le canapé du salon"),
    ]
    data = LabelledPairs(pairs=[*PAIRS, *foreign], labels=[*LABELS, False, False, False])
    stated = ns.evaluate(None, data, **FAST).system().probabilities
    assert stated.left_out == 3 + ns.evaluate(None, DATA, **FAST).system().probabilities.left_out
    assert "more pairs have none" in str(stated)


def test_every_report_shows_the_bands(evaluation):
    stated = evaluation.system().probabilities
    sentence = f"off by {100 * stated.ece:.1f} points on average"
    for shown in (evaluation_markdown(evaluation), evaluation_html(evaluation), str(evaluation)):
        assert sentence in shown
    for shown in (evaluation_markdown(evaluation), evaluation_html(evaluation)):
        assert "both say the same" in shown
        assert all(html.unescape(shown).replace("&lt;", "<").count(row[3]) for row in stated.rows())


def test_an_interval_that_misses_is_counted_as_missed():
    labels, said = [0] * 10 + [1] * 10 + [1] * 9, [0.1] * 10 + [0.5] * 10 + [0.9] * 9
    low, high = [0.0] * 10 + [0.4] * 10 + [0.0] * 9, [0.2] * 10 + [0.6] * 10 + [0.1] * 9
    bins = reliability(labels, said, intervals=(low, high))
    assert bins.held() == [True, False, None]
    assert bins.coverage() == 0.5
    assert np.isnan(bins.coverage(least=11))
    with pytest.raises(ns.errors.InputError, match="no intervals"):
        reliability(labels, said).held()
    with pytest.raises(ns.errors.InputError, match="intervals"):
        reliability(labels, said, intervals=(low[1:], high))
