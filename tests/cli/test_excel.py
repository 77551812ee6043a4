"""What spreadsheets write and run: a first line that names the delimiter, many columns of one name, formulas."""

from __future__ import annotations

import csv
import io
import json
import time

import pytest

from nearsense.errors import FileError
from nearsense.files import formulas_escaped, read_table, write_table
from turns import in_turn

ROWS = {"id": ["007", "008"], "text": ["hello, world", "good; bye"]}


def excel(sign, first, end="\n"):
    def cell(value):
        return f'"{value}"' if sign in value else value

    lines = [first, *(sign.join(map(cell, row)) for row in (("id", "text"), *zip(*ROWS.values(), strict=True)))]
    return end.join(lines) + end


@in_turn("end", ["\n", "\r\n"])
@in_turn(
    ("sign", "first"),
    [(";", "sep=;"), (",", "sep=,"), ("\t", "sep=\t"), ("\t", r"sep=\t"), ("|", "sep=|"), ("^", "sep=^"),
     (":", "sep=:"), (",", '"sep=,"'), (";", '"sep=;"'), (";", "SEP=;"), (";", "sep=;;;"),
     (";", "sep = ;"), (";", "sep =;"), (";", "sep= ;"), (",", '"sep = ,"'),
     ("\t", "Sep = \t"), ("\t", r"sep = \t"), ("|", " sep = | ")],
)  # fmt: skip
def test_a_first_line_names_the_delimiter(tmp_path, sign, first, end):
    for encoding in ("utf-8", "utf-8-sig", "utf-16", "latin-1"):
        for name in ("a.csv", "a.tsv"):
            (tmp_path / name).write_bytes(excel(sign, first, end).encode(encoding))
            table = read_table(tmp_path / name, encoding=encoding.removesuffix("-sig"))
            assert (table.columns, table.lines) == (ROWS, [3, 4])


def test_the_line_is_counted_where_an_error_is_named(tmp_path):
    (tmp_path / "a.csv").write_text("sep=;\nid;text\n1;a\n2;b;c\n")
    with pytest.raises(FileError, match="line 4: 3 fields, but the header names 2"):
        read_table(tmp_path / "a.csv")
    (tmp_path / "b.csv").write_text('sep=;\nid;text\n1;"a\n')
    with pytest.raises(FileError, match="line 3: a quoted field that begins here never ends"):
        read_table(tmp_path / "b.csv")


@in_turn(
    "content",
    [
        "sep=,b\n1,2\n",
        "sep = a,b\n1,2\n",
        "separator,text\n1,2\n",
        "sep,text\n1,2\n",
        "sep=\n1\n",
    ],
)
def test_other_first_lines_are_headers(tmp_path, content):
    (tmp_path / "a.csv").write_text(content)
    assert list(read_table(tmp_path / "a.csv").columns) == content.splitlines()[0].split(",")


def test_standard_input_with_such_a_line_asks_for_its_format():
    with pytest.raises(FileError, match="begins with 'sep=;'"):
        read_table("-", stdin=io.BytesIO(b"sep=;\nid;text\n1;a\n"))
    assert read_table("-", format="csv", stdin=io.BytesIO(b"sep=;\nid;text\n1;a\n")).columns["text"] == ["a"]


def test_the_command_and_a_copy_keep_to_it(run, tmp_path):
    (tmp_path / "a.csv").write_text("sep=;\nid;text\n1;a, b\n2;a, b\n3;tree\n")
    hits = [json.loads(line) for line in run("rank", "a tree", tmp_path / "a.csv").out.splitlines()]
    assert {hit["id"]: hit["text"] for hit in hits} == {"1": "a, b", "2": "a, b", "3": "tree"}
    run("dedupe", tmp_path / "a.csv", "-o", tmp_path / "b.csv")
    assert read_table(tmp_path / "b.csv").columns == {"id": ["1", "3"], "text": ["a, b", "tree"]}


@pytest.mark.parametrize("name", ["a.csv", "a.tsv"])
def test_tens_of_thousands_of_equal_columns_are_refused_at_once(tmp_path, name):
    sign = "\t" if name.endswith("tsv") else ","
    for header in (["a"] * 30_000, [*(f"c{n}" for n in range(30_000)), "c7"], ["", *["b"] * 29_999]):
        (tmp_path / name).write_text(sign.join(header) + "\n" + sign.join("1" * len(header)) + "\n")
        begin = time.thread_time()
        with pytest.raises(FileError, match="two columns are named"):
            read_table(tmp_path / name)
        assert time.thread_time() - begin < 2


def test_a_message_lists_no_more_columns_than_one_can_read(run, tmp_path):
    names = [f"c{number}" for number in range(5_000)]
    (tmp_path / "a.csv").write_text(",".join(names) + "\n" + ",".join("x" * 5_000) + "\n")
    done = run("search", tmp_path / "a.csv", "q")
    assert (done.code, "and 4,980 more" in done.err, len(done.err) < 1000) == (2, True, True)


@pytest.mark.parametrize("keys", [["a"] * 100_000, [*map(str, range(100_000)), "99999"]], ids=["one", "the last"])
def test_many_keys_of_one_name_in_json_are_refused_at_once(tmp_path, keys):
    (tmp_path / "a.jsonl").write_text("{" + ", ".join(f'"{key}": 1' for key in keys) + ', "text": "x"}\n')
    begin = time.thread_time()
    with pytest.raises(FileError, match="occurs twice in one object"):
        read_table(tmp_path / "a.jsonl")
    assert time.thread_time() - begin < 5


FORMULAS = [
    "=1+1",
    "+1+cmd|' /C calc'!A0",
    "-2+3+cmd",
    "@SUM(1,2)",
    "\t=1",
    "\r=1",
    "\n=1",
    " =1",
    "＝1",
    '=HYPERLINK("x")',
]
HARMLESS = ["a=b", "-5", "+3.2", "-1,234.5", "12 %", "a", "", "1-1", "e@mail.org", "-1e-5"]


@pytest.mark.parametrize("name", ["a.csv", "a.tsv"])
def test_formulas_become_texts_where_that_is_asked_for_and_numbers_stay(tmp_path, name):
    rows = [{"id": str(number), "=text": text} for number, text in enumerate([*FORMULAS, *HARMLESS])]
    write_table(tmp_path / name, rows)
    assert read_table(tmp_path / name).columns["=text"] == [*FORMULAS, *HARMLESS]
    with formulas_escaped():
        write_table(tmp_path / name, rows)
    safe = read_table(tmp_path / name).columns
    assert safe["'=text"] == [*(f"'{text}" for text in FORMULAS), *HARMLESS]
    write_table(tmp_path / name, rows)
    assert "=text" in read_table(tmp_path / name).columns


@in_turn(
    "words",
    ["search FILE sum --csv", "rank sum FILE --csv", "duplicates FILE --min-score 0 --csv", "dedupe FILE -o -",
     "dedupe FILE -o OUT", "cluster FILE -k 2 --csv", "cluster FILE -k 2 -o OUT", "matrix FILE --csv"],
)  # fmt: skip
def test_every_command_that_writes_csv_can_write_it_safely(run, tmp_path, words):
    file, out = tmp_path / "a.csv", tmp_path / "out.csv"
    write_table(file, [{"id": f"={number}", "text": f"{text} sum"} for number, text in enumerate(FORMULAS[:4])])
    typed = [{"FILE": str(file), "OUT": str(out)}.get(word, word) for word in words.split()]
    written = []
    for flags in ([], ["--csv-safe"]):
        done = run(*typed, *flags)
        assert done.code == 0
        rows = list(csv.reader(io.StringIO(out.read_text() if "OUT" in words else done.out)))
        written.append([cell for row in rows for cell in row if cell.lstrip("'")[:1] in tuple("=+-@")])
    assert any(cell[0] in "=+-@" and not cell[1:].replace(".", "").isdigit() for cell in written[0])
    assert all(
        cell[0] == "'" or cell.lstrip("+-").replace(".", "").replace("e-", "").isdigit() for cell in written[1]
    )
