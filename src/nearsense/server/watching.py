"""The routes of what was asked: the query log, what got no answer and becomes an entry, drift. No verbs."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any, Literal

from fastapi import APIRouter, Query, Request
from pydantic import Field, WithJsonSchema
from starlette.responses import Response
from starlette.routing import BaseRoute

from nearsense.errors import FileError
from nearsense.faq.entries import FAQItem
from nearsense.querylog import moment
from nearsense.server import requests
from nearsense.server.changes import Called, Changes, Flag, Key, fitting
from nearsense.server.described import changing, operation
from nearsense.server.errors import JSON, Refused, without_folders
from nearsense.server.faq_file import draft_with
from nearsense.server.requests import Text
from nearsense.server.work import Work, progress

if TYPE_CHECKING:
    from nearsense.encoders import Encoder
    from nearsense.faq import FAQ
    from nearsense.monitoring import Drift
    from nearsense.querylog import QueryLog, UnansweredGroup
    from nearsense.server.jobs import Advance
    from nearsense.server.service import Service

MOST_GROUPS = 200
LONGEST_LOG = 10_000

Kind = Literal["collections", "faqs"]
_TIME = {
    "anyOf": [
        {"type": "string", "pattern": "^[0-9]{1,4}[smhdw]$"},
        {"type": "string", "format": "date"},
        {"type": "string", "format": "date-time"},
    ]
}
Time = Annotated[
    str,
    Query(
        max_length=40,
        pattern=r"^([0-9]{1,4}[smhdw]|[0-9]{4}-[0-9]{2}-[0-9]{2}(T[0-9:.+Z-]+)?)$",
        description="A span before now (7d, 24h), or a date.",
    ),
    WithJsonSchema(_TIME),
]
Span = Annotated[str, Query(pattern="^[0-9]{1,3}[smhdw]$", description="A span of time: 28d.")]
Level = Annotated[float, Query(gt=0, lt=0.5, description="The chance of a false alarm, at most.")]


class Choose(requests.Request):
    """Which hit was taken for a query."""

    query: Text = Field(examples=["my dashboard freezes"])
    id: str = Field(min_length=1, max_length=1_000, examples=["1"])


class Forget(requests.Request):
    """A query that shall be in the log no more."""

    query: Text = Field(examples=["my name is Ann Miller"])


class NewEntry(requests.Request):
    """An entry for a FAQ; with the id of one that is there, more ways to ask that."""

    question: Text = Field(examples=["Do you sell gift cards?"])
    answer: Text | None = Field(None, examples=["Yes, in every shop."])
    phrasings: Annotated[list[Text], Field(max_length=100)] = Field([], examples=[["can I buy a gift card"]])
    category: Annotated[str, Field(min_length=1, max_length=200, pattern=r"\S")] | None = None
    id: Annotated[str, Field(min_length=1, max_length=200, pattern=r"\S")] | None = None


def routes(service: Service, changes: Changes) -> list[BaseRoute]:
    """What was asked of collections and of FAQs, and what follows from it."""
    router = APIRouter(prefix="/v1", tags=["watching"])
    _log(router, service, changes, "collections", lambda name: service.collection(name).log)
    _log(router, service, changes, "faqs", lambda name: service.faq(name).log)
    _unanswered(router, service)
    _drift(router, service)
    _entries(router, service, changes)
    return router.routes


def _log(
    router: APIRouter,
    service: Service,
    changes: Changes,
    kind: Kind,
    log_of: Callable[[str], QueryLog | None],
) -> None:
    where = f"/{kind}/{{name}}/log"

    @router.get(where, **operation(f"{kind}_log", "What was asked, the latest first.", "Entries of the log."))
    async def log(
        name: Called,
        request: Request,
        since: Time | None = None,
        until: Time | None = None,
        unanswered: Flag = False,
        limit: Annotated[int, Query(ge=1, le=LONGEST_LOG)] = 100,
    ) -> Response:
        def latest() -> JSON:
            kept, missing = log_of(name), 0
            entries = deque[dict[str, Any]](maxlen=limit)
            if kept is not None:
                entries.extend(each.to_dict() for each in kept.entries(since, until, unanswered))
                missing = kept.missing(since, until)
            return JSON(
                {"name": name, "logged": kept is not None, "missing": missing, "entries": [*entries][::-1]}
            )

        return await service.pool.run_for(request, Work(service.settings.deadline), latest)

    def kept_of(name: str) -> QueryLog:
        if (kept := log_of(name)) is None:
            what, why = f"nothing is logged of {name}", "its operator did not ask for that"
            raise Refused(409, "not_logged", what, why=why, fix="nearsense log COLLECTION --on")
        return kept

    @router.post(
        f"{where}/choose", **changing(f"{kind}_choose", "Tell which hit was taken.", "It is noted.", job=False)
    )
    async def choose(name: Called, asked: Choose, request: Request, key: Key = None) -> Response:
        def doing(_: Advance) -> dict[str, Any]:
            kept = kept_of(name)
            kept.choose(asked.query, asked.id)
            kept.flush()
            return {"name": name, "chosen": asked.id}

        return await changes.make(request, "choose", doing, job=False)

    @router.post(
        f"{where}/forget",
        **changing(
            f"{kind}_forget",
            "Remove a query from the log: it is overwritten on the disk.",
            "It is gone.",
            job=False,
        ),
    )
    async def forget(name: Called, asked: Forget, request: Request, key: Key = None) -> Response:
        def doing(_: Advance) -> dict[str, Any]:
            return {"name": name, "forgotten": kept_of(name).forget(asked.query)}

        return await changes.make(request, "forget", doing, job=False)


# -- without an answer


def _unanswered(router: APIRouter, service: Service) -> None:
    @router.get(
        "/collections/{name}/unanswered",
        **operation(
            "collections_unanswered",
            "What was asked in vain, grouped by meaning, the most asked first.",
            "Groups of queries.",
        ),
    )
    async def of_collection(name: Called, request: Request, since: Time | None = None) -> Response:
        def grouped() -> JSON:
            room = service.collection(name)
            found = _groups(room.log, since, room.encoder)
            return JSON(
                {"name": name, "logged": room.log is not None, "groups": [each.to_dict() for each in found]}
            )

        return await service.slow.run_for(request, Work(service.settings.slow_deadline), grouped)

    @router.get(
        "/faqs/{name}/unanswered",
        **operation(
            "faqs_unanswered",
            "What a FAQ did not answer, and would not now, grouped by meaning, the most asked first.",
            "Groups of questions.",
        ),
    )
    async def of_faq(name: Called, request: Request, since: Time | None = None) -> Response:
        def grouped() -> JSON:
            faq = service.faq(name)
            found = [each.to_dict() for each in _groups(faq.log, since, faq.encoder)]
            if faq.log is None:
                found = [_as_group(gap.to_dict()) for gap in faq.gaps()[:MOST_GROUPS]]
            return JSON({"name": name, "logged": faq.log is not None, "groups": still_unanswered(faq, found)})

        return await service.slow.run_for(request, Work(service.settings.slow_deadline), grouped)


def _groups(log: QueryLog | None, since: str | None, encoder: Encoder) -> list[UnansweredGroup]:
    if log is None:
        return []
    return log.unanswered(since, encoder=encoder, progress=progress)[:MOST_GROUPS]


def _as_group(gap: dict[str, Any]) -> dict[str, Any]:
    """What a FAQ without a log remembers since the server began, in the form of a log's groups."""
    queries = [{"query": each["question"], "count": each["count"]} for each in gap["questions"]]
    unknown: dict[str, Any] = {
        "entry": None,
        "mean_probability": None,
        "hashed": False,
        "last": None,
        "nearest": [],
    }
    return {"label": gap["label"], "count": gap["count"], **unknown, "queries": queries}


def still_unanswered(faq: FAQ, groups: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The groups without what the FAQ answers by now: entries may have been added since it was asked."""
    asked = {each["query"] for group in groups if not group["hashed"] for each in group["queries"]}
    least, texts = faq.threshold.probability, [text for text in asked if text.strip()]
    found = faq.match_many(texts, 1) if texts else []
    answered = {
        text for text, hits in zip(texts, found, strict=True) if hits and (hits[0].probability or 0.0) >= least
    }
    left = []
    for group in groups:
        queries = [each for each in group["queries"] if group["hashed"] or each["query"] not in answered]
        count = sum(each["count"] for each in queries)
        if queries:
            left.append(group | {"queries": queries, "count": count})
    return sorted(left, key=lambda group: -int(group["count"]))


# -- entries


def _entries(router: APIRouter, service: Service, changes: Changes) -> None:
    guard = threading.Lock()

    @router.get("/faqs/{name}/entries", **operation("entries", "The entries of a FAQ.", "All entries."))
    async def entries(name: Called) -> Response:
        faq = service.faq(name)
        writable = name in service.faq_files and service.settings.write_faqs
        return JSON({"faq": name, "writable": writable, "entries": [item.to_dict() for item in faq.items]})

    @router.post(
        "/faqs/{name}/entries",
        **changing(
            "add_entry",
            "Add an entry to a FAQ and to its file; or more ways to ask one that is there, by its id.",
            "It is in the file, and answers from now on.",
            201,
        ),
    )
    async def add(name: Called, asked: NewEntry, request: Request, key: Key = None) -> Response:
        faq = service.faq(name)
        if not service.settings.write_faqs or name not in service.faq_files:
            what = f"entries cannot be added to {name}"
            why = "the operator did not allow this server to write its file"
            raise Refused(403, "read_only_faq", what, why=why, fix="nearsense serve --faq FILE --write-faqs")

        def doing(advance: Advance) -> dict[str, Any]:
            entry = FAQItem(asked.question, asked.answer, tuple(asked.phrasings), asked.category, asked.id)
            with guard, fitting(), _unplaced():  # each entry is written behind the one before it
                draft = draft_with(service.faq_files[name], entry)
                made = service.faqs[name].with_items(draft.items, progress=advance)
                draft.write()
                service.faqs[name] = made
            mine = next(item for item in draft.items if asked.question in (item.question, *item.phrasings))
            return {"faq": name, "entry": mine.to_dict(), "entries": len(made)}

        return await changes.make(request, "entry", doing, total=len(faq), unit="entries", status=201)


@contextmanager
def _unplaced() -> Iterator[None]:
    """What is told of the operator's file is told without where it lies."""
    try:
        yield
    except FileError as error:
        what, why, fix = map(without_folders, (error.what, error.why, error.fix))
        raise FileError(what, why=why, fix=fix) from None


# -- drift


def _drift(router: APIRouter, service: Service) -> None:
    def answered(kind: Kind, logged: Callable[[str], tuple[QueryLog | None, Encoder]]) -> None:
        @router.get(
            f"/{kind}/{{name}}/drift",
            **operation(
                f"{kind}_drift",
                "Whether what is asked lately is like what was asked before.",
                "What drifted, and what could be done.",
            ),
        )
        async def drift(
            name: Called, request: Request, since: Span = "1d", against: Span = "28d", level: Level = 0.02
        ) -> Response:
            def compared() -> JSON:
                from nearsense.monitoring import Names, actions

                log, encoder = logged(name)
                found = drifted(name, log, encoder, since, against, level)
                service.metrics.drifted(name, changed=found.drifted)
                todo = actions(found, Names(name, against, name, ["--since", since]))
                return JSON({"name": name, **found.to_dict(), "actions": [each.to_dict() for each in todo]})

            return await service.slow.run_for(request, Work(service.settings.slow_deadline), compared)

    answered("collections", lambda name: (service.collection(name).log, service.collection(name).encoder))
    answered("faqs", lambda name: (service.faq(name).log, service.faq(name).encoder))


def drifted(name: str, log: QueryLog | None, encoder: Encoder, since: str, against: str, level: float) -> Drift:
    """What a log has from some time on, beside what it has of the span before.

    Raises:
        Refused: Nothing is logged, or nothing was asked in one of them.
    """
    from nearsense.monitoring import drift

    begin, before = moment(since) or 0.0, moment(against) or 0.0
    first = begin - (time.time() - before)
    entries = [] if log is None else [*log.entries(since=first)]
    new, old = [each for each in entries if each.time >= begin], [each for each in entries if each.time < begin]
    if not new or not old:
        what = (
            f"nothing is logged of {name}" if log is None else f"nothing was asked of {name} in one of the spans"
        )
        why, fix = "what is new is compared with what came before", "wait, or take longer: ?since=7d&against=28d"
        raise Refused(409, "nothing_to_compare", what, why=why, fix=fix)
    return drift(new, old, encoder=encoder, level=level, progress=progress)
