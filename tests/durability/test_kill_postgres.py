"""A PostgreSQL server all of whose processes are killed, again and again, while many write: nothing is lost."""

from __future__ import annotations

import random
import threading
import time

import pytest

import nearsense as ns
from collection.test_conformance import Words
from pgserver import Server

pytestmark = pytest.mark.durability

KILLS, WRITERS = 30, 4


class Writer(threading.Thread):
    """Adds, replaces and deletes documents of its own, and remembers what was acknowledged."""

    def __init__(self, url: str, number: int, done: threading.Event) -> None:
        super().__init__(daemon=True)
        self.url, self.number, self.ended = url, number, done
        self.known: dict[str, str] = {}
        self.writes = 0
        self.wrong: list[str] = []

    def run(self) -> None:
        chance = random.Random(self.number)
        with ns.open(self.url, Words()) as collection:
            while not self.ended.is_set():
                try:
                    self.step(collection, chance)
                except BaseException as error:
                    self.wrong.append(repr(error))
                    return
                self.writes += 1

    def step(self, collection: ns.Collection, chance: random.Random) -> None:
        kind = chance.random()
        if kind < 0.6 or len(self.known) < 20:
            new = {
                f"{self.number}-{self.writes}-{n}": f"text {chance.random()}" for n in range(chance.randint(1, 9))
            }
            added = collection.add([ns.Document(id_, text) for id_, text in new.items()])
            assert added == len(new)
            self.known |= new
        elif kind < 0.8:
            new = {id_: f"changed {chance.random()}" for id_ in chance.sample(sorted(self.known), 5)}
            collection.upsert([ns.Document(id_, text) for id_, text in new.items()])
            self.known |= new
        else:
            gone = chance.sample(sorted(self.known), 3)
            assert collection.delete([*gone, "nobody"]) == 3
            for id_ in gone:
                del self.known[id_]


def test_nothing_is_lost_and_nothing_is_twice_when_the_server_is_killed():
    server, chance, began = Server(), random.Random(11), time.monotonic()
    try:
        url, done = server.url("killed"), threading.Event()
        ns.open(url, Words()).close()
        writers = [Writer(url, number, done) for number in range(WRITERS)]
        for writer in writers:
            writer.start()
        between = []
        for _ in range(KILLS):
            before = sum(writer.writes for writer in writers)
            until = time.monotonic() + 20
            while sum(writer.writes for writer in writers) == before and time.monotonic() < until:
                time.sleep(0.01)
            time.sleep(chance.random() * 0.3)
            between.append(sum(writer.writes for writer in writers) - before)
            server.kill()
            server.start()
        done.set()
        for writer in writers:
            writer.join(90)
        assert [writer.wrong for writer in writers] == [[]] * WRITERS
        assert min(between) > 0, "a kill came before there was work"
        wanted = {id_: text for writer in writers for id_, text in writer.known.items()}
        with ns.open(url, Words()) as collection:
            documents, _ = collection.documents()
            assert {document.id: document.text for document in documents} == wanted
            assert len(documents) == len(collection) == len(wanted)
            assert collection.verify().ok
            assert all(collection.search(each.text, k=1)[0].score > 0.999999 for each in documents[:50])
        writes = sum(writer.writes for writer in writers)
        took = time.monotonic() - began
        print(f"\n{KILLS} kills, {writes:,} writes, {len(wanted):,} documents in {took:.0f} s; lost 0, twice 0")
    finally:
        server.close()
