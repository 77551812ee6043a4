"""Who may read a collection, and where its backups may lie: the folder decides, never the umask or a spelling."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest

import nearsense as ns
from fakes import HashEncoder
from nearsense.errors import InputError, NearsenseError, StoreError
from samples import some_of
from turns import in_turn

posix = pytest.mark.skipif(not hasattr(os, "fchmod"), reason="this system has other permissions")


@pytest.fixture(params=some_of([0o000, 0o022, 0o027, 0o077, 0o007], 0o000, 0o077), ids=oct)
def umask(request):
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


def made(path, **how) -> ns.Collection:
    opened = ns.open(path, HashEncoder(), **how)
    opened.upsert([ns.Document(str(number), f"text {number}", {"n": number}) for number in range(20)])
    return opened


def modes(folder: Path) -> dict[str, str]:
    """The permissions of what is in a folder, by its name; a folder's ends with a slash."""
    return {
        f"{each.relative_to(folder)}{'/' * each.is_dir()}": oct(stat.S_IMODE(each.stat().st_mode))
        for each in folder.rglob("*")
    }


# Permissions


@posix
@pytest.mark.parametrize(
    ("folder", "files"),
    [(0o700, "0o600"), (0o750, "0o640"), (0o770, "0o660"), (0o755, "0o644"), (0o2770, "0o660"), (0o1777, "0o600")],
)
def test_files_are_for_whom_the_folder_is_whatever_the_umask_says(tmp_path, umask, folder, files):
    path = tmp_path / "c"
    path.mkdir()
    path.chmod(folder)
    with made(path) as opened:
        opened.build()
        opened.search("text 3")
        open_files = modes(path)
        opened.delete("3")
        opened.compact()
    assert {"collection.db-wal", "collection.db-shm"} <= set(open_files)
    inner = "0o700" if folder == 0o1777 else oct(folder)
    for name, mode in [*open_files.items(), *modes(path).items()]:
        assert mode == (inner if name.endswith("/") else files), name
    assert stat.S_IMODE(path.stat().st_mode) == folder


@posix
def test_what_is_made_anew_is_its_owners_alone(tmp_path, umask):
    with made(tmp_path / "above" / "c") as opened:
        opened.build()
        opened.backup(tmp_path / "backups" / "b")
        assert stat.S_IMODE((tmp_path / "above").stat().st_mode) == 0o700
        for name in ("above", "backups"):
            assert [mode for mode in modes(tmp_path / name).values() if int(mode, 8) & 0o077] == []


@posix
def test_what_the_owner_opens_to_a_group_stays_open(tmp_path, umask):
    with made(tmp_path / "c") as opened:
        opened.build()
    for each in (tmp_path / "c", *(tmp_path / "c").rglob("*")):
        each.chmod(0o2770 if each.is_dir() else 0o660)
    with made(tmp_path / "c") as opened:
        opened.upsert([ns.Document("new", "new")])
        opened.build()
        opened.compact()
        assert set(modes(tmp_path / "c").values()) == {"0o2770", "0o660"}


# Backups within


WAYS = {
    "plain": lambda c, elsewhere: c / "generations" / "b",
    "the folder itself": lambda c, elsewhere: c / "b",
    "deep": lambda c, elsewhere: c / "generations" / "new" / "deeper" / "b",
    "dots": lambda c, elsewhere: c / ".." / c.name / "generations" / "b",
    "dots behind a link": lambda c, elsewhere: elsewhere / "down" / ".." / "b",
    "a link to the collection": lambda c, elsewhere: elsewhere / "c" / "generations" / "b",
    "a link to its generations": lambda c, elsewhere: elsewhere / "generations" / "b",
    "a link to what is above": lambda c, elsewhere: elsewhere / "above" / c.name / "b",
    "a chain of links": lambda c, elsewhere: elsewhere / "chain" / "b",
    "relative": lambda c, elsewhere: Path(os.path.relpath(c / "generations" / "b")),
}


@pytest.fixture
def elsewhere(tmp_path):
    """A folder of links that lead into the collection."""
    folder, c = tmp_path / "elsewhere", tmp_path / "real" / "c"
    folder.mkdir()
    for name, target in {
        "c": c,
        "generations": c / "generations",
        "above": c.parent,
        "down": c / "generations",
        "chain": folder / "c",
    }.items():
        (folder / name).symlink_to(target)
    return folder


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("opened_by", ["its path", "a link"])
def test_no_backup_lies_within_the_collection_by_whatever_path(tmp_path, elsewhere, way, opened_by):
    c = tmp_path / "real" / "c"
    with made(c) as opened:
        opened.build()
    target = WAYS[way](c, elsewhere)
    before = sorted(c.rglob("*"))
    with ns.open(c if opened_by == "its path" else elsewhere / "c", HashEncoder()) as opened:
        with pytest.raises(InputError, match="lies within the collection"):
            opened.backup(target)
        assert [each for each in sorted(c.rglob("*")) if "collection.db-" not in each.name] == before


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can mount")
@pytest.mark.parametrize("mounted", ["c", "c/generations"])
def test_no_backup_lies_within_the_collection_by_a_mount(tmp_path, mounted):
    with made(tmp_path / "c") as opened:
        opened.build()
    (tmp_path / "mount").mkdir()
    nearsense = f"{sys.executable} -m nearsense"
    command = f"mount --bind {tmp_path / mounted} {tmp_path}/mount && exec {nearsense} index backup {tmp_path}/c"
    done = subprocess.run(
        ["unshare", "-m", "bash", "-c", f"{command} {tmp_path}/mount/b"],
        capture_output=True,
        text=True,
        check=False,
    )
    if "unshare" in done.stderr or "mount:" in done.stderr:
        pytest.skip(f"nothing can be mounted here: {done.stderr.strip()}")
    assert (done.returncode, "lies within the collection" in done.stderr) == (2, True)


def test_beside_the_collection_there_is_room_for_backups(tmp_path):
    with made(tmp_path / "c") as opened:
        for name in ("c.backup", "c2", "new/deep/b"):
            with ns.open(opened.backup(tmp_path / name), HashEncoder()) as copy:
                assert len(copy) == 20
        (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
        for name in ("c2", "dangling", "c"):
            with pytest.raises(InputError, match="is there already"):
                opened.backup(tmp_path / name)


# Folders that were exchanged while they were open


CALLS = {
    "search": lambda opened, place: opened.search("text 3"),
    "search_many": lambda opened, place: opened.search_many(["text 3"]),
    "similar": lambda opened, place: opened.similar("3"),
    "get": lambda opened, place: opened.get("3"),
    "count": lambda opened, place: len(opened),
    "count where": lambda opened, place: opened.count({"n": 3}),
    "info": lambda opened, place: opened.info(),
    "add": lambda opened, place: opened.add([ns.Document("new", "new")]),
    "upsert": lambda opened, place: opened.upsert([ns.Document("3", "new")]),
    "delete": lambda opened, place: opened.delete("3"),
    "delete where": lambda opened, place: opened.delete(where={"n": 3}),
    "sync": lambda opened, place: opened.sync([ns.Document("3", "new")]),
    "backup": lambda opened, place: opened.backup(place / "backup"),
    "compact": lambda opened, place: opened.compact(),
    "verify": lambda opened, place: opened.verify(),
    "build": lambda opened, place: opened.build(),
    "build of a kind": lambda opened, place: opened.build(index="exact"),
    "export": lambda opened, place: opened.export(place / "all.jsonl"),
    "reembed": lambda opened, place: opened.reembed(HashEncoder(name="other")),
    "calibration": lambda opened, place: opened.calibration,
}


@in_turn("call", CALLS)
@in_turn("how", ["replaced", "removed", "database replaced"])
def test_every_call_notices_that_the_folder_is_another(tmp_path, call, how):
    opened = made(tmp_path / "c")
    with made(tmp_path / "new") as other:
        other.build()
    if how == "database replaced":
        shutil.copy(tmp_path / "new" / "collection.db", tmp_path / "copy")
        (tmp_path / "copy").replace(tmp_path / "c" / "collection.db")
    else:
        (tmp_path / "c").rename(tmp_path / "old")
        if how == "replaced":
            (tmp_path / "new").rename(tmp_path / "c")
    before = {
        each: each.read_bytes() for each in tmp_path.rglob("*") if each.is_file() and "-shm" not in each.name
    }
    with pytest.raises(StoreError, match=f"was {how.split()[-1]} while it was open"):
        CALLS[call](opened, tmp_path)
    opened.close()
    assert not (tmp_path / "backup").exists()
    assert not (tmp_path / "all.jsonl").exists()
    after = {each: each.read_bytes() for each in before if each.exists()}
    left = {each.name for each in before.keys() - after.keys()}
    assert left <= {"collection.db-wal"}  # SQLite's own, tidied away as the file is closed
    assert {each.name for each in after if after[each] != before[each]} <= {
        "collection.db",
        "lock",
        "builder.lock",
    }


def test_a_folder_that_was_removed_is_not_made_anew(tmp_path):
    opened = made(tmp_path / "c")
    shutil.rmtree(tmp_path / "c")
    for call in CALLS.values():
        with pytest.raises(NearsenseError):
            call(opened, tmp_path)
    opened.close()
    assert list(tmp_path.iterdir()) == []
