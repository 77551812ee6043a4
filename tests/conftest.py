"""What tests share: the real model, small models that are made here, and the evaluation data where it is."""

from __future__ import annotations

import gc
import io
import json
import os
import signal
import stat
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import settings

import nearsense as ns
from turns import HEARD, SIGNALS, own_process

settings.register_profile("quick", max_examples=20, deadline=None)
settings.register_profile("full", max_examples=400, deadline=None)
settings.load_profile("quick")  # make test-slow: --hypothesis-profile=full

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # as after `nohup make test &`: children would ignore it too
    signal.signal(signal.SIGINT, signal.default_int_handler)

HEARD.update({number: signal.getsignal(number) for number in SIGNALS})
DATA = Path(os.environ.get("NEARSENSE_DATA") or Path(__file__).parents[2] / "shared" / "data")


def pytest_configure(config):
    """Children of a process that runs tests beside others do not hold the pipe by which its end is noticed."""
    if hasattr(config, "workerinput") and hasattr(os, "register_at_fork"):
        pipes = [fd for fd in range(3, 10) if _is_pipe(fd)]
        os.register_at_fork(after_in_child=lambda: [os.close(fd) for fd in pipes])


def _is_pipe(fd):
    try:
        return stat.S_ISFIFO(os.fstat(fd).st_mode)
    except OSError:
        return False


def pytest_collection():
    """Thousands of tests are read in a third of the time where nobody looks for garbage among them meanwhile."""
    gc.disable()


def pytest_collection_finish():
    gc.freeze()
    gc.enable()


@pytest.fixture(autouse=True, scope="session")
def _own_cache(tmp_path_factory):
    """Nothing of the user's is read or written, and the hub is never asked."""
    base = tmp_path_factory.mktemp("home")
    patch = pytest.MonkeyPatch()
    patch.setenv("XDG_CACHE_HOME", str(base / "cache"))
    patch.setenv("XDG_CONFIG_HOME", str(base / "config"))
    patch.setenv("HF_HUB_OFFLINE", "1")
    kept = ("NEARSENSE_DATA", "NEARSENSE_MODELS", "NEARSENSE_PRECISION")  # the last one: CONTRIBUTING.md
    for name in [name for name in os.environ if name.startswith("NEARSENSE_") and name not in kept]:
        patch.delenv(name)
    yield
    patch.undo()


@pytest.fixture(params=[4, pytest.param(20, marks=pytest.mark.slow)], ids="{} orders".format)
def orders(request):
    """In how many orders the same things are given to what must not depend on the order."""
    return request.param


@pytest.fixture(autouse=True)
def _own_process():
    with own_process():
        yield


@pytest.fixture(scope="session")
def encoder(_own_cache):
    """The default model as users get it."""
    return ns.load()


@pytest.fixture(scope="session")
def exact(_own_cache):
    """The default model in float32."""
    return ns.load(precision="f32")


@pytest.fixture(scope="session")
def data() -> Callable[[str], list[dict]]:
    """Rows of an evaluation set by its path; the test is skipped where the sets are not."""

    def rows(name: str) -> list[dict]:
        import gzip

        file = DATA / f"{name}.jsonl.gz"
        if not file.is_file():
            pytest.skip(f"the evaluation data is not here: {file}")
        with gzip.open(file, "rt", encoding="utf-8") as lines:
            return [json.loads(line) for line in lines]

    return rows


class Done(NamedTuple):
    """What a command did."""

    code: int
    out: str
    err: str


@pytest.fixture
def run(monkeypatch, capsys):
    """The command, in this process: its exit code and what it prints."""
    from nearsense.cli import main

    def run(*words, stdin: bytes = b"") -> Done:
        monkeypatch.setattr(sys, "argv", ["nearsense", *map(str, words)])
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin), encoding="utf-8"))
        code = 0
        try:
            main()
        except SystemExit as stop:
            code = stop.code or 0
        captured = capsys.readouterr()
        return Done(code, captured.out, captured.err)

    return run
