"""faq on the command line: answers and silence in every form, and exit codes that say which."""

from __future__ import annotations

import csv
import io
import json

import pytest

import nearsense as ns
from faq_shop import ANSWERS, WORDINGS, shop
from nearsense.records import percent


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "faq.csv"
    with path.open("w", newline="") as out:
        writer = csv.DictWriter(out, ["id", "question", "answer"])
        writer.writeheader()
        writer.writerows(shop(WORDINGS[0]))
    return path


def test_an_answered_question_exits_with_0(run, file):
    done = run("faq", file, "When will my package arrive?")
    found = json.loads(done.out)
    assert (done.code, found["answered"], found["answer"]) == (0, True, ANSWERS["shipping"])


def test_a_question_without_an_answer_exits_with_1_and_shows_what_is_near(run, file):
    done = run(
        "faq", file, "When will my package arrive?", "Do you sell gift cards?", "-k", 2, "--precision", 0.95
    )
    first, second = (json.loads(line) for line in done.out.splitlines())
    assert done.code == 1
    assert (first["answered"], second["answered"], second["answer"]) == (True, False, None)
    assert len(second["candidates"]) == 2
    assert "add this question" in second["reason"]


def test_json_and_csv_have_the_same(run, file):
    whole = json.loads(run("faq", file, "tracking number", "--json").out)
    (row,) = csv.DictReader(io.StringIO(run("faq", file, "tracking number", "--csv").out))
    assert whole["hit"]["id"] == row["id"] == "track"
    assert float(row["probability"]) == pytest.approx(whole["probability"])
    assert {"threshold", "reason", "model", "fingerprint", "candidates"} <= set(whole)


def test_the_table_shows_the_answer_or_the_near_misses():
    from nearsense.cli.faq import answers_page
    from nearsense.render import Form, show

    faq = ns.FAQ(shop(WORDINGS[0]))
    out = io.StringIO()
    show(
        answers_page(faq.answer_many(["When will my package arrive?", "Can I change my email?"]), "note", False),
        Form.TABLE,
        out,
    )
    text = " ".join(out.getvalue().split())
    assert "How long does shipping take?" in text
    assert "Can I change my email?: no answer, nearest" in text


def test_what_may_be_meant_is_suggested_in_every_form(run, file):
    sure = "--precision", 0.95
    done = run("faq", file, "Do you sell gift cards?", "What is the capital of France?", "tracking number", *sure)
    cards, strange, clear = (json.loads(line) for line in done.out.splitlines())
    assert done.code == 1
    assert [each["outcome"] for each in (cards, strange, clear)] == ["did you mean", "none", "answer"]
    assert cards["suggestions"][0]["id"] == "payment"
    assert strange["suggestions"] == clear["suggestions"] == []
    whole = json.loads(run("faq", file, "Do you sell gift cards?", "--json", *sure).out)
    assert (whole["outcome"], whole["suggestions"][0]["id"]) == ("did you mean", "payment")
    (row,) = csv.DictReader(io.StringIO(run("faq", file, "Do you sell gift cards?", "--csv", *sure).out))
    assert row["outcome"] == "did you mean"


def test_a_spreadsheet_gets_the_other_entries_as_text(run, file, tmp_path):
    asked = "faq", file, "Do you sell gift cards?", "--precision", 0.95
    answer = json.loads(run(*asked, "--json").out)
    (shown,) = csv.DictReader(io.StringIO(run(*asked, "--csv").out))
    run(*asked, "-o", tmp_path / "answers.csv")
    (saved,) = csv.DictReader(io.StringIO((tmp_path / "answers.csv").read_text("utf-8-sig")))
    for name in ("suggestions", "candidates"):
        entries = [f"{hit['text']} ({percent(hit['probability'])})" for hit in answer[name]]
        assert shown[name] == saved[name] == " | ".join(entries)


def test_the_table_asks_back():
    from nearsense.cli.faq import answers_page
    from nearsense.render import Form, show

    out = io.StringIO()
    answers = ns.FAQ(shop(WORDINGS[0]), precision=0.95).answer_many(
        ["Do you sell gift cards?", "Capital of France?"]
    )
    show(answers_page(answers, "", False), Form.TABLE, out)
    assert " ".join(out.getvalue().split()).count("did you mean one of these?") == 1


def test_questions_come_from_a_file_or_standard_input(run, file, tmp_path):
    asked = tmp_path / "asked.txt"
    asked.write_text("tracking number\n\nWhich cards can I pay with?\n")
    assert len(run("faq", file, "--questions", asked).out.splitlines()) == 2
    assert len(run("faq", file, "warranty", "--questions", "-", stdin=b"tracking number\n").out.splitlines()) == 2


def test_interactive_answers_line_by_line_and_ends_with_the_gaps(run, file):
    asked = b"Are you hiring?\n\nAre you hiring people?\ntracking number\n"
    done = run("faq", file, "--interactive", stdin=asked)
    assert [json.loads(line)["answered"] for line in done.out.splitlines()] == [False, False, True]
    assert "asked 2 times: " in done.err
    assert done.code == 1
    rows = csv.DictReader(io.StringIO(run("faq", file, "--interactive", "--csv", stdin=b"a\nb\n").out))
    assert [row["question"] for row in rows] == ["a", "b"]


def test_a_line_that_is_no_text_is_left_out_and_said(run, file):
    done = run("faq", file, "--interactive", stdin=b"warr\xe9nty?\nWhen will my package arrive?\n")
    assert [json.loads(line)["answered"] for line in done.out.splitlines()] == [True]
    assert r"warr\xe9nty?" in done.err
    assert "is not utf-8 at its byte 5" in done.err
    assert done.code == 1


def test_what_was_asked_does_not_steer_the_terminal(run, file):
    done = run("faq", file, "--interactive", stdin=b"\x1b[31mgift\x07 cards?\n")
    assert "gift" in done.err
    assert not {"\x1b", "\x07"} & set(done.err)


def test_what_applies_to_another_file_is_not_advised(run, file, tmp_path):
    table = b"question,id\nwarranty,1\n"
    for option in ("--questions", "--labelled"):
        done = run("faq", file, "x", option, "-", stdin=table)
        assert done.code == 2
        assert f"fix: give {option} a file whose name ends in .csv" in done.err
    (tmp_path / "old.csv").write_bytes(b"question\nwarr\xe9nty\n")
    assert "encoding: cp1252" in run("faq", file, "--questions", tmp_path / "old.csv").err


@pytest.mark.filterwarnings("default")
def test_rows_that_were_joined_and_answers_that_lack_are_said_once(run, tmp_path):
    file = tmp_path / "faq.csv"
    file.write_text("question,awnser\nHow can I pay?,By card.\nWhen does it come?,In two days.\n")
    assert run("faq", file, "How can I pay?").err.count("metadata: awnser;") == 1
    file.write_text(
        "question,answer\n" + "".join(f"{each},By card and also PayPal.\n" for each in ("pay", "paid"))
    )
    assert run("faq", file, "How can I pay?").err.count("1 row has the answer of another") == 1


def test_ctrl_c_ends_a_talk_with_its_gaps_and_130(run, file, monkeypatch):
    def interrupted(_prompt):
        yield "Are you hiring?"
        raise KeyboardInterrupt

    monkeypatch.setattr("nearsense.cli.inputs.typed_lines", interrupted)
    done = run("faq", file, "--interactive")
    assert done.code == 130
    assert "Are you hiring?" in done.err
    assert "Traceback" not in done.err


def test_a_collection_is_an_faq_too(run, file, tmp_path):
    place = tmp_path / "faq.nearsense"
    assert run("index", "create", place, file, "--text", "question").code == 0
    done = run("faq", place, "When will my package arrive?")
    assert json.loads(done.out)["answer"] == ANSWERS["shipping"]


def test_columns_and_labelled_questions_are_taken(run, tmp_path):
    file, labelled = tmp_path / "own.csv", tmp_path / "labelled.csv"
    file.write_text("key,title,body\np,How can I pay?,By card.\ns,How long does shipping take?,Two days.\n")
    labelled.write_text("question,id\ncard payment,p\nwhen will it come,s\nTell me a joke,\n")
    words = ("--text", "title", "--answer", "body", "--id", "key", "--labelled", labelled)
    done = run("faq", file, *words, "How can I pay?")
    assert json.loads(done.out)["answer"] == "By card."


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "give a question"),
        (("x", "--precision", "1"), "--precision"),
        (("x", "--prior", "0"), "--prior"),
        (("x", "--answer", "reply"), "no column 'reply'"),
        ((" ",), "question 0 is empty"),
        (("x", "--prior", "1e-300"), "from 1e-06"),
        (("x", "--interactive", "--json"), "give questions or --interactive, not both"),
        (("x", "--questions", "-", "--labelled", "-"), "both read standard input"),
        (("--questions", "-", "--interactive"), "both read standard input"),
    ],
)
def test_wrong_use_is_said(run, file, words, said):
    done = run("faq", file, *words)
    assert done.code == 2
    assert said in done.err


@pytest.mark.parametrize("words", [("--interactive",), ("--questions", "-")])
def test_standard_input_is_the_table_or_the_questions(run, words):
    done = run("faq", "-", "--format", "csv", *words, stdin=b"question,answer\na,b\n")
    assert done.code == 2
    assert "FILE - and " in done.err
