"""Where in a JSON document the rows are, beside pandas' own ways to write them; and what a FAQ makes of them."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

from nearsense._notes import told_to
from nearsense.errors import FileError
from nearsense.faq.entries import read_items
from nearsense.files import Dialect, Table, documents, read_table
from turns import in_turn

ROWS = [{"id": f"c{n}", "text": text} for n, text in enumerate(("Late again.", "Where is it?", "Thanks a lot."))]


def made(folder: Path, value: object) -> Path:
    path = folder / "a.json"
    path.write_text(value if isinstance(value, str) else json.dumps(value))
    return path


def read(folder: Path, value: object, records: str | None = None) -> tuple[Table, list[str]]:
    heard: list[str] = []
    with told_to(heard.append):
        return read_table(made(folder, value), dialect=Dialect(records=records)), heard


@in_turn("orient", ["records", "columns", "split", "index", "values"])
def test_whatever_way_pandas_writes_a_frame_its_rows_come_back(tmp_path, orient):
    frame = pd.DataFrame(ROWS)
    table, _ = read(tmp_path, frame.to_json(orient=orient))
    assert [each.text for each in documents(table).items] == list(frame["text"])
    assert len(table) == len(frame)


@in_turn(
    ("value", "path"),
    [
        ({"data": ROWS}, "data"),
        ({"meta": {"page": 1}, "data": {"items": ROWS}}, "data.items"),
        ({"a": [{"n": 1}], "results": ROWS}, "results"),
        ({"groups": [{"rows": ROWS[:1]}, {"rows": ROWS[1:]}]}, "groups.rows"),
    ],
)
def test_rows_within_a_document_are_found_and_said_or_named(tmp_path, value, path):
    table, heard = read(tmp_path, value)
    assert table.columns["text"] == [row["text"] for row in ROWS]
    assert heard == [f"rows: 3 at {path}; --records to choose another list"]
    assert read(tmp_path, value, path)[0].columns == table.columns


def test_two_lists_that_are_as_likely_are_asked_back(tmp_path):
    value = {"x": {"questions": ROWS}, "y": {"comments": ROWS}}
    with pytest.raises(FileError, match="where are its rows") as caught:
        read(tmp_path, value)
    assert caught.value.choices == ("--records x.questions", "--records y.comments")
    with pytest.raises(FileError, match=r"no rows at 'x[.]answers'") as caught:
        read(tmp_path, value, "x.answers")
    assert "x.questions" in caught.value.why


def test_rows_inherit_what_their_group_says_of_itself(tmp_path):
    value = {"categories": [{"name": "Versand", "icon": "x", "entries": [{"q": "Wann?", "a": "Morgen."}]}]}
    table, _ = read(tmp_path, value)
    assert table.columns == {"q": ["Wann?"], "a": ["Morgen."], "category": ["Versand"], "categories.icon": ["x"]}


def test_lists_of_alike_objects_are_one_with_the_names_of_the_lists(tmp_path):
    table, _ = read(tmp_path, {"Versand": ROWS[:1], "Konto": ROWS[1:]})
    assert table.columns["category"] == ["Versand", "Konto", "Konto"]
    assert read(tmp_path, {"train": ROWS[:2], "test": ROWS[2:]})[0].columns["split"] == ["train", "train", "test"]


def test_objects_by_key_have_their_keys_as_ids(tmp_path):
    table, _ = read(tmp_path, {row["id"]: {"text": row["text"]} for row in ROWS})
    assert [each.id for each in documents(table).items] == ["c0", "c1", "c2"]


def test_nested_fields_of_rows_that_were_looked_for_are_columns(tmp_path):
    value = {"data": [{"id": "a", "attributes": {"text": "Late again, as ever.", "lang": "en"}}]}
    table, _ = read(tmp_path, value)
    assert list(table.columns) == ["id", "attributes.text", "attributes.lang"]


def test_arrays_of_arrays_have_a_header_or_none(tmp_path):
    assert read(tmp_path, [["id", "text"], [1, "a"]])[0].columns == {"id": [1], "text": ["a"]}
    rows = [[1, "The lift is stuck"], [2, "The door is open"]]
    assert list(read(tmp_path, rows)[0].columns.values()) == [[1, 2], ["The lift is stuck", "The door is open"]]


def test_a_value_a_line_is_read_whatever_the_name_says(tmp_path):
    table, heard = read(tmp_path, '{"text": "a"}\n{"text": "b"}\n')
    assert (table.columns, table.unit) == ({"text": ["a", "b"]}, "line")
    assert heard == ["format: a JSON value a line; --format json to read it as one"]


def test_a_name_that_stands_twice_is_told_with_what_would_be_lost(tmp_path):
    with pytest.raises(FileError, match="'text' occurs twice"):
        read(tmp_path, '[{"text": "a", "text": "b"}]')


def test_documents_full_of_other_names_cost_no_memory(tmp_path):
    rows = [{f"name{n}": 1} for n in range(40_000)]
    with pytest.raises(FileError, match="columns"):
        read(tmp_path, rows)


# ---- FAQs


def entries(folder: Path, value: object) -> list[tuple]:
    return [
        (each.question, each.phrasings, each.answer, each.category, each.id)
        for each in read_items(made(folder, value))
    ]


def test_intents_with_patterns_and_responses_are_entries(tmp_path):
    intents = [
        {
            "tag": "hours",
            "patterns": ["When are you open?", "Opening times"],
            "responses": ["Nine to six.", "9-18."],
        },
        {"tag": "fallback", "patterns": [], "responses": ["Sorry?"]},
        {"tag": "bye", "patterns": ["Bye"], "responses": ["See you."]},
    ]
    heard: list[str] = []
    with told_to(heard.append):
        found = read_items(made(tmp_path, {"intents": intents}))
    assert [(each.id, each.question, each.phrasings, each.answer) for each in found] == [
        ("hours", "When are you open?", ("Opening times",), "Nine to six."),
        ("bye", "Bye", (), "See you."),
    ]
    assert found[0].metadata["responses"] == ["Nine to six.", "9-18."]
    assert "left out: 1 entry without a question" in heard


@in_turn(
    "value",
    [
        [
            {"pregunta": "¿Dónde está?", "respuesta": "En el correo."},
            {"pregunta": "¿Cuándo?", "respuesta": "Mañana."},
        ],
        {"faqs": [{"q": "¿Dónde está?", "a": "En el correo."}, {"q": "¿Cuándo?", "a": "Mañana."}]},
        {"¿Dónde está mi pedido?": "En el correo.", "¿Cuándo llega mi pedido?": "Mañana."},
        {
            "@type": "FAQPage",
            "mainEntity": [
                {
                    "@type": "Question",
                    "name": "¿Dónde está?",
                    "acceptedAnswer": {"@type": "Answer", "text": "En el correo."},
                },
                {
                    "@type": "Question",
                    "name": "¿Cuándo?",
                    "acceptedAnswer": {"@type": "Answer", "text": "Mañana."},
                },
            ],
        },
    ],
)
def test_questions_and_answers_are_found_in_the_shapes_that_exist(tmp_path, value):
    found = entries(tmp_path, value)
    assert [question.split()[0].rstrip("?") for question, *_ in found] == ["¿Dónde", "¿Cuándo"]
    assert [answer for _, _, answer, _, _ in found] == ["En el correo.", "Mañana."]


def test_a_list_of_questions_for_an_answer_is_an_entry_with_phrasings(tmp_path):
    found = entries(tmp_path, {"faqs": [{"questions": ["When?", "At what time?"], "answer": "At nine."}]})
    assert found == [("When?", ("At what time?",), "At nine.", None, "1")]


def test_categories_with_entries_are_entries_with_categories(tmp_path):
    value = {"categories": [{"name": "Versand", "entries": [{"q": "Wann?", "a": "Morgen."}]}]}
    assert entries(tmp_path, value) == [("Wann?", (), "Morgen.", "Versand", "1")]


def test_of_two_columns_that_nobody_knows_the_one_that_asks_is_the_question(tmp_path):
    (tmp_path / "a.tsv").write_text(
        "We say\tCustomer asks\nYes, we do.\tDo you ship?\nBy mail.\tHow do I cancel?\n"
    )
    found = read_items(tmp_path / "a.tsv")
    assert [(each.question, each.answer) for each in found] == [
        ("Do you ship?", "Yes, we do."),
        ("How do I cancel?", "By mail."),
    ]
