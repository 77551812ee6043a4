"""Assistants: a client of the protocol lists and calls each tool, on standard input and output and over HTTP."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
from contextlib import contextmanager

import psutil
import pytest

import nearsense as ns
from asked import FAQ, TICKETS

pytest.importorskip("mcp")

from mcp import Client, StdioServerParameters

TOOLS = {"search", "similar", "compare", "faq", "context", "stats"}


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    folder = tmp_path_factory.mktemp("assisted")
    with ns.open(folder / "support.nearsense") as made:
        made.add(TICKETS)
    (folder / "shop.csv").write_text(FAQ)
    return folder


@pytest.fixture(scope="module")
def server(spoken_server):
    return spoken_server


def command(home):
    words = ["-m", "nearsense", "mcp", str(home / "support.nearsense"), "--faq", str(home / "shop.csv")]
    return StdioServerParameters(command=sys.executable, args=words, env=dict(os.environ))


CALLS = [
    ("search", {"query": "my dashboard freezes", "k": 2, "where": {"status": "open"}}),
    ("similar", {"id": "2", "k": 1}),
    ("compare", {"a": "Ship it in 15 days.", "b": "Ship it in 51 days."}),
    ("faq", {"question": "How long does shipping take?"}),
    ("context", {"query": "money back", "tokens": 100}),
    ("stats", {}),
]


async def all_of(where, mode):
    async with Client(where, mode=mode) as client:
        tools = (await client.list_tools()).tools
        results = {name: await client.call_tool(name, arguments) for name, arguments in CALLS}
        return client.server_info, tools, results


def check(tools, results):
    assert {tool.name for tool in tools} == TOOLS
    for tool in tools:
        assert tool.description
        assert tool.annotations.read_only_hint
    assert not any(result.is_error for result in results.values()), results
    values = {name: result.structured_content for name, result in results.items()}
    text = {name: result.content[0].text for name, result in results.items()}

    assert [hit["id"] for hit in values["search"]["hits"]] == ["1", "4"]
    for hit in values["search"]["hits"]:
        assert 0 <= hit["probability"] <= 1
        assert hit["differs"] is not None
    assert text["search"].startswith(f"2 of 5 documents in support. {values['search']['note']}")

    assert values["similar"]["hits"][0]["id"] == "3"
    assert values["compare"]["differs"] == ["number: 15 days → 51 days"]
    assert "number: 15 days → 51 days" in text["compare"]
    assert values["faq"]["outcome"] == "answer"
    assert text["faq"].startswith("Two days.")
    assert "I want my money back" in text["context"]
    assert values["stats"]["collections"]["support"]["documents"] == 5
    assert values["stats"]["faqs"]["shop"]["entries"] == 3
    assert "path" not in values["stats"]["collections"]["support"]


@pytest.mark.parametrize("mode", ["auto", "legacy"])
def test_a_client_lists_and_calls_each_tool_over_http(server, mode):
    info, tools, results = asyncio.run(all_of(f"{server.url}/mcp", mode))
    assert info.name == "nearsense"
    check(tools, results)


def test_a_client_lists_and_calls_each_tool_on_standard_input_and_output(home):
    info, tools, results = asyncio.run(all_of(command(home), "auto"))
    assert info.name == "nearsense"
    check(tools, results)


def lines(home, *requests):
    """What a started server says: it is given lines, and its input ends when it has answered them."""
    parameters = command(home)
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen([parameters.command, *parameters.args], text=True, **pipes) as started:
        for each in requests:
            started.stdin.write(json.dumps({"jsonrpc": "2.0", **each}) + "\n")
        started.stdin.flush()
        said = [started.stdout.readline() for each in requests if "id" in each]
        rest, errors = started.communicate(timeout=60)
    return started.returncode, [json.loads(line) for line in [*said, *rest.splitlines()] if line], errors


HELLO = {
    "id": 1,
    "method": "initialize",
    "params": {
        "protocolVersion": "2025-06-18",
        "capabilities": {},
        "clientInfo": {"name": "test", "version": "1"},
    },
}
READY = {"method": "notifications/initialized"}


@pytest.mark.slow
def test_nothing_but_the_protocol_is_on_standard_output(home):
    """Also where a text is cut, in another language, or something is wrong: that is said elsewhere."""
    long = {
        "name": "compare",
        "arguments": {"a": "word " * 400, "b": "Das ist ein deutscher Text über Hunde."},
    }
    wrong = {"name": "search", "arguments": {"query": " "}}
    calls = [{"id": place, "method": "tools/call", "params": each} for place, each in enumerate((long, wrong), 2)]
    code, said, errors = lines(home, HELLO, READY, *calls)
    assert code == 0, errors
    assert {each["id"] for each in said} == {1, 2, 3}
    by_id = {each["id"]: each["result"] for each in said}
    assert "tokens" in by_id[2]["content"][0]["text"]  # that it was cut
    assert by_id[3]["isError"]
    assert "query 0 is empty" in by_id[3]["content"][0]["text"]


def test_a_collection_that_is_not_there_is_said_before_anything_else(tmp_path):
    code, said, errors = lines(tmp_path)
    assert code == 2
    assert said == []
    told = [line.partition(":")[0].strip() for line in errors.splitlines()]
    assert told == ["error", "why", "fix"]
    assert "there is no collection" in errors


@contextmanager
def started(*words):
    """The command as a process of its own, until the end of the block."""
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen([sys.executable, "-m", "nearsense", "mcp", *words], text=True, **pipes) as process:
        try:
            yield process
        finally:
            process.kill()


def greeted(process):
    """It is told hello; its answer."""
    process.stdin.write(json.dumps({"jsonrpc": "2.0", **HELLO}) + "\n")
    process.stdin.flush()
    return json.loads(process.stdout.readline())["result"]


def test_an_assistant_is_answered_before_the_model_is_loaded_and_an_interrupt_ends_it_quietly(home):
    with started(str(home / "support.nearsense")) as process:
        assert greeted(process)["serverInfo"]["name"] == "nearsense"
        used = psutil.Process(process.pid).cpu_times()
        assert used.user + used.system <= 1.5  # on a machine with nothing else to do, seconds of a clock
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 130  # although its input is still open
        assert process.stdout.read() == ""
        assert process.stderr.read() == "interrupted: nothing half written is left\n"


@pytest.mark.slow
@pytest.mark.parametrize(("how", "code"), [("terminated", 143), ("closed", 0)])
def test_a_signal_or_the_end_of_the_input_ends_it_without_a_word(home, how, code):
    with started(str(home / "support.nearsense")) as process:
        greeted(process)
        process.send_signal(signal.SIGTERM) if how == "terminated" else process.stdin.close()
        assert process.wait(20) == code
        assert (process.stdout.read(), process.stderr.read()) == ("", "")


@pytest.mark.slow
def test_what_cannot_be_opened_ends_it_with_the_reason(home):
    (home / "broken.csv").write_text("a,b\n1,2\n")
    with started(str(home / "support.nearsense"), "--faq", str(home / "broken.csv")) as process:
        assert process.wait(30) == 2
        assert process.stdout.read() == ""
        told = [line.partition(":")[0].strip() for line in process.stderr.read().splitlines()]
        assert told == ["error", "why", "fix"]


@pytest.mark.slow
def test_the_tools_are_at_a_port_until_an_interrupt(home):
    with started(str(home / "support.nearsense"), "--faq", str(home / "shop.csv"), "--port", "0") as process:
        address = next(found[1] for line in process.stderr if (found := re.search(r"serving at (\S+);", line)))
        info, tools, results = asyncio.run(all_of(address, "auto"))
        assert info.name == "nearsense"
        check(tools, results)
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 0
        assert process.stdout.read() == ""
        assert "Traceback" not in process.stderr.read()


def call(server, name, arguments):
    async def one():
        async with Client(f"{server.url}/mcp") as client:
            return await client.call_tool(name, arguments)

    return asyncio.run(one())


def test_what_went_wrong_is_told_to_the_assistant_with_what_to_do(server):
    for name, arguments, says in (
        ("search", {"query": "a", "collection": "../etc"}, "give one of: support"),
        ("search", {"query": "a", "where": {"color": "red"}}, "color"),
        ("similar", {"id": "nobody"}, "nobody"),
        ("search", {"query": "a", "k": 10**6}, "50"),
    ):
        result = call(server, name, arguments)
        assert result.is_error
        assert says in result.content[0].text
        assert str(server.service.collections["support"].path) not in result.content[0].text


def test_an_assistant_is_told_when_no_hit_is_likely(server):
    result = call(server, "search", {"query": "What is the capital of France?"})
    assert result.structured_content["note"].startswith("None of them is likely to be right")
    assert max(hit["probability"] for hit in result.structured_content["hits"]) < 0.5


def test_an_assistant_is_told_that_a_filter_lets_nothing_pass_and_what_it_could_name(server):
    result = call(server, "search", {"query": "a", "where": {"status": "lost"}})
    assert "No document passes the filter" in result.content[0].text
    assert "status" in result.content[0].text
