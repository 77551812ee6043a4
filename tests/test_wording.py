"""Which texts count as equal but for their spelling, and which do not."""

import pytest

from nearsense.wording import normal_form


@pytest.mark.parametrize(
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
    ],
)
def test_texts_that_differ_in_case_space_or_punctuation_have_one_form(a, b):
    assert normal_form(a) == normal_form(b)


@pytest.mark.parametrize(
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


@pytest.mark.parametrize("text", ["", "?!", "…", "-", " ", "a", "🙂", "\u200b"])
def test_no_form_is_lost_and_forms_are_stable(text):
    assert normal_form(normal_form(text)) == normal_form(text)
    assert normal_form(text) or not text
