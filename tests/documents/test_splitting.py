"""Splitting into passages: nothing lost, offsets exact, sentences whole, structure first, sizes kept."""

from __future__ import annotations

import random
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

import nearsense as ns
from nearsense.documents.blocks import Block, Kind, SourceDocument
from nearsense.documents.markdown import read_markdown
from nearsense.documents.passages import as_passages, joined, own_text
from nearsense.documents.plain import read_code, read_rst, read_signs, read_tex, read_text
from nearsense.documents.sentences import sentence_ends
from nearsense.documents.splitting import Splitting, counter, split
from nearsense.errors import InputError
from turns import in_turn


def words(texts):
    return [len(text.split()) for text in texts]


def document(text, read=read_text, **metadata):
    content = read(text)
    return SourceDocument(
        "d", content.text, {**content.metadata, **metadata}, tuple(content.blocks), content.lines
    )


def passages(text, read=read_text, tokens=40, overlap=0, headings=True, **metadata):
    made = document(text, read, **metadata)
    return made, list(as_passages(made, split([made], Splitting(tokens, overlap, headings), words)[0]))


def require_whole(made, found):
    """Each passage is where it says, in order; what is in none of them is white space."""
    end = 0
    for number, passage in enumerate(found):
        said = passage.metadata["passage"]
        assert (said["number"], said["count"], passage.id) == (number, len(found), f"d#{number}")
        assert own_text(passage) == made.text[said["begin"] : said["end"]]
        assert own_text(passage).strip()
        assert not made.text[end : said["begin"]].strip()
        assert said["end"] > end
        end = said["end"]
    assert not made.text[end:].strip()


SENTENCE = st.text(alphabet="ab .!?\n#-*`>|=~1\u3002\u00e4", max_size=40)


@pytest.mark.parametrize("read", [read_text, read_markdown, read_rst, read_signs, read_tex, read_code])
@given(text=st.lists(SENTENCE, max_size=30).map("".join))
def test_passages_cover_every_text_and_stand_where_they_say(read, text):
    for tokens, overlap in ((16, 0), (40, 0)):
        require_whole(*passages(text, read, tokens, overlap))


@given(text=st.lists(SENTENCE, max_size=30).map("".join))
def test_passages_joined_are_the_text_also_where_they_overlap(text):
    for overlap in (0, 8):
        made, found = passages(text, read_text, 16, overlap)
        assert joined(found).split() == made.text.split()


def story(seed, sentences):
    rng = random.Random(seed)
    return [
        " ".join(f"w{rng.randrange(99)}" for _ in range(rng.randint(3, 12))).capitalize() + "."
        for _ in range(sentences)
    ]


@in_turn("seed", range(5))
def test_no_sentence_is_cut_where_each_fits_a_passage(seed):
    sentences = story(seed, 60)
    made, found = passages(" ".join(sentences), tokens=40)
    require_whole(made, found)
    assert [sentence for passage in found for sentence in passage.text.split(". ")] == [
        part for passage in found for part in passage.text.split(". ")
    ]
    ends = set(sentence_ends(made.text))
    assert {passage.metadata["passage"]["end"] for passage in found} <= ends
    assert max(len(passage.text.split()) for passage in found) <= 40


def test_passages_of_a_long_paragraph_are_about_as_long_as_each_other():
    made, found = passages(" ".join(story(1, 40)), tokens=100)
    sizes = [len(passage.text.split()) for passage in found]
    total = len(made.text.split())
    assert len(sizes) == -(-total // 100)
    assert min(sizes) > 0.75 * max(sizes)


def test_what_has_no_end_of_a_sentence_is_cut_between_words_and_a_word_without_end_within():
    made, found = passages("word " * 500, tokens=40)
    require_whole(made, found)
    assert all(set(passage.text.split()) == {"word"} for passage in found)
    made = document("x" * 10_000)
    count = lambda texts: [-(-len(text) // 10) for text in texts]  # noqa: E731
    spans = split([made], Splitting(40), count)[0]
    assert "".join(made.text[span.begin : span.end] for span in spans) == made.text
    assert max(span.end - span.begin for span in spans) <= 400


MANUAL = """---
title: The manual
---
# Manual

Read all of it. It is short.

## Installation

Put the pump on level ground. Fix it with four screws, and wait for an hour until the glue is dry.

- a wrench that fits the screws of the pump
- four screws as long as your finger

### On Linux

Type `make`. Then wait until it ends, which takes an hour on a slow machine or a minute on a fast one.

## Care

Oil the bearing every month with the oil that came with it; do not use another oil than that one.
"""


def test_the_headings_above_a_passage_are_known_and_put_before_it():
    made, found = passages(MANUAL, read_markdown, tokens=48)
    require_whole(made, found)
    by_text = {own_text(passage).split("\n")[0]: passage for passage in found}
    linux = by_text["### On Linux"]
    assert linux.metadata["passage"]["headings"] == ["Manual", "Installation", "On Linux"]
    assert linux.text.startswith("The manual > Manual > Installation\n### On Linux")
    assert linux.metadata["passage"]["lead"] == len("The manual > Manual > Installation\n")
    assert linux.metadata["passage"]["line"] == MANUAL[: MANUAL.index("### On")].count("\n") + 1
    assert made.metadata["title"] == "The manual"


def test_without_headings_a_passage_is_its_own_text_only():
    _, found = passages(MANUAL, read_markdown, tokens=48, headings=False)
    assert all("lead" not in passage.metadata["passage"] for passage in found)
    assert all(passage.text == own_text(passage) for passage in found)


def test_a_section_begins_a_passage_unless_it_is_tiny():
    text = "# A\n\n" + "alpha " * 30 + "\n\n# B\n\n" + "beta " * 30
    _, found = passages(text, read_markdown, tokens=70)
    assert [passage.text.split()[1] for passage in found] == ["A", "B"]
    _, found = passages("# A\n\nalpha\n\n# B\n\nbeta\n", read_markdown, tokens=70)
    assert len(found) == 1, "two words are no passage"


def test_a_heading_stays_with_what_it_is_above():
    text = "alpha " * 39 + ".\n\n# B\n\n" + "beta " * 39
    _, found = passages(text, read_markdown, tokens=41)
    assert found[-1].text.startswith("# B\n\nbeta")


def test_a_passage_may_repeat_whole_sentences_of_the_one_before_it():
    sentences = [f"This is sentence {number} of many." for number in range(30)]
    made, found = passages(" ".join(sentences), tokens=40, overlap=13)
    for before, passage in pairwise(found):
        last = before.text.split(". ")[-2:]
        assert passage.text.startswith(". ".join(last))
        assert len(passage.text.split()) <= 40
    assert joined(found) == made.text


def test_sizes_are_those_of_the_model_at_hand():
    encoder = ns.load()
    text = " ".join(story(3, 200))
    made = document(text, title="A title")
    found = list(as_passages(made, split([made], Splitting(64), counter(encoder))[0]))
    lengths = encoder.count_tokens([passage.text for passage in found]) - 2
    assert lengths.max() <= 64
    assert found[1].text.startswith("A title\n")


def test_code_is_cut_between_definitions_and_names_them():
    code = (
        "import os\n\n\nclass Pump:\n    water = 1\n\n    def start(self):\n        go()\n\n\ndef stop():\n    1\n"
    )
    made, found = passages(code, read_code, tokens=16)
    require_whole(made, found)
    assert [block.title for block in made.blocks if block.kind is Kind.HEADING and block.title] == [
        "Pump",
        "start",
        "stop",
    ]
    assert any(own_text(passage).startswith("def stop") for passage in found)


@in_turn(
    ("read", "text"),
    [
        (read_rst, "Manual\n======\n\nHello.\n\nCare\n----\n\nOil it.\n"),
        (read_rst, "======\nManual\n======\n\nHello.\n\nCare\n====\n\nOil it.\n"),
        (read_signs, "= Manual\n\nHello.\n\n== Care\n\nOil it.\n"),
        (read_signs, "* Manual\n\nHello.\n\n** Care\n\nOil it.\n"),
        (read_tex, "\\chapter{Manual}\nHello.\n\n\\section{Care}\nOil it.\n"),
        (read_markdown, "Manual\n======\nHello.\n\n## Care ##\nOil it.\n"),
    ],
)
def test_headings_are_found_in_each_markup(read, text):
    made = document(text, read)
    headings = [(block.title, block.level) for block in made.blocks if block.kind is Kind.HEADING]
    assert [title for title, _ in headings] == ["Manual", "Care"]
    assert headings[0][1] < headings[1][1]
    assert made.metadata["title"] == "Manual"


def test_what_ends_no_sentence_is_known_in_several_languages():
    def cut(text):
        found, last = [], 0
        for end in sentence_ends(text):
            found.append(text[last:end].strip())
            last = end
        return found

    assert cut("See Fig. 3 by J. Smith et al. It works.") == ["See Fig. 3 by J. Smith et al. It works."]
    assert cut('He said "Go." She went! Why? Because.') == ['He said "Go."', "She went!", "Why?", "Because."]
    assert cut("Das gilt z.B. hier. Dort nicht.") == ["Das gilt z.B. hier.", "Dort nicht."]
    assert cut("\u96e8\u304c\u964d\u308b\u3002\u96ea\u3082\u3002") == [
        "\u96e8\u304c\u964d\u308b\u3002",
        "\u96ea\u3082\u3002",
    ]
    assert cut("pi is 3.14 or so. ok") == ["pi is 3.14 or so. ok"]


@in_turn(("tokens", "overlap"), [(5, 0), (100, 60), (True, 0), (100, -1), (2.5, 0)])
def test_sizes_that_make_no_sense_are_refused(tokens, overlap):
    with pytest.raises(InputError, match="tokens="):
        Splitting(tokens, overlap)


def test_a_document_of_one_block_without_any_is_split_by_sentences():
    made = SourceDocument("d", "One is here. " * 30, {}, (Block(0, 390),))
    spans = split([made], Splitting(16), words)[0]
    assert len(spans) > 4
