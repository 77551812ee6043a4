"""A real server of the embeddings API on 127.0.0.1, which can be told to misbehave. Not a mock: it speaks HTTP."""

from __future__ import annotations

import base64
import json
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from fakes import HashEncoder

__all__ = ["EmbeddingsServer", "dead", "edited", "raw", "refused", "silent", "slow"]


class EmbeddingsServer:
    """Answers `POST /v1/embeddings` with the vectors of an encoder; `with` starts and ends it.

    Args:
        dimension: Length of a vector.
        script: What happens to the first requests, one each: functions of (handler, question) that return True
            when they have answered. Afterwards all is well.
        always: The same for each request.
        key: The key that it wants; none without it.
    """

    def __init__(self, dimension: int = 16, script: Any = (), always: Any = None, key: str = "") -> None:
        self.encoder = HashEncoder(dimension)
        self.script, self.always, self.key = list(script), always, key
        self.questions: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.ended = threading.Event()
        self.under_way = self.most_under_way = 0
        self.lock = threading.Lock()
        house = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version, disable_nagle_algorithm = "HTTP/1.1", True

            def do_POST(self) -> None:
                house.answer(self)

            def log_message(self, *args: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads, self._server.block_on_close = True, False

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self._server.server_port}"

    @property
    def url(self) -> str:
        return f"http://{self.host}/v1"

    @property
    def texts(self) -> list[str]:
        """All texts that were sent, in the order in which they came."""
        return [text for question in self.questions for text in question["input"]]

    def __enter__(self) -> EmbeddingsServer:
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.ended.set()
        self._server.shutdown()
        self._server.server_close()

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        question = json.loads(handler.rfile.read(int(handler.headers["Content-Length"])))
        with self.lock:
            self.questions.append(question)
            self.headers.append({name.lower(): value for name, value in handler.headers.items()})
            step = self.script.pop(0) if self.script else None
            self.under_way += 1
            self.most_under_way = max(self.most_under_way, self.under_way)
        try:
            if self.key and handler.headers.get("Authorization") != f"Bearer {self.key}":
                refused(401, f"Incorrect API key provided: {handler.headers.get('Authorization')}")(
                    handler, question
                )
            elif handler.path != "/v1/embeddings":
                refused(404, "no such path")(handler, question)
            elif not any(act and act(handler, question) for act in (step, self.always)):
                send(handler, 200, json.dumps(self.vectors(question)).encode())
        finally:
            with self.lock:
                self.under_way -= 1

    def vectors(self, question: dict[str, Any]) -> dict[str, Any]:
        data = self.encoder.encode(question["input"]).data[:, : question.get("dimensions")]
        return {
            "object": "list",
            "data": [
                {
                    "object": "embedding",
                    "index": place,
                    "embedding": base64.b64encode(row.astype("<f4").tobytes()).decode()
                    if question.get("encoding_format") == "base64"
                    else row.astype(float).tolist(),
                }
                for place, row in enumerate(data)
            ],
            "model": question["model"],
            "usage": {"prompt_tokens": sum(len(text.split()) for text in question["input"])},
        }


def send(handler: Any, status: int, body: bytes, **headers: str) -> bool:
    handler.send_response(status)
    names = {"content_type": "application/json", "content_length": str(len(body))} | headers
    for name, value in names.items():
        handler.send_header(name.replace("_", "-"), value)
    handler.end_headers()
    handler.wfile.write(body)
    return True


def raw(body: bytes, status: int = 200, **headers: str) -> Callable[..., bool]:
    """Answer with these bytes."""
    return lambda handler, question: send(handler, status, body, **headers)


def refused(status: int, message: str, code: str | None = None, **headers: str) -> Callable[..., bool]:
    """Answer with an error as the API words it."""
    return raw(json.dumps({"error": {"message": message, "code": code}}).encode(), status, **headers)


def edited(server: EmbeddingsServer, edit: Callable[[dict[str, Any]], Any]) -> Callable[..., bool]:
    """Answer with what `edit` leaves of the right answer."""

    def act(handler: Any, question: dict[str, Any]) -> bool:
        answer = server.vectors(question)
        edit(answer)
        return send(handler, 200, json.dumps(answer).encode())

    return act


def dead(handler: Any, question: dict[str, Any]) -> bool:
    """Break the connection in the middle of the answer."""
    send(handler, 200, b'{"data": [', content_length="5000")
    handler.wfile.flush()
    handler.close_connection = True
    handler.connection.shutdown(2)
    return True


def silent(server: EmbeddingsServer) -> Callable[..., bool]:
    """Never answer."""

    def act(handler: Any, question: dict[str, Any]) -> bool:
        server.ended.wait(30)
        handler.close_connection = True
        return True

    return act


def slow(seconds: float) -> Callable[..., bool]:
    """Take time, then answer well."""
    return lambda handler, question: bool(time.sleep(seconds))
