"""Where a model is looked for, in which order, and what is said where it is not."""

from __future__ import annotations

import socket

import pytest

import nearsense as ns
from nearsense.encoders import places
from nearsense.encoders.catalog import CATALOG
from nearsense.encoders.places import how_to_get, inside, installed_places, locate, present, verify
from samples import cached_bert, tiny_bert
from turns import in_turn

NAME = "someone/small-model"


def cached(home, name=NAME, **options):
    return cached_bert(home / "hub", name, **options)


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    monkeypatch.delenv("HF_HUB_CACHE", raising=False)
    monkeypatch.setattr(socket, "socket", None)  # no request is made in this file
    return tmp_path


def test_a_path_goes_before_all_else_and_a_package_before_the_cache(home, monkeypatch):
    cached(home, CATALOG[0].hub)
    assert locate(CATALOG[0].name).path.parent.name == CATALOG[0].package
    own = tiny_bert(home / CATALOG[0].name)
    monkeypatch.chdir(home)
    assert locate(CATALOG[0].name).path.resolve() == own


def test_without_the_package_the_cache_is_asked_under_every_name(home, monkeypatch):
    folder = cached(home, CATALOG[0].hub)
    monkeypatch.setattr(places, "_package_folder", lambda card: None)
    for name in (CATALOG[0].name, CATALOG[0].hub, CATALOG[0].hub.upper()):
        assert (locate(name).path, locate(name).name) == (folder, CATALOG[0].name)


def test_a_bare_name_that_nobody_knows_is_looked_for_in_its_usual_home(home):
    folder = cached(home, "sentence-transformers/rare-model")
    assert locate("rare-model").path == folder


@pytest.mark.parametrize(
    ("variables", "folder"),
    [({"HF_HOME": "{}/a"}, "a/hub"), ({"HF_HUB_CACHE": "{}/b", "HF_HOME": "{}/a"}, "b"),
     ({"HF_HOME": "", "XDG_CACHE_HOME": "{}/c"}, "c/huggingface/hub")],
)  # fmt: skip
def test_the_cache_lies_where_the_environment_says_now(home, monkeypatch, variables, folder):
    for name, value in variables.items():
        monkeypatch.setenv(name, value.format(home))
    model = cached_bert(home / folder, NAME)
    assert locate(NAME).path == model


@pytest.mark.parametrize("revision", ["v1.0", "refs/pr/1", "0123456789", "0123456"])
def test_a_revision_is_a_tag_a_pull_request_a_commit_or_its_beginning(home, revision):
    ref = None if revision.startswith("0") else revision
    folder = cached(home, commit="0123456789", ref=ref)
    place = locate(f"{NAME}@{revision}")
    assert (place.path, place.revision, place.name) == (folder, "0123456789", NAME)
    assert present(NAME) is None


@pytest.mark.parametrize("revision", ["../../x", "/etc", "", "a b"])
def test_a_revision_that_is_a_path_is_refused(home, revision):
    with pytest.raises(ns.errors.ModelNotFound):
        locate(f"{NAME}@{revision}")


@pytest.mark.parametrize("gone", ["config.json", "tokenizer.json", "model.safetensors", "1_Pooling/config.json"])
def test_a_snapshot_of_another_program_that_is_not_whole_is_said_to_be_so(home, gone):
    (cached(home) / gone).unlink()
    with pytest.raises(ns.errors.ModelNotFound, match=f"a part of it: {gone} is missing"):
        locate(NAME)


def test_shards_are_whole_when_each_is_there(home):
    folder = cached(home)
    (folder / "model.safetensors").rename(folder / "model-00001-of-00002.safetensors")
    index = '{"weight_map": {"a": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors"}}'
    (folder / "model.safetensors.index.json").write_text(index)
    assert present(NAME) is None
    (folder / "model-00002-of-00002.safetensors").write_bytes(b"")
    assert present(NAME) is not None


@pytest.mark.parametrize("variable", ["HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"])
def test_without_the_network_the_error_says_why_it_was_not_asked(home, monkeypatch, variable):
    monkeypatch.delenv("HF_HUB_OFFLINE")
    monkeypatch.setenv(variable, "1")
    with pytest.raises(ns.errors.ModelNotFound, match="no model 'someone/small-model' here") as caught:
        locate(NAME, offline=False)
    assert f"{variable} is set" in caught.value.why
    assert str(home) in caught.value.why
    assert caught.value.fix == f"nearsense models pull {NAME}"


def test_offline_as_an_argument_forbids_the_network(home, monkeypatch):
    monkeypatch.delenv("HF_HUB_OFFLINE")
    with pytest.raises(ns.errors.ModelNotFound) as caught:
        locate(NAME, offline=True)
    assert "offline is set" in caught.value.why


@pytest.mark.parametrize("name", ["all-MiniLM-L6-v3", "sentence-transformers/all-minilm-l6"])
def test_a_slip_of_the_finger_is_told_what_was_meant(home, name):
    with pytest.raises(ns.errors.ModelNotFound) as caught:
        locate(name)
    assert "did you mean all-MiniLM-L6-v2" in caught.value.fix


@pytest.mark.parametrize(
    "name", ["./nowhere", "~/nowhere", "/nowhere/at/all", "a/b/c", "a b", "x\0y", "..", "a--b/c"]
)
def test_what_cannot_be_a_name_is_not_asked_of_the_hub(home, monkeypatch, name):
    monkeypatch.delenv("HF_HUB_OFFLINE")
    monkeypatch.chdir("/")
    with pytest.raises(ns.errors.ModelError):
        locate("/nowhere" if name == ".." else name)


def test_a_file_is_not_a_folder(home):
    file = tiny_bert(home / "model") / "config.json"
    with pytest.raises(ns.errors.ModelNotFound, match="is a file"):
        locate(str(file))


def test_all_that_is_here_is_listed_whole_or_not_each_once(home):
    cached(home)
    cached(home, "someone/pinned", ref=None)
    cached(home, CATALOG[0].hub)
    (home / "hub" / "models--no--such--thing").mkdir()
    (home / "hub" / "datasets--a--b").mkdir()
    listed = {place.name: place.revision for place in installed_places()}
    assert listed == {CATALOG[0].name: None, NAME: "abc123", "someone/pinned@abc123": "abc123"}
    assert all(locate(name).name in name for name in listed)


def test_what_to_type_to_have_a_model():
    assert how_to_get("all-MiniLM-L6-v2").startswith("pip install")
    assert how_to_get("rare-model") == "nearsense models pull rare-model"
    assert "path" in how_to_get("./here")


@in_turn("part", ["../secret", "/etc/passwd", "a/../../secret", "link", "deep/link", "loop", "x\0y"])
def test_what_lies_outside_of_a_models_folder_is_refused(tmp_path, part):
    (tmp_path / "secret").write_text("secret")
    folder = tmp_path / "model"
    (folder / "deep").mkdir(parents=True)
    (folder / "link").symlink_to("../secret")
    (folder / "deep" / "link").symlink_to(tmp_path / "secret")
    (folder / "loop").symlink_to("loop")
    with pytest.raises(ns.errors.BrokenModel, match="is refused"):
        inside(folder, part)


def test_links_within_a_folder_and_into_the_caches_blobs_are_fine_and_no_others(home):
    folder = cached(home)
    blobs = folder.parents[1] / "blobs"
    blobs.mkdir()
    for name in ("model.safetensors", "1_Pooling/config.json"):
        (folder / name).rename(blobs / name.replace("/", "-"))
        (folder / name).symlink_to(blobs / name.replace("/", "-"))
        assert inside(folder, name) == folder / name
    assert inside(folder / "1_Pooling", "config.json").is_file()
    assert inside(folder, ".") == folder
    assert inside(folder, "not-there.json") == folder / "not-there.json"
    (home / "secret").write_text("secret")
    (blobs / "evil").symlink_to(home / "secret")
    (folder / "evil.json").symlink_to(blobs / "evil")
    with pytest.raises(ns.errors.BrokenModel, match="outside"):
        inside(folder, "evil.json")


def test_a_folder_that_only_looks_like_a_cache_gives_no_way_out(tmp_path):
    folder = tmp_path / "snapshots" / "abc"
    folder.mkdir(parents=True)
    (tmp_path / "blobs").mkdir()
    (tmp_path / "blobs" / "x").write_text("not the model's")
    (folder / "x").symlink_to("../../blobs/x")
    with pytest.raises(ns.errors.BrokenModel, match="outside"):
        inside(folder, "x")


def test_a_link_to_the_models_folder_itself_is_fine(tmp_path):
    tiny_bert(tmp_path / "real")
    (tmp_path / "link").symlink_to("real")
    assert inside(tmp_path / "link", "config.json").is_file()


def test_the_installed_package_is_as_published():
    assert verify(locate("all-MiniLM-L6-v2")) == []


def test_a_published_file_that_was_changed_is_found(home, monkeypatch):
    cached(home, CATALOG[0].hub)
    monkeypatch.setattr(places, "_package_folder", lambda card: None)
    findings = verify(locate(CATALOG[0].name))
    assert [finding.split()[0] for finding in findings] == ["model.safetensors", "tokenizer.json"]
    assert CATALOG[0].sha256["model.safetensors"] in findings[0]


def test_links_that_lead_out_are_found(home):
    folder = cached(home)
    (home / "secret").write_text("secret")
    (folder / "vocab.txt").symlink_to(home / "secret")
    assert any(finding.startswith("vocab.txt: it lies outside") for finding in verify(locate(NAME)))
