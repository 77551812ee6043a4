"""Reading documents: what each format says, which files are meant, and that a bad one does not stop the others."""

from __future__ import annotations

import os

import pytest

import nearsense as ns
import papers
from nearsense.documents.blocks import Kind
from nearsense.documents.reading import DocumentList
from nearsense.errors import FileError, MissingExtra
from turns import in_turn


def outline(document):
    return [(block.level, block.title) for block in document.blocks if block.kind is Kind.HEADING and block.title]


def texts(document, kind=None):
    blocks = [block for block in document.blocks if block.end > block.begin]
    return [document.text[block.begin : block.end] for block in blocks if kind in (None, block.kind)]


def read(path):
    return ns.read_documents(path)[0]


PAGES = [["1 Installation", "Put the pump on", "level ground."], ["Fix it.", "2 Care", "Oil it every month."]]
CHAPTERS = [
    f"<html><body><h1>{n}</h1><p>It {verb}.</p></body></html>"
    for n, verb in (("First", "rains"), ("Second", "snows"))
]


@pytest.fixture(scope="module")
def shelf(tmp_path_factory):
    """A document of each format that is read in a process of its own, read together."""
    folder = tmp_path_factory.mktemp("shelf")
    outline_ = [("Installation", 0, 1), ("Care", 1, 1), ("Nowhere to be seen", 1, 2)]
    papers.pdf(folder / "a.pdf", PAGES, outline=outline_, title="Pump manual")
    papers.pdf(folder / "over.pdf", [["The first page is about a pump that"], ["moves water uphill.", "Oil it."]])
    papers.docx(folder / "a.docx")
    papers.pptx(folder / "a.pptx")
    papers.epub(folder / "a.epub", CHAPTERS)
    papers.notebook(folder / "a.ipynb")
    (folder / "a.eml").write_bytes(papers.MAIL)
    (folder / "a.html").write_text(PAGE)
    found = ns.read_documents(folder)
    assert not found.unread
    return {document.id: document for document in found} | {"": folder}


def test_markdown_is_its_own_text_with_blocks_on_its_lines(tmp_path):
    source = "# Manual\n\nHello\nthere.\n\n* one\n* two\n\n```\n# no heading\n```\n\n|a|b|\n|-|-|\n|1|2|\n"
    (tmp_path / "a.md").write_bytes(source.replace("\n", "\r\n").encode())
    found = read(tmp_path / "a.md")
    assert found.text == source
    assert outline(found) == [(1, "Manual")]
    assert texts(found, Kind.ITEM) == ["* one", "* two"]
    assert [block.line for block in found.blocks] == [1, 3, 6, 7, 9, 13]
    assert found.metadata == {"format": "md", "title": "Manual"}


def passages(*documents, **options):
    return DocumentList(documents).passages(**options)


def test_a_pdf_is_read_page_by_page_with_the_headings_of_its_outline(shelf):
    found = shelf["a.pdf"]
    assert found.metadata["title"] == "Pump manual"
    assert found.metadata["pages"] == 2
    assert sorted(outline(found)) == [(1, "Care"), (1, "Installation"), (2, "Nowhere to be seen")]
    assert {block.page for block in found.blocks} == {1, 2}
    assert [each.metadata["passage"]["page"] for each in passages(found, tokens=64)][-1] == 2
    assert "level ground." in found.text


def test_a_sentence_over_two_pages_is_one_and_stands_on_the_first(shelf):
    found = shelf["over.pdf"]
    assert texts(found)[0] == "The first page is about a pump that\nmoves water uphill."
    places = [each.metadata["passage"]["page"] for each in passages(found)]
    assert places == [1, 2], "and no passage holds what two pages say"


def test_a_word_document_keeps_headings_lists_and_tables(shelf):
    found = shelf["a.docx"]
    assert outline(found) == [(1, "Pump manual"), (1, "Installation"), (1, "Care")]
    assert texts(found, Kind.ITEM) == ["a wrench", "four screws"]
    assert texts(found, Kind.TABLE) == ["part | weight", "rotor | 3 kg"]
    assert found.metadata["title"] == "Pump manual"


def test_a_slide_is_a_page_with_its_title_tables_and_notes(shelf):
    found = shelf["a.pptx"]
    assert outline(found) == [(1, "Pumps for farms"), (1, "Prices")]
    assert texts(found, Kind.TABLE) == ["small pump | 90 euros"]
    pages = {found.text[block.begin : block.end]: block.page for block in found.blocks}
    assert pages["They move water uphill."] == 1
    assert pages["Do not promise a discount."] == 2


def test_a_book_is_read_chapter_by_chapter(shelf):
    found = shelf["a.epub"]
    assert outline(found) == [(1, "First"), (1, "Second")]
    assert (found.metadata["title"], found.metadata["author"]) == ("A book of pumps", "Ada Smith")


def test_a_mail_is_its_subject_and_its_body(shelf):
    found = shelf["a.eml"]
    assert texts(found) == ["The p\u00fcmp leaks", "Water comes out of it.", "Please send a man."]
    assert found.metadata["title"] == "The p\u00fcmp leaks"
    assert found.metadata["attachments"] == ["run.exe"]
    assert found.metadata["from"] == "Ada <ada@example.org>"


def test_a_notebook_is_its_cells_without_what_they_printed(shelf):
    found = shelf["a.ipynb"]
    assert outline(found) == [(1, "Flow of water")]
    assert texts(found, Kind.CODE) == ["import os\nos.system('touch ran')"]
    assert "secret" not in found.text
    assert not (shelf[""] / "ran").exists()


PAGE = """<!doctype html><html><head><title>Pump &amp; Co</title><style>p {color: red}</style></head><body>
<nav><a href="/">Home</a></nav><h1>Pumps</h1>
<p>They <b>move</b>
water.<br>Uphill.</p><script>document.write("evil")</script>
<ul><li>small<li>large</ul><table><tr><th>size<th>price<tr><td>small<td>90</table>
<h2>Care</h2><pre>make
  test</pre><div>loose <span>words</span><p>in a box</p>after it</div></body></html>"""


def test_a_page_is_what_it_shows(shelf):
    found = shelf["a.html"]
    assert texts(found) == [
        "Pumps",
        "They move water.\nUphill.",
        "small",
        "large",
        "size | price",
        "small | 90",
        "Care",
        "make\n  test",
        "loose words",
        "in a box",
        "after it",
    ]
    assert found.metadata["title"] == "Pump & Co"
    assert outline(found) == [(1, "Pumps"), (2, "Care")]
    lines = {found.text[block.begin : block.end]: block.line for block in found.blocks}
    assert (lines["Care"], lines["small | 90"]) == (6, 5)


def test_no_text_of_a_page_is_lost_however_deep_it_stands(tmp_path):
    for depth in (300, 1900):
        deep = "<div>" * depth + "<p>treasure</p>" + "</div>" * depth + "<p>after it</p>"
        (tmp_path / "a.html").write_text(f"<html><body>{deep}</body></html>")
        assert texts(read(tmp_path / "a.html")) == ["treasure", "after it"]


def test_pages_and_texts_are_read_in_their_own_characters(tmp_path):
    said = "Str\u00f6me flie\u00dfen"
    for encoding in ("cp1252", "utf-8", "latin-1", "utf-16"):
        declared = f'<meta charset="{encoding}">' if encoding == "latin-1" else ""
        page = f"<html><head>{declared}</head><body><p>{said}</p></body></html>"
        (tmp_path / f"{encoding}.html").write_bytes(page.encode(encoding))
        (tmp_path / f"{encoding}.txt").write_bytes(said.encode(encoding))
    assert [document.text for document in ns.read_documents(tmp_path)] == [said] * 8


# -- which files


@in_turn(
    ("encoding", "text"),
    [
        ("cp1250", "Zażółć gęślą jaźń, proszę."),
        ("mac-roman", "Après l’été, où êtes-vous ?"),
        ("utf-16-le", "Grüße aus München, und zwar lange."),
        ("utf-8-sig", "Grüße aus München."),
        ("cp850", "Die Größe der Tür über dem Flügel."),
        ("koi8-r", "Посылка опять опаздывает."),
        ("cp1251", "Привет, МИР! Где cafe?"),
        ("cp1253", "Πού είναι το δέμα μου;"),
        ("utf-16", ""),
    ],
)
def test_notes_in_old_encodings_are_read_as_tables_are(tmp_path, encoding, text):
    (tmp_path / "a.md").write_bytes(text.encode(encoding))
    assert ns.read_documents(tmp_path / "a.md")[0].text == text


def test_a_folder_is_read_in_the_order_of_its_paths_without_what_nobody_wrote(tmp_path):
    for name in ("b.md", "a.txt", "deep/c.rst", ".hidden/x.md", "node_modules/y.md", "z.bin", "README", "tool.py"):
        file = tmp_path / name
        file.parent.mkdir(exist_ok=True)
        file.write_text("Some words.\n")
    found = ns.read_documents(tmp_path)
    assert [document.id for document in found] == ["README", "a.txt", "b.md", "deep/c.rst", "tool.py"]
    assert [document.id for document in ns.read_documents(tmp_path, ignore=["deep/*", "*.py"])] == [
        "README",
        "a.txt",
        "b.md",
    ]
    assert [document.id for document in ns.read_documents(str(tmp_path / "*.md"))] == ["b.md"]
    assert [document.id for document in ns.read_documents([tmp_path / "b.md", tmp_path / "deep"])] == [
        "b.md",
        "deep/c.rst",
    ]


def test_links_out_of_the_folder_and_collections_are_left_alone(tmp_path):
    secret = tmp_path / "secret.md"
    secret.write_text("The key is under the mat.")
    folder = tmp_path / "notes"
    folder.mkdir()
    (folder / "a.md").write_text("Hello.")
    (folder / "out.md").symlink_to(secret)
    (folder / "in.md").symlink_to(folder / "a.md")
    (folder / "up").symlink_to(tmp_path)
    os.mkfifo(folder / "pipe.md")
    ns.open(folder / "own.nearsense", encoder="all-MiniLM-L6-v2").close()
    assert [document.id for document in ns.read_documents(folder)] == ["a.md"], "a second name"


def test_a_bad_file_is_told_and_the_others_are_read(tmp_path):
    (tmp_path / "good.md").write_text("Hello there.")
    (tmp_path / "bad.pdf").write_bytes(b"%PDF-1.4 nothing more")
    (tmp_path / "bad.docx").write_bytes(b"PK\x03\x04 nothing more")
    (tmp_path / "bad.txt").write_bytes(bytes(range(256)) * 20)
    found = ns.read_documents(tmp_path)
    assert [document.id for document in found] == ["good.md"]
    assert sorted(found.unread) == ["bad.docx", "bad.pdf", "bad.txt"]
    assert all(isinstance(error, FileError) and error.why for error in found.unread.values())
    with pytest.raises(FileError, match=r"bad\.pdf cannot be read"):
        ns.read_documents(tmp_path / "bad.pdf")


def test_what_is_not_there_is_said(tmp_path):
    for source in (tmp_path / "nowhere", str(tmp_path / "*.md")):
        with pytest.raises(FileError):
            ns.read_documents(source)
    (tmp_path / "a.bin").write_text("x")
    with pytest.raises(FileError, match="holds no documents"):
        ns.read_documents(tmp_path)


def test_a_library_that_is_missing_is_named(tmp_path, monkeypatch):
    papers.pdf(tmp_path / "a.pdf", [["Hello."]])
    blocked = tmp_path / "blocked"
    blocked.mkdir()
    (blocked / "pypdfium2.py").write_text("raise ImportError('not here')")
    monkeypatch.syspath_prepend(str(blocked))
    with pytest.raises(MissingExtra, match=r"nearsense\[documents\]"):
        ns.read_documents(tmp_path / "a.pdf")


def test_passages_are_ordinary_documents_for_other_verbs(tmp_path):
    same = "The pump has to stand on level ground, and four screws hold it there. "
    (tmp_path / "a.md").write_text(same)
    (tmp_path / "b.md").write_text(same)
    (tmp_path / "c.md").write_text("# Three\n\nA bank closes at four o'clock in the afternoon.\n")
    passages = ns.read_documents(tmp_path).passages(tokens=64, headings=False)
    pairs = ns.duplicates(passages).pairs
    assert len(pairs) == 1
    hits = ns.search("When is the bank open?", passages, k=1)
    assert hits[0].place == "c.md:1"
