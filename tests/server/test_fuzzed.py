"""Bodies that nobody would send: never a fault of the server's, never one that is not answered."""

from __future__ import annotations

import asyncio
import copy
import json
import random
import time

import pytest

from asked import request_of
from nearsense.server.verbs import VERBS

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")


@pytest.fixture(scope="module")
def server(asked_server):
    return asked_server


STRANGE = [
    None, True, False, 0, -1, 1, 2**31, 2**63, 10**400, -0.0, 0.5, 1e308, 5e-324, "", " ", "\0", "\x1c", "a\u0300",
    "\ud800", "\U0001f3f3\ufe0f\u200d\U0001f308", "\u202e", "x" * 3_000, "../../etc/passwd", "<b>", "NaN", "-0",
    [], {}, [[]], [None], {"": ""}, {"and": []}, {"or": [{}]}, {"not": {}}, {"\\": 1},
    {"year": {">=": "x", "<": 1}}, {"year": {"in": []}}, {"a": {"exists": 1}}, [["a", "b"]], ["a", "a"],
    ["\ud800"], {"\ud800": 1},
]  # fmt: skip


def mutated(chance, value, depth=0):
    """A JSON value that is another one in some place."""
    roll = chance.random()
    if roll < 0.15 or depth > 6:
        return copy.deepcopy(chance.choice(STRANGE))
    if isinstance(value, dict):
        found = {}
        for name, each in value.items():
            found[name] = mutated(chance, each, depth + 1) if chance.random() < 0.5 else each
        if chance.random() < 0.2 and found:
            del found[chance.choice(list(found))]
        if chance.random() < 0.3:
            found[chance.choice(FIELDS)] = copy.deepcopy(chance.choice(STRANGE))
        return found
    if isinstance(value, list) and value:
        return [mutated(chance, each, depth + 1) for each in chance.choices(value, k=chance.randrange(0, 4))]
    if isinstance(value, str) and roll < 0.6:
        letters = list(value)
        for _ in range(chance.randrange(1, 4)):
            letters.insert(
                chance.randrange(len(letters) + 1), chr(chance.choice([0, 9, 65, 0x300, 0xFFFD, 0x1F600]))
            )
        return "".join(letters)
    return value


MARKS = [b"\xff\xfe", b"{" * 70, b"[" * 3_000, b"1e999", b"NaN", b"9" * 5_000]

FIELDS = [
    "collection", "faq", "model", "k", "where", "mode", "exact", "rerank", "candidates", "all_passages",
    "min_score", "min_probability", "prior", "texts", "pairs", "keep", "strict", "strip", "tokens",
    "id", "query", "new",
]  # fmt: skip


def broken(chance, body):
    """Bytes that are perhaps no JSON any more."""
    raw = bytearray(body)
    for _ in range(chance.randrange(1, 6)):
        place = chance.randrange(len(raw) + 1)
        match chance.randrange(3):
            case 0:
                raw[place:place] = bytes(chance.choices(range(256), k=chance.randrange(1, 9)))
            case 1:
                del raw[place : place + chance.randrange(1, 20)]
            case _:
                raw[place:place] = chance.choice(
                    [b"\xff\xfe", b"{" * 70, b"[" * 3_000, b"1e999", b"NaN", b"9" * 5_000]
                )
    return bytes(raw)


def bodies(document, seed):
    """(path, body, headers) for ever, by chance."""
    chance = random.Random(seed)
    examples = {verb.name: request_of(document, verb.name) for verb in VERBS}
    while True:
        name = chance.choice(list(examples))
        body = json.dumps(mutated(chance, examples[name])).encode()
        if chance.random() < 0.3:
            body = broken(chance, body)
        kind = (
            "application/json" if chance.random() < 0.95 else chance.choice(["text/plain", "application/xml", "a"])
        )
        yield f"/v1/{name}", body, {"Content-Type": kind}


@pytest.mark.parametrize("count", [500, pytest.param(10_000, marks=pytest.mark.slow)])
def test_no_body_makes_the_server_fail_or_hang(server, count):
    document = server.get("/openapi.json").json()
    made = bodies(document, seed=count)
    requests = [
        ("POST", path, {"content": body, "headers": headers, "timeout": 60})
        for path, body, headers in (next(made) for _ in range(count))
    ]
    since = time.monotonic()
    responses = asyncio.run(server.many(requests))
    took = time.monotonic() - since
    for (_, path, how), response in zip(requests, responses, strict=True):
        assert response.status_code < 500, (path, how["content"][:500], response.text)
        assert response.status_code == 200 or response.json()["error"]["message"], (path, how["content"][:500])
    statuses = {response.status_code for response in responses}
    assert {200, 400, 422} <= statuses, "some are answered, some are no JSON, some are not what they have to be"
    assert took < 0.2 * count + 30
