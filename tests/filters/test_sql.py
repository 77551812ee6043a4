"""Filters as conditions of PostgreSQL: a real server lets pass what plain Python does, whatever the values are."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given

import pgserver
from filters.test_columns import filters, metadatas
from nearsense.filters import matches, parse
from nearsense.filters.sql import condition, fields_of, with_nul, without_nul
from nearsense.store.postgres import Postgres, parse_address
from turns import in_turn

AWKWARD = [
    {},
    {"x": None},
    {"x": True},
    {"x": False},
    {"x": 1},
    {"x": 1.0},
    {"x": 0},
    {"x": -0.0},
    {"x": "1"},
    {"x": "true"},
    {"x": ""},
    {"x": []},
    {"x": [[]]},
    {"x": [[1], ["a", [None]]]},
    {"x": {}},
    {"x": {"y": 1}},
    {"x": [{"y": 1}, {"y": 2}, {"z": 3}]},
    {"x.y": 1},
    {"x": 2**53},
    {"x": 2**53 + 1},
    {"x": float(2**53)},
    {"x": 10**23},
    {"x": 1e23},
    {"x": 1e308},
    {"x": 5e-324},
    {"x": 0.1},
    {"x": 2**70},
    {"x": "a"},
    {"x": "a\0"},
    {"x": "a\0b"},
    {"x": "a\1"},
    {"x": "a\1b"},
    {"x": "\ue000"},
    {"x": "\uffff"},
    {"x": "😀"},
    {"x": "quote \" \\ %s $1 ' --"},
    {"o'dd \" name": 1, "\0": 1, "\1\1": 2, "x" * 5000: 1},
]
VALUES = [None, True, False, 0, 1, 1.0, 2**53, 2**53 + 1, float(2**53), 10**23, 1e23, 1e308, 0.1, 5e-324, 2**70]
VALUES += [
    "",
    "1",
    "true",
    "a",
    "a\0",
    "a\1",
    "\ue000",
    "\uffff",
    "😀",
    "\ud800",
    "a\udfffb",
    "quote \" \\ %s $1 ' --",
]
NAMES = ["x", "x.y", "x.z", "o'dd \" name", "\0", "\1\1", "x" * 5000, "none", "\ud800"]


@pytest.fixture(scope="module")
def server():
    server = Postgres(parse_address(pgserver.shared().url()))
    yield server
    server.close()


def passed(server: Postgres, rows: list[dict[str, Any]], where: Any) -> list[bool]:
    """Of which rows the server says that they pass."""
    given: list[Any] = []
    sql = condition(parse(where), "fields", given)
    written = [json.dumps(fields_of(row), ensure_ascii=False) for row in rows]
    source = (
        "unnest(%s::text[]) WITH ORDINALITY AS rows (written, place), LATERAL (SELECT written::jsonb AS fields)"
    )
    query = f"SELECT {sql} FROM {source} AS read ORDER BY place"
    return [row[0] for row in server.read(lambda cursor: cursor.execute(query, [*given, written]).fetchall())]


def test_every_awkward_value_compares_with_every_other_as_in_python(server):
    wheres: list[Any] = [{name: {"exists": there}} for name in NAMES for there in (True, False)]
    wheres += [{name: value} for name in NAMES for value in VALUES]
    wheres += [{"x": {"!=": value}} for value in VALUES] + [{"x": {"in": VALUES}}, {"x": {"in": []}}]
    ordered = [value for value in VALUES if isinstance(value, (int, float, str)) and not isinstance(value, bool)]
    wheres += [{"x": {op: value}} for op in ("<", "<=", ">", ">=") for value in ordered]
    wheres += [{"or": []}, {"not": {"x": {">": 0, "<": 2}}}, {"and": [{"x": 1}, {"x": {"not in": ["a"]}}]}]
    wrong = [
        (where, row)
        for where in wheres
        for row, found in zip(AWKWARD, passed(server, AWKWARD, where), strict=True)
        if found is not matches(where, row)
    ]
    assert wrong == []


@given(metadatas, filters)
def test_the_server_answers_as_plain_python_does(server, rows, where):
    kept = [row for row in rows if can_be_kept(row)]
    assert passed(server, kept, where) == [matches(where, row) for row in kept]


def can_be_kept(row: dict[str, Any]) -> bool:
    try:
        return bool(json.dumps(row, ensure_ascii=False, allow_nan=False).encode())
    except ValueError:
        return False


@in_turn("text", ["", "a", "\0", "\1", "\0\1\0\0\1\2", "\1\1\2", "a\0b\1c", "\1\2\1\1"])
def test_what_the_server_does_not_hold_comes_back(text):
    assert with_nul(without_nul(text)) == text
    assert "\0" not in without_nul(text)


def test_texts_without_nul_are_in_the_order_of_the_texts():
    texts = ["", "\0", "\0\0", "\0\1", "\1", "\1\0", "\2", "a", "a\0", "a\0b", "a\1", "a\1\0", "ab"]
    assert sorted(texts, key=without_nul) == sorted(texts)
