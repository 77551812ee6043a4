"""Keys as their operator makes, lists, replaces and revokes them."""

from __future__ import annotations

import json
import re
import time
from hashlib import sha256

import pytest

import nearsense as ns
from nearsense.kinds import Scope
from nearsense.server.keys import KeyFile, add_key, read_keys, remove_keys, rotate_key


@pytest.fixture
def file(tmp_path):
    return tmp_path / "a folder" / "server.keys"


@pytest.fixture(autouse=True)
def folder(file):
    file.parent.mkdir()


def test_a_key_is_printed_once_and_its_hash_is_kept(run, file):
    done = run("keys", "add", str(file), "laptop")
    assert done.code == 0
    secret = done.out.strip()
    assert re.fullmatch(r"ns_[\w-]{43}", secret)
    assert file.read_text().splitlines()[1] == f"laptop read {sha256(secret.encode()).hexdigest()} never"
    assert KeyFile(file).find(secret.encode()).scope is Scope.READ
    listed = run("keys", "list", str(file))
    assert [json.loads(line) for line in listed.out.splitlines()] == [
        {"name": "laptop", "scope": "read", "ends": "never", "state": "good"}
    ]
    assert secret not in listed.out + done.err


def test_a_key_ends_when_it_was_said_to(run, file):
    run("keys", "add", str(file), "ci", "--scope", "write", "--ends-in", "90d")
    (key,) = read_keys(file)
    assert key.scope is Scope.WRITE
    assert abs(key.ends - time.time() - 90 * 86400) < 60
    secret = add_key(file, "gone", Scope.READ, ends=time.time() - 1)
    assert KeyFile(file).find(secret.encode()) is None


def test_a_replaced_key_is_good_for_a_while_and_its_scope_stays(file):
    old = add_key(file, "ci", Scope.WRITE)
    new = rotate_key(file, "ci", overlap=1000)
    known = KeyFile(file)
    assert known.find(old.encode()).scope is known.find(new.encode()).scope is Scope.WRITE
    third = rotate_key(file, "ci", overlap=0)
    known = KeyFile(file)
    assert [known.find(each.encode()) is not None for each in (old, new, third)] == [False, False, True]
    assert remove_keys(file, "ci") == 1


def test_what_people_wrote_into_the_file_is_read(file):
    digest = sha256(b"ns_x").hexdigest()
    lines = ["\ufeff# ours", "", f"  one\tread {digest.upper()}", f"two write {digest} 2999-01-01", "# the end"]
    file.write_text("\r\n".join(lines))
    assert [(key.name, key.ends is None) for key in read_keys(file)] == [("one", True), ("two", False)]


@pytest.mark.parametrize(
    "line",
    ["laptop", "a read short", "a wite " + "0" * 64, "a read " + "g" * 64, "a read " + "0" * 64 + " soon", "\0"],
)
def test_a_line_that_is_no_key_is_named(run, file, line):
    file.write_text(f"# keys\n{line}\n")
    done = run("keys", "list", str(file))
    assert done.code == 2
    assert f"{file}, line 2: this is no key" in done.err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["add", "laptop"], "there is a key 'laptop'"),
        (["add", "a b"], "no name of a key"),
        (["add", "x", "--ends-in", "3y"], "no span of time"),
        (["add", "x", "--scope", "all"], "'all' is not one of"),
        (["remove", "laptpo"], "did you mean laptop"),
        (["rotate", "nobody"], "there are: laptop"),
    ],
)
def test_a_slip_changes_nothing_and_is_told(run, file, words, said):
    add_key(file, "laptop", Scope.READ)
    before = file.read_bytes()
    done = run("keys", words[0], str(file), *words[1:])
    assert (done.code, done.out) == (2, "")
    assert said in done.err
    assert file.read_bytes() == before


def test_what_a_message_says_to_type_can_be_pasted(run, file):
    add_key(file, "laptop", Scope.READ)
    done = run("keys", "add", str(file), "laptop")
    assert f"fix: nearsense keys rotate '{file}' laptop" in done.err


def test_a_file_that_all_may_write_to_is_refused(file):
    add_key(file, "laptop", Scope.READ)
    file.chmod(0o666)
    with pytest.raises(ns.errors.FileError, match="all users may write"):
        KeyFile(file)


def test_a_server_without_any_key_does_not_start(file):
    file.write_text("# none yet\n")
    with pytest.raises(ns.errors.FileError, match="holds no key"):
        KeyFile(file)
    with pytest.raises(ns.errors.FileError, match="does not exist"):
        KeyFile(file.with_name("nowhere"))


def test_a_file_that_goes_away_locks_nobody_out(file, caplog):
    secret = add_key(file, "laptop", Scope.READ)
    known = KeyFile(file)
    file.rename(file.with_name("elsewhere"))
    known._looked -= 10  # as if ten seconds had passed
    assert known.find(secret.encode())
    assert "does not exist" in caplog.text
    file.with_name("elsewhere").rename(file)
    remove_keys(file, "laptop")
    add_key(file, "other", Scope.READ)
    known._looked -= 10
    assert known.find(secret.encode()) is None
    assert known.trouble is None


@pytest.mark.parametrize("shown", [b"", b"\xff\xfe", b"ns_" + b"x" * 10_000, b"laptop"])
def test_what_is_no_key_is_found_nowhere(file, shown):
    add_key(file, "laptop", Scope.READ)
    assert KeyFile(file).find(shown) is None
