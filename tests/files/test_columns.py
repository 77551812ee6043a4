"""Which column is what: by names in eight languages, by what columns hold; asking back where two are as likely."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

import nearsense.files.names as names
from nearsense._notes import told_to
from nearsense.datasets.kinds import Task
from nearsense.datasets.roles import roles_of
from nearsense.errors import FileError
from nearsense.files import Table, documents, text_pairs
from nearsense.files.judging import Content, numbers_of, portrait
from nearsense.files.names import FIRST, called
from turns import in_turn

LONG = ["The parcel came two days late and was open.", "Where is my refund, it was promised in May?"]
OTHER = ["A shop in the north", "A shop in the south"]


def table(columns: dict[str, list]) -> Table:
    rows = len(next(iter(columns.values())))
    return Table(columns, list(range(2, rows + 2)), "tickets.csv", untyped=True)


def chosen(columns: dict[str, list]) -> tuple[str, list[str]]:
    said: list[str] = []
    with told_to(said.append):
        found = documents(table(columns)).text
    return found, said


@in_turn(
    "name",
    [
        "review_text", "answer_content", "reviewText", "Kommentar", "Kundenkommentar", "Beschreibung",
        "Rückmeldung", "Commentaire", "Description du problème", "reseña", "Opinión del cliente",
        "Testo recensione",
        "commento", "Opmerking", "Omschrijving", "Comentário", "Descrição", "Treść opinii", "Komentarz",
        "KOMMENTAR", "feedback", "comments", "Full text", "selftext",
    ],
)  # fmt: skip
def test_the_text_is_found_by_its_name_in_eight_languages_beside_other_texts(name):
    found, said = chosen({"shop": OTHER, name: LONG, f"{name}_id": ["a1", "b2"], "city": OTHER})
    assert found == name
    assert said == [f"text: column {name}; --text to choose another"]


@in_turn("name", ["comment_id", "id_comentario", "review date", "fecha_comentario", "comment_user"])
def test_a_name_that_says_what_lies_beside_a_text_is_none(name):
    assert called(name, "text") is None
    assert called("user_comment", "text") is not None


def test_the_more_telling_of_two_names_wins_in_every_language():
    for title, body in (
        ("Titel", "Beschreibung"),
        ("Título", "Mensaje"),
        ("Titre", "Commentaire"),
        ("Temat", "Opis"),
    ):
        assert chosen({title: OTHER, body: LONG, "shop": OTHER})[0] == body
    assert chosen({"review_title": OTHER, "review_text": LONG})[0] == "review_text"


def test_without_a_name_the_text_is_what_is_long_varied_and_no_link_date_number_code_or_label():
    rows = 12
    columns = {
        "x1": [f"https://example.org/a/very/long/path/of/many/words/{n}" for n in range(rows)],
        "x2": [f"{n + 1:02}.05.2024" for n in range(rows)],
        "x3": [f"T-{n:04}" for n in range(rows)],
        "x4": ["a very long label that is repeated again", "another very long label, repeated again"]
        * (rows // 2),
        "x5": [f"Sentence number {n} speaks of matter {n * 7}." for n in range(rows)],
        "x6": [f"{n},50" for n in range(rows)],
        "x7": [f"Name{n} Surname{n}" for n in range(rows)],
    }
    assert chosen(columns)[0] == "x5"


def test_where_two_are_as_likely_the_error_has_a_line_for_each():
    with pytest.raises(FileError) as caught:
        documents(table({"positive review": LONG, "negative review": LONG[::-1]}))
    assert caught.value.choices == ("--text 'positive review'", "--text 'negative review'")
    assert "--text 'positive review', or --text 'negative review'" in caught.value.fix


def test_what_loaded_before_loads_in_the_same_way_and_in_silence():
    for columns, text in (
        ({"title": OTHER, "lyrics": LONG}, "title"),
        ({"id": ["1", "2"], "stars": ["4", "5"], "wort": ["Hallo", "du"]}, "wort"),
        ({"kommentar": LONG, "text": OTHER}, "text"),
    ):
        assert chosen(columns) == (text, [])
    made = documents(table({"ticket_id": ["a", "b"], "text": LONG}))
    assert [each.id for each in made.items] == ["2", "3"]


def test_ids_are_found_by_their_names_where_the_text_was_and_only_if_they_are_unique():
    made = documents(table({"Ticketnummer": ["0071", "0072"], "Kommentar": LONG, "Ort": OTHER}))
    assert (made.id, made.items[0].id) == ("Ticketnummer", "0071")
    assert documents(table({"Kundennummer": ["7", "7"], "Kommentar": LONG, "Ort": OTHER})).id is None


def test_several_columns_are_joined_and_stay_in_the_metadata():
    made = documents(table({"title": ["Late", ""], "body": LONG, "stars": ["1", "2"]}), text="title,body")
    assert [each.text for each in made.items] == [f"Late\n{LONG[0]}", LONG[1]]
    assert made.items[0].metadata == {"title": "Late", "body": LONG[0], "stars": "1"}
    with pytest.raises(FileError, match="no column 'boody'") as caught:
        documents(table({"title": OTHER, "body": LONG}), text="title,boody")
    assert caught.value.fix == "did you mean 'body'?"


def test_a_column_is_named_by_its_place_unless_one_is_called_so():
    assert documents(table({"a": OTHER, "b": LONG}), text="2").text == "b"
    assert documents(table({"a": OTHER, "1": LONG}), text="1").text == "1"
    assert documents(table({"a": OTHER, "b": LONG, "c": OTHER}), text="3,2").text == "c,b"
    with pytest.raises(FileError, match="no column '3'"):
        documents(table({"a": OTHER, "b": LONG}), text="3")


def test_what_is_nested_is_named_with_dots_and_found():
    rows = [{"text": text, "lang": "en"} for text in LONG]
    assert documents(table({"n": [1, 2], "review": rows}), text="review.text").items[0].text == LONG[0]
    assert chosen({"n": [1, 2], "review": rows})[0] == "review.text"


@in_turn(
    "pair",
    [
        ("question_1", "question_2"), ("Satz A", "Satz B"), ("frase1", "frase2"), ("original", "paraphrase"),
        ("text_left", "text_right"), ("Pytanie", "Odpowiedź"), ("erster", "zweiter"),
    ],
)  # fmt: skip
def test_a_pair_is_found_by_endings_by_couples_of_names_or_because_there_are_two_texts(pair):
    columns = {pair[0]: LONG, pair[1]: LONG[::-1], "similar": ["1", "0"]}
    assert text_pairs(table(columns)) == list(zip(LONG, LONG[::-1], strict=True))
    roles = roles_of(table(columns), None, None)
    assert (roles.task, roles.columns) == (Task.LABELLED, (*pair, "similar"))


def test_three_texts_are_no_pair_and_the_error_has_lines_to_paste():
    with pytest.raises(FileError) as caught:
        text_pairs(table({"x": LONG, "y": LONG[::-1], "z": [*LONG]}))
    assert caught.value.choices == ("--columns x,y", "--columns x,z")


def test_labels_and_scores_are_found_in_other_languages_and_by_what_they_are():
    many = [f"{text} {n}" for n in range(4) for text in LONG]
    roles = roles_of(table({"Anliegen": many, "Abteilung": ["Versand", "Konto"] * 4}), None, None)
    assert (roles.task, roles.columns) == (Task.INTENTS, ("Anliegen", "Abteilung"))
    roles = roles_of(table({"xx": many, "yy": ["Versand", "Konto"] * 4}), None, None)
    assert roles.columns == ("xx", "yy")
    graded = {"Satz 1": many, "Satz 2": many[::-1], "Ähnlichkeit": [f"{n},5" for n in range(8)]}
    roles = roles_of(table(graded), None, None)
    assert (roles.task, roles.columns[2]) == (Task.GRADED, "Ähnlichkeit")


@in_turn(
    ("cells", "numbers"),
    [
        (["1.234,5", "0,75"], [1234.5, 0.75]),
        (["1,234.5", "0.75"], [1234.5, 0.75]),
        (["1 234,5", "7"], [1234.5, 7]),
        (["1,234", "12,500"], [1234, 12500]),
        (["0,125", "0,500"], [0.125, 0.5]),
        (["12 %", "€ 3", "4 zł"], [12, 3, 4]),
        (["1e3", "-2.5E-1"], [1000, -0.25]),
        (["nan", "1_000", "1,2,3", "3.5.2024", ""], []),
    ],
)
def test_numbers_are_read_as_their_column_writes_them(cells, numbers):
    assert list(numbers_of(cells).values()) == numbers


@in_turn(
    ("cells", "content"),
    [
        (["2024-05-03", "2024-05-04T10:00:00Z"], Content.DATES),
        (["03.05.2024", "4.5.24 10:15"], Content.DATES),
        (["5/13/2024 3:04 PM", "12/1/2024"], Content.DATES),
        (["12. Mai 2024", "May 3, 2024"], Content.DATES),
        (["a@b.de", "https://x.org"], Content.LINKS),
        (["AB-1", "AB-2"], Content.CODES),
        (["yes", "no"] * 5, Content.LABELS),
        ([True, False], Content.LABELS),
        ([1, 2.5], Content.NUMBERS),
        ([None, ""], Content.NOTHING),
        ([["a"], ["b"]], Content.OTHER),
        (["猫が屋根の上で寝ています", "犬は公園で遊んでいます"], Content.TEXTS),
    ],
)
def test_what_a_column_holds_is_told_by_its_cells(cells, content):
    assert portrait(cells).content is content


def test_the_table_of_names_says_what_is_meant_and_says_no_word_twice_in_one_role():
    said = tomllib.loads(Path(names.__file__).with_name("names.toml").read_text("utf-8"))
    languages = {"en", "de", "fr", "es", "it", "nl", "pt", "pl"}
    for role, meanings in said.items():
        if role in ("pairs", "aside"):
            continue
        assert set(meanings) <= set(FIRST[role])
        for words in meanings.values():
            assert set(words) == languages
