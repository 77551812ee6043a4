"""The routes of jobs: which there are, how far one is, ending one. Not what jobs do."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Query
from fastapi import Path as InPath
from starlette.responses import Response
from starlette.routing import BaseRoute

from nearsense.kinds import Scope
from nearsense.server.described import operation
from nearsense.server.errors import JSON, Refused

if TYPE_CHECKING:
    from nearsense.server.changes import Changes
    from nearsense.server.jobs import Job
    from nearsense.server.service import Service

LONGEST_WAIT = 30.0
OFTEN = 0.05
"""Seconds between two looks at a job that somebody waits for."""

Id = Annotated[str, InPath(pattern="^[0-9a-f]{16}$", description="The job's id.")]
Wait = Annotated[
    float, Query(ge=0, le=LONGEST_WAIT, description="Seconds to wait for its end before it is told how it stands.")
]


def routes(service: Service, _changes: Changes) -> list[BaseRoute]:
    """The routes under /v1/jobs."""
    router = APIRouter(tags=["jobs"], prefix="/v1/jobs")

    @router.get("", **operation("jobs", "Jobs that run, wait, or have ended, the newest first.", "The jobs."))
    async def jobs() -> Response:
        return JSON({"jobs": [job.to_dict() for job in service.jobs.all()]})

    @router.get("/{id}", **operation("job", "How far a job is, and what came of it.", "The job."))
    async def job(id: Id, wait: Wait = 0.0) -> Response:  # noqa: A002 - what it is called
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
    async def cancel(id: Id) -> Response:  # noqa: A002 - what it is called
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
