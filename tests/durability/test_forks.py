"""A process that is forked while its threads are in the middle of something: both go on, or say why not."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from nearsense import _forks

pytestmark = pytest.mark.skipif(not hasattr(_forks.os, "register_at_fork"), reason="nothing forks here")

SCRIPT = Path(__file__).with_name("middles.py")


def forked(kind, forks):
    command = [sys.executable, "-W", "ignore", str(SCRIPT), kind, str(forks)]
    return subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)


@pytest.mark.parametrize("kind", ["add", "search", "index", "multiply"])
def test_a_fork_in_the_middle_of_a_call_hangs_neither_side(kind):
    done = forked(kind, 8)
    assert done.returncode == 0, done.stdout + done.stderr[-1000:]


@pytest.mark.durability
@pytest.mark.parametrize(
    "kind",
    [
        "encode",
        "compare",
        "search_vectors",
        "sync",
        "delete",
        "hybrid",
        "similar",
        "get",
        "info",
        "build",
        "reembed",
        "rank",
        "duplicates",
        "answer",
        "matrix",
        "explain",
        "guard",
        "mine",
        "nearest",
        "cluster",
        "map",
        "kmeans",
    ],
)
def test_a_fork_in_the_middle_of_any_call_hangs_neither_side(kind):
    done = forked(kind, 25)
    assert done.returncode == 0, done.stdout + done.stderr[-1000:]


def test_a_fork_waits_for_what_is_being_computed_and_a_child_finds_every_lock_free():
    kept, going, found = _forks.lock(), _forks.event(), []

    def compute():
        with _forks.computing(), _forks.computing(), kept:
            going.set()
            time.sleep(0.3)
            found.append("computed")
        kept.acquire()
        found.append("held")

    thread = threading.Thread(target=compute)
    thread.start()
    assert going.wait(20)
    begun = time.monotonic()
    child = _forks.os.fork()
    if child == 0:
        free = kept.acquire(timeout=5)
        with _forks.computing():
            _forks.os._exit(0 if free and found[0] == "computed" else 1)
    assert _forks.os.waitpid(child, 0)[1] == 0
    assert time.monotonic() - begun > 0.2
    thread.join()
    assert found == ["computed", "held"]
    assert kept.locked()


CUT_OFF = """
import os, threading, nearsense as ns
from nearsense import _forks

_forks.PATIENCE = 0.1
going, over = threading.Event(), threading.Event()

def compute():
    with _forks.computing():
        going.set()
        over.wait(20)

thread = threading.Thread(target=compute)
thread.start()
assert going.wait(20)
child = os.fork()
if child == 0:
    try:
        ns.metrics.cosine([[1.0, 0.0]], [[0.0, 1.0]])
    except ns.errors.NearsenseError as error:
        os._exit(0 if "forked while its parent was computing" in str(error) else 3)
    os._exit(4)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
over.set()
thread.join()
print(*ns.metrics.cosine([[1.0, 0.0]], [[0.0, 1.0]]).shape)
"""


def test_a_child_that_was_cut_off_in_the_middle_of_a_computation_is_refused():
    command = [sys.executable, "-W", "ignore", "-c", CUT_OFF]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout.split() == ["0", "1", "1"], done.stderr[-1000:]


def test_a_fork_goes_on_beside_threads_that_never_sleep_and_leaves_the_turns_of_python_as_they_were():
    stop, usual = threading.Event(), sys.getswitchinterval()
    with _forks.computing():
        pass

    def never_sleep():
        while not stop.is_set():
            hashlib.pbkdf2_hmac("sha256", b"text", b"salt", 200_000)

    threads = [threading.Thread(target=never_sleep) for _ in range(2)]
    for thread in threads:
        thread.start()
    child = _forks.os.fork()
    if child == 0:
        _forks.os._exit(0 if sys.getswitchinterval() == usual else 1)
    assert _forks.os.waitpid(child, 0)[1] == 0
    assert sys.getswitchinterval() == usual
    stop.set()
    for thread in threads:
        thread.join()
