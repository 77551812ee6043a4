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
    for name in ("link.jsonl", "link.json", "link.html", "link.svg"):
        (tmp_path / name).symlink_to("t.jsonl")
    for name in ("d/test.json", "d/sub/corpus.json", "corpus.json"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(json.dumps(ROWS))
    (tmp_path / "t.json").write_text(json.dumps(ROWS))
    assert run("cluster", "t.jsonl", "-k", 2, "--save", "s.jsonl", "-q").code == 0
    return tmp_path


def contents(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


OVER = [
    "cluster t.jsonl -k 2 --save t.jsonl",
    "cluster t.jsonl -k 2 --save link.jsonl",
    "cluster t.jsonl -k 2 --report ./t.jsonl",
    "cluster t.jsonl -k 2 -o t.jsonl",
    "cluster t.jsonl --assign-to s.jsonl -o s.jsonl",
    "cluster t.jsonl --assign-to s.jsonl --report s.jsonl",
    "cluster t.jsonl --assign-to s.jsonl --save s.jsonl",
    "encode t.jsonl -o t.jsonl --skip-empty",
    "encode t.jsonl -o ./t.jsonl",
    "dedupe t.jsonl -o t.jsonl",
    "dedupe t.jsonl -o link.jsonl",
    "dedupe t.jsonl --dropped t.jsonl",
    "dedupe t.jsonl --resume t.jsonl",
    "dedupe t.jsonl --against t.json -o t.json",
    "dedupe t.jsonl --calibration t.json --dropped t.json",
    "duplicates t.jsonl --resume t.jsonl",
    "duplicates t.jsonl --against t.json --resume t.json",
    "map t.jsonl -o link.html",
    "map t.jsonl -o m.html --png link.svg",
    "map t.json --calibration link.svg -o link.svg",
    "matrix t.jsonl --plot link.svg",
    "matrix t.json --calibration t.jsonl --plot link.svg",
    "calibrate t.json -o t.json",
    "calibrate t.jsonl -o link.json",
    "calibrate --ask t.jsonl -o t.jsonl",
    "calibrate --ask t.jsonl --labels link.jsonl",
    "evaluate t.json --task clustering -o t.json",
    "evaluate t.json --calibration corpus.json -o ./corpus.json",
    "evaluate t.jsonl -o corpus.json",
    "evaluate d -o d/test.json",
    "evaluate sub --data-dir d -o d/sub/corpus.json",
]


@pytest.mark.parametrize("line", OVER)
def test_a_result_never_goes_over_a_file_that_is_read(run, here, line):
    before = contents(here)
    done = run(*line.split())
    assert (done.code, ", and what it holds would be gone" in done.err) == (2, True), done.err
    assert contents(here) == before


WITHIN = [
    "encode t.jsonl -o c.nearsense/x.npy",
    "cluster t.jsonl -k 2 --save c.nearsense/collection.db",
    "cluster t.jsonl -k 2 --report c.nearsense/r.md",
    "cluster t.jsonl -k 2 -o c.nearsense/x.csv",
    "evaluate t.json -o c.nearsense/r.md",
    "dedupe t.jsonl -o c.nearsense/x.jsonl",
    "dedupe t.jsonl --dropped c.nearsense/x.jsonl",
    "dedupe t.jsonl --resume c.nearsense/r",
    "duplicates t.jsonl --resume c.nearsense/r",
    "map t.jsonl -o c.nearsense/x.html",
    "map t.jsonl -o m.html --png c.nearsense/x.svg",
    "matrix t.jsonl --plot c.nearsense/x.svg",
    "explain wine card --html c.nearsense/x.html",
    "calibrate t.jsonl -o c.nearsense/x.json",
    "calibrate --ask t.jsonl --labels c.nearsense/x.jsonl",
    "index export c.nearsense c.nearsense/x.jsonl",
    "index export c.nearsense ./c.nearsense/derived/x.jsonl",
    "index backup c.nearsense c.nearsense/b.nearsense",
    "index create c.nearsense/b.nearsense t.jsonl",
    "demo -o c.nearsense",
    "demo -o c.nearsense/demo",
]


@pytest.mark.parametrize("line", WITHIN)
def test_a_result_never_goes_into_the_folder_of_a_collection(run, here, line):
    assert run("index", "create", "c.nearsense", "t.jsonl", "-q").code == 0
    before = contents(here)
    done = run(*line.split())
    assert (done.code, "lies within the collection c.nearsense" in done.err) == (2, True), done.err
    assert contents(here) == before


def test_a_report_may_be_written_again_into_the_folder_of_its_data_set(run, here):
    rows = [{"text": f"{name} number {row}", "label": name} for name in ("card", "wine") for row in range(4)]
    (here / "d" / "test.json").write_text(json.dumps(rows))
    for _ in range(2):
        assert run("evaluate", "d", "--task", "clustering", "-o", "d/report.md", "-q").code == 0


@pytest.mark.parametrize("leads_to", ["missing/x.jsonl", "{here}/missing/x.jsonl"])
def test_of_a_link_into_a_missing_folder_that_folder_is_named(run, here, leads_to):
    (here / "dangling.jsonl").symlink_to(leads_to.format(here=here))
    for line in ("dedupe t.jsonl -o dangling.jsonl", "encode t.jsonl -o dangling.jsonl"):
        done = run(*line.split())
        assert (done.code, f"there is no folder {here}/missing\n" in done.err) == (2, True), done.err
