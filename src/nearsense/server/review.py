"""The routes of a review: what people say of pairs that may be duplicates, and learning from it."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Query, Request
from pydantic import Field
from starlette.responses import Response
from starlette.routing import BaseRoute

from nearsense.calibration.fitting import LEAST
from nearsense.server import requests
from nearsense.server.changes import Called, Changes, Key, fitting
from nearsense.server.decisions import Decisions
from nearsense.server.described import changing, operation
from nearsense.server.errors import JSON
from nearsense.server.requests import Prior
from nearsense.server.settings import ServerSettings
from nearsense.server.work import Work

if TYPE_CHECKING:
    from nearsense.calibration import Calibration
    from nearsense.collection import Collection
    from nearsense.server.jobs import Advance
    from nearsense.server.service import Service


class Decide(requests.Request):
    """What somebody said of pairs of documents."""

    decisions: Annotated[list[OneDecision], Field(min_length=1, max_length=ServerSettings.max_texts)]


class OneDecision(requests.Request):
    """Whether two documents mean the same."""

    left: Id = Field(examples=["1"])
    right: Id = Field(examples=["2"])
    same: bool


class Learn(requests.Request):
    """What is known beside the decisions."""

    prior: Prior | None = None


Id = Annotated[str, Field(min_length=1, max_length=512, description="A document's id.")]
Side = Annotated[str, Query(min_length=1, max_length=512, description="A document's id.")]


class Desks:
    """The decisions of each collection, each file read once."""

    def __init__(self) -> None:
        self._known: dict[str, Decisions] = {}
        self._guard = threading.Lock()

    def of(self, room: Collection) -> Decisions:
        """Those of a collection."""
        with self._guard:
            return self._known.setdefault(str(room.path), Decisions(room.path))


def routes(service: Service, changes: Changes) -> list[BaseRoute]:
    """The routes under /v1/collections/{name}/decisions."""
    where, desks = "/v1/collections/{name}/decisions", Desks()
    router = APIRouter(tags=["review"], prefix=where)

    @router.get(
        "",
        **operation(
            "decisions",
            "What was decided of pairs so far.",
            "The decisions, and how many more it takes to learn from them.",
        ),
    )
    async def decisions(name: Called, request: Request) -> Response:
        def all_of() -> JSON:
            desk = desks.of(service.collection(name))
            known = desk.all()
            same = sum(each.same for each in known)
            told = {"collection": name, "same": same, "different": len(known) - same}
            told |= {"needed": lacking(same, len(known) - same), "calibration": _figures(desk.calibration())}
            return JSON(told | {"decisions": [each.to_dict() for each in known]})

        return await service.pool.run_for(request, Work(service.settings.deadline), all_of)

    @router.post(
        "",
        **changing(
            "decide",
            "Say of pairs of documents whether they mean the same; kept when it is answered.",
            "They are on the disk.",
            job=False,
        ),
    )
    async def decide(name: Called, asked: Decide, request: Request, key: Key = None) -> Response:
        def doing(_: Advance) -> dict[str, Any]:
            room = service.collection(name)
            pairs = [(each.left, each.right, each.same) for each in asked.decisions]
            found = room.get(list({id_ for left, right, _ in pairs for id_ in (left, right)}))
            texts = {document.id: document.text for document in found if document is not None}
            with fitting():
                return {"collection": name, "kept": desks.of(room).decide(pairs, texts)}

        service.collection(name)
        return await changes.make(request, "decide", doing, job=False)

    @router.delete("", **changing("undecide", "Take back what was decided of a pair.", "It is gone.", job=False))
    async def undo(name: Called, left: Side, right: Side, request: Request) -> Response:
        def doing(_: Advance) -> dict[str, Any]:
            desk = desks.of(service.collection(name))
            return {"collection": name, "undone": desk.undo(left, right), "kept": len(desk.all())}

        service.collection(name)
        return await changes.make(request, "undecide", doing, job=False)

    @router.post(
        "/learn",
        **changing(
            "learn_from_decisions",
            "Learn from the decisions how probable duplicates of a score are; the collection goes by it then.",
            "It is learnt, and kept.",
        ),
    )
    async def learn(name: Called, asked: Learn, request: Request, key: Key = None) -> Response:
        desk = desks.of(service.collection(name))

        def doing(advance: Advance) -> dict[str, Any]:
            from nearsense.render.results import calibration_page

            with fitting():
                found = desk.learn(service.collection(name).encoder, asked.prior, advance)
            page: dict[str, Any] = calibration_page(found, []).document
            return {"collection": name, **page}

        return await changes.make(request, "learn", doing, target=name, total=2 * len(desk.all()), unit="texts")

    return router.routes


def lacking(same: int, different: int) -> int:
    """How many more decisions it takes to learn from them: 20, of both kinds."""
    return max(LEAST - same - different, int(not same) + int(not different))


def _figures(calibration: Calibration | None) -> dict[str, Any] | None:
    return None if calibration is None else calibration.figures.to_dict()
