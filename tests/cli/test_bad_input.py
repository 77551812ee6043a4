"""Bad input: one clear error (what, why, what to type), exit code 2, no traceback, nothing half written."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from samples import tiny_bert
from turns import in_turn


def check(done, *words):
    """What, why and fix: at most a line each, and the words that name the item."""
    lines = done.err.splitlines()
    assert done.code == 2, done
    assert lines[0].startswith("error: "), done
    assert len(lines) <= 3
    assert lines[-1].startswith("  fix: "), done
    assert "Traceback" not in done.err
    assert done.out == ""
    for word in words:
        assert word in done.err, done.err


FILES = {
    "empty.csv": (b"", "empty"),
    "header.csv": (b"id,text\n", "header"),
    "wrong.csv": (b"foo,bar\n1,2\n", "text"),
    "hole.csv": (b"id,text\n1,hello\n2,\n3,there\n", "line 3"),
    "nan.jsonl": (b'{"text": "a"}\n{"text": NaN}\n', "line 2"),
    "null.json": (b'[{"text": "a"}, {"text": null}]', "row 2"),
    "number.jsonl": (b'{"text": "a"}\n{"text": 7}\n', "line 2"),
    "half.jsonl": (b'{"text": "a"}\n{"text": "\\ud83d"}\n', "line 2"),
    "nul.jsonl": (b'{"text": "a"}\n{"text": "b\\u0000c"}\n', "line 2"),
    "nul.txt": (b"fine\nnot\x00fine\n", "NUL"),
    "broken.jsonl": (b'{"text": "a"}\n{"text": \n', "line 2"),
    "ragged.csv": (b"id,text\n1,hello\n2,there,more\n", "line 3"),
    "twice.csv": (b"id,text\n1,hello\n1,there\n", "line 3"),
    "picture.csv": (b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR", "picture.csv"),
    "what.xyz": (b"hello\n", "--format"),
    "cut.jsonl.gz": (b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03\x01", "cut.jsonl.gz"),
    "damaged.parquet": (b"PAR1 not really PAR1", "damaged.parquet"),
    "pickle.npy": (b"\x93NUMPY\x01\x00v\x00{'descr': '|O'}", "pickle.npy"),
}


@in_turn("name", FILES)
def test_a_bad_file_is_one_clear_error(run, tmp_path, name):
    content, word = FILES[name]
    file = tmp_path / name
    file.write_bytes(content)
    check(run("search", file, "query"), name, word)


def test_a_table_on_standard_input_needs_its_format_named(run):
    table = b"id,text\n1,hello there\n"
    check(run("search", "-", "q", stdin=table), "id,text", "--format csv")
    assert json.loads(run("search", "-", "q", "--format", "csv", stdin=table).out)["text"] == "hello there"


def test_a_text_may_look_like_an_option(run):
    assert json.loads(run("compare", "--json", "--", "--debug", "b").out)["a"] == "--debug"


def test_a_folder_for_the_demo_that_cannot_be_made(run, tmp_path):
    (tmp_path / "file").write_text("")
    done = run("demo", "-q", "-o", tmp_path / "file" / "x")
    assert (done.code, done.err.splitlines()[0].split(":")[0]) == (2, "error")


def test_no_such_file_and_a_directory(run, tmp_path):
    (tmp_path / "tickets.csv").write_text("text\nhello\n")
    check(run("search", tmp_path / "ticket.csv", "query"), "ticket.csv", "tickets.csv")
    check(run("search", tmp_path, "query"), str(tmp_path))


@in_turn(
    "line",
    ["search {} x", "faq {} x", "encode {} -o v.npy", "dedupe {}", "log {}", "index info {}", "serve {}",
     "bulk encode {} -o out"],
)  # fmt: skip
def test_an_address_that_nothing_is_read_from_is_refused_without_its_password(run, line):
    done = run(*(word.format("mysql://ann:hidden@db.example/shop") for word in line.split()))
    check(done, "mysql" if line.split()[0] not in ("log", "index", "serve") else "address")
    assert "hidden" not in done.out + done.err


def test_a_wrong_column_is_answered_with_those_that_are_there(run, tmp_path):
    file = tmp_path / "t.csv"
    file.write_text("id,body\n1,hello\n")
    check(run("search", file, "query", "--text", "bdy"), "bdy", "body")


def test_rows_without_text_can_be_left_out_and_are_counted(run, tmp_path):
    file = tmp_path / "t.csv"
    file.write_text("id,text\n1,hello\n2,\n3,there\n")
    done = run("search", file, "query", "--skip-empty")
    assert done.code == 0
    assert "left out 1 of 3 rows" in done.err
    assert [json.loads(line)["id"] for line in done.out.splitlines()] in (["1", "3"], ["3", "1"])


def test_encodings_are_seen_and_those_that_errors_suggest_work(run, tmp_path):
    for encoding in ("utf-16", "latin-1"):
        file = tmp_path / f"{encoding}.csv"
        file.write_text("id,text\n1,café\n", encoding=encoding)
        for words in ([], ["--encoding", encoding]):
            done = run("search", file, "coffee", *words)
            assert json.loads(done.out)["text"] == "café"
            assert ("encoding: " in done.err) is not bool(words)
        assert f"--encoding {encoding}" in run("search", file, "coffee", "--encoding", "utf-8").err


def test_no_permission_is_said(run, tmp_path):
    file = tmp_path / "secret.csv"
    file.write_text("text\nhello\n")
    run("search", file, "q")  # whatever is imported late is imported while it may be
    file.chmod(0)
    user = os.geteuid()
    if user == 0:
        os.seteuid(65534)  # root may read everything, so be nobody for a moment
    try:
        done = run("search", file, "q")
    finally:
        os.seteuid(user)
    check(done, str(file))


@pytest.mark.slow
def test_ten_megabytes_in_one_text_are_cut_with_a_word_not_in_silence(run, tmp_path):
    file = tmp_path / "huge.jsonl"
    file.write_text(
        json.dumps({"id": "big", "text": "lorem ipsum " * 850_000}) + '\n{"id": "small", "text": "hello"}\n'
    )
    done = run("search", file, "lorem", "-k", "1")
    assert done.code == 0
    assert "1 of 2 texts exceeds 256 tokens (longest " in done.err
    file.write_text('{"id": "big", "text": "' + "lorem ipsum " * 1000 + '"}\n')
    check(run("search", file, "lorem", "--long", "error"), "text 0", "--long chunk")


def test_a_broken_or_missing_model_is_one_clear_error(run, tmp_path):
    folder = tiny_bert(tmp_path / "model")
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    check(run("compare", "a", "b", "--model", folder), "model.safetensors", "truncated")
    check(run("compare", "a", "b", "--model", "not-here"), "not-here", "nearsense models")


@pytest.mark.parametrize("name", ["out.npy", "out.jsonl", "out.parquet"])
def test_nothing_half_written_is_left_behind(run, tmp_path, name):
    file = tmp_path / "bad.csv"
    file.write_text("id,text\n1,hello\n2,\n")
    before = sorted(tmp_path.iterdir())
    check(run("encode", file, "-o", tmp_path / name), "bad.csv")
    good = tmp_path / "good.csv"
    good.write_text("id,text\n1,hello\n")
    check(run("encode", good, "-o", tmp_path / "no" / "such" / name), "no")
    check(run("encode", good, "-o", tmp_path / "out.docx"), "out.docx", ".parquet")
    assert sorted(tmp_path.iterdir()) == sorted([*before, good])


def test_wrong_use_is_code_2_and_says_how(run):
    for words in (
        ["compare", "a"],
        ["search"],
        ["nonsense"],
        ["search", "f", "q", "-k", "0"],
        ["compare", "a", "b", "--precision", "f8"],
    ):
        done = run(*words)
        assert done.code == 2
        assert done.out == ""
        assert "--help" in done.err


def test_an_undecodable_argument_is_an_error_not_a_crash():
    done = subprocess.run(
        [sys.executable, "-m", "nearsense", "compare", b"\xff\xfe", "b"], capture_output=True, text=True
    )
    assert done.returncode == 2
    assert "surrogate" in done.stderr


def test_debug_shows_the_traceback(tmp_path):
    words = [sys.executable, "-m", "nearsense", "--debug", "search", str(tmp_path / "no.csv"), "q"]
    done = subprocess.run(words, capture_output=True, text=True)
    assert "Traceback" in done.stderr


def test_control_c_leaves_no_half_file_and_ends_with_130(tmp_path):
    file, out = tmp_path / "many.txt", tmp_path / "out.jsonl"
    file.write_text("\n".join(f"text number {i} " + "with many words " * 10 for i in range(20_000)))
    words = [sys.executable, "-m", "nearsense", "encode", str(file), "-o", str(out)]
    running = subprocess.Popen(words, stderr=subprocess.PIPE, text=True)
    while len(list(Path(f"/proc/{running.pid}/task").iterdir())) < 4:  # the engine's threads: it is at work
        time.sleep(0.05)
    time.sleep(1)
    running.send_signal(signal.SIGINT)
    _, said = running.communicate(timeout=30)
    assert running.returncode == 130
    assert "interrupted" in said
    assert "Traceback" not in said
    assert list(tmp_path.iterdir()) == [file]


def shell(line, cwd):
    line = line.replace("nearsense ", f"{sys.executable} -m nearsense ")
    return subprocess.run(["bash", "-c", f"set -o pipefail; {line}"], cwd=cwd, capture_output=True, text=True)


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    return tiny_bert(tmp_path_factory.mktemp("models") / "small")


@pytest.fixture
def quick(small, monkeypatch):
    """A small model for programs that say nothing of what is near."""
    monkeypatch.setenv("NEARSENSE_MODEL", str(small))


@pytest.fixture
def texts(tmp_path):
    (tmp_path / "texts.txt").write_text("the weather\na cat\n")
    return tmp_path


RANK = "nearsense --no-language-check rank q texts.txt"


def test_output_that_cannot_be_written_is_one_clear_error(texts, quick):
    done = shell(f"{RANK} >/dev/full", texts)  # closed at all: test_streams.py
    assert (done.returncode, done.stderr.splitlines()[0]) == (2, "error: standard output cannot be written")
    assert len(done.stderr.splitlines()) == 3


def test_a_pipe_gets_utf_8_whatever_the_locale(texts, quick):
    (texts / "texts.txt").write_text("東京の天気\na cat\n")
    done = shell("PYTHONIOENCODING=ascii nearsense rank Tokyo texts.txt --json | cat", texts)
    assert "東京の天気" in [hit["text"] for hit in json.loads(done.stdout)["hits"]]


def test_vectors_in_parquet_are_searched_in_a_fresh_process(run, texts):
    assert run("encode", texts / "texts.txt", "-o", texts / "v.parquet").code == 0
    done = shell("nearsense search v.parquet kitty -k 1", texts)
    assert json.loads(done.stdout)["text"] == "a cat"


def test_being_terminated_leaves_no_half_file(tmp_path):
    file, out = tmp_path / "many.txt", tmp_path / "out.jsonl"
    file.write_text("\n".join(f"text number {i} " + "with many words " * 10 for i in range(20_000)))
    words = [sys.executable, "-m", "nearsense", "encode", str(file), "-o", str(out)]
    running = subprocess.Popen(words, stderr=subprocess.PIPE, text=True)
    time.sleep(2.5)
    running.terminate()
    running.communicate(timeout=30)
    assert running.returncode == 143
    assert list(tmp_path.iterdir()) == [file]


def test_texts_with_vectors_of_another_model_are_encoded_again(run, tmp_path):
    file, other = tmp_path / "t.txt", tiny_bert(tmp_path / "other")
    file.write_text("a cat\na dog\n")
    run("encode", file, "-o", tmp_path / "old.jsonl", "--model", other)
    assert run("search", tmp_path / "old.jsonl", "kitty").code == 2
    assert run("encode", tmp_path / "old.jsonl", "-o", tmp_path / "new.jsonl").code == 0
    assert json.loads(run("search", tmp_path / "new.jsonl", "kitty", "-k", "1").out)["text"] == "a cat"


def test_a_reader_that_goes_away_is_no_error(tmp_path, quick):
    file = tmp_path / "some.txt"
    file.write_text("\n".join(f"text {i}" for i in range(800)))
    done = shell(f"nearsense rank q {file} -q | head -1", tmp_path)
    assert done.returncode == 0
    assert json.loads(done.stdout)["rank"] == 1
    assert done.stderr == ""


def test_a_reader_that_goes_away_from_a_demo_is_no_error(tmp_path):
    done = shell("nearsense demo -q | true", tmp_path)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_command_in_the_background_goes_on_ignoring_control_c(texts, quick):
    code = f"""
import os, signal, sys, threading
signal.signal(signal.SIGINT, signal.SIG_IGN)  # as the shell has it for `nohup nearsense ... &`
from nearsense.cli import main
sys.argv = {["nearsense", *RANK.split()[1:]]}
threading.Timer(0.01, os.kill, (os.getpid(), signal.SIGINT)).start()
main()"""
    done = subprocess.run([sys.executable, "-c", code], cwd=texts, capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stderr) == (0, "")
    assert "a cat" in done.stdout


def test_a_column_named_again_is_one_more_and_not_another(run, tmp_path):
    file = tmp_path / "two.csv"
    file.write_text("title,body\nHoliday,How many days are there\nPrinter,It is out of paper\n")
    commas = run("search", file, "paper", "--text", "title,body", "-k", "1", "--json")
    again = run("search", file, "paper", "--text", "title", "--text", "body", "-k", "1", "--json")
    assert (again.code, again.out) == (0, commas.out)


@pytest.mark.parametrize("name", ["two.csv", "two.jsonl", "two.parquet"])
def test_a_sheet_of_what_has_none_is_refused(run, tmp_path, name):
    first, file = tmp_path / "first.csv", tmp_path / name
    first.write_text("text\nHoliday\nPrinter\n")
    assert run("search", first, "paper", "-o", file).code == 0
    done = run("search", file, "paper", "--text", "text", "--sheet", "x")
    assert done.code == 2
    assert f"{name} has no sheets" in done.err


def test_a_folder_with_a_typo_is_found_by_its_neighbour(run, tmp_path):
    (tmp_path / "notes.nearsense").mkdir()
    done = run("search", tmp_path / "notes.nearsens", "paper")
    assert done.code == 2
    assert "notes.nearsense" in done.err


def test_dedupe_counts_the_rows_that_it_writes(run, tmp_path):
    file, out = tmp_path / "a.jsonl", tmp_path / "b.jsonl"
    file.write_text('{"text": "one"}\n{"text": ""}\n{"text": "two"}\n{"text": "two"}\n')
    done = run("dedupe", file, "--skip-empty", "-o", out)
    assert f"{len(out.read_text().splitlines())} rows stay, 1 went" in done.err


def test_grades_are_not_taken_for_labels(run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rows = [("a dog runs", "a dog is running", 5), ("a cat", "the moon", 0), ("he eats", "he is eating", 4.5)]
    rows += [("red car", "blue car", 0.5), ("a man", "a person", 4), ("a tree", "a stone", 1)]
    (tmp_path / "g.csv").write_text("sentence1,sentence2,score\n" + "".join(f"{a},{b},{c}\n" for a, b, c in rows))
    done = run("calibrate", "g.csv")
    assert done.code == 2
    [fix] = [line.removeprefix("  fix: nearsense ") for line in done.err.splitlines() if "fix:" in line]
    assert run(*fix.split()).code == 0
