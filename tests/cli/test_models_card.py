"""models card, models probe: what the scores of a model mean, and what goes to a server for it."""

from __future__ import annotations

import json
import os
from types import SimpleNamespace

import numpy as np
import pytest

from loopback_embeddings import EmbeddingsServer, refused
from nearsense import encoders, probing
from nearsense.calibration import Task, shipped_calibration
from nearsense.calibration.probe import probe_pairs
from nearsense.records import Origin
from samples import tiny_bert
from turns import in_turn

MODELS = os.environ.get("NEARSENSE_MODELS")
MINE = "openai:mine"


@pytest.fixture(scope="module")
def vectors(encoder):
    """What the default model makes of all texts of the probe, computed once."""
    texts = sorted({text for pair in probe_pairs("en") for text in (pair.left, pair.right)})
    return dict(zip(texts, encoder.encode(texts).data, strict=True))


@pytest.fixture
def known(monkeypatch, tmp_path):
    """Nothing is known of any model yet."""
    monkeypatch.setenv("NEARSENSE_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setattr(probing, "_results", {})
    return probing._results


def bands(done):
    assert done.code == 0, done.err
    return json.loads(done.out)["bands"]


def table(run, monkeypatch, *words):
    """What a reader at a terminal gets."""
    from nearsense.render import _WRITERS, Form

    with monkeypatch.context() as patch:
        patch.setitem(_WRITERS, Form.JSONL, _WRITERS[Form.TABLE])
        patch.setenv("COLUMNS", "400")
        done = run(*words)
    assert done.code == 0, done.err
    return done.out


def test_the_card_says_at_which_score_half_are_the_same(run, encoder):
    found = bands(run("models", "card", "all-MiniLM-L6-v2", "--json"))
    assert list(found["tasks"]) == [each.value for each in Task]
    for task, each in found["tasks"].items():
        calibration = shipped_calibration(Origin(encoder.name, encoder.fingerprint), Task(task))
        here = calibration.here(expected=0.1 if task == "passage" else None)
        assert each["from"] == "shipped"
        assert here.probability(each["half"]) == pytest.approx(0.5, abs=0.01)
        assert each["one_in_ten"] < each["half"] < each["nine_in_ten"] <= 1
        assert each["expected"] == pytest.approx(here.prior, abs=1e-3)


def test_the_card_says_where_unrelated_ends(run, vectors):
    levels = bands(run("models", "card", "all-MiniLM-L6-v2", "--json"))["probe"]["pairs"]["levels"]
    pairs = [each for each in probe_pairs("en") if each.form in ("sentences", "questions")]
    for relation in ("unrelated", "same", "near", "topic"):
        own = [each for each in pairs if each.relation == relation]
        a, b = (np.array([vectors[getattr(each, side)] for each in own]) for side in ("left", "right"))
        truth = np.quantile((a * b).sum(axis=1), [0.05, 0.5, 0.95])
        np.testing.assert_allclose(levels[relation], truth, atol=0.01)


def test_the_table_says_it_in_plain_words(run, monkeypatch):
    said = table(run, monkeypatch, "models", "card", "all-MiniLM-L6-v2")
    for words in ("is where unrelated ends", "that both say the same: half at 0.", "comes with these weights"):
        assert words in said


@pytest.mark.parametrize("seed", range(3))
def test_of_a_model_that_tells_nothing_apart_the_card_says_so(run, monkeypatch, tmp_path, known, seed):
    folder = tiny_bert(tmp_path / "tiny", seed=seed)
    found = bands(run("models", "card", folder, "--json"))
    assert found["tasks"] == {}
    assert "it does not tell what says the same" in table(run, monkeypatch, "models", "card", folder)


@in_turn("name", ["bge-m3", "LaBSE", "ms-marco-MiniLM-L6-v2", "openai:text-embedding-3-small"])
def test_the_card_of_a_model_that_is_not_here_has_facts_alone(run, name, monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))  # nobody has tried it on the probe
    done = run("models", "card", name, "--json")
    assert done.code == 0
    assert json.loads(done.out)["bands"] is None


def corpus(tmp_path, texts):
    file = tmp_path / "texts.jsonl"
    file.write_text("".join(json.dumps({"body": text, "n": row}) + "\n" for row, text in enumerate(texts)))
    return file


def test_the_card_says_how_far_the_probe_is_from_a_corpus(run, monkeypatch, tmp_path):
    kinds, things = ["delivery", "return", "repair", "bill"], ["car", "bike", "van", "bus"]
    words = ["late", "here", "wrong", "paid"]
    narrow = [f"The {kind} of my {thing} is {word}." for kind in kinds for thing in things for word in words]
    broad = [pair.left for pair in probe_pairs("en") if pair.form == "sentences"]
    found = {}
    for name, texts in (("narrow", narrow), ("broad", broad)):
        asked = ("models", "card", "all-MiniLM-L6-v2", "--corpus", corpus(tmp_path, texts), "--text", "body", "-q")
        found[name] = bands(run(*asked, "--json"))["corpus"]
        said = table(run, monkeypatch, *asked)
        assert ("have more in common" if name == "narrow" else "alike, so the bands hold") in said
    assert found["narrow"]["apart"] > 1 > 0.5 > abs(found["broad"]["apart"])
    assert found["narrow"]["half"] > found["broad"]["half"]
    assert found["narrow"]["texts"] == 64


@pytest.mark.parametrize("name", ["bge-m3", "openai:text-embedding-3-small"])
def test_a_corpus_is_refused_where_the_model_cannot_read_it(run, tmp_path, name, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-none")
    done = run("models", "card", name, "--corpus", corpus(tmp_path, ["a", "b"]), "-q")
    assert (done.code, done.out) == (2, "")
    assert "cannot be compared with the probe" in done.err
    assert run("models", "card", name, "--text", "body").code == 2


class Served(EmbeddingsServer):
    """A server that runs the default model."""

    def __init__(self, encoder, vectors, **options):
        super().__init__(encoder.dimension, **options)
        self.encoder, self.known = self, vectors
        self.run = encoder.encode

    def encode(self, texts):
        if {*texts} <= {*self.known}:
            return SimpleNamespace(data=np.array([self.known[text] for text in texts]))
        return self.run(texts)

    @property
    def of_the_probe(self):
        return [text for text in self.texts if text != "word"]  # by which the length of a vector is learnt


@pytest.fixture
def server(encoder, vectors, monkeypatch, known):
    encoders._load.cache_clear()  # a name is loaded once; each of these servers has another address
    monkeypatch.setattr(encoders, "_remote", [])
    with Served(encoder, vectors) as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.url)
        yield server
    encoders._load.cache_clear()


def test_a_model_on_a_server_is_tried_on_request_and_says_how_many_texts_it_sends(run, server, known):
    unknown = json.loads(run("compare", "It is raining.", "Rain is falling.", "--model", MINE, "--json").out)
    assert unknown["probability"] is None
    server.questions.clear()
    done = run("models", "probe", MINE, "--yes", "--json")
    found = bands(done)
    assert f"{len(server.of_the_probe):,} texts of the probe go to the server" in done.err
    assert {each["from"] for each in found["tasks"].values()} == {"probe"}
    known.clear()  # as in another process
    before = len(server.of_the_probe)
    again = run("models", "probe", MINE, "--yes", "--json")
    assert bands(again) == found
    assert "texts of the probe" not in again.err
    assert len(server.of_the_probe) == before > 1_000
    pair = ("The parcel is late.", "My parcel has not come yet.")
    compared = json.loads(run("compare", *pair, "--model", MINE, "--json").out)
    assert 0 < compared["interval"][0] < compared["probability"] < compared["interval"][1] < 1


def test_without_a_yes_nothing_is_sent(run, server):
    done = run("models", "probe", MINE)
    assert done.code == 2
    assert "--yes" in done.err
    assert server.of_the_probe == []


def test_a_server_that_refuses_is_an_error_and_nothing_is_kept(run, server, tmp_path):
    server.always = lambda handler, question: len(question["input"]) > 1 and refused(400, "no")(handler, question)
    done = run("models", "probe", MINE, "--yes")
    assert (done.code, done.out) == (2, "")
    assert len(server.questions) > 1
    assert not (tmp_path / "cache" / "probe.json").exists()


def test_a_model_that_runs_here_is_tried_without_a_question(run):
    assert bands(run("models", "probe", "all-MiniLM-L6-v2", "--json"))["tasks"]["paraphrase"]["from"] == "shipped"


@pytest.mark.slow
@pytest.mark.parametrize("name", ["multilingual-e5-small-4bit", "all-mpnet-base-v2"])
def test_other_models_have_bands_by_the_probe(run, name):
    if MODELS is None:
        pytest.skip("NEARSENSE_MODELS names no folder with models")
    found = bands(run("models", "card", f"{MODELS}/{name}", "--json"))
    unrelated, same = (found["probe"]["pairs"]["levels"][each] for each in ("unrelated", "same"))
    for each in found["tasks"].values():
        assert each["from"] == "probe"
        assert unrelated[1] < each["half"]
    assert unrelated[1] < same[0]
