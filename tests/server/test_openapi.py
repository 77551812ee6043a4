"""The OpenAPI document: what it says is so, whoever asks, and however they ask."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from asked import asked, operations, request_of
from nearsense.server.described import examples, shape_of
from nearsense.server.verbs import VERBS
from served import served


@pytest.fixture(scope="module")
def server(tmp_path_factory, encoder):
    with asked(tmp_path_factory.mktemp("served")) as running:
        yield running


@pytest.fixture(scope="module")
def document(server):
    return server.get("/openapi.json").json()


def test_it_is_openapi_3_1_and_describes_every_route_but_those_of_others(server, document):
    assert document["openapi"].startswith("3.1")
    described = {(path, method.upper()) for path, item in document["paths"].items() for method in item}
    assert {("/v1/health", "GET"), ("/metrics", "GET"), ("/v1/jobs/{id}", "DELETE")} <= described
    assert {(f"/v1/{verb.name}", "POST") for verb in VERBS} <= described
    assert not {path for path, _ in described if path.startswith(("/page", "/mcp"))}, "for people and assistants"


def test_every_operation_has_an_example_of_its_answer_and_all_its_errors(document):
    for name, operation in operations(document).items():
        answers = {status: each for status, each in operation["responses"].items() if status.startswith("2")}
        assert answers, name
        assert {"401", "404", "429", "500"} <= operation["responses"].keys(), name


@pytest.mark.parametrize("verb", VERBS, ids=lambda verb: verb.name)
def test_the_example_of_a_request_gets_the_answer_of_the_example(server, document, verb):
    response = server.post(f"/v1/{verb.name}", request_of(document, verb.name))
    assert response.status_code == 200, response.text
    assert shape_of(response.json()).get("required") == shape_of(examples()[verb.name]).get("required")


def test_the_page_of_the_reference_has_no_script_and_nothing_of_others(server, document):
    response = server.get("/docs")
    assert response.headers["content-type"].startswith("text/html")
    assert "default-src 'none'" in response.headers["content-security-policy"]
    assert "<script" not in response.text
    assert not re.search(r"(?:src|href)=[\"']?(?:https?:)?//", response.text)
    for path in document["paths"]:
        assert path in response.text


FILES = """[[operations]]
include-path-regex = "/files"
[operations.checks.positive_data_acceptance]
expected-statuses = ["2xx", "401", "403", "404", "409", "422", "429", "5xx"]
"""
"""No schema says which bytes are a table: a file that is none is refused, and that is right."""


@pytest.mark.parametrize(
    ("examples_", "phases"),
    [(2, "examples,fuzzing"), pytest.param(50, "examples,coverage,fuzzing,stateful", marks=pytest.mark.slow)],
    ids=["few", "all"],
)
def test_schemathesis_finds_no_failure_by_any_of_its_checks(tmp_path, server, examples_, phases):
    folder = server.service.collection("support").path.parent
    (tmp_path / "schemathesis.toml").write_text(FILES)
    with served(folder, "support.nearsense", "--faq", "shop.csv") as address:
        done = subprocess.run(
            [
                sys.executable, "-m", "schemathesis.cli", "--no-color", "run", f"{address}/openapi.json",
                "--max-examples", str(examples_), "--seed", "1", "--continue-on-failure",
                "--request-timeout", "60", "--phases", phases,
            ],
            cwd=tmp_path, capture_output=True, text=True, timeout=3_000,
        )  # fmt: skip
    assert done.returncode == 0, done.stdout[-20_000:]
    assert re.search(r"(\d+) generated, \1 passed", done.stdout), done.stdout[-2_000:]
