"""Small documents that tests write themselves: PDFs byte by byte, office files, books, mails."""

from __future__ import annotations

import hashlib
import json
import zipfile
from pathlib import Path

PADDING = bytes.fromhex("28bf4e5e4e758a4164004e56fffa01082e2e00b6d0683e802f0ca9fe6453697a")


def rc4(key, data):
    state, j, out = list(range(256)), 0, bytearray()
    for i in range(256):
        j = (j + state[i] + key[i % len(key)]) % 256
        state[i], state[j] = state[j], state[i]
    i = j = 0
    for byte in data:
        i = (i + 1) % 256
        j = (j + state[i]) % 256
        state[i], state[j] = state[j], state[i]
        out.append(byte ^ state[(state[i] + state[j]) % 256])
    return bytes(out)


def pdf(path, pages, *, outline=(), title="", script="", attachment="", password=""):
    """A PDF of pages, each a list of lines; `outline` has (title, page from 0, level from 1)."""
    objects: dict[int, bytes] = {}
    first_page, count = 10, len(pages)
    objects[3] = b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>"
    for number, lines in enumerate(pages):
        shown = "".join(f"({_escaped(line)}) Tj T*\n" for line in lines)
        stream = f"BT /F1 11 Tf 14 TL 50 780 Td\n{shown}ET".encode("cp1252")
        page, content = first_page + 2 * number, first_page + 2 * number + 1
        objects[page] = (
            f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 842] /Contents {content} 0 R"
            " /Resources << /Font << /F1 3 0 R >> >> >>"
        ).encode()
        objects[content] = b"<< /Length %d >>\nstream\n%s\nendstream" % (len(stream), stream)
    kids = " ".join(f"{first_page + 2 * number} 0 R" for number in range(count))
    objects[2] = f"<< /Type /Pages /Kids [{kids}] /Count {count} >>".encode()
    catalog = "<< /Type /Catalog /Pages 2 0 R"
    free = first_page + 2 * count
    if outline:
        catalog += f" /Outlines {free} 0 R"
        _outline(objects, free, outline, first_page)
        free += 1 + len(outline)
    if script:
        catalog += f" /OpenAction << /S /JavaScript /JS ({_escaped(script)}) >>"
    if attachment:
        objects[free] = b"<< /Type /EmbeddedFile /Length 4 >>\nstream\nevil\nendstream"
        objects[free + 1] = f"<< /Type /Filespec /F ({attachment}) /EF << /F {free} 0 R >> >>".encode()
        catalog += f" /Names << /EmbeddedFiles << /Names [({attachment}) {free + 1} 0 R] >> >>"
    objects[1] = (catalog + " >>").encode()
    objects[4] = f"<< /Title ({_escaped(title)}) >>".encode()
    identity, trailer = b"0123456789abcdef", ""
    if password:
        owner = rc4(hashlib.md5((b"owner" + PADDING)[:32]).digest()[:5], (password.encode() + PADDING)[:32])
        flags = (-4).to_bytes(4, "little", signed=True)
        key = hashlib.md5((password.encode() + PADDING)[:32] + owner + flags + identity).digest()[:5]
        user = rc4(key, PADDING)
        objects[5] = b"<< /Filter /Standard /V 1 /R 2 /Length 40 /P -4 /O <%s> /U <%s> >>" % (
            owner.hex().encode(),
            user.hex().encode(),
        )
        trailer = " /Encrypt 5 0 R"
    out, places = bytearray(b"%PDF-1.5\n"), {}
    for number in sorted(objects):
        places[number] = len(out)
        out += b"%d 0 obj\n%s\nendobj\n" % (number, objects[number])
    size, start = max(objects) + 1, len(out)
    out += b"xref\n0 %d\n" % size
    for number in range(size):
        out += b"%010d %05d %s \n" % (
            places.get(number, 0),
            0 if number in places else 65535,
            b"fn"[number in places :][:1],
        )
    mark = identity.hex()
    out += f"trailer\n<< /Size {size} /Root 1 0 R /Info 4 0 R /ID [<{mark}> <{mark}>]{trailer} >>\n".encode()
    out += b"startxref\n%d\n%%%%EOF\n" % start
    Path(path).write_bytes(out)
    return Path(path)


def _escaped(text):
    return text.replace("\\", "\\\\").replace("(", "\\(").replace(")", "\\)")


def _outline(objects, root, outline, first_page):
    """Entries as children of those before them of a lower level."""
    own = [root + 1 + number for number in range(len(outline))]
    parents, stack = [], [(0, root)]
    for (_, _, level), number in zip(outline, own, strict=True):
        while stack[-1][0] >= level:
            stack.pop()
        parents.append(stack[-1][1])
        stack.append((level, number))

    def children(of):
        return [number for number, parent in zip(own, parents, strict=True) if parent == of]

    def family(of):
        each = children(of)
        return f" /First {each[0]} 0 R /Last {each[-1]} 0 R /Count {len(each)}" if each else ""

    objects[root] = f"<< /Type /Outlines{family(root)} >>".encode()
    for (title, page, _), number, parent in zip(outline, own, parents, strict=True):
        each = children(parent)
        at = each.index(number)
        links = f" /Prev {each[at - 1]} 0 R" if at else ""
        links += f" /Next {each[at + 1]} 0 R" if at + 1 < len(each) else ""
        objects[number] = (
            f"<< /Title ({_escaped(title)}) /Parent {parent} 0 R /Dest [{first_page + 2 * page} 0 R /Fit]"
            f"{links}{family(number)} >>"
        ).encode()


def docx(path):
    """A manual in Word: a title, two chapters, a list, a table."""
    from docx import Document

    made = Document()
    made.core_properties.title = "Pump manual"
    made.add_heading("Pump manual", 0)
    made.add_heading("Installation", 1)
    made.add_paragraph("Put the pump on level ground. Fix it with four screws.")
    made.add_paragraph("a wrench", style="List Bullet")
    made.add_paragraph("four screws", style="List Bullet")
    made.add_heading("Care", 1)
    made.add_paragraph("Oil the bearing every month.")
    table = made.add_table(rows=2, cols=2)
    for row, words in zip(table.rows, (("part", "weight"), ("rotor", "3 kg")), strict=True):
        for cell, word in zip(row.cells, words, strict=True):
            cell.text = word
    made.save(str(path))
    return Path(path)


def pptx(path):
    """Two slides, the second with a table and notes."""
    from pptx import Presentation
    from pptx.util import Inches

    made = Presentation()
    first = made.slides.add_slide(made.slide_layouts[1])
    first.shapes.title.text = "Pumps for farms"
    first.placeholders[1].text = "They move water uphill."
    second = made.slides.add_slide(made.slide_layouts[5])
    second.shapes.title.text = "Prices"
    table = second.shapes.add_table(1, 2, Inches(1), Inches(2), Inches(4), Inches(1)).table
    table.cell(0, 0).text, table.cell(0, 1).text = "small pump", "90 euros"
    second.notes_slide.notes_text_frame.text = "Do not promise a discount."
    made.save(str(path))
    return Path(path)


CONTAINER = (
    '<?xml version="1.0"?><container xmlns="urn:oasis:names:tc:opendocument:xmlns:container" version="1.0">'
    '<rootfiles><rootfile full-path="OPS/book.opf" media-type="application/oebps-package+xml"/></rootfiles>'
    "</container>"
)


def epub(path, chapters, title="A book of pumps"):
    items = "".join(
        f'<item id="c{n}" href="c{n}.xhtml" media-type="application/xhtml+xml"/>' for n in range(len(chapters))
    )
    spine = "".join(f'<itemref idref="c{n}"/>' for n in range(len(chapters)))
    book = (
        '<package xmlns="http://www.idpf.org/2007/opf" version="3.0">'
        '<metadata xmlns:dc="http://purl.org/dc/elements/1.1/">'
        f"<dc:title>{title}</dc:title><dc:creator>Ada Smith</dc:creator></metadata>"
        f"<manifest>{items}</manifest><spine>{spine}</spine></package>"
    )
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("mimetype", "application/epub+zip")
        archive.writestr("META-INF/container.xml", CONTAINER)
        archive.writestr("OPS/book.opf", book)
        for number, chapter in enumerate(chapters):
            archive.writestr(f"OPS/c{number}.xhtml", chapter)
    return Path(path)


MAIL = (
    b"From: Ada <ada@example.org>\r\nTo: Bob <bob@example.org>\r\nDate: Mon, 02 Nov 2026 10:00:00 +0000\r\n"
    b"Subject: =?utf-8?q?The_p=C3=BCmp_leaks?=\r\nMIME-Version: 1.0\r\n"
    b'Content-Type: multipart/mixed; boundary="x"\r\n\r\n'
    b'--x\r\nContent-Type: text/plain; charset="utf-8"\r\n\r\nWater comes out of it.\r\n\r\nPlease send a man.\r\n'
    b"--x\r\nContent-Type: application/octet-stream\r\n"
    b'Content-Disposition: attachment; filename="run.exe"\r\n\r\nMZ\r\n'
    b"--x--\r\n"
)


def notebook(path):
    cells = [
        {"cell_type": "markdown", "source": ["# Flow of water\n", "\n", "We measure the flow."]},
        {
            "cell_type": "code",
            "source": "import os\nos.system('touch ran')\n",
            "outputs": [{"text": "secret output"}],
        },
    ]
    Path(path).write_text(json.dumps({"cells": cells, "nbformat": 4, "metadata": {}}))
    return Path(path)
