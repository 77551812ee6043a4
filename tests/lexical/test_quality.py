"""How good the rankings are, on judged queries: Cranfield and SciFact, against published figures."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import ndcg_score

from nearsense.lexical import Postings, Segment, bm25, reciprocal_rank_fusion
from nearsense.metrics import top_k


class Judged:
    """Documents (title and text), queries, and the grade of each document for each query."""

    def __init__(self, corpus, queries):
        queries = [query for query in queries if any(query["rel"].values())]
        place = {document["id"]: row for row, document in enumerate(corpus)}
        self.texts = [f"{document['title']} {document['text']}".strip() for document in corpus]
        self.queries = [query["query"] for query in queries]
        self.grades = np.zeros((len(queries), len(corpus)))
        for row, query in enumerate(queries):
            for document, grade in query["rel"].items():
                self.grades[row, place[document]] = grade

    def lexical(self, k):
        segment = Segment(Postings.build(self.texts))
        return [bm25(query, [segment], k).ids[0] for query in self.queries]

    def ndcg(self, rankings):
        """Mean nDCG@10, x100, by scikit-learn; what a ranking lacks is behind all it holds."""
        scores = np.zeros_like(self.grades)
        for row, ranking in enumerate(rankings):
            ranking = ranking[ranking >= 0]
            scores[row, ranking] = np.arange(len(ranking), 0, -1)
        return 100 * ndcg_score(self.grades, scores, k=10)


@pytest.fixture(scope="module")
def cranfield(data):
    return Judged(data("cranfield/corpus"), data("cranfield/queries"))


@pytest.fixture(scope="module")
def scifact(data):
    return Judged(data("scifact/corpus"), data("scifact/queries-train"))


def test_cranfield_is_ranked_as_well_as_published(cranfield):
    assert cranfield.ndcg(cranfield.lexical(10)) >= 37.0  # 35.31 published, without stems


@pytest.mark.slow
def test_scifact_is_ranked_as_well_as_published(scifact):
    assert scifact.ndcg(scifact.lexical(10)) >= 69.0  # 66.5 published, on other queries


@pytest.mark.slow
def test_words_and_meaning_together_rank_cranfield_better_than_each(cranfield, encoder):
    vectors, asked = (encoder.encode(texts, long="head").data for texts in (cranfield.texts, cranfield.queries))
    dense, lexical = top_k(asked, vectors, 1000).ids, cranfield.lexical(1000)
    assert cranfield.ndcg(dense) == pytest.approx(39.6, abs=0.1)  # 39.60 published
    for depth in (100, 1000):
        both = ((near[:depth], found[:depth]) for near, found in zip(dense, lexical, strict=True))
        fused = [reciprocal_rank_fusion(rankings, 10)[0] for rankings in both]
        assert cranfield.ndcg(fused) >= 42.5  # 42.29 published
