"""Documents and pairs out of a table: which column is chosen, what a cell may hold, what the errors name."""

from __future__ import annotations

import json
import uuid
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nearsense.errors import FileError
from nearsense.files import Table, documents, read_table, text_pairs
from nearsense.files.names import PAIR_NAMES, TEXT_NAMES
from nearsense.files.table import json_value
from nearsense.records import Document
from turns import in_turn


def table(columns: dict[str, list], **more) -> Table:
    rows = len(next(iter(columns.values()), []))
    return Table(columns, list(range(2, rows + 2)), "tickets.csv", **more)


def refused(call, *arguments, **options) -> FileError:
    with pytest.raises(FileError) as caught:
        call(*arguments, **options)
    assert caught.value.what.startswith("tickets.csv")
    assert caught.value.why
    assert caught.value.fix
    return caught.value


# ---- the text


@in_turn("name", [*TEXT_NAMES, "TEXT", "Title", "Message"])
def test_the_text_column_is_found_by_its_name_in_any_case(name):
    made = documents(table({"score": ["1"], "other": ["x"], name: ["hello"]}))
    assert made.items == [Document(id="2", text="hello", metadata={"score": "1", "other": "x"})]
    assert (made.text, made.id) == (name, None)


def test_the_more_telling_name_wins_whatever_the_order_of_the_columns():
    assert documents(table({"title": ["t"], "body": ["b"], "text": ["x"]})).text == "text"
    assert documents(table({"Text": ["t"], "text": ["x"]})).text == "text"


def test_the_only_column_of_texts_is_taken_whatever_its_name():
    assert documents(table({"id": ["7"], "stars": ["5"], "wort": ["Hallo"]})).text == "wort"
    assert documents(table({"n": [1, 2], "wort": ["Hallo", "du"]})).text == "wort"


def test_without_a_clear_text_column_the_columns_are_listed():
    error = refused(documents, table({"wort": ["a"], "ding": ["b"]}))
    assert "wort, ding" in error.why
    assert error.fix == "--text wort, or --text ding"
    assert "no texts" in refused(documents, Table({}, [1], "tickets.csv")).what


def test_a_wrong_column_name_suggests_the_one_that_was_meant():
    assert refused(documents, table({"Text": ["a"], "id": ["b"]}), text="txet").fix == "did you mean 'Text'?"
    assert refused(documents, table({"text": ["a"], "number": ["b"]}), id="nubmer").fix == "did you mean 'number'?"
    assert "--text" in refused(documents, table({"text": ["a"]}), text="zzz").fix


@in_turn(
    ("cell", "part"),
    [
        (None, "has no value"),
        (float("nan"), "has no value"),
        (np.float32("nan"), "has no value"),
        ("", "is empty"),
        (" \t\u00a0", "is only white space"),
        (3, "holds numbers"),
        (2.5, "holds numbers"),
        (True, "holds true or false"),
        (["a"], "holds lists"),
        ({"a": 1}, "holds objects"),
        (b"a", "holds bytes"),
        (date(2024, 1, 1), "holds dates"),
        ("ab\0c", "a NUL character at character 3"),
        ("a\ud800", "half a surrogate pair (U+D800) at character 2"),
    ],
)
def test_a_cell_that_is_no_text_names_file_line_and_column(cell, part):
    error = refused(documents, table({"text": ["fine", cell]}))
    assert error.what.startswith("tickets.csv, line 3: ")
    assert "'text'" in error.what
    assert part in error.what


def test_an_empty_text_offers_the_flag_that_leaves_it_out():
    assert "--skip-empty" in refused(documents, table({"text": ["a", None]})).fix


def test_rows_without_a_text_are_left_out_when_asked_and_counted():
    made = documents(
        table({"id": ["a", "", "c", "d"], "text": ["x", None, " ", "y"], "n": [1, 2, 3, 4]}), skip_empty=True
    )
    assert [document.id for document in made.items] == ["a", "d"]
    assert [document.metadata for document in made.items] == [{"n": 1}, {"n": 4}]
    assert (made.rows, made.skipped) == ([0, 3], 2)
    assert "no row has a text" in refused(documents, table({"text": [None, ""]}), skip_empty=True).what


def test_nul_and_surrogates_are_named_through_a_real_file(tmp_path):
    (tmp_path / "a.jsonl").write_text('{"text": "a"}\n{"text": "b\\ud83d"}\n')
    (tmp_path / "b.csv").write_bytes(b"id,text\n1,a\n2,b\0c\n")
    for name, line in (("a.jsonl", 2), ("b.csv", 3)):
        with pytest.raises(FileError, match=f"{name}, line {line}: column 'text'"):
            documents(read_table(tmp_path / name))


# ---- the id


@in_turn(
    ("cell", "want"),
    [
        (7, "7"),
        (7.0, "7"),
        (np.int64(7), "7"),
        ("007", "007"),
        (Decimal(7), "7"),
        (uuid.UUID(int=5), str(uuid.UUID(int=5))),
        (date(2024, 5, 1), "2024-05-01"),
        (2**70, str(2**70)),
    ],
)
def test_ids_become_strings(cell, want):
    assert documents(table({"id": [cell], "text": ["a"]})).items[0].id == want


@in_turn("name", ["id", "ID", "_id", "uuid"])
def test_the_id_column_is_found_by_its_name(name):
    made = documents(table({"text": ["a"], name: ["x"]}))
    assert (made.items[0], made.id) == (Document("x", "a", {}), name)


def test_without_an_id_column_the_line_is_the_id():
    assert [document.id for document in documents(table({"text": ["a", "b"]})).items] == ["2", "3"]
    made = documents(table({"id": ["x", "x"], "text": ["a", "b"]}), id="line")
    assert [document.id for document in made.items] == ["2", "3"]
    assert made.items[0].metadata == {"id": "x"}
    assert documents(table({"line": ["x"], "text": ["a"]}), id="line").items[0].id == "x"


def test_an_id_that_occurs_twice_names_both_lines():
    error = refused(documents, table({"id": [1, 2, "1"], "text": ["a", "b", "c"]}))
    assert "line 4" in error.what
    assert "line 2" in error.what
    assert "'1'" in error.what
    assert "--id line" in error.fix


@in_turn("cell", [None, "", "  ", float("nan"), [1], True, float("inf"), "a\0", "\udfff"])
def test_an_id_that_is_none_is_refused_with_its_line(cell):
    assert "line 3" in refused(documents, table({"id": ["x", cell], "text": ["a", "b"]})).what


# ---- the rest


def test_all_other_columns_become_json_values():
    zone = timezone(timedelta(hours=2))
    cells = {
        "a": np.float32(0.5),
        "b": np.array([[1, 2]]),
        "c": datetime(2024, 5, 1, 12, tzinfo=zone),
        "d": Decimal("1.50"),
        "e": timedelta(minutes=1),
        "f": float("nan"),
        "g": b"raw",
        "h": b"\xff",
        "i": {"x": (1, np.bool_(True), {3})},
        "j": np.datetime64("2024-05-01"),
        "k": np.datetime64("NaT"),
        "l": pd.NaT,
        "m": Decimal("NaN"),
        "n": pd.Timestamp("2024-05-01"),
        "o": np.str_("s"),
        "p": "12",
    }
    metadata = (
        documents(table({"text": ["t"], **{name: [cell] for name, cell in cells.items()}})).items[0].metadata
    )
    assert metadata == {
        "a": 0.5,
        "b": [[1, 2]],
        "c": "2024-05-01T12:00:00+02:00",
        "d": 1.5,
        "e": 60.0,
        "f": None,
        "g": "raw",
        "h": "ff",
        "i": {"x": [1, True, [3]]},
        "j": "2024-05-01",
        "k": None,
        "l": None,
        "m": None,
        "n": "2024-05-01T00:00:00",
        "o": "s",
        "p": "12",
    }
    assert type(metadata["o"]) is str


def test_half_a_surrogate_pair_in_another_column_is_refused_too():
    assert "'note'" in refused(documents, table({"text": ["a"], "note": ["\ud800"]})).what


def test_every_type_that_parquet_knows_becomes_json(tmp_path):
    columns = {
        "text": pa.array(["a"]),
        "dec": pa.array([Decimal("12.50")], pa.decimal128(10, 2)),
        "big": pa.array([Decimal(12)], pa.decimal128(10, 0)),
        "day": pa.array([date(2024, 5, 1)]),
        "ns": pa.array([1], pa.timestamp("ns")),
        "span": pa.array([1_000_000_000], pa.duration("ns")),
        "time": pa.array([1000], pa.time64("ns")),
        "bin": pa.array([b"x"]),
        "struct": pa.array([{"x": [1]}]),
        "map": pa.array([[("k", 1)]], pa.map_(pa.string(), pa.int64())),
        "half": pa.array([np.float16(0.5)]),
    }
    pq.write_table(pa.table(columns), tmp_path / "a.parquet")
    metadata = documents(read_table(tmp_path / "a.parquet")).items[0].metadata
    assert json.loads(json.dumps(metadata, allow_nan=False)) == {
        "dec": 12.5,
        "big": 12,
        "day": "2024-05-01",
        "ns": "1970-01-01T00:00:00",
        "span": 1.0,
        "time": "00:00:00.000001",
        "bin": "x",
        "struct": {"x": [1]},
        "map": [["k", 1]],
        "half": 0.5,
    }


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@given(json_values)
def test_what_is_a_json_value_already_stays_as_it_is(value):
    assert json_value(value) == value


# ---- pairs


@in_turn("names", [*PAIR_NAMES, ("Sentence1", "SENTENCE2")])
def test_pairs_are_found_by_name(names):
    left, right = names
    assert text_pairs(table({right: ["r"], "label": ["1"], left: ["l"]})) == [("l", "r")]


def test_pairs_can_be_named():
    columns = {"a": ["1a"], "b": ["1b"], "c": ["x y"]}
    assert text_pairs(table(columns), columns=("c", "a")) == [("x y", "1a")]
    assert refused(text_pairs, table(columns), columns=("c", "c")).fix.endswith("--columns LEFT,RIGHT")
    assert "no column 'd'" in refused(text_pairs, table(columns), columns=("d", "a")).what


def test_without_a_pair_the_columns_are_listed():
    error = refused(text_pairs, table({"text": ["a"], "label": ["b"]}))
    assert "text, label" in error.why
    assert "--columns LEFT,RIGHT" in error.fix


def test_an_incomplete_pair_names_its_line_and_column():
    error = refused(text_pairs, table({"a": ["x", "y"], "b": ["z", None]}))
    assert "line 3" in error.what
    assert "'b'" in error.what
