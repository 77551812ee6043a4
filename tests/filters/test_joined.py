"""Two filters in one text are refused with the way to write them; values that hold the words go on to work."""

from __future__ import annotations

import json
import shlex

import pytest

from nearsense.errors import InputError
from nearsense.filters import parse, parse_where
from turns import in_turn

TWO = {
    "status=open and lang=en": "--where 'status=open' --where 'lang=en'",
    "year>=2020 and year<2022": "--where 'year>=2020' --where 'year<2022'",
    "year>=2020 AND year<2022": "--where 'year>=2020' --where 'year<2022'",
    "a=1 && b=2": "--where 'a=1' --where 'b=2'",
    "a=1&&b=2": "--where 'a=1' --where 'b=2'",
    "year>=2020&year<2022": "--where 'year>=2020' --where 'year<2022'",
    "a=1|b=2": """--where '{"or": [{"a": 1}, {"b": 2}]}'""",
    "a=1 & b!=2": "--where 'a=1' --where 'b!=2'",
    "lang=en,status=open": "--where 'lang=en' --where 'status=open'",
    "lang=en; status=open": "--where 'lang=en' --where 'status=open'",
    "tag in a,b and lang=en": "--where 'tag in a,b' --where 'lang=en'",
    "lang=en and tag in a,b": "--where 'lang=en' --where 'tag in a,b'",
    "lang=en and tag not in a,b": "--where 'lang=en' --where 'tag not in a,b'",
    "email exists and lang=en": "--where 'email exists' --where 'lang=en'",
    "lang=en and email exists": "--where 'lang=en' --where 'email exists'",
    "a=1 or b=2": """--where '{"or": [{"a": 1}, {"b": 2}]}'""",
    "a=x OR b>2": """--where '{"or": [{"a": "x"}, {"b": {">": 2}}]}'""",
    "a in x,y || b exists": """--where '{"or": [{"a": {"in": ["x", "y"]}}, {"b": {"exists": true}}]}'""",
    'name="rock and roll" and year=1955': """--where 'name="rock and roll"' --where 'year=1955'""",
    "a=1 and b=2 and c=3": "--where 'a=1'",
    "author.name=Li and not year=3": "--where 'author.name=Li'",
    "name=Li and Order Date>=2020": "--where 'Order Date>=2020'",
}

ONE = {
    "name=rock and roll": "rock and roll",
    'name="rock and roll"': "rock and roll",
    'title="war and peace=love"': "war and peace=love",
    "name=Johnson & Johnson": "Johnson & Johnson",
    "name=Smith, Li and Sons": "Smith, Li and Sons",
    "name=now or never": "now or never",
    "name=sand and land": "sand and land",
    "name=AND": "AND",
    "url=https://example.org/?a=1&b=2": "https://example.org/?a=1&b=2",
    "name=a;b": "a;b",
    "name=R&D": "R&D",
    "name=salt and a lot of pepper in it": "salt and a lot of pepper in it",
    'name="x \\" and b=2"': 'x " and b=2',
}


@in_turn(("text", "fix"), TWO.items())
def test_two_filters_in_one_are_refused_with_both_written_apart(text, fix):
    with pytest.raises(InputError) as found:
        parse_where(text)
    assert found.value.what.endswith("is two filters")
    assert fix in found.value.fix


@in_turn(
    "text",
    [
        "tag in 5 or a=1",
        "tag in 5,x or a=1",
        'tag in ["a"] || b exists',
        "a=[1,2] or b=2",
        "name=O'Neil or b=2",
        "a=" + "[" * 5000 + " or b=2",
    ],
)
def test_what_is_to_be_typed_instead_of_an_or_is_a_filter(text):
    with pytest.raises(InputError) as found:
        parse_where(text)
    words = shlex.split(found.value.fix.partition("; if")[0])
    assert words[0] == "--where"
    assert parse_where(words[1]) == parse(json.loads(words[1]))


@in_turn(("text", "value"), ONE.items())
def test_a_value_may_hold_the_words(text, value):
    name = text.partition("=")[0]
    assert parse_where(text) == parse({name: value})


def test_what_the_error_says_to_type_is_understood():
    for fix in TWO.values():
        if fix.startswith("--where '{"):
            assert parse_where(fix.removeprefix("--where '").removesuffix("'")) is not None
        else:
            parts = [part.strip(" '") for part in fix.split("--where") if part.strip()]
            assert parse_where(parts) is not None
    assert parse_where("tag in a,b=c") == parse({"tag": {"in": ["a", "b=c"]}})
