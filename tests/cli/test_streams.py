"""Standard streams that are closed or full, what steers a terminal, and signals at any moment."""

from __future__ import annotations

import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
import unicodedata
from itertools import combinations

import pytest

from nearsense import compare
from samples import some_of, tiny_bert
from turns import in_turn

COMMAND = f"{sys.executable} -m nearsense"
STREAMS = {"<&-": 0, ">&-": 1, "2>&-": 2}
ANSWERS = {"rank": "rank red p.csv -k 1", "version": "--version"}
WORKS = {
    "dedupe": "dedupe p.csv -o out.csv",
    "create": "index create c.ns p.csv",
}


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    return tiny_bert(tmp_path_factory.mktemp("models") / "small")


@pytest.fixture
def fruit(tmp_path, small, monkeypatch):
    monkeypatch.setenv("NEARSENSE_MODEL", str(small))  # all programs here load it
    (tmp_path / "p.csv").write_text("id,text\n1,red apple\n2,green pear\n3,blue sky\n")
    return tmp_path


def shell(line, cwd):
    return subprocess.run(["bash", "-c", f"{COMMAND} {line}"], cwd=cwd, capture_output=True, timeout=120)


CLOSED = [*combinations(STREAMS, 1), *combinations(STREAMS, 2), tuple(STREAMS)]
SOME = [("<&-", "2>&-"), (">&-",)]


@pytest.mark.parametrize(
    ("line", "ways"),
    [
        (ANSWERS["version"], CLOSED),
        (ANSWERS["rank"], SOME),
        pytest.param(ANSWERS["rank"], CLOSED, marks=pytest.mark.slow),
    ],
    ids=["version", "rank", "rank in all ways"],
)
def test_an_answer_comes_where_it_can_be_written_and_is_an_error_where_it_cannot(fruit, line, ways):
    whole = shell(f"{line} 2>/dev/null", fruit)
    assert whole.returncode == 0
    for closed in ways:
        done = shell(f"{line} {' '.join(closed)}", fruit)
        if ">&-" in closed:
            assert (closed, done.returncode, done.stdout) == (closed, 2, b"")
            assert ("2>&-" in closed) or done.stderr.startswith(b"error: standard output cannot be written")
        else:
            assert (closed, done.returncode, done.stdout) == (closed, 0, whole.stdout)


@pytest.mark.parametrize("work", some_of(WORKS, "create"))
def test_a_file_is_written_the_same_whichever_stream_is_closed(fruit, work):
    line = WORKS[work]
    assert shell(f"{line} 2>/dev/null", fruit).returncode == 0
    made = next(path for path in fruit.iterdir() if path.name != "p.csv")
    before = made.read_bytes() if made.is_file() else None
    for closed in (("2>&-",), ("<&-", "2>&-")):
        subprocess.run(["rm", "-r", str(made)], check=True)
        done = shell(f"{line} {' '.join(closed)}", fruit)
        assert (closed, done.returncode) == (closed, 0)
        assert before is None or made.read_bytes() == before
    if before is None:
        assert json.loads(shell("index info c.ns --json", fruit).stdout)["documents"] == 3


READERS = ("rank x -", "search - x", "encode - -o z.npy", "index create z.ns -", "dedupe - -o z.csv --format csv",
           "cluster - -k 2", "faq p.csv --interactive", "evaluate - --format csv", "duplicates -")  # fmt: skip


@pytest.mark.parametrize("line", some_of(READERS, "rank x -"))
def test_a_standard_input_that_is_closed_is_an_input_error(fruit, line):
    done = shell(f"{line} <&-", fruit)
    assert (done.returncode, done.stderr.splitlines()[0]) == (2, b"error: standard input is closed")
    assert [path.name for path in fruit.iterdir()] == ["p.csv"]
    assert shell(f"{line} <&- 2>&-", fruit).returncode == 2


def test_a_standard_error_that_is_full_changes_no_answer(fruit):
    done = shell("rank 'red apple' p.csv -k 1 2>/dev/full", fruit)
    assert (done.returncode, json.loads(done.stdout)["id"]) == (0, "1")
    assert shell("rank red nothing.csv 2>/dev/full", fruit).returncode == 2


STEERING = ["\x1b]0;pwned\x07", "\x1b]52;c;ZXZpbA==\x07", "\x9b31m", "\x9d0;pwned\x9c", "\x08\x08\x08", "\x7f",
            "\u202etxt.exe", "\u2066a\u2069", "\x1bc", "\x1b[2J"]  # fmt: skip


def steers(text):
    turned = "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u2028\u2029"
    return {c for c in text if (unicodedata.category(c) == "Cc" and c not in "\n\t") or c in turned}


@in_turn("evil", STEERING)
def test_nothing_that_a_file_holds_steers_the_terminal_by_a_message(run, tmp_path, evil):
    header, twice, name, data = (tmp_path / f"{each}{evil}.csv" for each in ("header", "twice", "n", "d"))
    header.write_text(f'id,"te{evil}xt",other\n1,a,b\n2,c,d\n')
    twice.write_text(f'id,text\n"1{evil}",a\n"1{evil}",b\n')
    name.write_text("id,text\n1\n")
    data.write_text("text1,text2,score\n" + f'a,b,"1{evil}"\n' * 9)
    said = [run("search", header, "x"), run("search", twice, "x"), run("search", name, "x"), run("evaluate", data)]
    said += [
        run("compare", "a", "b", "--model", f"no{evil}model"),
        run("search", name, "x", "--format", f"c{evil}"),
    ]
    for each in said:
        assert each.code == 2
        assert steers(each.err) == set()
        assert len(each.err.splitlines()) <= (4 if "which column is the text" in each.err else 3)  # two to paste


@in_turn("evil", STEERING)
def test_json_escapes_what_steers_and_still_says_the_same(run, tmp_path, evil):
    file = tmp_path / "t.jsonl"
    file.write_text(json.dumps({"id": f"i{evil}", "text": f"red {evil} apple", f"k{evil}": f"v{evil}"}) + "\n")
    for form in ((), ("--json",)):
        done = run("search", file, "red", *form)
        assert steers(done.out) == set()
        hit = json.loads(done.out)["hits"][0] if form else json.loads(done.out)
        assert (hit["id"], hit["text"], hit["metadata"]) == (
            f"i{evil}",
            f"red {evil} apple",
            {f"k{evil}": f"v{evil}"},
        )
    run("dedupe", file, "-o", tmp_path / "kept.json")
    kept = (tmp_path / "kept.json").read_text()
    assert steers(kept) == set()
    assert json.loads(kept)[0]["text"] == f"red {evil} apple"


def test_a_message_names_what_it_left_out_so_that_it_can_be_read(run, tmp_path):
    (tmp_path / "a.csv").write_text('id,"te\x1b[31mxt",other\n1,a,b\n')
    assert r"te\x1b[31mxt" in run("search", tmp_path / "a.csv", "x").err


def _hears():
    """Whoever ran the tests may ignore Ctrl-C, as `nohup` does."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@pytest.mark.slow
def test_a_signal_at_any_moment_is_never_a_fault_of_ours(fruit):
    """From 0.15 s on: before, it is Python that starts, and says so itself."""
    chance = random.Random(0)
    for _ in range(40):
        shutil.rmtree(fruit / "c.ns", ignore_errors=True)  # what is there already is wrong use
        line = chance.choice(list(WORKS.values()))
        number = chance.choice([signal.SIGINT, signal.SIGTERM])
        words = [sys.executable, "-m", "nearsense", *line.split()]
        pipe = subprocess.PIPE
        with subprocess.Popen(words, cwd=fruit, stdout=pipe, stderr=pipe, text=True, preexec_fn=_hears) as running:
            time.sleep(chance.uniform(0.15, 1.0))
            running.send_signal(number)
            _, said = running.communicate(timeout=60)
        assert running.returncode in (0, 128 + number, -number)
        assert not re.search("Traceback|fault|Exception", said)
        assert not [path for path in fruit.iterdir() if path.name.endswith(".tmp")]


def test_who_ignores_a_signal_goes_on_doing_so(fruit):
    answer = compare("a", "b")
    code = f"""
import os, signal
signal.signal(signal.SIGINT, signal.SIG_IGN)
print("deaf", flush=True)
os.execv({sys.executable!r}, [{sys.executable!r}, "-m", "nearsense", "compare", "a", "b"])"""
    with subprocess.Popen(
        [sys.executable, "-c", code], cwd=fruit, stdout=subprocess.PIPE, env=os.environ
    ) as running:
        assert running.stdout.readline() == b"deaf\n"
        time.sleep(0.3)
        running.send_signal(signal.SIGINT)
        out, _ = running.communicate(timeout=60)
    assert running.returncode == 0
    assert json.loads(out)["score"] == pytest.approx(answer.score, abs=1e-6)
