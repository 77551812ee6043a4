"""kill -9 while clients write over HTTP: whatever a request was told is done is there."""

from __future__ import annotations

import contextlib
import random
import threading
import time

import pytest

import nearsense as ns
from samples import tiny_bert
from serving import Served

pytest.importorskip("nearsense.server.collections", reason="collections do not change over HTTP here")
pytestmark = pytest.mark.durability

KILLS = 12
CLIENTS = 4


class Client(threading.Thread):
    """Adds documents and deletes some of them, and keeps what it was told is done."""

    def __init__(self, server: Served, name: str) -> None:
        super().__init__(daemon=True)
        self.server, self.name, self.ended = server, name, threading.Event()
        self.there: dict[str, str] = {}
        self.gone: set[str] = set()
        self.asked: set[str] = set()  # what was asked for and not answered: there or not, both are right

    def run(self) -> None:
        chance, number = random.Random(self.name), 0
        while not self.ended.is_set():
            texts = {f"{self.name}-{number + i}": f"w{chance.randrange(90)} w{number}" for i in range(3)}
            number += 3
            self.asked |= texts.keys()
            documents = [{"id": id_, "text": text} for id_, text in texts.items()]
            if not self.told("POST", "/v1/collections/shop/documents", {"documents": documents}):
                return
            self.asked -= texts.keys()
            self.there |= texts
            if number % 9 == 0:
                gone = chance.choice(list(self.there))
                self.asked.add(gone)
                text = self.there.pop(gone)
                if not self.told("POST", "/v1/collections/shop/delete", {"ids": [gone]}):
                    self.there.pop(gone, text)
                    return
                self.asked.discard(gone)
                self.gone.add(gone)

    def told(self, method: str, path: str, body: object) -> bool:
        with contextlib.suppress(Exception):  # the server is killed in the middle of it
            answer = self.server.ask(method, path, body)
            return answer.status == 200
        return False


def test_nothing_that_was_acknowledged_is_lost_when_a_server_is_killed(tmp_path):
    folder, chance = tmp_path / "shop.nearsense", random.Random(3)
    with ns.open(folder, encoder=str(tiny_bert(tmp_path / "tiny"))) as collection:
        collection.add([ns.Document(id="first", text="w1 w2")])
    there, gone, unsure = {"first": "w1 w2"}, set(), set()
    for kill in range(KILLS):
        with Served(tmp_path, collections=[folder]) as server:
            clients = [Client(server, f"{kill}-{i}") for i in range(CLIENTS)]
            for client in clients:
                client.start()
            wanted, until = chance.randrange(5, 100), time.monotonic() + 30
            while sum(len(client.there) for client in clients) < wanted and time.monotonic() < until:
                time.sleep(chance.random() * 0.02)
            server.kill()
            for client in clients:
                client.ended.set()
                client.join(30)
                there |= client.there
                gone |= client.gone
                unsure |= client.asked
        with ns.open(folder, create=False) as collection:
            assert collection.verify().ok
            found = {each.id: each.text for each in collection.documents()[0]}
        assert {id_: found.get(id_) for id_ in there if id_ not in unsure} == {
            id_: text for id_, text in there.items() if id_ not in unsure
        }
        assert not gone & found.keys(), "what was told is deleted came back"
        assert not found.keys() - there.keys() - unsure, "what nobody asked for is there"
    told = f"{len(there):,} documents acknowledged, {len(gone)} deletions"
    print(f"\n{KILLS} kills under the load of {CLIENTS} clients: {told}; lost 0")
    assert len(there) > KILLS * 10
