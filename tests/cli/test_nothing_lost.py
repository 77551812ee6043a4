"""Names that become one in JSON, and values that nothing can read back, are refused where they enter."""

from __future__ import annotations

import json

import pytest

import nearsense as ns
from fakes import HashEncoder
from nearsense import files
from nearsense.faq import FAQItem
from nearsense.filters import parse_where
from turns import in_turn

DIGITS = 10**5000


def deep(levels: int, of: str = "list"):
    value: object = 1
    for _ in range(levels):
        value = [value] if of == "list" else {"a": value}
    return value


ONE_IN_JSON = {
    "a number": ({1: "a", "1": "b"}, "names 1 and '1'"),
    "true": ({True: "a", "true": "b"}, "names True and 'true'"),
    "false": ({"false": "a", False: "b"}, "names 'false' and False"),
    "null": ({None: "a", "null": "b"}, "names None and 'null'"),
    "a fraction": ({0.5: "a", "0.5": "b"}, "names 0.5 and '0.5'"),
    "within": ({"x": {"y": {2: "a", "2": "b"}}}, "names 2 and '2'"),
    "in a list": ({"x": [1, ({3: "a", "3": "b"},)]}, "names 3 and '3'"),
    "minus": ({-1: "a", "-1": "b"}, "names -1 and '-1'"),
}


@in_turn(("metadata", "named"), ONE_IN_JSON.values())
def test_names_that_are_one_in_json_are_refused_and_both_are_named(tmp_path, metadata, named):
    with pytest.raises(ns.errors.InputError, match=named):
        ns.Document("a", "a text", metadata)
    with pytest.raises(ns.errors.InputError, match=named):
        FAQItem("How?", "So.", metadata=metadata)
    with pytest.raises(ns.errors.InputError, match=named):
        ns.FAQ([{"question": "How?", "answer": "So.", "more": metadata}], encoder=HashEncoder())
    with pytest.raises(ns.errors.InputError, match=named):
        files.write_table(tmp_path / "t.jsonl", [{"more": metadata}])
    assert ns.Document("a", "a text", {"1": "b", "x": {2: "c", "3": 4}}).metadata["1"] == "b"


def test_what_is_put_into_metadata_later_is_checked_as_it_is_kept(tmp_path):
    metadata = {"x": {"1": "a"}}
    document = ns.Document("a", "a text", metadata)
    metadata["x"][1] = "b"
    with ns.open(tmp_path / "c", HashEncoder()) as collection:
        for put in (collection.add, collection.upsert, collection.sync):
            with pytest.raises(ns.errors.InputError, match="names '1' and 1"):
                put([document])
        assert collection.count() == 0


TWICE = {
    "text": '{"text": "a", "text": "b"}',
    "metadata": '{"text": "a", "x": 1, "y": 2, "x": 3}',
    "within": '{"text": "a", "m": {"x": 1, "x": 1}}',
    "in a list": '{"text": "a", "m": [{"x": 1}, {"x": 1, "x": 2}]}',
    "escaped": '{"text": "a", "x": 1, "\\u0078": 2}',
    "empty": '{"text": "a", "": 1, "": 2}',
}


@in_turn("row", TWICE.values())
def test_a_name_that_occurs_twice_in_a_file_is_refused(run, tmp_path, row):
    for name, content in (("t.jsonl", f'{{"text": "fine"}}\n{row}\n'), ("t.json", f'[{{"text": "fine"}}, {row}]')):
        (tmp_path / name).write_text(content)
        with pytest.raises(ns.errors.FileError, match=r"the name .* occurs twice in one object"):
            files.read_table(tmp_path / name)
        done = run("index", "create", tmp_path / "c", tmp_path / name)
        assert done.code == 2


UNREADABLE = {
    "900 lists": json.dumps(deep(900)),
    "900 objects": '{"a":' * 900 + "1" + "}" * 900,
    "101 lists": json.dumps(deep(101)),
    "150 of both": '[{"a":' * 75 + "1" + "}]" * 75,
    "100,000 lists": "[" * 100_000 + "]" * 100_000,
    "5,000 digits": "1" * 5000,
    "minus 5,000 digits": "-" + "1" * 5000,
    "5,000 digits within": f'[{{"a": {"7" * 5000}}}]',
}


@in_turn("value", UNREADABLE.values())
def test_what_is_too_deep_or_too_long_in_a_file_is_an_input_error(run, tmp_path, value):
    for name, content in (
        ("t.jsonl", f'{{"text": "a", "m": {value}}}\n'),
        ("t.json", f'[{{"text": "a", "m": {value}}}]'),
        ("u.json", f'{{"text": ["a"], "m": [{value}]}}'),
    ):
        (tmp_path / name).write_text(content)
        for arguments in (["index", "create", str(tmp_path / "c")], ["search"], ["faq"]):
            asked = [] if arguments[0] == "index" else ["a question"]
            done = run(*arguments, tmp_path / name, *asked)
            assert done.code == 2, (name, done.err[-300:])
            assert "too deep or too long" in done.err


@in_turn("depth", [1, 2, 50, 98])
def test_what_is_as_deep_as_a_collection_keeps_is_read(tmp_path, depth):
    (tmp_path / "t.jsonl").write_text(json.dumps({"text": "a", "m": deep(depth)}) + "\n")
    assert files.read_table(tmp_path / "t.jsonl").columns["m"] == [deep(depth)]


RING: dict[str, object] = {}
RING["ring"] = RING


@in_turn(
    "value",
    [
        deep(900),
        deep(900, "object"),
        deep(50_000),
        DIGITS,
        -DIGITS,
        [DIGITS],
        float("nan"),
        float("inf"),
        float("1e999"),
        RING,
        "\ud800",
        {"\ud800": 1},
        b"bytes",
        {1},
    ],
)
def test_metadata_that_cannot_be_kept_are_an_input_error(tmp_path, value):
    with ns.open(tmp_path / "c", HashEncoder()) as collection:
        for put in (collection.add, collection.upsert, collection.sync):
            with pytest.raises(ns.errors.InputError, match="document 'a'"):
                put([ns.Document("a", "a text", {"m": value})])
        assert collection.count() == 0


@in_turn("value", [deep(900), deep(900, "object"), deep(50_000), RING])
def test_a_record_of_a_faq_that_is_too_deep_is_an_input_error(value):
    with pytest.raises(ns.errors.InputError, match="nested too deep"):
        ns.FAQ([{"question": "How?", "answer": "So.", "more": value}], encoder=HashEncoder())


@in_turn(
    "where",
    [
        {DIGITS: 1},
        {"n": {DIGITS: 1}},
        {"n": {"??": DIGITS}},
        {"and": DIGITS},
        {"n": {"exists": DIGITS}},
        {"n": deep(900)},
        {"n": deep(900, "object")},
        {"not": RING},
        {"n": float("1e999")},
        {"n": {"<": float("nan")}},
    ],
)
def test_a_filter_that_nothing_can_fit_is_an_input_error(tmp_path, where):
    with ns.open(tmp_path / "c", HashEncoder()) as collection:
        collection.add([ns.Document("a", "a text", {"n": 1})])
        for ask in (collection.count, lambda where: collection.search("a", where=where)):
            with pytest.raises(ns.errors.InputError) as said:
                ask(where)
            assert len(str(said.value)) < 1000


def test_a_filter_with_a_number_of_any_size_compares_rightly(tmp_path):
    with ns.open(tmp_path / "c", HashEncoder()) as collection:
        collection.add([ns.Document("a", "a text", {"n": 1}), ns.Document("b", "b", {"n": 10**300})])
        for bound in (DIGITS, 10**400, 10**309):
            assert collection.count({"n": {"<": bound}}) == 2
            assert collection.count({"n": {">": -bound}}) == 2
            assert collection.count({"n": {">=": bound}}) == 0
            assert collection.count({"n": bound}) == 0


@in_turn(
    "text",
    [
        f"n={'1' * 5000}",
        f"n>={'1' * 5000}",
        f"n=-{'1' * 5000}",
        f"n in 2,{'1' * 5000}",
        f"n in [{'1' * 5000}]",
        f'{{"n": {"1" * 5000}}}',
        f'{{"n": {{"<": {"1" * 5000}}}}}',
        '{"not":' * 900 + '{"n":1}' + "}" * 900,
        '{"n":' * 100_000,
        "n=" + "[" * 100_000,
        "[" * 100_000,
        '{"n": 1e999}',
        "n=1e999",
        '{"n": NaN}',
        '{"n": 1, "n": 2}',
    ],
)
def test_a_filter_on_the_command_line_that_cannot_be_read_is_an_input_error(run, tmp_path, text):
    with pytest.raises(ns.errors.InputError) as said:
        parse_where([text])
    assert len(str(said.value)) < 1000
    with ns.open(tmp_path / "c") as collection:
        collection.add(["a text"], vectors=HashEncoder(384).encode(["a text"]).data)
    for command in (["index", "search", str(tmp_path / "c"), "a"], ["index", "delete", str(tmp_path / "c")]):
        done = run(*command, "--where", text)
        assert done.code == 2, done.err[-300:]


def test_numbers_of_any_length_in_a_csv_stay_what_they_are(tmp_path):
    (tmp_path / "t.csv").write_text(f"text,n,e,x\na b,{'1' * 5000},1e999,1\nc d,5,-1e999,2\n")
    with ns.open(tmp_path / "c", HashEncoder()) as collection:
        collection.sync(tmp_path / "t.csv")
        found = collection.get("2")[0].metadata
        assert (found["n"], found["e"], found["x"]) == ("1" * 5000, "1e999", 1)
