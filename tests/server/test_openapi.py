"""The OpenAPI document: what it says is so, whoever asks, and however they ask."""

from __future__ import annotations

import re
import subprocess
import sys

import httpx2
import jsonschema
import pytest
from starlette.routing import Route

import nearsense as ns
from asked import FAQ, TICKETS, operations, request_of
from nearsense.kinds import Scope
from nearsense.server import app
from nearsense.server.described import examples, shape_of
from nearsense.server.keys import add_key
from nearsense.server.spoken.messages import EmbeddingsRequest, EmbedRequest, RerankRequest, SimilarityRequest
from nearsense.server.verbs import VERBS
from served import served

OTHERS = (
    "embeddings", "models", "model", "rerank", "rerank_v1", "rerank_v2", "embed", "similarity", "info",
)  # fmt: skip


@pytest.fixture(scope="module")
def server(asked_server):
    return asked_server


@pytest.fixture(scope="module")
def document(server):
    return server.get("/openapi.json").json()


def test_it_is_openapi_3_1_and_describes_every_route(server, document):
    assert document["openapi"].startswith("3.1")
    described = {(path, method.upper()) for path, item in document["paths"].items() for method in item}
    assert {("/v1/health", "GET"), ("/metrics", "GET"), ("/v1/jobs/{id}", "DELETE")} <= described
    assert {(f"/v1/{verb.name}", "POST") for verb in VERBS} <= described
    assert {("/v1/embeddings", "POST"), ("/v2/rerank", "POST"), ("/info", "GET")} <= described
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


CONFIGURATION = """
[dictionaries]
collections = {values = ["support"]}
documents = {values = ["1", "2", "3"]}
faqs = {values = ["shop"]}
models = {values = ["all-MiniLM-L6-v2"]}

[checks.negative_data_rejection]
expected-statuses = ["400", "401", "403", "404", "405", "406", "409", "413", "415", "422", "428", "429", "5xx"]

[[operations]]
include-path-regex = "^/v1/collections/"
[operations.parameters]
"path.name" = {dictionary = "collections", probability = 0.7}
"path.id" = {dictionary = "documents", probability = 0.7}

[[operations]]
include-path-regex = "^/v1/faqs/"
parameters = {"path.name" = {dictionary = "faqs", probability = 0.7}}

[[operations]]
include-path-regex = "^/v1/models/"
parameters = {"path.name" = {dictionary = "models", probability = 0.7}}

[[operations]]
include-path-regex = "/files"
[operations.checks.positive_data_acceptance]
expected-statuses = ["2xx", "401", "403", "404", "409", "422", "429", "5xx"]
"""
"""What is there, to be asked for. A wrong body that is too large too is refused as that; and no schema says which
bytes are a table: a file that is none is refused."""

TAGS = ("collections", "jobs", "judging", "others", "page", "review", "state", "verbs", "watching")


@pytest.fixture(scope="module")
def behind_keys(tmp_path_factory):
    """The address of a server that has and allows all that can be asked for, and a key that may write."""
    folder = tmp_path_factory.mktemp("described")
    with ns.open(folder / "support.nearsense") as made:
        made.add(TICKETS)
    (folder / "shop.csv").write_text(FAQ)
    (folder / "made").mkdir()
    key = add_key(folder / "keys", "all", Scope.WRITE)
    allowed = ("--write-faqs", "--log", "on", "--folder", "made", "--api-key-file", "keys")
    with served(folder, "support.nearsense", "--faq", "shop.csv", *allowed) as address:
        yield address, key


def schemathesis(folder, behind_keys, cases, phases, *words):
    """How many operations were asked, and how many cases made of them, all of which every check lets pass."""
    address, key = behind_keys
    (folder / "schemathesis.toml").write_text(CONFIGURATION)
    done = subprocess.run(
        [
            sys.executable, "-m", "schemathesis.cli", "--no-color", "run", f"{address}/openapi.json",
            "--header", f"Authorization: Bearer {key}", "--checks", "all", "--phases", phases,
            "--max-examples", str(cases), "--seed", "1", "--continue-on-failure", "--request-timeout", "60",
            *words,
        ],
        cwd=folder, capture_output=True, text=True, timeout=3_000,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-20_000:]
    [tested], [made] = (
        re.findall(said, done.stdout) for said in (r"Tested: (\d+)", r"(\d+) generated, \1 passed")
    )
    return int(tested), int(made)


def test_schemathesis_finds_no_failure_by_any_of_its_checks(tmp_path, behind_keys, document):
    tested, made = schemathesis(tmp_path, behind_keys, 1, "fuzzing")
    assert tested == len(operations(document))
    assert made >= tested


@pytest.mark.slow
@pytest.mark.parametrize("tag", TAGS)
def test_schemathesis_finds_no_failure_in_any_phase(tmp_path, behind_keys, document, tag):
    own = [each for each in operations(document).values() if tag in each["tags"]]
    phases = "examples,coverage,fuzzing,stateful"
    tested, made = schemathesis(tmp_path, behind_keys, 30, phases, "--include-tag", tag)
    assert tested == len(own)
    assert made > 10 * tested


def test_every_operation_has_one_tag_and_is_asked_by_it(document):
    assert all(len(each["tags"]) == 1 and each["tags"][0] in TAGS for each in operations(document).values())


def test_what_others_speak_is_described_by_the_types_that_read_it(server, document):
    schemas = document["components"]["schemas"]
    for kind in (EmbeddingsRequest, RerankRequest, EmbedRequest, SimilarityRequest):
        assert schemas[kind.__name__]["properties"].keys() == set(kind.__struct_fields__)
    assert schemas["EmbeddingsRequest"]["properties"]["dimensions"]["anyOf"][0]["maximum"] == 384
    fields = schemas["Refusal"]["properties"]["error"]
    refused = server.post("/v1/embeddings", {"input": []}).json()
    jsonschema.validate(refused, {"$ref": "#/components/schemas/Refusal", "components": {"schemas": schemas}})
    assert fields == {"$ref": "#/components/schemas/RefusalDetail"}


@pytest.mark.parametrize("name", OTHERS)
def test_the_example_of_what_others_ask_gets_an_answer_as_described(server, document, name):
    [(path, method)] = [
        (path, method)
        for path, item in document["paths"].items()
        for method, each in item.items()
        if each["operationId"] == name
    ]
    told = operations(document)[name]["responses"]["200"]["content"]["application/json"]
    asked = {"json": request_of(document, name)} if method == "post" else {}
    response = server(method.upper(), path.replace("{name}", "all-MiniLM-L6-v2"), **asked)
    assert response.status_code == 200, response.text
    schema = told["schema"] | {"components": document["components"]}
    for answer in (response.json(), told["example"]):
        jsonschema.validate(answer, schema)
    assert shape_of(response.json()).get("required") == shape_of(told["example"]).get("required")


def test_errors_of_what_others_speak_have_openais_form_and_no_422(document):
    for name in OTHERS:
        responses = operations(document)[name]["responses"]
        assert {"400", "401", "403", "404", "413", "421", "429", "503"} <= responses.keys()
        assert "422" not in responses, "what is bad of a request is 400 there"
        [media] = responses["429"]["content"].values()
        assert media["schema"] == {"$ref": "#/components/schemas/Refusal"}


class Forgotten:
    """A room with a route that may change something, and does not say so."""

    @staticmethod
    def routes(_service, _settings):
        return [Route("/v1/forgotten", endpoint=lambda _: None, methods=["DELETE"])]


def test_a_route_that_does_not_say_which_key_it_takes_is_not_served(server, monkeypatch):
    monkeypatch.setattr(app, "ROOMS", (*app.ROOMS, Forgotten))
    with pytest.raises(ValueError, match="/v1/forgotten does not say what a key has to be good for"):
        app.create_app(server.service, server.settings)


def test_the_document_says_of_each_route_which_key_it_takes(behind_keys):
    address, _ = behind_keys
    document = httpx2.get(f"{address}/openapi.json").json()
    known = {name: each["security"] for name, each in operations(document).items()}
    read, write = [{"key": ["read"]}], [{"key": ["write"]}]
    assert set(map(str, known.values())) == set(map(str, (read, write, [])))
    assert known["search"] == known["embeddings"] == known["draw_map"] == known["calibrate_file"] == read
    assert known["add_documents"] == known["cancel_job"] == known["learn_from_decisions"] == write
    assert known["health"] == []
