"""What `sentence_transformers.util` is used for most: similarities, search, pairs, communities, of any embeddings.

Embeddings are arrays, tensors, or lists of these; one vector of shape (d,) is a batch of one. A vector of length
zero scores 0 with every other. Chunk sizes are understood, and not needed: memory is kept in bounds here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import numpy as np

from nearsense._forks import computing
from nearsense._progress import tracked
from nearsense.checks import positive_int
from nearsense.mining import nearest
from nearsense.records import Neighbours
from nearsense.vectors.rows import ZeroRow, as_rows, blocks, normalize
from nearsense.vectors.similarity import paired_similarity, similarity, top_k

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]

BLOCK = 1024
"""Rows that are compared with all others at once, where nobody says."""


class SimilarityFunction(StrEnum):
    """How embeddings compare; distances come negated."""

    COSINE = "cosine"
    DOT_PRODUCT = "dot"
    DOT = "dot"
    EUCLIDEAN = "euclidean"
    MANHATTAN = "manhattan"


def cos_sim(a: Any, b: Any) -> Any:
    """The cosine of every row of `a` with every row of `b`: (n, d) and (m, d) to a tensor of shape (n, m).

    Example:
        >>> cos_sim([[1.0, 0.0]], [[2.0, 0.0], [0.0, 3.0]]).tolist()
        [[1.0, 0.0]]
    """
    return as_tensor(similarity(_unit(a), _unit(b), "dot"))


def dot_score(a: Any, b: Any) -> Any:
    """The dot product of every row of `a` with every row of `b`: a tensor of shape (n, m)."""
    return as_tensor(similarity(as_batch(a), as_batch(b), "dot"))


def euclidean_sim(a: Any, b: Any) -> Any:
    """The negated Euclidean distance of every row of `a` to every row of `b`: a tensor of shape (n, m)."""
    return as_tensor(similarity(as_batch(a), as_batch(b), "euclidean"))


def manhattan_sim(a: Any, b: Any) -> Any:
    """The negated Manhattan distance of every row of `a` to every row of `b`: a tensor of shape (n, m)."""
    return as_tensor(similarity(as_batch(a), as_batch(b), "manhattan"))


def pairwise_cos_sim(a: Any, b: Any) -> Any:
    """The cosine of each row of `a` with that row of `b`: a tensor of shape (n,)."""
    return as_tensor(paired_similarity(_unit(a), _unit(b), "dot"))


def pairwise_dot_score(a: Any, b: Any) -> Any:
    """The dot product of each row of `a` with that row of `b`: a tensor of shape (n,)."""
    return as_tensor(paired_similarity(as_batch(a), as_batch(b), "dot"))


def pairwise_euclidean_sim(a: Any, b: Any) -> Any:
    """The negated Euclidean distance of each row of `a` to that row of `b`: a tensor of shape (n,)."""
    return as_tensor(paired_similarity(as_batch(a), as_batch(b), "euclidean"))


def pairwise_manhattan_sim(a: Any, b: Any) -> Any:
    """The negated Manhattan distance of each row of `a` to that row of `b`: a tensor of shape (n,)."""
    return as_tensor(paired_similarity(as_batch(a), as_batch(b), "manhattan"))


pytorch_cos_sim = cos_sim

SCORES: dict[str, tuple[Callable[[Any, Any], Any], Callable[[Any, Any], Any]]] = {
    "cosine": (cos_sim, pairwise_cos_sim),
    "dot": (dot_score, pairwise_dot_score),
    "euclidean": (euclidean_sim, pairwise_euclidean_sim),
    "manhattan": (manhattan_sim, pairwise_manhattan_sim),
}
"""What compares all rows with all, and row with row, by its name."""


def normalize_embeddings(embeddings: Any) -> Any:
    """Each row at length one: a tensor of shape (n, d); a row of length zero stays."""
    return as_tensor(_unit(embeddings))


def truncate_embeddings(embeddings: Any, truncate_dim: int | None) -> Any:
    """The first numbers of each row; all of them for None."""
    return embeddings[..., :truncate_dim]


def semantic_search(
    query_embeddings: Any,
    corpus_embeddings: Any,
    query_chunk_size: int = 100,
    corpus_chunk_size: int = 500_000,
    top_k: int = 10,
    score_function: Callable[[Any, Any], Any] = cos_sim,
) -> list[list[dict[str, int | float]]]:
    """The nearest rows of a corpus for each query.

    Args:
        query_embeddings: Shape (q, d), or (d,).
        corpus_embeddings: Shape (n, d).
        query_chunk_size: Queries that a `score_function` of yours is given at once; else not needed.
        corpus_chunk_size: Not needed.
        top_k: How many hits a query has at most.
        score_function: `cos_sim`, `dot_score`, ..., or your own: two embeddings to scores of shape (q, n).

    Returns:
        For each query its hits, best first: `{"corpus_id": row, "score": score}`.

    Example:
        >>> semantic_search([1.0, 0.0], [[0.0, 1.0], [2.0, 0.0]], top_k=1)
        [[{'corpus_id': 1, 'score': 1.0}]]
    """
    queries, corpus = as_batch(query_embeddings), as_batch(corpus_embeddings)
    found = _best(queries, corpus, positive_int(top_k, "top_k"), score_function, query_chunk_size)
    return [
        [{"corpus_id": row, "score": score} for row, score in zip(rows[:count], scores[:count], strict=True)]
        for rows, scores, count in zip(
            found.ids.tolist(), found.scores.tolist(), found.counts.tolist(), strict=True
        )
    ]


def paraphrase_mining(
    model: Any,
    sentences: Sequence[str],
    show_progress_bar: bool = False,
    batch_size: int = 32,
    query_chunk_size: int = 5000,
    corpus_chunk_size: int = 100_000,
    max_pairs: int = 500_000,
    top_k: int = 100,
    score_function: Callable[[Any, Any], Any] = cos_sim,
    truncate_dim: int | None = None,
    prompt_name: str | None = None,
    prompt: str | None = None,
) -> list[list[float | int]]:
    """The most similar pairs of many texts.

    `nearsense.duplicates` says besides how probable it is that the two say the same, and what differs.

    Args:
        model: What encodes them: a SentenceTransformer.
        sentences: The texts.
        show_progress_bar: Whether to show how far encoding is.
        batch_size: Not needed.
        query_chunk_size: As for `paraphrase_mining_embeddings`.
        corpus_chunk_size: Not needed.
        max_pairs: How many pairs at most, the best.
        top_k: How many others of each text make a pair with it.
        score_function: As for `semantic_search`.
        truncate_dim: As for `SentenceTransformer.encode`.
        prompt_name: As for `SentenceTransformer.encode`.
        prompt: As for `SentenceTransformer.encode`.

    Returns:
        `[score, i, j]` with i < j, best first.

    Example:
        >>> from nearsense.integrations.sentence_transformers import SentenceTransformer
        >>> texts = ["The cat sits outside", "I love pasta", "A cat is sitting outside"]
        >>> paraphrase_mining(SentenceTransformer("all-MiniLM-L6-v2"), texts)[0][1:]
        [0, 2]
    """
    embeddings = model.encode(
        sentences,
        show_progress_bar=show_progress_bar,
        batch_size=batch_size,
        truncate_dim=truncate_dim,
        prompt_name=prompt_name,
        prompt=prompt,
    )
    return paraphrase_mining_embeddings(
        embeddings, query_chunk_size, corpus_chunk_size, max_pairs, top_k, score_function
    )


def paraphrase_mining_embeddings(
    embeddings: Any,
    query_chunk_size: int = 5000,
    corpus_chunk_size: int = 100_000,
    max_pairs: int = 500_000,
    top_k: int = 100,
    score_function: Callable[[Any, Any], Any] = cos_sim,
) -> list[list[float | int]]:
    """As `paraphrase_mining`, of texts that are encoded: shape (n, d)."""
    data = as_batch(embeddings)
    if len(data) < 2:
        return []
    k = positive_int(top_k, "top_k")
    rows, others, scores = _near_pairs(data, k, score_function, query_chunk_size)
    low, high = np.minimum(rows, others), np.maximum(rows, others)
    _, first = np.unique(low * len(data) + high, return_index=True)
    best = first[np.argsort(-scores[first], kind="stable")][: positive_int(max_pairs, "max_pairs")]
    columns = (each[best].tolist() for each in (scores, low, high))
    return [[score, i, j] for score, i, j in zip(*columns, strict=True)]


def community_detection(
    embeddings: Any,
    threshold: float = 0.75,
    min_community_size: int = 10,
    batch_size: int = 1024,
    show_progress_bar: bool = False,
) -> list[list[int]]:
    """Groups of rows that are near a row in their middle; no row is in two.

    The row with the most others at `threshold` or above takes them; then the next that is left, as long as
    `min_community_size` are. `nearsense.cluster` finds groups without a threshold, and names them.

    Args:
        embeddings: Shape (n, d).
        threshold: The least cosine similarity to the middle.
        min_community_size: How many rows make a group, the middle one included.
        batch_size: Rows that are compared with all others at once.
        show_progress_bar: Whether to show how far it is.

    Returns:
        The groups, the largest first: row numbers, that of the middle first, then the nearest.

    Example:
        >>> community_detection([[1.0, 0.0], [0.99, 0.1], [0.0, 1.0]], min_community_size=2)
        [[0, 1]]
    """
    data, least = _unit(embeddings), positive_int(min_community_size, "min_community_size")
    if len(data) < least:
        return []
    sizes, limit = np.empty(len(data), np.int64), np.float32(threshold)
    with tracked(len(data), "rows", show_progress_bar) as update:
        for part in blocks(len(data), positive_int(batch_size, "batch_size")):
            with computing():
                sizes[part] = np.count_nonzero(data[part] @ data.T >= limit, axis=1)
            update(part.stop)
    taken, found = np.zeros(len(data), np.bool_), list[list[int]]()
    for middle in np.argsort(-sizes, kind="stable").tolist():
        if sizes[middle] < least:
            break
        if taken[middle]:
            continue
        scores = data @ data[middle]
        scores[taken] = -np.inf
        members = np.flatnonzero(scores >= limit)
        if len(members) < least:
            continue
        order = members[np.argsort(-scores[members], kind="stable")].tolist()
        found.append([middle, *(row for row in order if row != middle)])
        taken[found[-1]] = True
    return sorted(found, key=len, reverse=True)


def as_batch(embeddings: Any) -> Floats:
    """Embeddings of any kind as float32 of shape (n, d)."""
    if isinstance(embeddings, (list, tuple)) and any(hasattr(each, "detach") for each in embeddings):
        embeddings = np.stack([_as_array(each) for each in embeddings])
    rows = _as_array(embeddings)
    return np.ascontiguousarray(as_rows(np.atleast_2d(rows), "embeddings"), np.float32)


def as_tensor(values: NDArray[Any]) -> Any:
    """As a tensor where PyTorch is installed; else as it is."""
    from importlib import import_module

    try:
        return import_module("torch").from_numpy(np.ascontiguousarray(values))
    except ImportError:
        return values


def _as_array(embeddings: Any) -> NDArray[Any]:
    """A tensor of any device and precision as an array; all else as numpy takes it."""
    if hasattr(embeddings, "detach"):
        embeddings = embeddings.detach().float().cpu().numpy()
    return np.asarray(embeddings)


def _unit(embeddings: Any) -> Floats:
    return normalize(as_batch(embeddings), zero=ZeroRow.KEEP)


def _metric_of(score_function: Callable[[Any, Any], Any]) -> str | None:
    """What a function computes, where it is one of these; also sentence-transformers' own, by its name."""
    name = getattr(score_function, "__name__", "")
    own = score_function in [each for each, _ in SCORES.values()]
    theirs = getattr(score_function, "__module__", "").startswith("sentence_transformers.")
    names = {each.__name__: metric for metric, (each, _) in SCORES.items()}
    return names.get(name) if own or theirs else None


def _best(
    queries: Floats, corpus: Floats, k: int, score_function: Callable[[Any, Any], Any], chunk: int
) -> Neighbours:
    """The k best rows of a corpus for each query."""
    metric = _metric_of(score_function)
    if metric == "cosine":
        return top_k(_unit(queries), _unit(corpus), k, metric="dot")
    if metric is not None:
        return top_k(queries, corpus, k, metric=metric)
    k, parts = min(k, len(corpus)), []
    for part in blocks(len(queries), positive_int(chunk, "query_chunk_size")):
        scores = _as_array(score_function(as_tensor(queries[part]), as_tensor(corpus)))
        best = np.argsort(-scores, axis=1, kind="stable")[:, :k]
        parts.append((best, np.take_along_axis(scores, best, axis=1).astype(np.float32)))
    ids, values = (np.concatenate(each) for each in zip(*parts, strict=True))
    return Neighbours(ids.astype(np.int64), values, np.full(len(queries), k))


def _near_pairs(
    data: Floats, k: int, score_function: Callable[[Any, Any], Any], chunk: int
) -> tuple[NDArray[np.int64], NDArray[np.int64], Floats]:
    """Each row with its k nearest others, and their scores."""
    if _metric_of(score_function) == "cosine" and np.abs(data).max(axis=1).all():
        found = nearest(data, k)
        rows = np.repeat(np.arange(len(data)), found.ids.shape[1])
        return rows, found.ids.ravel(), found.scores.ravel()
    found = _best(data, data, k + 1, score_function, chunk)
    rows = np.repeat(np.arange(len(data)), found.ids.shape[1])
    others, scores = found.ids.ravel(), found.scores.ravel()
    own = others != rows
    own &= np.cumsum(own.reshape(found.ids.shape), axis=1).ravel() <= k  # a row that is not among its own best
    kept = own & (others >= 0)
    return rows[kept], others[kept], scores[kept]
