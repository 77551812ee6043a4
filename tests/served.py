"""The command `nearsense serve` as a process of its own, on a port that is free."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

COMMAND = str(Path(sys.executable).parent / "nearsense")


class Served:
    """A server that runs in a folder; what it says is in `said`.

    Args:
        folder: Where it runs.
        words: What stands behind `nearsense serve`.
    """

    def __init__(self, folder: Path, *words: str) -> None:
        number, name = tempfile.mkstemp()  # no pipe: one that nobody reads would stop it
        self._log = Path(name)
        typed = [COMMAND, "serve", *words, "--port", "0"]
        pipes = {"stdout": subprocess.PIPE, "stderr": number, "text": True}
        self.process = subprocess.Popen(typed, cwd=folder, **pipes)
        os.close(number)
        until = time.monotonic() + 120
        while not (found := re.search(r"serving at (\S+) ", self.said)):
            assert self.process.poll() is None, f"it ended: {self.said}"
            assert time.monotonic() < until, f"it does not begin: {self.said}"
            time.sleep(0.05)
        self.address = found[1]

    @property
    def said(self) -> str:
        """Its standard error."""
        return self._log.read_text()

    def end(self, number: int = signal.SIGINT) -> str:
        """End it by a signal; its standard output."""
        self.process.send_signal(number)
        output = self.process.communicate(timeout=30)[0]
        self.log = self.said
        self._log.unlink()
        return output


@contextmanager
def served(folder: Path, *words: str) -> Iterator[str]:
    """The address of a server that runs meanwhile."""
    server = Served(folder, *words)
    try:
        yield server.address
    finally:
        server.end()
