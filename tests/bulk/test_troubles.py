"""What people have and what goes wrong: odd columns, empty files, damage, wrong options; told before any work."""

from __future__ import annotations

import json
import os
import shutil
import socket
from dataclasses import replace

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from nearsense import bulk
from nearsense._notes import told_to
from nearsense.bulk.places import ABANDONED, clear, place_of
from nearsense.bulk.records import Plan
from nearsense.errors import FileError, InputError, NearsenseError
from rights import ordinary_rights
from samples import tiny_bert


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return str(tiny_bert(tmp_path_factory.mktemp("model") / "tiny"))


@pytest.fixture
def texts(tmp_path):
    """Two files of 12 rows."""
    (tmp_path / "texts").mkdir()
    for file in range(2):
        rows = [f"w{row} w{row % 5} {chr(97 + file)}" for row in range(12)]
        columns = {"id": [f"{file}-{row}" for row in range(12)], "text": rows, "n": list(range(12))}
        pq.write_table(pa.table(columns), tmp_path / f"texts/{file}.parquet")
    return tmp_path / "texts"


@pytest.fixture
def known(model):
    return {"model": model, "workers": 0}


def rows_in(output, folder):
    names = json.loads((output / "_manifest.json").read_text())["files"]
    tables = [pq.read_table(output / name) for name in names if name.startswith(folder)]
    return [row for table in tables for row in table.to_pylist()]


def part_of(output):
    return sorted((output / "encoded").iterdir())[0]


# What people have


@pytest.mark.parametrize("encoded", [False, True])
def test_rows_that_stay_have_all_their_columns_as_they_stood_whatever_these_are_called(tmp_path, known, encoded):
    columns = {
        "title": ["w1", "w2", "w3"],
        "body": pa.array(["a", None, "c"]).dictionary_encode(),
        "key": [7, 8, 9],
        "id": ["x", "y", "z"],
        "text": ["mine", "yours", None],
        "vector": [[1.0], [2.0], [3.0]],
        "from_file": pa.array(["p", "q", "r"], pa.large_string()),
        "nested": [{"a": [1]}, {"a": []}, None],
        "vector_": [True, False, True],
    }
    table = pa.table(columns)
    pq.write_table(table, tmp_path / "in.parquet")
    given = {**known, "text": "title,body", "id": "key"}
    source = tmp_path / "in.parquet"
    if encoded:
        bulk.encode(str(source), str(tmp_path / "encoded"), **given)
        source, given = tmp_path / "encoded", known
    bulk.dedupe(str(source), str(tmp_path / "clean"), min_score=1.0, **given)
    assert rows_in(tmp_path / "clean", "kept/") == table.to_pylist()


@pytest.mark.parametrize("kind", [pa.int64(), pa.string(), pa.large_string(), pa.string_view()])
def test_ids_of_any_type_are_texts_in_parts_and_what_they_were_in_rows_that_stay(tmp_path, known, kind):
    ids = pa.array([3, 4]) if kind == pa.int64() else pa.array(["3", "4"], kind)
    pq.write_table(pa.table({"id": ids, "text": ["w1", "w9 w9"]}), tmp_path / "in.parquet")
    bulk.dedupe(str(tmp_path / "in.parquet"), str(tmp_path / "out"), min_score=1.0, **known)
    assert [row["id"] for row in rows_in(tmp_path / "out", "kept/")] == ids.to_pylist()
    (part,) = (tmp_path / "out/encoded").iterdir()
    assert pq.read_table(part).column("id").to_pylist() == ["3", "4"]


def test_files_without_rows_and_rows_without_text_at_the_start_do_not_keep_the_rest_from_being_read(
    tmp_path, known
):
    (tmp_path / "in").mkdir()
    schema = pa.schema({"id": pa.string(), "words": pa.string()})
    pq.write_table(schema.empty_table(), tmp_path / "in/0.parquet")
    late = {"id": [str(row) for row in range(500)], "words": [None] * 250 + ["w1 w2"] * 250}
    late["id"][270] = None
    pq.write_table(pa.table(late, schema), tmp_path / "in/1.parquet")
    (tmp_path / "in/2.csv").write_text("")
    done = bulk.encode(str(tmp_path / "in"), str(tmp_path / "out"), **known)
    assert (done.rows, done.empty, done.parts) == (500, 250, 1)
    ids = [row["id"] for row in rows_in(tmp_path / "out", "encoded/")]
    assert ids == [str(row) if row != 270 else "1.parquet:271" for row in range(250, 500)]
    (tmp_path / "in/1.parquet").unlink()
    with pytest.raises(FileError, match="holds no rows"):
        bulk.encode(str(tmp_path / "in"), str(tmp_path / "other"), **known)


def test_notes_that_lie_beside_tables_are_no_texts_and_that_is_said(texts, tmp_path, known):
    for name in ("README.txt", "LICENSE", ".hidden.parquet", "_SUCCESS"):
        (texts / name).write_text("a note")
    said = []
    with told_to(said.append):
        done = bulk.encode(str(texts), str(tmp_path / "out"), **known)
    assert done.rows == 24
    assert said[0] == "not read: LICENSE and 1 other, beside 2 files of parquet"
    pq.write_table(pa.table({"text": ["w1"]}), texts / "2.parquet")
    with pytest.raises(FileError, match=r"2.parquet has no column 'id'") as refused:
        bulk.encode(str(texts), str(tmp_path / "other"), **known)
    assert "--id COLUMN" in refused.value.fix


def test_what_a_run_wrote_is_read_as_its_manifest_says_not_what_went_or_was_in_between(texts, tmp_path, known):
    clean, said = tmp_path / "clean", []
    done = bulk.dedupe(str(texts), str(clean), min_score=0.9, **known)
    assert done.figures["go"] > 0
    with told_to(said.append):
        again = bulk.encode(str(clean), str(tmp_path / "again"), **known)
        groups = bulk.cluster(str(clean), str(tmp_path / "groups"), 2, **known)
    assert again.rows == groups.rows == done.figures["stay"]
    bulk.encode(str(tmp_path / "again"), str(tmp_path / "anew"), **known)
    assert {row["id"] for row in rows_in(tmp_path / "anew", "encoded/")} == {
        row["id"] for row in rows_in(clean, "kept/")
    }
    assert not any("not read" in line for line in said)


# What is typed


@pytest.mark.parametrize(
    ("verb", "given", "what"),
    [
        ("dedupe", {"min_score": 0.9, "keep": "best"}, "keep='best' is not known"),
        ("dedupe", {"min_score": 0.9, "keep": "newest:when"}, "no column 'when'"),
        ("dedupe", {}, "no calibration is known"),
        ("dedupe", {"min_score": 7}, "no cosine similarity"),
        ("dedupe", {"min_score": 0.9, "calibration": "nowhere.json"}, "nowhere.json"),
        ("cluster", {"k": 25}, "25 clusters of 24 texts"),
        ("cluster", {"k": 0}, "too small"),
        ("cluster", {"k": 2, "seed": -1}, "seed=-1"),
        ("encode", {"workers": -1}, "workers=-1"),
        ("encode", {"shard_rows": 0}, "shard_rows=0"),
        ("encode", {"text": "txet"}, "no column 'txet'"),
    ],
)
def test_what_could_not_be_done_in_the_end_is_refused_before_anything_is_written(
    texts, tmp_path, known, verb, given, what
):
    with pytest.raises(InputError, match=what) as refused:
        getattr(bulk, verb)(str(texts), str(tmp_path / "out"), **known | given)
    assert refused.value.fix
    assert not (tmp_path / "out").exists()


def test_an_option_that_nobody_knows_is_an_error(texts, tmp_path, known):
    with pytest.raises(TypeError, match="worker"):
        bulk.encode(str(texts), str(tmp_path / "out"), worker=3, **known)


@pytest.mark.parametrize("name", ["", "file:///tmp/out", "abc://out", "mem://x"])
def test_what_is_no_folder_and_no_address_makes_no_folder_of_such_a_name(
    texts, tmp_path, known, name, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    for words in ((str(texts), name), (name, str(tmp_path / "out"))):
        with pytest.raises(InputError, match="is no folder and no address"):
            bulk.encode(*words, **known)
    assert [each.name for each in tmp_path.iterdir()] == ["texts"]


def test_an_output_at_a_file_below_a_file_or_behind_a_link_to_the_input_is_refused(texts, tmp_path, known):
    (tmp_path / "file").write_text("mine")
    (tmp_path / "link").symlink_to(texts)
    for name, what in (
        ("file", "file is a file"),
        ("file/out", "file/out cannot be written"),
        ("link/out", "lies within"),
        ("texts/../texts/out", "lies within"),
    ):
        with pytest.raises(InputError, match=what):
            bulk.encode(str(texts), f"{tmp_path}/{name}", **known)
    assert (tmp_path / "file").read_text() == "mine"


def test_a_folder_that_may_not_be_looked_into_is_an_error_and_not_left_out(texts, tmp_path, known):
    (texts / "more").mkdir()
    shutil.copy(texts / "0.parquet", texts / "more/2.parquet")
    (texts / "more").chmod(0)
    try:
        with ordinary_rights(), pytest.raises(FileError, match="more cannot be read"):
            bulk.encode(str(texts), str(tmp_path / "out"), **known)
    finally:
        (texts / "more").chmod(0o700)


def test_a_folder_that_may_not_be_written_to_is_refused_and_so_is_a_file_that_may_not_be_read(
    texts, tmp_path, known
):
    (tmp_path / "mine").mkdir(mode=0o500)
    (texts / "0.parquet").chmod(0)
    with ordinary_rights():
        with pytest.raises(FileError, match=r"0\.parquet cannot be read"):
            bulk.encode(str(texts), str(tmp_path / "out"), **known)
        (texts / "0.parquet").chmod(0o600)
        with pytest.raises(FileError, match="mine/out cannot be written") as refused:
            bulk.encode(str(texts), str(tmp_path / "mine/out"), **known)
    assert refused.value.why == "Permission denied"


def test_who_goes_on_with_another_job_is_told_what_is_another(texts, tmp_path, known):
    out = str(tmp_path / "out")
    bulk.encode(str(texts), out, **known)
    other = str(tiny_bert(tmp_path / "other", seed=5))
    for given, why in (
        ({"model": other}, "the model was tiny"),
        ({"text": "id"}, "--text was text, and is id"),
        ({"id": "n"}, "--id was id, and is n"),
        ({"shard_rows": 5}, "the rows of a shard, --shard-rows, are others"),
        ({"long": "error"}, "long was not given, and is error"),
    ):
        with pytest.raises(InputError, match="holds another job") as refused:
            bulk.encode(str(texts), out, resume=True, **known | given)
        assert why in refused.value.why
    with pytest.raises(InputError) as refused:
        bulk.cluster(str(texts), out, 2, resume=True, **known)
    assert refused.value.why == "this is a job to cluster"
    os.utime(texts / "1.parquet", (1, 1))
    with pytest.raises(InputError) as refused:
        bulk.encode(str(texts), out, resume=True, **known)
    assert refused.value.why == "1.parquet was written again since"
    (texts / "1.parquet").unlink()
    with pytest.raises(InputError) as refused:
        bulk.encode(str(texts), out, resume=True, **known)
    assert refused.value.why == "1.parquet has 0 rows, and had 12"


# Damage


@pytest.mark.parametrize("damage", ["cut", "empty", "foreign"])
def test_a_damaged_part_is_named_with_what_to_do_and_its_output_counts_no_more(texts, tmp_path, known, damage):
    out = tmp_path / "out"
    bulk.encode(str(texts), str(out), **known)
    part = part_of(out)
    if damage == "foreign":
        pq.write_table(pa.table({"text": ["w1"]}), part)
    else:
        part.write_bytes(part.read_bytes()[: 300 if damage == "cut" else 0])
    with pytest.raises(NearsenseError, match=part.name) as refused:
        bulk.encode(str(texts), str(out), resume=True, **known)
    assert "--resume" in refused.value.fix
    assert not (out / "_manifest.json").exists()
    part.unlink()
    assert bulk.encode(str(texts), str(out), resume=True, **known).rows == 24


def test_a_bit_that_turned_in_a_vector_is_noticed(texts, tmp_path, known):
    bulk.encode(str(texts), str(tmp_path / "encoded"), **known)
    part = part_of(tmp_path / "encoded")
    content, vector = bytearray(part.read_bytes()), pq.read_table(part).column("vector").to_pylist()[3]
    at = content.index(pa.array(vector, pa.float32()).buffers()[1].to_pybytes())
    content[at + 1] ^= 1
    part.write_bytes(content)
    with pytest.raises(NearsenseError, match="damaged"):
        bulk.dedupe(str(tmp_path / "encoded"), str(tmp_path / "out"), min_score=0.9, **known)


def test_what_a_run_keeps_between_its_steps_is_checked_when_it_goes_on(texts, tmp_path, known):
    out = tmp_path / "out"
    bulk.dedupe(str(texts), str(out), min_score=0.9, **known)
    for kept in sorted((out / "dedupe").glob("*.npy")):
        content = kept.read_bytes()
        if "centres" in kept.name:
            continue  # asked for by those who put rows into cells, which is done
        kept.write_bytes(content[:-9] + bytes(9))
        with pytest.raises(FileError, match=f"{kept.name} is damaged"):
            bulk.dedupe(str(texts), str(out), min_score=0.9, resume=True, **known)
        kept.write_bytes(content)


@pytest.mark.parametrize("content", ["", "x", "[]", "{}", '{"files": 3, "model": 1, "fingerprint": 2}'])
def test_files_that_say_what_a_job_is_and_are_damaged_are_named(texts, tmp_path, known, content):
    out = tmp_path / "out"
    bulk.encode(str(texts), str(out), **known)
    (out / "_manifest.json").write_text(content)
    with pytest.raises(FileError, match=r"_manifest\.json") as refused:
        bulk.dedupe(str(out), str(tmp_path / "clean"), min_score=0.9, **known)
    assert refused.value.fix
    (out / "status").mkdir(exist_ok=True)
    (out / "status/a.json").write_text(content)
    assert bulk.status(str(out)).drivers == ()
    (out / "job.json").write_text(content)
    for ask in (lambda: bulk.status(str(out)), lambda: bulk.encode(str(texts), str(out), resume=True, **known)):
        with pytest.raises(FileError, match=r"job\.json cannot be read"):
            ask()


def test_a_part_that_is_not_there_any_more_is_named(texts, tmp_path, known):
    bulk.encode(str(texts), str(tmp_path / "encoded"), **known)
    part = part_of(tmp_path / "encoded")
    part.unlink()
    with pytest.raises(FileError, match=f"{part.name} is not there any more"):
        bulk.cluster(str(tmp_path / "encoded"), str(tmp_path / "out"), 2, **known)


# Drivers


def test_a_driver_gives_signs_of_life_before_and_between_the_steps_of_its_workers(
    texts, tmp_path, known, monkeypatch
):
    monkeypatch.setattr("nearsense.bulk.run.BEAT", 0.02)
    out, seen = tmp_path / "out", []

    def look(done, total):
        if not seen:
            (sign,) = (out / "status").iterdir()
            before = json.loads(sign.read_text())["time"]
            while json.loads(sign.read_text())["time"] == before:
                pass  # the driver itself does nothing but this
            seen.append(bulk.status(str(out)).state)

    bulk.encode(str(texts), str(out), progress=look, **known)
    assert seen == ["running"]
    assert bulk.status(str(out)).state == "done"


def test_who_clears_away_leaves_what_another_is_writing(tmp_path):
    (tmp_path / "scratch/shard").mkdir(parents=True)
    (tmp_path / "scratch/shard/0.npy").write_text("kept")
    draft, old = tmp_path / "scratch/.1-a.tmp", tmp_path / "scratch/shard/.2-b.tmp"
    draft.write_text("half")
    old.write_text("half")
    os.utime(old, (1, 1))
    clear(tmp_path / "scratch")
    assert [each.name for each in (tmp_path / "scratch").iterdir()] == [draft.name]
    assert ABANDONED < 1e9
    draft.unlink()
    clear(tmp_path / "scratch")
    assert not (tmp_path / "scratch").exists()


def test_what_stands_behind_a_question_mark_of_an_address_is_in_no_file(texts, tmp_path, known):
    bulk.encode(str(texts), str(tmp_path / "out"), **known)
    plan = Plan.of(json.loads((tmp_path / "out/job.json").read_text()))
    signed = replace(plan, input="https://host/texts.parquet?sig=secret")
    assert b"secret" not in signed.to_json()
    assert place_of("https://host/texts.parquet?sig=secret").shown == "https://host/texts.parquet"


# Words


def test_one_is_not_called_many(tmp_path, known, run):
    pq.write_table(pa.table({"text": ["w1"]}), tmp_path / "in.parquet")
    words = ["bulk", "encode", tmp_path / "in.parquet", "-o", tmp_path / "out", "--model", known["model"]]
    done = run(*words, "--workers", 0)
    assert done.err.splitlines()[-2:] == [
        "1 text: about 1 s on 1 worker; 1 kB of output",
        f"{tmp_path / 'out'}: 1 row in 1 part",
    ]


def test_more_workers_than_cores_or_shards_are_not_reckoned_with(texts, tmp_path, known):
    said = []
    with told_to(said.append):
        bulk.encode(str(texts), str(tmp_path / "out"), **known | {"workers": 400})
    assert said[0].startswith("400 workers on ")
    assert " on 2 workers; " in said[1]


def test_where_nothing_is_that_is_said_too(tmp_path, known):
    (tmp_path / "in").mkdir()
    with pytest.raises(FileError, match=r"in holds no file\n"):
        bulk.encode(str(tmp_path / "in"), str(tmp_path / "out"), **known)


def test_ids_that_stand_at_several_rows_are_told_where_they_are_to_say_which_stays(tmp_path, known):
    (tmp_path / "in").mkdir()
    for file in range(2):
        table = pa.table({"id": ["a", "b"], "text": ["w1 w2", f"w{file + 30} w9"]})
        pq.write_table(table, tmp_path / f"in/{file}.parquet")
    said = []
    with told_to(said.append):
        bulk.dedupe(str(tmp_path / "in"), str(tmp_path / "out"), min_score=1.0, **known)
    assert any(line.startswith("ids stand at several rows, 1 more than once") for line in said)


def test_an_address_at_which_no_cluster_listens_is_refused_at_once_and_nothing_is_begun(texts, tmp_path, known):
    pytest.importorskip("ray")
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{nobody.getsockname()[1]}"
        with pytest.raises(InputError, match=f"no Ray cluster at {address}"):
            bulk.encode(str(texts), str(tmp_path / "out"), ray=address, **known)
    assert not (tmp_path / "out").exists()
