"""Files whose names say nothing, or not all, are told by what they hold."""

from __future__ import annotations

import gzip
import json

import pytest

from nearsense._notes import told_to
from nearsense.errors import FileError
from nearsense.files import documents, read_table
from turns import in_turn

ROWS = [{"id": f"A-{row}", "note": f"the pump number {row} is loud"} for row in range(4)]


def texts_of(path, **options):
    said = []
    with told_to(said.append):
        return [item.text for item in documents(read_table(path, **options)).items], said


@in_turn(
    ("name", "content"),
    [
        ("answer.response", json.dumps(ROWS)),
        ("export.2024-05", "\n".join(map(json.dumps, ROWS))),
        (
            "places.geojson",
            json.dumps({"type": "FeatureCollection", "features": [{"properties": row} for row in ROWS]}),
        ),
        ("graph.jsonld", json.dumps({"@context": "https://schema.org", "@graph": ROWS})),
        ("dump", json.dumps({"items": ROWS})),
    ],
)
def test_json_is_known_whatever_the_file_is_called(tmp_path, name, content):
    (tmp_path / name).write_text(content, "utf-8")
    assert texts_of(tmp_path / name)[0] == [row["note"] for row in ROWS]


def test_what_a_name_does_not_say_is_said(tmp_path):
    (tmp_path / "answer.response").write_text(json.dumps(ROWS), "utf-8")
    said = texts_of(tmp_path / "answer.response")[1]
    assert "format: json, by what it holds; --format to choose another" in said


def test_lines_of_a_log_are_texts_and_what_may_be_any_text_is_asked_for(tmp_path):
    (tmp_path / "chat.log").write_text("hello there\nanyone at home?\n", "utf-8")
    assert texts_of(tmp_path / "chat.log")[0] == ["hello there", "anyone at home?"]
    (tmp_path / "chat.xyz").write_text("hello there\nanyone at home?\n", "utf-8")
    with pytest.raises(FileError, match="extension says nothing") as caught:
        read_table(tmp_path / "chat.xyz")
    assert "--format txt|csv" in caught.value.fix


@pytest.mark.parametrize("encoding", ["utf-8", "cp1252", "utf-16"])
def test_a_txt_with_names_above_lines_of_as_many_tabs_is_a_table(tmp_path, encoding):
    lines = ["Nr\tKommentar\tAbteilung", "1\tdie Tür klemmt seit gestern\tHaus", "2\tdas Licht flackert oft\tHaus"]
    (tmp_path / "t.txt").write_bytes("\n".join(lines).encode(encoding))
    found, said = texts_of(tmp_path / "t.txt")
    assert found == ["die Tür klemmt seit gestern", "das Licht flackert oft"]
    assert encoding == "utf-16" or any("--format txt" in line for line in said)
    assert texts_of(tmp_path / "t.txt", format="txt")[0] == lines


@pytest.mark.parametrize(
    "lines",
    [
        ["one\ttwo", "three\tfour", "five\tsix"],  # no names
        ["text", "a line\twith a tab", "another"],  # not as many
        ["a text without any", "and one more", "comment"],
    ],
)
def test_a_txt_stays_a_text_a_line_where_it_is_no_table(tmp_path, lines):
    (tmp_path / "t.txt").write_text("\n".join(lines), "utf-8")
    assert texts_of(tmp_path / "t.txt")[0] == lines


@in_turn("sign", ["^", "~", "\u00a6", "\u00a7", "\x1f"])
def test_rare_signs_part_fields_where_nothing_else_does(tmp_path, sign):
    lines = [
        sign.join(("key", "remark", "day")),
        *(sign.join((row["id"], row["note"], "2024-05-03")) for row in ROWS),
    ]
    (tmp_path / "t.csv").write_text("\n".join(lines), "utf-8")
    assert texts_of(tmp_path / "t.csv")[0] == [row["note"] for row in ROWS]


def test_texts_within_objects_come_before_codes_beside_them(tmp_path):
    rows = [
        {"key": row["id"], "fields": {"state": {"name": "open"}, "body": {"value": row["note"]}}} for row in ROWS
    ]
    (tmp_path / "t.jsonl").write_text("\n".join(map(json.dumps, rows)), "utf-8")
    assert texts_of(tmp_path / "t.jsonl")[0] == [row["note"] for row in ROWS]


def test_texts_beside_objects_come_before_those_within(tmp_path):
    rows = [{"said": row["note"], "user": {"name": "Ann"}} for row in ROWS]
    (tmp_path / "t.jsonl.gz").write_bytes(gzip.compress("\n".join(map(json.dumps, rows)).encode()))
    assert texts_of(tmp_path / "t.jsonl.gz")[0] == [row["note"] for row in ROWS]
