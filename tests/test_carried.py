"""A model's folder may carry what its scores mean: every verb goes by it, and by nothing else in silence."""

from __future__ import annotations

import json
import pickle
from dataclasses import replace

import numpy as np
import pytest

import nearsense as ns
from nearsense.cached import cached
from nearsense.calibration import learn_calibration
from nearsense.calibrator import carried_calibration
from nearsense.errors import InputError, ModelMismatch
from nearsense.records import Metric, Origin
from samples import tiny_bert

A, B = "w1 w2 w3 w4", "w1 w2 w3 w5"


def calibration_of(model, task="mine"):
    chance = np.random.default_rng(0)
    scores = chance.uniform(0.2, 1.0, 400)
    labels = chance.random(400) < 1 / (1 + np.exp(-20 * (scores - 0.6)))
    return learn_calibration(scores, labels, Origin(model.name, model.fingerprint), task=task)


@pytest.fixture
def folder(tmp_path):
    made = tiny_bert(tmp_path / "mine")
    calibration_of(ns.load(str(made))).save(made / "calibration.json")
    return made


def verbs(model, place):
    """What each verb goes by for a pair of texts, and what it says of the second."""
    found = ns.compare_pairs([(A, B)], encoder=model)
    yield "compare_pairs", found.origin, found[0]
    yield "compare", ns.compare(A, B, encoder=model).origin, ns.compare(A, B, encoder=model)
    for name, hits in {
        "rank": ns.rank(A, [B], encoder=model),
        "search": ns.search(A, [B], encoder=model),
        "search_vectors": ns.search_vectors([A], model.encode([B]), documents=[B], encoder=model)[0],
    }.items():
        yield name, hits.origin, hits[0]
    matrix = ns.matrix([A, B], encoder=model)
    yield "matrix", matrix.origin, matrix.comparison(0, 1)
    explained = ns.explain(A, B, encoder=model)
    yield "explain", explained.origin, explained
    duplicates = ns.duplicates([A, B], encoder=model, min_probability=0.0)
    yield "duplicates", duplicates.origin, duplicates.pairs[0]
    with ns.open(place / "c.nearsense", model) as there:
        there.add([B, ns.Document("other", A)])
        hits = there.search(A)
        yield "Collection.search", hits.origin, next(hit for hit in hits if hit.text == B)
        yield "Collection.similar", there.similar("other").origin, there.similar("other")[0]


@pytest.mark.parametrize("wrap", [lambda model: model, cached], ids=["as it is", "behind the cache"])
def test_every_verb_goes_by_what_the_folder_carries(folder, tmp_path, wrap):
    model = wrap(ns.load(str(folder)))
    carried = carried_calibration(model)
    for verb, origin, found in verbs(model, tmp_path):
        assert origin.calibration == "mine", verb
        assert found.probability is not None, verb
    assert ns.map([A, B, "w9 w10"], encoder=model).curve[-1, 1] == carried.probability(1.0)


def test_the_probability_is_that_of_the_carried_curve_at_its_own_share(folder):
    model = ns.load(str(folder))
    carried = carried_calibration(model)
    found = ns.compare("w1 w2 w3", "w7 w8 w9", encoder=model)
    kinds = [[]]
    shift = carried.guarded(np.array([found.score]), kinds)
    assert found.probability <= carried.probability(found.score, shift=float(shift[0])) + 1e-9
    assert found.origin.prior == pytest.approx(carried.prior)


def test_the_command_goes_by_it_too(folder, tmp_path, capsys, monkeypatch):
    from nearsense.cli import main

    (tmp_path / "texts.txt").write_text(f"{B}\nw20 w21\n")
    monkeypatch.setattr(
        "sys.argv", ["nearsense", "search", str(tmp_path / "texts.txt"), A, "--model", str(folder)]
    )
    main()
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    hits = ns.search(A, [B, "w20 w21"], encoder=str(folder))
    assert hits.origin.calibration == "mine"
    assert [row["probability"] for row in rows] == [hit.probability for hit in hits]


def test_what_the_caller_says_goes_first(folder):
    model = ns.load(str(folder))
    other = calibration_of(model, "theirs")
    assert ns.compare(A, B, encoder=model, calibration=other).origin.calibration == "theirs"
    assert ns.compare(A, B, encoder=model, calibration="none").probability is None


def test_a_folder_without_one_is_as_before(tmp_path):
    model = ns.load(str(tiny_bert(tmp_path / "plain")))
    assert carried_calibration(model) is None
    assert carried_calibration(ns.load()) is None


@pytest.mark.parametrize(
    ("content", "said"),
    [("", "no JSON"), ("{", "no JSON"), ("[]", "KeyError"), ('{"nearsense calibration": 2}', "later version")],
    ids=["empty", "cut", "another thing", "of tomorrow"],
)
def test_a_broken_one_is_named_with_what_to_type(folder, content, said):
    (folder / "calibration.json").write_text(content)
    with pytest.raises(InputError, match=r"calibration\.json is no calibration") as found:
        ns.compare(A, B, encoder=str(folder))
    assert said in found.value.why
    assert f"--model {folder} -o {folder / 'calibration.json'}" in found.value.fix


def test_one_of_another_model_is_refused_though_it_has_the_same_name(folder, tmp_path):
    parent = (folder / "calibration.json").read_text()
    changed = tiny_bert(tmp_path / "changed" / "mine", seed=1)
    (changed / "calibration.json").write_text(parent)
    with pytest.raises(ModelMismatch, match="of another model") as found:
        ns.search(A, [B], encoder=str(changed))
    assert str(changed / "calibration.json") in found.value.what
    assert "remove the file" in found.value.fix


def test_a_model_that_is_run_in_another_way_is_another_model(folder):
    model = ns.load(str(folder))
    assert carried_calibration(model.with_dimensions(16)) is None
    assert carried_calibration(model.with_similarity(Metric.DOT)) is None
    assert carried_calibration(ns.load(str(folder), pooling="cls")) is None
    assert carried_calibration(model.with_long(ns.types.Long.HEAD)) is not None


def test_it_is_read_again_where_it_was_changed(folder):
    model = ns.load(str(folder))
    assert carried_calibration(model).task == "mine"
    replace(calibration_of(model, "newer"), seen=1).save(folder / "calibration.json")
    assert carried_calibration(model).task == "newer"


def test_a_pickled_model_brings_it_along(folder):
    again = pickle.loads(pickle.dumps(ns.load(str(folder))))
    assert carried_calibration(again).task == "mine"


def test_the_card_of_the_model_says_where_its_probabilities_come_from(folder):
    from nearsense.cli.models.card import bands_of

    assert {task: each["from"] for task, each in bands_of(ns.load(str(folder)))["tasks"].items()} == {
        "mine": "folder"
    }
