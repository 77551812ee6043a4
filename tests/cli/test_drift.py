"""drift on the command line: files, collections and their logs, exit codes, reports, and a watch."""

from __future__ import annotations

import csv
import io
import json
import time
from datetime import UTC, datetime

import pytest

import drifting
import nearsense as ns


def requests(seed, strange=0):
    return drifting.requests(60 - strange, seed) + drifting.NIGHT[:strange]


@pytest.fixture
def files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name, texts in (("before.txt", requests(1)), ("same.txt", requests(2)), ("now.txt", requests(3, 20))):
        (tmp_path / name).write_text("\n".join(texts))
    return tmp_path


def test_no_drift_ends_with_0_and_drift_with_1(run, files):
    same = run("drift", "same.txt", "--against", "before.txt", "-q")
    now = run("drift", "now.txt", "--against", "before.txt", "-q")
    zero = run("drift", "now.txt", "--against", "before.txt", "-q", "--exit-zero")
    assert (same.code, now.code, zero.code) == (0, 1, 0)
    told = [json.loads(line) for line in now.out.splitlines()]
    assert told[0]["drifted"]
    assert {"drift", "test", "topic", "action"} <= {each["kind"] for each in told}
    assert json.loads(same.out.splitlines()[0])["drifted"] is False


def test_json_is_the_librarys_result_and_what_to_do(run, files):
    told = json.loads(run("drift", "now.txt", "--against", "before.txt", "--json", "-q").out)
    found = ns.drift(requests(3, 20), requests(1))
    assert [each["adjusted"] for each in told["tests"]] == [each.adjusted for each in found.tests]
    commands = [each["command"] for each in told["actions"]]
    assert "nearsense drift now.txt --against before.txt --texts topics.csv" in commands


def test_reports_and_the_texts_of_topics_are_written(run, files):
    done = run("drift", "now.txt", "--against", "before.txt", "-o", "r.html", "--texts", "t.csv", "-q")
    assert done.code == 1
    assert "Content-Security-Policy" in (files / "r.html").read_text()
    rows = list(csv.DictReader(io.StringIO((files / "t.csv").read_text())))
    assert {row["change"] for row in rows} >= {"new"}
    lines = (files / "now.txt").read_text().splitlines()
    assert all(lines[int(row["id"]) - 1] == row["question"] for row in rows)
    run("drift", "now.txt", "--against", "before.txt", "-o", "r.json", "-q")
    assert json.loads((files / "r.json").read_text())["drifted"]


def test_a_watch_is_kept_beside_and_goes_on(run, files):
    first = run("drift", "same.txt", "--against", "before.txt", "--watch", "w.json", "--json", "-q")
    again = run("drift", "same.txt", "--against", "before.txt", "--watch", "w.json", "--json", "-q")
    assert json.loads(first.out)["watch"] == json.loads(again.out)["watch"]
    assert json.loads(first.out)["watch"]["rule"].startswith("alpha spending")
    told = json.loads((files / "w.json").read_text())
    assert len(told["checks"]) == 1
    told["checks"][0]["at"] = "2025-01-01T00:00:00+00:00"
    (files / "w.json").write_text(json.dumps(told))
    alarm = run("drift", "now.txt", "--against", "before.txt", "--watch", "w.json", "-o", "r.html", "-q")
    assert alarm.code == 1
    assert "The watch" in (files / "r.html").read_text()


def test_a_collection_is_compared_by_its_stored_vectors(run, files, monkeypatch):
    run("index", "create", "old.nearsense", "before.txt", "-q")
    done = run("drift", "now.txt", "--against", "old.nearsense", "-q", "--json")
    told, plain = (
        json.loads(done.out),
        json.loads(run("drift", "now.txt", "--against", "before.txt", "-q", "--json").out),
    )
    assert done.code == 1
    assert [each["name"] for each in told["tests"] if each["drifted"]] == [
        each["name"] for each in plain["tests"] if each["drifted"]
    ]


@pytest.fixture(scope="module")
def asked(tmp_path_factory, encoder):
    """A collection, of which things were asked before a moment and others after it; and that moment."""
    folder = tmp_path_factory.mktemp("asked") / "shop.nearsense"
    with ns.open(folder, log=True) as shop:
        shop.add(drifting.requests(40, 9))
        shop.search_many(requests(1), k=2)
        shop.log.flush()
        time.sleep(0.05)
        moment = datetime.now(UTC).isoformat()
        time.sleep(0.05)
        shop.search_many(requests(3, 20), k=2, min_probability=0.3)
        shop.log.flush()
    return folder, moment


def test_what_is_asked_now_is_compared_with_what_was_asked_before(run, asked):
    folder, moment = asked
    done = run("drift", folder, "--against", "1h", "--since", moment, "--json", "-q")
    told = json.loads(done.out)
    assert (done.code, told["rows"]) == (1, [60, 60])
    assert {each["name"] for each in told["tests"]} >= {"unanswered", "scores", "topics"}
    new = next(each for each in told["topics"] if each["change"] == "new")
    assert new["unanswered"] > 0.8
    assert told["actions"][0]["what"] == "add FAQ entries"
    assert f"--since {moment}" in told["actions"][0]["command"]


def test_of_a_log_the_texts_alone_can_be_compared(run, asked):
    folder, moment = asked
    words = ("--against", "1h", "--since", moment, "--texts-only", "--same-weekday", "--json", "-q")
    told = json.loads(run("drift", folder, *words).out)
    assert {each["name"] for each in told["tests"]}.isdisjoint({"unanswered", "scores"})


def test_what_was_asked_is_compared_with_a_file_too(run, asked, files):
    folder, moment = asked
    words = ("drift", folder, "--queries", "--since", moment, "--against", "before.txt", "--json", "-q")
    told = json.loads(run(*words).out)
    assert told["rows"] == [60, 60]
    assert told["drifted"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("now.txt", "--against", "7d"), "part of a log"),
        (("now.txt", "--against", "no.txt"), "does not exist"),
        (("-", "--against", "-"), "both sides are standard input"),
        (("now.txt", "--against", "before.txt", "-o", "r.docx"), "one of .html, .json"),
        (("now.txt", "--against", "before.txt", "-o", "now.txt"), "one of .html, .json"),
        (("now.txt", "--against", "before.txt", "--texts", "now.txt"), "one of .csv"),
        (("now.txt", "--against", "before.txt", "--level", "3"), "level"),
        (("now.txt", "--against", "empty.txt"), ""),
    ],
)
def test_wrong_use_is_said_in_a_line_and_ends_with_2(run, files, words, said):
    (files / "empty.txt").write_text("")
    done = run("drift", *words, "-q")
    assert done.code == 2
    assert said in done.err
    assert "Traceback" not in done.err
    assert (files / "now.txt").read_text().startswith("how do I")


def test_a_log_without_entries_says_how_to_switch_it_on(run, files):
    run("index", "create", "old.nearsense", "before.txt", "-q")
    done = run("drift", "old.nearsense", "--against", "7d", "-q")
    assert done.code == 2
    assert "nearsense log old.nearsense --on" in done.err


def test_a_side_is_standard_input(run, files):
    done = run("drift", "-", "--against", "before.txt", "-q", stdin="\n".join(requests(3, 20)).encode())
    assert done.code == 1
