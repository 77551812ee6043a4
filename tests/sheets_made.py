"""Workbooks for tests, written by hand so that they can also be hostile."""

from __future__ import annotations

import io
import zipfile
from xml.sax.saxutils import escape

_TYPES = (
    '<?xml version="1.0"?><Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
    '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
    '<Default Extension="xml" ContentType="application/xml"/></Types>'
)
_RELS = "http://schemas.openxmlformats.org/package/2006/relationships"
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"


def cell(place: str, value: object) -> str:
    """A cell: a number, a text, or a formula with what was last seen in it."""
    if isinstance(value, tuple):
        formula, seen = value
        return f'<c r="{place}" t="str"><f>{escape(formula)}</f><v>{escape(str(seen))}</v></c>'
    if isinstance(value, (int, float)):
        return f'<c r="{place}"><v>{value}</v></c>'
    return f'<c r="{place}" t="inlineStr"><is><t>{escape(str(value))}</t></is></c>'


def sheet(rows: list[list[object]]) -> str:
    """A sheet's rows; None leaves a cell out."""
    body = "".join(
        f'<row r="{line}">'
        + "".join(
            cell(f"{chr(64 + place)}{line}", value) for place, value in enumerate(row, 1) if value is not None
        )
        + "</row>"
        for line, row in enumerate(rows, 1)
    )
    return f'<worksheet xmlns="{_MAIN}"><sheetData>{body}</sheetData></worksheet>'


def workbook(sheets: dict[str, list[list[object]] | str], strings: str = "") -> bytes:
    """An xlsx file of sheets: rows, or a sheet's own XML."""
    listed = "".join(f'<sheet name="{name}" sheetId="{n}" r:id="r{n}"/>' for n, name in enumerate(sheets, 1))
    related = "".join(
        f'<Relationship Id="r{n}" Type="{_OFFICE}/worksheet" Target="worksheets/sheet{n}.xml"/>'
        for n in range(1, len(sheets) + 1)
    )
    if strings:
        related += f'<Relationship Id="s" Type="{_OFFICE}/sharedStrings" Target="sharedStrings.xml"/>'
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("[Content_Types].xml", _TYPES)
        archive.writestr(
            "_rels/.rels",
            f'<Relationships xmlns="{_RELS}"><Relationship Id="a" Type="{_OFFICE}/officeDocument" '
            'Target="xl/workbook.xml"/></Relationships>',
        )
        archive.writestr(
            "xl/workbook.xml",
            f'<workbook xmlns="{_MAIN}" xmlns:r="{_OFFICE}"><sheets>{listed}</sheets></workbook>',
        )
        archive.writestr("xl/_rels/workbook.xml.rels", f'<Relationships xmlns="{_RELS}">{related}</Relationships>')
        if strings:
            archive.writestr("xl/sharedStrings.xml", strings)
        for number, rows in enumerate(sheets.values(), 1):
            archive.writestr(f"xl/worksheets/sheet{number}.xml", rows if isinstance(rows, str) else sheet(rows))
    return content.getvalue()


def far_apart() -> str:
    """Two cells in the opposite corners of a sheet: a rectangle of 17 thousand million cells."""
    first = f'<row r="1">{cell("A1", "text")}</row><row r="2">{cell("A2", "hello")}</row>'
    last = f'<row r="1048576">{cell("XFD1048576", "bye")}</row>'
    return f'<worksheet xmlns="{_MAIN}"><sheetData>{first}{last}</sheetData></worksheet>'


def one_long_string_often(length: int, times: int) -> tuple[str, str]:
    """A sheet that names one shared string again and again, and that string."""
    cells = "".join(f'<row r="{n}"><c r="A{n}" t="s"><v>0</v></c></row>' for n in range(1, times + 1))
    body = f'<worksheet xmlns="{_MAIN}"><sheetData>{cells}</sheetData></worksheet>'
    return body, f'<sst xmlns="{_MAIN}"><si><t>{"x" * length}</t></si></sst>'
