"""The second stage: a cross-encoder reads each hit beside the query and puts them in order. Not the finding.

`rerank` is the verb. `staged` is for those who search: it loads the cross-encoder first, says how many hits the
first stage has to find, and finishes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from nearsense._progress import Progress
from nearsense.checks import given_once, positive_int, threshold
from nearsense.corpus import Texts, as_documents, given_of
from nearsense.encoders import CrossEncoder, resolve_cross
from nearsense.errors import BrokenModel, InputError
from nearsense.records import CANDIDATES, Document, Hit, Origin, Ranking, Results
from nearsense.text import as_texts
from nearsense.ties import order_ties
from nearsense.vectors.rows import distinct

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from nearsense.calibrator import Calibrated
    from nearsense.corpus import TextColumn
    from nearsense.ties import Best

__all__ = ["Stages", "rerank", "rerank_many", "staged"]


def rerank(
    query: str,
    hits: Iterable[Hit] | Texts,
    *,
    text: TextColumn = None,
    encoder: CrossEncoder | str | None = None,
    k: int | None = None,
    calibration: Calibrated = None,
    prior: float | None = None,
    min_probability: float | None = None,
    min_score: float | None = None,
    progress: Progress = False,
    cross: CrossEncoder | str | None = None,
) -> Results[Hit]:
    """Put hits or texts in the order that a cross-encoder gives them.

    Args:
        query: What is looked for, in plain words.
        hits: What a search found; or strings or Documents, a Series, a path; or a frame, with `text`.
        text: The column of a frame or file that holds the texts; of several they are joined.
        encoder: A CrossEncoder, a model's name or its folder.
        k: How many to return; None for all.
        calibration: What turns the cross-encoder's scores into probabilities: what
            `ns.calibrate(pairs, encoder=model)` gave, its file, a task, or "none". Without it what the probe tells
            of the model: it is tried on that once.
        prior: The share of the hits that are right before their scores are seen, as in `ns.search`.
        min_probability: Leave out hits that are less probable, in [0, 1].
        min_score: Leave out hits that the cross-encoder gives less.
        progress: True for a bar on stderr, or a function called with (done, total).
        cross: The same as `encoder`, as it was called before; until 0.2.

    Returns:
        Hits, best first; of those that score alike first the one that is written like the query, then in the order
        they came in. Each says what differs from the query. `score` is the cross-encoder's: its range is the
        model's, and it compares with no other model's. `retrieval_score` is what the search gave a hit; None for a
        text.

    Raises:
        InputError: A text is empty or a hit has none, hits and texts are mixed, or k is below 1.
        ModelNotFound: The cross-encoder is neither here nor to be had; the message says how to get it.

    Example:
        >>> import nearsense as ns
        >>> hits = ns.search("capital of France", ["Paris is the capital.", "France has a capital."])
        >>> best = rerank("capital of France", hits, encoder="ms-marco-MiniLM-L6-v2")[0]  # doctest: +SKIP
        >>> best.score, best.retrieval_score                                               # doctest: +SKIP
        (8.6..., 0.7...)
    """
    sure: dict[str, Any] = {"calibration": calibration, "prior": prior, "min_probability": min_probability}
    model = given_once(encoder, cross, "encoder", "cross")
    found = [hits if text is None else as_documents(cast("Texts", hits), text)]
    return rerank_many([query], found, encoder=model, k=k, min_score=min_score, progress=progress, **sure)[0]


def rerank_many(
    queries: Iterable[str],
    hits: Iterable[Iterable[Hit] | Texts],
    *,
    encoder: CrossEncoder | str | None = None,
    k: int | None = None,
    calibration: Calibrated = None,
    prior: float | None = None,
    min_probability: float | None = None,
    min_score: float | None = None,
    progress: Progress = False,
    cross: CrossEncoder | str | None = None,
) -> list[Results[Hit]]:
    """As `rerank`, for many queries: all pairs are scored in one batch, and a pair that occurs again only once.

    Args:
        queries: What is looked for.
        hits: For each query its hits or texts.
        encoder: A CrossEncoder, a model's name or its folder.
        k: How many to return for each query; None for all.
        calibration: As for `rerank`.
        prior: As for `rerank`.
        min_probability: As for `rerank`.
        min_score: As for `rerank`.
        progress: True for a bar on stderr, or a function called with (done, total).
        cross: As for `rerank`.

    Raises:
        InputError: As for `rerank`, or there are not as many lists as queries.
        BrokenModel: The cross-encoder gives no finite number for each pair.

    Example:
        >>> class Length:
        ...     name, fingerprint, max_tokens = "length", "1", 512
        ...     def score(self, pairs, **options):
        ...         return [len(text) for query, text in pairs]
        >>> found = rerank_many(["a", "b"], [["dog", "horse"], ["cat"]], encoder=Length())
        >>> [[hit.text for hit in hits] for hits in found]
        [['horse', 'dog'], ['cat']]
    """
    from nearsense.calibration import Task
    from nearsense.calibrator import Calibrator

    calibrator = Calibrator(Task.PASSAGE, calibration, prior, min_probability)
    named = given_once(encoder, cross, "encoder", "cross")
    asked, lists = as_texts(queries, "query", content=True), list(hits)
    limit, least = None if k is None else positive_int(k, "k"), threshold(min_score)
    if len(lists) != len(asked):
        raise InputError(
            f"{len(asked):,} queries, {len(lists):,} lists of hits", fix="give one list for each query"
        )
    found, model = [_candidates(each) for each in lists], resolve_cross(named)
    ranked = at_least(least, _ranked(asked, found, model, limit, progress))
    judged = calibrator.hits(ranked, max(map(len, found), default=0), cross=model)
    for each, known in zip(judged, found, strict=True):
        each.given = known.given
    return judged


def at_least(min_score: float | None, found: list[Results[Hit]]) -> list[Results[Hit]]:
    """Without the hits that score less."""
    if min_score is None:
        return found
    return [Results((hit for hit in hits if hit.score >= min_score), hits.origin, hits.query) for hits in found]


def _ranked(
    queries: list[str], found: list[Results[Hit]], model: CrossEncoder, k: int | None, progress: Progress
) -> list[Results[Hit]]:
    """The candidates of each query in the order that a cross-encoder gives them, without probabilities."""
    pairs, rows = distinct(
        (query, hit.text or "") for query, each in zip(queries, found, strict=True) for hit in each
    )
    scores = np.split(_scores(model, pairs, progress)[rows], np.cumsum([len(each) for each in found])[:-1])
    return [
        Results(_best(query, each, own, k), _origin(model, each), query)
        for query, each, own in zip(queries, found, scores, strict=False)
    ]


@dataclass(frozen=True, slots=True)
class Stages:
    """A search in one stage, or in two: k hits of so many candidates, put in order by a cross-encoder."""

    k: int
    candidates: int
    min_score: float | None
    cross: CrossEncoder | None

    @property
    def depth(self) -> int:
        """How many hits the first stage has to find."""
        return self.k if self.cross is None else max(self.k, self.candidates)

    @property
    def floor(self) -> float | None:
        """What they have to score in it."""
        return self.min_score if self.cross is None else None

    def finish(self, found: list[Results[Hit]], progress: Progress = False) -> list[Results[Hit]]:
        """From what the first stage found to what was asked for."""
        if self.cross is not None:
            queries = [hits.query or "" for hits in found]
            found = _ranked(queries, [_candidates(each) for each in found], self.cross, self.k, progress)
        return at_least(self.min_score, found)


def staged(
    rerank: CrossEncoder | str | None, k: int, candidates: int = CANDIDATES, min_score: float | None = None
) -> Stages:
    """How a search with `rerank=` goes on; the cross-encoder is loaded here, before anything is searched.

    `min_score` is what a hit has to score in the end: of two stages, by the cross-encoder.
    """
    k, candidates = positive_int(k, "k"), positive_int(candidates, "candidates")
    if rerank is None and candidates != CANDIDATES:
        raise InputError(
            f"candidates={candidates} without rerank",
            why="candidates are the hits that a cross-encoder puts in order",
            fix='name one: rerank="ms-marco-MiniLM-L6-v2"; for more hits raise k',
        )
    return Stages(k, candidates, threshold(min_score), None if rerank is None else resolve_cross(rerank))


def _candidates(items: Iterable[Hit] | Texts) -> Results[Hit]:
    """What is to be put in order, as hits whose `retrieval_score` is what is known of them."""
    origin = items.origin if isinstance(items, Results) else _UNKNOWN
    if isinstance(items, (list, tuple)) and any(isinstance(item, Hit) for item in items):
        found = Results(_found(items), origin)
        found.given = items.given if isinstance(items, Results) else None
        return found
    documents = as_documents(cast("Texts", items))
    hits = (Hit(rank, each.id, 0.0, None, each.text, each.metadata) for rank, each in enumerate(documents, 1))
    found = Results(hits, origin)
    found.given = given_of(documents)
    return found


def _found(items: Sequence[str | Document | Hit]) -> Iterator[Hit]:
    for place, hit in enumerate(items):
        if not isinstance(hit, Hit):
            raise InputError(
                f"item {place} is of type {type(hit).__name__}, others are hits",
                why="hits have a score from a search, texts have none",
                fix="give hits, or texts",
            )
        if not hit.text or hit.text.isspace():
            raise InputError(
                f"hit {hit.id!r} has no text",
                why="a cross-encoder reads texts; of this one only the vector is known",
                fix="search where the texts are: search_vectors(..., documents=documents)",
            )
        yield replace(hit, retrieval_score=hit.score)


def _scores(cross: CrossEncoder, pairs: list[tuple[str, str]], progress: Progress) -> NDArray[np.float64]:
    if not pairs:
        return np.zeros(0)
    scores = np.asarray(cross.score(pairs, progress=progress), np.float64)
    if scores.shape != (len(pairs),) or not np.isfinite(scores).all():
        raise BrokenModel(
            f"{cross.name} gives no finite score for each of {len(pairs):,} pairs",
            why=f"what it gave has the shape {scores.shape}, {int(np.isfinite(scores).sum()):,} finite",
            fix="one finite number a pair is what score() has to return",
        )
    return scores


def _best(query: str, hits: Sequence[Hit], scores: NDArray[np.float64], k: int | None) -> Iterator[Hit]:
    """By score; of those that score alike the text that is written like the query, then as they came in."""
    order = np.argsort(-scores, kind="stable")

    def ask(_: NDArray[np.int64], depth: int) -> list[Best]:
        return [(order[:depth], scores[order[:depth]])]

    def written(rows: NDArray[np.int64]) -> list[str]:
        return [hits[row].text or "" for row in rows.tolist()]

    rows, ordered = order_ties([query], len(hits) if k is None else k, len(hits), ask, written)[0]
    for rank, (row, score) in enumerate(zip(rows.tolist(), ordered.tolist(), strict=True), 1):
        yield replace(hits[row], rank=rank, score=score, probability=None, interval=None)


def _origin(cross: CrossEncoder, hits: Results[Hit]) -> Origin:
    """The cross-encoder's; with what found the hits, where that is known."""
    before = hits.origin
    reranked = Origin(cross.name, cross.fingerprint, Ranking.CROSS)
    if before is _UNKNOWN:
        return reranked
    return replace(reranked, retrieved_by=before.model, retrieval_metric=before.metric)


_UNKNOWN = Origin("", "")
"""Of texts, and of hits in a plain list."""
