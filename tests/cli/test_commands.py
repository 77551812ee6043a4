"""Each command does what its help says, in every form of output."""

from __future__ import annotations

import csv
import io
import json
import shutil
import sysconfig
from pathlib import Path

import numpy as np
import pytest

import nearsense as ns
from nearsense.files import read_table

TICKETS = [
    {"id": "t1", "text": "The dashboard freezes after login", "status": "open"},
    {"id": "t2", "text": "Please refund my last invoice", "status": "solved"},
    {"id": "t3", "text": "Screen hangs when I open the overview", "status": "open"},
]


@pytest.fixture
def tickets(tmp_path):
    file = tmp_path / "tickets.csv"
    with file.open("w", newline="") as out:
        writer = csv.DictWriter(out, TICKETS[0])
        writer.writeheader()
        writer.writerows(TICKETS)
    return file


def test_compare_gives_one_json_document(run):
    done = run("compare", "a cat sleeps", "the kitten naps", "--json")
    found = json.loads(done.out)
    assert done.code == 0
    assert found["score"] == pytest.approx(ns.compare("a cat sleeps", "the kitten naps").score, abs=1e-6)
    assert {"score", "reading", "model", "probability", "fingerprint"} <= set(found)
    assert found["calibrated"] is True


def test_compare_in_a_pipe_gives_a_line_of_json_a_pair(run, tmp_path):
    file = tmp_path / "pairs.tsv"
    file.write_text("sentence1\tsentence2\none two\tthree\nrain\tweather\n")
    lines = [json.loads(line) for line in run("compare", "--pairs", file).out.splitlines()]
    assert [(line["a"], line["b"]) for line in lines] == [("one two", "three"), ("rain", "weather")]


def test_compare_takes_the_columns_it_is_told(run, tmp_path):
    file = tmp_path / "pairs.csv"
    file.write_text("x,y,z\n1,rain,weather\n")
    (found,) = json.loads(run("compare", "--pairs", file, "--columns", "z,y", "--json").out)
    assert (found["a"], found["b"]) == ("weather", "rain")


def test_pairs_of_a_file_are_a_list_also_when_there_is_one(run, tmp_path):
    file = tmp_path / "pairs.csv"
    file.write_text("a,b\nrain,weather\n")
    assert [pair["b"] for pair in json.loads(run("compare", "--pairs", file, "--json").out)] == ["weather"]


def test_search_gives_hits_with_ids_and_metadata(run, tickets):
    done = run("search", tickets, "my screen is stuck", "-k", "2", "--json")
    found = json.loads(done.out)
    assert found["query"] == "my screen is stuck"
    assert [hit["rank"] for hit in found["hits"]] == [1, 2]
    assert {hit["id"] for hit in found["hits"]} == {"t1", "t3"}
    assert found["hits"][0]["metadata"] == {"status": "open"}
    assert set(found["hits"][0]) == {
        "rank", "id", "score", "probability", "interval", "differs", "unsure", "because", "retrieval_score",
        "text", "metadata",
    }  # fmt: skip


def test_several_queries_give_a_list_of_documents(run, tickets):
    found = json.loads(run("search", tickets, "money back", "hanging screen", "-k", "1", "--json").out)
    assert [(each["query"], each["hits"][0]["id"]) for each in found] == [
        ("money back", "t2"),
        ("hanging screen", "t3"),
    ]


def test_search_reads_standard_input(run):
    done = run("search", "-", "animals", "-k", "1", stdin=b"tax law\na dog and a cat\n")
    assert json.loads(done.out)["text"] == "a dog and a cat"


def test_rank_orders_every_text_and_can_write_csv(run, tickets):
    done = run("rank", "give me my money back", tickets, "--csv")
    rows = list(csv.DictReader(io.StringIO(done.out)))
    assert rows[0]["id"] == "t2"
    assert len(rows) == 3
    assert json.loads(rows[0]["metadata"]) == {"status": "solved"}
    document = json.loads(run("rank", "give me my money back", tickets, "--json").out)
    assert document["reference"] == "give me my money back"
    assert [hit["id"] for hit in document["hits"]] == [row["id"] for row in rows]


def test_matrix_gives_every_pair_and_a_picture(run, tickets, tmp_path):
    picture = tmp_path / "heat.png"
    found = json.loads(run("matrix", tickets, "--plot", picture, "--json").out)
    expected = ns.matrix([ticket["text"] for ticket in TICKETS]).scores
    np.testing.assert_allclose(found["scores"], expected, atol=1e-6)
    assert picture.read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("name", ["out.npy", "out.jsonl", "out.parquet", "out.jsonl.gz"])
def test_encoded_vectors_are_read_back_and_searched(run, tickets, tmp_path, name):
    out = tmp_path / name
    done = run("encode", tickets, "-o", out)
    assert (done.code, done.out) == (0, "")
    found = json.loads(run("search", out, "my screen is stuck", "-k", "1", "--json").out)["hits"][0]
    direct = json.loads(run("search", tickets, "my screen is stuck", "-k", "1", "--json").out)["hits"][0]
    assert found["score"] == pytest.approx(direct["score"], abs=1e-5)
    assert [found[name] for name in ("id", "text", "metadata")] == [
        direct[name] for name in ("id", "text", "metadata")
    ]
    assert found["metadata"] == {"status": "open"}
    assert "left out" not in done.err


@pytest.mark.parametrize("name", ["out.npy", "out.jsonl", "out.parquet"])
def test_encoding_stored_vectors_again_keeps_their_metadata(run, tmp_path, name):
    file = tmp_path / "cars.jsonl"
    file.write_text(
        '{"id": 1, "text": "a small car", "model": "Golf", "tags": ["x"]}\n{"id": 2, "text": "a boat"}\n'
    )
    run("encode", file, "-o", tmp_path / "first.jsonl")
    assert run("encode", tmp_path / "first.jsonl", "-o", tmp_path / name).code == 0
    table = read_table(tmp_path / name)
    assert table.columns == {
        "id": ["1", "2"],
        "text": ["a small car", "a boat"],
        "model": ["Golf", None],
        "tags": [["x"], None],
    }


def test_a_column_called_id_that_gives_no_ids_is_left_out_with_a_word(run, tickets, tmp_path):
    done = run("encode", tickets, "-o", tmp_path / "out.npy", "--id", "line")
    assert done.code == 0
    assert "left out: column 'id'" in done.err
    assert read_table(tmp_path / "out.npy").columns == {
        "id": ["2", "3", "4"],
        "text": [ticket["text"] for ticket in TICKETS],
        "status": [ticket["status"] for ticket in TICKETS],
    }


def test_encoded_npy_is_a_plain_matrix_for_everybody_else(run, tickets, tmp_path):
    run("encode", tickets, "-o", tmp_path / "out.npy")
    vectors = ns.load().encode([ticket["text"] for ticket in TICKETS])
    np.testing.assert_allclose(np.load(tmp_path / "out.npy"), vectors.data, atol=1e-6)


def test_a_foreign_matrix_can_be_drawn_but_not_searched(run, tmp_path):
    np.save(tmp_path / "foreign.npy", np.eye(3, 384, dtype=np.float32))
    found = json.loads(run("matrix", tmp_path / "foreign.npy", "--json").out)
    assert found["scores"] == np.eye(3).tolist()
    assert "unknown model" in run("search", tmp_path / "foreign.npy", "q").err


def test_vectors_of_another_model_are_refused(run, tickets, tmp_path):
    from samples import tiny_bert

    out, other = tmp_path / "out.npy", tiny_bert(tmp_path / "other")
    run("encode", tickets, "-o", out, "--model", other)
    done = run("search", out, "anything")
    assert done.code == 2
    assert "all-MiniLM-L6-v2" in done.err
    assert "other" in done.err
    assert done.out == ""


def test_models_says_what_is_here_and_where(run):
    found = json.loads(run("models", "--json").out)
    mine = next(each for each in found if each["name"] == "all-MiniLM-L6-v2")
    assert (mine["here"], mine["dimension"], mine["max_tokens"]) == (True, 384, 256)


@pytest.mark.parametrize(
    "modules", [("csv", "threading"), pytest.param((), marks=pytest.mark.slow)], ids=["two", "all"]
)
def test_demo_shows_everything_and_draws_the_heatmap(run, tmp_path, monkeypatch, modules):
    if modules:  # of the two hundred
        lib = Path(sysconfig.get_paths()["stdlib"])
        (tmp_path / "lib").mkdir()
        for name in modules:
            shutil.copy(lib / f"{name}.py", tmp_path / "lib")
        monkeypatch.setattr(sysconfig, "get_paths", lambda: {"stdlib": str(tmp_path / "lib")})
    done = run("demo", "--output", tmp_path / "demo")
    assert done.code == 0
    assert "threading.Thread.join" in done.out
    assert "nearsense search FILE" in done.out
    assert (tmp_path / "demo" / "heatmap.png").stat().st_size > 10_000


def test_a_terminal_gets_a_table_without_steering_characters(monkeypatch):
    from nearsense.records import Hit, Origin, Results
    from nearsense.render import show
    from nearsense.render.results import hits_page

    class Terminal(io.StringIO):
        def isatty(self):
            return True

    out = Terminal()
    hits = Results([Hit(1, "x", 0.5, None, "red \x1b[31malert [bold]not bold", {})], Origin("m", "f"), "q")
    show(hits_page([hits]), out=out)
    assert "\x1b[31m" not in out.getvalue()
    assert "[bold]not bold" in out.getvalue()
    assert "uncalibrated" in out.getvalue()


def test_a_wide_table_shows_whole_columns_and_says_how_many_are_missing(monkeypatch):
    from nearsense.records import Matrix, Origin
    from nearsense.render import Form, show
    from nearsense.render.results import matrix_page

    monkeypatch.setenv("COLUMNS", "80")
    out = io.StringIO()
    scores = np.full((40, 40), 0.55, np.float32)
    show(matrix_page(Matrix(scores, tuple(f"label {i}" for i in range(40)), Origin("m", "f"))), Form.TABLE, out)
    first = next(line for line in out.getvalue().splitlines() if "label 0" in line)
    shown = first.split()[3:]
    assert set(shown) == {"0.55"}
    assert f"{40 - len(shown)} more columns" in out.getvalue()


def test_stored_vectors_need_no_model_for_a_matrix(run, tickets, tmp_path, monkeypatch):
    run("encode", tickets, "-o", tmp_path / "out.npy")
    monkeypatch.setenv("NEARSENSE_MODEL", "not-there")
    assert run("matrix", tmp_path / "out.npy", "--json").code == 0


def test_settings_of_the_environment_reach_the_command(run, monkeypatch):
    monkeypatch.setenv("NEARSENSE_MODEL", "not-there")
    assert "not-there" in run("compare", "a", "b").err
