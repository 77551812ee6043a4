"""Children that may die: a small server forks them, so that one costs milliseconds. Not a pool: each runs once.

The server is a fresh process that has imported the store and opened nothing. What a child says goes line by line
through a pipe, unbuffered: what was said before a kill is heard after it.
"""

from __future__ import annotations

import importlib
import json
import os
import select
import signal
import subprocess
import sys
import time
import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import Any

TESTS = Path(__file__).parents[1]


@dataclass(frozen=True)
class Outcome:
    """What a child said, line by line, and how it ended: 0 or 1, or minus the signal."""

    said: list[str]
    status: int

    @property
    def killed(self) -> bool:
        return self.status == -signal.SIGKILL

    def ended_well(self) -> Outcome:
        assert self.status == 0, "\n".join([f"status {self.status}", *self.said[-40:]])
        return self


class Forks:
    """The server; `with Forks() as forks: forks.run("durability.writer:write", folder="...")`."""

    def __enter__(self) -> Forks:
        paths = os.pathsep.join([str(TESTS), *filter(None, sys.path)])
        self._server = subprocess.Popen(
            [sys.executable, "-W", "error", "-m", "durability.forks"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": paths, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"},
        )
        return self

    def __exit__(self, *_: object) -> None:
        self._server.stdin.close()
        self._server.wait(30)
        self._server.stdout.close()

    def run(
        self, function: str, *, kill_after: float | None = None, limit: float = 120, **options: Any
    ) -> Outcome:
        """Call "module:function" with `say` and the options in a child; kill it after some seconds."""
        order = {"function": function, "kill_after": kill_after, "limit": limit, "options": options}
        self._server.stdin.write(json.dumps(order) + "\n")
        self._server.stdin.flush()
        answer = self._server.stdout.readline()
        assert answer, "the server of the children has died"
        return Outcome(**json.loads(answer))


def _serve() -> None:
    for module in (
        "nearsense.store.sqlite",
        "durability.keeper",
        "nearsense.collection.sqlite",
        "nearsense.index",
    ):
        importlib.import_module(module)  # once, for all children: kills shall meet work, not imports

    for line in sys.stdin:
        order = json.loads(line)
        heard, said = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(heard)
            os._exit(_child(order, said))
        os.close(said)
        content, status = _listen(child, heard, order["kill_after"], order["limit"])
        os.close(heard)
        lines = content.decode("utf-8", "replace").split("\n")
        # The last piece is either empty or a line that the kill has cut.
        print(json.dumps({"said": lines[:-1], "status": status}), flush=True)


def _child(order: dict[str, Any], said: int) -> int:
    def say(line: str) -> None:
        os.write(said, line.encode() + b"\n")

    try:
        module, _, name = order["function"].partition(":")
        getattr(importlib.import_module(module), name)(say, **order["options"])
    except BaseException:
        say(traceback.format_exc())
        return 1
    return 0


def _listen(child: int, heard: int, kill_after: float | None, limit: float) -> tuple[bytes, int]:
    parts, start = [], time.monotonic()
    due = start + (limit if kill_after is None else kill_after)
    killed = False
    while True:
        wait = max(0.0, due - time.monotonic()) if not killed else 60
        if select.select([heard], [], [], wait)[0]:
            if not (part := os.read(heard, 1 << 16)):
                break
            parts.append(part)
        elif not killed:
            os.kill(child, signal.SIGKILL)
            killed = True
            if kill_after is None:
                parts.append(b"\nkilled: it took too long\n")
        else:
            parts.append(b"\nsomebody still holds the pipe\n")
            break
    return b"".join(parts), os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


if __name__ == "__main__":
    _serve()
