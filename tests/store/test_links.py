"""A collection's folder that holds links, or strangers: nothing outside of it is read, changed or deleted."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys

import numpy as np
import pytest

import nearsense as ns
from fakes import HashEncoder
from nearsense import _folder
from nearsense._folder import Folder, Refused
from nearsense.errors import StoreError
from nearsense.store import open_store
from nearsense.store.generations import Draft, clean_up
from store.children import add, ids

FILES = ("collection.db", "collection.db-wal", "collection.db-shm", "mark", "lock", "builder.lock")

pytestmark = pytest.mark.skipif(not hasattr(os, "O_NOFOLLOW"), reason="this system makes no links")


@pytest.fixture(params=[True, False], ids=["held", "by path"])
def held(request, monkeypatch):
    """With names looked up in an open folder, and as on systems that cannot do that."""
    monkeypatch.setattr(_folder, "HELD", request.param)


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    with collection(tmp_path_factory.mktemp("built") / "c") as opened:
        opened.build()
        return opened.path


@pytest.fixture
def made(tmp_path, built):
    """A collection with a generation, closed."""
    return shutil.copytree(built, tmp_path / "c")


@pytest.fixture
def home(tmp_path):
    """A folder of somebody, with files of all kinds."""
    folder = tmp_path / "home"
    (folder / "documents").mkdir(parents=True)
    (folder / "documents" / "thesis.txt").write_text("years of work")
    (folder / "0000000001-abcdef01").mkdir()
    (folder / "0000000001-abcdef01" / "deep").mkdir()
    (folder / "profile").write_text("export PATH=/usr/bin " * 200)
    return folder


def collection(path):
    opened = ns.open(path, encoder())
    if not len(opened):
        opened.add([ns.Document(str(number), f"text {number}") for number in range(30)])
    return opened


def encoder():
    return HashEncoder()


def contents(folder):
    return {
        str(each.relative_to(folder)): each.read_bytes() if each.is_file() else None for each in folder.rglob("*")
    }


USES = {
    "search": lambda path: ns.open(path, encoder()).search("text 3", k=1),
    "verify": lambda path: ns.open(path, encoder()).verify(),
    "build": lambda path: ns.open(path, encoder()).build(),
    "compact": lambda path: ns.open(path, encoder()).compact(),
    "delete": lambda path: ns.open(path, encoder()).delete("3"),
}


@pytest.mark.parametrize("use", USES)
@pytest.mark.parametrize("name", FILES)
def test_a_file_that_is_a_link_is_refused_and_what_it_leads_to_stays(made, home, held, name, use):
    (made / name).unlink(missing_ok=True)
    (made / name).symlink_to(home / "profile")
    before = contents(home)
    with pytest.raises(StoreError, match="is a link"):
        USES[use](made)
    assert contents(home) == before


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("kind", ["dangling", "relative", "folder", "pipe", "link of a link"])
def test_nothing_but_plain_files_is_taken_and_nothing_is_made_elsewhere(made, home, held, name, kind):
    (made / name).unlink(missing_ok=True)
    if kind == "dangling":
        (made / name).symlink_to(home / "new")
    elif kind == "relative":
        (made / name).symlink_to("../home/profile")
    elif kind == "folder":
        (made / name).mkdir()
    elif kind == "pipe":
        os.mkfifo(made / name)
    else:
        (home / "hop").symlink_to(home / "profile")
        (made / name).symlink_to(home / "hop")
    before = contents(home)
    with pytest.raises(StoreError, match=r"is a link|is no plain file"):
        collection(made)
    assert contents(home) == before


@pytest.mark.parametrize("use", USES)
def test_generations_that_are_a_link_are_refused_and_nothing_is_deleted_there(made, home, held, use):
    shutil.rmtree(made / "generations")
    (made / "generations").symlink_to(home)
    before = contents(home)
    with pytest.raises(StoreError, match="generations is a link"):
        USES[use](made)
    assert contents(home) == before


def test_a_link_that_is_put_there_while_the_collection_is_open_gains_nothing(made, home, held):
    before = contents(home)
    with collection(made) as opened:
        for name, act in (
            ("generations", opened.build),
            ("builder.lock", opened.build),
            ("lock", lambda: opened.delete("1")),
            ("mark", lambda: opened.delete("1")),
            ("generations", opened.compact),
        ):
            (made / name).rename(made.parent / "aside")
            (made / name).symlink_to(home if name == "generations" else home / "profile")
            with pytest.raises(StoreError, match="is a link"):
                act()
            (made / name).unlink()
            (made.parent / "aside").rename(made / name)
        assert contents(home) == before
        assert opened.delete("1") == 1
        opened.build()
    assert contents(home) == before


def test_a_swap_between_the_look_and_the_step_gains_nothing(tmp_path, home):
    """The folder of the generations is exchanged for a link while a draft is being made."""
    with contextlib.closing(open_store(tmp_path / "c")) as store:
        add(store, "1")
    draft = Draft(tmp_path / "c")
    name = next((tmp_path / "c" / "generations").iterdir()).name
    (home / name).mkdir()
    (home / name / "index.faiss").symlink_to(home / "profile")
    before = contents(home)
    (tmp_path / "c" / "generations").rename(tmp_path / "real")
    (tmp_path / "c" / "generations").symlink_to(home)
    with draft.file("index.faiss") as path:
        path.write_bytes(b"an index")
    draft.save("rows", np.zeros(3))
    assert set(draft.finish("0000000001-12345678")) == {"index.faiss", "rows.npy"}
    draft.discard()
    clean_up(tmp_path / "c", None)
    assert contents(home) == before
    assert (tmp_path / "real" / "0000000001-12345678" / "index.faiss").read_bytes() == b"an index"


def test_only_what_is_named_and_made_like_a_generation_is_tidied_away(made, home, held):
    generations = made / "generations"
    old = next(generations.iterdir()).name
    for name in ("backup", "draft-12", "draft-0123456g", "1-abcdef01", "0000000001-ABCDEF01", "README"):
        (generations / name).mkdir()
        (generations / name / "file").write_text("mine")
    (generations / "draft-01234567").mkdir()
    (generations / "draft-01234567" / "rows.npy").write_text("of one who died")
    (generations / "draft-89abcdef").symlink_to(home / "documents")
    (generations / "0000000002-abcdef01").mkdir()
    (generations / "0000000002-abcdef01" / "photos").mkdir()
    (generations / "0000000002-abcdef01" / "photos" / "a.jpg").write_text("mine")
    (generations / "0000000003-abcdef01").mkdir()
    (generations / "0000000003-abcdef01" / "notes").symlink_to(home / "profile")
    before = contents(home)
    with collection(made) as opened:
        opened.build()
    left = {each.name for each in generations.iterdir()}
    assert old not in left
    assert "draft-01234567" not in left
    assert {"backup", "draft-12", "draft-0123456g", "1-abcdef01", "0000000001-ABCDEF01", "README"} <= left
    assert (generations / "0000000002-abcdef01" / "photos" / "a.jpg").read_text() == "mine"
    assert contents(home) == before


@pytest.mark.parametrize("kind", ["link", "hard link to another", "outside"])
def test_derived_files_that_are_not_our_own_are_not_read(made, home, held, kind):
    folder = next((made / "generations").iterdir())
    before = contents(home)
    if kind == "link":
        (folder / "vectors.f32").rename(home / "vectors.f32")
        (folder / "vectors.f32").symlink_to(home / "vectors.f32")
    elif kind == "hard link to another":
        os.mkfifo(home / "pipe")
        (folder / "vectors.f32").unlink()
        os.link(home / "pipe", folder / "vectors.f32")
    else:
        shutil.copytree(folder, home / "0000000001-0badc0de")
        with contextlib.closing(open_store(made)) as store, store._database.connection() as connection:
            connection.run("UPDATE generations SET name = '../../home/0000000001-0badc0de'")
    with collection(made) as opened:
        assert opened.search("text 3", k=1)[0].id == "3"
        assert opened.verify().ok
    assert (home / "documents" / "thesis.txt").read_text() == before["documents/thesis.txt"].decode()


@pytest.mark.parametrize("name", ["collection.db", "lock", "mark", "builder.lock"])
def test_a_file_with_a_second_name_is_refused_before_two_collections_spoil_each_other(made, tmp_path, held, name):
    (tmp_path / "second").mkdir()
    os.link(made / name, tmp_path / "second" / name)
    before = (made / name).read_bytes()
    with pytest.raises(StoreError, match="has 2 names"):
        collection(made).build()
    assert (made / name).read_bytes() == before
    (tmp_path / "second" / name).unlink()
    with collection(made) as opened:
        opened.build()
        assert opened.verify().ok


def test_a_snapshot_by_hard_links_stops_the_writer_instead_of_changing_under_it(made, tmp_path):
    with collection(made) as opened:
        subprocess.run(["cp", "-al", made, tmp_path / "snapshot"], check=True)
        with pytest.raises(StoreError, match="hard links"):
            opened.delete("1")
        shutil.rmtree(tmp_path / "snapshot")
        assert opened.delete("1") == 1


def test_a_collection_may_be_reached_through_links_and_all_mean_the_same(tmp_path):
    (tmp_path / "disk").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "disk")
    with collection(tmp_path / "link" / "c") as one:
        (tmp_path / "short").symlink_to(tmp_path / "disk" / "c")
        with collection(tmp_path / "short") as other:
            other.delete("7")
            other.build()
            assert len(one) == 29
            one.delete("8")
            assert len(other) == 28
        (tmp_path / "short").unlink()
        (tmp_path / "short").symlink_to(tmp_path)
        one.compact()
    assert ids(open_store(tmp_path / "disk" / "c")) == [str(each) for each in range(30) if each not in (7, 8)]


def test_a_folder_is_asked_within_itself(tmp_path):
    with Folder(tmp_path) as folder:
        folder.make("in")
        with folder.within("in") as inner:
            inner.replace("file", b"1")
            inner.replace("file", b"22")
            assert inner.read("file") == b"22"
            assert inner.names() == ["file"]
            with pytest.raises(FileExistsError):
                inner.file("file", "xb")
            with pytest.raises(FileNotFoundError):
                inner.read("missing")
        with pytest.raises(Refused, match="no plain file"):
            folder.read("in")
    with pytest.raises(Refused, match="is no folder"):
        Folder(tmp_path / "in" / "file")
    (tmp_path / "link").symlink_to(tmp_path / "in")
    with pytest.raises(Refused, match="is a link"):
        Folder(tmp_path / "link")


def test_the_command_refuses_a_folder_out_of_an_archive_and_says_what_to_do(made, home, tmp_path):
    shutil.rmtree(made / "generations")
    (made / "generations").symlink_to(home)
    subprocess.run(["tar", "cf", tmp_path / "c.tar", "-C", tmp_path, "c"], check=True)
    shutil.rmtree(made)
    subprocess.run(["tar", "xf", tmp_path / "c.tar", "-C", tmp_path], check=True)
    before = contents(home)
    for words in (["build", made], ["verify", made], ["info", made], ["compact", made]):
        done = subprocess.run(
            [sys.executable, "-m", "nearsense", "index", *words], capture_output=True, text=True, check=False
        )
        assert done.returncode in (1, 3), done.stderr
        assert "generations is a link" in done.stderr + done.stdout
    assert contents(home) == before
