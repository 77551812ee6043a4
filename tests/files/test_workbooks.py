"""Workbooks: what their cells are, which sheet is read, and that hostile ones end in one clear line."""

from __future__ import annotations

import resource
import zipfile
from datetime import date
from pathlib import Path

import pytest

from nearsense._notes import told_to
from nearsense.errors import FileError
from nearsense.files import Dialect, documents, read_table
from sheets_made import far_apart, one_long_string_often, workbook

pytest.importorskip("python_calamine")

REVIEWS = [["Nr", "Kommentar", "Sterne"], [7, "Der Akku hält nicht lange.", 2], [8, "Sehr zufrieden damit.", 4.5]]


def made(folder: Path, sheets: dict, name: str = "a.xlsx", **more: str) -> Path:
    path = folder / name
    path.write_bytes(workbook(sheets, **more))
    return path


def test_a_sheet_is_read_with_whole_numbers_as_they_look_and_its_rows_numbered(tmp_path):
    table = read_table(made(tmp_path, {"Tabelle1": REVIEWS}))
    assert table.columns == {"Nr": [7, 8], "Kommentar": [REVIEWS[1][1], REVIEWS[2][1]], "Sterne": [2, 4.5]}
    assert (table.lines, table.unit) == ([2, 3], "row")
    assert [each.id for each in documents(table).items] == ["7", "8"]


def test_rows_above_the_header_are_left_out_and_that_is_said(tmp_path):
    said: list[str] = []
    with told_to(said.append):
        table = read_table(made(tmp_path, {"S": [["Export Mai", None, None], [None], *REVIEWS]}))
    assert list(table.columns) == REVIEWS[0]
    assert table.lines == [4, 5]
    assert any("above it" in line for line in said)


def test_the_sheet_with_texts_is_taken_and_the_others_are_named(tmp_path):
    said: list[str] = []
    cover = [["Umfrage 2024"], ["Stand: Mai"]]
    path = made(tmp_path, {"Deckblatt": cover, "Antworten": REVIEWS})
    with told_to(said.append):
        assert len(read_table(path)) == 2
    assert any(line.startswith("sheet: Antworten") and "Deckblatt" in line for line in said)
    for name in ("Antworten", "2"):
        assert len(read_table(path, dialect=Dialect(sheet=name))) == 2
    with pytest.raises(FileError, match="no sheet 'Antwort'") as caught:
        read_table(path, dialect=Dialect(sheet="Antwort"))
    assert "Deckblatt, Antworten" in caught.value.why


def test_a_formula_is_what_was_last_seen_in_it_and_never_evaluated(tmp_path):
    mark = tmp_path / "ran"
    rows = [["text"], [(f'CALL("libc","system","touch {mark}")', "harmless")], ["=1+1"]]
    assert read_table(made(tmp_path, {"S": rows})).columns == {"text": ["harmless", "=1+1"]}
    assert not mark.exists()


def test_a_workbook_is_known_on_standard_input_and_by_force_under_another_name(tmp_path):
    content = workbook({"S": REVIEWS})
    import io

    assert len(read_table("-", stdin=io.BytesIO(content))) == 2
    path = tmp_path / "a.csv"
    path.write_bytes(content)
    with pytest.raises(FileError) as caught:
        read_table(path)
    assert "--format xlsx" in caught.value.fix
    assert len(read_table(path, format="xlsx")) == 2


def test_what_programs_call_xls_and_is_text_is_read_as_text(tmp_path):
    (tmp_path / "a.xls").write_text("id\ttext\n1\thello\n")
    assert read_table(tmp_path / "a.xls").columns == {"id": ["1"], "text": ["hello"]}


@pytest.mark.parametrize("cut", [10, 200, 600])
def test_a_damaged_workbook_is_one_error(tmp_path, cut):
    (tmp_path / "a.xlsx").write_bytes(workbook({"S": REVIEWS})[:cut])
    with pytest.raises(FileError, match="damaged"):
        read_table(tmp_path / "a.xlsx")


def test_an_archive_that_unpacks_to_more_than_fits_is_refused_before(tmp_path):
    path = tmp_path / "a.xlsx"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/workbook.xml", "x")
        info = zipfile.ZipInfo("xl/worksheets/sheet1.xml")
        archive.writestr(info, b"")
        info.file_size = 60 << 30  # what the directory of a bomb says
    with pytest.raises(FileError, match="60 GB"):
        read_table(path)


def test_two_cells_far_apart_cost_no_memory_here_and_end_in_one_line(tmp_path):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(FileError, match="too large, or made to be"):
        read_table(made(tmp_path, {"S": far_apart()}))
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200_000  # KB


@pytest.mark.slow
def test_a_long_text_that_stands_in_every_cell_ends_in_one_line(tmp_path):
    body, strings = one_long_string_often(1 << 20, 10_000)
    with pytest.raises(FileError, match="too large, or made to be"):
        read_table(made(tmp_path, {"S": body}, strings=strings))


def test_dates_of_a_workbook_are_dates(tmp_path):
    pytest.importorskip("openpyxl")
    import openpyxl

    book = openpyxl.Workbook()
    book.active.append(["Datum", "Text"])
    book.active.append([date(2024, 5, 3), "hello there"])
    book.save(tmp_path / "a.xlsx")
    assert read_table(tmp_path / "a.xlsx").columns["Datum"] == [date(2024, 5, 3)]


def ods(body: str) -> bytes:
    """An ods file of one sheet."""
    import io

    spaces = (
        'xmlns:office="urn:oasis:names:tc:opendocument:xmlns:office:1.0" '
        'xmlns:table="urn:oasis:names:tc:opendocument:xmlns:table:1.0" '
        'xmlns:text="urn:oasis:names:tc:opendocument:xmlns:text:1.0"'
    )
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("mimetype", "application/vnd.oasis.opendocument.spreadsheet", zipfile.ZIP_STORED)
        archive.writestr(
            "content.xml",
            f'<office:document-content {spaces}><office:body><office:spreadsheet><table:table table:name="S">'
            f"{body}</table:table></office:spreadsheet></office:body></office:document-content>",
        )
        archive.writestr("META-INF/manifest.xml", "<manifest/>")
    return content.getvalue()


@pytest.mark.slow  # it takes the 3 GB that it may
def test_an_ods_file_is_read_and_one_that_repeats_a_cell_for_ever_ends_in_one_line(tmp_path):
    def row(texts: list[str], more: str = "") -> str:
        cells = "".join(
            f'<table:table-cell office:value-type="string" {more}><text:p>{text}</text:p></table:table-cell>'
            for text in texts
        )
        return f"<table:table-row>{cells}</table:table-row>"

    head = row(["nr", "opmerking"])
    (tmp_path / "a.ods").write_bytes(ods(head + row(["a", "De trein was laat."])))
    assert read_table(tmp_path / "a.ods").columns == {"nr": ["a"], "opmerking": ["De trein was laat."]}
    bomb = row(["x" * 1_000_000], 'table:number-columns-repeated="16384"')
    (tmp_path / "b.ods").write_bytes(ods(head + bomb))
    with pytest.raises(FileError, match="too large, or made to be"):
        read_table(tmp_path / "b.ods")
