"""nearsense calibrate: labels, shares and bare corpora; bad input is one line that names the item."""

from __future__ import annotations

import csv
import json

import numpy as np
import pytest

import nearsense as ns
from turns import in_turn

THINGS = [
    *("box", "door", "window", "file", "tin", "bottle", "shop"),
    *("book", "letter", "gate", "bag", "can", "jar", "lid"),
]


@pytest.fixture
def labelled(tmp_path):
    rows = [(f"How do I open a {thing}?", f"How can I open the {thing}?", 1) for thing in THINGS]
    rows += [(f"How do I open a {thing}?", f"Why is my {thing} so late?", 0) for thing in THINGS]
    rows += [("It rains.", "Rain is falling.", 1), ("It rains.", "I like cheese.", 0)]
    file = tmp_path / "labels.csv"
    with file.open("w", newline="") as stream:
        csv.writer(stream).writerows([("question1", "question2", "is_duplicate"), *rows])
    return file


def test_thirty_labels_become_a_calibration_that_every_command_takes(run, labelled, tmp_path):
    done = run("calibrate", labelled, "-o", tmp_path / "mine.json", "--json")
    found = json.loads(done.out)
    assert (done.code, found["labels"], found["same"]) == (0, 30, 15)
    probabilities = [row["probability"] for row in found["probabilities"]]
    assert probabilities == sorted(probabilities, reverse=True)
    compared = json.loads(run("compare", "a", "b", "--calibration", tmp_path / "mine.json", "--json").out)
    assert compared["calibration"] == "own"


def test_thresholds_are_asked_for_as_what_people_mean(run, labelled):
    done = run("calibrate", labelled, "--precision", "0.8", "--min-probability", "0.7", "--csv")
    rows = list(csv.DictReader(done.out.splitlines()))
    assert [(row["asked"], row["value"]) for row in rows] == [("min_probability", "0.7"), ("precision", "0.8")]
    assert all(float(row["low"]) <= float(row["score"]) <= float(row["high"]) for row in rows)
    assert float(rows[1]["reached_low"]) <= 0.81 <= float(rows[1]["reached_high"]) + 0.2
    assert rows[0]["falls_short"] == ""
    assert 0 <= float(rows[1]["falls_short"]) <= 1


def test_a_collection_keeps_what_was_calibrated_for_it(run, labelled, tmp_path):
    (tmp_path / "t.csv").write_text("id,text\n1,How do I open a box?\n2,My parcel is late\n")
    folder = tmp_path / "t.nearsense"
    assert run("index", "create", folder, tmp_path / "t.csv").code == 0
    assert run("calibrate", labelled, "-o", folder, "--task", "mine").code == 0
    found = json.loads(run("search", folder, "open a box", "--json").out)
    assert found["calibration"] == "mine"
    assert all(hit["probability"] is not None for hit in found["hits"])
    every = json.loads(run("index", "similar", folder, "1", "--json", "--min-probability", "0").out)
    none = json.loads(run("index", "similar", folder, "1", "--json", "--min-probability", "0.99").out)
    assert (len(every["hits"]), len(none["hits"])) == (1, 0)


def test_without_labels_the_share_of_same_pairs_moves_the_shipped_curve(run, labelled):
    found = json.loads(run("calibrate", labelled, "--share", "0.5", "--json").out)
    assert found["prior"] == 0.5
    assert "unlabelled pairs" in found["made_from"]


def test_a_corpus_without_labels_gives_false_positive_rates_and_no_probability(run, tmp_path):
    words = np.random.default_rng(0).permutation([f"{a} {b}" for a in THINGS for b in THINGS])
    (tmp_path / "corpus.txt").write_text("\n".join(words))
    done = run("calibrate", tmp_path / "corpus.txt", "--false-positives", "1e-2")
    (row,) = [json.loads(line) for line in done.out.splitlines()]
    assert row["low"] <= row["score"] <= row["high"]
    background = ns.background(words.tolist())
    assert row["score"] == pytest.approx(background.score_at(1e-2)[0], abs=1e-3)
    refused = run("calibrate", tmp_path / "corpus.txt", "--false-positives", "1e-9")
    assert refused.code == 2
    assert "cannot be told from 196 texts" in refused.err


BAD = {
    "one.csv": ("a,b,label\nx,y,1\n" + "u,v,1\n" * 40, "one class"),
    "few.csv": ("a,b,label\nx,y,1\nu,v,0\ns,t,1\n", "3 labels are too few"),
    "columns.csv": ("foo,bar,baz\nx,y,1\n", "columns"),
    "words.csv": ("a,b,label\n" + "x,y,maybe\nu,v,never\ns,t,perhaps\n" * 12, "label"),
    "hole.csv": ("a,b,label\n" + "x,y,1\nu,v,0\n" * 20 + "x,,1\n", "line 42"),
    "empty.csv": ("", "empty"),
}


@in_turn("name", BAD)
def test_bad_input_is_one_line_that_says_what(run, tmp_path, name):
    content, word = BAD[name]
    (tmp_path / name).write_text(content)
    done = run("calibrate", tmp_path / name)
    lines = [line for line in done.err.splitlines() if not line.startswith("columns: ")]  # what was taken
    assert done.code == 2
    assert done.out == ""
    assert len(lines) <= 3
    assert lines[0].startswith("error: ")
    assert word in done.err, done.err


def test_what_no_score_reaches_is_said(run, labelled):
    done = run("calibrate", labelled, "--precision", "0.99999")
    assert done.code == 2
    assert "no score reaches a precision" in done.err
    wrong = run("calibrate", labelled, "--precision", "95")
    assert wrong.code == 2
    assert "precision=95" in wrong.err
    assert run("compare", "a", "b", "--prior", "2").code == 2
    assert run("compare", "a", "b", "--calibration", "missing.json").code == 2


def test_nothing_is_written_over_but_a_calibration(run, labelled, tmp_path):
    before = labelled.read_bytes()
    (tmp_path / "notes.json").write_text('{"a": 1}')
    for target in (labelled, tmp_path / "notes.json", tmp_path / "tikets.nearsense"):
        done = run("calibrate", labelled, "-o", target)
        assert done.code == 2
        assert str(target) in done.err
    assert labelled.read_bytes() == before
    assert json.loads((tmp_path / "notes.json").read_text()) == {"a": 1}
    for _ in range(2):
        assert run("calibrate", labelled, "-o", tmp_path / "mine.json").code == 0


@pytest.mark.parametrize("prior", ["nan", "0", "1", "2", "-3"])
def test_a_prior_that_is_no_share_is_wrong_use(run, labelled, prior):
    assert run("calibrate", labelled, "--prior", prior).code == 2


@pytest.mark.parametrize(
    "words",
    [("--share", "0.2", "--prior", "0.7"), ("--columns", "question1"), ("--share", "0.2", "--columns", "a,b,c")],
)
def test_options_that_would_be_passed_over_are_refused(run, labelled, words):
    done = run("calibrate", labelled, *words)
    assert done.code == 2
    assert "--" in done.err


def test_a_small_corpus_gives_the_rates_that_it_can_tell(run, tmp_path):
    (tmp_path / "single.csv").write_text("text\n" + "\n".join(f"{a} {b}" for a in THINGS for b in THINGS[:5]))
    rows = [json.loads(line) for line in run("calibrate", tmp_path / "single.csv").out.splitlines()]
    assert [row["false_positives"] for row in rows] == [0.1, 0.01]
    assert run("calibrate", tmp_path / "single.csv", "--precision", "0.9").code == 2
