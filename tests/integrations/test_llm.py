"""The plugin through the command `llm` itself."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("llm")

import click.testing
import llm
from llm.cli import cli

from nearsense.errors import InputError
from nearsense.integrations import llm as plugin

MODEL = "nearsense/all-MiniLM-L6-v2"
TEXTS = {"a": "We ship within two days.", "b": "Reset your password here.", "ü": "Wir liefern täglich. 😀"}


@pytest.fixture
def typed(tmp_path, monkeypatch):
    """What the command prints, with the plugin as an installed one is; its files are the test's own."""
    monkeypatch.setenv("LLM_USER_PATH", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    llm.plugins.load_plugins()
    if not llm.plugins.pm.is_registered(plugin):
        llm.plugins.pm.register(plugin, "nearsense")

    def typed(*words, stdin=None):
        done = click.testing.CliRunner().invoke(cli, [str(word) for word in words], input=stdin)
        if done.exception and not isinstance(done.exception, SystemExit):
            raise done.exception
        assert done.exit_code == 0, done.output
        return done.output

    return typed


def test_installed_models_are_listed(typed):
    assert MODEL in typed("embed-models")
    assert "ms-marco" not in typed("embed-models"), "a cross-encoder makes no vectors"


def test_vectors_are_the_librarys(typed, encoder):
    vector = json.loads(typed("embed", "-m", MODEL, "-c", "I forgot my login é"))
    assert np.allclose(vector, encoder.encode("I forgot my login é").data[0], atol=1e-3)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # llm leaves its input open
def test_many_are_kept_and_the_similar_are_found(typed, tmp_path, encoder):
    rows = [{"id": id_, "text": text} for id_, text in TEXTS.items()]
    (tmp_path / "rows.json").write_text(json.dumps(rows))
    typed("embed-multi", "shop", tmp_path / "rows.json", "-m", MODEL, "--store")
    printed = typed("similar", "shop", "-c", "I forgot my login", "-n", "2")
    found = [json.loads(line) for line in printed.splitlines()]
    assert [each["id"] for each in found] == ["b", "a"]
    assert found[0]["content"] == TEXTS["b"]
    near = [json.loads(line)["id"] for line in typed("similar", "shop", "ü").splitlines()]
    scores = dict(zip(TEXTS, (vectors := encoder.encode([*TEXTS.values()]).data) @ vectors[-1], strict=True))
    assert near == sorted(["a", "b"], key=lambda id_: -scores[id_])
    empty = tmp_path / "none.json"
    empty.write_text("[]")
    typed("embed-multi", "none", empty, "-m", MODEL)


def test_what_is_no_text_is_refused():
    model = plugin.NearsenseEmbeddingModel("all-MiniLM-L6-v2")
    with pytest.raises(InputError, match="bytes"):
        list(model.embed_batch([b"\xff"]))
    assert list(model.embed_multi([])) == []


def test_llm_finds_the_plugin_where_nearsense_is_installed():
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]
    assert project["entry-points"]["llm"] == {"nearsense": plugin.__name__}
