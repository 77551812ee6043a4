"""Files that are sent: read as the library does, each fault told with its place, hostile ones harmless."""

import datetime
import gzip
import io
import json
import zipfile

import pytest

import nearsense as ns
from fakes import HashEncoder
from nearsense.errors import FileError
from nearsense.server import uploads
from nearsense.server.uploads import Upload, as_query, read_upload
from server.serving import serving

ROWS = [{"id": "1", "text": "late parcel", "stars": 3}, {"id": "2", "text": 'a "lost", card', "stars": 5}]


def xlsx(rows):
    import xlsxwriter

    made = io.BytesIO()
    with xlsxwriter.Workbook(made, {"in_memory": True}) as book:
        sheet = book.add_worksheet()
        for number, row in enumerate([list(rows[0]), *([*each.values()] for each in rows)]):
            sheet.write_row(number, 0, row)
    return made.getvalue()


def parquet(rows):
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet as files

    made = io.BytesIO()
    files.write_table(pyarrow.Table.from_pylist(rows), made)
    return made.getvalue()


def lines(rows, sign):
    quoted = [{name: json.dumps(value).replace('\\"', '""') for name, value in row.items()} for row in rows]
    return "\n".join([sign.join(rows[0]), *(sign.join(row.values()) for row in quoted)]).encode()


FORMS = {
    "csv": lines(ROWS, ","),
    "tsv": lines(ROWS, "\t"),
    "jsonl": "\n".join(map(json.dumps, ROWS)).encode(),
    "json": json.dumps(ROWS).encode(),
    "xlsx": xlsx(ROWS),
    "parquet": parquet(ROWS),
}


@pytest.fixture(scope="module")
def ask(tmp_path_factory):
    folder = tmp_path_factory.mktemp("uploads")
    with serving(folder) as (ask, _):
        ask.folder = folder
        assert ask("POST", "/v1/collections", {"name": "tickets"}).status == 201
        yield ask


def kept(ask):
    with ns.open(ask.folder / "tickets.nearsense", HashEncoder(), create=False) as there:
        return {each.id: (each.text, dict(each.metadata)) for each in there.documents()[0]}


PATH = "/v1/collections/tickets/files"


@pytest.fixture
def here(monkeypatch):
    """Files are read in this process: what the other one does is the same, and takes its start."""
    monkeypatch.setattr(uploads, "_ask", lambda content, asked, _: json.loads(uploads.answer_to(content, asked)))


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize("form", FORMS)
def test_a_file_of_any_format_gives_the_documents_that_are_in_it(ask, form):
    told = ask(
        "POST", PATH, FORMS[form], {"content-type": "application/octet-stream"}, mode="sync", name=f"x.{form}"
    )
    assert told.status == 200, told
    assert kept(ask) == {"1": ("late parcel", {"stars": 3}), "2": ('a "lost", card', {"stars": 5})}


def test_the_media_type_tells_the_format_and_columns_can_be_named(ask):
    content = "Nr;Betreff;Text\n7;Paket;wo ist es\n8;Karte;verloren\n".encode("cp1252")
    told = ask(
        "POST", PATH, content, {"content-type": "text/csv; charset=x"}, mode="sync", text="Betreff", id="Nr"
    )
    assert told.status == 200
    assert {id_: text for id_, (text, _) in kept(ask).items()} == {"7": "Paket", "8": "Karte"}
    told = ask("POST", PATH, "text\nGrüße\n".encode("cp1252"), {"content-type": "text/csv"}, mode="sync")
    assert [text for text, _ in kept(ask).values()] == ["Grüße"]
    assert told.body["notes"] == ["encoding: cp1252; ?encoding=... to choose another"]


BAD = {
    "an empty text": (b"id,text\n1,fine\n2,\n", {"format": "csv"}, "line 3"),
    "too many fields": (b"id,text\n1,fine\n2,a,b,c\n3,x,y\n", {"format": "csv"}, "line 3"),
    "an id twice": (b"id,text\n1,fine\n1,again\n", {"format": "csv"}, "line 3: the id '1'"),
    "no such column": (b"id,text\n1,fine\n", {"format": "csv", "text": "txet"}, "no column 'txet'"),
    "no JSON": (b'{"id": "1", "text": "fine"}\n{"id": \n', {"format": "jsonl"}, "line 2"),
    "a number for a text": (
        b'{"id": "1", "text": "fine"}\n{"id": "2", "text": 7}\n',
        {"format": "jsonl"},
        "line 2",
    ),
    "a header alone": (b"id,text\n", {"format": "csv"}, "only a header"),
    "nothing": (b"", {"format": "csv"}, "is empty"),
    "a picture": (b"\x89PNG\r\n\x1a\n" + bytes(100), {"format": "csv"}, "a picture"),
    "no format": (b"id,text\n1,fine\n", {}, "which format"),
    "an unknown format": (b"x", {"format": "exe"}, "format is not"),
    "a database": (b"SQLite format 3\0" + bytes(100), {"name": "x.sqlite"}, "sqlite is not taken"),
    "no workbook": (b"PK\x03\x04nothing", {"format": "xlsx"}, "the upload"),
    "no parquet": (b"PAR1" + bytes(50) + b"PAR1", {"format": "parquet"}, "no parquet file"),
    "a packed file": (gzip.compress(b"id,text\n1,fine\n"), {"name": "x.csv.gz", "format": "csv"}, "is packed"),
    "an id too long": (b"id,text\n" + b"x" * 600 + b",fine\n", {"format": "csv"}, "600 bytes"),
    "JSON too deep": (b"[" * 5000 + b"]" * 5000, {"format": "json"}, "deep"),
    "half a character": (b'{"id": "1", "text": "\\ud800"}\n', {"format": "jsonl"}, "surrogate"),
}


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize("case", BAD)
def test_a_bad_file_is_told_with_its_place_and_nothing_of_it_is_kept(ask, case):
    content, how, said = BAD[case]
    before = kept(ask)
    told = ask("POST", PATH, content, {"content-type": "application/octet-stream"}, mode="sync", **how)
    assert told.status in (409, 422), told
    assert said in told.error["message"], told
    assert told.error["fix"]
    assert "--" not in told.error["fix"]
    assert str(ask.folder) not in str(told.body)
    assert kept(ask) == before


@pytest.mark.usefixtures("here")
def test_a_name_is_never_a_path_and_never_an_address(ask):
    for name in ("/etc/passwd", "../../secret.csv", "https://example.org/x.csv", "-", "x\n.csv", "\x1b[31m.csv"):
        told = ask("POST", PATH, b"text\nhello\n", {"content-type": "text/csv"}, mode="sync", name=name)
        assert told.status == 200, told
        assert [text for text, _ in kept(ask).values()] == ["hello"]


SHEET = b"""<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>
<row r="1"><c r="A1" t="str"><v>text</v></c></row><row r="1048576"><c r="XFD1048576" t="str"><v>x</v></c></row>
</sheetData></worksheet>"""


def test_a_workbook_whose_few_bytes_ask_for_a_terabyte_is_refused_and_costs_nobody_their_memory(ask):
    made = io.BytesIO()
    with (
        zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive,
        zipfile.ZipFile(io.BytesIO(xlsx(ROWS))) as known,
    ):
        for part in known.namelist():
            archive.writestr(part, SHEET if part.endswith("sheet1.xml") else known.read(part))
    told = ask("POST", PATH, made.getvalue(), {"content-type": "application/octet-stream"}, name="bomb.xlsx")
    assert told.status == 422, told
    assert told.error["message"].startswith("bomb.xlsx")


def test_a_reader_that_takes_too_long_or_dies_is_told_and_leaves_nothing(monkeypatch):
    monkeypatch.setattr(uploads, "SECONDS", 0.01)
    with pytest.raises(FileError, match=r"took more than 0\.01 seconds"):
        read_upload(FORMS["csv"], Upload("x.csv"))
    monkeypatch.undo()
    monkeypatch.setattr(uploads, "_START", "import os; os.abort()")
    with pytest.raises(FileError, match="crashed"):
        read_upload(FORMS["csv"], Upload("x.csv"))


def test_dates_of_a_workbook_come_as_texts_like_from_the_library(tmp_path):
    rows = [{"id": "1", "text": "late", "day": datetime.date(2026, 11, 30)}]
    read = read_upload(parquet(rows), Upload("x.parquet"))
    assert read.table.columns == {"id": ["1"], "text": ["late"], "day": ["2026-11-30"]}


def test_advice_for_the_command_is_told_as_parameters_of_the_query():
    assert as_query("did you mean 'text'?") == "did you mean 'text'?"
    assert as_query("name one of them: --text COLUMN") == "name one of them: ?text=COLUMN"
    assert as_query("add --format csv (or tsv)") == "add ?format=csv (or tsv)"
    assert as_query("--encoding latin-1") == "?encoding=latin-1"
    assert as_query("add --skip-empty to leave such rows out") == "add ?skip_empty=true to leave such rows out"
