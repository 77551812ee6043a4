"""What is read off columns and folders, and what is refused, in one line each."""

from __future__ import annotations

import io
import json
import sys

import pytest

import nearsense as ns
from nearsense.datasets import Clustering, GradedPairs, Intents, LabelledPairs, Rerank, Retrieval, Task, Triplets
from turns import in_turn

PAIRS = [("a dog", "a hound", 5), ("a cat", "a debt", 1.5), ("it rains", "rain falls", 4), ("up", "down", 0)]


@pytest.fixture
def table(tmp_path):
    """A file of rows; its name says the format."""

    def write(rows, name="data.jsonl"):
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        if name.endswith(".csv"):
            lines = [",".join(rows[0]), *(",".join(map(str, row.values())) for row in rows)]
        else:
            lines = [json.dumps(row) for row in rows]
        file.write_text("\n".join(lines) + "\n")
        return file

    return write


def rows(columns, *values):
    return [dict(zip(columns.split(), each, strict=True)) for each in values]


@pytest.mark.parametrize("name", ["data.jsonl", "data.csv"])
@pytest.mark.parametrize("columns", ["a b score", "sentence1 sentence2 similarity", "premise hypothesis stars"])
def test_two_texts_and_numbers_are_graded_pairs(table, columns, name):
    data = ns.read_dataset(table(rows(columns, *PAIRS), name))
    assert isinstance(data, GradedPairs)
    assert data.pairs[1] == ("a cat", "a debt")
    assert data.scores == (5, 1.5, 4, 0)
    assert data.scale == (0, 5)


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        ((1, 0, 1, 0), ("0", "1")),
        ((True, False, True, False), ("false", "true")),
        (("duplicate", "not", "duplicate", "not"), ("not", "duplicate")),
        (("same", "different", "same", "different"), ("different", "same")),
        (("yes", "no", "yes", "no"), ("no", "yes")),
        (("1", "-1", "1", "-1"), ("-1", "1")),
        ((2, 1, 2, 1), ("1", "2")),
        (("Entailment", "other", "Entailment", "other"), ("other", "Entailment")),
    ],
)
@pytest.mark.parametrize("name", ["data.jsonl", "data.csv"])
def test_two_texts_and_two_labels_are_labelled_pairs(table, labels, words, name):
    pairs = [(*pair[:2], label) for pair, label in zip(PAIRS, labels, strict=True)]
    data = ns.read_dataset(table(rows("question1 question2 is_duplicate", *pairs), name))
    assert isinstance(data, LabelledPairs)
    assert data.labels == (True, False, True, False)
    assert [word.lower() for word in data.words] == [word.lower() for word in words]


def test_of_three_labels_one_has_to_be_named(table):
    pairs = [
        (*pair[:2], label) for pair, label in zip(PAIRS, ["entailment", "neutral", "x", "neutral"], strict=True)
    ]
    file = table(rows("a b label", *pairs))
    with pytest.raises(ns.errors.FileError, match="has 3 labels") as refused:
        ns.read_dataset(file)
    assert refused.value.fix == "name it: --positive entailment"
    data = ns.read_dataset(file, positive="Entailment")
    assert data.labels == (True, False, False, False)
    assert data.words == ("not entailment", "entailment")
    with pytest.raises(ns.errors.FileError, match="no label 'same'"):
        ns.read_dataset(file, positive="same")


def test_a_score_beside_a_label_is_taken_unless_the_label_is_asked_for(table):
    file = table([{"a": a, "b": b, "score": score, "nli": "yes" if score > 3 else "no"} for a, b, score in PAIRS])
    assert ns.read_dataset(file).task is Task.GRADED
    assert ns.read_dataset(file, task="labelled").labels == (True, False, True, False)
    assert ns.read_dataset(file, columns=["a", "b", "nli"]).labels == (True, False, True, False)


def test_anchor_positive_and_negative_are_triplets(table):
    found = [("a dog", "a hound", "a debt"), ("a cat", "a kitten", "a tax"), ("up", "above", "tea")]
    data = ns.read_dataset(table(rows("anchor positive negative", *found)))
    assert isinstance(data, Triplets)
    assert data.triplets == tuple(found)


@pytest.mark.parametrize("written", [lambda value: value, json.dumps], ids=["lists", "json in a cell"])
def test_a_query_with_candidates_and_labels_is_a_reranking(table, written):
    found = [(f"q{i}", written(["x", "y", "z"]), written([0, 1, 0])) for i in range(3)]
    found.append(("nothing right", written(["x"]), written([0])))
    data = ns.read_dataset(table(rows("query candidates labels", *found)))
    assert isinstance(data, Rerank)
    assert data.queries == ("q0", "q1", "q2")
    assert data.labels[0] == [False, True, False]
    assert data.notes == ("1 query was left out: all its candidates are right, or none is.",)


def test_lists_of_positives_and_negatives_are_a_reranking_too(table):
    data = ns.read_dataset(table(rows("query positive negative", *[("q", ["x"], ["y", "z"])] * 3)))
    assert isinstance(data, Rerank)
    assert data.candidates[0] == ["x", "y", "z"]
    assert data.labels[0] == [True, False, False]


def test_texts_with_labels_are_intents_unless_clusters_are_asked_for(table):
    file = table(rows("text label", ("hi", "greet"), ("bye", "leave"), ("hello", "greet"), ("xyz", "oos")))
    data = ns.read_dataset(file)
    assert isinstance(data, Intents)
    assert data.labels == ("greet", "leave", "greet", None)
    assert data.known is None
    assert "leave-one-out" in data.notes[0]
    clusters = ns.read_dataset(file, task="clustering")
    assert isinstance(clusters, Clustering)
    assert clusters.labels == ("greet", "leave", "greet", "oos")


def test_a_column_says_which_texts_are_known(table):
    found = [("hi", "greet", "train"), ("bye", "leave", "train"), ("moo", "oos", "train")]
    tests = [("hello", "greet", "test"), ("see you", "leave", "test"), ("moo", "oos", "test")]
    data = ns.read_dataset(table(rows("utterance intent split", *found, *tests)))
    assert data.texts == ("hello", "see you", "moo")
    assert data.labels == ("greet", "leave", None)
    assert data.known == ["hi", "bye"]
    assert data.known_labels == ("greet", "leave")


def test_a_folder_with_parts_is_one_data_set(table, tmp_path):
    table(rows("text label", ("hi", "greet"), ("bye", "leave"), ("hey", "greet")), "f/train.csv")
    table(rows("text label", ("hello", "greet"), ("ciao", "leave"), ("moo", "oos")), "f/test.jsonl")
    data = ns.read_dataset(tmp_path / "f")
    assert data.texts == ("hello", "ciao", "moo")
    assert data.known == ["hi", "bye", "hey"]


def test_of_a_folder_with_pairs_the_part_for_testing_is_judged(table, tmp_path):
    table(rows("a b score", *PAIRS), "f/train.csv")
    table(rows("a b score", *PAIRS[::-1]), "f/dev.csv")
    assert ns.read_dataset(tmp_path / "f").scores == (0, 4, 1.5, 5)


CORPUS = rows("id title text", ("d1", "Dogs", "They bark."), ("d2", "", "Cats purr."), ("d3", "", ""))
QUERIES = rows(
    "id query rel", ("q1", "bark?", {"d1": 2, "d2": 0}), ("q2", "purr?", {"d2": 1}), ("q3", "x", {"d3": 1})
)


def test_a_corpus_with_queries_is_a_retrieval(table, tmp_path):
    table(CORPUS, "f/corpus.jsonl")
    more = rows("id query rel", ("q4", "unanswered", {}), ("q5", "both?", {"d2": 1, "d3": 1}))
    queries = table([*QUERIES, *more], "f/queries.jsonl")
    for source in (tmp_path / "f", queries):
        data = ns.read_dataset(source)
        assert isinstance(data, Retrieval)
        assert data.corpus == {"d1": "Dogs They bark.", "d2": "Cats purr."}
        assert data.queries == ("bark?", "purr?", "both?")
        assert data.judgements == ({"d1": 2, "d2": 0}, {"d2": 1}, {"d2": 1})  # d3 has no text
        assert data.notes == (
            "2 queries were left out: no document answers them.",
            "1 document without a text was left out of the corpus; 1 judged one is left out of the judgements.",
        )


def test_the_layout_of_beir_is_a_retrieval_too(table, tmp_path):
    table([{"_id": row["id"], "title": row["title"], "text": row["text"]} for row in CORPUS], "f/corpus.jsonl")
    table([{"_id": row["id"], "text": row["query"]} for row in QUERIES], "f/queries.jsonl")
    (tmp_path / "f/qrels").mkdir()
    lines = ["query-id\tcorpus-id\tscore", "q1\td1\t2", "q2\td2\t1", "q3\td2\t1"]
    (tmp_path / "f/qrels/test.tsv").write_text("\n".join(lines) + "\n")
    data = ns.read_dataset(tmp_path / "f")
    assert data.judgements == ({"d1": 2}, {"d2": 1}, {"d2": 1})


def test_standard_input_is_read_with_its_format(monkeypatch):
    content = "a,b,score\n" + "\n".join(",".join(map(str, pair)) for pair in PAIRS)
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content.encode()), encoding="utf-8"))
    assert len(ns.read_dataset("-", format="csv")) == 4


def test_a_sample_is_drawn_once_for_a_seed():
    data = GradedPairs(pairs=[(f"{i}", "x") for i in range(50)], scores=range(50))
    drawn = data.sample(10, seed=3)
    assert drawn.scores == data.sample(10, seed=3).scores != data.sample(10, seed=4).scores
    assert sorted(drawn.scores) == list(drawn.scores)
    assert all(pair == (f"{score}", "x") for pair, score in zip(drawn.pairs, drawn.scores, strict=True))
    assert drawn.notes == ("A sample of 10 of 50 items, seed 3.",)
    assert data.sample(50) is data


@pytest.mark.parametrize(
    ("content", "options", "what", "fix"),
    [
        (
            rows("a b label", *[(*p[:2], 1) for p in PAIRS]),
            {},
            "all 4 labels are of one class, '1'",
            "other class",
        ),
        (
            rows("a b score", *[(*p[:2], 3.3) for p in PAIRS]),
            {"task": "graded"},
            "all 4 scores are 3.3",
            "different",
        ),
        (
            rows("a b score", *PAIRS),
            {"scale": (1, 5)},
            "line 4: the score 0 is outside of the range 1 to 5",
            "0,5",
        ),
        (rows("a b score", *PAIRS[:2]), {}, "has 2 rows", "3 or more"),
        (
            rows("a b score", *PAIRS[:3], ("x", "y", "high")),
            {},
            "line 4: the score in column 'score' is 'high'",
            "--columns",
        ),
        (
            rows("a b score", *PAIRS[:3], ("x", "y", float("nan"))),
            {},
            "line 4: the score in column 'score' is nan",
            "correct",
        ),
        (
            rows("a b score", *PAIRS[:3], ("x", "y", None)),
            {},
            "line 4: the score in column 'score' is empty",
            "correct",
        ),
        (
            rows("a b score", *PAIRS[:3], (" ", "y", 1)),
            {},
            "line 4: column 'a' is only white space",
            "remove the row",
        ),
        (
            rows("a b score", *PAIRS[:3], ("x\0", "y", 1)),
            {},
            "line 4: column 'a' holds a NUL character",
            "remove it",
        ),
        (rows("a b score", *PAIRS[:3], (7, "y", 1)), {}, "line 4: text column 'a' holds numbers", "--columns"),
        (
            rows("a b label", *[(*p[:2], None) for p in PAIRS]),
            {"task": "labelled"},
            "the label in column 'label' is empty",
            "fill",
        ),
        (
            rows("x y", ("a", 1), ("b", 2), ("c", 3)),
            {},
            "what is to be evaluated? its columns are: x, y",
            "--columns a,b,score",
        ),
        (rows("a b score", *PAIRS), {"task": "triplets"}, "no triplets data set", "--columns"),
        (
            rows("a b score", *PAIRS),
            {"columns": ["a", "b", "scores"]},
            "has no column 'scores'",
            "did you mean 'score'?",
        ),
        (rows("a b score", *PAIRS), {"columns": ["a", "a", "score"]}, "'a' is named twice", "once"),
        (rows("text label", ("x", "p"), ("y", "p"), ("z", "p")), {}, "there is one class only", "two labels"),
        (
            rows("text label", ("x", "p"), ("y", ""), ("z", "p")),
            {},
            "line 2: the label in column 'label' is empty",
            "fill",
        ),
        (
            rows("text label split", ("x", "p", "a"), ("y", "q", "b"), ("z", "p", "a")),
            {},
            "'split' does not part",
            "train",
        ),
        (rows("query candidates labels", *[("q", ["x", "y"], [1])] * 3), {}, "2 candidates, 1 labels", "correct"),
        (rows("query candidates labels", *[("q", "x", [1])] * 3), {}, "holds 'x', no list", "lists"),
        (
            rows("query candidates labels", *[("q", ["x"], [1])] * 3),
            {},
            "0 of 3 queries have right and wrong",
            "3 such",
        ),
        (QUERIES, {}, "there is no corpus beside it", "put corpus.jsonl"),
        (rows("a b score", *PAIRS), {"task": "grading"}, "task='grading' is not known", "graded"),
        (rows("a b score", *PAIRS), {"scale": (5, 0)}, "range=5,0", "0,5"),
    ],
)
def test_bad_input_is_named_with_its_place_and_what_to_do(table, content, options, what, fix):
    with pytest.raises(ns.errors.InputError) as refused:
        ns.read_dataset(table(content), **options)
    assert what in refused.value.what
    assert fix in refused.value.fix
    assert all("\n" not in line for line in (refused.value.what, refused.value.why, refused.value.fix))


@pytest.mark.parametrize(
    ("corpus", "queries", "what"),
    [
        (CORPUS[:1], QUERIES, "2 of 3 judged documents are not in the corpus: d2, d3"),
        ([*CORPUS, CORPUS[0]], QUERIES, "line 4: the id 'd1' occurs again, first in line 1"),
        (CORPUS, [*QUERIES, QUERIES[0]], "line 4: the id 'q1' occurs again, first in line 1"),
        (CORPUS, QUERIES[:2], "2 of 2 queries have a document that answers them"),
        (CORPUS, [{**QUERIES[0], "rel": {"d1": "good"}}], "line 1: the grade of document 'd1' is 'good'"),
        (CORPUS, [*QUERIES, {"id": "q9", "query": ""}], "line 4: column 'query' is empty"),
    ],
)
def test_what_does_not_fit_in_a_folder_is_named_with_a_fix_that_names_no_flag(
    table, tmp_path, corpus, queries, what
):
    table(corpus, "f/corpus.jsonl")
    table(queries, "f/queries.jsonl")
    with pytest.raises(ns.errors.FileError) as refused:
        ns.read_dataset(tmp_path / "f")
    assert what in refused.value.what
    assert "--" not in refused.value.fix


def test_a_folder_of_unrelated_files_is_asked_for_one_of_them(table, tmp_path):
    for name in ("f/one.csv", "f/two.csv"):
        table(rows("a b score", *PAIRS), name)
    with pytest.raises(ns.errors.FileError, match="which of its files") as refused:
        ns.read_dataset(tmp_path / "f")
    assert "one.csv, two.csv" in refused.value.why


def test_a_name_that_is_nothing_is_said_to_be_nothing():
    with pytest.raises(ns.errors.InputError, match="neither a file, a folder nor a standard data set"):
        ns.read_dataset("nosuchset")
    with pytest.raises(ns.errors.FileError, match="does not exist"):
        ns.read_dataset("nosuchfile.csv")


def test_another_task_than_that_of_the_data_is_refused():
    data = GradedPairs(pairs=[("a", "b")] * 3, scores=[1, 2, 3])
    assert ns.read_dataset(data, task="graded") is data
    with pytest.raises(ns.errors.InputError, match="is a graded data set, not labelled"):
        ns.read_dataset(data, task="labelled")


@pytest.mark.parametrize("scores", [[1, 2], [1, 2, 3, 4]])
def test_fields_of_a_data_set_are_of_one_length(scores):
    with pytest.raises(ns.errors.InputError, match="3 pairs"):
        GradedPairs(pairs=[("a", "b")] * 3, scores=scores)


@in_turn(
    ("make", "what"),
    [
        (lambda: GradedPairs(pairs=[("a", "b")] * 3, scores=[1, 2, 6], scale=(0, 5)), "the scores go from 1 to 6"),
        (lambda: GradedPairs(pairs=[("a", "b")] * 3, scores=[1, 2, float("inf")]), "pair 3: the score is inf"),
        (
            lambda: Rerank(queries="abc", candidates=[["x"]] * 3, labels=[[True], [True], []]),
            "query 3: 1 candidates",
        ),
        (lambda: Rerank(queries="abc", candidates=[["x"]] * 3, labels=[[False]] * 3), "query 1: .* 0 right"),
        (
            lambda: Intents(texts="abc", labels="aba", known=["x"], known_labels=("a", "b")),
            "1 known texts, 2 labels",
        ),
        (lambda: Intents(texts="abc", labels=[None] * 3, known="xy", known_labels=("a", "b")), "out of scope"),
        (lambda: Clustering(texts="abc", labels="aaa"), "there is one class only"),
    ],
)
def test_what_cannot_be_measured_is_refused_when_it_is_made(make, what):
    with pytest.raises(ns.errors.InputError, match=what):
        make()


P = [("a", "b"), ("c", "d"), ("e", "f")]
Q = ["a", "b", "c"]


@in_turn(
    ("make", "what"),
    [
        (lambda: GradedPairs(pairs=5, scores=[1, 2, 3]), "pairs is 5"),
        (lambda: GradedPairs(pairs=[*P[:2], ("e", "f", "g")], scores=[1, 2, 3]), "pair 3: ('e', 'f', 'g')"),
        (lambda: GradedPairs(pairs=[*P[:2], "ef"], scores=[1, 2, 3]), "pair 3: 'ef'"),
        (lambda: GradedPairs(pairs=[*P[:2], ("e", " ")], scores=[1, 2, 3]), "pair 3, text 2: ' ' is no text"),
        (lambda: GradedPairs(pairs=P, scores=[1, "x", 3]), "pair 2: the score is 'x'"),
        (lambda: GradedPairs(pairs=P, scores=[1, 2, None]), "pair 3: the score is None"),
        (lambda: LabelledPairs(pairs=P, labels=[0, 1, "no"]), "label 3: 'no' is neither True nor False"),
        (lambda: LabelledPairs(pairs=P, labels=[0, 1, 2]), "label 3: 2 is neither"),
        (lambda: Triplets(triplets=[*[("a", "b", "c")] * 2, ("a", "b")]), "triplet 3: ('a', 'b')"),
        (lambda: Retrieval(queries=["a", "", "c"], judgements=[{"d": 1}] * 3, corpus={"d": "x"}), "query 2: ''"),
        (lambda: Retrieval(queries=Q, judgements=[{"e": 1}] * 3, corpus={"d": "x"}), "not in the corpus: e"),
        (lambda: Retrieval(queries=Q, judgements=[{"d": 0}] * 3, corpus={"d": "x"}), "no document answers it"),
        (lambda: Retrieval(queries=Q, judgements=[{"d": "x"}] * 3, corpus={"d": "x"}), "document 'd' is 'x'"),
        (lambda: Retrieval(queries=Q, judgements=[["d"]] * 3, corpus={"d": "x"}), "its judgements are ['d']"),
        (lambda: Retrieval(queries=Q, judgements=[{"d": 1}] * 3, corpus={"d": ""}), "document 'd' has no text"),
        (lambda: Retrieval(queries=Q, judgements=[{"d": 1}] * 3, corpus=["x"]), "the corpus is ['x']"),
        (lambda: Rerank(queries=Q, candidates=[["x"]] * 3, labels=[[3]] * 3), "query 1, label 1: 3 is neither"),
        (lambda: Rerank(queries=Q, candidates=[["x"]] * 3, labels=[["no"]] * 3), "label 1: 'no' is neither"),
        (lambda: Rerank(queries=Q, candidates=["x"] * 3, labels=[[1]] * 3), "candidates is 'x', no list"),
        (lambda: Rerank(queries=Q, candidates=[[None]] * 3, labels=[[1]] * 3), "candidate 1: None is no text"),
        (lambda: Intents(texts=[*Q[:2], 3], labels=["x", "y", "x"]), "text 3: 3 is no text"),
        (lambda: Intents(texts=Q, labels=["x", 2, None]), "label 2: 2 is no text"),
        (lambda: Intents(texts=Q, labels=Q, known=5, known_labels=Q), "known is 5"),
        (lambda: Clustering(texts=Q, labels=["x", "y", None]), "label 3: None is no text"),
    ],
)
def test_data_sets_made_in_python_are_checked(make, what):
    with pytest.raises(ns.errors.InputError) as refused:
        make()
    assert what in refused.value.what
    assert refused.value.fix
    assert all("\n" not in line for line in (refused.value.what, refused.value.why, refused.value.fix))


@in_turn(("limit", "seed"), [("5", 0), (2, 0), (3.0, 0), (3, -1), (3, 1.5), (3, "x")])
def test_samples_are_of_whole_numbers(limit, seed):
    with pytest.raises(ns.errors.InputError, match=r"limit=|seed="):
        GradedPairs(pairs=P * 2, scores=range(6)).sample(limit, seed)


@pytest.mark.parametrize("source", [5, None, ""])
def test_what_is_no_name_is_no_data_set(source):
    with pytest.raises(ns.errors.InputError, match="is no data set"):
        ns.read_dataset(source)


def test_the_names_of_the_columns_say_what_a_list_of_a_reranking_is(table):
    years = ns.read_dataset(table(rows("query positive negative", *[("q", ["2018", "x"], ["1", "0"])] * 3)))
    assert years.candidates[0] == ["2018", "x", "1", "0"]
    assert years.labels[0] == [True, True, False, False]
    said = ns.read_dataset(
        table(rows("query candidates labels", *[("q", ["x", "y", "z"], ["yes", "No", False])] * 3))
    )
    assert said.candidates[0] == ["x", "y", "z"]
    assert said.labels[0] == [True, False, False]


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (
            rows("query candidates labels", *[("q", ["x", "y"], ["relevant", "no"])] * 3),
            "line 1: 'relevant' is no",
        ),
        (rows("query candidates labels", *[("q", [3], [1])] * 3), "line 1: candidate 1 is '3'"),
        (rows("query positive negative", *[("q", ["x"], [])] * 3), "0 of 3 queries have right and wrong"),
        (rows("query positive negative", *[("q", "x", ["y"])] * 3), "column 'positive' holds 'x', no list"),
        (rows("a b score", *[(a, b, 3) for a, b, _ in PAIRS]), "all 4 scores are 3"),
        (rows("text label split", ("x", "p", "train"), ("y", "q", ""), ("z", "p", "test")), "line 2: the part in"),
    ],
)
def test_what_is_wrong_is_what_is_said(table, content, what):
    with pytest.raises(ns.errors.InputError) as refused:
        ns.read_dataset(table(content))
    assert what in refused.value.what


def test_words_and_digits_for_yes_and_no_may_be_mixed(table):
    pairs = [(*pair[:2], label) for pair, label in zip(PAIRS, ("true", "FALSE", "1", "0"), strict=True)]
    data = ns.read_dataset(table(rows("a b label", *pairs), "data.csv"))
    assert data.labels == (True, False, True, False)


@pytest.fixture
def beir(table, tmp_path):
    """A folder in the layout of BEIR with these lines of judgements."""

    def write(*lines):
        table([{"_id": f"d{i}", "text": f"document {i}"} for i in range(4)], "f/corpus.jsonl")
        table([{"_id": f"q{i}", "text": f"query {i}"} for i in range(4)], "f/queries.jsonl")
        (tmp_path / "f/qrels").mkdir()
        (tmp_path / "f/qrels/test.tsv").write_text("\n".join(lines) + "\n")
        return tmp_path / "f"

    return write


@pytest.mark.parametrize("line", ["{}\t{}\t1", "{} 0 {} 1", "{}\t0\t{}\t1", "{},{},1"])
def test_judgements_without_a_header_lose_no_line(beir, line):
    data = ns.read_dataset(beir(*[line.format(f"q{i}", f"d{i}") for i in range(4)]))
    assert data.judgements == tuple({f"d{i}": 1.0} for i in range(4))


@pytest.mark.parametrize(
    ("lines", "what"),
    [
        (["q0\td0\t1", "q1\td1\t1", "q0\td0\t0"], "line 3: document 'd0' has grade 0 for query 'q0'"),
        (["query-id\tcorpus-id\tscore", "q0\td0\t1", "q0\td0\t2"], "line 3: document 'd0' has grade 2"),
        (["q0\td0\t1", "q1\td1"], "line 2: 2 fields, the first line has 3"),
    ],
)
def test_lines_of_judgements_that_do_not_agree_are_named(beir, lines, what):
    with pytest.raises(ns.errors.FileError) as refused:
        ns.read_dataset(beir(*lines))
    assert what in refused.value.what


def test_the_same_judgement_twice_is_one(beir):
    data = ns.read_dataset(beir(*[f"q{i}\td{i}\t1" for i in (0, 1, 2, 3, 3)]))
    assert data.judgements[3] == {"d3": 1.0}


@pytest.mark.parametrize("name", ["f/queries.jsonl", "f/x.jsonl"])
def test_a_folder_of_queries_alone_lacks_its_corpus(table, tmp_path, name):
    table(QUERIES, name)
    (tmp_path / "f/corpus.txt").write_text("one\ntwo\n")
    with pytest.raises(ns.errors.FileError, match="there is no corpus beside it"):
        ns.read_dataset(tmp_path / "f")
