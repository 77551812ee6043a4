"""Nothing that an evaluation says depends on the order of the file; labels that are turned round are said."""

from __future__ import annotations

import json
from itertools import permutations

import numpy as np
import pytest

import nearsense as ns
from fakes import HashEncoder
from nearsense.datasets import GradedPairs, Intents, LabelledPairs, Rerank, Retrieval, Triplets
from nearsense.evaluation.systems import BM25, Fusion, Jaccard, Model, TfIdf, level_ties, whole_ties
from turns import in_turn

RANDOM = np.random.default_rng(5)
WORDS = [
    "dog",
    "cat",
    "bird",
    "fish",
    "tree",
    "house",
    "car",
    "road",
    "river",
    "stone",
    "bread",
    "wine",
    "king",
    "queen",
]


def texts(n, length=3):
    return [" ".join(RANDOM.choice(WORDS, length)) for _ in range(n)]


def said(result):
    """Every figure and every listed error, without what it cost."""
    return {
        system.name: (
            {name: (round(f.value, 9), round(f.low, 9), round(f.high, 9)) for name, f in system.figures.items()},
            system.mistakes,
        )
        for system in result.systems
    }


def evaluated(data):
    return said(ns.evaluate(HashEncoder(16), data, resamples=50))


@pytest.mark.parametrize("form", ["positive first", "positive last"])
def test_candidates_that_nothing_tells_apart_share_their_places(form):
    queries = ["my screen freezes", "give me cash back", "lost package", "cannot sign in"]
    wrong = ["Refund an invoice", "Where is a parcel?", "Change an address"]
    right = ["The monitor hangs", "Please refund this", "Where is the parcel?", "The account was locked"]
    first = form == "positive first"
    data = Rerank(
        queries=queries,
        candidates=[[text, *wrong] if first else [*wrong, text] for text in right],
        labels=[[True, False, False, False] if first else [False, False, False, True]] * 4,
    )
    found = ns.evaluate(HashEncoder(16), data, resamples=5)
    figures = found.system("BM25").figures
    assert figures["map"].value == pytest.approx((1 + 1 / 2 + 1 / 3 + 1 / 4) / 4)
    assert figures["mrr@10"].value == figures["map"].value
    assert figures["ndcg@10"].value == pytest.approx(np.mean(1 / np.log2(np.arange(2, 6))))


def test_a_text_that_a_corpus_holds_twice_is_found_half_the_time_at_each_place():
    answer, other = "reset your password in the settings", ["we ship soon", "a refund takes a week"]
    queries = ["reset the password", "my password in settings", "how to reset your password"]
    found = {}
    for order in permutations(["k1", "k2", "k3", "k4"]):
        corpus = dict(zip(("k1", "k2", "k3", "k4"), (answer, answer, *other), strict=True))
        data = Retrieval(queries=queries, corpus={id_: corpus[id_] for id_ in order}, judgements=[{"k1": 1}] * 3)
        result = ns.evaluate(HashEncoder(64), data, resamples=5)
        for system in result.systems:
            assert system.figures["mrr@10"].value == pytest.approx(0.75)
            assert system.figures["ndcg@10"].value == pytest.approx((1 + 1 / np.log2(3)) / 2)
        found[order] = json.dumps([[m.truth for m in system.mistakes] for system in result.systems])
    assert len(set(found.values())) == 1
    assert "k1, at place 2, tied with 1 other" in found[order]


def test_a_corpus_in_another_order_gives_the_same_retrieval():
    many = texts(300, 2)  # 169 different ones at most: many stand there several times, beyond place 10 and 100
    ids = [f"d{number}" for number in range(300)]
    queries = texts(6, 2)
    judgements = [{ids[row]: int(RANDOM.integers(1, 3)) for row in RANDOM.choice(300, 20)} for _ in queries]
    results = []
    for seed in range(4):
        order = np.random.default_rng(seed).permutation(300) if seed else np.arange(300)
        corpus = {ids[row]: many[row] for row in order}
        results.append(evaluated(Retrieval(queries=queries, corpus=corpus, judgements=judgements)))
    assert all(result == results[0] for result in results)
    assert len(results[0]) == 6  # a model, the model with BM25, and four of words alone


def test_candidates_in_another_order_give_the_same_reranking():
    queries = texts(8, 2)
    sets = [[*texts(9, 1), "dog cat"] for _ in queries]
    labels = [[True, *(RANDOM.random(8) < 0.3).tolist(), False] for _ in queries]
    results = []
    for seed in range(4):
        order = np.random.default_rng(seed).permutation(10)
        data = Rerank(
            queries=queries,
            candidates=[[own[at] for at in order] for own in sets],
            labels=[[own[at] for at in order] for own in labels],
        )
        results.append(evaluated(data))
    assert all(result == results[0] for result in results)


@pytest.mark.parametrize("alone", [True, False])
def test_known_texts_in_another_order_give_the_same_answers(alone):
    known = texts(60, 1)  # the same texts with different labels
    labels = RANDOM.choice(["x", "y", "z"], 60).tolist()
    asked = texts(12, 2)
    results = []
    for seed in range(4):
        order = np.random.default_rng(seed).permutation(60)
        own, names = [known[row] for row in order], [labels[row] for row in order]
        data = Intents(texts=own, labels=names) if alone else Intents(
            texts=asked, labels=labels[:12], known=own, known_labels=names)  # fmt: skip
        found = ns.evaluate(HashEncoder(16), data, resamples=5)
        results.append([{n: round(f.value, 9) for n, f in s.figures.items()} for s in found.systems])
        if not alone:
            results[-1].append([system.mistakes for system in found.systems])
    assert all(result == results[0] for result in results)


def test_the_accuracy_of_tied_answers_is_the_share_of_right_labels():
    data = Intents(
        texts=["dog", "cat", "dog"], labels=["x", "x", "y"], known=["dog", "dog", "dog", "cat"],
        known_labels=["x", "y", "y", "x"])  # fmt: skip
    found = ns.evaluate(HashEncoder(16), data, resamples=5)
    for name in (found.systems[0].name, "Jaccard"):
        assert found.figure("accuracy", name).value == pytest.approx((1 / 3 + 1 + 2 / 3) / 3)


def test_the_rows_of_pairs_and_triplets_may_stand_in_any_order():
    pairs = list(zip(texts(40), texts(40), strict=True))
    scores, labels = RANDOM.integers(0, 4, 40).tolist(), (RANDOM.random(40) < 0.5).tolist()
    triplets = list(zip(texts(40), texts(40), texts(40), strict=True))
    for make in (
        lambda rows: GradedPairs(pairs=[pairs[row] for row in rows], scores=[scores[row] for row in rows]),
        lambda rows: LabelledPairs(pairs=[pairs[row] for row in rows], labels=[labels[row] for row in rows]),
        lambda rows: Triplets(triplets=[triplets[row] for row in rows]),
    ):
        results = [
            ns.evaluate(HashEncoder(16), make(np.random.default_rng(seed).permutation(40)), resamples=5)
            for seed in range(3)
        ]
        for system in results[0].systems:
            for other in results[1:]:
                again = other.system(system.name).mistakes
                assert [each.texts for each in again] == [each.texts for each in system.mistakes]
                for name, figure in system.figures.items():
                    assert other.figure(name, system.name).value == pytest.approx(figure.value, abs=1e-9)


def test_a_triplet_that_nothing_tells_apart_counts_half():
    data = Triplets(triplets=[("dog", "cat", "bird")] * 3)
    assert ns.evaluate(HashEncoder(8), data, resamples=5).figure("accuracy", "Jaccard").value == 0.5


@in_turn(
    "finder", [Jaccard(), TfIdf("words"), BM25(), Model(HashEncoder(16)), Fusion(Model(HashEncoder(16)), BM25())],
)  # fmt: skip
def test_what_is_tied_with_the_last_is_found_too(finder):
    corpus = [*(["dog cat"] * 40), *texts(50, 2)]
    found = finder.nearest(["dog cat", "king stone"], corpus, 7, searching=True)
    assert {*range(40)} <= set(found.ids[0].tolist())
    assert all(len(ids) == len(scores) == len(set(ids.tolist())) for ids, scores in zip(*found, strict=True))
    assert all((np.diff(scores) <= 0).all() for scores in found.scores)
    whole = finder.nearest(["dog cat", "king stone"], corpus, 90, searching=True)
    if not isinstance(finder, Fusion):  # which gives places beyond the seventh nothing
        for ids, every, scores in zip(found.ids, whole.ids, whole.scores, strict=True):
            level = scores >= scores[min(6, len(scores) - 1)] - 1e-9
            assert set(ids.tolist()) == set(every[level].tolist())


def test_scores_that_rounding_parts_are_tied():
    assert len(set(level_ties(np.array([0.7, 0.7 - 3e-8, 0.7 - 6e-8, 0.5])).tolist())) == 2
    assert len(set(level_ties(np.array([0.7, 0.7 - 1e-4, 0.5])).tolist())) == 3
    assert level_ties(np.zeros(0)).shape == (0,)
    found = whole_ties(lambda rows, depth: (np.arange(depth)[None, :], np.ones((1, depth))), 1, 1000, 3)
    assert len(found.ids[0]) == 1000


SUBJECTS = ["the dog barks", "a red car", "he eats bread", "the king sleeps", "rain falls here"]
NEAR = [
    (text, f"{text} {more}")
    for text, more in zip(SUBJECTS, ["loud", "drives", "now", "long", "again"], strict=True)
]
OTHERS = ["wine and stone", "moon over sea", "a deep river", "fish in water", "my old house"]
APART = list(zip(SUBJECTS, OTHERS, strict=True))


def turned(task):
    """A data set the wrong way round, and the column that is named."""
    pairs, wrong = [*NEAR, *APART], [0.0] * 5 + [1.0] * 5
    if task == "graded":
        return "a,b,score\n" + "".join(f"{a},{b},{4 * s + i % 3 / 10}\n" for i, ((a, b), s) in
                                       enumerate(zip(pairs, wrong, strict=True))), "score"  # fmt: skip
    if task == "labelled":
        return "a,b,is_duplicate\n" + "".join(
            f"{a},{b},{int(s)}\n" for (a, b), s in zip(pairs, wrong, strict=True)), "is_duplicate"  # fmt: skip
    return "anchor,positive,negative\n" + "".join(
        f"{a},{far},{near}\n" for (a, near), (_, far) in zip(NEAR, APART, strict=True)), "positive"  # fmt: skip


@pytest.mark.parametrize("task", ["graded", "labelled", "triplets"])
def test_labels_that_are_turned_round_are_said_with_their_column(task, tmp_path, encoder):
    content, column = turned(task)
    (tmp_path / "data.csv").write_text(content)
    result = ns.evaluate(encoder, tmp_path / "data.csv", resamples=20)
    assert len(result.warnings) == 1
    assert f"Column '{column}' looks turned round" in result.warnings[0]
    assert "Fix: " in result.warnings[0]
    assert result.warnings[0] in str(result)
    assert result.to_dict()["warnings"] == list(result.warnings)


def test_right_candidates_and_documents_that_are_the_farthest_are_said(encoder):
    queries, near, far = [a for a, _ in NEAR], [b for _, b in NEAR], [b for _, b in APART]
    candidates = [[b, *far] for b in near]
    data = Rerank(queries=queries, candidates=candidates, labels=[[False, *[True] * 5]] * 5)
    assert "right candidates" in ns.evaluate(encoder, data, resamples=5).warnings[0]
    corpus = {**{f"n{i}": b for i, b in enumerate(near)}, **{f"f{i}": b for i, b in enumerate(far)}}
    hard = Retrieval(queries=queries, corpus={**corpus, "h": "he eats bread today, and more"},
                     judgements=[{f"n{i}": 1, "h": 0} for i in range(5)])  # fmt: skip
    assert not ns.evaluate(encoder, hard, resamples=5).warnings
    alone = Retrieval(queries=["dog"] * 5, corpus={"a": "dog", "b": "a dog", "c": "the dogs", "d": "tax law"},
                      judgements=[{"d": 1}] * 5)  # fmt: skip
    assert "relevant documents" in ns.evaluate(encoder, alone, resamples=5).warnings[0]
    right = Retrieval(queries=queries, corpus=corpus, judgements=[{f"n{i}": 1} for i in range(5)])
    assert not ns.evaluate(encoder, right, resamples=5).warnings


def test_labels_that_are_right_or_chance_are_not_said_to_be_wrong(encoder):
    pairs = [*NEAR, *APART]
    for labels in ([True] * 5 + [False] * 5, [True, False] * 5, [False, True] * 5):
        assert not ns.evaluate(encoder, LabelledPairs(pairs=pairs, labels=labels), resamples=5).warnings
    assert not ns.evaluate(encoder, GradedPairs(pairs=pairs, scores=[4.0] * 5 + [1.0] * 5), resamples=5).warnings


@in_turn("kind", ["graded", "labelled", "retrieval", "intents"])
def test_intervals_too_do_not_depend_on_the_order_of_the_items(kind):
    own, others = texts(40), texts(40)
    order = RANDOM.permutation(40).tolist()
    truth = [place % 3 for place in range(40)]

    def data(rows):
        at = lambda values: [values[row] for row in rows]  # noqa: E731
        pairs, labels = list(zip(own, others, strict=True)), [str(each) for each in truth]
        match kind:
            case "graded":
                return GradedPairs(pairs=at(pairs), scores=at(truth))
            case "labelled":
                return LabelledPairs(pairs=at(pairs), labels=[each > 0 for each in at(truth)])
            case "retrieval":
                corpus = {str(row): text for row, text in enumerate(others)}
                return Retrieval(queries=at(own), corpus=corpus, judgements=[{str(row): 1} for row in rows])
        return Intents(texts=at(own), labels=at(labels), known=tuple(others), known_labels=tuple(labels))

    def intervals(found):
        return {name: each[0] for name, each in found.items()}

    assert intervals(evaluated(data(range(40)))) == intervals(evaluated(data(order)))
