"""How good the answers are, on judged questions: the published figures, reached through a collection."""

from __future__ import annotations

import numpy as np
import pytest

import nearsense as ns


def ndcg_at_10(found: list[str], grades: dict[str, float]) -> float:
    """Järvelin and Kekäläinen 2002, with the gain as it is judged."""
    gains = [grades.get(id_, 0) for id_ in found[:10]]
    best = sorted(grades.values(), reverse=True)[:10]
    return discounted(gains) / discounted(best)


def discounted(gains: list[float]) -> float:
    return sum(gain / np.log2(place) for place, gain in enumerate(gains, 2))


def test_ndcg_is_that_of_scikit_learn():
    metrics = pytest.importorskip("sklearn.metrics")
    rng = np.random.default_rng(0)
    for _ in range(20):
        grades, scores = rng.integers(0, 4, 30), rng.permutation(30)
        if not grades.any():
            continue
        found = [str(row) for row in np.argsort(-scores)]
        named = {str(row): float(grade) for row, grade in enumerate(grades) if grade}
        assert ndcg_at_10(found, named) == pytest.approx(metrics.ndcg_score([grades], [scores], k=10))


@pytest.mark.filterwarnings("ignore:these texts are unlike")
@pytest.mark.slow
def test_cranfield_by_meaning_by_words_and_by_both(data, tmp_path):
    """Published for this set and model: dense 39.60, BM25 35.31, both fused 42.29."""
    corpus, queries = data("cranfield/corpus"), data("cranfield/queries")
    documents = [
        ns.Document(row["id"], f"{row['title']} {row['text']}".strip())
        for row in corpus
        if f"{row['title']} {row['text']}".strip()
    ]
    with ns.open(tmp_path / "cranfield", encoder=ns.load(long="head")) as collection:
        collection.add(documents)
        collection.build()
        reached = {}
        for mode in ("dense", "lexical", "hybrid"):
            found = collection.search_many([query["query"] for query in queries], k=10, mode=mode)
            scores = [
                ndcg_at_10([hit.id for hit in hits], query["rel"])
                for hits, query in zip(found, queries, strict=True)
                if any(query["rel"].values())
            ]
            reached[mode] = 100 * float(np.mean(scores))
    print(reached)
    assert reached["dense"] == pytest.approx(39.6, abs=0.3)
    assert reached["lexical"] >= 35
    assert reached["hybrid"] >= 42
