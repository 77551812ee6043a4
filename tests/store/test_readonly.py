"""Collections that may not be written: on a mount, on a medium, of somebody else. All that reads works there."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

import nearsense as ns
from durability.forks import Forks
from fakes import HashEncoder
from nearsense.errors import DamagedCollection, StoreError
from nearsense.store import open_store, readonly
from nearsense.store.database import Database
from store import reading
from store.children import add, ids

root = pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can mount, or become somebody else"
)
STATES = ["at rest", "no generation", "log and index", "log alone", "empty log", "index alone", "linked twice"]

REFUSED = ["StoreError"] * 4


@pytest.fixture(scope="module")
def forks():
    with Forks() as server:
        yield server


@pytest.fixture
def open_to_all():
    """A folder that everybody may look into (pytest's own are private), and one where everybody may write."""
    with tempfile.TemporaryDirectory() as made:
        place = Path(made)
        place.chmod(0o755)
        (place / "out").mkdir()
        (place / "out").chmod(0o777)
        (place / "warm").mkdir()
        yield place


def prepare(folder: Path, state: str) -> list[str]:
    """A collection in some state, and what there is to be read in it."""
    folder.mkdir()
    folder.chmod(0o755)
    reading.fill(folder, build=state != "no generation")
    end = folder / "collection.db"
    if "log" in state:  # what a kill, or a snapshot of a file system, leaves
        kept = folder.with_name("kept")
        with ns.open(folder, HashEncoder()) as writer:
            writer.upsert([ns.Document("last", "the very last words", {"n": -1})])
            shutil.copytree(folder, kept)
        shutil.rmtree(folder)
        kept.rename(folder)
        if state != "log and index":
            (folder / "collection.db-shm").unlink()
        if state == "empty log":
            with ns.open(folder, HashEncoder()):
                pass
            (folder / "collection.db-wal").touch()
    if state == "index alone":
        (folder / "collection.db-shm").write_bytes(b"\0" * 32768)
    if state == "linked twice":
        os.link(end, folder.with_name("second"))
    for each in folder.rglob("*"):
        each.chmod(0o755 if each.is_dir() else 0o644)
    copy, out = folder.with_name("truth"), folder.with_name("truth-out")
    shutil.copytree(folder, copy)
    out.mkdir()
    said = reading.everything(copy, out)
    assert said[-4:] == ["changed"] * 4
    shutil.rmtree(out)
    return said[:-4]


def contents(folder: Path) -> dict[str, tuple[int, bytes]]:
    return {
        str(each.relative_to(folder)): (each.stat().st_mtime_ns, each.read_bytes())
        for each in folder.rglob("*")
        if each.is_file()
    }


@root
@pytest.mark.parametrize("state", STATES)
def test_on_a_read_only_mount_all_that_reads_answers_as_elsewhere(open_to_all, state):
    folder, out = open_to_all / "c", open_to_all / "out"
    truth, before = prepare(folder, state), contents(folder)
    script = (
        f"mount --bind {folder} {folder} && mount -o remount,ro,bind {folder} && exec {sys.executable} -W error"
    )
    done = subprocess.run(
        ["unshare", "-m", "bash", "-c", f"{script} -m store.reading {folder} {out}"],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(Path(__file__).parents[1]), *sys.path])},
        check=False,
    )
    if "unshare" in done.stderr or "mount:" in done.stderr:
        pytest.skip(f"nothing can be mounted here: {done.stderr.strip()}")
    assert (done.stdout.splitlines(), done.stderr) == ([*truth, *REFUSED], "")
    assert contents(folder) == before


@root
@pytest.mark.parametrize("state", STATES)
def test_who_may_only_read_reads_all_of_another_users_collection(forks, open_to_all, state):
    truth, before = prepare(open_to_all / "c", state), contents(open_to_all / "c")
    where = {"folder": str(open_to_all / "c"), "out": str(open_to_all / "out"), "warm": str(open_to_all / "warm")}
    said = forks.run("store.reading:as_somebody_else", **where).ended_well().said
    assert said == [*truth, *REFUSED]
    assert contents(open_to_all / "c") == before


@root
def test_who_may_only_read_sees_every_change_of_the_owner(forks, open_to_all):
    prepare(open_to_all / "c", "at rest")
    where = {"folder": str(open_to_all / "c"), "warm": str(open_to_all / "warm"), "steps": 8}
    said = forks.run("store.reading:beside_a_writer", **where).ended_well().said
    assert said == [f"{43 + step} fresh True" for step in range(8)]


@root
def test_a_file_that_may_not_be_read_is_a_clean_error(forks, open_to_all):
    prepare(open_to_all / "c", "at rest")
    where = {"folder": str(open_to_all / "c"), "out": str(open_to_all / "out"), "warm": str(open_to_all / "warm")}
    (open_to_all / "c" / "collection.db").chmod(0o600)
    outcome = forks.run("store.reading:as_somebody_else", **where)
    assert outcome.status == 1
    assert "StoreError" in outcome.said[-1] + "".join(outcome.said)


@pytest.fixture
def only_readable(monkeypatch):
    """This process takes every folder for one that may not be written, as another user would have to."""
    monkeypatch.setattr(
        "nearsense.store.readonly.only_readable", lambda folder: (folder / "collection.db").exists()
    )


def test_damage_is_noticed_without_writing_as_well(tmp_path, only_readable):
    reading.fill(tmp_path / "made")
    (tmp_path / "c").mkdir()
    shutil.copy(tmp_path / "made" / "collection.db", tmp_path / "c")
    shutil.copy(tmp_path / "made" / "mark", tmp_path / "c")
    whole = (tmp_path / "c" / "collection.db").read_bytes()
    damaged = bytearray(whole)
    damaged[whole.index(b"text number 7")] ^= 1
    (tmp_path / "c" / "collection.db").write_bytes(damaged)
    with ns.open(tmp_path / "c", HashEncoder()) as there:
        with pytest.raises(DamagedCollection, match="damaged"):
            there.get([str(number) for number in range(40)])
        assert not there.verify().ok


def test_lost_commits_are_noticed_without_writing_as_well(tmp_path, only_readable, monkeypatch):
    (tmp_path / "c").mkdir()
    with monkeypatch.context() as owner:
        owner.setattr("nearsense.store.readonly.only_readable", lambda folder: False)
        with contextlib.closing(open_store(tmp_path / "made")) as store:
            add(store, "1")
            store.checkpoint()
            shutil.copy(tmp_path / "made" / "collection.db", tmp_path / "c")
            add(store, "2")
    shutil.copy(tmp_path / "made" / "mark", tmp_path / "c")
    with pytest.raises(DamagedCollection, match="2 commits were acknowledged, 1 are there"):
        open_store(tmp_path / "c")
    with contextlib.closing(open_store(tmp_path / "c", accept_losses=True)) as store:
        assert ids(store) == ["1"]
    assert sorted(each.name for each in (tmp_path / "c").iterdir()) == ["collection.db", "mark"]


def test_a_change_in_the_middle_of_reading_is_said_and_then_seen(tmp_path, monkeypatch):
    def owner_adds(*added: str, checkpoint: bool = False) -> None:
        with contextlib.closing(open_store(tmp_path / "c")) as owner:
            add(owner, *added)
            if checkpoint:
                owner.checkpoint()

    owner_adds("1")
    with monkeypatch.context() as here:
        here.setattr("nearsense.store.readonly.only_readable", lambda folder: True)
        reader = open_store(tmp_path / "c")
    assert ids(reader) == ["1"]
    begun = reader.reading()
    begun.__enter__()
    owner_adds("2", checkpoint=True)
    with pytest.raises(StoreError, match="changed by somebody else"):
        begun.__exit__(None, None, None)
    assert ids(reader) == ["1", "2"]
    with contextlib.closing(open_store(tmp_path / "c")) as owner:
        add(owner, "3")
        assert ids(reader) == ["1", "2", "3"]
        with reader.reading() as before:
            add(owner, "4")
            assert len(list(before.contents())) == 3
    assert ids(reader) == ["1", "2", "3", "4"]
    reader.close()
    with pytest.raises(StoreError, match="is closed"):
        ids(reader)


@pytest.mark.parametrize("times", [1, 5])
def test_a_reader_waits_for_a_log_that_is_just_being_made(tmp_path, monkeypatch, times):
    """SQLite refuses to read beside one for a moment, as if the reader had wanted to write."""
    refusals = iter([StoreError("cannot be written", why="attempt to write a readonly database", fix="")] * times)

    def opened(*where, **how):
        for refusal in refusals:
            raise refusal
        return Database(*where, **how)

    with contextlib.closing(open_store(tmp_path / "c")) as owner:
        add(owner, "1")
        monkeypatch.setattr("nearsense.store.readonly.only_readable", lambda folder: True)
        monkeypatch.setattr("nearsense.store.readonly.Database", opened)
        with contextlib.closing(open_store(tmp_path / "c")) as reader:
            assert ids(reader) == ["1"]


def test_a_log_that_stays_unreadable_is_an_error_after_a_moment(tmp_path, monkeypatch):
    def refused(*where, **how):
        raise StoreError("cannot be written", why="attempt to write a readonly database", fix="")

    with contextlib.closing(open_store(tmp_path / "c")) as owner:
        add(owner, "1")
        monkeypatch.setattr("nearsense.store.readonly.only_readable", lambda folder: True)
        monkeypatch.setattr("nearsense.store.readonly.Database", refused)
        monkeypatch.setattr("nearsense.store.readonly.MOMENT", 0.1)
        with pytest.raises(StoreError, match="cannot be written"):
            open_store(tmp_path / "c")


def test_files_that_others_make_and_remove_meanwhile_make_no_collection_read_only(tmp_path):
    open_store(tmp_path / "c").close()
    code = (
        "import os, sys\nwhile True:\n    os.close(os.open(sys.argv[1], os.O_CREAT))\n    os.unlink(sys.argv[1])"
    )
    beside = subprocess.Popen([sys.executable, "-c", code, str(tmp_path / "c" / "collection.db-journal")])
    try:
        assert sum(readonly.only_readable(tmp_path / "c") for _ in range(20_000)) == 0
    finally:
        beside.kill()
        beside.wait()
