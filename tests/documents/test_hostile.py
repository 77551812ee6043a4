"""Documents that mean harm: one clear line each, in bounded time and memory; nothing run, nobody called."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from contextlib import suppress
from pathlib import Path

import pytest

import nearsense as ns
import papers
from nearsense.documents import reading
from nearsense.documents.formats import Reader
from nearsense.documents.worker import Worker
from nearsense.errors import FileError
from turns import in_turn

WORD = "application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml"


def refused(path):
    """What is said of a file that is not read: what, why, what to type, a line each."""
    with pytest.raises(FileError) as caught:
        ns.read_documents(path)
    error = caught.value
    assert error.what
    assert error.why
    assert error.fix
    assert "\n" not in error.what + error.why + error.fix
    return f"{error.what}; {error.why}"


def with_document(path, source, xml, sizes=()):
    """A copy of an archive with another main part."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            new.writestr(name, xml if name == "word/document.xml" else old.read(name))
        for name, size in sizes:
            with new.open(name, "w") as part:
                for _ in range(size >> 20):
                    part.write(bytes(1 << 20))
    return path


@pytest.mark.parametrize("extension", ["docx", "pptx", "epub"])
def test_a_zip_bomb_is_refused_before_it_is_unpacked(tmp_path, extension):
    make = {"docx": papers.docx, "pptx": papers.pptx, "epub": lambda path: papers.epub(path, ["<p>Hi</p>"])}[
        extension
    ]
    bomb = with_document(
        tmp_path / f"bomb.{extension}", make(tmp_path / f"good.{extension}"), b"", [("big.bin", 20 << 20)]
    )
    assert bomb.stat().st_size < 1 << 17
    before = time.monotonic()
    assert "bomb" in refused(bomb)
    assert time.monotonic() - before < 30


def test_billion_laughs_are_not_laughed(tmp_path):
    entities = '<!ENTITY a0 "ha">' + "".join(f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' for n in range(1, 11))
    xml = (
        f'<?xml version="1.0"?><!DOCTYPE d [{entities}]>'
        '<w:document xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main">'
        "<w:body><w:p><w:r><w:t>&a10;</w:t></w:r></w:p></w:body></w:document>"
    )
    laughs = with_document(tmp_path / "laughs.docx", papers.docx(tmp_path / "good.docx"), xml.encode())
    with suppress(FileError):
        assert len(ns.read_documents(laughs)[0].text) < 1000


def test_an_entity_reads_no_file(tmp_path):
    secret = tmp_path / "secret.txt"
    secret.write_text("the key is under the mat")
    xml = (
        f'<?xml version="1.0"?><!DOCTYPE d [<!ENTITY x SYSTEM "file://{secret}">]>'
        '<w:document xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main">'
        "<w:body><w:p><w:r><w:t>Hello &x;</w:t></w:r></w:p></w:body></w:document>"
    )
    path = with_document(tmp_path / "x.docx", papers.docx(tmp_path / "good.docx"), xml.encode())
    with suppress(FileError):
        assert "mat" not in ns.read_documents(path)[0].text


def test_an_encrypted_pdf_is_named_as_one(tmp_path):
    assert "encrypted" in refused(papers.pdf(tmp_path / "a.pdf", [["Secret."]], password="pass"))


def test_an_encrypted_word_document_is_named_as_one(tmp_path):
    (tmp_path / "a.docx").write_bytes(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(1000))
    assert "encrypted" in refused(tmp_path / "a.docx")


def test_scripts_and_attachments_of_a_pdf_do_nothing(tmp_path):
    script = "app.launchURL('http://127.0.0.1:9/'); this.exportDataObject({cName: 'evil.exe', nLaunch: 2});"
    found = ns.read_documents(
        papers.pdf(tmp_path / "a.pdf", [["Hello there."]], script=script, attachment="evil.exe")
    )[0]
    assert found.text == "Hello there."
    assert found.metadata["attachments"] == ["evil.exe"]


def test_a_pdf_without_text_says_that_it_may_be_scanned(tmp_path):
    assert "scanned" in refused(papers.pdf(tmp_path / "a.pdf", [[], []]))


@pytest.mark.parametrize("depth", [10_000, 200_000])
def test_a_page_that_is_deep_ends(tmp_path, depth):
    (tmp_path / "deep.html").write_text("<div>" * depth + "treasure" + "</div>" * depth)
    before = time.monotonic()
    assert "deep" in refused(tmp_path / "deep.html"), "and not read as if it were empty"
    assert time.monotonic() - before < 60


@in_turn(
    "text",
    [
        "[" * 20_000,
        "> " * 5_000,
        "* " * 5_000,
        "`" * 20_000,
        "<" * 20_000,
        "|" * 10_000 + "\n|-|",
        "\n" * 300_000,
        "a" * 1_000_000,
    ],
)
def test_markdown_that_is_made_to_be_slow_is_read_soon(tmp_path, text):
    (tmp_path / "a.md").write_text(text)
    before = time.monotonic()
    ns.read_documents(tmp_path).passages(tokens=64)
    assert time.monotonic() - before < 30


# -- the process in which they are read


EVIL = {
    "sleeps": ("import time\ndef read(*path): time.sleep(600)", "seconds"),
    "spins": ("def read(*path):\n while True: pass", "seconds"),
    "fills": ("def read(*path): return [bytearray(1 << 24) for _ in range(10_000)]", "memory"),
    "crashes": ("import os, signal\ndef read(*path): os.kill(os.getpid(), signal.SIGSEGV)", "crashed"),
    "recurses": ("def read(*path): return read(*path)", "deep"),
    "panics": (
        "class Panic(BaseException): pass\ndef read(*path): raise Panic('index out of range')",
        "out of range",
    ),
    "calls": ("import socket\ndef read(*path): socket.create_connection(('127.0.0.1', 9))", "may not do this"),
    "runs": ("import subprocess\ndef read(*path): subprocess.run(['true'])", "may not do this"),
    "shells": ("import os\ndef read(*path): os.system('true')", "may not do this"),
    "writes": ("def read(*path):\n with open(path[-1] + '.x', 'w') as f: f.write('x')", "too large"),
}


class Misled(Worker):
    """A reader of documents that runs another function for what is called evil."""

    def ask(self, function, *arguments, content=None):
        return super().ask("evil:read" if arguments[0] == "evil" else function, *arguments, content=content)


@in_turn("kind", EVIL)
def test_a_reader_that_goes_wrong_harms_nobody(tmp_path, monkeypatch, kind):
    code, said = EVIL[kind]
    (tmp_path / "evil.py").write_text(code)
    monkeypatch.syspath_prepend(tmp_path)
    file = tmp_path / "a.bad"
    file.write_text("x")
    good = Reader("html", "markup", "read_html")
    (tmp_path / "good.html").write_text("<p>Hello.</p>")
    with Misled(seconds=2.0, memory=1 << 28) as reading:
        with pytest.raises(FileError) as caught:
            reading.read(Reader("bad", "evil", "read"), file)
        assert said in str(caught.value)
        assert reading.read(good, tmp_path / "good.html").text == "Hello.", "the next file is read all the same"
    assert not (tmp_path / "a.bad.x").exists() or not (tmp_path / "a.bad.x").read_text()


def children():
    import psutil

    return psutil.Process().children()


def test_no_process_is_left_behind(tmp_path):
    papers.pdf(tmp_path / "a.pdf", [["Hello."]])
    before = children()
    ns.read_documents(tmp_path)
    assert children() == before


def test_ctrl_c_ends_the_reading_and_its_process(tmp_path):
    for number in range(400):
        papers.pdf(tmp_path / f"{number}.pdf", [["Hello there."] * 50] * 20)
    code = f"import nearsense as ns; print('go', flush=True); ns.read_documents({str(tmp_path)!r})"
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "go\n"
    import psutil

    own = psutil.Process(process.pid)
    deadline = time.monotonic() + 20
    while not own.children() and time.monotonic() < deadline:
        time.sleep(0.02)
    readers = own.children()
    assert readers
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=30)
    assert "KeyboardInterrupt" in said
    assert not any(each.is_running() and each.status() != psutil.STATUS_ZOMBIE for each in readers)


@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")
def test_nobody_is_called_while_documents_are_read(tmp_path):
    papers.pdf(tmp_path / "a.pdf", [["Hello."]], script="app.launchURL('http://example.org')")
    papers.docx(tmp_path / "a.docx")
    papers.pptx(tmp_path / "a.pptx")
    papers.epub(tmp_path / "a.epub", ['<p>Hi</p><img src="http://example.org/x.png"/>'])
    (tmp_path / "a.html").write_text('<link rel="stylesheet" href="http://example.org/x.css"><p>Hello.</p>')
    trace = tmp_path / "trace"
    code = f"import nearsense as ns; print(len(ns.read_documents({str(tmp_path)!r}, ignore=['trace*'])))"
    command = ["strace", "-f", "-e", "trace=connect,sendto", "-o", str(trace), sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.stdout.strip() == "5", done.stderr
    called = [line for line in trace.read_text().splitlines() if "AF_INET" in line]
    assert called == []


def test_reading_in_a_forked_child_works(tmp_path):
    papers.pdf(tmp_path / "a.pdf", [["Hello."]])
    ns.read_documents(tmp_path)
    pid = os.fork()
    if pid == 0:
        try:
            os._exit(0 if ns.read_documents(Path(tmp_path))[0].text == "Hello." else 1)
        except BaseException:
            os._exit(2)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("points.txt", "." * 40_000 + "x"),
        ("marks.txt", "a " + "!?" * 20_000 + "x"),
        ("links.md", "# " + "[](" * 12_000),
        ("open.md", "# " + "[" * 20_000),
        ("pictures.md", "# " + "![a" * 12_000),
        ("blanks.adoc", "= a" + " " * 40_000 + "x"),
        ("signs.org", "* a" + " =" * 16_000 + "x"),
        ("quotes.txt", ("." + '"' * 500 + "x") * 80),
        ("lines.txt", "\n " * 40_000 + "x"),
    ],
)
def test_what_is_repeated_takes_no_longer_than_what_is_not(tmp_path, name, text):
    (tmp_path / name).write_text(text)
    start = time.process_time()
    assert "".join(passage.text for passage in ns.read_documents(tmp_path / name).passages()).strip()
    assert time.process_time() - start < 2  # each took ten seconds or longer


@pytest.mark.parametrize("kind", ["pipe", "device", "grown"])
def test_what_a_file_became_since_it_was_listed_is_looked_at(tmp_path, monkeypatch, kind):
    one, two = tmp_path / "a.md", tmp_path / "b.md"
    one.write_text("roses")
    two.write_text("tulips")
    listed = reading.find_files

    def changed(*args, **how):
        found = listed(*args, **how)
        one.unlink()
        if kind == "pipe":
            os.mkfifo(one)
        elif kind == "device":
            one.symlink_to("/dev/zero")
        else:
            one.write_text("roses " * 1000)
        return found

    monkeypatch.setattr(reading, "find_files", changed)
    monkeypatch.setattr(reading, "MOST_TEXT", 1000)
    found = ns.read_documents(tmp_path)
    assert [each.id for each in found] == ["b.md"]
    assert list(found.unread) == ["a.md"]
    assert ("is too large" if kind == "grown" else "is no file") in found.unread["a.md"].what


def test_a_notebook_may_hold_any_line_ends_and_nothing_at_all(tmp_path):
    cells = [{"cell_type": "markdown", "source": source} for source in ("\r\rp", "a\r\rb", None)]
    (tmp_path / "n.ipynb").write_text(json.dumps({"cells": cells}))
    [document] = ns.read_documents(tmp_path / "n.ipynb")
    assert document.text.split() == ["p", "a", "b"]
