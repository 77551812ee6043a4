"""What a client is told when it fails: each error of nearsense as a status and a body. Not what goes wrong where.

The body of the own routes is `{"error": {"message", "why", "fix", "type", "code"}}`; of the routes that clients of
OpenAI's speak, it is OpenAI's. A client never sees a path, a traceback, or what another client asked.
"""

from __future__ import annotations

import errno
import json
import logging
import re
from collections.abc import Mapping
from typing import Any

from starlette.responses import Response

from nearsense import errors
from nearsense.errors import NearsenseError
from nearsense.records import finite_json

log = logging.getLogger("nearsense")

__all__ = [
    "JSON",
    "Refused",
    "as_refused",
    "error_response",
    "in_openai_form",
    "not_found",
    "overloaded",
    "took_too_long",
    "without_folders",
]

OPENAI = ("/v1/embeddings", "/v1/models", "/v1/rerank", "/v2/rerank", "/rerank", "/embed", "/similarity", "/info")
"""Paths whose clients read errors in OpenAI's form."""

TYPES = {401: "authentication_error", 403: "permission_error", 404: "not_found_error", 429: "overloaded_error"}
"""What kind of error a status is; 4xx else are "invalid_request_error", 5xx "server_error"."""


class JSON(Response):
    """A JSON body: short, and never with a number or a character that JSON or UTF-8 does not know."""

    media_type = "application/json"

    def render(self, content: Any) -> bytes:
        """As bytes; half of a surrogate pair stays the escape that it came as."""
        how: dict[str, Any] = {"ensure_ascii": False, "allow_nan": False, "separators": (",", ":")}
        try:
            text = json.dumps(content, **how)
        except ValueError:
            text = json.dumps(finite_json(content), **how)
        return text.encode("utf-8", "backslashreplace")


class Refused(NearsenseError):
    """A request that is not answered, with the status that says so.

    Args:
        status: The HTTP status.
        code: What happened, as a name that programs compare: "model_not_found".
        what: As of all errors; so are `why` and `fix`.
        headers: Headers of the response: Retry-After, Allow, WWW-Authenticate.
    """

    def __init__(
        self,
        status: int,
        code: str,
        what: str,
        *,
        why: str = "",
        fix: str = "",
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(what, why=why, fix=fix)
        self.status, self.code, self.headers = status, code, dict(headers or {})

    @property
    def type(self) -> str:
        """What kind of error it is."""
        return TYPES.get(self.status, "server_error" if self.status >= 500 else "invalid_request_error")

    def to_dict(self) -> dict[str, Any]:
        """The body of the response."""
        known = {"message": self.what, "why": self.why, "fix": self.fix, "type": self.type, "code": self.code}
        return {"error": known}

    def to_openai(self) -> dict[str, Any]:
        """The same as clients of OpenAI's read it: one message, which says all three."""
        message = ". ".join(part for part in (self.what, self.why, self.fix) if part)
        return {"error": {"message": message, "type": self.type, "param": None, "code": self.code}}


def not_found(kind: str, name: str, known: Any = (), called: str = "") -> Refused:
    """The error of a name that the operator has not named: "collection", "faq", "model"; `called` so in words.

    Example:
        >>> print(not_found("collection", "tickets", ["support"]))
        there is no collection 'tickets'
        why: this server has: support
        fix: give one of these names
    """
    names, called = ", ".join(known), called or kind
    why = f"this server has: {names}" if names else f"this server has no {called}"
    fix = "give one of these names" if names else f"the operator names a {called} when the server is started"
    return Refused(404, f"{kind}_not_found", f"there is no {called} {name!r}", why=why, fix=fix)


def overloaded(what: str, retry_after: float = 1.0) -> Refused:
    """The error of more work than there is room for; said at once, before anything is done."""
    return Refused(
        429,
        "overloaded",
        what,
        why="more would only make everybody wait",
        fix=f"try again in {max(1, round(retry_after))} s, and send fewer requests at a time",
        headers={"Retry-After": str(max(1, round(retry_after)))},
    )


def took_too_long(seconds: float) -> Refused:
    """The error of what was not done by its deadline."""
    return Refused(
        503,
        "deadline",
        f"not done within {seconds:g} s",
        why="the server is busy, or this is too much for one request",
        fix="try again, or ask for less at a time",
        headers={"Retry-After": "5"},
    )


_KINDS: list[tuple[type[Exception], int, str]] = [
    (errors.TextTooLong, 422, "text_too_long"),
    (errors.TooLargeError, 422, "too_large"),
    (errors.UnknownField, 404, "field_not_found"),
    (errors.ModelMismatch, 409, "model_mismatch"),
    (errors.InputError, 422, "invalid_input"),
    (errors.UnsupportedModel, 409, "unsupported_model"),
    (errors.ModelNotFound, 404, "model_not_found"),
    (errors.MissingExtra, 409, "missing_extra"),
    (errors.CollectionNotFound, 404, "collection_not_found"),
    (errors.DiskFull, 507, "disk_full"),
    (errors.StoreError, 503, "store_error"),
    (errors.ModelError, 503, "model_error"),
]


_OF_FILES = (errors.StoreError, errors.ModelError)
"""What fails of the operator's own files; messages of other errors may hold what a client wrote."""

_FOLDERS = re.compile(r"""(?<![^\s'"(=])(?:/(?:[^/\n]*/)+|[A-Za-z]:\\(?:[^\\\n]*\\)+)""")


_ADDRESS = re.compile(r"""postgres(?:ql)?://[^\s'"]*[?&]collection=([\w-]+)""")
_REACHED = re.compile(
    r"""(?:connection failed: )?connection to server (?:at|on) .*? failed: |"[^"]*"|(?<=host )'[^']*'"""
)
"""Where a database is, and who asks it: a message of libpq, and the names in it."""


def _of_database(error: NearsenseError) -> tuple[str, str, str]:
    """What a client is told where a database failed: not where it is, nor by whom it is asked. The log has all."""
    log.error("%s (%s)", error.what, error.why)
    why = " ".join(_REACHED.sub("", error.why).split())
    return error.what, why, "tell its operator, who finds more in the log"


def without_folders(said: str) -> str:
    """A message in which files are called by their own names: where they lie is nobody's business.

    Example:
        >>> without_folders("/srv/our data/tickets.nearsense was removed while it was open")
        'tickets.nearsense was removed while it was open'
    """
    return _FOLDERS.sub("", said)


def as_refused(error: BaseException) -> Refused:
    """Any error as one that a client is told; what is a fault of the server's says no more than that.

    Example:
        >>> as_refused(errors.TextTooLong("text 3 has 900 tokens")).status
        422
    """
    if isinstance(error, Refused):
        return error
    if isinstance(error, NearsenseError):
        status, code = next((found[1:] for found in _KINDS if isinstance(error, found[0])), (500, "error"))
        parts = (error.what, error.why, error.fix)
        if isinstance(error, errors.StoreError) and _ADDRESS.search(error.what):
            parts = _of_database(error)
        elif isinstance(error, _OF_FILES):
            parts = without_folders(parts[0]), without_folders(parts[1]), without_folders(parts[2])
        what, why, fix = (_ADDRESS.sub(r"\1", part) for part in parts)
        return Refused(status, code, what, why=why, fix=fix)
    if isinstance(error, OSError) and error.strerror and error.filename is not None:  # of a file of the operator's
        fix = "tell its operator, who finds more in the log"
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            return Refused(507, "disk_full", "the disk of the server is full", why=error.strerror, fix=fix)
        return Refused(503, "store_error", "the server cannot use its files", why=error.strerror, fix=fix)
    if isinstance(error, MemoryError):
        what, fix = "the server is out of memory", "ask for less at a time"
        return Refused(503, "out_of_memory", what, fix=fix, headers={"Retry-After": "5"})
    why = "this is a fault of the server, not of the request"
    return Refused(500, "internal", "the server failed", why=why, fix="tell its operator the X-Request-ID")


def error_response(error: BaseException, *, openai: bool = False) -> JSON:
    """The response for an error: the own form, or OpenAI's."""
    told = as_refused(error)
    return JSON(told.to_openai() if openai else told.to_dict(), told.status, told.headers)


def in_openai_form(path: str) -> bool:
    """Whether the clients of a path read errors in OpenAI's form."""
    return path.startswith(OPENAI)
