"""The same vectors through sentence-transformers' evaluators give the same figures to 1e-6."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

import nearsense as ns
from nearsense.datasets import GradedPairs, LabelledPairs, Rerank, Retrieval, Triplets

pytest.importorskip("sentence_transformers", reason="needs the extra 'test' (with torch)")

pytestmark = pytest.mark.slow  # it loads PyTorch; test_evaluate.py has scipy and scikit-learn


class AsSentenceTransformer:
    """Our encoder, behind what the evaluators ask of a SentenceTransformer."""

    similarity_fn_name = "cosine"
    model_card_data = SimpleNamespace(set_evaluation_metrics=lambda *_, **__: None)

    def __init__(self, encoder):
        self._encoder = encoder

    def encode(self, sentences, convert_to_tensor=False, **_options):
        import torch

        vectors = self._encoder.encode(sentences, long="head").data
        return torch.from_numpy(vectors) if convert_to_tensor else vectors

    encode_query = encode_document = encode

    def similarity(self, a, b):
        from sentence_transformers.util import cos_sim

        return cos_sim(a, b)


@pytest.fixture(scope="module")
def judged(exact):
    """What an evaluator says of our encoder, by the name of its class."""
    from sentence_transformers.sentence_transformer import evaluation

    return lambda name, *given, **options: getattr(evaluation, name)(*given, show_progress_bar=False, **options)(
        AsSentenceTransformer(exact)
    )


def test_graded_pairs(data, exact, judged):
    rows = data("stsb/en-dev")[::5]
    a, b, scores = ([row[name] for row in rows] for name in ("a", "b", "score"))
    expected = judged("EmbeddingSimilarityEvaluator", a, b, scores)
    result = ns.evaluate(exact, GradedPairs(pairs=list(zip(a, b, strict=True)), scores=scores), baselines=False)
    for name in ("spearman", "pearson"):
        assert result.figure(name).value == pytest.approx(expected[f"{name}_cosine"], abs=1e-6)


def test_labelled_pairs(data, exact, judged):
    rows = data("quora/dev")[:400]
    a, b, labels = ([row[name] for row in rows] for name in ("a", "b", "label"))
    expected = judged("BinaryClassificationEvaluator", a, b, labels)
    pairs = LabelledPairs(pairs=list(zip(a, b, strict=True)), labels=[bool(label) for label in labels])
    result = ns.evaluate(exact, pairs, baselines=False)
    names = {"average_precision": "ap", "best_f1": "f1", "best_accuracy": "accuracy"}
    for ours, theirs in names.items():
        assert result.figure(ours).value == pytest.approx(expected[f"cosine_{theirs}"], abs=1e-6)
    for ours, theirs in (("best_f1", "f1"), ("best_accuracy", "accuracy")):
        threshold = result.system().thresholds[ours]
        assert threshold == pytest.approx(expected[f"cosine_{theirs}_threshold"], abs=1e-5)


def test_triplets(data, exact, judged):
    rows = data("nli/snli-dev-triplets")[:300]
    columns = [[row[name] for row in rows] for name in ("anchor", "positive", "negative")]
    expected = judged("TripletEvaluator", *columns)
    result = ns.evaluate(exact, Triplets(triplets=list(zip(*columns, strict=True))), baselines=False)
    assert result.figure("accuracy").value == pytest.approx(expected["cosine_accuracy"], abs=1e-6)


def test_reranking(data, exact, judged):
    rows = [row for row in data("answer-selection/wikiqa-dev") if 0 < sum(row["labels"]) < len(row["labels"])][:60]
    samples = []
    for row in rows:
        sides = {0: [], 1: []}
        for text, label in zip(row["candidates"], row["labels"], strict=True):
            sides[label].append(text)
        samples.append({"query": row["query"], "positive": sides[1], "negative": sides[0]})
    expected = judged("RerankingEvaluator", samples, at_k=10)
    ours = Rerank(
        queries=[row["query"] for row in rows],
        candidates=[row["candidates"] for row in rows],
        labels=[[bool(label) for label in row["labels"]] for row in rows],
    )
    result = ns.evaluate(exact, ours, baselines=False)
    for name in ("map", "mrr@10", "ndcg@10"):
        assert result.figure(name).value == pytest.approx(expected[name], abs=1e-6)


def test_retrieval(data, exact, judged):
    corpus = {
        row["id"]: f"{row['title']} {row['text']}" for row in data("cranfield/corpus") if row["text"].strip()
    }
    corpus = dict(list(corpus.items())[:600])
    rows = [
        (row["query"], {id_: 1 for id_, grade in row["rel"].items() if grade > 0 and id_ in corpus})
        for row in data("cranfield/queries")
    ]
    rows = [(query, relevant) for query, relevant in rows if relevant][:80]
    expected = judged(
        "InformationRetrievalEvaluator",
        {str(row): query for row, (query, _) in enumerate(rows)},
        corpus,
        {str(row): set(relevant) for row, (_, relevant) in enumerate(rows)},
        precision_recall_at_k=[10, 100],
        map_at_k=[100],
    )
    ours = Retrieval(queries=[query for query, _ in rows], judgements=[each for _, each in rows], corpus=corpus)
    with np.errstate(all="ignore"):
        result = ns.evaluate(ns.load(long="head", precision="f32"), ours, baselines=False)
    for name in ("ndcg@10", "mrr@10", "recall@10", "recall@100", "map@100"):
        assert result.figure(name).value == pytest.approx(expected[f"cosine_{name}"], abs=1e-6)
