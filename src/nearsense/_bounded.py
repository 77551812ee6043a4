"""A process for what strangers' files may make crash: bounded in memory and time, with nothing to run or to call.

A parser that a file makes fill the memory, or never end, takes this process along, not the one that asked. It is
started with the first question, answers one after another, and is started anew where it died. Ctrl-C reaches the
asking process alone, which ends it. Questions and answers are lines of JSON: nothing is unpickled.

Both sides are here. The other one runs this file by its path, and starts without numpy and what else it needs not.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from typing import IO, Any, NoReturn, Self

LONGEST = 16 * 100_000_000
"""Bytes of the longest line of an answer."""

CRASHED, LATE = "crashed", "late"
"""Why no error came back: the process ended, or was ended because its time was over."""

_REFUSED = ("socket.", "subprocess.", "os.exec", "os.fork", "os.posix_spawn", "os.spawn", "os.system")


class Broken(Exception):
    """What was asked did not come to its end.

    Args:
        kind: The name of the error's class; CRASHED or LATE.
        why: Its first line.
        said: Of an error of nearsense what, why and fix.
    """

    def __init__(self, kind: str, why: str = "", said: Sequence[str] = ()) -> None:
        super().__init__(kind, why)
        self.kind, self.why, self.said = kind, why, said


class BoundedProcess:
    """The asking side. Use it in a `with`; it is for one thread.

    Args:
        memory: Bytes that an answer may take beyond those of the process itself, where the system can bound that.
        seconds: How long an answer may take.
    """

    def __init__(self, memory: int, seconds: float) -> None:
        self._memory, self._seconds = memory, seconds
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
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

    def ask(self, function: str, *arguments: Any, content: bytes | None = None) -> Iterator[Any]:
        """The values that a function gives there, one after another.

        Args:
            function: As `package.module:name`; it gives back an iterable of JSON values.
            arguments: JSON values.
            content: Bytes; the function gets them as a stream, before the arguments.

        Raises:
            Broken: The function raised an error, or a bound was reached.
        """
        late, whole = threading.Event(), False
        try:
            process = self._started()

            def stop() -> None:
                late.set()
                process.kill()

            timer = threading.Timer(self._seconds, stop)
            timer.daemon = True
            timer.start()
            try:
                for line in _lines(process, [function, arguments], content):
                    if line.startswith(b"="):
                        yield json.loads(line[1:])
                    elif line.startswith(b"!"):
                        kind, why, said, whole = json.loads(line[1:])
                        raise Broken(kind, why, said)
                    else:
                        whole = True
                        return
            finally:
                timer.cancel()
            raise Broken(LATE if late.is_set() else CRASHED)
        finally:
            if not whole or late.is_set():
                self.close()

    def _started(self) -> subprocess.Popen[bytes]:
        if self._process is None or self._process.poll() is not None:
            self.close()
            if not sys.executable:
                raise Broken("RuntimeError", "Python does not know its own path")
            environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
            self._process = subprocess.Popen(
                [sys.executable, "-P", __file__, json.dumps(sys.path), str(self._memory), str(self._seconds)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
                env=environment,
            )
        return self._process


def _lines(process: subprocess.Popen[bytes], question: list[Any], content: bytes | None) -> Iterator[bytes]:
    """The lines of an answer; those of a process that ended come to an end."""
    assert process.stdin is not None
    assert process.stdout is not None
    with suppress(BrokenPipeError):
        length = -1 if content is None else len(content)
        process.stdin.write(json.dumps([*question, length]).encode() + b"\n")
        process.stdin.write(content or b"")
        process.stdin.flush()
    while (line := process.stdout.readline(LONGEST)).endswith(b"\n"):
        yield line


# -- the side that answers


def serve() -> NoReturn:
    """Answer until nobody asks any more."""
    sys.path[:] = json.loads(sys.argv[1])
    memory, seconds = int(sys.argv[2]), float(sys.argv[3])
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # whatever a library prints
    sys.dont_write_bytecode = True
    sys.addaudithook(_refuse)
    bounded = False
    for line in sys.stdin.buffer:
        _alarm(seconds + 5)  # should the asking process be gone
        function, arguments, length = json.loads(line)
        call = _loaded(function)
        if not bounded:
            bounded = bound(memory)
        _answer(answers, call, arguments, length)
        _alarm(0)
    os._exit(0)


def _answer(answers: IO[bytes], call: Callable[..., Iterable[Any]], arguments: list[Any], length: int) -> None:
    try:
        if length >= 0:
            from io import BytesIO

            arguments = [BytesIO(sys.stdin.buffer.read(length)), *arguments]
        for value in call(*arguments):
            answers.write(b"=" + json.dumps(value).encode() + b"\n")
        answers.write(b".\n")
    except BaseException as error:  # what is written in Rust panics with others than Exceptions
        goes_on = isinstance(error, Exception) and not isinstance(error, MemoryError)
        said = [getattr(error, name) for name in ("what", "why", "fix") if hasattr(error, name)]
        why = (str(error).strip() or type(error).__name__).splitlines()[0][:200]
        answers.write(b"!" + json.dumps([type(error).__name__, why, said, goes_on]).encode() + b"\n")
    answers.flush()


def _loaded(function: str) -> Callable[..., Iterable[Any]]:
    """A function by its name; our own packages around its module are entered without what they import first."""
    from importlib import import_module
    from types import ModuleType

    module, _, name = function.partition(":")
    top, *others = module.split(".")[:-1] or [""]
    path = os.path.dirname(os.path.abspath(__file__))  # noqa: PTH100, PTH120
    if top == os.path.basename(path):  # noqa: PTH119
        for depth in range(len(others) + 1):
            package = ModuleType(".".join([top, *others[:depth]]))
            package.__path__ = [os.path.join(path, *others[:depth])]  # noqa: PTH118
            sys.modules.setdefault(package.__name__, package)
    found: Callable[..., Iterable[Any]] = getattr(import_module(module), name)
    return found


def _refuse(event: str, _arguments: object) -> None:
    """Nobody is called here and nothing is run; an audit hook stays for good."""
    if event.startswith(_REFUSED):
        raise PermissionError(f"a reader of files may not do this: {event}")


def bound(memory: int) -> bool:
    """Bound this process, where the system can: its memory, its files, no image of it after a crash."""
    try:
        import resource
    except ImportError:  # Windows
        return True
    with suppress(OSError, ValueError), open("/proc/self/statm", "rb") as told:  # noqa: PTH123
        used = int(told.read().split()[0]) * os.sysconf("SC_PAGE_SIZE")
        resource.setrlimit(resource.RLIMIT_AS, (used + memory, used + memory))
    for limit in (resource.RLIMIT_CORE, resource.RLIMIT_FSIZE):
        with suppress(OSError, ValueError):
            resource.setrlimit(limit, (0, 0))
    return True


def _alarm(seconds: float) -> None:
    import signal

    if hasattr(signal, "setitimer"):
        signal.setitimer(signal.ITIMER_REAL, seconds)


if __name__ == "__main__":
    serve()
