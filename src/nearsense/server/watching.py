"""The routes of what was asked: the query log, what got no answer and becomes an entry, drift. No verbs."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal

from fastapi import APIRouter, Query, Request
from pydantic import Field, WithJsonSchema
from starlette.responses import Response
from starlette.routing import BaseRoute

from nearsense.errors import FileError
from nearsense.faq import FAQ
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
    from nearsense.collection import Collection
    from nearsense.encoders import Encoder
    from nearsense.monitoring import Drift
    from nearsense.querylog import QueryLog
    from nearsense.server.jobs import Advance
    from nearsense.server.service import Service

MOST_GROUPS = 200
LONGEST_LOG = 10_000

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
    kinds = [_Kind("collections", service.collection), _Kind("faqs", service.faq)]
    for kind in kinds:
        _log(router, service, changes, kind)
    for kind in kinds:
        _unanswered(router, service, kind)
    for kind in kinds:
        _drift(router, service, kind)
    _entries(router, service, changes)
    return router.routes


@dataclass(frozen=True, slots=True)
class _Kind:
    """What may be asked, and logs it: its name in paths, and one of it by its own name."""

    name: Literal["collections", "faqs"]
    of: Callable[[str], Collection | FAQ]


def _log(router: APIRouter, service: Service, changes: Changes, kind: _Kind) -> None:
    where = f"/{kind.name}/{{name}}/log"

    @router.get(where, **operation(f"{kind.name}_log", "What was asked, the latest first.", "Entries of the log."))
    async def log(
        name: Called,
        request: Request,
        since: Time | None = None,
        until: Time | None = None,
        unanswered: Flag = False,
        limit: Annotated[int, Query(ge=1, le=LONGEST_LOG)] = 100,
    ) -> Response:
        def latest() -> JSON:
            kept, missing = kind.of(name).log, 0
            entries = deque[dict[str, Any]](maxlen=limit)
            if kept is not None:
                entries.extend(each.to_dict() for each in kept.entries(since, until, unanswered))
                missing = kept.missing(since, until)
            return JSON(
                {"name": name, "logged": kept is not None, "missing": missing, "entries": [*entries][::-1]}
            )

        return await service.pool.run_for(request, Work(service.settings.deadline), latest)

    def kept_of(name: str) -> QueryLog:
        if (kept := kind.of(name).log) is None:
            what, why = f"nothing is logged of {name}", "its operator did not ask for that"
            raise Refused(409, "not_logged", what, why=why, fix="nearsense log COLLECTION --on")
        return kept

    @router.post(
        f"{where}/choose",
        **changing(f"{kind.name}_choose", "Tell which hit was taken.", "It is noted.", job=False),
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
            f"{kind.name}_forget",
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


_IN_VAIN = {
    "collections": (
        "What was asked in vain, grouped by meaning, the most asked first.",
        "Groups of queries.",
    ),
    "faqs": (
        "What a FAQ did not answer, and would not now, grouped by meaning, the most asked first.",
        "Groups of questions.",
    ),
}


def _unanswered(router: APIRouter, service: Service, kind: _Kind) -> None:
    said = operation(f"{kind.name}_unanswered", *_IN_VAIN[kind.name])

    @router.get(f"/{kind.name}/{{name}}/unanswered", **said)
    async def unanswered(name: Called, request: Request, since: Time | None = None) -> Response:
        def grouped() -> JSON:
            asked, groups = kind.of(name), list[dict[str, Any]]()
            if (log := asked.log) is not None:
                found = log.unanswered(since, encoder=asked.encoder, progress=progress)
                groups = [each.to_dict() for each in found[:MOST_GROUPS]]
            if isinstance(asked, FAQ):
                if log is None:
                    groups = [_as_group(gap.to_dict()) for gap in asked.gaps()[:MOST_GROUPS]]
                groups = still_unanswered(asked, groups)
            return JSON({"name": name, "logged": log is not None, "groups": groups})

        return await service.slow.run_for(request, Work(service.settings.slow_deadline), grouped)


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


def _drift(router: APIRouter, service: Service, kind: _Kind) -> None:
    does = "Whether what is asked lately is like what was asked before."
    said = operation(f"{kind.name}_drift", does, "What drifted, and what could be done.")

    @router.get(f"/{kind.name}/{{name}}/drift", **said)
    async def drift(
        name: Called, request: Request, since: Span = "1d", against: Span = "28d", level: Level = 0.02
    ) -> Response:
        def compared() -> JSON:
            from nearsense.monitoring import Names, actions

            asked = kind.of(name)
            found = drifted(name, asked.log, asked.encoder, since, against, level)
            service.metrics.drifted(name, changed=found.drifted)
            todo = actions(found, Names(name, against, name, ["--since", since]))
            return JSON({"name": name, **found.to_dict(), "actions": [each.to_dict() for each in todo]})

        return await service.slow.run_for(request, Work(service.settings.slow_deadline), compared)


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
