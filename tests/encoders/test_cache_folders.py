"""The caches on the disk: whose they are, who may read them, and links in them. Not what is in them."""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
from pathlib import Path

import numpy as np
import pytest

import nearsense as ns
from loopback_hub import serving
from nearsense.encoders import hub as hub_module
from nearsense.encoders.hub import remove, repository_folder
from nearsense.encoders.openvino import verified_cache
from nearsense.encoders.places import locate
from nearsense.encoders.weights import FileHashes
from nearsense.errors import FileError, NearsenseError
from nearsense.store.embeddings import EmbeddingCache
from samples import tiny_bert
from turns import in_turn

NAME = "someone/small-model"
root = pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can give files to another user"
)


@pytest.fixture
def home(tmp_path):
    """A folder of somebody, with a file in it."""
    folder = tmp_path / "somebody"
    (folder / "documents").mkdir(parents=True)
    (folder / "documents" / "thesis").write_text("years of work")
    (folder / "profile").write_text("export PATH=/usr/bin " * 200)
    return folder


@pytest.fixture(params=[0o000, 0o022, 0o077], ids=oct)
def umask(request):
    """Whatever the umask is, files are the same."""
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


def contents(folder: Path) -> dict[str, bytes | None]:
    return {
        str(each.relative_to(folder)): each.read_bytes() if each.is_file() else None for each in folder.rglob("*")
    }


def open_to_others(folder: Path) -> list[str]:
    """What of a folder, itself included, anybody but its owner may read or write."""
    return [str(each) for each in (folder, *folder.rglob("*")) if stat.S_IMODE(each.lstat().st_mode) & 0o077]


def keep(folder: Path) -> None:
    cache = EmbeddingCache(folder / "embeddings.db", max_bytes=1_000_000)
    cache.put([b"a key, 16 bytes."], np.ones((1, 4), np.float32), np.array([0]))
    assert len(cache.get([b"a key, 16 bytes."], 4).rows) == 1
    cache.close()


# Who may read them


def test_all_that_a_fresh_cache_holds_is_its_owners_alone(tmp_path, umask, monkeypatch):
    cache = tmp_path / "new" / "cache"
    keep(cache)
    model = tiny_bert(tmp_path / "model")
    ns.load(model, cache_dir=cache).encode(["a dog", "the cat"])
    assert list(cache.rglob("*.blob"))
    assert (cache / "file-hashes.json").exists()
    assert open_to_others(tmp_path / "new") == []


def test_in_a_folder_that_others_may_look_into_the_files_are_private_too(tmp_path, umask):
    cache = tmp_path / "cache"
    cache.mkdir()
    cache.chmod(0o755)
    keep(cache)
    ns.load(tiny_bert(tmp_path / "model"), cache_dir=cache).encode("a dog")
    assert [name for name in open_to_others(cache) if Path(name).is_file()] == []


# Compiled graphs


def put(cache: Path, *, owner: int | None = None) -> Path:
    """A graph that was compiled and sealed."""
    with verified_cache(cache) as place:
        (place / "graph.blob").write_bytes(b"a graph")
    if owner is not None:
        for each in (cache, *cache.iterdir()):
            os.chown(each, owner, owner)
    return cache / "graph.blob"


def kept(cache: Path) -> bool | None:
    """Whether the graph would be loaded; None where the folder would not be used at all."""
    with verified_cache(cache) as place:
        return None if place is None else (place / "graph.blob").exists()


def test_a_sealed_graph_is_loaded_and_a_changed_one_is_not(tmp_path):
    graph = put(tmp_path / "cache")
    assert kept(tmp_path / "cache") is True
    graph.chmod(0o600)
    graph.write_bytes(b"another")
    assert kept(tmp_path / "cache") is False


@root
@pytest.mark.parametrize("what", ["folder", "graph", "seals", "all"])
def test_a_graph_of_another_owner_is_not_loaded(tmp_path, what):
    cache = tmp_path / "cache"
    put(cache)
    for each in {
        "folder": [cache],
        "graph": [cache / "graph.blob"],
        "seals": [cache / "seals.json"],
        "all": [cache, *cache.iterdir()],
    }[what]:
        os.chown(each, 65534, 65534)
    assert not kept(cache)
    assert ns.load(tiny_bert(tmp_path / "model"), cache_dir=cache.parent).encode("a dog").data.shape == (1, 32)


@root
def test_another_users_model_cache_is_left_alone_and_encoding_works(tmp_path):
    model, cache = tiny_bert(tmp_path / "model"), tmp_path / "cache"
    right = ns.load(model, cache_dir=cache).encode(["a dog"]).data
    for each in (cache, *cache.rglob("*")):
        os.chown(each, 65534, 65534)
    before = contents(cache)
    assert np.array_equal(ns.load(model, cache_dir=cache).encode(["a dog"]).data, right)
    assert contents(cache) == before


@in_turn("mode", [0o777, 0o770, 0o720, 0o1777])
def test_a_folder_that_others_may_write_is_taken_from_them(tmp_path, mode):
    put(tmp_path / "cache")
    (tmp_path / "cache").chmod(mode)
    assert kept(tmp_path / "cache") is True
    assert stat.S_IMODE((tmp_path / "cache").stat().st_mode) & 0o022 == 0


def test_a_graph_that_is_a_link_is_not_loaded_and_seals_do_not_write_through_one(tmp_path, home):
    cache = tmp_path / "cache"
    graph = put(cache)
    graph.rename(home / "graph")
    graph.symlink_to(home / "graph")
    before = contents(home)
    assert kept(cache) is False
    (cache / "seals.json").unlink()
    (cache / "seals.json").symlink_to(home / "profile")
    put(cache)
    assert contents(home) == before
    assert kept(cache) is True


@pytest.mark.parametrize("level", [1, 2, 3])
def test_a_folder_of_the_compiled_graphs_that_is_a_link_is_not_used(tmp_path, home, level):
    cache = tmp_path / "cache" / "compiled" / "model" / "bf16"
    put(cache)
    linked = tmp_path.joinpath("cache", *("compiled", "model", "bf16")[:level])
    shutil.rmtree(linked)
    linked.symlink_to(home)
    (home / "mine.blob").write_text("mine")
    before = contents(home)
    assert kept(cache) is None
    assert contents(home) == before


# Links in the other caches


@pytest.mark.parametrize("end", ["", "-wal", "-shm", "-journal"])
@pytest.mark.parametrize("to", ["profile", "nowhere", "documents"])
def test_an_embedding_cache_that_is_a_link_is_not_used(tmp_path, home, end, to):
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / f"embeddings.db{end}").symlink_to(home / to)
    before = contents(home)
    cache = EmbeddingCache(tmp_path / "cache" / "embeddings.db", max_bytes=1_000_000)
    cache.put([b"a key, 16 bytes."], np.ones((1, 4), np.float32), np.array([0]))
    assert len(cache.get([b"a key, 16 bytes."], 4).rows) == 0
    cache.close()
    assert contents(home) == before


def test_the_lock_of_the_embedding_cache_is_not_followed(tmp_path, home):
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "embeddings.lock").symlink_to(home / "profile")
    before = contents(home)
    with contextlib.closing(EmbeddingCache(tmp_path / "cache" / "embeddings.db", max_bytes=1_000_000)) as cache:
        assert len(cache.get([b"a key, 16 bytes."], 4).rows) == 0
    assert contents(home) == before


def test_the_hashes_of_files_are_not_written_through_links(tmp_path, home):
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "file-hashes.json").symlink_to(home / "profile")
    before = contents(home)
    hashes = FileHashes(tmp_path / "cache")
    assert hashes.sha256(home / "profile") == hashes.sha256(home / "profile", anew=True)
    assert contents(home) == before


@pytest.fixture
def hub(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(hub_module, "WAITS", ())
    with serving({NAME: tiny_bert(tmp_path / "served")}, tags=("v1",)) as hub:
        yield hub


@pytest.mark.parametrize("name", ["", "blobs", "snapshots", "refs", "nearsense"])
def test_a_folder_of_the_hubs_cache_that_is_a_link_is_refused(hub, home, name):
    place = repository_folder(NAME) / name if name else repository_folder(NAME)
    place.parent.mkdir(parents=True)
    place.symlink_to(home)
    before = contents(home)
    with pytest.raises(NearsenseError, match=r"is a link|cannot be kept"):
        locate(f"{NAME}@v1")
    assert contents(home) == before


@pytest.mark.parametrize("end", ["", ".incomplete"])
def test_a_blob_that_is_a_link_is_never_written_through(hub, home, end):
    where = locate(NAME).path
    (blob,) = [file.readlink().name for file in where.rglob("model.safetensors")]
    shutil.rmtree(where.parent)
    planted = repository_folder(NAME) / "blobs" / f"{blob}{end}"
    planted.unlink(missing_ok=True)
    if end:
        (planted.with_name(blob)).unlink()
    planted.symlink_to(home / "profile")
    before = contents(home)
    with contextlib.suppress(FileError):
        locate(NAME)
    assert contents(home) == before


def test_a_cache_on_another_disk_may_be_reached_through_a_link(hub, tmp_path):
    (tmp_path / "disk").mkdir()
    (tmp_path / "home").symlink_to(tmp_path / "disk")
    assert locate(NAME).path.is_dir()
    assert remove(NAME) > 0
    assert not list((tmp_path / "disk").rglob("*.safetensors"))


@pytest.mark.parametrize("name", ["", ".locks"])
def test_to_remove_a_model_deletes_nothing_through_a_link(hub, home, name):
    locate(NAME)
    folder = repository_folder(NAME)
    (home / folder.name).mkdir()
    (home / folder.name / "mine").write_text("mine")
    if name:
        shutil.rmtree(folder.parent / name)
        (folder.parent / name).symlink_to(home)
    else:
        shutil.rmtree(folder)
        folder.symlink_to(home / folder.name)
    before = contents(home)
    with contextlib.nullcontext() if name else pytest.raises(FileError, match="cannot be removed"):
        remove(NAME)
    assert contents(home) == before
    assert folder.is_symlink() or not folder.exists()


def test_what_comes_from_the_hub_is_for_whom_the_cache_is(hub, umask):
    locate(NAME)
    assert [name for name in open_to_others(repository_folder(NAME)) if not Path(name).is_symlink()] == []


def test_a_cache_that_is_shared_with_a_group_stays_so(hub, umask):
    cache = repository_folder(NAME).parent
    cache.mkdir(parents=True)
    cache.chmod(0o2775)
    place = locate(NAME).path
    assert stat.S_IMODE(repository_folder(NAME).stat().st_mode) == 0o2775
    for file in place.rglob("*"):
        assert stat.S_IMODE(file.stat().st_mode) in (0o664, 0o2775)
