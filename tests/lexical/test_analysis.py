"""Text to terms: scripts of the world, the paper's own examples of stemming."""

from __future__ import annotations

import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from nearsense.lexical import terms
from nearsense.lexical.analysis import stemmed
from turns import in_turn

# Examples of Porter 1980, in the order of its steps, each carried through all later steps.
PAPER = """
caresses caress, ponies poni, ties ti, caress caress, cats cat, feed feed, agreed agre, plastered plaster,
bled bled, motoring motor, sing sing, conflated conflat, troubled troubl, sized size, hopping hop, tanned tan,
falling fall,
hissing hiss, fizzed fizz, failing fail, filing file, happy happi, sky sky, relational relat, conditional condit,
rational ration, valenci valenc, hesitanci hesit, digitizer digit, conformabli conform, radicalli radic,
differentli differ, vileli vile, analogousli analog, vietnamization vietnam, predication predic, operator oper,
feudalism feudal, decisiveness decis, hopefulness hope, callousness callous, formaliti formal, sensitiviti sensit,
sensibiliti sensibl, triplicate triplic, formative form, formalize formal, electriciti electr, electrical electr,
hopeful hope, goodness good, revival reviv, allowance allow, inference infer, airliner airlin, gyroscopic gyroscop,
adjustable adjust, defensible defens, irritant irrit, replacement replac, adjustment adjust, dependent depend,
adoption adopt, homologou homolog, communism commun, activate activ, angulariti angular, homologous homolog,
effective effect, bowdlerize bowdler, probate probat, rate rate, cease ceas, controll control, roll roll,
generalizations gener, oscillators oscil, yields yield, sayings sai, enjoying enjoi, is is, by by
"""


@in_turn("pair", PAPER.split(","))
def test_words_are_stemmed_as_in_the_paper(pair):
    word, expected = pair.split()
    assert stemmed(word) == expected


@in_turn(
    ("text", "expected"),
    [
        ("", []),
        (" \n\t?!", []),
        ("To be, or not to be!", ["to", "be", "or", "not", "to", "be"]),
        ("Connected connections", ["connect", "connect"]),
        ("don't", ["don", "t"]),
        ("snake_case, kebab-case", ["snake", "case", "kebab", "case"]),
        ("ABC-123 v2.0", ["abc", "123", "v2", "0"]),
        ("Straße STRASSE", ["strass", "strass"]),
        ("Ärger über Größe", ["ärger", "über", "grösse"]),
        ("L’été français", ["l", "été", "français"]),
        ("ΟΔΟΣ οδος", ["οδοσ", "οδοσ"]),
        ("Привет, МИР", ["привет", "мир"]),
        ("İstanbul istanbul", ["istanbul", "istanbul"]),
        ("ﬁne ＡＢＣ １２", ["fine", "abc", "12"]),
        ("کتاب ۱۲۳", ["کتاب", "123"]),
        ("كِتَابٌ كتاب", ["كتاب", "كتاب"]),
        ("שָׁלוֹם שלום", ["שלום", "שלום"]),
        ("मेरे दादा ओसाका के हैं।", ["मेरे", "दादा", "ओसाका", "के", "हैं"]),
        ("தமிழ் மொழி", ["தமிழ்", "மொழி"]),
        ("猫", ["猫"]),
        ("東京都", ["東", "東京", "京", "京都", "都"]),
        ("ネコ。", ["ネコ"]),
        ("ﾈｺです", ["ネコ", "コで", "です"]),
        ("私はNHKを見る", ["私", "私は", "nhk", "を見", "見", "見る"]),
        ("나는 집", ["나는", "집"]),
        ("한국어를", ["한국", "국어", "어를"]),
        ("ที่นี่ ๑๒", ["ที่นี่", "12"]),
        ("ខ្មែរ", ["ខ្មែ", "មែរ"]),
        ("co\u00adoperate", ["cooper"]),
        ("می\u200cترسم میترسم", ["میترسم", "میترسم"]),
        ("😀 ❤️ 👩🏽‍💻 1️⃣ \u0301", ["1"]),
    ],
)
def test_terms_of_many_scripts(text, expected):
    expected = [unicodedata.normalize("NFKC", term) for term in expected]
    assert terms(text) == expected


@given(st.text())
def test_case_and_the_form_of_the_characters_do_not_matter(text):
    expected = terms(text)
    assert terms(unicodedata.normalize("NFC", text)) == terms(unicodedata.normalize("NFD", text))
    assert terms(f" {text} ") == expected
    assert all(term and not any(map(str.isspace, term)) for term in expected)


@given(st.text(st.characters(max_codepoint=127)))
def test_ascii_letters_are_found_in_both_cases(text):
    assert terms(text.upper()) == terms(text.lower())


def test_ascii_and_other_texts_take_the_same_way():
    words = "The 3 quick_brown foxes' dens; isn't it? e-mail@example.org 3.14"
    assert terms(words) == terms(f"{words} é")[:-1]
