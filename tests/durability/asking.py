"""What a child does that asks a collection which is logged, until it is killed. Run by forks.py."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import nearsense as ns
from fakes import HashEncoder


def ask(say: Callable[[str], None], folder: str, name: str, threads: int = 3, count: int = 1_000_000) -> None:
    """Ask one question after another in each of some threads, saying when each was answered."""
    notes = ns.open(folder, HashEncoder(), create=False)
    voice = threading.Lock()

    def some(thread: int) -> None:
        for number in range(count):
            notes.search(f"{name} {thread} {number}")
            with voice:
                say(f"{time.monotonic()} {name} {thread} {number}")

    others = [threading.Thread(target=some, args=(thread,)) for thread in range(1, threads)]
    for each in others:
        each.start()
    some(0)
    for each in others:
        each.join()
    notes.close()
