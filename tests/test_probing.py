"""What the probe tells of models that no calibration comes with: cross-encoders, servers, what its file keeps."""

from __future__ import annotations

import json
import os

import numpy as np
import pytest

import nearsense as ns
from fakes import WordCross
from loopback_embeddings import EmbeddingsServer, refused
from nearsense import probing
from nearsense.calibration import Curve, Form, Task, learn_calibration, lend_calibration, shipped_calibration
from nearsense.calibration.curve import logit, sigmoid
from nearsense.calibration.probe import probe_pairs
from nearsense.encoders.cross import PairEncoder
from nearsense.encoders.remote import load_remote
from nearsense.metrics import expected_calibration_error
from nearsense.probing import evidence, pairs_for, probe_result, scale_of
from nearsense.records import Origin, Ranking
from nearsense.reranking import rerank, rerank_many
from nearsense.settings import load_settings
from turns import in_turn

MODELS = os.environ.get("NEARSENSE_MODELS")
QUERY = "How do I get a new bank card?"
TEXTS = [
    "You order a new bank card in the app, under Cards.",
    "A bank card is made of plastic.",
    "New cards come by post within five days.",
    "Our branch is open from nine to five.",
    "The cat sleeps on the sofa.",
    "Cards that were lost have to be blocked at once; a new one is free.",
]
SHAPES = {
    "any number": lambda cosines: 20 * cosines - 7,
    "small numbers": lambda cosines: cosines / 100 - 4,
    "squeezed": lambda cosines: sigmoid(12 * (cosines - 0.5)),
    "steep": lambda cosines: sigmoid(20 * (cosines - 0.4)),
    "cosines": lambda cosines: cosines,
}


KNOWN = {}


class CosineCross(PairEncoder):
    """A cross-encoder whose number is made of the default model's cosine: as good a judge as that."""

    max_tokens, languages = 256, ("en",)

    def __init__(self, encoder, shape, name="cosines"):
        self.name, self._encoder, self._shape, self.scored = name, encoder, shape, 0

    @property
    def fingerprint(self):
        return f"{self.name} {self._encoder.fingerprint}"

    def score(self, pairs, **options):
        lefts, rights = zip(*pairs, strict=True)
        self.scored += len(lefts)
        a, b = (self._vectors(each) for each in (lefts, rights))
        return self._shape((a.astype(float) * b).sum(axis=1))

    def _vectors(self, texts):
        """Of each text once, whoever asks."""
        new = [text for text in dict.fromkeys(texts) if text not in KNOWN]
        if new:
            KNOWN.update(zip(new, self._encoder.encode(new, long="head").data, strict=True))
        return np.array([KNOWN[text] for text in texts])


@pytest.fixture(autouse=True)
def _nothing_known(monkeypatch, tmp_path):
    monkeypatch.setenv("NEARSENSE_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setattr(probing, "_results", {})


def kept():
    return load_settings().cache_dir / "probe.json"


@in_turn("shape", SHAPES)
def test_a_cross_encoder_that_judges_as_the_default_model_is_about_as_sure(encoder, shape):
    cross = CosineCross(encoder, SHAPES[shape], shape)
    found = {hit.text: hit for hit in rerank(QUERY, TEXTS, cross=cross)}
    truth = {hit.text: hit for hit in ns.search(QUERY, TEXTS, k=len(TEXTS), encoder=encoder)}
    assert list(found) == list(truth)
    for text, hit in truth.items():
        assert found[text].probability == pytest.approx(hit.probability, abs=0.08)
        assert found[text].interval[0] < found[text].probability < found[text].interval[1]


def test_a_higher_score_of_a_cross_encoder_is_never_less_probable(encoder):
    for name, shape in SHAPES.items():
        cross = CosineCross(encoder, shape, name)
        tried = probe_result(cross)
        origin = Origin(cross.name, cross.fingerprint, Ranking.CROSS)
        calibration = lend_calibration(origin, Task.PARAPHRASE, tried.scale, squeezed=tried.squeezed)
        scores = np.sort(np.append(shape(np.linspace(0.0, 1.0, 300)), [tried.levels["same"][1]]))
        assert (np.diff(calibration.probability(scores)) >= 0).all()


@pytest.mark.parametrize("task", ["paraphrase", "question", "request"])
def test_other_tasks_are_asked_of_a_cross_encoder_too(encoder, task):
    cross = CosineCross(encoder, SHAPES["any number"])
    found = rerank(QUERY, TEXTS, cross=cross, calibration=task, min_probability=0.01)
    assert found.origin.calibration == task
    assert all(hit.probability >= 0.01 for hit in found)


def test_a_cross_encoder_is_tried_once_and_remembered(encoder, monkeypatch):
    cross = CosineCross(encoder, SHAPES["squeezed"])
    first = rerank(QUERY, TEXTS, cross=cross)
    assert cross.scored == len(TEXTS) + len(pairs_for(cross, passages=True)[1])
    monkeypatch.setattr(probing, "_results", {})  # as in another process
    cross.scored = 0
    again = rerank(QUERY, TEXTS, cross=cross)
    assert cross.scored == len(TEXTS)
    assert [hit.probability for hit in again] == [hit.probability for hit in first]


def test_a_search_and_a_collection_say_how_sure_the_second_stage_is(encoder, tmp_path):
    cross = CosineCross(encoder, SHAPES["any number"])
    alone = [hit.probability for hit in rerank(QUERY, TEXTS, cross=cross)]
    assert [hit.probability for hit in ns.search(QUERY, TEXTS, k=6, rerank=cross)] == pytest.approx(alone)
    with ns.open(tmp_path / "made.nearsense") as collection:
        collection.add([ns.Document(str(row), text) for row, text in enumerate(TEXTS)])
        for mode in ("dense", "hybrid"):
            found = collection.search(QUERY, k=6, rerank=cross, mode=mode)
            assert [hit.probability for hit in found] == pytest.approx(alone[: len(found)])


def test_calibration_none_tries_nothing(encoder):
    cross = CosineCross(encoder, SHAPES["any number"])
    assert {hit.probability for hit in rerank(QUERY, TEXTS, cross=cross, calibration="none")} == {None}
    assert cross.scored == len(TEXTS)
    assert not kept().exists()


def test_what_a_cross_encoder_was_not_made_for_has_no_probability(encoder):
    cross = CosineCross(encoder, SHAPES["any number"])
    foreign = [
        "La banca resta chiusa durante tutte le feste di Natale",
        "Die Karte wird innerhalb einer Woche geliefert",
    ]
    found = {hit.text: hit for hit in rerank(QUERY, [*TEXTS, *foreign], cross=cross)}
    assert all(found[text].probability is None and found[text].unsure for text in foreign)
    assert all(found[text].probability is not None for text in TEXTS)


@pytest.mark.parametrize(
    "shape", [lambda cosines: 0 * cosines, lambda cosines: -cosines, lambda c: np.sin(1e4 * c)]
)
def test_a_cross_encoder_that_tells_nothing_apart_has_no_probability(encoder, shape):
    cross = CosineCross(encoder, shape, "useless")
    assert {hit.probability for hit in rerank(QUERY, TEXTS, cross=cross)} == {None}
    assert probe_result(cross, passages=True).scale is None


def test_a_cross_encoder_of_somebody_else_is_not_tried():
    cross = WordCross()
    assert {hit.probability for hit in rerank(QUERY, TEXTS, cross=cross)} == {None}
    assert len(cross.read) == len(TEXTS)


def test_the_evidence_of_the_default_model_is_what_others_are_measured_by(encoder):
    for passages in (False, True):
        curve = shipped_calibration(Origin(encoder.name, encoder.fingerprint), Task.PARAPHRASE).curve
        _, pairs = pairs_for(encoder, passages=passages)
        a, b = (encoder.encode([getattr(each, side) for each in pairs]).data for side in ("left", "right"))
        nearness = ((a.astype(float) * b).sum(axis=1) - curve.centre) / curve.scale
        found = evidence(nearness, [each.relation for each in pairs])
        assert found == pytest.approx(probing._EVIDENCE[passages], abs=0.3)


KEPT = {"language": "en", "pairs": 3, "levels": {}, "random": None, "scale": None, "squeezed": False}


@pytest.mark.parametrize(
    "entry",
    [
        None,
        [0.04, 0.96],
        "text",
        {"levels": {}},
        {**KEPT, "levels": {"same": [1, 2]}},
        {**KEPT, "scale": {"random": "x", "unit": 1}},
        {**KEPT, "random": [0, 0, float("nan")]},
    ],
)
def test_what_was_kept_by_another_version_or_damaged_is_tried_anew(encoder, entry):
    kept().parent.mkdir()
    kept().write_text(json.dumps({f"{encoder.fingerprint} passages": entry, "another": 1}))
    scale = scale_of(encoder, passages=True)
    assert 0 < scale.random < 0.1
    known = json.loads(kept().read_text())
    assert known["another"] == 1
    assert known[f"{encoder.fingerprint} passages"]["scale"]["random"] == scale.random


def test_a_squeezed_curve_is_the_curve_of_the_log_odds():
    plain = Curve(Form.LOGISTIC, 0.3, 2.0, (), np.array([-0.5, 3.0]), np.array([[0.4, -0.1], [-0.1, 0.2]]))
    scores = sigmoid(np.linspace(-9, 9, 37))
    found = plain.of_squeezed()
    np.testing.assert_allclose(found.log_odds(scores), plain.log_odds(logit(scores)), atol=1e-9)
    np.testing.assert_allclose(found.spread(scores), plain.spread(logit(scores)), atol=1e-6)
    assert (np.diff(found.log_odds(np.linspace(0, 1, 2_000))) > 0).all()
    assert Curve.from_dict(json.loads(json.dumps(found.to_dict()))).log_odds(0.7) == found.log_odds(0.7)


@pytest.mark.slow
@pytest.mark.parametrize("shape", ["any number", "squeezed"])
def test_a_cross_encoder_is_as_true_on_questions_and_answers_as_is_said(data, shape):
    """WikiQA: candidates as they come, judged by another model's cosines in place of a cross-encoder's numbers."""
    if MODELS is None:
        pytest.skip("NEARSENSE_MODELS names no folder with models")
    rows = data("answer-selection/wikiqa-dev")[:60]
    cross = CosineCross(ns.load(f"{MODELS}/all-mpnet-base-v2"), SHAPES[shape], shape)
    found = rerank_many([row["query"] for row in rows], [row["candidates"] for row in rows], cross=cross)
    truth = [row["labels"][int(hit.id)] > 0 for row, hits in zip(rows, found, strict=True) for hit in hits]
    said = [hit.probability for hits in found for hit in hits]
    assert expected_calibration_error(truth, said) < 0.12


class Served(EmbeddingsServer):
    """A server that runs the default model."""

    def __init__(self, encoder, **options):
        super().__init__(encoder.dimension, **options)
        self.encoder = encoder


def test_nothing_goes_to_a_server_unasked_and_once_asked_it_is_remembered(encoder, monkeypatch):
    with Served(encoder) as server:
        remote = load_remote("openai:mine", base_url=server.url, dimensions=encoder.dimension)
        assert ns.compare("It is raining.", "Rain is falling.", encoder=remote).probability is None
        with pytest.raises(ns.errors.InputError, match="nearsense models probe openai:mine"):
            ns.compare_pairs([("It is raining.", "Rain is falling.")], encoder=remote, prior=0.5)
        server.questions.clear()
        assert ns.compare("It is raining.", "Rain is falling.", encoder=remote).probability is None
        assert scale_of(remote) is None
        assert server.texts == ["It is raining.", "Rain is falling."]
        count = probing.texts_to_send(remote)
        for passages in (False, True):
            probe_result(remote, passages=passages, send=True)
        assert len(server.texts) == 2 + count
        monkeypatch.setattr(probing, "_results", {})
        assert probing.texts_to_send(remote) == 0
        assert scale_of(remote).random == pytest.approx(scale_of(encoder).random, abs=1e-4)
        sure = ns.compare("It is raining.", "Rain is falling.", encoder=remote)
        assert sure.interval[0] < sure.probability < sure.interval[1]
        assert len(server.texts) == 4 + count
        other = load_remote("openai:other", base_url=server.url, dimensions=encoder.dimension)
        assert ns.compare("It is raining.", "Rain is falling.", encoder=other).probability is None


def test_a_server_that_refuses_leaves_nothing_behind(encoder):
    with Served(encoder, script=[refused(400, "no")]) as server:
        remote = load_remote("openai:mine", base_url=server.url, dimensions=encoder.dimension)
        with pytest.raises(ns.errors.ModelError):
            probe_result(remote, send=True)
        assert scale_of(remote) is None
        assert not kept().exists()


def test_few_labels_of_a_model_that_no_calibration_comes_with_start_from_other_sets_too():
    model = ns.load(pooling="cls")
    pairs = [each for each in probe_pairs() if each.form == "sentences"][::12][:24]
    labelled = [(each.left, each.right, each.relation == "same") for each in pairs]
    vectors = model.encode([text for each in pairs for text in (each.left, each.right)]).data
    scores, labels = (vectors[::2] * vectors[1::2]).sum(axis=1), [same for *_, same in labelled]
    started = ns.calibrate(labelled, encoder=model, task="paraphrase")
    alone = learn_calibration(scores, labels, Origin(model.name, model.fingerprint))
    assert shipped_calibration(Origin(model.name, model.fingerprint), Task.PARAPHRASE) is None
    widths = [np.subtract(*each.interval(scores)[::-1]).mean() for each in (started, alone)]
    assert widths[0] < 0.9 * widths[1]
