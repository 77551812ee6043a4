"""Filters in the words of other languages are refused; what the message says to type means what was meant."""

from __future__ import annotations

import shlex

import pytest

from nearsense.errors import InputError
from nearsense.filters import matches, parse, parse_where
from turns import in_turn

DOCUMENTS = [
    {"year": 2019, "status": "open", "lang": "en", "order date": "2020-05-01"},
    {"year": 2021, "status": "closed", "lang": "de", "order date": "2021-05-01"},
    {"year": 2023, "status": "new", "email": "x@example.org", "list": ["a b", "c"]},
    {"note": "It's here"},
]

MEANT = {
    "year>2020<2022": {"year": {">": 2020, "<": 2022}},
    "year >= 2019 <= 2021": {"year": {">=": 2019, "<=": 2021}},
    "2020<year<2022": {"year": {">": 2020, "<": 2022}},
    "2020<=year": {"year": {">=": 2020}},
    "year>=2020,<2022": {"year": {">=": 2020, "<": 2022}},
    "order date>=2021-01-01 and <2022-01-01": {"order date": {">=": "2021-01-01", "<": "2022-01-01"}},
    "year between 2020 and 2022": {"year": {">=": 2020, "<=": 2022}},
    "status in (open,closed)": {"status": {"in": ["open", "closed"]}},
    "status in [open, closed]": {"status": {"in": ["open", "closed"]}},
    "status in {open,closed}": {"status": {"in": ["open", "closed"]}},
    "status in ('open','closed')": {"status": {"in": ["open", "closed"]}},
    'status in ("open", "closed")': {"status": {"in": ["open", "closed"]}},
    "status in 'open','closed'": {"status": {"in": ["open", "closed"]}},
    "status in open or closed": {"status": {"in": ["open", "closed"]}},
    "status IN open,closed": {"status": {"in": ["open", "closed"]}},
    "status NOT IN (open,closed)": {"status": {"not in": ["open", "closed"]}},
    "status=(open,closed)": {"status": {"in": ["open", "closed"]}},
    'status=["open","closed"]': {"status": {"in": ["open", "closed"]}},
    "list in ('a b','d')": {"list": {"in": ["a b", "d"]}},
    "lang='en'": {"lang": "en"},
    "lang = 'en'": {"lang": "en"},
    "lang != 'en'": {"lang": {"!=": "en"}},
    "lang=`en`": {"lang": "en"},
    "lang=\u201cen\u201d": {"lang": "en"},
    "lang=\u2018en\u2019": {"lang": "en"},
    "note='It''s here'": {"note": "It's here"},
    "'lang'=en": {"lang": "en"},
    '"lang"="en"': {"lang": "en"},
    '"lang": "en"': {"lang": "en"},
    "year: 2021": {"year": 2021},
    "lang:en": {"lang": "en"},
    "year: 2021, lang: de": {"year": 2021, "lang": "de"},
    "year===2021": {"year": 2021},
    "year=>2020": {"year": {">=": 2020}},
    "year=<2020": {"year": {"<=": 2020}},
    "year<>2021": {"year": {"!=": 2021}},
    "year\u22652020": {"year": {">=": 2020}},
    "lang \u2260 en": {"lang": {"!=": "en"}},
    "year gte 2020": {"year": {">=": 2020}},
    "lang is en": {"lang": "en"},
    "lang is not en": {"lang": {"!=": "en"}},
    "email is null": {"email": {"exists": False}},
    "email is not null": {"email": {"exists": True}},
    "email EXISTS": {"email": {"exists": True}},
    "exists email": {"email": {"exists": True}},
    "list contains c": {"list": "c"},
    "year>=2020 and": {"year": {">=": 2020}},
    "year>=2020 &&": {"year": {">=": 2020}},
    "lang=en;": {"lang": "en"},
    "and lang=en": {"lang": "en"},
    "where lang=en": {"lang": "en"},
    "(lang=en)": {"lang": "en"},
    "not lang=en": {"lang": {"!=": "en"}},
    "NOT year>2020": {"year": {"<=": 2020}},
    "!lang=en": {"lang": {"!=": "en"}},
    "not status in (open,closed)": {"status": {"not in": ["open", "closed"]}},
    "not (lang='en')": {"lang": {"!=": "en"}},
    "year=2021 lang=de": {"year": 2021, "lang": "de"},
    "lang='de' and year<>2019": {"lang": "de", "year": {"!=": 2019}},
}


def typed(text):
    """The filter that the message of a refused one says to type."""
    with pytest.raises(InputError) as refused:
        parse_where(text)
    assert "\n" not in refused.value.what + refused.value.why + refused.value.fix
    words = shlex.split(refused.value.fix.removeprefix("type ").partition("; if")[0])
    assert words[::2] == ["--where"] * (len(words) // 2)
    return parse_where(words[1::2])


@in_turn(("text", "meant"), MEANT.items())
def test_what_is_to_be_typed_instead_finds_what_was_meant(text, meant):
    found = typed(text)
    assert [matches(found, each) for each in DOCUMENTS] == [matches(meant, each) for each in DOCUMENTS]


@in_turn("text", ["year>", "year >=", "status in", "status in ()"])
def test_a_filter_without_a_value_asks_for_one(text):
    with pytest.raises(InputError, match="a value is missing") as refused:
        parse_where(text)
    assert "--where '" in refused.value.fix


@in_turn(
    ("text", "value"),
    [
        ("lang=='en'", "'en'"),
        ("lang='en'", "'en'"),
        ("note=see above;", "see above;"),
        ("size=1 b=2", "1 b=2"),
        ("x=(a,b)", "(a,b)"),
    ],
)
def test_a_value_that_is_meant_as_it_stands_can_be_asked_for_as_the_message_says(text, value):
    with pytest.raises(InputError) as refused:
        parse_where(text)
    meant = shlex.split(refused.value.fix.partition("if it is meant so: ")[2])[1]
    assert parse_where(meant) == parse({text.partition("=")[0]: value})


@in_turn(
    ("text", "where"),
    [
        ("lang=\"'en'\"", {"lang": "'en'"}),
        ('year>"2020<2022"', {"year": {">": "2020<2022"}}),
        ("name=O'Neil", {"name": "O'Neil"}),
        ("name=(untitled)", {"name": "(untitled)"}),
        ("name=a<b", {"name": "a<b"}),
        ("note=a=b", {"note": "a=b"}),
        ("status=not open", {"status": "not open"}),
        ("not=5", {"\\not": 5}),
        ("notes=x", {"notes": "x"}),
        ("android=yes", {"android": "yes"}),
        ("is_open=true", {"is_open": True}),
        ("f(x)=1", {"f(x)": 1}),
        ("time>10:30", {"time": {">": "10:30"}}),
        ('tag in ["a","b"]', {"tag": {"in": ["a", "b"]}}),
        ("name=", {"name": ""}),
        ("price>$5", {"price": {">": "$5"}}),
        ("url=https://example.org/?a=1", {"url": "https://example.org/?a=1"}),
    ],
)
def test_what_only_looks_like_it_goes_on_to_work(text, where):
    assert parse_where(text) == parse(where)
