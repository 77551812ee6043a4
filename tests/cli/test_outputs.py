"""What commands write goes over nothing that they read, and into no collection."""

from __future__ import annotations

import json

import pytest

ROWS = [{"text": "a lost card", "x": 1}, {"text": "a card is lost", "x": 2}, {"text": "red wine", "x": 3}]


@pytest.fixture
def here(run, tmp_path, monkeypatch):
    """A folder to work in, with a file for whoever reads one."""
    monkeypatch.chdir(tmp_path)
    lines = "".join(f"{json.dumps(row)}\n" for row in ROWS)
    (tmp_path / "t.jsonl").write_text(lines)
    (tmp_path / "link.jsonl").symlink_to("t.jsonl")
    assert run("cluster", "t.jsonl", "-k", 2, "--save", "s.jsonl", "-q").code == 0
    return tmp_path


OVER = [
    "cluster t.jsonl -k 2 --save t.jsonl",
    "cluster t.jsonl -k 2 --save link.jsonl",
    "cluster t.jsonl -k 2 --report ./t.jsonl",
    "cluster t.jsonl -k 2 -o t.jsonl",
    "cluster t.jsonl --assign-to s.jsonl -o s.jsonl",
    "cluster t.jsonl --assign-to s.jsonl --report s.jsonl",
    "cluster t.jsonl --assign-to s.jsonl --save s.jsonl",
]


@pytest.mark.parametrize("line", OVER)
def test_a_result_never_goes_over_a_file_that_is_read(run, here, line):
    before = {path.name: path.read_bytes() for path in here.iterdir()}
    done = run(*line.split())
    assert (done.code, "itself, and what it holds would be gone" in done.err) == (2, True), done.err
    assert {path.name: path.read_bytes() for path in here.iterdir()} == before


WITHIN = ["cluster t.jsonl -k 2 --save c.nearsense/collection.db"]


@pytest.mark.parametrize("line", WITHIN)
def test_a_result_never_goes_into_the_folder_of_a_collection(run, here, line):
    assert run("index", "create", "c.nearsense", "t.jsonl", "-q").code == 0
    before = {path: path.read_bytes() for path in here.rglob("*.db")}
    done = run(*line.split())
    assert (done.code, "lies in the folder of the collection c.nearsense" in done.err) == (2, True), done.err
    assert {path: path.read_bytes() for path in here.rglob("*.db")} == before
