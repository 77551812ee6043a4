"""What changes something: at once where it is small, as a job where it is large, and once where it is asked twice.

A request with an Idempotency-Key is done once: asked again with the same key, it gets the first answer again. That
is remembered in memory, for a day; what survives a restart is said where documents are added. Here are the routes
of jobs, too: which there are, how far one is, ending one.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Header, Query
from fastapi import Path as InPath
from pydantic import BeforeValidator, Field
from starlette.responses import Response
from starlette.routing import BaseRoute

from nearsense.errors import InputError
from nearsense.kinds import Scope
from nearsense.server import requests
from nearsense.server.described import operation
from nearsense.server.errors import JSON, Refused
from nearsense.server.uploads import SECONDS, Encoding, Read, Taken, Upload, read_upload
from nearsense.server.work import Work, progress

if TYPE_CHECKING:
    from starlette.requests import Request

    from nearsense.server.jobs import Doing, Job
    from nearsense.server.service import Service

SMALL = 1_024
"""Texts up to which a change is made while the client waits."""
REMEMBERED = 1_000
"""Requests with an Idempotency-Key that are remembered."""
ROOM = 16 << 20
"""Bytes of their answers, all together."""
LONGEST_KEY = 255
DAY = 86_400.0
READERS = 2
"""Files that are read at a time, each in a process of its own."""
LONGEST_WAIT = 30.0
OFTEN = 0.05
"""Seconds between two looks at a job that somebody waits for."""

JobId = Annotated[str, InPath(pattern="^[0-9a-f]{16}$", description="The job's id.")]
Wait = Annotated[
    float, Query(ge=0, le=LONGEST_WAIT, description="Seconds to wait for its end before it is told how it stands.")
]
Called = Annotated[str, InPath(pattern=f"^{requests.NAME}$", description="The name of a collection, or of a FAQ.")]
Key = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        pattern=f"^[!-~]{{1,{LONGEST_KEY}}}$",
        description="A UUID, say. Sent again with it, it is done once.",
    ),
]


def _as_flag(value: Any) -> bool:
    if value not in (True, False, "true", "false"):
        raise ValueError("it is true or false")
    return value in (True, "true")


Flag = Annotated[bool, BeforeValidator(_as_flag)]
"""A parameter of a query, which says true or false and nothing else."""


class FileQuery(requests.Request):
    """What is said of a file that is sent."""

    model_config = requests.Request.model_config | {"strict": False}  # a query is text

    name: str = Field("", max_length=255, description="What it is called: messages and its format go by that.")
    format: Taken | None = Field(None, description="Its format, where its name does not tell.")
    sheet: str | None = Field(None, max_length=100, description="Of a workbook.")
    encoding: Encoding = Field("auto", description="Of its characters, where it does not show it.")


@contextmanager
def fitting() -> Iterator[None]:
    """What is of the right form, and does not fit what is here, is told as that: 409, not 422."""
    try:
        yield
    except InputError as error:
        raise Refused(409, "does_not_fit", error.what, why=error.why, fix=error.fix) from None


@dataclass(slots=True)
class Answer:
    """What a change is answered with, as often as it is asked for."""

    status: int
    body: bytes
    headers: dict[str, str]

    @classmethod
    def of(cls, status: int, content: dict[str, Any], **headers: str) -> Answer:
        """The answer of a content."""
        return cls(status, bytes(JSON(content).body), headers)

    def response(self, *, again: bool = False) -> Response:
        """The response; `again` where the change was made before."""
        headers = self.headers | ({"Idempotent-Replayed": "true"} if again else {})
        return Response(self.body, self.status, headers, JSON.media_type)


@dataclass(slots=True)
class _Asked:
    """A request with a key: what it was, and the task that answers it."""

    digest: bytes
    task: asyncio.Task[Answer]
    time: float


class Changes:
    """The changes that a server makes. For the event loop of one server.

    Args:
        service: What is served.
    """

    def __init__(self, service: Service) -> None:
        self._service = service
        self._asked: OrderedDict[tuple[str, str], _Asked] = OrderedDict()
        self._reading = asyncio.Semaphore(READERS)

    async def read(self, request: Request, said: Any) -> Read:
        """The table in the body of a request; `said` has what the query says of it.

        Raises:
            FileError: It cannot be read; line or row are named.
        """
        media_type = request.headers.get("content-type", "")
        upload = Upload(said.name, said.format, media_type, said.encoding, said.sheet)
        upload.form()  # before the body is waited for
        content = await request.body()
        async with self._reading:
            return await self._service.pool.run(Work(SECONDS + 5), read_upload, content, upload)

    async def make(
        self,
        request: Request,
        kind: str,
        doing: Doing,
        *,
        target: str | None = None,
        total: int = 0,
        unit: str = "documents",
        status: int = 200,
        job: bool | None = None,
    ) -> Response:
        """Make a change, and answer with what `doing` returns, or with the job that does it.

        Args:
            request: What asks for it.
            kind: What it is: "add".
            doing: What makes it; given a function to say how far it is.
            target: The collection that it changes.
            total: How many units it has.
            unit: What these are.
            status: Of the answer, where it is made at once.
            job: Whether it is a job; None for the number of units, and what the client prefers.

        Raises:
            Refused: There is no room, the key was used for something else, or what `doing` raises.
        """
        large = total > SMALL if job is None else job
        if job is not False and "respond-async" in request.headers.get("prefer", ""):
            large = True

        async def answer() -> Answer:
            if large:
                begun = self._service.jobs.submit(kind, doing, target=target, total=total, unit=unit)
                return Answer.of(202, {"job": begun.to_dict()}, Location=f"/v1/jobs/{begun.id}")
            work = Work(self._service.settings.deadline)
            result = await self._service.pool.run(work, doing, progress)
            return Answer.of(status, result | ({"warnings": work.warnings} if work.warnings else {}))

        key = request.headers.get("idempotency-key")
        if key is None:
            return (await answer()).response()
        return await self._once(request, key, await digest_of(request), answer)

    async def _once(
        self, request: Request, key: str, digest: bytes, answer: Callable[[], Coroutine[Any, Any, Answer]]
    ) -> Response:
        """The answer, or the one that was given to the same request before."""
        self._forget()
        place = (str(request.scope.get("state", {}).get("key", "")), key)
        known = self._asked.get(place)
        if known is not None and known.digest != digest:
            raise Refused(
                409,
                "idempotency_key_reused",
                f"the Idempotency-Key {key!r} was used for another request",
                why="a key stands for one request, and what is sent again with it",
                fix="give each request a key of its own",
            )
        if known is None:
            task = asyncio.create_task(answer())
            self._asked[place] = known = _Asked(digest, task, time.monotonic())
            try:
                return (await asyncio.shield(task)).response()
            finally:
                if not task.done():
                    task.add_done_callback(lambda done: self._settle(place, done))
                else:
                    self._settle(place, task)
        return (await asyncio.shield(known.task)).response(again=True)

    def _settle(self, place: tuple[str, str], task: asyncio.Task[Answer]) -> None:
        """Only what was done is remembered: what failed may be tried again."""
        if task.cancelled() or task.exception() is not None:
            self._asked.pop(place, None)

    def _forget(self) -> None:
        """Leave out what is too old, or too much; what is being done stays."""
        oldest = time.monotonic() - DAY
        held = sum(len(each.task.result().body) for each in self._asked.values() if each.task.done())
        for place, asked in list(self._asked.items()):
            if asked.time > oldest and len(self._asked) < REMEMBERED and held <= ROOM:
                break
            if asked.task.done():
                held -= len(asked.task.result().body)
                del self._asked[place]


def job_routes(service: Service, _changes: Changes) -> list[BaseRoute]:
    """The routes under /v1/jobs."""
    router = APIRouter(tags=["jobs"], prefix="/v1/jobs")

    @router.get("", **operation("jobs", "Jobs that run, wait, or have ended, the newest first.", "The jobs."))
    async def jobs() -> Response:
        return JSON({"jobs": [job.to_dict() for job in service.jobs.all()]})

    @router.get("/{id}", **operation("job", "How far a job is, and what came of it.", "The job."))
    async def job(id: JobId, wait: Wait = 0.0) -> Response:  # noqa: A002 - what it is called
        found, until = one(id), time.monotonic() + wait
        while not found.has_ended and time.monotonic() < until and service.open:
            await asyncio.sleep(OFTEN)
        return JSON(found.to_dict())

    @router.delete(
        "/{id}",
        **operation(
            "cancel_job",
            "End a job: at once where it waits, else after what it is writing. What it wrote stays.",
            "The job.",
            key=Scope.WRITE,
        ),
    )
    async def cancel(id: JobId) -> Response:  # noqa: A002 - what it is called
        found = one(id)
        service.jobs.cancel(found)
        return JSON(found.to_dict())

    def one(id_: str) -> Job:
        try:
            found: Job = service.jobs[id_]
        except KeyError:
            why = "the last hundred that have ended are remembered, until the server ends"
            raise Refused(404, "job_not_found", f"there is no job {id_!r}", why=why, fix="GET /v1/jobs") from None
        return found

    return router.routes


async def digest_of(request: Request) -> bytes:
    """What tells a request from every other: method, address and body."""
    told = f"{request.method} {request.url.path}?{request.url.query}\n".encode()
    return sha256(told + await request.body()).digest()
