"""Markup in texts: what is surely markup goes, what only looks like it stays, and no text makes it slow."""

from __future__ import annotations

import time

import pytest

from nearsense.errors import InputError
from nearsense.markup import EVERY, find_markup, parse_markup, strip_markup, words_alone
from turns import in_turn


@in_turn(
    ("text", "left"),
    [
        ("<p>My <b>bo</b>ld card</p>", "My bold card"),
        ("one<br>two<br/>three", "one\ntwo\nthree"),
        ("AT&amp;T &lt;3 caf&eacute; &#39;s &#x2014; end", "AT&T <3 café 's — end"),
        (
            'Staples &lt;A HREF="http://x.example/q?t=S target=/a/b"&gt;SPLS.O&lt;/A&gt; rose',
            "Staples SPLS.O rose",
        ),
        ('<a href="x" title="a > b">link</a>', "link"),
        ("<img src='a.png' alt='<3'>photo", "photo"),
        ("before<!-- a <b> comment -->after", "before after"),
        ("x<script type='a'>if (a<b) {c}</script>y<STYLE>p {}</STYLE>z", "x y z"),
        ("the  #36;10 million prize,  quot;now quot;", 'the $10 million prize, "now "'),
        ("copper lt href http investor example fullquote aspx gt sydney", "copper sydney"),
        ("<td>a</td><td>b</td>", "a\n\nb"),
        ("<!DOCTYPE html><html><body>text</body></html>", "text"),
    ],
)
def test_tags_and_entities_go(text, left):
    assert strip_markup(text, "html") == left


@in_turn(
    "text",
    [
        "a <b and c> d",
        "1 < 2 and 3 > 2",
        "List<String> or map<int, string>",
        "Dear <name>, your <order number> is here",
        "R&D at AT&T; Q&A; fish&chips",
        "see ?a=1&copy=2&notify=3",
        "&notanentity; stays",
        "I <3 it <- really -> x",
        "<script> does not close",
        "an open <!-- comment",
        "ends with <",
        "the lieutenant (lt) was late",
        "<ann@example.org> wrote",
        "no markup at all",
        "",
    ],
)
def test_what_is_not_surely_html_stays(text):
    assert strip_markup(text, "html") == text


@in_turn(
    ("text", "left"),
    [
        ("See https://example.org/a?b=(1)&c#d, then go", "See , then go"),
        ("www.example.org is down", "is down"),
        ("read [the manual](https://example.org/m) first", "read the manual first"),
        ("write to ann.b+c@mail.example.org.", "write to ."),
        ("pic example.com/AbC123 now", "pic now"),
        ("(<http://example.org>)", "( )"),
        ("http www example com news html today", "today"),
        ("mailto:ann@example.org", "mailto:ann@example.org"),
    ],
)
def test_links_go_and_their_words_stay(text, left):
    assert strip_markup(text, "urls") == left


@in_turn("text", ["and/or", "e.g. this", "v1.2/v1.3", "a@b", "24/7", "src/file.py", "the http header"])
def test_what_is_no_link_stays(text):
    assert strip_markup(text, "urls") == text


MAIL = "Thanks, it works.\n\n{}"


@in_turn(
    "repeated",
    [
        "On Mon, 1 Jan 2024 at 10:00, Ann <ann@example.org> wrote:\n> Is it\n> ready?\n",
        "On Mon, 1 Jan 2024 at 10:00,\nAnn Other <ann@example.org> wrote:\n\nIs it ready?",
        "Am 1. Januar schrieb Ann:\n> Ist es fertig?",
        "Le lun. 1 janv. 2024 à 10:00, Ann a écrit :\n> Est-ce prêt ?",
        "-----Original Message-----\nFrom: Ann\nSent: Monday\nTo: Bob\nSubject: it\n\nIs it ready?",
        "________________________________\nVon: Ann\nGesendet: Montag\nAn: Bob\nBetreff: es\n\nIst es fertig?",
        "From: Ann\nSent: Monday\nTo: Bob\nSubject: it\n\nIs it ready?",
    ],
)
def test_what_a_mail_repeats_goes(repeated):
    assert strip_markup(MAIL.format(repeated), "quotes") == "Thanks, it works."


def test_an_answer_below_what_it_repeats_stays():
    mail = "On Mon, Ann wrote:\n> Is it ready?\n\nYes, since noon.\n> And the bill?\nPaid."
    assert strip_markup(mail, "quotes") == "Yes, since noon.\nPaid."


@in_turn(
    "text",
    [
        "From: Ann\nTo: Bob\nSubject: it\n\nIs it ready?",
        "a > b\nb < c",
        "On top of that he wrote: nothing",
        "To: do\nmilk",
        "> all of it is a quotation",
    ],
)
def test_a_mail_that_repeats_nothing_stays(text):
    assert strip_markup(text, "quotes") == text


def test_a_text_that_is_nothing_else_stays_as_it_is_but_gives_no_words():
    assert strip_markup("https://example.org/a") == "https://example.org/a"
    assert words_alone(["https://example.org/a", "<br>", "a word"]) == ["", "", "a word"]


def test_only_what_is_named_goes():
    text = "<b>see</b> https://example.org/a"
    assert strip_markup(text, "html") == "see https://example.org/a"
    assert strip_markup(text, ["urls"]) == "<b>see</b>"
    assert strip_markup(text, "none") == text
    assert parse_markup("quotes,html , urls") == EVERY
    assert parse_markup("none") == parse_markup("") == ()
    with pytest.raises(InputError, match="use one of: html, urls, quotes"):
        strip_markup(text, "tags")


def test_a_twentieth_with_markup_is_not_worth_a_line_and_more_is():
    plain, marked = ["where is my card"] * 95, ["<b>where</b> is my card &amp; https://example.org/a"]
    assert find_markup(plain + marked * 5) is None
    found = find_markup(plain + marked * 6)
    assert (found.any, found.texts) == (6, 101)
    assert str(found).startswith("6 of 101 texts hold tags or entities (6), links (6); --strip html,urls takes")
    assert find_markup([]) is None


def test_many_texts_are_judged_by_a_sample():
    found = find_markup(["<b>where</b>"] * 5_001 + ["where"] * 5_001)
    assert found.looked_at <= 2_000
    assert str(found).startswith("about 50 % of 10,002 texts hold tags or entities; --strip html takes that out")


@pytest.mark.slow
@pytest.mark.parametrize(
    "piece",
    [
        "<!--", "<script>", "<b ", "<b a='", '<b "', "<![CDATA[ <", "&#1;", "&amp", "[a](", "[[", "http://", "a.",
        "a@", "lt ", "www ", "> ", "On a\n", "From: a\n", "http a ", "<?xml ", "&lt;", " \n", "\u00a0", "----",
    ],
)  # fmt: skip
def test_no_text_takes_longer_than_its_length(piece):
    text = piece * (400_000 // len(piece))
    began = time.process_time()
    strip_markup(text)
    assert time.process_time() - began < 3
