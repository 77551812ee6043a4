"""kill -9 of a server while eight clients write: what was acknowledged is there, word for word."""

import http.client
import random
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

import nearsense as ns
from fakes import HashEncoder
from server.serving import Client

pytestmark = pytest.mark.durability

KILLS, WRITERS = 12, 8
SERVER = """
import sys, time
from pathlib import Path
sys.path[:0] = [{tests!r}]
from server.serving import serving
with serving(Path({folder!r})) as (ask, service):
    print(ask.port, flush=True)
    time.sleep(600)
"""


def begun(folder):
    program = SERVER.format(tests=str(Path(__file__).parents[1]), folder=str(folder))
    process = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    return process, Client(int(process.stdout.readline()))


class Writers:
    """Eight clients that add, replace and delete, and note what they were told."""

    def __init__(self) -> None:
        self.sure: dict[str, str] = {}  # acknowledged, and not deleted since
        self.maybe: dict[str, str] = {}  # sent: it may be there
        self.gone: set[str] = set()  # acknowledged as deleted
        self.stop = threading.Event()

    def write(self, ask, life, writer):
        path = "/v1/collections/tickets/documents"
        for number in range(10**6):
            ids = [f"{life}-{writer}-{number}-{row}" for row in range(3)]
            texts = {id_: f"text {id_}" for id_ in ids}
            body = {"documents": [{"id": id_, "text": text} for id_, text in texts.items()]}
            self.maybe |= texts
            try:
                if ask("PUT" if number % 2 else "POST", path, body).status != 200:
                    return
                self.sure |= texts
                if number % 5 == 0:
                    del self.sure[ids[0]]
                    if ask("DELETE", f"{path}/{ids[0]}").status != 200:
                        return
                    self.gone.add(ids[0])
            except (OSError, ValueError, http.client.HTTPException):
                return  # it was killed in the middle
            if self.stop.is_set():
                return


def test_a_kill_loses_nothing_that_was_acknowledged_and_invents_nothing(tmp_path):
    chance, told = random.Random(5), Writers()
    with ns.open(tmp_path / "tickets.nearsense", HashEncoder()):
        pass
    for life in range(KILLS):
        process, ask = begun(tmp_path)
        told.stop.clear()
        writers = [threading.Thread(target=told.write, args=(ask, life, writer)) for writer in range(WRITERS)]
        for each in writers:
            each.start()
        time.sleep(0.3 + 1.2 * chance.random())
        process.send_signal(signal.SIGKILL)
        told.stop.set()
        process.wait()
        process.stdout.close()
        for each in writers:
            each.join(60)
        with ns.open(tmp_path / "tickets.nearsense", HashEncoder(), create=False) as room:
            there = {each.id: each.text for each in room.documents()[0]}
            assert room.verify().findings == ()
        assert not {id_ for id_, text in told.sure.items() if there.get(id_) != text}, "acknowledged, and lost"
        assert not told.gone & set(there), "acknowledged as deleted, and there"
        assert all(told.maybe.get(id_) == text for id_, text in there.items()), "nobody has written that"
    assert len(told.sure) > 20 * KILLS
    print(f"\n{KILLS} kills, {WRITERS} writers: {len(told.sure):,} acknowledged documents, none lost")


def test_what_a_job_told_to_be_done_is_there_after_a_kill_and_the_key_goes_on_from_there(tmp_path):
    content = "\n".join(["id,text", *(f"{row},ticket number {row}" for row in range(9000))]).encode()
    how = {"content-type": "text/csv", "Idempotency-Key": "import-1"}
    process, ask = begun(tmp_path)
    try:
        assert ask("POST", "/v1/collections", {"name": "tickets"}).status == 201
        path = ask("POST", "/v1/collections/tickets/files", content, how).headers["location"]
        done = 0
        while not 2048 <= done < 9000:
            done = ask("GET", path).body["done"]
            assert done < 9000, "it was too fast to be killed"
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
    with ns.open(tmp_path / "tickets.nearsense", HashEncoder(), create=False) as room:
        kept = {each.id for each in room.documents()[0]}
        assert kept >= {str(row) for row in range(done)}
    process, ask = begun(tmp_path)
    try:
        assert ask("GET", path).status == 404
        told = ask.ended(ask("POST", "/v1/collections/tickets/files", content, how))
        assert (told["state"], told["result"]["unchanged"]) == ("done", len(kept))
        assert ask.count("tickets") == 9000
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
