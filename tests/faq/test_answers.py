"""A FAQ answers where it is sure enough, says why where it is not, and takes what people have."""

from __future__ import annotations

import copy
import gzip
import json
import pickle

import numpy as np
import pytest

import nearsense as ns
from fakes import HashEncoder
from faq_shop import ANSWERS, ASKED, STRANGERS, WORDINGS, shop
from nearsense.faq import FAQItem, Outcome
from turns import in_turn


@pytest.fixture(scope="module")
def faq(encoder):
    return ns.FAQ(shop(WORDINGS[0]), encoder=encoder, precision=0.95)


@in_turn(("wording", "answers"), [*((wording, True) for wording in WORDINGS), (WORDINGS[0], False)])
def test_the_shop_answers_its_customers_and_is_silent_to_strangers(encoder, wording, answers):
    faq = ns.FAQ(shop(wording, answers), encoder=encoder)
    found = faq.answer_many(list(ASKED))
    assert [each.candidates[0].id for each in found] == list(ASKED.values())
    assert [each.question for each in found if not each] == []
    known = {"Do you sell gift cards?", "Where are your stores located?"} if answers else set()  # a weakness
    assert {each.question for each in faq.answer_many(STRANGERS) if each} <= known


@pytest.mark.parametrize("wording", WORDINGS)
def test_who_wants_to_be_surer_has_no_stranger_answered(encoder, wording):
    faq = ns.FAQ(shop(wording), encoder=encoder, precision=0.95)
    assert [each.question for each in faq.answer_many(STRANGERS) if each] == []
    outcomes = {each.outcome for each in faq.answer_many(list(ASKED))}
    assert Outcome.ANSWER in outcomes
    assert Outcome.NONE not in outcomes


def test_one_answer_is_that_of_many(faq):
    many = faq.answer_many(["Do you ship abroad?", "tracking number"])
    assert [each.probability for each in many] == pytest.approx(
        [faq.answer(each.question).probability for each in many], abs=1e-3
    )


def test_an_answer_has_its_text_and_the_phrasing_that_was_near(encoder):
    items = [
        FAQItem("Where is my order?", "See your mail.", ["Track my parcel"], "orders", "t"),
        FAQItem("Refund?"),
    ]
    answer = ns.FAQ(items, encoder=encoder, precision=0.6).answer("track the parcel please")
    assert answer.text == "See your mail."
    assert (answer.hit.id, answer.hit.text) == ("t", "Where is my order?")
    assert answer.hit.metadata == {"answer": "See your mail.", "category": "orders", "phrasing": "Track my parcel"}


def test_no_answer_is_a_value_with_near_misses_and_a_reason(faq):
    answer = faq.answer("Do you sell gift cards?", k=2)
    assert answer.hit is None
    assert answer.text is None
    assert not answer
    assert len(answer.candidates) == 2
    assert answer.probability == answer.candidates[0].probability < answer.threshold
    assert answer.reason.startswith("nearest: “What payment methods do you accept?” at ")
    assert "add this question as a phrasing of it, or a new entry" in answer.reason
    assert "\n" not in answer.reason
    assert answer.to_dict()["answered"] is False
    assert "no answer" in str(answer)


def test_what_may_be_meant_is_asked_back_and_what_is_strange_is_not(faq):
    unclear, strange, clear = faq.answer_many(["gift", "What is the capital of France?", "tracking number"])
    cards = faq.answer("Do you sell gift cards?")
    assert (cards.outcome, cards.hit) == (Outcome.DID_YOU_MEAN, None)
    assert 1 <= len(cards.suggestions) <= 3
    assert cards.suggestions[0].text == "What payment methods do you accept?"
    assert cards.to_dict()["outcome"] == "did you mean"
    assert cards.to_dict()["suggestions"][0]["id"] == "payment"
    assert "did you mean “What payment methods do you accept?”" in str(cards)
    assert (strange.outcome, strange.suggestions) == ("none", ())
    assert (clear.outcome, clear.suggestions) == ("answer", ())
    assert not unclear


def test_no_more_is_suggested_than_there_is_and_k_does_not_shorten_it(encoder, faq):
    few = ns.FAQ(["How long does shipping take?", "How do I pay?"], encoder=encoder, precision=0.99)
    answer = few.answer("sending duration?", k=1)
    assert answer.outcome == "did you mean"
    assert len(answer.candidates) == 1
    assert {hit.id for hit in answer.suggestions} <= {"0", "1"}
    question = "Do you sell gift cards?"
    assert faq.answer(question, k=1).suggestions == faq.answer(question).suggestions


@pytest.mark.parametrize(
    ("question", "id_"),
    [
        ("how can i pay by bank transfer", "payment"),
        ("do you take paypal", "payment"),
        ("express delivery", "shipping"),
        ("return label", "return"),
        ("where do I find the tracking number", "track"),
        ("one year guarantee", "warranty"),
    ],
)
def test_what_only_the_answer_names_finds_its_entry(faq, question, id_):
    assert faq.match(question)[0].id == id_


@pytest.mark.filterwarnings("ignore::nearsense.LanguageWarning", "ignore::nearsense.UnknownTextWarning")
def test_what_the_model_cannot_read_or_judge_is_not_suggested(encoder):
    faq = ns.FAQ(["What does the 🔴 light mean?", "Where is my parcel?"], encoder=encoder)
    assert "What does the 🔴 light mean?" not in [h.text for h in faq.answer("What does 🟢 mean?").suggestions]
    strange = faq.answer("Wo ist denn mein Paket geblieben, und warum kommt es nicht?")
    assert (strange.probability, strange.outcome) == (None, "none")


class Words:
    """A cross-encoder that counts the words that two texts share, or prefers what it is told to."""

    name, fingerprint, max_tokens = "words", "1", 512

    def __init__(self, favourite=None):
        self.favourite, self.read = favourite, []

    def score(self, pairs, **options):
        self.read += pairs
        if self.favourite:
            return [float(self.favourite in text) for _, text in pairs]
        return [float(len(set(a.lower().split()) & set(b.lower().split()))) for a, b in pairs]


def test_a_cross_encoder_that_agrees_changes_nothing_and_one_that_does_not_asks_back(encoder, faq):
    question = "How long will the shipping take?"
    cross = Words()
    agreeing = ns.FAQ(shop(WORDINGS[0]), encoder=encoder, reranker=cross).answer(question)
    assert agreeing.text == faq.answer(question).text == ANSWERS["shipping"]
    assert agreeing.probability == pytest.approx(faq.answer(question).probability, abs=1e-6)
    assert f"How long does shipping take? {ANSWERS['shipping']}" in [text for _, text in cross.read]
    other = ns.FAQ(shop(WORDINGS[0]), encoder=encoder, reranker=Words("warranty")).answer(question)
    assert other.outcome == "did you mean"
    assert [hit.id for hit in other.suggestions][:2] == ["warranty", "shipping"]


def test_what_is_like_nothing_asks_for_a_new_entry(faq):
    assert "nothing here is like it" in faq.answer("What is the capital of France?").reason


def test_a_question_between_two_entries_names_both(encoder):
    faq = ns.FAQ(["How do I open the red door?", "How do I open the blue door?", "Who is it?"], encoder=encoder)
    reason = faq.answer("How do I open the door?").reason
    assert reason.startswith("torn between")
    assert "red" in reason
    assert "blue" in reason


def test_candidates_are_entries_once_with_falling_scores_and_shares_of_one(faq):
    hits = faq.match("I want to pay for a return", k=5)
    assert sorted(hit.id for hit in hits) == sorted(ANSWERS)
    assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)
    assert [hit.probability for hit in hits] == sorted((hit.probability for hit in hits), reverse=True)
    assert sum(hit.probability for hit in hits) <= 1
    assert len(faq.match("pay", k=2)) == 2


def test_a_higher_prior_makes_surer_and_a_higher_precision_more_silent(encoder):
    items, question = shop(WORDINGS[0]), "Can I pay in cash?"
    low, high = (ns.FAQ(items, encoder=encoder, prior=prior) for prior in (0.2, 0.8))
    assert low.answer(question).probability < high.answer(question).probability
    lax, strict = (ns.FAQ(items, encoder=encoder, precision=share) for share in (0.8, 0.97))
    assert lax.threshold.probability < strict.threshold.probability
    assert lax.threshold.answered > strict.threshold.answered


def test_the_opposite_of_an_entry_is_not_answered_by_it(encoder):
    on = {"question": "How do I enable two-factor authentication?", "answer": "Settings, on."}
    faq = ns.FAQ([on, *shop(WORDINGS[0])], encoder=encoder)
    answer = faq.answer("How do I disable two-factor authentication?")
    assert answer.hit is None
    assert "differs (antonym: disable → enable)" in answer.reason
    assert answer.candidates[0].score > 0.7
    off = {"question": "How do I switch off two-factor authentication?", "answer": "Settings, off."}
    both = ns.FAQ([on, off, *shop(WORDINGS[0])], encoder=encoder, precision=0.9)
    assert both.answer(answer.question).text == "Settings, off."


def test_who_wants_to_buy_is_answered_by_what_is_sold_and_who_wants_to_sell_is_not(encoder):
    cards = {"question": "Do you sell gift cards?", "answer": "From 10 to 200 euros."}
    faq = ns.FAQ([cards, *shop(WORDINGS[0])], encoder=encoder)
    assert faq.answer("can I buy a gift card?").text == "From 10 to 200 euros."
    for other in ("do you buy gift cards?", "how do you buy gift cards?"):
        assert any("buy" in each for each in faq.answer(other).differs)
        assert faq.answer(other).hit is None


def test_what_differs_from_the_matched_phrasing_is_said(encoder):
    faq = ns.FAQ(["How do I enable two-factor authentication?"], encoder=encoder)
    answer = faq.answer("How do I disable two-factor authentication?")
    assert any("enable" in each and "disable" in each for each in answer.differs)


@pytest.mark.parametrize("n", [1, 2, 5])
def test_few_entries_with_one_phrasing_answer_themselves_and_no_stranger(encoder, n):
    faq = ns.FAQ(shop(WORDINGS[0])[:n], encoder=encoder)
    assert all(faq.answer_many(WORDINGS[0][:n]))
    assert not any(faq.answer_many(["What is the capital of France?", "Tell me a joke"]))


def test_the_order_of_entries_changes_nothing(encoder, faq):
    turned = ns.FAQ(shop(WORDINGS[0])[::-1], encoder=encoder, precision=0.95)
    assert turned.threshold.probability == pytest.approx(faq.threshold.probability, abs=1e-3)
    for question in ASKED:
        assert turned.answer(question).probability == pytest.approx(faq.answer(question).probability, abs=1e-3)


def test_labelled_questions_move_the_threshold_and_are_named(encoder, faq):
    labelled = [*ASKED.items(), *((text, None) for text in STRANGERS)]
    taught = ns.FAQ(shop(WORDINGS[0]), encoder=encoder, labelled=labelled, precision=0.95)
    assert "4 labelled questions" in taught.threshold.chosen_on
    assert "16 labelled strangers" in taught.threshold.chosen_on
    assert taught.threshold != faq.threshold


def test_a_file_a_list_documents_and_a_collection_make_the_same_faq(encoder, tmp_path):
    items = shop(WORDINGS[0])
    table = tmp_path / "faq.csv"
    table.write_text(
        "id,question,answer\n" + "".join(f'{i["id"]},{i["question"]},"{i["answer"]}"\n' for i in items)
    )
    lines = tmp_path / "faq.jsonl.gz"
    lines.write_bytes(gzip.compress("\n".join(json.dumps(item) for item in items).encode()))
    documents = [ns.Document(i["id"], i["question"], {"answer": i["answer"]}) for i in items]
    with ns.open(tmp_path / "faq.nearsense") as collection:
        collection.add(documents)
        faqs = [ns.FAQ(each, encoder=encoder) for each in (items, table, str(lines), documents, collection)]
    for faq in faqs:
        answer = faq.answer("When will my package arrive?")
        assert answer.text == ANSWERS["shipping"]
        assert answer.probability == pytest.approx(
            faqs[0].answer("When will my package arrive?").probability, abs=1e-3
        )


def test_many_entries_are_asked_one_by_one_without_being_compared_twice():
    faq = ns.FAQ([f"word{i} thing{i % 7} of{i % 11}" for i in range(2000)], encoder=HashEncoder(64))
    assert faq.answer("word77 thing0 of0").hit.id == "77"
    assert len(faq) == 2000


@in_turn(
    ("options", "said"),
    [
        ({"precision": 1.0}, "precision=1.0"),
        ({"prior": 0}, "prior=0"),
        ({"prior": 1e-9}, "from 1e-06"),
        ({"prior": 1e-300}, "prior=1e-300"),
        ({"labelled": [5]}, "labelled question 0 is no pair"),
        ({"labelled": 5}, "labelled is 5"),
        ({"labelled": [("x", ["0"])]}, r"the entry \['0'\]"),
        ({"labelled": [("x", True)]}, "the entry True"),
        ({"labelled": [("a question", "nobody")]}, "0, 'a question', is of the entry 'nobody'"),
        ({"labelled": []}, "no labelled question"),
        ({"labelled": [(" ", None)]}, "labelled question 0 is empty"),
        ({"strangers": [""]}, "is empty"),
        ({"columns": {"reply": "x"}}, "reply"),
    ],
)
def test_options_that_mean_nothing_are_refused(options, said):
    with pytest.raises(ns.errors.InputError, match=said):
        ns.FAQ(["a", "b"], encoder=HashEncoder(), **options)


def test_a_label_may_be_the_number_that_the_record_has_as_id():
    items = [{"id": 1, "question": "send it back"}, {"id": 2, "question": "shipping time"}]
    asked = [("how to send it back", 1), ("the shipping time", np.float64(2)), ("weather", None)]
    faq = ns.FAQ(items, encoder=HashEncoder(64), labelled=asked, precision=np.float32(0.9))
    assert "2 labelled questions" in faq.threshold.chosen_on
    assert faq.rehearsal.known.right.all()


def test_an_encoder_whose_vectors_are_no_numbers_is_refused():
    class Broken(HashEncoder):
        def _vector(self, text):
            return np.full(self.dimension, np.nan)

    with pytest.raises(ns.errors.InputError, match="hash holds nan"):
        ns.FAQ(["a b", "c d"], encoder=Broken())


@pytest.mark.parametrize("copied", [pickle.dumps, copy.deepcopy, copy.copy])
def test_a_faq_says_that_it_cannot_be_copied(faq, copied):
    with pytest.raises(TypeError, match="a FAQ cannot be pickled or copied"):
        copied(faq)


def test_empty_questions_are_refused_and_none_asked_is_none_answered(faq):
    for bad in ("", "  "):
        with pytest.raises(ns.errors.InputError, match="question 0 is empty"):
            faq.answer(bad)
    with pytest.raises(ns.errors.InputError, match="k="):
        faq.match("a", k=0)
    assert faq.answer_many([]) == []


def test_a_collection_that_holds_no_entry_is_refused(tmp_path):
    with ns.open(tmp_path / "none.nearsense") as empty, pytest.raises(ns.errors.InputError):
        ns.FAQ(empty)
