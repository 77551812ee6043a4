"""What an evaluation says, against scipy and scikit-learn on the same scores."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest
from scipy.stats import pearsonr, spearmanr
from sklearn.metrics import (
    adjusted_rand_score,
    average_precision_score,
    ndcg_score,
    roc_auc_score,
    roc_curve,
    v_measure_score,
)

import nearsense as ns
from fakes import HashEncoder
from nearsense.clustering.kmeans import spherical
from nearsense.datasets import Clustering, GradedPairs, Intents, LabelledPairs, Rerank, Retrieval, Triplets
from nearsense.evaluation import Kind
from nearsense.lexical import jaccard
from turns import in_turn

NOUNS = "dog cat bird fish tree house car road river stone bread wine king queen child book song game sea moon"
WORDS = re.findall(r"\w+", NOUNS)
RANDOM = np.random.default_rng(11)
ENCODER = HashEncoder(32)


def sentences(n, length=6):
    return [" ".join(RANDOM.choice(WORDS, length)) for _ in range(n)]


def changed(text, words):
    """The text with some words replaced: the fewer, the nearer."""
    kept = text.split()
    for place in RANDOM.choice(len(kept), words, replace=False):
        kept[place] = RANDOM.choice(WORDS)
    return " ".join(kept)


def untied(query):
    """Five texts, of which no two are as near to a query."""
    while True:
        texts = [changed(query, words) for words in (1, 2, 3, 5, 6)]
        scores = np.sort(ENCODER.encode(texts).data @ ENCODER.encode(query).data[0])
        if np.diff(scores).min() > 1e-4:
            return texts


N = 80
LEFT = sentences(N)
CHANGES = RANDOM.integers(0, 6, N)
RIGHT = [changed(text, int(words)) for text, words in zip(LEFT, CHANGES, strict=True)]
GRADED = GradedPairs(name="made", pairs=list(zip(LEFT, RIGHT, strict=True)), scores=(5.0 - CHANGES).tolist())
LABELLED = LabelledPairs(name="made", pairs=GRADED.pairs, labels=(CHANGES < 3).tolist(), words=("other", "same"))
COSINES = (ENCODER.encode(LEFT).data.astype(float) * ENCODER.encode(RIGHT).data).sum(axis=1)


def test_every_task_gives_the_figures_that_are_said_of_it_before():
    from nearsense.evaluation import FIGURES, MAIN, require_figure

    texts = [f"{word} {place}" for place, word in enumerate(["dog", "cat", "tea", "moon"])]
    pairs, labels = list(zip(texts, texts[::-1], strict=True)), ["x", "x", "y", "y"]
    sets = [
        GradedPairs(pairs=pairs, scores=[1, 2, 3, 4]),
        LabelledPairs(pairs=pairs, labels=[0, 1, 0, 1]),
        Triplets(triplets=[tuple(texts[:3])] * 3),
        Retrieval(queries=texts[:3], judgements=[{"0": 1}] * 3, corpus={"0": texts[3], "1": texts[2]}),
        Rerank(queries=texts[:3], candidates=[texts[:2]] * 3, labels=[[True, False]] * 3),
        Intents(texts=[*texts, "rain"], labels=[*labels, None]),
        Clustering(texts=texts, labels=labels),
    ]
    assert {each.task for each in sets} == set(FIGURES) == set(MAIN)
    for each in sets:
        found = tuple(ns.evaluate(ENCODER, each, baselines=False, resamples=3).systems[0].figures)
        assert found == FIGURES[each.task]
        assert found[0] == MAIN[each.task]
        require_figure(found[-1], each)
    with pytest.raises(ns.errors.InputError, match="'auroc' is no figure of an intents data set"):
        require_figure("auroc", Intents(texts=texts, labels=labels))


def test_correlations_are_those_of_scipy():
    result = ns.evaluate(ENCODER, GRADED)
    assert np.allclose(result.system().scores, COSINES, atol=1e-6)
    assert result.figure().value == pytest.approx(spearmanr(result.system().scores, GRADED.scores)[0], abs=1e-6)
    assert result.figure("pearson").value == pytest.approx(pearsonr(COSINES, GRADED.scores)[0], abs=1e-6)
    overlap = [float(jaccard(a, [b])[0]) for a, b in GRADED.pairs]
    expected = spearmanr(overlap, GRADED.scores)[0]
    assert result.figure("spearman", "Jaccard").value == pytest.approx(expected, abs=1e-6)
    assert result.system().labels.tolist() == list(GRADED.scores)


def test_figures_of_labels_are_those_of_scikit_learn():
    result = ns.evaluate(ENCODER, LABELLED)
    truth = np.array(LABELLED.labels)
    assert result.main == "average_precision"
    assert result.figure().value == pytest.approx(average_precision_score(truth, COSINES), abs=1e-6)
    assert result.figure("roc_auc").value == pytest.approx(roc_auc_score(truth, COSINES), abs=1e-6)
    same = result.system().thresholds["best_accuracy"] <= COSINES
    assert result.figure("best_accuracy").value == pytest.approx((same == truth).mean(), abs=1e-6)


def test_a_triplet_is_right_where_the_positive_is_nearer():
    found = [(text, changed(text, 2), changed(text, 4)) for text in LEFT]
    result = ns.evaluate(ENCODER, Triplets(triplets=found))
    anchors, near, far = (ENCODER.encode([each[place] for each in found]).data for place in range(3))
    right = (anchors * near).sum(axis=1) > (anchors * far).sum(axis=1)
    assert result.figure("accuracy").value == pytest.approx(right.mean(), abs=1e-6)
    worst = result.system().mistakes
    assert all(mistake.size >= 0 for mistake in worst)
    assert [mistake.size for mistake in worst] == sorted((mistake.size for mistake in worst), reverse=True)


def made_retrieval():
    corpus = {f"d{row}": text for row, text in enumerate(sentences(40))}
    queries = [changed(text, 3) for text in list(corpus.values())[:15]]
    judgements = [{f"d{row}": 2, f"d{row + 15}": 1, f"d{row + 20}": 0} for row in range(15)]
    return Retrieval(name="made", queries=queries, judgements=judgements, corpus=corpus)


def test_ndcg_is_that_of_scikit_learn():
    data = made_retrieval()
    result = ns.evaluate(ENCODER, data)
    scores = ENCODER.encode(data.queries).data @ ENCODER.encode(list(data.corpus.values())).data.T
    truth = np.array([[judged.get(id_, 0) for id_ in data.corpus] for judged in data.judgements])
    assert result.figure("ndcg@10").value == pytest.approx(ndcg_score(truth, scores, k=10), abs=1e-6)
    assert [(each.name, each.kind) for each in result.systems[:3]] == [
        ("hash", Kind.MODEL),
        ("hash + BM25", Kind.FUSION),
        ("BM25", Kind.BASELINE),
    ]
    assert result.system("hash + BM25").seconds >= result.system("hash").seconds
    first = result.system().mistakes[0]
    assert first.texts[0] in data.queries
    assert len(first.texts) == 3


def test_judgements_of_what_is_not_in_the_corpus_are_refused():
    data = made_retrieval()
    corpus = {id_: text for id_, text in data.corpus.items() if id_ != "d0"}
    with pytest.raises(ns.errors.InputError, match="query 1: judged documents are not in the corpus: d0"):
        Retrieval(queries=data.queries, judgements=data.judgements, corpus=corpus)


def test_reranking_is_that_of_scikit_learn():
    candidates = [
        untied(text) for text in LEFT
    ]  # of equals scikit-learn makes one step, we the mean of all orders
    labels = [[bool(label) for label in RANDOM.permutation([1, 1, 0, 0, 0])] for _ in LEFT]
    result = ns.evaluate(ENCODER, Rerank(queries=LEFT, candidates=candidates, labels=labels))
    expected = []
    for query, own, truth in zip(LEFT, candidates, labels, strict=True):
        scores = ENCODER.encode(own).data @ ENCODER.encode(query).data[0]
        expected.append(average_precision_score(truth, scores))
    assert result.figure("map").value == pytest.approx(np.mean(expected), abs=1e-6)
    assert [each.name for each in result.systems] == [
        "hash",
        "BM25",
        "Jaccard",
        "TF-IDF words",
        "TF-IDF characters",
    ]


def made_intents(known):
    texts = [f"{WORDS[row % 4]} {WORDS[row % 4]} {WORDS[4 + row % 7]}" for row in range(60)]
    labels = [str(row % 4) if row % 10 else None for row in range(60)]
    if not known:
        return Intents(texts=texts, labels=labels)
    examples = [f"{WORDS[row % 4]} {word}" for row in range(12) for word in (WORDS[15 + row % 3],)]
    return Intents(
        texts=texts, labels=labels, known=examples, known_labels=tuple(str(row % 4) for row in range(12))
    )


@pytest.mark.parametrize("known", [True, False])
def test_the_nearest_known_text_answers_and_strangers_are_told_by_its_score(known):
    data = made_intents(known)
    result = ns.evaluate(ENCODER, data)
    inside = np.array([label is not None for label in data.labels])
    texts = data.known if known else [text for text, own in zip(data.texts, inside, strict=True) if own]
    labels = data.known_labels if known else [label for label in data.labels if label is not None]
    scores = ENCODER.encode(data.texts).data @ ENCODER.encode(texts).data.T
    if not known:
        scores[np.flatnonzero(inside), np.arange(inside.sum())] = -np.inf
    nearest, best = scores.argmax(axis=1), scores.max(axis=1)
    right = np.array([labels[place] == label for place, label in zip(nearest, data.labels, strict=True)])
    assert result.figure("accuracy").value == pytest.approx(right[inside].mean(), abs=1e-6)
    assert result.figure("auroc").value == pytest.approx(roc_auc_score(inside, result.system().scores), abs=1e-6)
    assert np.allclose(result.system().scores, best, atol=1e-6)
    false, true, _ = roc_curve(inside, result.system().scores)
    assert result.figure("false_accepts@95").value == pytest.approx(false[true >= 0.95].min(), abs=1e-6)


def test_clusters_of_our_k_means_are_judged_as_scikit_learn_does():
    labels = [row % 5 for row in range(60)]
    texts = [f"{WORDS[label]} {WORDS[label]} {WORDS[5 + row % 9]}" for row, label in enumerate(labels)]
    result = ns.evaluate(ENCODER, Clustering(texts=texts, labels=[f"c{label}" for label in labels]))
    vectors = ENCODER.encode(texts).data
    groups = spherical(vectors, 5).labels
    assert result.figure("v_measure").value == pytest.approx(v_measure_score(labels, groups), abs=1e-6)
    assert result.figure("adjusted_rand").value == pytest.approx(adjusted_rand_score(labels, groups), abs=1e-6)
    for system in result.systems:
        assert all(each.low <= each.value <= each.high for each in system.figures.values())
    assert "k-means of ns.cluster" in result.notes[-1]


def by_content(data):
    """The rows in the order in which they are drawn: of what they say, whatever the order of the file."""
    return sorted(range(len(data)), key=lambda row: repr((data.pairs[row], data.scores[row])))


def test_intervals_are_those_of_the_bootstrap_and_hold_their_figures():
    from nearsense import metrics

    result = ns.evaluate(ENCODER, GRADED, resamples=300, seed=4)
    order = by_content(GRADED)
    truth, scores = np.array(GRADED.scores)[order], result.system().scores[order]
    expected = metrics.bootstrap_pairs("spearman", truth, scores, resamples=300, seed=4)
    assert (result.figure().low, result.figure().high) == pytest.approx((expected.low, expected.high))
    for system in result.systems:
        assert all(each.low <= each.value <= each.high for each in system.figures.values())


def test_models_are_compared_by_the_paired_bootstrap():
    from nearsense import metrics

    other = HashEncoder(8, name="small")
    result = ns.evaluate([ENCODER, other], GRADED, resamples=300)
    assert (result.comparisons[0].first, result.comparisons[0].second) == ("hash", "small")
    assert len(result.comparisons) == 3  # and each against the best baseline
    order = by_content(GRADED)
    scores = [result.system(name).scores[order] for name in ("hash", "small")]
    statistics = [metrics.weighted_spearman(np.array(GRADED.scores)[order], own) for own in scores]
    expected = metrics.paired_bootstrap(*statistics, n=N, resamples=300)
    found = result.comparisons[0]
    assert (found.difference.value, found.difference.low, found.difference.high, found.p) == pytest.approx(
        (expected.value, expected.low, expected.high, expected.p)
    )


def test_the_same_model_twice_is_told_apart_and_no_better():
    result = ns.evaluate([ENCODER, ENCODER], GRADED, baselines=False)
    assert [each.name for each in result.systems] == ["hash", "hash (2)"]
    assert result.comparisons[0].p == 1.0


def test_the_worst_errors_are_the_largest():
    result = ns.evaluate(ENCODER, GRADED, errors=5)
    slope, offset = np.polyfit(COSINES, GRADED.scores, 1)
    off = np.abs(np.clip(slope * COSINES + offset, 0, 5) - GRADED.scores)
    expected = np.sort(off)[::-1][:5]
    assert [each.size for each in result.system().mistakes] == pytest.approx(expected, abs=1e-5)
    assert result.system().mistakes[0].texts == GRADED.pairs[int(off.argmax())]
    assert result.system("Jaccard").mistakes == ()
    assert ns.evaluate(ENCODER, GRADED, errors=0).system().mistakes == ()


def test_the_worst_errors_of_labels_lie_on_the_wrong_side_of_the_threshold():
    result = ns.evaluate(ENCODER, LABELLED, errors=100)
    same = result.system().thresholds["best_f1"] <= result.system().scores
    assert len(result.system().mistakes) == int((same != np.array(LABELLED.labels)).sum())
    assert {(each.prediction, each.truth) for each in result.system().mistakes} <= {
        ("other", "same"),
        ("same", "other"),
    }


def test_speed_and_cuts_stand_beside_the_figures(encoder):
    long = "word " * 400
    data = GradedPairs(pairs=[(long, "a"), ("b", "a"), ("c", long)], scores=[1, 2, 3])
    with pytest.warns(ns.errors.TruncationWarning):
        result = ns.evaluate(encoder, data, baselines=False)
    assert (result.system().texts, result.system().truncated) == (4, 1)
    assert result.system().texts_per_second > 0
    assert result.seconds >= result.system().seconds > 0
    assert result.system().fingerprint == encoder.fingerprint


def test_other_poolings_are_set_beside_a_model(encoder):
    result = ns.evaluate(encoder, GRADED, baselines="pooling")
    assert [each.name for each in result.systems if each.kind is Kind.POOLING] == [
        f"{encoder.name}, cls pooling"
    ]  # its own is the mean


def test_a_sample_is_judged_and_said_to_be_one():
    result = ns.evaluate(ENCODER, GRADED, limit=20)
    assert result.items == 20
    assert "A sample of 20 of 80 items" in result.notes[0]


def test_characters_are_left_out_where_they_are_too_many(monkeypatch):
    from nearsense.evaluation import systems

    monkeypatch.setattr(systems, "CHARACTERS", 100)
    result = ns.evaluate(ENCODER, GRADED)
    assert [each.name for each in result.systems] == ["hash", "Jaccard", "TF-IDF words"]
    assert "TF-IDF of characters was left out" in result.notes[0]


def test_a_result_is_json_and_its_raw_scores_only_where_asked_for():
    result = ns.evaluate(ENCODER, LABELLED)
    known = json.loads(json.dumps(result.to_dict(), allow_nan=False))
    assert known["systems"][0]["figures"]["roc_auc"].keys() == {"value", "low", "high"}
    assert "scores" not in known["systems"][0]
    raw = json.loads(json.dumps(result.to_dict(raw=True)))
    assert raw["systems"][0]["scores"] == result.system().scores.tolist()
    assert "average_precision" in str(result)


def test_a_figure_or_system_that_is_none_is_answered_with_those_there_are():
    result = ns.evaluate(ENCODER, GRADED)
    with pytest.raises(ns.errors.InputError, match="no figure of a graded") as refused:
        result.figure("accuracy")
    assert "spearman, pearson" in refused.value.fix
    with pytest.raises(ns.errors.InputError, match="no system is called"):
        result.system("other")


@in_turn(
    ("options", "what"),
    [
        ({"baselines": "all"}, "baselines='all' is not known"),
        ({"errors": -1}, "errors=-1"),
        ({"resamples": 0}, "resamples"),
        ({"limit": 2}, "limit=2"),
    ],
)
def test_options_that_are_none_are_refused_before_anything_is_encoded(options, what):
    encoder = HashEncoder()
    with pytest.raises(ns.errors.InputError, match=what):
        ns.evaluate(encoder, GRADED, **options)
    assert encoder.encoded == 0


def test_no_model_is_no_evaluation():
    with pytest.raises(ns.errors.InputError, match="no model to evaluate"):
        ns.evaluate([], GRADED)
