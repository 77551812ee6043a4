"""A FAQ answers its own questions, however they are written, and nothing that it cannot read."""

from __future__ import annotations

import re
import string
import unicodedata

import numpy as np
import pytest

import nearsense as ns
from fakes import HashEncoder
from faq_shop import ANSWERS, ASKED, WORDINGS, shop
from samples import some_of
from turns import in_turn

pytestmark = pytest.mark.filterwarnings(
    "ignore::nearsense.LanguageWarning", "ignore::nearsense.UnknownTextWarning"
)

WRITTEN = {
    "word for word": str,
    "in small letters": str.lower,
    "in capitals": str.upper,
    "without punctuation": lambda text: text.translate(str.maketrans("", "", string.punctuation)),
    "without any punctuation": lambda text: "".join(c for c in text if unicodedata.category(c)[0] != "P"),
    "without the question mark": lambda text: text.rstrip("?"),
    "with more of them": lambda text: f"{text.rstrip('?')}??!",
    "with other spaces": lambda text: f"  {'  '.join(text.split())}\n",
    "decomposed": lambda text: unicodedata.normalize("NFD", text),
    "in forms of compatibility": lambda text: "".join(
        chr(ord(c) + 0xFEE0) if c in string.ascii_letters else c for c in text
    ),
    "small and without punctuation": lambda text: text.lower().translate(
        str.maketrans("", "", string.punctuation)
    ),
}


def wrongly_answered(faq, write):
    asked = [(text, item.id) for item in faq.items for text in (item.question, *item.phrasings)]
    answers = faq.answer_many([write(text) for text, _ in asked])
    return [
        (answer.question, answer.reason)
        for answer, (_, id_) in zip(answers, asked, strict=True)
        if not answer or answer.hit.id != id_ or "the question is its own" not in answer.reason
    ]


@pytest.mark.parametrize("how", some_of(WRITTEN, "word for word", "in small letters", "without punctuation"))
def test_a_real_faq_answers_every_question_of_its_own(encoder, data, how):
    rows = data("covid-faq/faqs-en")
    faq = real(encoder, rows)
    assert len(faq) == 92
    assert wrongly_answered(faq, WRITTEN[how]) == []


_REAL = {}


def real(encoder, rows):
    if "faq" not in _REAL:
        _REAL["faq"] = ns.FAQ(
            [{name: row[name] for name in ("id", "question", "answer")} for row in rows],
            encoder=encoder.with_long("head"),
        )
    return _REAL["faq"]


@pytest.mark.slow
def test_every_phrasing_of_many_intents_is_answered_by_its_own(encoder, data):
    intents: dict[str, list[str]] = {}
    for row in data("banking77/train"):
        if re.search(r"\d\W+\d", row["text"]):  # 20.00 is not 2000
            continue
        intents.setdefault(row["label"], []).append(row["text"])
    items = [
        {"id": name, "question": texts[0], "phrasings": texts[1:8]} for name, texts in list(intents.items())[:40]
    ]
    faq = ns.FAQ(items, encoder=encoder)
    for how in ("word for word", "in small letters", "without any punctuation"):
        assert wrongly_answered(faq, WRITTEN[how]) == []


SMALL = {
    "one entry": ["Where is my order?"],
    "two entries": ["Where is my order?", "Where was my order?"],
    "three entries": ["Is it free?", "Is it free for me?", "Is it free for us?"],
    "signs": [f"What does the {sign} light mean?" for sign in "🟢🔴🟡"] + ["Is ✅ good?", "Is ❌ good?"],
    "accents": ["Wie kann ich zahlen?", "Wie kann ich zählen?", "¿Cuántos años?", "¿Cuántos anos?", "Où est-ce?"],
    "Italian": [
        "Come posso reimpostare la password?",
        "Dov'è il mio pacco?",
        "Quanto costa la spedizione?",
        "Perché il pagamento è stato rifiutato?",
        "Qual è l'indirizzo dell'ufficio?",
    ],
    "a script that the model does not know": ["我的包裹在哪里？", "如何退货？", "运费多少钱？"],
    "hyphens and marks inside": [
        "What's COVID-19?",
        "Is it a know-how?",
        "Who's the U.S. contact (today)?",
        "And/or what?",
    ],
    "entries that differ in punctuation alone": ["Who's it for?", "Whos it for?", "Who s it for?"],
    "only signs": ["???", "🔴", "C++?"],
}


WAYS = ["word for word", "with other spaces", "decomposed", "with more of them"]


@pytest.mark.parametrize("kind", list(SMALL))
@pytest.mark.parametrize("how", some_of(WAYS, "word for word", "decomposed"))
def test_small_faqs_answer_their_own_questions(encoder, kind, how):
    if kind == "only signs" and how == "with more of them":
        pytest.skip("where a question is nothing but signs, more signs are another question")
    faq = ns.FAQ(
        [{"question": text, "answer": f"Answer {at}."} for at, text in enumerate(SMALL[kind])], encoder=encoder
    )
    assert wrongly_answered(faq, WRITTEN[how]) == []


@pytest.mark.parametrize("how", ["in small letters", "without punctuation", "in capitals"])
@pytest.mark.parametrize("kind", ["Italian", "accents", "hyphens and marks inside", "signs"])
def test_case_and_punctuation_do_not_matter_in_small_faqs(encoder, kind, how):
    faq = ns.FAQ(SMALL[kind], encoder=encoder)
    assert wrongly_answered(faq, WRITTEN[how]) == []


def test_of_entries_that_are_written_nearly_alike_the_nearest_answers(encoder):
    items = {"Is it for us?": "1", "Is it for-us?": "2", "Is it forus?": "3", "Is it for us now?": "4"}
    faq = ns.FAQ([{"question": question, "answer": answer} for question, answer in items.items()], encoder=encoder)
    asked = {**items, "is it for us": "1", "IS IT FOR-US": "2", "Is it forus": "3", "is it for us now": "4"}
    assert {question: faq.answer(question).text for question in asked} == asked


def test_an_own_question_is_nearly_certain_and_says_why(encoder):
    faq = ns.FAQ(shop(WORDINGS[0]), encoder=encoder)
    question = WORDINGS[0][0]
    answer = faq.answer(question)
    assert 0.999 <= answer.probability < 1
    assert answer.interval[0] >= 0.99
    assert answer.differs == ()
    assert answer.reason.endswith("the question is its own, word for word")
    assert faq.answer(question.upper()).reason.endswith("the question is its own, but for how it is written")
    assert sum(hit.probability for hit in answer.candidates) <= 1
    assert faq.match(question, k=3)[0].id == answer.hit.id


@pytest.mark.parametrize("options", [{"precision": 0.9999}, {"prior": 1e-6}, {"precision": 0.9999, "prior": 1e-6}])
def test_an_own_question_is_answered_whatever_is_wanted(encoder, options):
    faq = ns.FAQ(shop(WORDINGS[0]), encoder=encoder, **options)
    assert wrongly_answered(faq, str) == []
    assert all(answer.probability >= answer.threshold for answer in faq.answer_many(WORDINGS[0]))


def test_another_encoder_answers_its_own_questions_too():
    faq = ns.FAQ(["Is 🔴 on?", "Is 🟢 on?", "Is it on?", "Does it work?"], encoder=HashEncoder(8))
    assert wrongly_answered(faq, str.lower) == []


@in_turn(
    ("entry", "question"),
    [
        ("What is C++?", "What is C?"),
        ("Is it 1.5 m?", "Is it 15 m?"),
        ("Does .NET run?", "Does NET run?"),
        ("Can it be -5 degrees?", "Can it be 5 degrees?"),
        ("What is 10²?", "What is 102?"),
        ("Wie kann ich zählen?", "Wie kann ich zahlen?"),
        ("Is ✅ good?", "Is good?"),
    ],
)
def test_signs_that_mean_something_are_not_punctuation(encoder, entry, question):
    faq = ns.FAQ([entry, "Where is my parcel?"], encoder=encoder)
    assert "the question is its own" not in faq.answer(question).reason


UNREAD = [
    ("What does the 🟢 light mean?", "What does the 🔴 light mean?", "unread: 🔴 → 🟢"),
    ("What does ⌘C do?", "What does ⌥C do?", "unread: ⌥C → ⌘C"),
    ("Is Köln 🇩🇪 served?", "Is Köln 🇫🇷 served?", "unread: 🇫🇷 → 🇩🇪"),
    ("Is the ✅ plan free?", "Is the ❌ plan free?", "unread: ❌ → ✅"),
    ("May I bring my 🐕 along?", "May I bring my 🐍 along?", "unread: 🐍 → 🐕"),
    ("What is the ☎ for?", "What is the ✉ for?", "unread: ✉ → ☎"),
    ("Is ♀ the right door?", "Is ♂ the right door?", "unread: ♂ → ♀"),
    (f"What opens {'a' * 120}?", f"What opens {'b' * 120}?", "unread: bbb"),
    ("Is the sign 禁 meant?", "Is the sign 許 meant?", "unread: 許 → 禁"),
]


@in_turn(("entry", "question", "named"), UNREAD)
def test_what_the_model_cannot_read_is_not_answered_by_another_sign(encoder, entry, question, named):
    others = ["How do I reset my password?", "Where is my parcel?"]
    faq = ns.FAQ([entry, *others], encoder=encoder)
    answer = faq.answer(question)
    assert answer.hit is None
    assert any(each.startswith(named) for each in answer.differs)
    assert answer.candidates[0].differs == answer.differs
    several = ns.FAQ([{"question": others[0], "phrasings": [entry]}, others[1]], encoder=encoder)
    assert several.answer(question).hit is None


@in_turn("sign", ["🟢", "✅", "🐕", "☎", "♀", "禁"])
def test_an_entry_is_not_told_by_what_the_model_does_not_read_of_it(encoder, sign):
    faq = ns.FAQ([f"What does the {sign} button do?", "Where is my parcel?"], encoder=encoder, prior=0.95)
    answer = faq.answer("What does the button do?")
    assert answer.hit is None
    assert sign in " ".join(answer.differs)


def test_a_question_in_a_language_that_the_model_does_not_know_has_no_probability(encoder):
    faq = ns.FAQ(shop(WORDINGS[0]), encoder=encoder)
    for question in (
        "我的包裹什么时候到？",
        "Когда придёт моя посылка?",
        "متى يصل طردي؟",
        "荷物はいつ届きますか？",
        "내 소포는 언제 도착하나요?",
    ):
        answer = faq.answer(question)
        assert (answer.hit, answer.probability, answer.interval) == (None, None, None)
        assert "all-MiniLM-L6-v2 is English only" in answer.unsure
        assert "the model cannot judge it" in answer.reason
        assert question in faq.unanswered


def test_candidates_have_intervals_around_their_probabilities(encoder):
    faq = ns.FAQ(shop(WORDINGS[0]), encoder=encoder)
    for question in (
        "When will my package arrive?",
        "Do you sell gift cards?",
        "Tell me a joke",
        "Is shipping not long?",
    ):
        for hit in faq.match(question, k=5):
            low, high = hit.interval
            assert 0 <= low <= hit.probability <= high <= 1


def test_labels_make_intervals_narrower(encoder):
    items, question = shop(WORDINGS[0]), "When will my package arrive?"
    labelled = [
        (f"{text} {number}", id_)
        for text, id_ in [
            *zip(WORDINGS[1], ANSWERS, strict=True),
            *zip(WORDINGS[2], ANSWERS, strict=True),
            *ASKED.items(),
        ]
        for number in range(15)
    ]
    plain, taught = ns.FAQ(items, encoder=encoder), ns.FAQ(items, encoder=encoder, labelled=labelled)
    ends = [np.array(faq.answer(question).interval) for faq in (plain, taught)]
    widths = [float(np.diff(np.log(each / (1 - each)))[0]) for each in ends]  # of the log-odds
    assert widths[1] < widths[0]
