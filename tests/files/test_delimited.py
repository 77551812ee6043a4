"""csv as people have it: headers or none, notes above them, other marks, other encodings."""

from __future__ import annotations

import io

import pandas as pd
import pytest

from nearsense._notes import told_to
from nearsense.errors import FileError, InputError
from nearsense.files import Dialect, Table, read_table
from turns import in_turn


def read(content: str | bytes, **said) -> tuple[Table, list[str]]:
    heard: list[str] = []
    raw = content.encode() if isinstance(content, str) else content
    with told_to(heard.append):
        table = read_table("-", format="csv", stdin=io.BytesIO(raw), dialect=Dialect(**said))
    return table, heard


HEADLESS = [
    "1,The projector shows a pink tint,equipment\n2,No beans are left,kitchen\n3,The door sticks,building\n",
    "03.05.2024;Der Zug war zu spät\n04.05.2024;Kein Platz im Zug\n",
    "booking\tbook a table for two\nweather\twill it rain\nbooking\ttable for four please\nweather\tis it cold\n",
    "A boy kicks a ball.|A child is kicking a ball.|4.8\nThey wait for the bus.|They missed it.|2.1\n",
    "T-1001,late parcel\nT-1002,broken lid\n",
]


@in_turn("content", HEADLESS)
def test_a_first_line_that_is_a_row_is_kept_and_that_is_said(content):
    table, heard = read(content)
    assert len(table) == content.count("\n")
    assert list(table.columns) == [f"column {n}" for n in range(1, len(table.columns) + 1)]
    assert table.lines[0] == 1
    assert any("--header" in line for line in heard)
    assert len(read(content, header=True)[0]) == content.count("\n") - 1


@in_turn(
    "content",
    [
        "id,text\n1,hello\n2,bye\n",
        "year,2019,2020\nsales,1,2\ncosts,3,4\n",
        "Timestamp,What do you like about working here?\n2024-05-03,The short meetings\n2024-05-04,Hours\n",
        "Meinung\nDer Akku hält nicht lange.\nSehr gut, danke!\n".replace(",", ""),
        "x,y\nfoo,bar\nbaz,qux\n",
        "sentiment,tweet\npositive,what a lovely day\nnegative,my train is late\npositive,good\nnegative,bad\n",
        "name,ort\nAnna,Bonn\nPaul,Köln\n",
    ],
)
def test_a_header_stays_a_header(content):
    table, heard = read(content)
    assert list(table.columns) == content.split("\n")[0].split(",")
    assert heard == []


def test_no_header_can_be_said_and_then_nothing_is_lost():
    table, _ = read("id,text\n1,a\n", header=False)
    assert table.columns == {"column 1": ["id", "1"], "column 2": ["text", "a"]}
    assert len(read("1,only one line\n", header=False)[0]) == 1


@in_turn(
    ("content", "columns"),
    [
        (
            "Ticket export 2024\n\nid;text\n1;hello\n2;bye, you\n",
            {"id": ["1", "2"], "text": ["hello", "bye, you"]},
        ),
        ("# a note, with a comma\n# another\nid,text\n1,a\n2,b\n", {"id": ["1", "2"], "text": ["a", "b"]}),
        ("Umsatz,,\n,,\nid,text,n\n1,a,2\n2,b,3\n", {"id": ["1", "2"], "text": ["a", "b"], "n": ["2", "3"]}),
        ("id,text\n1,a,\n2,b,\n", {"id": ["1", "2"], "text": ["a", "b"]}),
        ("id,text,,\n1,a\n2,b\n", {"id": ["1", "2"], "text": ["a", "b"]}),
        ("text,n\nr1,a,1\nr2,b,2\n", {"column 1": ["r1", "r2"], "text": ["a", "b"], "n": ["1", "2"]}),
        ("'id','text'\n'1','it''s, well'\n'2','b'\n", {"id": ["1", "2"], "text": ["it's, well", "b"]}),
        ('id,text\n1,"say \\"no\\", please"\n2,b\n', {"id": ["1", "2"], "text": ['say "no", please', "b"]}),
        ("id, well;text\n1;a\n2;b\n3;c\n", {"id, well": ["1", "2", "3"], "text": ["a", "b", "c"]}),
    ],
)
def test_a_file_that_does_not_hold_together_as_its_header_shows_is_read_in_another_way(content, columns):
    assert read(content)[0].columns == columns


def test_lines_above_a_header_are_said_and_rows_are_numbered_as_in_the_file():
    table, heard = read("Ticket export 2024\n\nid;text\n1;hello\n2;bye, you\n")
    assert table.lines == [4, 5]
    assert heard == ["header: line 3; 1 line above it left out"]


def test_uneven_lines_are_an_error_with_a_line_to_paste_that_works():
    content = "id;text\n1;a;b\n2;c\n3;d\n"
    with pytest.raises(FileError, match="line 2") as caught:
        read(content)
    assert caught.value.choices == ("--skip-uneven",)
    table, heard = read(content, skip_uneven=True)
    assert table.columns["text"] == ["c", "d"]
    assert heard == ["left out: 1 line with more or fewer fields than the header"]


def test_a_quotation_mark_that_never_closes_has_a_way_on():
    content = 'id,text\n1,a\n2,"open\n3,b\n'
    with pytest.raises(FileError, match="line 3") as caught:
        read(content)
    assert caught.value.choices == ("--quote none",)
    assert read(content, quote="none")[0].columns["text"] == ["a", '"open', "b"]


@in_turn(("typed", "sign"), [(";", ";"), ("tab", "\t"), ("\\t", "\t"), ("^", "^"), ("space", " ")])
def test_a_delimiter_that_is_said_is_taken_as_pandas_takes_it(typed, sign):
    content = f"id{sign}text\n1{sign}a,b\n2{sign}c\n"
    truth = pd.read_csv(io.StringIO(content), sep=sign, dtype=str).to_dict("list")
    assert read(content, delimiter=typed)[0].columns == truth


def test_what_is_no_delimiter_is_refused():
    for delimiter in (";;", "", "\n"):
        with pytest.raises(InputError, match="delimiter"):
            Dialect(delimiter=delimiter)
    with pytest.raises(InputError, match="quotation mark"):
        Dialect(quote="ab")


def test_names_that_stand_twice_are_told_apart():
    table, heard = read("text,n,text\na,1,b\nc,2,d\n")
    assert table.columns == {"text (1)": ["a", "c"], "n": ["1", "2"], "text (2)": ["b", "d"]}
    assert heard == ["columns: 2 are named text; they are told apart as text (1), text (2)"]


@in_turn(
    ("codec", "text"),
    [
        ("cp1252", "Größe „XL“ kostet 5 €, café à gogo"),
        ("latin-1", "Città già bella perché così"),
        ("cp1250", "Źle wystawiona faktura, błędny NIP i późna wysyłka"),
        ("iso-8859-2", "Zażółć gęślą jaźń, proszę bardzo"),
        ("cp850", "Größe über Maß schön für alle"),
        ("mac-roman", "Größe über Maß schön für alle"),
        ("utf-16", "Größe"),
        ("utf-16-le", "Größe"),
        ("utf-8-sig", "Größe"),
    ],
)
def test_an_encoding_that_nobody_named_is_read_and_said(codec, text):
    content = "id;text\n" + "".join(f"{n};{text}\n" for n in range(3))
    table, heard = read(content.encode(codec))
    assert table.columns["text"] == [text] * 3
    assert bool(heard) == (not codec.startswith("utf-8"))
    assert all(line.startswith("encoding: ") and "--encoding" in line for line in heard)


def test_a_few_other_bytes_in_utf_8_are_read_alone_in_their_encoding():
    content = "n;text\n1;Perché no\n2;".encode() + "però caffè".encode("latin-1") + "\n3;Università già\n".encode()
    table, heard = read(content)
    assert table.columns["text"] == ["Perché no", "però caffè", "Università già"]
    assert heard == ["encoding: utf-8+cp1252; --encoding to choose another"]


def test_a_named_encoding_is_taken_at_its_word(tmp_path):
    (tmp_path / "a.csv").write_bytes("id,text\n1,café\n".encode("latin-1"))
    with pytest.raises(FileError, match="not UTF-8") as caught:
        read_table(tmp_path / "a.csv", encoding="utf-8")
    assert caught.value.fix == "--encoding latin-1"


@pytest.mark.parametrize(
    "content", ["," * 2_000_000, "text\n" + "," * 2_000_000, ",".join("ab") + "\n" + "," * 2_000_000]
)
def test_millions_of_columns_are_refused_in_one_line(content):
    with pytest.raises(FileError) as caught:
        read(content + "\n1\n")
    assert len(str(caught.value)) < 400


def test_an_error_shows_at_most_a_short_piece_of_the_file():
    wide = "id," + ",".join(f"a very long name of column {n}" for n in range(3000))
    with pytest.raises(FileError) as caught:
        read(wide + "\n1,2\n3\n4,5,6\n")
    assert len(str(caught.value)) < 1200
