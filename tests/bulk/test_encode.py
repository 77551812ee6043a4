"""Bulk encoding: each row in one part once, whatever ends in the middle."""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import nearsense as ns
from nearsense import bulk
from nearsense.bulk.run import BEAT
from nearsense.errors import FileError, InputError
from nearsense.files import read_table
from samples import tiny_bert

FAULTS = Path(__file__).parent / "faults"


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return str(tiny_bert(tmp_path_factory.mktemp("model") / "tiny"))


def texts_of(file: int, count: int) -> list[str]:
    return [f"w{(file * 7 + row) % 60} w{row % 60} w{row * row % 60} {chr(97 + row % 26)}" for row in range(count)]


@pytest.fixture
def texts(tmp_path):
    """Three files of 40 rows, in row groups of 16, with ids and a column more."""
    folder = tmp_path / "texts"
    folder.mkdir()
    for file in range(3):
        columns = {
            "key": [f"{file}-{row}" for row in range(40)],
            "body": texts_of(file, 40),
            "stars": list(range(40)),
        }
        pq.write_table(pa.table(columns), folder / f"{file}.parquet", row_group_size=16)
    return folder


def rows_in(output) -> list[dict]:
    """All rows of all parts that the manifest names."""
    known = json.loads((Path(output) / "_manifest.json").read_text())
    return [row for name in known["files"] for row in pq.read_table(Path(output) / name).to_pylist()]


def where(rows) -> list[tuple[str, int]]:
    return sorted((row["from_file"], row["from_row"]) for row in rows)


EVERY = sorted((f"{file}.parquet", row + 1) for file in range(3) for row in range(40))


def test_each_row_is_in_one_part_once_with_the_vector_that_the_model_gives_it(texts, tmp_path, model):
    out = tmp_path / "out"
    done = bulk.encode(str(texts), str(out), text="body", model=model, shard_rows=25, workers=2)
    assert (done.rows, done.parts, done.empty, done.quarantined) == (120, 6, 0, ())
    rows = rows_in(out)
    assert where(rows) == EVERY
    assert {row["id"] for row in rows} == {f"{row['from_file']}:{row['from_row']}" for row in rows}
    truth = ns.load(model).encode([row["text"] for row in rows], role="passage")
    assert np.allclose(np.array([row["vector"] for row in rows]), truth.data, atol=1e-5)
    assert all(row["key"] == f"{row['from_file'][0]}-{row['stars']}" for row in rows), "other columns came along"
    part = read_table(next((out / "encoded").glob("*.parquet")))
    assert part.vectors.fingerprint == truth.fingerprint, "a part is a file of vectors as any other"
    assert not (out / "scratch").exists()


@pytest.mark.slow
def test_one_process_and_several_give_parts_of_the_same_names(texts, tmp_path, model):
    known = {"text": "body", "id": "key", "model": model, "shard_rows": 30}
    bulk.encode(str(texts), str(tmp_path / "one"), workers=0, **known)
    bulk.encode(str(texts), str(tmp_path / "two"), workers=2, **known)
    one, two = (sorted(each.name for each in (tmp_path / name / "encoded").iterdir()) for name in ("one", "two"))
    assert one == two
    first = {row["id"]: row["vector"] for row in rows_in(tmp_path / "one")}
    assert {row["id"]: pytest.approx(row["vector"], abs=1e-5) for row in rows_in(tmp_path / "two")} == first


class Stopped:
    """Progress that stops the run, as Ctrl-C does, when so many rows are done."""

    def __init__(self, rows):
        self.rows = rows

    def __call__(self, done, total):
        if done >= self.rows:
            raise KeyboardInterrupt


def test_a_run_that_is_stopped_counts_for_nothing_and_goes_on_where_it_was(texts, tmp_path, model):
    out, known = tmp_path / "out", {"text": "body", "id": "key", "model": model, "shard_rows": 20, "workers": 0}
    with pytest.raises(KeyboardInterrupt):
        bulk.encode(str(texts), str(out), progress=Stopped(50), **known)
    assert not (out / "_manifest.json").exists()
    before = {each.name: each.stat().st_mtime_ns for each in (out / "encoded").iterdir()}
    assert 0 < len(before) < 6
    there = bulk.status(str(out))
    assert (there.state, there.done) == ("stopped", 20 * len(before))
    assert not list(out.rglob(".*")), "no half part"
    with pytest.raises(InputError, match="holds this job already, not finished"):
        bulk.encode(str(texts), str(out), **known)
    done = bulk.encode(str(texts), str(out), resume=True, **known)
    after = {each.name: each.stat().st_mtime_ns for each in (out / "encoded").iterdir()}
    assert before.items() <= after.items(), "what was done is not done again"
    assert done.rows == 120
    assert where(rows_in(out)) == EVERY
    assert bulk.status(str(out)).state == "done"


def test_what_a_worker_finished_of_a_shard_is_not_computed_again(texts, tmp_path, model, monkeypatch):
    monkeypatch.setattr("nearsense.bulk.encoding.PIECE", 200)
    out, known = tmp_path / "out", {"text": "body", "id": "key", "model": model, "workers": 0}
    with pytest.raises(KeyboardInterrupt):
        bulk.encode(str(texts), str(out), progress=Stopped(20), **known)
    pieces = {each: each.stat().st_mtime_ns for each in (out / "scratch").rglob("*.npy")}
    assert pieces
    with pytest.raises(KeyboardInterrupt):
        bulk.encode(str(texts), str(out), progress=Stopped(35), resume=True, **known)
    assert {each: each.stat().st_mtime_ns for each in pieces} == pieces
    bulk.encode(str(texts), str(out), resume=True, **known)
    assert where(rows_in(out)) == EVERY


def test_a_shard_that_ends_its_worker_is_left_out_and_all_others_are_done(texts, tmp_path, model, monkeypatch):
    poisoned = pq.read_table(texts / "1.parquet").to_pydict()
    poisoned["body"][30] = "w1 poison"
    pq.write_table(pa.table(poisoned), texts / "1.parquet", row_group_size=16)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(FAULTS), *sys.path]))
    monkeypatch.setenv("NEARSENSE_TEST_POISON", "poison")
    out = tmp_path / "out"
    done = bulk.encode(str(texts), str(out), text="body", id="key", model=model, shard_rows=20, workers=1)
    (lost,) = done.quarantined
    assert (lost.file, lost.begin, lost.rows) == ("1.parquet", 20, 20)
    assert "signal 9" in lost.why
    assert where(rows_in(out)) == [each for each in EVERY if each[0] != "1.parquet" or each[1] <= 20]
    there = bulk.status(str(out))
    assert there.state == "done but for 1 shard"
    assert [each["file"] for each in there.shards if each["state"] == "quarantined"] == ["1.parquet"]
    assert json.loads((out / "_manifest.json").read_text())["complete"] is False
    monkeypatch.delenv("NEARSENSE_TEST_POISON")  # what ended it is gone
    again = bulk.encode(
        str(texts), str(out), text="body", id="key", model=model, shard_rows=20, workers=0, resume=True
    )
    assert again.quarantined == ()
    assert where(rows_in(out)) == EVERY


def test_a_file_that_is_damaged_inside_is_left_out_by_the_command_with_its_own_exit_code(
    texts, tmp_path, model, run
):
    file = texts / "2.parquet"
    content = bytearray(file.read_bytes())
    content[4:400] = bytes(396)
    file.write_bytes(content)
    words = ["bulk", "encode", texts, "-o", tmp_path / "out", "--text", "body", "--model", model, "--workers", 0]
    done = run(*words)
    assert done.code == 4
    assert "2.parquet, rows 1 to 40" in done.err
    assert json.loads(done.out)["rows"] == 80
    shown = run("bulk", "encode", "-o", tmp_path / "out", "--status")
    states = [json.loads(line)["state"] for line in shown.out.splitlines()]
    assert sorted(states) == ["done", "done", "quarantined"]
    assert json.loads(run("bulk", "encode", "-o", tmp_path / "out", "--status", "--json").out)["done"] == 80


@pytest.mark.slow
def test_where_no_shard_can_be_done_that_is_an_error_that_says_why(texts, tmp_path, model, monkeypatch):
    for file in ("1.parquet", "2.parquet"):
        (texts / file).unlink()
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(FAULTS), *sys.path]))
    monkeypatch.setenv("NEARSENSE_TEST_POISON", "w1")
    with pytest.raises(InputError, match="no shard could be encoded") as refused:
        bulk.encode(str(texts), str(tmp_path / "out"), text="body", model=model, workers=1)
    assert "signal 9" in str(refused.value)
    assert not (tmp_path / "out/_manifest.json").exists()


def test_other_formats_are_read_too_and_rows_without_text_are_counted(tmp_path, model):
    (tmp_path / "in").mkdir()
    (tmp_path / "in/a.csv").write_text("id,text,stars\n1,w1 w2,5\n2,,4\n3,w3,3\n")
    (tmp_path / "in/b.jsonl").write_text('{"id": 4, "text": "w4", "stars": [1]}\n{"id": 5, "text": "w5"}\n')
    (tmp_path / "in/notes.pdf").write_bytes(b"%PDF-")
    done = bulk.encode(str(tmp_path / "in"), str(tmp_path / "out"), model=model, workers=0)
    assert (done.rows, done.empty, done.parts) == (5, 1, 2)
    assert where(rows_in(tmp_path / "out")) == [("a.csv", 1), ("a.csv", 3), ("b.jsonl", 1), ("b.jsonl", 2)]
    assert sorted(row["id"] for row in rows_in(tmp_path / "out")) == ["1", "3", "4", "5"]


def test_a_part_that_lost_rows_is_not_committed(texts, tmp_path, model):
    out, known = tmp_path / "out", {"text": "body", "model": model, "workers": 0}
    bulk.encode(str(texts), str(out), **known)
    part = next((out / "encoded").iterdir())
    table = pq.read_table(part)
    pq.write_table(pa.concat_tables([table.slice(0, 39), table.slice(0, 1)]), part)
    (out / "_manifest.json").unlink()
    with pytest.raises(ns.errors.NearsenseError, match="does not hold each row of its shard once"):
        bulk.encode(str(texts), str(out), resume=True, **known)
    assert not (out / "_manifest.json").exists()


def test_another_job_does_not_go_into_the_same_output(texts, tmp_path, model):
    out, known = str(tmp_path / "out"), {"text": "body", "model": model, "workers": 0, "resume": True}
    bulk.encode(str(texts), out, **known)
    with pytest.raises(InputError, match="holds another job"):
        bulk.encode(str(texts), out, **known | {"text": "key"})
    pq.write_table(pa.table({"key": ["x"], "body": ["w1"], "stars": [1]}), texts / "3.parquet")
    with pytest.raises(InputError, match="holds another job"):
        bulk.encode(str(texts), out, **known)
    with pytest.raises(InputError, match="lies within"):
        bulk.encode(str(texts), str(texts / "out"), **known)
    (tmp_path / "full").mkdir()
    (tmp_path / "full/thesis.txt").write_text("mine")
    with pytest.raises(FileError, match="holds other files: thesis"):
        bulk.encode(str(texts), str(tmp_path / "full"), **known)


def test_an_estimate_is_told_before_the_work_and_it_is_about_right(texts, tmp_path, model, run):
    words = ["bulk", "encode", texts, "-o", tmp_path / "out", "--text", "body", "--model", model, "--workers", 0]
    done = run(*words)
    assert "120 texts: about " in done.err.splitlines()[0]
    told = done.err.splitlines()[0]
    assert "on 1 worker; " in told
    size = sum(each.stat().st_size for each in (tmp_path / "out/encoded").iterdir())
    assert told.endswith("kB of output")
    assert float(told.split("; ")[1].split()[0]) * 1e3 == pytest.approx(size, rel=0.7)


def test_a_driver_that_gives_no_sign_of_life_is_not_said_to_run(texts, tmp_path, model):
    out = tmp_path / "out"
    with pytest.raises(KeyboardInterrupt):
        bulk.encode(str(texts), str(out), text="body", model=model, workers=0, progress=Stopped(1))
    (out / "status").mkdir(exist_ok=True)
    shard = bulk.status(str(out)).shards[-1]["shard"]
    running = [{"shard": shard, "step": "encode", "rows": 40, "done": 7, "process": 1}]
    for age, state in ((BEAT, "running"), (3600.0, "stopped")):
        alive = {"driver": "a", "time": time.time() - age, "step": "encode", "done": 0, "rows": 120}
        (out / "status/a.json").write_text(json.dumps({**alive, "running": running}))
        there = bulk.status(str(out))
        assert there.state == state
        assert (there.shards[-1].get("done") == 7) == (state == "running")
