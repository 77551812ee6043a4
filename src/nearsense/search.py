"""The texts of a corpus that are nearest in sense to a query, exactly. Nothing is kept beyond a call."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import repeat
from typing import TYPE_CHECKING, Any

from nearsense._progress import Progress
from nearsense.checks import positive_int, threshold
from nearsense.corpus import Texts, as_documents, remember
from nearsense.encoders import CrossEncoder, Encoder, resolve
from nearsense.own_vectors import checked_vectors
from nearsense.records import CANDIDATES, Document, Hit, Origin, Results, Vectors
from nearsense.text import as_texts

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from nearsense.calibrator import Calibrated, Calibrator
    from nearsense.corpus import TextColumn
    from nearsense.reranking import Stages
    from nearsense.ties import Best

__all__ = ["rank", "search", "search_many", "search_vectors"]


def search(
    query: str,
    corpus: Texts,
    k: int = 10,
    *,
    text: TextColumn = None,
    encoder: Encoder | str | None = None,
    rerank: CrossEncoder | str | None = None,
    candidates: int = CANDIDATES,
    calibration: Calibrated = None,
    prior: float | None = None,
    min_probability: float | None = None,
    min_score: float | None = None,
    progress: Progress = False,
) -> Results[Hit]:
    """The k texts of a corpus that are nearest in sense to a query.

    Args:
        query: What is looked for, in plain words.
        corpus: Strings or Documents, a Series, a path; or a frame, with `text`.
        k: How many hits at most; at least 1.
        text: The column of a frame or file that holds the texts; of several they are joined.
        encoder: An Encoder or a model's name; the default model without it.
        rerank: A CrossEncoder or a model's name: it reads the candidates beside the query and puts them in order.
        candidates: How many hits it is given; only with `rerank`.
        calibration: What turns scores into probabilities: a Calibration, its file, "passage", "question",
            "paraphrase" or "none". Without it "passage", where it comes with the model.
        prior: The share of the hits that are right before their scores are seen, within (0, 1). Without it the
            calibration's own, or one right text among the nearest 10.
        min_probability: Leave out hits that are less probable, in [0, 1].
        min_score: Leave out hits that score less in the end: with `rerank`, by the cross-encoder.
        progress: True for a bar on stderr, or a function called with (done, total).

    Returns:
        Hits, best first; of those that score alike the text that is written like the query, then in the order of
        the corpus. Each says what differs from the query, which lowers its probability, not its score.

    Raises:
        InputError: A text is empty or cannot be encoded, ids repeat, or k is below 1.
        ModelNotFound: A model is neither here nor to be had; nothing was encoded then.

    Example:
        >>> import nearsense as ns
        >>> corpus = ["Reset your password here.", "We ship within two days.", "Refunds take a week."]
        >>> ns.search("I forgot my login", corpus, k=1)[0].text
        'Reset your password here.'
    """
    return search_many(
        [query],
        corpus,
        k,
        text=text,
        encoder=encoder,
        rerank=rerank,
        candidates=candidates,
        calibration=calibration,
        prior=prior,
        min_probability=min_probability,
        min_score=min_score,
        progress=progress,
    )[0]


def search_many(
    queries: Iterable[str],
    corpus: Texts,
    k: int = 10,
    *,
    text: TextColumn = None,
    encoder: Encoder | str | None = None,
    rerank: CrossEncoder | str | None = None,
    candidates: int = CANDIDATES,
    calibration: Calibrated = None,
    prior: float | None = None,
    min_probability: float | None = None,
    min_score: float | None = None,
    progress: Progress = False,
) -> list[Results[Hit]]:
    """The k nearest texts for each of many queries; the corpus is encoded once.

    Args:
        queries: What is looked for.
        corpus: Strings or Documents, a Series, a path; or a frame, with `text`.
        k: How many hits at most; at least 1.
        text: The column of a frame or file that holds the texts; of several they are joined.
        encoder: An Encoder or a model's name; the default model without it.
        rerank: A CrossEncoder or a model's name: it reads the candidates beside the query and puts them in order.
        candidates: How many hits it is given; only with `rerank`.
        calibration: What turns scores into probabilities: a Calibration, its file, "passage", "question",
            "paraphrase" or "none". Without it "passage", where it comes with the model.
        prior: The share of the hits that are right before their scores are seen, within (0, 1). Without it the
            calibration's own, or one right text among the nearest 10.
        min_probability: Leave out hits that are less probable, in [0, 1].
        min_score: Leave out hits that score less in the end: with `rerank`, by the cross-encoder.
        progress: True for a bar on stderr, or a function called with (done, total).

    Returns:
        One list of hits a query, in the order of the queries.

    Raises:
        InputError: A text is empty or cannot be encoded, ids repeat, or k is below 1.
        ModelNotFound: A model is neither here nor to be had; nothing was encoded then.

    Example:
        >>> import nearsense as ns
        >>> found = ns.search_many(["feline", "canine"], ["a dog", "a cat"], k=1)
        >>> [hits[0].text for hits in found]
        ['a cat', 'a dog']
    """
    queries, documents = checked_queries(queries, k), as_documents(corpus, text)
    from nearsense.calibration import Task
    from nearsense.calibrator import Calibrator
    from nearsense.reranking import staged

    calibrator = Calibrator(Task.PASSAGE, calibration, prior, min_probability)
    stages, encoder = staged(rerank, k, candidates, min_score), resolve(encoder)
    vectors = encoder.encode((document.text for document in documents), role="passage", progress=progress)
    return search_encoded(queries, vectors, documents, stages, calibrator, encoder, progress)


def search_vectors(
    queries: Iterable[str],
    vectors: Vectors,
    k: int = 10,
    *,
    documents: Texts | None = None,
    text: TextColumn = None,
    encoder: Encoder | str | None = None,
    calibration: Calibrated = None,
    prior: float | None = None,
    min_probability: float | None = None,
    min_score: float | None = None,
) -> list[Results[Hit]]:
    """Search in vectors that were encoded before.

    Args:
        queries: What is looked for.
        vectors: n vectors; made by the same model as `encoder`.
        k: How many hits at most; at least 1.
        documents: The n documents they belong to, as `search` takes them; without them hits have a row number as
            id, and no text.
        text: The column of a frame or file of documents that holds the texts.
        encoder: An Encoder or a model's name; the default model without it.
        calibration: As for `search`.
        prior: As for `search`.
        min_probability: As for `search`.
        min_score: As for `search`.

    Raises:
        ModelMismatch: The vectors, or the calibration, are of another model.
        InputError: A query is empty or cannot be encoded, there are not as many documents as vectors, or k is
            below 1.

    Example:
        >>> import nearsense as ns
        >>> texts = ["a dog", "a cat"]
        >>> vectors = ns.load().encode(texts)
        >>> ns.search_vectors(["feline"], vectors, k=1)[0][0].id
        '1'
    """
    from nearsense.calibration import Task
    from nearsense.calibrator import Calibrator
    from nearsense.reranking import staged

    calibrator = Calibrator(Task.PASSAGE, calibration, prior, min_probability)
    stages, queries, encoder = staged(None, k, min_score=min_score), checked_queries(queries, k), resolve(encoder)
    known = None if documents is None else as_documents(documents, text)
    return search_encoded(queries, vectors, known, stages, calibrator, encoder)


def search_encoded(
    queries: Sequence[str],
    vectors: Vectors,
    documents: Sequence[Document] | None,
    stages: Stages,
    calibrator: Calibrator,
    encoder: Encoder,
    progress: Progress = False,
) -> list[Results[Hit]]:
    """The hits of queries that are checked, in one stage or two, with their probabilities."""
    from nearsense.calibration import background_of

    found = _nearest(queries, vectors, documents, stages.depth, encoder)
    judged = calibrator.hits(
        stages.finish(found, progress),
        len(vectors),
        lambda: background_of(vectors, sample=250),
        encoder=None if stages.cross else encoder,
        cross=stages.cross,
    )
    remember(judged, documents or ())
    return judged


def checked_queries(queries: Iterable[str], k: int) -> list[str]:
    """The queries, checked together with k before anything costly is done for them."""
    positive_int(k, "k")
    return as_texts(queries, "query", content=True)


def _nearest(
    queries: Sequence[str],
    vectors: Vectors,
    known: Sequence[Document] | None,
    k: int,
    encoder: Encoder,
) -> list[Results[Hit]]:
    """The k nearest of each query, without probabilities."""
    from nearsense.ties import order_ties
    from nearsense.vectors.similarity import top_k

    rows = len(vectors) if known is None and isinstance(vectors, Vectors) else len(known or ())
    checked_vectors(vectors, rows, whose="documents")
    asked = encoder.encode(queries, role="query")
    asked.require_same_model(vectors)
    metric = encoder.similarity

    def ask(which: NDArray[np.int64], depth: int) -> list[Best]:
        best = top_k(asked.data[which], vectors.data, depth, metric=metric)
        columns = zip(best.ids, best.scores, best.counts.tolist(), strict=True)
        return [(rows[:count], scores[:count]) for rows, scores, count in columns]

    def written(rows: NDArray[np.int64]) -> list[str]:
        return ["" if known is None else known[row].text for row in rows.tolist()]

    origin, best = (
        Origin(encoder.name, vectors.fingerprint, metric),
        order_ties(queries, k, len(vectors), ask, written),
    )
    return [
        Results(map(_hit, range(1, len(rows) + 1), rows.tolist(), scores.tolist(), repeat(known)), origin, query)
        for query, (rows, scores) in zip(queries, best, strict=True)
    ]


def rank(
    reference: str,
    candidates: Texts,
    k: int | None = None,
    *,
    text: TextColumn = None,
    encoder: Encoder | str | None = None,
    calibration: Calibrated = None,
    prior: float | None = None,
    min_probability: float | None = None,
    min_score: float | None = None,
    progress: Progress = False,
) -> Results[Hit]:
    """All candidates by how near they are to a reference, best first.

    The same as `search` with every candidate in the answer; probabilities, and what differs, are those of
    `compare`. Of candidates that score alike the one that is written like the reference comes first.

    Args:
        reference: The text that all are compared with.
        candidates: Strings or Documents, a Series, a path; or a frame, with `text`.
        k: How many to return; None for all.
        text: The column of a frame or file that holds the texts; of several they are joined.
        encoder: An Encoder or a model's name; the default model without it.
        calibration: As for `compare`.
        prior: As for `compare`.
        min_probability: Leave out candidates that are less probable to mean the same, in [0, 1].
        min_score: Leave out candidates that score less.
        progress: True for a bar on stderr, or a function called with (done, total).

    Raises:
        InputError: A text is empty or cannot be encoded, ids repeat, or k is below 1.

    Example:
        >>> import nearsense as ns
        >>> for hit in ns.rank("How do I train a neural network?",
        ...                    ["I enjoy hiking on weekends.", "Steps to build a deep learning model."]):
        ...     print(hit)
          1  0.56...   ... %  Steps to build a deep learning model.
          2  -0.10...   <1 %  I enjoy hiking on weekends.
    """
    documents, encoder = as_documents(candidates, text), resolve(encoder)
    checked_queries([reference], 1 if k is None else k)
    min_score = threshold(min_score)
    vectors = encoder.encode((document.text for document in documents), role="passage", progress=progress)
    sure: dict[str, Any] = {"calibration": calibration, "prior": prior, "min_probability": min_probability}
    return rank_vectors(reference, vectors, documents, k, encoder=encoder, min_score=min_score, **sure)


def rank_vectors(
    reference: str,
    vectors: Vectors,
    documents: Sequence[Document],
    k: int | None,
    *,
    encoder: Encoder,
    calibration: Calibrated,
    prior: float | None,
    min_probability: float | None,
    min_score: float | None = None,
) -> Results[Hit]:
    """As `rank`, of candidates that were encoded before."""
    from nearsense.calibration import Task
    from nearsense.calibrator import Calibrator
    from nearsense.reranking import at_least

    calibrator = Calibrator(Task.PARAPHRASE, calibration, prior, min_probability)
    depth = max(len(documents), 1) if k is None else k
    found = _nearest(checked_queries([reference], depth), vectors, documents, depth, encoder)
    judged = calibrator.hits(at_least(min_score, found), None, encoder=encoder)
    remember(judged, documents)
    return judged[0]


def _hit(rank: int, row: int, score: float, documents: Sequence[Document] | None) -> Hit:
    if documents is None:
        return Hit(rank, str(row), score, None, None)
    document = documents[row]
    return Hit(rank, document.id, score, None, document.text or None, document.metadata)
