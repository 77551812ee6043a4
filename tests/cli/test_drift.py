"""drift on the command line: files, collections and their logs, exit codes, reports, and a watch."""

from __future__ import annotations

import csv
import io
import json

import pytest

import drifting
import nearsense as ns
from nearsense.querylog import LoggedQuery


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


class Log:
    """A log that holds these entries, as nearsense.querylog gives them."""

    def __init__(self, entries):
        self._entries = entries

    def entries(self, since=None, until=None, unanswered=False):
        from nearsense.querylog import moment

        begin = moment(since) or 0.0
        return (each for each in self._entries if each.time >= begin)


def entry(text, age, answered=True, score=0.8):
    import time

    when = time.time() - age * 86_400
    return LoggedQuery(
        when, text, "d", "dense", None, 5, ("a", "b"), (score, 0.4), (0.9, 0.1), answered, None, 0.01, "m" * 64
    )


@pytest.fixture
def log(files, monkeypatch):
    old = [entry(text, 2 + row % 7) for row, text in enumerate(requests(1))]
    new = [entry(text, 0.5, answered="night" not in text) for text in requests(3, 20)]
    (files / "asked").mkdir()
    monkeypatch.setattr("nearsense.querylog.open_log", lambda path: Log(old + new))
    return files / "asked"


def test_a_logs_last_day_is_compared_with_the_days_before(run, log):
    done = run("drift", "asked", "--against", "10d", "--json", "-q")
    told = json.loads(done.out)
    assert (done.code, told["rows"]) == (1, [60, 60])
    assert {each["name"] for each in told["tests"]} >= {"unanswered", "scores", "topics"}
    assert told["topics"][0]["unanswered"] == 1.0
    texts = json.loads(run("drift", "asked", "--against", "10d", "--json", "-q", "--texts-only").out)
    assert "unanswered" not in {each["name"] for each in texts["tests"]}


def test_only_the_same_weekdays_are_compared_where_that_is_asked(run, log):
    told = json.loads(run("drift", "asked", "--against", "14d", "--same-weekday", "--json", "-q").out)
    assert told["rows"][1] < 60


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
