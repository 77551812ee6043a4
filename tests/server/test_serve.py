"""The command `nearsense serve`: what it refuses; and a real process, from what is typed to Ctrl-C."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import urllib.request
from types import SimpleNamespace

import pytest

import nearsense as ns
from asked import TICKETS
from nearsense.server.settings import ServerSettings
from served import Served


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("typed")
    with ns.open(made / "support.nearsense") as collection:
        collection.add(TICKETS)
    return made


@pytest.fixture
def refused(folder, run, monkeypatch):
    """What is said of words that are refused, in this process: the exit code and the lines of standard error."""
    monkeypatch.chdir(folder)

    def typed(*words):
        done = run("serve", *words)
        return done.code, done.err.splitlines()

    return typed


def ask(address, path, body=None):
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(address + path, data, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=30) as response:
        return json.load(response)


LABELLED = [("how long does it take", "1"), ("can I pay with a card", "2"), ("are you hiring", None)]
QUESTIONS = {
    "/v1/ready": None,
    "/v1/version": None,
    "/v1/collections": None,
    "/v1/search": {"query": "my screen freezes", "k": 2},
    "/v1/faq": {"question": "where is your shop?"},
}


@pytest.fixture(scope="module")
def served(folder):
    """A server that was started, asked and ended: what it answered by path, what it said, how it ended."""
    lines = "".join(f"{question},{id_ or ''}\n" for question, id_ in LABELLED)
    (folder / "asked.csv").write_text(f"question,id\n{lines}")
    items = "1,How long does shipping take?,Two days.\n1,When will it arrive?,\n2,Do you take cards?,Yes.\n"
    (folder / "own.csv").write_text(f"id,question,answer\n{items}")
    server = Served(folder, "support.nearsense", "--faq", "own.csv", "--labelled", "asked.csv", "--log", "on")
    try:
        answers = {path: ask(server.address, path, body) for path, body in QUESTIONS.items()}
        known = ask(server.address, "/v1/faq", {"question": "How long does shipping take?"})
    finally:
        output = server.end()
    return SimpleNamespace(
        answers=answers, known=known, output=output, log=server.log, code=server.process.returncode
    )


def test_a_faq_is_served_as_sure_as_its_labelled_questions_make_it_and_its_log_goes_by_its_file(
    folder, served, run
):
    threshold = served.answers["/v1/faq"]["threshold"]
    plain, taught = (ns.FAQ(str(folder / "own.csv"), labelled=each) for each in (None, LABELLED))
    assert threshold == pytest.approx(taught.threshold.probability, abs=1e-3)
    assert threshold != pytest.approx(plain.threshold.probability, abs=1e-3)
    done = run("log", folder / "own.csv", "--unanswered", "--json")
    found = json.loads(done.out)
    assert (found["queries"], found["unanswered"]) == (2, 1)
    assert "where is your shop?" in done.out


@pytest.mark.parametrize("faqs", [[], ["--faq", "shop.csv", "--faq", "own.csv"]])
def test_labelled_questions_are_of_one_faq(refused, faqs):
    code, said = refused(*faqs, "--labelled", "asked.csv")
    assert (code, said[0]) == (2, "error: --labelled is of one FAQ: give one --faq FILE with it")


def test_what_was_named_is_served_until_ctrl_c(folder, served):
    assert "collection support: 5 documents" in served.log
    assert "faq own: 2 entries" in served.log
    assert served.answers["/v1/ready"] == {"status": "ready"}
    assert served.answers["/v1/version"]["nearsense"] == ns.__version__
    assert {hit["id"] for hit in served.answers["/v1/search"]["hits"]} == {"1", "4"}
    assert served.known["answer"] == "Two days."
    [collection] = served.answers["/v1/collections"]["collections"]
    assert (collection["name"], collection["documents"]) == ("support", 5)
    assert str(folder) not in json.dumps(collection), "where it lies is nobody's business"
    assert served.code == 0, served.log
    assert "Traceback" not in served.log
    assert served.output == "", "standard output is for results"


def test_a_port_in_use_is_said_in_three_lines_before_anything_is_loaded(refused):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        code, lines = refused("support.nearsense", "--port", str(taken.getsockname()[1]))
    assert code == 2
    assert lines[0].startswith("error: 127.0.0.1:")
    assert lines[1] == "  why: Address already in use"
    assert lines[2] == "  fix: stop what runs there, or take another: --port 0 finds one that is free"
    assert len(lines) == 3


def test_a_collection_that_does_not_exist_is_said_in_three_lines(refused, folder):
    code, lines = refused("suport.nearsense", "--port", "0")
    assert code == 2
    assert "suport.nearsense" in lines[0]
    assert len(lines) == 3
    assert not (folder / "suport.nearsense").exists(), "none is made by a slip"


def test_two_collections_of_one_name_are_refused(refused, folder):
    (folder / "old").mkdir(exist_ok=True)
    with ns.open(folder / "old" / "support.nearsense"):
        pass
    code, lines = refused("support.nearsense", "old/support.nearsense", "--port", "0")
    assert (code, lines[0]) == (2, "error: there are two collections called support")


def test_other_machines_reach_it_only_with_a_key(refused):
    code, lines = refused("support.nearsense", "--host", "0.0.0.0", "--port", "0")
    assert code == 2
    assert lines[0] == "error: 0.0.0.0 can be reached from other machines, and no key is asked for"
    assert "--api-key-file" in lines[2]


def test_an_extra_that_is_not_installed_is_named(folder):
    code = (
        "import sys\n"
        "class Missing:\n"
        "    def find_spec(self, name, *_):\n"
        "        if name.split('.')[0] in ('uvicorn', 'fastapi'): raise ModuleNotFoundError(name)\n"
        "sys.meta_path.insert(0, Missing())\n"
        "sys.argv = ['nearsense', 'serve', 'support.nearsense']\n"
        "from nearsense.cli import main; main()"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert "nearsense[server]" in done.stderr
    assert len(done.stderr.splitlines()) == 3


def test_help_shows_examples_and_loads_no_framework():
    code = (
        "import sys\nfrom nearsense.cli import main\nsys.argv = ['nearsense', 'serve', '--help']\n"
        "try: main()\nexcept SystemExit: pass\n"
        "sys.stderr.write(' '.join({*sys.modules} & {'fastapi', 'uvicorn', 'starlette'}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=os.environ)
    assert "nearsense serve support.nearsense --faq faq.csv" in done.stdout
    assert "fastapi" not in done.stderr
    assert "starlette" not in done.stderr


@pytest.mark.parametrize("port", [-1, 65_536, 1.5, "8765"])
def test_a_port_is_a_number_up_to_65_535(port):
    with pytest.raises(ns.errors.InputError, match="is no port"):
        ServerSettings(port=port)


@pytest.mark.parametrize("seconds", [0, -1, float("nan"), float("inf"), "30"])
def test_a_deadline_is_a_number_of_seconds(seconds):
    with pytest.raises(ns.errors.InputError, match="is no number of seconds"):
        ServerSettings(deadline=seconds)


@pytest.mark.parametrize(
    ("host", "address"),
    [("127.0.0.1", "http://127.0.0.1:8765"), ("localhost", "http://localhost:8765"), ("::1", "http://[::1]:8765")],
)
def test_the_address_is_one_to_paste(host, address):
    assert ServerSettings(host=host).address == address
