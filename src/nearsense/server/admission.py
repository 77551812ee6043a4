"""Refusals before anything of a request is read: what a full server costs is what it does for those it takes.

A refusal has to be there at once, also where ten times as many ask as can be answered; the application would take
ten times as long to say no. Not when there is no room: the queue and the pool know that.
"""

from __future__ import annotations

import asyncio
import secrets
from functools import cache
from itertools import count

from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from nearsense.server.errors import JSON, in_openai_form, overloaded
from nearsense.server.logs import Lines
from nearsense.server.safety import DATA_POLICY, HEADERS
from nearsense.server.service import Service
from nearsense.server.verbs import VERBS, pool_of

__all__ = ["Admission"]

QUEUED = frozenset({"/v1/embeddings", "/embed", "/similarity"})
"""Paths whose requests wait for the queue of texts alone."""

POOLED = {f"/v1/{verb.name}": verb for verb in VERBS if not verb.slow}
"""Paths whose requests wait for a thread, too."""

COMING = 0.002
"""Seconds until a request that was let in is seen where it waits."""

TOLD = 1.0
"""Seconds of refusals that are told in one line of the log: one line each would be more work than they are."""


class Admission:
    """Says by its path alone whether a request has to come again, and with which response.

    Args:
        service: What is served: its queues, its threads, its metrics.
        lines: Where the log goes.
    """

    def __init__(self, service: Service, lines: Lines | None = None) -> None:
        self._service, self._lines = service, lines or Lines()
        self._prefix, self._count = secrets.token_hex(5), count(1)
        self._refused: list[str] = []
        self._coming = 0  # let in, and not begun: many come in one turn of the loop

    def refusal(self, path: str) -> bytes | None:
        """The whole response to a POST for which there is no room; None where there is some, or nobody knows."""
        verb = POOLED.get(path)
        if verb is None and path not in QUEUED:
            return None
        pool = None if verb is None else pool_of(verb, self._service)
        late = self._service.crowded(self._coming, pool)
        if not late:
            self._coming += 1
            asyncio.get_running_loop().call_later(COMING, self._begun)
            return None
        name = f"{self._prefix}-{next(self._count):x}"
        self._service.metrics.request(path, "POST", 429, 0.0)
        if not self._refused:
            asyncio.get_running_loop().call_later(TOLD, self._tell)
        self._refused.append(name)
        head, body = _response(in_openai_form(path), max(1, round(late)))
        return b"%bx-request-id: %b\r\n\r\n%b" % (head, name.encode(), body)

    def _begun(self) -> None:
        self._coming -= 1

    def _tell(self) -> None:
        refused, self._refused = self._refused, []
        self._lines.write("info", "refused", status=429, count=len(refused), first=refused[0], last=refused[-1])


@cache
def _response(openai: bool, seconds: int) -> tuple[bytes, bytes]:
    """The head of a refusal but for its id, and its body."""
    refused = overloaded("more is asked than can be answered in time", seconds)
    response = JSON(refused.to_openai() if openai else refused.to_dict(), 429, refused.headers)
    named = [*response.raw_headers, *HEADERS, (b"content-security-policy", DATA_POLICY)]
    return STATUS_LINE[429] + b"".join(b"%b: %b\r\n" % pair for pair in named), bytes(response.body)
