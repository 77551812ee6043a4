"""nearsense log: switched on and off, what it shows, in every form; what it removes and writes."""

from __future__ import annotations

import csv
import io
import json

import pytest

import nearsense as ns

TICKETS = [
    {"id": "t1", "text": "The dashboard freezes after login", "status": "open"},
    {"id": "t2", "text": "Please refund my last invoice", "status": "solved"},
]
GIFT = ["do you sell gift cards?", "can I buy a gift card"]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A collection to be copied: making one takes longer than asking it."""
    path = tmp_path_factory.mktemp("tickets") / "tickets.nearsense"
    with ns.open(path) as tickets:
        tickets.add([ns.Document(row["id"], row["text"], {"status": row["status"]}) for row in TICKETS])
    return path


@pytest.fixture
def tickets(made, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with ns.open(made) as opened:
        opened.backup(tmp_path / "tickets.nearsense")
    return "tickets.nearsense"


@pytest.fixture
def asked(tickets, run):
    assert run("log", tickets, "--on").code == 0
    assert run("search", tickets, "my screen freezes", *GIFT, "--where", "status in open,solved").code == 0
    return tickets


def lines(done):
    assert done.code == 0, done.err
    return [json.loads(line) for line in done.out.splitlines()]


def test_nothing_is_logged_before_it_is_switched_on_and_that_is_said(tickets, run, tmp_path):
    run("search", tickets, "my screen freezes")
    done = run("log", tickets)
    assert (done.code, done.out) == (0, "")
    assert "nothing was ever logged here: nearsense log tickets.nearsense --on" in done.err
    assert not (tmp_path / "tickets.nearsense.queries").exists()


def test_it_is_switched_on_for_every_command_that_asks_and_off_again(asked, run):
    for words in (
        ["search", asked, "one"],
        ["index", "search", asked, "two"],
        ["faq", asked, "three", "--answer", "status"],
    ):
        assert run(*words).code in (0, 1)
    assert [each["query"] for each in lines(run("log", asked))][3:] == ["one", "two", "three"]
    assert json.loads(run("index", "info", asked, "--json").out)["log"] == "on"
    done = run("log", asked, "--off")
    assert "no longer logged" in done.err
    run("search", asked, "four")
    assert len(lines(run("log", asked))) == 6


def test_hashed_keeps_no_words(tickets, run, tmp_path):
    done = run("log", tickets, "--hashed")
    assert "tickets.nearsense.queries beside it" in done.err
    run("search", tickets, "my screen freezes", *GIFT)
    assert [each["query"] for each in lines(run("log", tickets))] == [None] * 3
    held = b"".join(each.read_bytes() for each in (tmp_path / "tickets.nearsense.queries").iterdir())
    assert b"gift" not in held
    groups = json.loads(run("log", tickets, "--unanswered", "--json").out)["groups"]
    assert {group["hashed"] for group in groups} == {True}
    assert {group["entry"] for group in groups} <= {row["text"] for row in TICKETS}


def test_every_entry_is_a_line_with_what_the_library_says(asked, run):
    entries = list(ns.querylog.open_log(asked))
    assert lines(run("log", asked)) == [entry.to_dict() for entry in entries]
    assert [entry.query for entry in entries] == ["my screen freezes", *GIFT]
    assert entries[0].where == {"status": {"in": ["open", "solved"]}}
    document = json.loads(run("log", asked, "--json").out)
    assert document["queries"] == 3
    assert document["unanswered"] == sum(not entry.answered for entry in entries)
    assert document["entries"] == [entry.to_dict() for entry in entries]
    rows = list(csv.DictReader(io.StringIO(run("log", asked, "--csv").out)))
    assert [row["query"] for row in rows] == ["my screen freezes", *GIFT]


def test_time_and_number_say_which_are_shown(asked, run):
    assert len(lines(run("log", asked, "--since", "1h"))) == 3
    assert lines(run("log", asked, "--until", "1h")) == []
    assert [each["query"] for each in lines(run("log", asked, "-k", "2"))] == GIFT
    done = run("log", asked, "--since", "yesterday")
    assert done.code == 2
    assert "is no time" in done.err


def test_the_slow_come_first(asked, run):
    run("search", asked, "another", "and another")
    latencies = [each["latency"] for each in lines(run("log", asked, "--slow"))]
    assert latencies == sorted(latencies, reverse=True)
    assert len(lines(run("log", asked, "--slow", "-k", "1"))) == 1


def test_what_got_no_answer_is_grouped_and_named_with_the_nearest_entry(asked, run):
    (group,) = lines(run("log", asked, "--unanswered", "-q"))
    assert {each["query"] for each in group["queries"]} == set(GIFT)
    assert "gift" in group["label"].lower()
    assert group["entry"] in {row["text"] for row in TICKETS}
    assert len(lines(run("log", asked, "--unanswered", "--min-score", "0.999"))) == 2


def test_a_query_is_forgotten_by_its_text(asked, run, tmp_path):
    done = run("log", asked, "--forget", GIFT[0].upper(), "--forget", "never asked")
    assert (done.code, "1 removed" in done.err) == (0, True)
    assert [each["query"] for each in lines(run("log", asked))] == ["my screen freezes", GIFT[1]]
    held = b"".join(each.read_bytes() for each in (tmp_path / "tickets.nearsense.queries").iterdir())
    assert GIFT[0].encode() not in held


def test_what_was_asked_is_exported(asked, run, tmp_path):
    assert run("log", asked, "--export", "all.jsonl").code == 0
    rows = [json.loads(line) for line in (tmp_path / "all.jsonl").read_text().splitlines()]
    assert rows == lines(run("log", asked))
    done = run("log", asked, "--unanswered", "--export", "none.csv")
    assert "2 queries" in done.err
    done = run("log", asked, "--export", f"{asked}/all.jsonl")
    assert done.code == 2
    assert "lies within the collection" in done.err


def test_a_faq_logs_into_a_folder_which_log_shows(run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "faq.csv").write_text(
        "question,answer\nHow do I return a product?,Within 30 days.\nHow long does shipping take?,Two days.\n"
    )
    run("faq", "faq.csv", "When will it come?", "Sing me a song", "--log", "faq.queries")
    entries = lines(run("log", "faq.queries"))
    assert [(each["query"], each["mode"]) for each in entries] == [
        ("When will it come?", "faq"),
        ("Sing me a song", "faq"),
    ]
    (group,) = lines(run("log", "faq.queries", "--unanswered"))
    assert group["entry"] in ("How do I return a product?", "How long does shipping take?")
    done = run("log", "faq.queries", "--on")
    assert (done.code, "is no collection" in done.err) == (2, True)


@pytest.mark.parametrize(
    "words",
    [
        ["--forget", "x", "--export", "y.csv"],
        ["--slow", "--unanswered"],
        ["--on", "--forget", "x"],
        ["--off", "--slow"],
    ],
)
def test_different_things_are_done_one_at_a_time(asked, run, words):
    done = run("log", asked, *words)
    assert (done.code, "one at a time" in done.err) == (2, True)


def test_where_there_is_neither_a_collection_nor_a_log_that_is_said(run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = run("log", "nothing.nearsense")
    assert (done.code, "no collection and no log" in done.err) == (2, True)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "file.txt").write_text("mine")
    done = run("log", "mine")
    assert (done.code, "is no query log" in done.err) == (3, True)


def test_upkeep_says_what_becomes_of_the_log(asked, run):
    assert "3 logged queries, 0 lines cannot be read" in run("index", "verify", asked).err
    assert "no query is copied" in run("index", "backup", asked, "copy.nearsense").err
    assert "logged queries stay" in run("index", "compact", asked).err
    assert "quer" not in run("index", "verify", "copy.nearsense").err


def test_a_table_is_for_people(asked, run, monkeypatch):
    import sys

    from nearsense.render import Form, show
    from nearsense.render.querylog import entries_page, groups_page

    log = ns.querylog.open_log(asked)
    entries = list(log)
    out = io.StringIO()
    show(entries_page(entries, entries[-2:], 7), Form.TABLE, out)
    for word in ("my screen", "3 queries", "Shown: 2", "7 more could not be logged"):
        assert (word in out.getvalue()) == (word != "my screen")
    out = io.StringIO()
    show(groups_page(log.unanswered(), len(entries), 0), Form.TABLE, out)
    assert "2 of 3 queries without an answer, in 1 group." in out.getvalue()
    out = io.StringIO()
    show(entries_page([], [], 0), Form.TABLE, out)
    assert "nothing found" in out.getvalue()
    assert sys.stdout is not out
