"""What test_store.py lets children do: wait in a queue, die in it, fork in the middle, look without permission."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from nearsense.errors import StoreError
from nearsense.records import Document
from nearsense.store import open_store
from nearsense.store.lock import one_at_a_time, try_alone
from nearsense.store.readonly import only_readable  # noqa: F401 - now: a child without permissions finds no module

Say = Callable[[str], None]


def add(store, *ids: str, text: str = "text") -> None:
    """Documents with vectors of four numbers, as one commit."""
    vectors = np.eye(4, dtype=np.float32)[[len(id_) % 4 for id_ in ids]]
    with store.writing() as writer:
        writer.insert([Document(id_, text, {"n": 1}) for id_ in ids], vectors, np.zeros(len(ids), bool))


def ids(store) -> list[str]:
    """What is there, in the order of arrival."""
    with store.reading() as reader:
        return [document.id for block in reader.blocks() for document in block.documents]


def tickets(file: Path) -> int:
    """How many have joined a queue so far."""
    return int.from_bytes(file.read_bytes()[:8], "little") if file.exists() else 0


def until(condition: Callable[[], bool]) -> None:
    """Wait for something that must happen within seconds."""
    end = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.001)


def queue(say: Say, file: str, people: int, killed: int | None) -> None:
    """Processes join a queue one after the other while it is held; each says when it has its turn."""
    path, children = Path(file), []
    with one_at_a_time(path):
        for person in range(people):
            before = tickets(path)
            children.append(os.fork())
            if children[-1] == 0:
                with one_at_a_time(path):
                    say(str(person))
                os._exit(0)
            until(lambda before=before: tickets(path) > before)
        time.sleep(0.05)
        if killed is not None:
            os.kill(children[killed], signal.SIGKILL)
            os.waitpid(children.pop(killed), 0)
    for child in children:
        os.waitpid(child, 0)


def fork_while_open(say: Say, folder: str) -> None:
    """A child goes on with its parent's store; the parent closes first."""
    store = open_store(Path(folder))
    add(store, "parent")
    heard, told = os.pipe()
    if (child := os.fork()) == 0:
        say(f"child sees {ids(store)}")
        os.read(heard, 1)
        for number in range(3):
            add(store, f"child {number}")
        store.close()
        os._exit(0)
    store.close()
    os.write(told, b"x")
    assert os.waitpid(child, 0)[1] == 0
    store = open_store(Path(folder))
    say(str(ids(store)))


def fork_while_writing(say: Say, folder: str) -> None:
    """A child leaves its parent's change, and tries to use a store."""
    store = open_store(Path(folder))
    child = 0
    try:
        with store.writing() as writer:
            writer.insert([Document("1", "text")], np.ones((1, 4), np.float32) / 2, np.zeros(1, bool))
            child = os.fork()
    except StoreError as error:
        say(f"at the end: {error.what}")
    if child == 0:
        for attempt in (lambda: ids(store), lambda: open_store(Path(folder))):
            try:
                attempt()
            except StoreError as error:
                say(f"afterwards: {error.fix}")
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    add(store, "2")
    say(str(ids(store)))
    store.close()


def without_permission(say: Say, folder: str) -> None:
    """Somebody else tries to open a folder that is not theirs to write."""
    os.seteuid(65534)
    for create in (True, False):
        try:
            open_store(Path(folder), create=create)
            say("opened")
        except StoreError as error:
            say(type(error).__name__)


def count_together(say: Say, file: str, people: int, rounds: int, kind: str) -> None:
    """Processes count in one file, which goes wrong where two do so at once."""
    os.environ["NEARSENSE_LOCKS"] = kind
    counter, children = Path(f"{file}.count"), []
    counter.write_text("0")
    for _ in range(people):
        children.append(os.fork())
        if children[-1] == 0:
            for _ in range(rounds):
                with one_at_a_time(Path(file)):
                    counter.write_text(str(int(counter.read_text()) + 1))
            os._exit(0)
    assert [os.waitpid(child, 0)[1] for child in children] == [0] * people
    say(counter.read_text())


def die_holding(say: Say, file: str, lock: str, kind: str) -> None:
    """A child is killed while it has its turn; then it is the parent's."""
    os.environ["NEARSENSE_LOCKS"] = kind
    taken = {"one_at_a_time": one_at_a_time, "try_alone": lambda path: try_alone(path, wait=True)}[lock]
    heard, told = os.pipe()
    if (child := os.fork()) == 0:
        with taken(Path(file)):
            say("held")
            os.write(told, b"x")
            time.sleep(60)
    os.read(heard, 1)
    os.kill(child, signal.SIGKILL)
    with taken(Path(file)):
        say("mine")
    os.waitpid(child, 0)


def fork_inside(say: Say, file: str, kind: str) -> None:
    """A child leaves the block that its parent is in; a third one is still refused."""
    os.environ["NEARSENSE_LOCKS"] = kind
    with try_alone(Path(file)):
        if child := os.fork():
            assert os.waitpid(child, 0)[1] == 0
            with try_alone(Path(file)) as second:
                say("mine" if second else "refused")
    if not child:
        os._exit(0)
    with try_alone(Path(file)) as again:
        say("mine" if again else "refused")


def hundred_openings(say: Say, folder: str, people: int, kind: str = "") -> None:
    """Many processes make the same new collection at once, and add a document each."""
    os.environ["NEARSENSE_LOCKS"] = kind
    children = []
    for person in range(people):
        children.append(os.fork())
        if children[-1] == 0:
            store = open_store(Path(folder))
            add(store, str(person))
            store.close()
            os._exit(0)
    statuses = [os.waitpid(child, 0)[1] for child in children]
    say(str(sum(statuses)))
