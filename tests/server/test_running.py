"""A server that runs: what it accepted is finished when it is told to end, within a time."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time

import pytest

APP = """
import asyncio, socket, sys
from dataclasses import replace
from nearsense.server.logs import Lines, Logged
from nearsense.server.running import run
from nearsense.server.settings import ServerSettings

async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        while True:
            message = await receive()
            await send({"type": message["type"] + ".complete"})
            if message["type"] == "lifespan.shutdown":
                return
    await asyncio.sleep(float(scope["path"].strip("/")))
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"4")]})
    await send({"type": "http.response.body", "body": b"done"})

listening = socket.create_server(("127.0.0.1", 0))
print(listening.getsockname()[1], flush=True)
app = Logged(app, None, Lines())
code = run(app, ServerSettings(grace=float(sys.argv[1])), listening, lambda: print("closing", flush=True))
sys.exit(code)
"""


@pytest.fixture
def started(tmp_path):
    """Starts a server in a process of its own: the process and its port."""
    processes = []

    def start(grace):
        script = tmp_path / "server.py"
        script.write_text(APP)
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        process = subprocess.Popen([sys.executable, script, str(grace)], **pipes)
        processes.append(process)
        port = int(process.stdout.readline())
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                ask(port, "0")
                return process, port
            except OSError:
                time.sleep(0.05)

    yield start
    for process in processes:
        process.kill()
        process.communicate()


def ask(port, seconds):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request("GET", f"/{seconds}")
    body = connection.getresponse().read()
    connection.close()
    return body


def asked(port, seconds, count):
    """Requests that run in threads, and what comes of them."""
    found = []

    def one():
        try:
            found.append(ask(port, seconds))
        except (OSError, http.client.HTTPException) as error:
            found.append(type(error).__name__)

    threads = [threading.Thread(target=one) for _ in range(count)]
    for thread in threads:
        thread.start()
    time.sleep(0.5)
    return threads, found


@pytest.mark.parametrize("name", ["SIGTERM", pytest.param("SIGINT", marks=pytest.mark.slow)])
def test_what_was_accepted_is_finished_and_nothing_more_is_taken(started, name):
    process, port = started(20)
    threads, found = asked(port, 1.5, 8)
    process.send_signal(getattr(signal, name))
    time.sleep(0.5)
    with pytest.raises(OSError, match=r"refused|reset"):
        ask(port, 0)
    for thread in threads:
        thread.join()
    said, log = process.communicate(timeout=20)
    assert found == [b"done"] * 8
    assert process.returncode == 0
    assert said == "closing\n"
    events = [json.loads(line) for line in log.splitlines()]
    assert [each["event"] for each in events if each["event"] != "request"] == ["started", "stopping", "stopped"]
    assert events[-1]["unanswered"] == 0


@pytest.mark.slow
def test_what_is_not_finished_in_time_is_cut_and_the_exit_code_says_so(started):
    process, port = started(1)
    threads, found = asked(port, 30, 2)
    begun = time.monotonic()
    process.send_signal(signal.SIGTERM)
    _, log = process.communicate(timeout=20)
    assert time.monotonic() - begun < 10
    for thread in threads:
        thread.join()
    assert b"done" not in found
    assert process.returncode == 1
    assert json.loads(log.splitlines()[-1])["unanswered"] == 2


@pytest.mark.slow
def test_a_second_signal_ends_it_at_once(started):
    process, port = started(30)
    threads, found = asked(port, 20, 1)
    process.send_signal(signal.SIGTERM)
    time.sleep(0.3)
    begun = time.monotonic()
    os.kill(process.pid, signal.SIGTERM)
    process.communicate(timeout=20)
    assert time.monotonic() - begun < 5
    for thread in threads:
        thread.join()
    assert found != [b"done"]
