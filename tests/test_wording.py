"""Which texts count as equal but for their spelling, and which do not."""

from hypothesis import given
from hypothesis import strategies as st

from nearsense.wording import UNLIKE, likeness, normal_form, unadorned
from turns import in_turn


@in_turn(
    ("a", "b"),
    [
        ("Hello, world!", "hello world"),
        ("How do I reset my password?", "how do i reset my  password"),
        ("“Quoted” text.", "quoted TEXT"),
        ("(yes) it is", "yes it is"),
        ("ﬁne", "fine"),
        ("Straße", "STRASSE"),
        ("it’s", "it's"),
        ("a – b", "a b"),
        ("Wait...", "wait"),
        ("really?!", "Really"),
        ("café", "cafe\u0301"),
        ("US", "us"),
        ("你好。", "你好"),
        ("It costs 5.", "it costs 5"),
        ("say 'hi' now", "say hi now"),
        ("soft\u00adhyphen", "softhyphen"),
        ("Fullwidth！", "fullwidth!"),
        ('he said: "go!"', "he said go"),
        ("word,\tword\n", "Word word"),
        ("I know C++, too", "i know c++ too"),
        ("मेरा पार्सल कहाँ है?", "मेरा पार्सल कहाँ है"),
        ("«पासवर्ड कैसे बदलें!»", "पासवर्ड कैसे बदलें"),
        ("ขอบคุณที่นี่!", "ขอบคุณที่นี่"),
        ("நன்றி!", "நன்றி"),
        ('"ধন্যবাদ কী?"', "ধন্যবাদ কী"),
        ("كِتابٌ؟", "كِتابٌ"),
        ("ကျေးဇူးတင်ပါသည်။", "ကျေးဇူးတင်ပါသည်"),
    ],
)
def test_texts_that_differ_in_case_space_or_punctuation_have_one_form(a, b):
    assert normal_form(a) == normal_form(b)


@in_turn(
    ("a", "b"),
    [
        *[("-5", "5"), ("−5", "5"), ("–5", "5"), ("- 5", "5"), ("5 - 3", "5 3"), ("(5)", "5"), ("+5", "5")],
        *[("C++", "C"), ("C#", "C"), (".NET", "NET"), ("A*", "A"), ("!true", "true"), ("e-mail", "email")],
        *[("1.5", "15"), ("1,000", "1.000"), ("10:30", "1030"), ("$5", "5"), ("5%", "5"), ("<5", ">5")],
        *[("x²", "x2"), ("10²", "102"), ("½", "12"), ("½", "1/2"), ("5'", "5"), ('5"', "5"), ("5!", "5")],
        *[("we're", "were"), ("U.S.", "us"), ("re-sign", "resign"), ("a/b", "ab"), ("#1", "1"), ("@bob", "bob")],
        *[(":)", ":("), ("fine :)", "fine :("), ("?!", "..."), ("", " ")],
    ],
)
def test_signs_that_mean_something_keep_texts_apart(a, b):
    assert normal_form(a) != normal_form(b)


@in_turn("text", ["", "?!", "…", "-", " ", "a", "🙂", "\u200b"])
def test_no_form_is_lost_and_forms_are_stable(text):
    assert normal_form(normal_form(text)) == normal_form(text)
    assert normal_form(text) or not text


@in_turn(
    ("a", "b", "level"),
    [
        ("Is it on?", "Is it on?", 0),
        ("Is  it\ton? ", "Is it on?", 1),
        ("cafe\u0301?", "café?", 1),
        ("ﬁne", "fine", 2),
        ("Is it (on)!", "Is it on", 2),
        ("is it ON", "Is it on?", 3),
        ("Don't!", "dont", 4),
        ("COVID-19??!", "covid19", 4),
        ("COVID 19", "COVID-19", 4),
        ("the U.S. plan", "the US plan", 4),
        ("and/or", "and or", 4),
        ("every_day", "every day", 4),
        ("l'ufficio", "l ufficio", 4),
        ("???", "  ???\n", 1),
    ],
)
def test_texts_are_alike_but_for_how_they_are_written(a, b, level):
    assert likeness(a, b) == likeness(b, a) == level


@in_turn(
    ("a", "b"),
    [
        ("C++", "C"),
        ("C#", "C"),
        (".NET", "NET"),
        ("1.5", "15"),
        ("24/7", "247"),
        ("-5", "5"),
        ("3 4", "34"),
        ("10²", "102"),
        ("50%", "50"),
        ("$5", "5"),
        ("a 🔴 b", "a 🟢 b"),
        ("a🔴b", "ab"),
        ("años", "anos"),
        ("má", "ma"),
        ("नहीं", "नह"),
        ("R&D", "RD"),
        ("???", "!!!"),
    ],
)
def test_what_means_something_keeps_texts_apart(a, b):
    assert likeness(a, b) == likeness(b, a) == UNLIKE


@given(st.text(), st.text())
def test_any_text_is_like_itself_and_as_like_another_as_that_is_like_it(a, b):
    assert likeness(a, a) == 0
    assert likeness(a, b) == likeness(b, a)


@in_turn("ornament", ["🎉", "🙏🏽", "🚀🚀", "❤️", "🤔", "✨"])
def test_an_ornament_at_an_end_is_taken_off_and_a_judging_sign_is_not(ornament):
    assert unadorned(f"Where is my order? {ornament}") == "Where is my order?"
    assert unadorned(f"{ornament} Where is my order?") == "Where is my order?"
    assert unadorned(f"{ornament} {ornament}") == f"{ornament} {ornament}"
    assert unadorned(f"the {ornament} button") == f"the {ornament} button"
    for sign in "❌✅👎👍🚫🔴😡":
        assert unadorned(f"Is it free? {sign}") == f"Is it free? {sign}"
