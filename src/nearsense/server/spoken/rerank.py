"""Cohere's, Jina's and TEI's rerank: documents in the order in which they answer a query, scored in [0, 1].

By a cross-encoder where the operator named one, else by the vectors of the first model; the answer says which.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import numpy as np

from nearsense.errors import UnsupportedModel
from nearsense.kinds import Metric
from nearsense.server.spoken.embedding import checked_texts, model_called
from nearsense.server.spoken.endpoint import Said, Wrong, post
from nearsense.server.spoken.messages import UNSET, RerankAnswer, RerankRequest, RerankResult, TextRank, Usage
from nearsense.server.work import Work

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from starlette.requests import Request
    from starlette.routing import Route

    from nearsense.encoders import CrossEncoder
    from nearsense.records import Hit
    from nearsense.server.service import Service
    from nearsense.server.settings import ServerSettings

__all__ = ["routes"]

OWN = "the cross-encoder's score"
LOGISTIC = "the logistic function of the cross-encoder's score"
RANKED = "Documents in the order in which they answer a query"
COSINE = "cosine similarity, 0 where it is negative"


@dataclass(frozen=True, slots=True)
class Ranked:
    """Documents in their order: the hits of a verb, what each scores in [0, 1], and what that is."""

    model: str
    scored_by: str
    hits: Sequence[Hit]
    scores: list[float]
    tokens: int


def routes(service: Service, settings: ServerSettings) -> list[Route]:
    """The three routes. Answers hold the documents unless that is refused; of the newest only if asked for."""

    async def ranked(asked: RerankRequest, request: Request) -> Ranked:
        param = "documents" if asked.texts is None else "texts"
        given = asked.documents if asked.texts is None else asked.texts
        if asked.documents is not None and asked.texts is not None:
            raise Wrong("texts", "documents and texts are two names of one thing", fix="give one of them")
        if given is None:
            raise Wrong(param, "documents are missing", fix='give "documents", a list of texts')
        if asked.top_n is not None and asked.top_n < 1:
            raise Wrong("top_n", f"top_n={asked.top_n} is below 1", fix="give 1 or more, or leave it out")
        query = checked_texts([_text_of(asked.query, None, "query")], 1, "query")[0]
        texts = [_text_of(each, asked.rank_fields, f"{param}[{place}]") for place, each in enumerate(given)]
        checked_texts(texts, settings.max_texts, param)
        count = len(texts) if asked.top_n is None else min(asked.top_n, len(texts))
        work = Work(settings.deadline)
        return await service.pool.run_for(request, work, rank, service, asked.model, query, texts, count)

    async def jina(asked: RerankRequest, request: Request) -> RerankAnswer | list[TextRank]:
        found = await ranked(asked, request)
        if asked.texts is not None:
            return _as_tei(asked, found)
        return _as_cohere(asked, found, shown=asked.return_documents is not False)

    async def cohere(asked: RerankRequest, request: Request) -> RerankAnswer:
        return _as_cohere(asked, await ranked(asked, request), shown=asked.return_documents is True)

    either = RerankAnswer | list[TextRank]
    return [
        post("/rerank", Said("rerank", f"{RANKED}, as Jina and TEI say it.", either), RerankRequest, jina),
        post(
            "/v1/rerank",
            Said("rerank_v1", f"{RANKED}, as Jina and Cohere's v1 say it.", either),
            RerankRequest,
            jina,
        ),
        post(
            "/v2/rerank",
            Said("rerank_v2", f"{RANKED}, as Cohere's v2 says it.", RerankAnswer),
            RerankRequest,
            cohere,
        ),
    ]


def rank(service: Service, name: str | None, query: str, texts: list[str], count: int) -> Ranked:
    """The `count` texts that answer a query best."""
    cross = next(iter(service.crosses), None) if name is None else name
    if cross is not None and cross in service.crosses:
        return _by_cross(service.crosses[cross], cross, query, texts, count)
    from nearsense.search import search

    called, model = model_called(service, name)
    encoder = service.queue(model.with_similarity(Metric.COSINE)).encoder()
    hits = search(query, texts, count, encoder=encoder)
    scores = [min(1.0, max(0.0, hit.score)) for hit in hits]
    return Ranked(called, COSINE, hits, scores, _counted(model.count_tokens, [query, *texts]))


def _by_cross(cross: CrossEncoder, name: str, query: str, texts: list[str], count: int) -> Ranked:
    """By a model that reads the query and a text together."""
    from nearsense.reranking import rerank

    hits = rerank(query, texts, encoder=cross, k=count)
    scores = np.array([hit.score for hit in hits])
    tokens = _counted(cross.count_tokens, [(query, text) for text in texts])
    if _gives_shares(cross):
        return Ranked(name, OWN, hits, scores.tolist(), tokens)
    return Ranked(name, LOGISTIC, hits, _logistic(scores).tolist(), tokens)


@functools.lru_cache(maxsize=8)
def _gives_shares(cross: CrossEncoder) -> bool:
    """Whether its scores are logistic functions of its own numbers already, and so lie in [0, 1]."""
    pairs = [("a question", "an answer"), ("a question", "something else")]
    own = np.asarray(cross.score(pairs), np.float64)
    return bool(np.allclose(own, _logistic(np.asarray(cross.score(pairs, logits=True), np.float64)), atol=1e-4))


def _logistic(x: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(np.exp(-np.logaddexp(0.0, -x)))


def _counted(count: Any, items: list[Any]) -> int:
    """How many tokens there are; 0 of a model that cannot count."""
    try:
        return int(count(items).sum())
    except UnsupportedModel:
        return 0


def _text_of(given: str | dict[str, Any], fields: list[str] | None, param: str) -> str:
    """A text, or that of an object: those of its fields that were named, a line each, else its field "text"."""
    if isinstance(given, str):
        return given
    named, usual = ([given.get(field) for field in each] for each in (fields or (), ("text",)))
    texts = [each for each in named if isinstance(each, str)] or [each for each in usual if isinstance(each, str)]
    if not texts:
        raise Wrong(param, f"{param} has no text", fix='give a text, {"text": "..."}, or name "rank_fields"')
    return "\n".join(texts)


def _as_cohere(asked: RerankRequest, found: Ranked, *, shown: bool) -> RerankAnswer:
    given = asked.documents if asked.documents is not None else asked.texts or []
    results = []
    for hit, score in zip(found.hits, found.scores, strict=True):
        document = given[index := int(hit.id)]
        as_object = {"text": document} if isinstance(document, str) else document
        known = hit.probability, hit.differs
        results.append(RerankResult(index, score, *known, as_object if shown else UNSET))
    units = {"search_units": -(-len(given) // 100)}
    meta = {"api_version": {"version": "2"}, "billed_units": units}
    usage = Usage(found.tokens, found.tokens)
    return RerankAnswer(str(uuid4()), found.model, results, found.scored_by, usage, meta)


def _as_tei(asked: RerankRequest, found: Ranked) -> list[TextRank]:
    rows = zip(found.hits, found.scores, strict=True)
    return [
        TextRank(
            int(hit.id), hit.score if asked.raw_scores else score, (hit.text or "") if asked.return_text else UNSET
        )
        for hit, score in rows
    ]
