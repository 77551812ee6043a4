"""Metadata that cannot be kept: the field is named, why, and what to give; nothing of Python's own words."""

from __future__ import annotations

import datetime
import decimal

import numpy as np
import pytest

import nearsense as ns
from fakes import HashEncoder


class Ticket:
    """What no file holds."""


def within_itself():
    found = {"next": []}
    found["next"].append(found)
    return found


def deep(levels):
    found = {}
    for _ in range(levels):
        found = {"a": found}
    return found


FAULTS = {
    "a datetime": ({"at": datetime.datetime(2024, 5, 1)}, "field 'at'", "is a date or time", "isoformat()"),
    "a day in a list": (
        {"a": {"b": [datetime.date(2024, 5, 1)]}},
        "field 'a.b'",
        "is a date or time",
        "isoformat()",
    ),
    "a decimal": ({"price": decimal.Decimal("1.5")}, "field 'price'", "a decimal number", "float(value)"),
    "a number of numpy": ({"n": np.float32(1)}, "field 'n'", "of numpy", "value.tolist()"),
    "an array": ({"ok": 1, "v": np.arange(3)}, "field 'v'", "of numpy", "value.tolist()"),
    "a set": ({"tags": {"a"}}, "field 'tags'", "is a set", "sorted(value)"),
    "bytes": ({"raw": b"x"}, "field 'raw'", "is bytes", "decode"),
    "an object": ({"ticket": Ticket()}, "field 'ticket'", "of the class Ticket", "its fields"),
    "a function": ({"f": deep}, "field 'f'", "of the class function", "its fields"),
    "not a number": ({"n": [1.0, float("nan")]}, "field 'n'", "is nan", "null"),
    "an infinity": ({"n": -float("inf")}, "field 'n'", "is -inf", "null"),
    "half a character": ({"t": "a\ud800"}, "field 't'", "half of a character", "replace"),
    "thousands of digits": ({"n": 10**5000}, "field 'n'", "thousands of digits", "as text"),
    "a pair as name": ({("a", "b"): 1}, "('a', 'b')", "is named by ('a', 'b')", "string"),
    "a pair as an inner name": ({"x": {("a", "b"): 1}}, "field 'x'", "is named by ('a', 'b')", "string"),
    "a number as name": ({1: 2}, "named by 1", "is named by 1", '"1"'),
    "nothing as name": ({None: 2}, "named by None", "is named by None", '"null"'),
    "itself": (within_itself(), "field 'next'", "holds itself", "copy"),
    "a thousand levels": (deep(1000), "document 'x'", "nested more than 100 deep", "flatten"),
    "a hundred thousand levels": (deep(100_000), "document 'x'", "nested more than 100 deep", "flatten"),
}


@pytest.mark.parametrize(("metadata", "where", "what", "fix"), FAULTS.values(), ids=FAULTS)
def test_metadata_that_cannot_be_kept_are_named_with_what_to_give(tmp_path, metadata, where, what, fix):
    with ns.open(tmp_path / "c", encoder=HashEncoder()) as collection:
        with pytest.raises(ns.errors.InputError) as said:
            collection.add([ns.Document("w", "fine", {"n": 1}), ns.Document("x", "some text", metadata)])
        assert len(collection) == 0
    error = said.value
    assert where in error.what
    assert what in error.what
    assert fix in error.fix
    assert error.why
    for words in ("Object of type", "serializable", "NoneType", "keys must be", "codec", "recursion", " object "):
        assert words not in str(error)
    assert "\n" not in error.what + error.why + error.fix


@pytest.mark.parametrize("metadata", ["x", 5, ["a"], [("a", 1)], {"a"}, b"x"])
def test_metadata_without_names_are_no_metadata(metadata):
    with pytest.raises(ns.errors.InputError, match="the metadata of document 'x' are ") as said:
        ns.Document("x", "some text", metadata)
    assert said.value.fix == 'give {"field": value}, or leave them out'


def test_what_the_message_says_to_give_is_kept(tmp_path):
    given = {"at": "2024-05-01", "price": 1.5, "tags": ["a"], "v": np.arange(2).tolist(), "none": None}
    with ns.open(tmp_path / "c", encoder=HashEncoder()) as collection:
        collection.add([ns.Document("x", "some text", given)])
        assert collection.get(["x"])[0].metadata == given
