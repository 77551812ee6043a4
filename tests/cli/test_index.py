"""Collections on the command line: each command against what went in, bad input, and Ctrl-C."""

from __future__ import annotations

import contextlib
import csv
import gzip
import io
import json
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import click
import numpy as np
import pytest

import nearsense as ns
from nearsense.cli.index import index
from nearsense.records import Hit, Origin, Ranking, Results
from nearsense.render import Form, show
from nearsense.render.results import hits_page, info_page, reembedding_page, sync_page, verification_page
from nearsense.reports import SyncReport, Verification
from samples import tiny_bert
from turns import in_turn

ROOT = Path(__file__).parents[2]
TICKETS = [
    {"id": "t1", "text": "The dashboard freezes after login", "status": "open"},
    {"id": "t2", "text": "Please refund my last invoice", "status": "solved"},
    {"id": "t3", "text": "Screen hangs when I open the overview", "status": "open"},
]


def lines(records):
    return "".join(json.dumps(record) + "\n" for record in records)


def hits(done):
    assert done.code == 0, done.err
    return [json.loads(line) for line in done.out.splitlines()]


def ids(done):
    return [hit["id"] for hit in hits(done)]


def check(done, *words, code=2):
    """One error of at most three lines, and its exit code; nothing on stdout."""
    said = done.err.splitlines()
    assert done.code == code, done
    assert said[0].startswith("error: "), done
    assert len(said) <= 3
    assert "Traceback" not in done.err
    assert done.out == ""
    for word in words:
        assert word in done.err, done.err


@pytest.fixture(scope="module")
def _made(tmp_path_factory, _own_cache):
    folder = tmp_path_factory.mktemp("made")
    with ns.open(folder / "tickets.ns") as tickets:
        tickets.add([ns.Document(each["id"], each["text"], {"status": each["status"]}) for each in TICKETS])
    return folder / "tickets.ns"


@pytest.fixture
def tickets(_made, tmp_path):
    """A collection of three tickets; a copy of its own for each test."""
    return shutil.copytree(_made, tmp_path / "tickets.ns")


@pytest.fixture
def file(tmp_path):
    """The same three tickets as a file."""
    file = tmp_path / "tickets.jsonl"
    file.write_text(lines(TICKETS))
    return file


# what is in it


def test_create_makes_and_fills_a_collection(run, file, tmp_path):
    done = run("index", "create", tmp_path / "new.ns", file)
    assert (done.code, done.out) == (0, "")
    assert done.err == f"{tmp_path / 'new.ns'}: made, 3 documents\n"
    with ns.open(tmp_path / "new.ns", create=False) as made:
        found = made.get(["t1", "t2", "t3"])
    assert [document.to_dict() for document in found] == [
        {"id": each["id"], "text": each["text"], "metadata": {"status": each["status"]}} for each in TICKETS
    ]


def test_create_without_a_file_makes_an_empty_one_of_the_model_and_role_named(run, tmp_path):
    model = tiny_bert(tmp_path / "model")
    assert run("index", "create", tmp_path / "new.ns", "--model", model, "--role", "query").code == 0
    info = json.loads(run("index", "info", tmp_path / "new.ns").out)
    assert (info["documents"], info["model"], info["role"]) == (0, "model", "query")
    assert run("index", "add", tmp_path / "new.ns", "-", stdin=b"a cat\n").code == 0
    assert ids(run("search", tmp_path / "new.ns", "a cat")) == ["1"]


def test_create_never_touches_what_is_there(run, tickets, file):
    check(run("index", "create", tickets, file), "is there already", f"nearsense index add {tickets} {file}")
    assert json.loads(run("index", "info", tickets).out)["documents"] == 3


@pytest.mark.parametrize("words", [["--index", "hsnw"], ["--model", "not-here"]])
def test_create_with_a_mistake_leaves_nothing_behind(run, file, tmp_path, words):
    check(run("index", "create", tmp_path / "new.ns", file, *words), words[1])
    assert list(tmp_path.iterdir()) == [file]


@pytest.mark.parametrize(
    ("name", "content", "word"),
    [
        ("empty.csv", b"", "empty"),
        ("wrong.csv", b"foo,bar\n1,2\n", "--text COLUMN"),
        ("twice.csv", b"id,text\n1,hello\n1,there\n", "twice.csv, line 3"),
        ("hole.csv", b"id,text\n1,hello\n2,\n", "hole.csv, line 3"),
        ("what.xyz", b"hello\n", "--format"),
        ("cut.jsonl.gz", b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03\x01", "cut.jsonl.gz"),
    ],
)
@pytest.mark.parametrize("command", ["create", "add", "sync"])
def test_a_bad_file_changes_nothing(run, tickets, tmp_path, command, name, content, word):
    file = tmp_path / name
    file.write_bytes(content)
    target = tmp_path / "new.ns" if command == "create" else tickets
    check(run("index", command, target, file), word)
    assert not (tmp_path / "new.ns").exists()
    assert json.loads(run("index", "info", tickets).out)["documents"] == 3


def test_add_adds_and_counts(run, tickets):
    done = run("index", "add", tickets, "-", stdin=lines([{"id": "t4", "text": "late parcel"}]).encode())
    assert (done.code, done.out, done.err) == (0, "", f"{tickets}: 1 document added, 4 in it\n")
    assert ids(run("search", tickets, "where is my package?", "-k", "1")) == ["t4"]


def test_add_refuses_an_id_that_is_there_and_upsert_replaces(run, tickets, tmp_path):
    file = tmp_path / "new.jsonl.gz"
    file.write_bytes(gzip.compress(lines([{"id": "t1", "text": "a new text"}]).encode()))
    check(run("index", "add", tickets, file), "'t1'")
    assert run("index", "add", tickets, file, "--upsert").err == f"{tickets}: 1 document put, 3 in it\n"
    assert hits(run("index", "search", tickets, "a new text", "-k", "1"))[0]["text"] == "a new text"


def test_columns_are_named_as_everywhere(run, tickets, tmp_path):
    file = tmp_path / "t.csv"
    file.write_text("nr,body,note\n7,late parcel,x\n8,,x\n")
    done = run("index", "add", tickets, file, "--text", "body", "--id", "nr", "--skip-empty")
    assert "left out 1 of 2 rows" in done.err
    found = hits(run("search", tickets, "late parcel", "-k", "1"))[0]
    assert (found["id"], found["metadata"]) == ("7", {"note": "x"})


@pytest.mark.parametrize("name", ["v.jsonl", "v.parquet", "v.npy"])
def test_stored_vectors_of_the_model_are_used_as_they_are(run, file, tmp_path, name):
    run("encode", file, "-o", tmp_path / name)
    swapped = tmp_path / "swapped.npy"
    from nearsense.files import read_table, write_vectors

    vectors = read_table(tmp_path / name).vectors
    write_vectors(swapped, vectors.take([1, 2, 0]), ids=["t1", "t2", "t3"], texts=[t["text"] for t in TICKETS])
    done = run("index", "create", tmp_path / "new.ns", swapped)
    assert (done.code, "encoded again" in done.err) == (0, False)
    assert ids(run("search", tmp_path / "new.ns", "refund the invoice", "-k", "1")) == ["t1"]  # t2's vector


def test_stored_vectors_of_another_model_are_made_anew_and_that_is_said(run, file, tmp_path):
    other = tiny_bert(tmp_path / "other")
    run("encode", file, "-o", tmp_path / "v.jsonl", "--model", other)
    done = run("index", "create", tmp_path / "new.ns", tmp_path / "v.jsonl")
    assert "the vectors in the file are of other: its texts are encoded again" in done.err
    assert ids(run("search", tmp_path / "new.ns", "refund the invoice", "-k", "1")) == ["t2"]


def test_a_matrix_without_texts_is_refused(run, tickets, tmp_path):
    np.save(tmp_path / "m.npy", np.eye(3, 384, dtype=np.float32))
    check(run("index", "add", tickets, tmp_path / "m.npy"), "m.npy", "no texts")


def test_sync_does_what_its_dry_run_says(run, tickets, tmp_path):
    file = tmp_path / "today.jsonl"
    file.write_text(lines([TICKETS[0], {**TICKETS[1], "text": "another text"}, {"id": "t9", "text": "new"}]))
    expected = {"added": 1, "changed": 1, "removed": 1, "unchanged": 1, "encoded": 2}
    said = json.loads(run("index", "sync", tickets, file, "--dry-run", "--json").out)
    assert said == {**expected, "applied": False}
    assert json.loads(run("index", "sync", tickets, file).out) == {**expected, "applied": True}
    (row,) = csv.DictReader(io.StringIO(run("index", "sync", tickets, file, "--csv").out))
    assert (row["unchanged"], row["added"]) == ("3", "0")
    assert set(ids(run("search", tickets, "text"))) == {"t1", "t2", "t9"}


def test_sync_can_keep_what_the_file_does_not_have(run, tickets, tmp_path):
    (tmp_path / "f.jsonl").write_text(lines([{"id": "t9", "text": "new"}]))
    report = json.loads(run("index", "sync", tickets, tmp_path / "f.jsonl", "--keep").out)
    assert (report["added"], report["removed"]) == (1, 0)
    assert json.loads(run("index", "info", tickets).out)["documents"] == 4


def test_delete_by_ids_names_those_that_are_not_there(run, tickets):
    done = run("index", "delete", tickets, "t1", "nope", "--dry-run")
    assert done.err == f"not in it: nope\n{tickets}: 1 document would be deleted, 3 in it\n"
    done = run("index", "delete", tickets, "t1", "nope")
    assert (done.code, done.err) == (0, f"not in it: nope\n{tickets}: 1 document deleted, 2 in it\n")
    assert set(ids(run("search", tickets, "login"))) == {"t2", "t3"}


def test_delete_by_a_filter(run, tickets):
    done = run("index", "delete", tickets, "--where", "status=open", "--dry-run")
    assert done.err == f"{tickets}: 2 documents would be deleted, 3 in it\n"
    assert run("index", "delete", tickets, "--where", "status=open").err == (
        f"{tickets}: 2 documents deleted, 1 in it\n"
    )
    check(run("index", "delete", tickets), "--where")
    check(run("index", "delete", tickets, "t2", "--where", "status=solved"), "one of them")
    check(run("index", "delete", tickets, "--where", "staus=open"), "staus", "status")
    assert ids(run("search", tickets, "anything")) == ["t2"]


# what it answers


def test_both_searches_give_what_the_library_gives(run, tickets):
    with ns.open(tickets) as there:
        expected = there.search("my screen is stuck", k=2, where={"status": "open"})
    for words in (["search"], ["index", "search"]):
        found = run(
            *words, tickets, "my screen is stuck", "-k", "2", "--where", "status=open", "--exact", "--json"
        )
        assert found.code == 0, found.err
        found = json.loads(found.out)
        assert [hit["id"] for hit in found["hits"]] == [hit.id for hit in expected]
        np.testing.assert_allclose([hit["score"] for hit in found["hits"]], [hit.score for hit in expected], 1e-5)
        assert (found["metric"], found["hits"][0]["metadata"]) == ("cosine", {"status": "open"})


def test_several_filters_all_have_to_fit(run, tickets):
    words = ["search", tickets, "screen", "--where", "status=open", "--where", '{"not": {"status": "open"}}']
    done = run(*words)
    assert (done.code, done.out) == (0, "")
    assert "no document passes --where" in done.err


def test_hits_below_a_score_are_left_out_of_collections_and_files(run, tickets, file):
    for source in (tickets, file):
        found = hits(run("search", source, "refund", "--min-score", "0.3"))
        assert [hit["id"] for hit in found] == ["t2"]
        check(run("search", source, "refund", "--min-score", "nan"), "nan")


def test_words_and_fusion_say_what_their_scores_are(run, tickets):
    (found,) = hits(run("search", tickets, "invoice", "--mode", "lexical"))
    assert (found["id"], found["metric"]) == ("t2", "bm25")
    found = hits(run("search", tickets, "invoice", "--mode", "hybrid", "-k", "1"))[0]
    assert (found["id"], found["metric"]) == ("t2", "reciprocal rank fusion")
    assert found["score"] == pytest.approx(2 / 61)


def test_searching_by_words_loads_no_model(run, tickets, monkeypatch):
    from nearsense import encoders

    def refuse(*_, **__):
        raise AssertionError("a model was loaded")

    monkeypatch.setattr(encoders, "_load", refuse)
    assert ids(run("search", tickets, "invoice", "--mode", "lexical")) == ["t2"]


def test_several_queries_are_answered_in_their_order(run, tickets):
    found = json.loads(run("search", tickets, "money back", "hanging screen", "-k", "1", "--json").out)
    assert [(each["query"], each["hits"][0]["id"]) for each in found] == [
        ("money back", "t2"),
        ("hanging screen", "t3"),
    ]


def test_similar_finds_others_and_not_itself(run, tickets):
    found = hits(run("index", "similar", tickets, "t1", "-k", "2"))
    assert [(hit["rank"], hit["id"], hit["similar_to"]) for hit in found] == [(1, "t3", "t1"), (2, "t2", "t1")]
    assert ids(run("index", "similar", tickets, "t1", "--where", "status=solved")) == ["t2"]
    check(run("index", "similar", tickets, "t1", "--min-score", "nan"), "nan")
    check(run("index", "similar", tickets, "nope"), "'nope'", str(tickets))


def test_info_says_what_the_collection_says(run, tickets):
    with ns.open(tickets) as there:
        expected = there.info().to_dict()
    found = json.loads(run("index", "info", tickets, "--json").out)
    assert found["fields"] == ["status"]
    assert {**found, "size": 0} == {**expected, "size": 0}


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--where", "staus=open"], ["staus", "did you mean", "status"]),
        (["--where", "status ~ open"], ["is no filter", "--where"]),
        (["--where", '{"status": {"gte": 1}}'], ["gte", 'did you mean ">="']),
        (["--where", '{"status": '], ["not JSON"]),
        (["--mode", "fuzzy"], ["fuzzy", "hybrid"]),
        (["-k", "0"], ["-k"]),
        (["--text", "body"], ["is a collection", "--text"]),
        (["--model", "not-here"], ["not-here", "nearsense models"]),
    ],
)
def test_a_bad_question_is_one_clear_error(run, tickets, words, expected):
    check(run("search", tickets, "query", *words), *expected)
    check(run("search", tickets, " "), "query", "empty")


def test_another_model_is_refused_with_both_named(run, tickets, tmp_path):
    other = tiny_bert(tmp_path / "other")
    check(run("search", tickets, "query", "--model", other), "all-MiniLM-L6-v2", "other", "reembed")


@pytest.mark.parametrize("words", [["--network"], ["--mode", "hybrid"]])
def test_what_only_a_collection_answers_is_not_asked_of_a_file(run, file, words):
    check(run("search", file, "query", *words), words[0], f"nearsense index create tickets.nearsense {file}")
    assert ids(run("search", file, "refund", "--mode", "dense", "--exact", "-k", "1")) == ["t2"]


COMMANDS = [
    ["add", "FILE"],
    ["sync", "FILE"],
    ["delete", "t1"],
    ["search", "query"],
    ["similar", "t1"],
    ["info"],
    ["verify"],
    ["backup", "TARGET"],
    ["compact"],
    ["build"],
    ["export", "OUT.jsonl"],
    ["reembed", "--model", "FOLDER"],
]


@pytest.mark.parametrize("words", COMMANDS, ids=lambda words: words[0])
def test_no_command_but_create_makes_a_collection(run, file, tmp_path, words):
    missing, before = tmp_path / "missing.ns", sorted(tmp_path.iterdir())
    done = run("index", words[0], missing, *(file if word == "FILE" else word for word in words[1:]))
    check(done, f"there is no collection at {missing}", f"nearsense index create {missing}")
    check(run("index", words[0], file, *words[1:]), "is a file")
    assert sorted(tmp_path.iterdir()) == before


# keeping it


def test_verify_is_content_with_what_is_whole_and_finds_what_is_not(run, tickets):
    done = run("index", "verify", tickets)
    assert (done.code, json.loads(done.out)) == (0, {"ok": True, "documents": 3, "findings": [], "healed": []})
    database = tickets / "collection.db"
    content = bytearray(database.read_bytes())
    place = content.index(b"refund my last")
    content[place] ^= 1
    database.write_bytes(content)
    done = run("index", "verify", tickets)
    assert done.code == 1, done
    assert json.loads(done.out)["findings"]
    assert "Traceback" not in done.err


def test_verify_makes_damaged_derived_files_again(run, tickets):
    assert run("index", "build", tickets).code == 0
    (vectors,) = (tickets / "generations").rglob("vectors*")
    content = bytearray(vectors.read_bytes())
    content[100] ^= 1
    vectors.write_bytes(content)
    found = run("index", "verify", tickets)
    assert found.code == 0, found
    assert json.loads(found.out)["healed"]
    assert json.loads(run("index", "verify", tickets).out)["healed"] == []


def test_lost_commits_are_findings_until_they_are_accepted(run, tickets, tmp_path):
    old = shutil.copytree(tickets, tmp_path / "old.ns")
    run("index", "delete", tickets, "t1")
    for name in ("collection.db", "collection.db-wal", "collection.db-shm"):
        with contextlib.suppress(FileNotFoundError):
            (tickets / name).unlink()
    shutil.copy(old / "collection.db", tickets / "collection.db")
    check(run("search", tickets, "query"), "lost commits", "--accept-losses", code=3)
    done = run("index", "verify", tickets)
    assert done.code == 1, done
    assert "lost commits" in json.loads(done.out)["findings"][0]
    run("index", "verify", tickets, "--accept-losses")
    assert run("index", "verify", tickets).code == 0
    assert len(ids(run("search", tickets, "query"))) == 3


def test_a_backup_is_a_collection_and_never_overwrites(run, tickets, tmp_path):
    target = tmp_path / "backup.ns"
    assert run("index", "backup", tickets, target).err == f"{target}: 3 documents\n"
    run("index", "delete", tickets, "t1")
    assert ids(run("search", target, "the dashboard freezes", "-k", "1")) == ["t1"]
    check(run("index", "backup", tickets, target), str(target), "never overwrites")


def test_compact_takes_the_text_of_deleted_documents_from_the_disk(run, tickets):
    run("index", "delete", tickets, "t2")
    done = run("index", "compact", tickets)
    assert (done.code, done.out) == (0, "")
    assert re.search(r"MB before, .* MB after", done.err)
    assert not any(b"refund my last" in path.read_bytes() for path in tickets.rglob("*") if path.is_file())


def test_build_makes_the_index_that_was_asked_for(run, tickets):
    done = run("index", "build", tickets, "--index", "flat-ip")
    assert (done.code, "3 documents, index flat-ip" in done.err) == (0, True)
    assert json.loads(run("index", "info", tickets).out)["index"] == "flat-ip"
    assert ids(run("search", tickets, "refund", "-k", "1")) == ["t2"]
    run("index", "build", tickets, "--index", "auto")
    assert json.loads(run("index", "info", tickets).out)["index"] == "exact"
    check(run("index", "build", tickets, "--index", "hsnw"), "hsnw", "hnsw")


@pytest.mark.parametrize("name", ["out.jsonl", "out.parquet", "out.npy", "out.jsonl.gz"])
def test_what_is_exported_fills_another_collection_without_encoding(run, tickets, tmp_path, name, monkeypatch):
    done = run("index", "export", tickets, tmp_path / name)
    assert (done.code, done.err.splitlines()[0]) == (0, f"{tmp_path / name}: 3 documents")
    done = run("index", "create", tmp_path / "copy.ns", tmp_path / name)
    assert "again" not in done.err
    with ns.open(tickets) as old, ns.open(tmp_path / "copy.ns") as new:
        assert new.get(["t1", "t2", "t3"]) == old.get(["t1", "t2", "t3"])


def test_export_as_a_table_leaves_the_vectors_out(run, tickets, tmp_path):
    check(run("index", "export", tickets, tmp_path / "out.csv"), "out.csv", "--no-vectors")
    assert run("index", "export", tickets, tmp_path / "out.csv", "--no-vectors").code == 0
    assert list(csv.DictReader(io.StringIO((tmp_path / "out.csv").read_text()))) == TICKETS
    check(run("index", "export", tickets, tmp_path / "no" / "out.jsonl"), "no")
    check(run("index", "export", tickets, tmp_path / "out.docx"), "out.docx")


def test_what_is_exported_for_a_program_is_in_its_form_also_in_a_pipe(run, tickets, tmp_path):
    done = run("index", "export", tickets, tmp_path / "q.jsonl", "--to", "qdrant")
    assert (done.code, done.err) == (0, f"{tmp_path / 'q.jsonl'}: 3 documents\n")
    piped = run("index", "export", tickets, "-", "--to", "qdrant")
    assert (piped.code, piped.out) == (0, (tmp_path / "q.jsonl").read_text())
    assert [each["payload"]["id"] for each in json.loads(piped.out)["points"]] == ["t1", "t2", "t3"]
    check(run("index", "export", tickets, tmp_path / "q.csv", "--to", "qdrant"), "q.csv")
    check(run("index", "export", tickets, tmp_path / "q.jsonl", "--to", "qdrnt"), "qdrnt", "qdrant")
    check(run("index", "export", tickets, "-", "--to", "npy"), "npy")


def test_the_ids_of_a_matrix_are_said_to_lie_beside_it(run, tickets, tmp_path):
    done = run("index", "export", tickets, tmp_path / "all.npy")
    assert done.err.splitlines()[1] == f"{tmp_path / 'all.npy.ids.jsonl'}: the ids of its rows"
    (tmp_path / "v.npy.ids.jsonl").mkdir()
    check(run("index", "export", tickets, tmp_path / "v.npy"), "v.npy.ids.jsonl")
    assert not (tmp_path / "v.npy").exists()


def test_reembed_goes_over_to_another_model(run, tickets, tmp_path):
    other = tiny_bert(tmp_path / "other")
    done = run("index", "reembed", tickets, "--model", other)
    assert done.code == 0, done
    assert json.loads(done.out) == {
        "documents": 3,
        "before": "all-MiniLM-L6-v2",
        "after": "other",
        "agreement": None,
        "mapped": False,
    }
    assert ids(run("search", tickets, "Please refund my last invoice", "-k", "1")) == ["t2"]
    check(run("search", tickets, "q", "--model", "all-MiniLM-L6-v2"), "other", "all-MiniLM-L6-v2")
    check(run("index", "reembed", tickets, "--model", "not-here"), "not-here")
    check(run("index", "reembed", tickets), "--model")


def test_reembed_compares_on_queries_first_and_asks(run, tickets, tmp_path):
    from nearsense.encoders.adapted import AdaptedEncoder, VectorMap, write_adapter
    from nearsense.kinds import MapKind

    (mine := tmp_path / "mine").mkdir()
    scale = np.linspace(0.5, 1.5, 384).astype(np.float32)
    write_adapter(mine, AdaptedEncoder(ns.load(), VectorMap(MapKind.DIAGONAL, {"scale": scale}), name="mine"), {})
    asked = tmp_path / "asked.csv"
    asked.write_text("query,chosen\n" + "".join(f"my invoice {n},t2\n" for n in range(12)))
    tried = run("index", "reembed", tickets, "--model", mine, "--queries", asked, "-k", "1", "--dry-run")
    found = json.loads(tried.out)
    assert (found["queries"], found["documents"], found["mapped"]) == (12, 3, True)
    assert found["chosen"]["queries"] == 12
    check(run("index", "reembed", tickets, "--model", mine, "--queries", asked), "--yes")
    check(run("index", "reembed", tickets, "--model", mine, "--dry-run"), "no queries")
    check(run("index", "reembed", tickets, "--model", mine, "--chosen", "chosen"), "--queries")
    check(run("index", "reembed", tickets, "--model", mine, "--queries", asked, "--chosen", "no"), "--chosen")
    assert json.loads(run("index", "info", tickets).out)["model"] == "all-MiniLM-L6-v2", (
        "nothing was changed so far"
    )
    done = run("index", "reembed", tickets, "--model", mine, "--queries", asked, "--yes")
    assert (done.code, json.loads(done.out)["mapped"]) == (0, True)
    assert "12 queries" in done.err
    assert ids(run("search", tickets, "Please refund my last invoice", "-k", "1")) == ["t2"]


def test_long_texts_are_read_as_it_was_asked(run, tickets):
    text = "lorem ipsum " * 400
    done = run("index", "add", tickets, "-", "--long", "error", stdin=text.encode())
    check(done, "--long chunk")
    check(run("index", "add", tickets, "-", "--long", "chunk", stdin=text.encode()), "reembed", "--long")
    assert run("index", "reembed", tickets, "--model", "all-MiniLM-L6-v2", "--long", "chunk").code == 0
    assert run("index", "add", tickets, "-", stdin=text.encode()).code == 0
    assert json.loads(run("index", "info", tickets).out)["truncated"] == 0


# much of it


def wait_for(condition, running, seconds=60):
    end = time.monotonic() + seconds
    while not condition():
        assert running.poll() is None, running.communicate()
        assert time.monotonic() < end
        time.sleep(0.05)


def started(*words):
    command = [sys.executable, "-m", "nearsense", *map(str, words)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_control_c_keeps_what_was_acknowledged_and_sync_completes_it(run, tmp_path):
    file, path = tmp_path / "many.txt", tmp_path / "many.ns"
    texts = [f"text {i}" + " of many with some words" * 5 * (i > 2_048) for i in range(2_400)]
    file.write_text("\n".join(texts))  # a batch, and a slow one
    running = started("index", "create", path, file)
    wait_for(lambda: (path / "collection.db").exists() and len(ns_count(path)) > 0, running)
    running.send_signal(signal.SIGINT)
    out, said = running.communicate(timeout=60)
    assert (running.returncode, out) == (130, "")
    assert "Traceback" not in said
    there = json.loads(run("index", "info", path).out)["documents"]
    assert 0 < there < 2_400
    assert f"interrupted: {there:,} documents are in {path}" in said.splitlines()
    assert f"nearsense index sync {path} {file}" in said
    report = json.loads(run("index", "sync", path, file, "-q").out)
    assert (report["added"], report["unchanged"], report["encoded"]) == (2_400 - there, there, 2_400 - there)
    with ns.open(path) as made:
        assert made.count() == 2_400
        assert made.get("2400")[0].text == texts[-1]


def ns_count(path):
    """Something of a length that is above 0 as soon as a batch is in."""
    with contextlib.suppress(ns.errors.StoreError), ns.open(path, create=False) as there:
        return range(there.count())
    return ()


def test_being_interrupted_in_add_says_how_to_go_on_without_removing(run, tickets, monkeypatch, tmp_path):
    def interrupt(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(ns.Collection, "add", interrupt)
    file = tmp_path / "a b.csv"
    file.write_text("nr,body\n1,hello\n")
    done = run("index", "add", tickets, file, "--text", "body", "--id", "nr")
    assert done.code == 130
    assert done.err.splitlines() == [
        f"interrupted: 3 documents are in {tickets}",
        "  why: what was acknowledged is kept, nothing is half written",
        f"  fix: nearsense index sync {tickets} '{file}' --keep --text body --id nr",
    ]


IN_MEMORY = [
    "index create :memory: FILE", "index add :memory: FILE", "index sync :memory: FILE", "index delete :memory: 1",
    "index search :memory: x", "index similar :memory: 1", "index info :memory:", "index verify :memory:",
    "index backup :memory: b", "index backup TICKETS :memory:", "index compact :memory:", "index build :memory:",
    "index export :memory: x.csv", "index reembed :memory: --model x", "search :memory: x", "faq :memory: x",
    "calibrate FILE -o :memory:",
]  # fmt: skip


@pytest.mark.parametrize("line", IN_MEMORY)
def test_no_command_keeps_a_collection_in_memory_and_all_say_so_alike(run, tickets, file, line):
    words = ({"FILE": file, "TICKETS": tickets}.get(word, word) for word in line.split())
    done = run(*words)
    assert (done.code, done.err.splitlines()) == (
        2,
        [
            "error: a collection in memory is of no use to a command",
            "  why: it is gone when the command ends",
            "  fix: name a folder: tickets.nearsense",
        ],
    )


def test_derived_files_are_made_at_once_where_much_changed_and_only_there(
    run, tickets, file, tmp_path, monkeypatch
):
    from nearsense.collection import snapshot

    run("index", "create", tmp_path / "small.ns", file)
    assert json.loads(run("index", "info", tmp_path / "small.ns").out)["index"] is None
    monkeypatch.setattr(snapshot, "MINIMUM", 2)
    run("index", "create", tmp_path / "large.ns", file)
    info = json.loads(run("index", "info", tmp_path / "large.ns").out)
    assert (info["index"], info["pending"]) == ("exact", 0)
    run("index", "sync", tickets, file)  # nothing changed, but three were never built
    assert json.loads(run("index", "info", tickets).out)["pending"] == 0
    run("index", "reembed", tickets, "--model", tiny_bert(tmp_path / "other"))
    assert json.loads(run("index", "info", tickets).out)["pending"] == 0


def test_an_index_that_does_not_fit_is_a_warning_not_a_failure(run, file, tmp_path, monkeypatch):
    from nearsense.collection import snapshot

    def full(*_, **__):
        raise ns.errors.DiskFull("no room")

    monkeypatch.setattr(snapshot, "MINIMUM", 0)
    monkeypatch.setattr(ns.Collection, "build", full)
    done = run("index", "create", tmp_path / "new.ns", file)
    assert done.code == 0
    assert "warning: the index is not up to date, answers still are: no room" in done.err


# what it looks like


def table(page, monkeypatch):
    monkeypatch.setenv("COLUMNS", "100")
    out = io.StringIO()
    show(page, Form.TABLE, out)
    return out.getvalue()


def test_a_table_never_calls_words_or_places_a_cosine(monkeypatch):
    for metric, word in ((Ranking.BM25, "BM25"), (Ranking.FUSED, "Reciprocal rank fusion")):
        found = Results([Hit(1, "x", 0.5, None, "text")], Origin("m", "f", metric), "q")
        shown = table(hits_page([found]), monkeypatch)
        assert word in shown
        assert "uncalibrated" not in shown


def test_tables_of_what_collections_say(tickets, monkeypatch):
    with ns.open(tickets) as there:
        shown = table(info_page(there.info()), monkeypatch)
    assert re.search(r"documents +3\n", re.sub(r" +\n", "\n", shown))
    assert re.search(r"size +\d+\.\d MB", shown)
    assert re.search(r"1 +2,000 +3 +4 +5", table(sync_page(SyncReport(1, 2000, 3, 4, 5)), monkeypatch))
    assert "would be" in table(sync_page(SyncReport(1, 2, 3, 4, 5, applied=False)), monkeypatch)
    assert table(verification_page(Verification(3, (), ())), monkeypatch) == "3 documents read, all is well.\n"
    shown = table(verification_page(Verification(3, ("page 7",), ("vectors",))), monkeypatch)
    assert re.search(r"lost +page 7", shown)
    assert re.search(r"made again +vectors", shown)
    shown = table(reembedding_page(ns.types.Reembedding(3, "old", "new", 0.91)), monkeypatch)
    assert re.search(r"3 +old +new +91%", shown)


@in_turn("command", index.commands.values())
def test_every_command_has_an_example_and_stands_in_the_docs(command):
    assert re.search(rf"Examples?:\s+nearsense index {command.name}", command.help.replace("\b", ""))
    assert f"nearsense index {command.name}" in (ROOT / "docs/commands.md").read_text()
    for parameter in command.params:
        if isinstance(parameter, click.Option):
            assert parameter.help, f"{command.name} {parameter.name}"


def test_the_help_of_collections_loads_no_engine():
    code = """
import sys, io
from nearsense.cli import main
sys.argv, sys.stdout = ["nearsense", "index", "add", "--help"], io.StringIO()
try: main()
except SystemExit: pass
heavy = {"openvino", "tokenizers", "safetensors", "apsw", "faiss", "rich", "pyarrow"}
sys.__stdout__.write(" ".join(set(sys.modules) & heavy))"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == ""


def test_the_command_refuses_two_filters_in_one(run, tmp_path):
    (tmp_path / "w.csv").write_text("id,text,status,lang\n1,red apple,open,en\n2,green pear,open,de\n")
    run("index", "create", tmp_path / "c.ns", tmp_path / "w.csv")
    done = run("search", tmp_path / "c.ns", "fruit", "--where", "status=open and lang=en")
    assert done.code == 2
    assert "--where 'status=open' --where 'lang=en'" in done.err
    assert run("index", "delete", tmp_path / "c.ns", "--where", "status=open and lang=en", "--dry-run").code == 2
    right = run("search", tmp_path / "c.ns", "fruit", "--where", "status=open", "--where", "lang=en")
    assert '"id": "1"' in right.out
    assert '"id": "2"' not in right.out
