"""The routes of the verbs: a request of its type, the verb in a thread, the result's own JSON. Nothing else."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response
from starlette.routing import BaseRoute
from starlette.types import ASGIApp, Receive, Scope, Send

from nearsense import kinds
from nearsense.clustering.clusters import cluster
from nearsense.collection import Collection
from nearsense.compare import compare, compare_pairs
from nearsense.deduplication.steps import duplicates
from nearsense.encoders.cache import CachedEncoder
from nearsense.errors import InputError, NearsenseError
from nearsense.explanation import explain
from nearsense.prompt_context import context
from nearsense.records import Document, Hit, Mode, Results, Vectors
from nearsense.render.results import hits_document
from nearsense.search import rank
from nearsense.server import requests
from nearsense.server.decisions import Decisions
from nearsense.server.described import operation
from nearsense.server.errors import JSON, Refused, error_response
from nearsense.server.safety import again
from nearsense.server.service import Service
from nearsense.server.settings import ServerSettings
from nearsense.server.work import Ahead, Pool, Work, progress

__all__ = ["VERBS", "Verb", "endpoints", "pool_of", "routes"]


@dataclass(frozen=True, slots=True)
class Verb:
    """One route.

    Args:
        name: The last part of its path, which is the verb's name.
        said: A line of what it does.
        asked: The type of its requests.
        answer: What answers one, as JSON values.
        slow: Whether it looks through whole collections, and waits in a line of its own.
        ahead: What of a request can be encoded with that of others; None: nothing.
    """

    name: str
    said: str
    asked: type[requests.Request]
    answer: Callable[[Service, Any], dict[str, Any]]
    slow: bool = False
    ahead: Callable[[Service, Any], Ahead | None] | None = None


def routes(service: Service, settings: ServerSettings) -> list[BaseRoute]:
    """The routes of all verbs, under /v1."""
    router = APIRouter(prefix="/v1", tags=["verbs"])
    for verb in VERBS:
        router.add_api_route(
            f"/{verb.name}",
            _endpoint(verb, service, settings),
            methods=["POST"],
            name=verb.name,
            **operation(verb.name, verb.said, key=kinds.Scope.READ),
        )
    return router.routes


def endpoints(service: Service, settings: ServerSettings, otherwise: ASGIApp) -> dict[str, ASGIApp]:
    """What answers a POST, by its path: what is not of its type goes to the application, which says why."""
    return {f"/v1/{each.name}": _Straight(each, _endpoint(each, service, settings), otherwise) for each in VERBS}


class _Straight:
    """A verb's route without the framework's steps from a body to its type, which take as long as some verbs."""

    def __init__(self, verb: Verb, endpoint: Callable[..., Any], otherwise: ASGIApp) -> None:
        self._asked, self._endpoint, self._otherwise = verb.asked, endpoint, otherwise
        self.path = f"/v1/{verb.name}"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        body = await request.body()
        try:
            declared = request.headers.get("content-type", "")
            asked = self._asked.model_validate_json(body) if declared == JSON.media_type else None
        except ValueError:
            asked = None
        if asked is None:
            await self._otherwise(scope, again(body, receive), send)
            return
        scope["route"] = self  # for the log: it has a path
        try:
            response = await self._endpoint(asked, request)
        except NearsenseError as error:
            response = error_response(error)
        await response(scope, receive, send)


def _endpoint(verb: Verb, service: Service, settings: ServerSettings) -> Callable[..., Any]:
    seconds = settings.slow_deadline if verb.slow else settings.deadline

    async def endpoint(asked: Any, request: Request) -> Response:
        pool = pool_of(verb, service)
        if verb.slow and getattr(asked, "collection", None):
            pool = service.slow
        work = Work(seconds)
        ahead = verb.ahead(service, asked) if verb.ahead is not None else None
        return await pool.run_for(request, work, _answered, verb, service, asked, work, ahead=ahead)

    endpoint.__annotations__ = {"asked": verb.asked, "request": Request, "return": Response}
    return endpoint


def pool_of(verb: Verb, service: Service) -> Pool:
    """The threads of which one answers a verb, unless it looks through a collection."""
    return service.pool if verb.ahead is None else service.searches


def _answered(verb: Verb, service: Service, asked: requests.Request, work: Work) -> Response:
    answer = verb.answer(service, asked)
    return JSON(answer | {"warnings": work.warnings})


def _compare(service: Service, asked: requests.Compare) -> dict[str, Any]:
    encoder = service.encoder(asked.model)
    return compare(asked.a, asked.b, encoder=encoder, prior=asked.prior).to_dict()


def _compare_pairs(service: Service, asked: requests.ComparePairs) -> dict[str, Any]:
    found = compare_pairs(
        [(a, b) for a, b in asked.pairs],
        encoder=service.encoder(asked.model),
        prior=asked.prior,
        min_probability=asked.min_probability,
        progress=progress,
    )
    return {"comparisons": found.to_dicts()}


def _explain(service: Service, asked: requests.Explain) -> dict[str, Any]:
    return explain(asked.a, asked.b, encoder=service.encoder(asked.model)).to_dict()


def _rank(service: Service, asked: requests.Rank) -> dict[str, Any]:
    found = rank(
        asked.reference,
        asked.candidates,
        asked.k,
        encoder=service.encoder(asked.model),
        progress=progress,
        **_sifting(asked),
    )
    return hits_document(found, asked="reference")


def _search(service: Service, asked: requests.Search) -> dict[str, Any]:
    return hits_document(_found(service, asked, [asked.query])[0])


def _search_many(service: Service, asked: requests.SearchMany) -> dict[str, Any]:
    found = _found(service, asked, asked.queries)
    return {"results": [hits_document(each) for each in found]}


def _query(service: Service, asked: Any) -> Ahead | None:
    """The query of a search by meaning, as the collection has it encoded."""
    collection = service.collections.get(asked.collection or next(iter(service.collections), ""))
    if collection is None or asked.mode == Mode.LEXICAL or not asked.query.strip():
        return None
    encoder = collection.encoder
    return Ahead(encoder, "query", [asked.query]) if isinstance(encoder, CachedEncoder) else None


def _found(service: Service, asked: Any, queries: Sequence[str]) -> list[Results[Hit]]:
    how = {"mode": asked.mode, "exact": asked.exact, "all_passages": asked.all_passages}
    if asked.rerank is not None:
        how |= {"rerank": service.cross(asked.rerank), "candidates": asked.candidates}
    how |= {"k": asked.k, "where": asked.where, "progress": progress, **_sifting(asked)}
    found = service.ask(asked.collection, lambda collection: collection.search_many(queries, **how))
    for hits in found:
        service.metrics.answered("collection", asked.collection or next(iter(service.collections)), bool(hits))
    return found


def _similar(service: Service, asked: requests.Similar) -> dict[str, Any]:
    def near(collection: Collection) -> Results[Hit]:
        if collection.get(asked.id) == [None] and not collection.passages(asked.id):
            what = f"there is no document {asked.id!r}"
            raise Refused(404, "document_not_found", what, fix="give the id of a hit")
        return collection.similar(asked.id, asked.k, where=asked.where, **_sifting(asked))

    found = service.ask(asked.collection, near)
    return {"id": asked.id, **hits_document(found, asked="text")}


def _context(service: Service, asked: requests.MakeContext) -> dict[str, Any]:
    how: dict[str, Any] = {"k": asked.k, "where": asked.where, "mode": asked.mode, "min_score": asked.min_score}

    def make(collection: Collection) -> dict[str, Any]:
        return context(asked.query, collection, asked.tokens, **how).to_dict()

    return service.ask(asked.collection, make)


def _faq(service: Service, asked: requests.Ask) -> dict[str, Any]:
    found = service.faq(asked.faq).answer(asked.question, asked.k)
    service.metrics.answered("faq", asked.faq or next(iter(service.faqs)), found.answered)
    return found.to_dict()


def _duplicates(service: Service, asked: requests.FindDuplicates) -> dict[str, Any]:
    texts, vectors = _texts(service, asked)
    learnt = None
    if vectors is not None and isinstance(path := service.collection(asked.collection).path, Path):
        learnt = Decisions(path).calibration(vectors)
    found = duplicates(
        texts,
        vectors=vectors,
        encoder=service.encoder(asked.model) if vectors is None else None,
        min_probability=asked.min_probability,
        min_score=asked.min_score,
        keep=asked.keep,
        allow_differing=asked.allow_differing,
        prior=asked.prior,
        calibration=learnt,
        progress=progress,
    )
    return found.to_dict() | {"pair_list": found.pairs[: asked.pairs].to_dicts()}


def _cluster(service: Service, asked: requests.FindClusters) -> dict[str, Any]:
    texts, vectors = _texts(service, asked)
    return cluster(
        texts,
        None if asked.k is None else min(asked.k, len(texts)),
        vectors=vectors,
        encoder=service.encoder(asked.model) if vectors is None else None,
        strict=asked.strict,
        strip="html,urls,quotes" if asked.strip else None,
        progress=progress,
    ).to_dict()


def _sifting(asked: Any) -> dict[str, Any]:
    return {"prior": asked.prior, "min_probability": asked.min_probability, "min_score": asked.min_score}


def _texts(service: Service, asked: Any) -> tuple[Sequence[str | Document], Vectors | None]:
    """The texts of a request, or the documents of a collection with their vectors."""
    if asked.texts is not None and asked.collection is not None:
        raise InputError("texts and collection are two sources", fix="give one of them")
    if asked.texts is not None:
        return asked.texts, None
    most = service.settings.max_documents

    def all_of(collection: Collection) -> tuple[list[Document], Vectors]:
        if (count := len(collection)) > most:
            what = f"the collection has {count:,} documents, {most:,} are looked through at a time"
            raise Refused(
                409, "too_large", what, fix="use the command on it: nearsense duplicates, nearsense cluster"
            )
        return collection.documents()

    return service.ask(asked.collection, all_of)


VERBS = (
    Verb("compare", "How near two texts are in sense, and how probably the same.", requests.Compare, _compare),
    Verb("compare_pairs", "As compare, for many pairs.", requests.ComparePairs, _compare_pairs),
    Verb("explain", "Which words carry the score of two texts.", requests.Explain, _explain),
    Verb("rank", "Texts in the order in which they are near to one.", requests.Rank, _rank),
    Verb(
        "search", "The documents of a collection that answer a query best.", requests.Search, _search, ahead=_query
    ),
    Verb("search_many", "As search, for several queries.", requests.SearchMany, _search_many),
    Verb("similar", "Documents like one of the collection.", requests.Similar, _similar),
    Verb(
        "context",
        "The passages that answer a question, for a prompt.",
        requests.MakeContext,
        _context,
        ahead=_query,
    ),
    Verb("faq", "An answer from a FAQ, entries that may be meant, or nothing.", requests.Ask, _faq),
    Verb("duplicates", "What is said twice.", requests.FindDuplicates, _duplicates, slow=True),
    Verb("cluster", "Groups of texts that are near in sense.", requests.FindClusters, _cluster, slow=True),
)
