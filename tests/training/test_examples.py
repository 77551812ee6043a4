"""What is read off columns for learning, and what is refused, in one line each."""

from __future__ import annotations

import csv

import numpy as np
import pytest

import nearsense as ns
from nearsense.datasets import GradedPairs, Intents, LabelledPairs, Retrieval, Triplets
from nearsense.training.examples import Examples, Kind, read_examples
from turns import in_turn

TEXTS = ["a dog barks", "a hound barks", "a cat sleeps", "rain falls", "it is wet", "the bank opens"]


def written(path, columns, rows):
    with path.open("w", newline="") as stream:
        out = csv.writer(stream)
        out.writerow(columns.split())
        out.writerows(rows)
    return path


CASES = [
    ("a b score", [(TEXTS[0], TEXTS[i], i) for i in range(6)], Kind.GRADED, (0, 0.2, 0.4, 0.6, 0.8, 1)),
    ("question1 question2 is_duplicate", [(TEXTS[0], TEXTS[i], i % 2) for i in range(4)], Kind.LABELLED,
     (False, True, False, True)),
    ("premise hypothesis label", [(TEXTS[0], TEXTS[1], "entailment"), (TEXTS[0], TEXTS[2], "contradiction"),
                                  (TEXTS[0], TEXTS[3], "-"), (TEXTS[1], TEXTS[2], "neutral")],
     Kind.ENTAILMENT, ("entailment", "contradiction", "neutral")),
    ("premise hypothesis label", [(TEXTS[0], TEXTS[1], 0), (TEXTS[0], TEXTS[2], 2), (TEXTS[0], TEXTS[3], -1),
                                  (TEXTS[1], TEXTS[2], 1)],
     Kind.ENTAILMENT, ("entailment", "contradiction", "neutral")),
    ("anchor positive negative", [TEXTS[:3], TEXTS[3:], TEXTS[1:4]], Kind.TRIPLETS, ()),
    ("question answer", [TEXTS[:2], TEXTS[2:4], TEXTS[4:]], Kind.POSITIVES, ()),
    ("id a b", [(i, *TEXTS[i : i + 2]) for i in range(4)], Kind.POSITIVES, ()),
    ("text intent", list(zip(TEXTS, "aabbcc", strict=True)), Kind.CLASSES, tuple("aabbcc")),
]  # fmt: skip


@in_turn(("columns", "rows", "kind", "truth"), CASES)
def test_the_columns_say_what_is_to_be_learnt(tmp_path, columns, rows, kind, truth):
    examples = read_examples(written(tmp_path / "rows.csv", columns, rows))
    assert (examples.kind, examples.truth) == (kind, truth)
    assert set(examples.distinct_texts()) <= set(TEXTS)


@in_turn(
    ("rows", "kind"),
    [
        ([("a dog", "a hound", 0.9), ("a dog", "rain", 0.0), ("up", "down", 1)], Kind.GRADED),
        ([("a dog", "a hound", True), ("a dog", "rain", False), ("up", "high", True)], Kind.LABELLED),
        ([("a dog", "a hound", "yes"), ("a dog", "rain", "no"), ("up", "high", "yes")], Kind.LABELLED),
        ([("a dog", "a hound", "a debt"), ("it rains", "rain", "sun"), ("up", "high", "low")], Kind.TRIPLETS),
        ([("a dog", "a hound"), ("it rains", "rain falls"), ("up", "high")], Kind.POSITIVES),
    ],
)
def test_tuples_in_memory_are_read_as_files_are(rows, kind):
    examples = read_examples(rows)
    assert examples.kind is kind
    assert examples.rows() == [tuple(row[: len(examples.texts)]) for row in rows]


def test_two_texts_are_a_text_and_its_class_where_that_is_said():
    assert read_examples([("up", "x"), ("down", "y"), ("high", "x")], kind="classes").labels == ("x", "y")


def test_who_asks_and_what_is_found_are_told_apart_by_the_names_of_columns(tmp_path):
    asked = read_examples(written(tmp_path / "faq.csv", "question answer", [TEXTS[:2], TEXTS[2:4], TEXTS[4:]]))
    alike = read_examples(written(tmp_path / "same.csv", "a b", [TEXTS[:2], TEXTS[2:4], TEXTS[4:]]))
    assert (asked.searching, alike.searching) == (True, False)


def test_of_a_data_set_with_known_labels_the_known_part_is_learnt_from():
    data = Intents(texts=TEXTS[:3], labels=["a", None, "b"], known=TEXTS[3:], known_labels=["a", "b", "b"])
    assert read_examples(data).texts == (tuple(TEXTS[3:]),)
    alone = Intents(texts=TEXTS[:3], labels=["a", None, "b"])
    assert read_examples(alone).truth == ("a", "b"), "what is out of scope belongs to no class"


def test_judged_queries_become_pairs_that_belong_together():
    corpus = {"x": "a hound", "y": "wet weather", "z": "a debt"}
    data = Retrieval(
        queries=["dog", "rain", "money"], judgements=[{"x": 1, "z": 0}, {"y": 2}, {"z": 1}], corpus=corpus
    )
    examples = read_examples(data)
    assert examples.rows() == [("dog", "a hound"), ("rain", "wet weather"), ("money", "a debt")]
    assert examples.searching


def test_what_is_learnt_from_can_be_measured_on(tmp_path):
    kinds = {Kind.GRADED: GradedPairs, Kind.LABELLED: LabelledPairs, Kind.ENTAILMENT: GradedPairs,
             Kind.TRIPLETS: Triplets, Kind.POSITIVES: Retrieval, Kind.CLASSES: Intents}  # fmt: skip
    for columns, rows, kind, _ in CASES:
        examples = read_examples(written(tmp_path / "rows.csv", columns, rows))
        assert type(examples.dataset()) is kinds[kind]
    again = read_examples(read_examples(CASES[0][1]).dataset())
    np.testing.assert_allclose(again.truth, CASES[0][3])


@in_turn(
    ("columns", "rows", "options", "said"),
    [
        ("x y", [(1, 2), (3, 4), (5, 6)], {}, r"what is to be learnt from it\?"),
        ("a b label", [(TEXTS[0], TEXTS[i], 1) for i in range(4)], {}, "one class"),
        ("a b score", [(TEXTS[0], TEXTS[1], 1), (TEXTS[0], "", 0), (TEXTS[2], TEXTS[3], 3)], {}, "line 3"),
        ("a b", [TEXTS[:2], TEXTS[2:4], TEXTS[4:]], {"kind": "entailment"}, "no entailment examples"),
        ("a b score", [(TEXTS[0], TEXTS[i], i) for i in range(4)], {"kind": "classes"}, "no classes examples"),
        ("a b", [TEXTS[:2], TEXTS[2:4], TEXTS[4:]], {"kind": "triplets", "columns": ["a", "b"]}, "as a, b"),
        ("a b", [TEXTS[:2], TEXTS[2:4], TEXTS[4:]], {"kind": "pairs"}, "kind='pairs' is not known"),
        ("a b", [TEXTS[:2], TEXTS[2:4], TEXTS[4:]], {"kind": "positives", "columns": ["a", "c"]}, "no column 'c'"),
    ],
)  # fmt: skip
def test_what_suits_no_kind_is_refused_by_name(tmp_path, columns, rows, options, said):
    with pytest.raises(ns.errors.InputError, match=said):
        read_examples(written(tmp_path / "rows.csv", columns, rows), **options)


@in_turn("rows", [["a text"], [("a",)], [("a", "b"), ("a", "b", "c")], []])
def test_what_is_no_example_in_memory_is_refused(rows):
    with pytest.raises(ns.errors.InputError):
        read_examples(rows)


def test_columns_that_do_not_belong_together_are_refused():
    with pytest.raises(ns.errors.InputError, match="belong together"):
        Examples(kind=Kind.CLASSES, texts=(TEXTS,), truth=["a"])
    with pytest.raises(ns.errors.InputError, match="columns of texts"):
        Examples(kind=Kind.TRIPLETS, texts=(TEXTS, TEXTS))
