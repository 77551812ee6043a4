"""nearsense calibrate --ask: pairs are shown, answers are kept at once, and what they prove is told."""

from __future__ import annotations

import csv
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections import Counter

import numpy as np
import pytest

import nearsense as ns
from nearsense.calibration.fitting import LEAST
from nearsense.calibration.learning import spread_over

THINGS = [
    *("box", "door", "window", "file", "tin", "bottle", "shop", "book", "letter", "gate", "bag", "can", "jar"),
    *("lid", "cupboard", "drawer", "chest", "cabin", "parcel", "safe", "locker", "trunk"),
]
FORMS = [
    ("How do I open a {}?", "How can I open the {}?"),
    ("How do I open a {}?", "Why is my {} so late?"),
    ("How do I open a {}?", "How do I close a {}?"),
    ("Where is the {}?", "The weather is nice today, {}."),
]


@pytest.fixture
def pairs(tmp_path):
    file = tmp_path / "pairs.csv"
    rows = [(a.format(thing), b.format(thing)) for thing in THINGS for a, b in FORMS]
    with file.open("w", newline="") as stream:
        csv.writer(stream).writerows([("a", "b"), *rows])
    return file


def answers(shown: str) -> str:
    """What a person would say who knows that only the first form is the same."""
    return "".join("y\n" if "can I open" in b else "n\n" for b in re.findall(r"^b  (.*)$", shown, re.M))


def kept(file):
    return [json.loads(line) for line in file.read_text().splitlines()]


@pytest.fixture
def truthful(monkeypatch, capsys):
    """Somebody who looks at each pair that is shown, and answers truly."""

    def typed():
        while True:
            yield answers(capsys.readouterr().err)

    monkeypatch.setattr("nearsense.cli.label.typed_lines", typed)


def test_answers_become_labels_and_a_calibration(run, pairs, tmp_path):
    labels = tmp_path / "labels.csv"
    said = "y\nn\n" * 30
    done = run("calibrate", "--ask", pairs, "-q", "--most", "36", "-o", labels, "--json", stdin=said.encode())
    assert (done.code, json.loads(done.out)["labels"]) == (0, 36)
    rows = list(csv.DictReader(labels.read_text().splitlines()))
    assert [row["label"] for row in rows] == ["1", "0"] * 18
    assert "36 of at most 36" in done.err
    assert "antonym: open → close" in done.err
    again = run("calibrate", labels, "--json")
    assert json.loads(again.out)["labels"] == 36


def test_pairs_are_spread_over_the_scores_however_these_lie():
    scores = np.concatenate([np.random.default_rng(0).normal(0.2, 0.02, 5_000), np.linspace(0.3, 1, 50)])
    spread, said = spread_over(scores), []
    while len(said) < 60:
        said.append(spread.next(said))
    assert len(set(said)) == 60
    parts = Counter(np.clip((scores[said] - scores.min()) / np.ptp(scores) * 10, 0, 9.99).astype(int))
    assert len(parts) == 10
    assert max(parts.values()) <= 9


def test_a_pair_that_is_skipped_does_not_come_again_and_has_no_label(run, pairs):
    done = run("calibrate", "--ask", pairs, "-q", stdin=b"s\n" * 88)
    assert done.code == 1
    assert f"No calibration yet: it takes {LEAST} more" in done.err
    shown = re.findall(r"^a  (.*)\nb  (.*)$", done.err, re.M)
    assert len(set(shown)) == len(shown) == len(THINGS) * len(FORMS)
    assert not pairs.with_name("pairs.csv.labels.jsonl").exists()


def test_undo_takes_back_and_asks_the_same_again(run, pairs):
    done = run("calibrate", "--ask", pairs, "-q", stdin=b"u\ny\nu\nn\ny\nu\nu\nq\n")
    shown = re.findall(r"^a  (.*)\nb  (.*)$", done.err, re.M)
    assert "nothing was answered before" in done.err
    assert shown[0] == shown[1] == shown[3] == shown[-1]
    assert not pairs.with_name("pairs.csv.labels.jsonl").exists()


@pytest.mark.parametrize("typed", ["maybe", "", "yy", "\x1b[A", "ja", "\xff", "10"])
def test_what_is_no_answer_is_asked_again(run, pairs, typed):
    done = run("calibrate", "--ask", pairs, "-q", stdin=f"{typed}\ny\nq\n".encode("latin-1"))
    assert "y: the same" in done.err.split("the same? [y/n/s/u/q]")[1]
    assert [row["label"] for row in kept(pairs.with_name("pairs.csv.labels.jsonl"))] == [1]


@pytest.mark.parametrize("word", ["Y", "yes", " y ", "1", "YES"])
def test_yes_may_be_written_as_people_do(run, pairs, word):
    run("calibrate", "--ask", pairs, "-q", stdin=f"{word}\n".encode())
    assert [row["label"] for row in kept(pairs.with_name("pairs.csv.labels.jsonl"))] == [1]


def test_who_stops_goes_on_where_they_stopped(run, pairs):
    file = pairs.with_name("pairs.csv.labels.jsonl")
    first = run("calibrate", "--ask", pairs, "-q", stdin=b"y\nn\n" * 5 + b"q\n")
    assert (first.code, len(kept(file))) == (1, 10)
    second = run("calibrate", "--ask", pairs, "-q", "--most", "30", "--json", stdin=b"y\nn\n" * 20)
    assert "10 labels (5 the same) are in" in second.err
    assert json.loads(second.out)["labels"] == 30
    rows = kept(file)
    assert len({(row["a"], row["b"]) for row in rows}) == 30
    third = run("calibrate", "--ask", pairs, "-q", "--most", "30", "--json")
    assert json.loads(third.out)["labels"] == 30
    assert "the same? [" not in third.err


def test_texts_become_pairs_with_those_that_are_near(run, tmp_path):
    file = tmp_path / "tickets.txt"
    file.write_text("\n".join(form[0].format(thing) for thing in THINGS for form in FORMS[1:]) + "\n")
    done = run("calibrate", "--ask", file, "-q", stdin=b"y\nn\nq\n")
    assert done.code == 1
    rows = kept(tmp_path / "tickets.txt.labels.jsonl")
    assert len(rows) == 2
    assert all(row["a"] != row["b"] for row in rows)


@pytest.mark.usefixtures("truthful")
def test_labels_that_were_spread_know_how_the_pairs_score(run, pairs, tmp_path):
    done = run("calibrate", "--ask", pairs, "-q", "--most", "60", "--json", "-o", tmp_path / "mine.json")
    rows = kept(pairs.with_name("pairs.csv.labels.jsonl"))
    sizes = {row["stratum"]: row["stratum_pairs"] for row in rows}
    assert sum(sizes.values()) == len(THINGS) * len(FORMS)
    assert json.loads(done.out)["prior"] == pytest.approx(0.25, abs=0.08)  # a quarter of all pairs is the same
    assert np.mean([row["label"] for row in rows]) != pytest.approx(0.25, abs=0.01)
    assert ns.compare("Where is it?", "Where is that?", calibration=str(tmp_path / "mine.json")).probability


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--ask", "{pairs}", "--share", "0.2"), "--share"),
        (("--ask", "-"), "standard input"),
        (("--ask", "{pairs}", "-o", "{pairs}"), "is FILE itself"),
        (("--ask", "{pairs}", "--labels", "x.xls"), "csv, tsv or jsonl"),
        (("{pairs}", "--labels", "x.csv"), "--ask"),
        (("{pairs}", "--at-least"), "--precision"),
        (("--ask", "{pairs}", "--columns", "a"), "--columns"),
        (("--ask", "{pairs}", "--most", "10"), "30"),
    ],
)
def test_what_does_not_go_together_is_refused(run, pairs, words, told):
    done = run("calibrate", *(word.format(pairs=pairs) for word in words))
    assert done.code == 2
    assert told in done.err


def test_without_a_terminal_and_without_answers_it_says_so(run, pairs):
    done = run("calibrate", "--ask", pairs, "-q")
    assert done.code == 2
    assert "there is nobody to ask" in done.err
    assert "terminal" in done.err


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ('{"text": "x"}\n', "holds no answers"),
        ('{"a": "x", "b": "y", "label": "maybe"}\n', "the label is 'maybe'"),
        ("no json\n", "line 1"),
    ],
)
def test_a_file_of_something_else_is_not_written_over(run, pairs, content, told):
    file = pairs.with_name("pairs.csv.labels.jsonl")
    file.write_text(content)
    done = run("calibrate", "--ask", pairs, "-q", stdin=b"y\n")
    assert done.code == 2
    assert told in done.err
    assert file.read_text() == content


def test_too_few_pairs_are_refused(run, tmp_path):
    (tmp_path / "few.csv").write_text("a,b\n" + "x,y\n" * 40 + "Hello!,hello\n" * 40)
    done = run("calibrate", "--ask", tmp_path / "few.csv", stdin=b"y\n")
    assert done.code == 2
    assert "1 pairs are too few" in done.err


def labels_of(tmp_path, right, other):
    rows = [(f"How do I open box number {n}?", f"How can I open box number {n}?", 1) for n in range(right)]
    rows += [(f"How do I open box number {n}?", "I like cheese.", 0) for n in range(other)]
    file = tmp_path / "labels.csv"
    with file.open("w", newline="") as stream:
        csv.writer(stream).writerows([("a", "b", "label"), *rows])
    return file


def test_at_least_gives_a_score_that_the_labels_prove(run, tmp_path):
    done = run("calibrate", labels_of(tmp_path, 60, 20), "--precision", "0.95", "--at-least", "--json")
    (found,) = json.loads(done.out)["thresholds"]
    assert (done.code, found["asked"], found["wrong"]) == (0, "at_least", 0)
    assert found["labels"] >= 45
    assert found["reached_low"] >= 0.95
    shown = run("calibrate", labels_of(tmp_path, 60, 20), "--precision", "0.95", "--at-least", "--csv")
    assert "at_least" in shown.out


def test_at_least_says_how_many_labels_more_it_takes(run, tmp_path):
    done = run("calibrate", labels_of(tmp_path, 25, 15), "--precision", "0.95", "--at-least")
    assert done.code == 2
    assert "too few to prove a precision of 95%" in done.err
    assert "label 20 more pairs" in done.err


def test_for_a_proof_pairs_are_drawn_evenly_and_asked_until_it_is_one(run, tmp_path):
    file, rng = tmp_path / "pairs.csv", np.random.default_rng(0)
    rows = [(f"How do I open box {n}?", f"How can I open box {n}?") for n in range(200)]
    with file.open("w", newline="") as stream:
        csv.writer(stream).writerows([("a", "b"), *(rows[row] for row in rng.permutation(200))])
    said = b"n\n" + b"y\n" * 150
    done = run("calibrate", "--ask", file, "-q", "--most", "150", "--precision", "0.8", "--at-least", stdin=said)
    rows = kept(tmp_path / "pairs.csv.labels.jsonl")
    assert len({row["stratum"] for row in rows}) == 1
    assert "to be proven: 80%" in done.err
    (found,) = [json.loads(line) for line in done.out.splitlines()]
    assert found["asked"] == "at_least"
    assert 11 <= found["labels"] <= len(rows) <= 150


class Terminal:
    """The command on a terminal of its own."""

    def __init__(self, *words, columns=80):
        import fcntl
        import pty
        import termios

        self.main, side = pty.openpty()
        self.resize(columns)
        self.process = subprocess.Popen(
            [sys.executable, "-m", "nearsense", *map(str, words)],
            stdin=side,
            stdout=side,
            stderr=side,
            start_new_session=True,
            env={**os.environ, "TERM": "xterm"},
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        )
        os.close(side)
        self.shown, self.read = "", 0

    def resize(self, columns):
        import fcntl
        import struct
        import termios

        fcntl.ioctl(self.main, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))

    def until(self, word, seconds=120):
        import select

        end = time.monotonic() + seconds
        while (place := self.shown.find(word, self.read)) < 0:
            assert time.monotonic() < end, self.shown
            if select.select([self.main], [], [], 1)[0]:
                try:
                    self.shown += os.read(self.main, 65536).decode("utf-8", "replace")
                except OSError:  # the other side has closed it
                    return
        self.read = place + len(word)

    def type(self, text):
        os.write(self.main, text.encode())

    def end(self):
        self.until("\0never")
        code = self.process.wait(60)
        os.close(self.main)
        return code


@pytest.mark.skipif(os.name == "nt", reason="a terminal is opened as on Unix")
def test_on_a_terminal_made_forty_columns_wide_pairs_fit_and_ctrl_c_keeps_what_was_answered(pairs):
    wide = pairs.read_text().replace("How do I open a", "What do I have to do now if I want to open a")
    pairs.write_text(wide)
    terminal = Terminal("calibrate", "--ask", pairs, "-q", columns=120)
    try:
        terminal.until("[y/n/s/u/q]")
        terminal.resize(40)
        terminal.type("hm\n")
        terminal.until("is no answer")
        terminal.type("y\n")
        terminal.until("2 of at most 100")
        terminal.until("[y/n/s/u/q]")
        terminal.type("n\n")
        terminal.until("3 of at most 100")
        terminal.until("[y/n/s/u/q]")
        terminal.type("\x03")
        assert terminal.end() == 128 + signal.SIGINT
    finally:
        terminal.process.kill()
        terminal.process.wait()
    assert "2 labels (1 the same) are kept" in " ".join(terminal.shown.split())
    plain = re.sub(r"\x1b\[[0-9;]*m", "", terminal.shown)
    narrow = plain[plain.index("2 of at most 100") : plain.index("interrupted")]
    assert max(map(len, narrow.splitlines())) <= 40
    assert [row["label"] for row in kept(pairs.with_name("pairs.csv.labels.jsonl"))] == [1, 0]


@pytest.mark.skipif(os.name == "nt", reason="a terminal is opened as on Unix")
def test_on_a_terminal_the_end_of_input_keeps_what_was_answered(pairs):
    terminal = Terminal("calibrate", "--ask", pairs, "-q")
    try:
        terminal.until("[y/n/s/u/q]")
        terminal.type("y\n")
        terminal.until("[y/n/s/u/q]")
        terminal.type("\x04")
        assert terminal.end() == 1
    finally:
        terminal.process.kill()
        terminal.process.wait()
    assert "\x1b[1" in terminal.shown  # what differs is bold
    assert f"No calibration yet: it takes {LEAST - 1} more" in " ".join(terminal.shown.split())
    assert len(kept(pairs.with_name("pairs.csv.labels.jsonl"))) == 1
