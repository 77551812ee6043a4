"""FAQs that are documents: which lines ask, and what answers."""

from __future__ import annotations

import pytest

import nearsense as ns
from nearsense.errors import FileError
from nearsense.faq.entries import read_items
from turns import in_turn

SHOP = [
    ("How long does shipping take?", "Two days.", "Shipping"),
    ("Do you ship abroad?", "Yes, to all of Europe.\n\nNot to islands.", "Shipping"),
    ("How do I return a product?", "By post, within 30 days.", "Returns"),
]

HEADINGS = """# Questions and answers

All that people ask.

## Shipping

### How long does shipping take?

Two days.

### Do you ship abroad?

Yes, to all of Europe.

Not to islands.

## Returns

### How do I return a product?

By post, within 30 days.
"""

BOLD = """# Questions and answers

## Shipping

**How long does shipping take?**
Two days.

**Do you ship abroad?** Yes, to all of Europe.

Not to islands.

---

## Returns

- **How do I return a product?** By post, within 30 days.
"""

LETTERS = """# FAQ

## Shipping

Q: How long does shipping take?
A: Two days.

**Q: Do you ship abroad?**

A: Yes, to all of Europe.

Not to islands.

## Returns

Q3. How do I return a product?

A3. By post, within 30 days.
"""

FOLDED = """# FAQ

## Shipping

<details><summary>How long does shipping take?</summary>
Two days.
</details>

<details>
<summary><b>Do you ship abroad?</b></summary>

Yes, to all of Europe.

Not to islands.

</details>

## Returns

<details><summary>How do I return a product?</summary>By post, within 30 days.</details>
"""

HTML = """<html><body><h1>FAQ</h1><h2>Shipping</h2><h3>How long does shipping take?</h3><p>Two days.</p>
<h3>Do you ship abroad?</h3><p>Yes, to all of Europe.</p><p>Not to islands.</p>
<h2>Returns</h2><h3>How do I return a product?</h3><p>By post, within 30 days.</p></body></html>"""

RST = """Questions
=========

Shipping
--------

How long does shipping take?
~~~~~~~~~~~~~~~~~~~~~~~~~~~~

Two days.

Do you ship abroad?
~~~~~~~~~~~~~~~~~~~

Yes, to all of Europe.

Not to islands.

Returns
-------

How do I return a product?
~~~~~~~~~~~~~~~~~~~~~~~~~~

By post, within 30 days.
"""


@in_turn(
    ("name", "content"),
    [
        ("headings.md", HEADINGS),
        ("bold.md", BOLD),
        ("letters.md", LETTERS),
        ("folded.md", FOLDED),
        ("page.html", HTML),
        ("page.rst", RST),
    ],
)
def test_what_asks_is_found_with_what_answers_under_its_heading(tmp_path, name, content):
    (tmp_path / name).write_text(content)
    found = read_items(tmp_path / name)
    assert [(each.question, each.answer, each.category) for each in found] == SHOP


def test_a_word_document_and_a_folder_are_faqs_too(tmp_path):
    docx = pytest.importorskip("docx")
    made = docx.Document()
    made.add_heading("Do you ship abroad?", 1)
    made.add_paragraph("Yes, to all of Europe.")
    made.save(tmp_path / "a.docx")
    (tmp_path / "b.md").write_text("# How do I return a product?\n\nBy post.\n")
    found = read_items(tmp_path)
    assert {each.question: each.answer for each in found} == {
        "Do you ship abroad?": "Yes, to all of Europe.",
        "How do I return a product?": "By post.",
    }


def test_headings_and_bold_lines_within_an_answer_stay_in_it(tmp_path):
    (tmp_path / "a.md").write_text(
        "# FAQ\n\n## How do I install it?\n\nIt depends.\n\n### On Linux\n\nType make.\n\n"
        "**Note**\nAs root.\n\n## Licence\n\nApache.\n"
    )
    found = read_items(tmp_path / "a.md")
    assert [(each.question, each.answer) for each in found] == [
        ("How do I install it?", "It depends.\n\nOn Linux\n\nType make.\n\n**Note**\nAs root."),
        ("Licence", "Apache."),
    ]


def test_a_faq_of_markdown_answers(run_faq, tmp_path):
    (tmp_path / "faq.md").write_text(HEADINGS)
    best = run_faq(tmp_path / "faq.md").answer("When will my parcel arrive?").candidates[0]
    assert best.metadata["answer"] == "Two days."


@pytest.fixture
def run_faq(encoder):
    return lambda path: ns.FAQ(str(path), encoder=encoder)


def test_a_document_that_asks_nothing_is_refused_with_a_line_to_type(tmp_path):
    (tmp_path / "a.md").write_text("Only a note.\n")
    with pytest.raises(FileError, match="no question") as caught:
        read_items(tmp_path / "a.md")
    assert caught.value.fix.endswith(f"nearsense index create a.nearsense {tmp_path}/a.md")


def test_a_question_twice_is_named_by_its_lines(tmp_path):
    (tmp_path / "a.md").write_text("# A?\n\nYes.\n\n# A?\n\nNo, never on a Sunday in May.\n")
    with pytest.raises(FileError, match="line 1") as caught:
        read_items(tmp_path / "a.md")
    assert "line 5" in str(caught.value)
