"""Ranked lists: against trec_eval's numbers, scikit-learn, sentence-transformers and by hand."""

import numpy as np
import pytest
import torch
from sentence_transformers.sentence_transformer.evaluation import InformationRetrievalEvaluator, RerankingEvaluator
from sklearn.metrics import ndcg_score

from nearsense import metrics
from nearsense.errors import InputError
from turns import in_turn

GRADES = [[3, 0, 2, 0, 1], [0, 0, 0, 1, 0], [1, 2, 0, 3, 0], [0, 0, 0, 0, 0]]
IDEAL = [[3, 3, 2, 1, 1], [1], [3, 2, 1], [2, 1]]
RELEVANT = [5, 1, 3, 2]
# What trec_eval (as pytrec_eval 0.5) says of these four queries.
TREC = {
    "ndcg_cut_10": [0.6537473184, 0.4306765581, 0.7463238208, 0.0],
    "ndcg_cut_3": [0.6787956981, 0.0, 0.4749950106, 0.0],
    "recip_rank": [1.0, 0.25, 1.0, 0.0],
    "recall_3": [0.4, 0.0, 2 / 3, 0.0],
    "P_3": [2 / 3, 0.0, 2 / 3, 0.0],
    "map": [0.4533333333, 0.25, 0.9166666667, 0.0],
    "map_cut_3": [1 / 3, 0.0, 2 / 3, 0.0],
}
OURS = {
    "ndcg_cut_10": lambda: metrics.ndcg(GRADES, IDEAL),
    "ndcg_cut_3": lambda: metrics.ndcg(GRADES, IDEAL, k=3),
    "recip_rank": lambda: metrics.reciprocal_rank(GRADES),
    "recall_3": lambda: metrics.recall(GRADES, RELEVANT, 3),
    "P_3": lambda: metrics.precision_at(GRADES, 3),
    "map": lambda: metrics.ranked_average_precision(GRADES, RELEVANT),
    "map_cut_3": lambda: metrics.ranked_average_precision(GRADES, RELEVANT, 3),
}


@in_turn("figure", list(TREC))
def test_the_figures_are_those_of_trec_eval(figure):
    ours = OURS[figure]()
    assert ours.dtype == np.float64
    np.testing.assert_allclose(ours, TREC[figure], atol=1e-9)


def test_ndcg_by_hand():
    gained = 3 / np.log2(2) + 2 / np.log2(4)
    best = 3 / np.log2(2) + 2 / np.log2(3)
    np.testing.assert_allclose(metrics.ndcg([[3, 0, 2]], [[2, 3]]), [gained / best])


@in_turn("k", [1, 5, 10, None])
def test_ndcg_is_scikit_learns_where_every_document_is_ranked(k):
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 4, (50, 20))
    truth[:, 0] = 1
    scores = rng.standard_normal(truth.shape)
    ranked = np.take_along_axis(truth, np.argsort(-scores, axis=1), axis=1)
    ours = metrics.ndcg(ranked, truth, k)
    np.testing.assert_allclose(ours.mean(), ndcg_score(truth, scores, k=k), atol=1e-12)
    np.testing.assert_allclose(ours[7], ndcg_score(truth[7:8], scores[7:8], k=k), atol=1e-12)


def test_the_means_are_those_of_sentence_transformers_information_retrieval():
    rng = np.random.default_rng(1)
    corpus = {f"d{i}": "" for i in range(40)}
    relevant = {f"q{i}": {f"d{j}" for j in rng.permutation(40)[: rng.integers(1, 9)]} for i in range(30)}
    evaluator = InformationRetrievalEvaluator(
        dict.fromkeys(relevant, ""),
        corpus,
        relevant,
        mrr_at_k=[3, 10],
        ndcg_at_k=[3, 10],
        precision_recall_at_k=[3, 10],
        map_at_k=[10],
    )
    ranked = [[f"d{j}" for j in rng.permutation(40)[:15]] for _ in evaluator.queries_ids]
    theirs = evaluator.compute_metrics(
        [[{"corpus_id": doc, "score": -float(i)} for i, doc in enumerate(docs)] for docs in ranked]
    )
    truth = [relevant[query] for query in evaluator.queries_ids]
    grades = [[doc in right for doc in docs] for docs, right in zip(ranked, truth, strict=True)]
    sizes = [len(right) for right in truth]
    for k in (3, 10):
        assert metrics.ndcg(grades, [[1] * n for n in sizes], k).mean() == pytest.approx(theirs["ndcg@k"][k])
        assert metrics.reciprocal_rank(grades, k).mean() == pytest.approx(theirs["mrr@k"][k])
        assert metrics.recall(grades, sizes, k).mean() == pytest.approx(theirs["recall@k"][k])
        assert metrics.precision_at(grades, k).mean() == pytest.approx(theirs["precision@k"][k])
    assert metrics.ranked_average_precision(grades, sizes, 10).mean() == pytest.approx(theirs["map@k"][10])


class Vectors:
    """A model whose texts are row numbers."""

    similarity_fn_name = None

    def __init__(self, rows):
        self.rows = rows

    def encode(self, texts, **_):
        return torch.tensor(self.rows[[int(text) for text in texts]])

    encode_query = encode_document = encode


def test_the_means_are_those_of_sentence_transformers_reranking():
    rng = np.random.default_rng(2)
    rows = rng.standard_normal((300, 8))
    numbers = iter(range(300))
    samples = [
        {
            "query": str(next(numbers)),
            "positive": [str(next(numbers)) for _ in range(3)],
            "negative": [str(next(numbers)) for _ in range(7)],
        }
        for _ in range(20)
    ]
    theirs = RerankingEvaluator(samples, at_k=5, show_progress_bar=False).compute_metrics(Vectors(rows))
    grades = []
    for sample in samples:
        texts = [*map(int, sample["positive"] + sample["negative"])]
        scores = metrics.cosine(rows[[int(sample["query"])]], rows[texts])[0]
        grades.append((np.arange(10) < 3)[np.argsort(-scores)])
    assert metrics.ndcg(grades, [[1, 1, 1]] * 20, 5).mean() == pytest.approx(theirs["ndcg"])
    assert metrics.reciprocal_rank(grades, 5).mean() == pytest.approx(theirs["mrr"])
    assert metrics.ranked_average_precision(grades, [3] * 20).mean() == pytest.approx(theirs["map"])


def test_lists_and_a_padded_matrix_are_the_same():
    ragged, padded = [[1, 0, 2], [0], []], np.array([[1, 0, 2], [0, 0, 0], [0, 0, 0]])
    ideal = [[2, 1], [1], [3]]
    np.testing.assert_array_equal(metrics.ndcg(ragged, ideal), metrics.ndcg(padded, ideal))
    np.testing.assert_array_equal(metrics.recall(ragged, [2, 1, 1], 2), [0.5, 0.0, 0.0])
    np.testing.assert_array_equal(metrics.reciprocal_rank([[], []]), [0.0, 0.0])


def test_negative_grades_are_not_relevant():
    np.testing.assert_array_equal(metrics.ndcg([[-1, 1]], [[1, -1]]), metrics.ndcg([[0, 1]], [[1]]))
    np.testing.assert_array_equal(metrics.precision_at([[-1, 1]], 2), [0.5])


@in_turn(
    ("call", "what"),
    [
        (lambda: metrics.ndcg([[1]], [[0]]), "query 0 has no relevant document"),
        (lambda: metrics.recall([[0], [0]], [1, 0], 3), "query 1 has no relevant document"),
        (lambda: metrics.ndcg([[1, 1]], [[1]]), "the ranking of query 0 holds better grades"),
        (lambda: metrics.recall([[1, 1]], [1], 3), "the ranking of query 0 holds more relevant documents"),
        (lambda: metrics.ndcg([[1], [1]], [[1]]), "grades has 2 items and ideal has 1"),
        (lambda: metrics.ndcg([1, 0], [[1]]), r"grades\[0\] must be a list"),
        (lambda: metrics.reciprocal_rank([[1, float("nan")]]), r"grades\[0\]\[1\] is nan"),
        (lambda: metrics.reciprocal_rank([["a"]]), r"grades\[0\] must hold numbers"),
        (lambda: metrics.reciprocal_rank([]), "grades holds no query"),
        (lambda: metrics.precision_at([[1]], 0), "k=0 is too small"),
    ],
)
def test_what_cannot_be_measured_is_refused_with_a_reason(call, what):
    with pytest.raises(InputError, match=what):
        call()
