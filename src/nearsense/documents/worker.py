"""The process in which files of risky formats are read: bounded in memory and time, nothing to run or to call.

A parser that a file makes crash, fill the memory or never end takes this process along, not the one that asked. It
is started with the first such file, reads one after another, and is started anew where it died. Ctrl-C reaches the
asking process alone, which ends it. Files are named to it and answers come back as JSON: nothing is unpickled.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import IO, Any, NoReturn

from nearsense.documents.blocks import Content
from nearsense.documents.formats import Reader
from nearsense.errors import FileError, MissingExtra, NearsenseError

MEMORY = 1 << 30
"""Bytes that reading a file may take beyond those of the process itself, where the system can bound that."""
SECONDS = 120.0
"""How long a file may take."""
CHARACTERS = 100_000_000
"""The longest text that is taken from a file."""

_START = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]);from nearsense.documents.worker import serve; serve()"
)
_REFUSED = (
    "socket.",
    "subprocess.",
    "os.exec",
    "os.fork",
    "os.posix_spawn",
    "os.spawn",
    "os.system",
    "ctypes.dlopen/",
)


class Worker:
    """The asking side. Use it in a `with`; it is for one thread."""

    def __init__(self, seconds: float = SECONDS, memory: int = MEMORY) -> None:
        self._seconds, self._memory = seconds, memory
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def close(self) -> None:
        """End the process, whatever it is doing."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            for pipe in (process.stdin, process.stdout):
                if pipe is not None:
                    with suppress(OSError):
                        pipe.close()
            process.wait()

    def read(self, reader: Reader, path: Path) -> Content:
        """What a reader makes of a file.

        Raises:
            FileError: It is damaged, encrypted, too large, or reading it broke a bound.
            MissingExtra: The library that reads it is not installed.
        """
        late = threading.Event()
        try:
            process = self._started()

            def stop() -> None:
                late.set()
                process.kill()

            timer = threading.Timer(self._seconds, stop)
            timer.daemon = True
            timer.start()
            try:
                answer = _ask(process, {"module": reader.module, "function": reader.function, "path": str(path)})
            finally:
                timer.cancel()
        except BaseException:
            self.close()
            raise
        if answer is None:
            self.close()
            raise self._died(path, late.is_set())
        if "error" in answer:
            kind, what, why, fix = answer["error"]
            raise (MissingExtra if kind == "MissingExtra" else FileError)(what, why=why, fix=fix)
        return Content.from_json(answer)

    def _died(self, path: Path, late: bool) -> FileError:
        what, fix = (
            f"{path} cannot be read",
            "leave it out with --ignore, or convert it with the program that made it",
        )
        if late:
            return FileError(what, why=f"reading it took more than {self._seconds:g} seconds", fix=fix)
        size = f"{self._memory / 2**30:g} GiB"
        return FileError(
            what, why=f"its reader crashed, or needs more than {size} of memory: it may be hostile", fix=fix
        )

    def _started(self) -> subprocess.Popen[bytes]:
        if self._process is None or self._process.poll() is not None:
            self.close()
            if not sys.executable:
                raise FileError("this format cannot be read here", why="Python does not know its own path")
            environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
            self._process = subprocess.Popen(
                [sys.executable, "-c", _START, json.dumps(sys.path), str(self._memory), str(self._seconds)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
                env=environment,
            )
        return self._process


def _ask(process: subprocess.Popen[bytes], question: dict[str, str]) -> dict[str, Any] | None:
    """The answer to a question; None where the process ended instead."""
    stdin, stdout = process.stdin, process.stdout
    if stdin is None or stdout is None:
        return None
    try:
        stdin.write(json.dumps(question).encode() + b"\n")
        stdin.flush()
        line = stdout.readline(16 * CHARACTERS)
    except (BrokenPipeError, ValueError):
        return None
    if not line.endswith(b"\n"):
        return None
    found: dict[str, Any] = json.loads(line)
    return found


# -- the side that reads


def serve() -> NoReturn:
    """Read files until nobody asks any more."""
    memory, seconds = int(sys.argv[2]), float(sys.argv[3])
    answers = os.fdopen(os.dup(1), "wb")
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)  # whatever a library prints
    sys.dont_write_bytecode = True
    bound(memory)
    sys.addaudithook(_refuse)
    for line in sys.stdin.buffer:
        _alarm(seconds + 5)  # should the asking process be gone
        _answer(answers, json.loads(line))
        _alarm(0)
    os._exit(0)


def _answer(answers: IO[bytes], asked: dict[str, str]) -> None:
    path = asked["path"]
    damaged, fix = f"{path} cannot be read", "open it with the program that made it, and save it anew"
    try:
        read = Reader("", asked["module"], asked["function"]).load()
        content = read(Path(path))
        if len(content.text) > CHARACTERS:
            raise FileError(damaged, why=f"its text has more than {CHARACTERS:,} characters", fix="split it")
        told = content.to_json()
    except MemoryError:
        told = {
            "error": ["FileError", damaged, "it needs more memory than a document may: it may be hostile", fix]
        }
    except RecursionError:
        told = {"error": ["FileError", damaged, "it is nested too deep: it may be hostile", fix]}
    except NearsenseError as error:
        told = {"error": [type(error).__name__, error.what, error.why, error.fix]}
    except Exception as error:
        why = (str(error).strip() or type(error).__name__).splitlines()[0][:200]
        told = {"error": ["FileError", damaged, f"it is damaged, or not what its name says: {why}", fix]}
    answers.write(json.dumps(told).encode() + b"\n")
    answers.flush()


def _refuse(event: str, _arguments: object) -> None:
    """Readers neither call anybody nor run anything; an audit hook stays for good."""
    if event.startswith(_REFUSED):
        raise PermissionError(f"a reader of documents may not do this: {event}")


def bound(memory: int) -> None:
    """Bound this process, where the system can: its memory, its files, no image of it after a crash."""
    try:
        import resource
    except ImportError:  # Windows
        return
    with suppress(OSError, ValueError):
        used = int(Path("/proc/self/statm").read_text("ascii").split()[0]) * os.sysconf("SC_PAGE_SIZE")
        resource.setrlimit(resource.RLIMIT_AS, (used + memory, used + memory))
    for limit in (resource.RLIMIT_CORE, resource.RLIMIT_FSIZE):
        with suppress(OSError, ValueError):
            resource.setrlimit(limit, (0, 0))


def _alarm(seconds: float) -> None:
    import signal

    if hasattr(signal, "setitimer"):
        signal.setitimer(signal.ITIMER_REAL, seconds)
