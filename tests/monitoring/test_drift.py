"""drift through its door: what is drift, what is none, and what a user may give it."""

from __future__ import annotations

import json

import numpy as np
import pytest

import nearsense as ns
from drifting import MODEL, NIGHT, Asked, around, requests, vectors
from nearsense.errors import InputError, ModelMismatch
from nearsense.monitoring import Names, actions
from turns import in_turn

SIZES = [60, 60, 60, 60, 60]


@pytest.fixture(scope="module")
def before():
    return around(5, SIZES, seed=1)


@pytest.fixture(scope="module")
def same():
    return around(5, SIZES, seed=2)


@pytest.fixture(scope="module")
def grown():
    return around(6, [52, 52, 52, 52, 52, 50], seed=3)


def test_a_new_topic_is_found_by_several_tests_and_named_as_new(before, grown):
    found = ns.drift(vectors(grown), vectors(before))
    assert found.drifted
    assert {test.name for test in found.tests if test.drifted} >= {"vectors", "topics"}
    new = found.topics[0]
    assert (new.change, new.sure, new.reference) == ("new", True, 0)
    assert new.low < 50 / 310 < new.high
    assert {int(row) for row in new.ids} >= set(range(270, 310))


def test_what_went_and_what_shrank_are_said(before, grown):
    found = ns.drift(vectors(before), vectors(grown))
    assert found.topics[0].change == "gone"
    less = np.concatenate([before[:20], before[60:]])
    found = ns.drift(vectors(less), vectors(around(5, SIZES, seed=5)))
    assert {each.change for each in found.topics} & {"shrank", "grew"}


def test_samples_of_one_distribution_are_no_drift(before, same):
    found = ns.drift(vectors(same), vectors(before))
    assert not found.drifted
    assert found.topics == ()
    assert found.p > 0.02


def test_false_alarms_are_as_rare_as_was_promised():
    pool = around(5, [400] * 5, seed=9)
    random = np.random.default_rng(0)
    alarms = 0
    for _ in range(40):
        rows = random.permutation(2000)[:160]
        alarms += ns.drift(
            vectors(pool[rows[:80]]), vectors(pool[rows[80:]]), level=0.05, relabellings=250
        ).drifted
    assert alarms <= 7  # 2 are due; more than 7 come once in 1,000 times


def test_the_order_of_rows_decides_nothing_and_the_seed_all_else(before, grown, orders):
    first = ns.drift(vectors(grown), vectors(before), sample=150)
    for seed in range(orders):
        random = np.random.default_rng(seed)
        there = vectors(grown[random.permutation(len(grown))]), vectors(before[random.permutation(len(before))])
        again = ns.drift(*there, sample=150)
        assert [test.to_dict() for test in again.tests] == [test.to_dict() for test in first.tests]
        assert [each.share for each in again.topics] == [each.share for each in first.topics]
    assert ns.drift(vectors(grown), vectors(before), sample=150, seed=1).tests != first.tests
    assert "150 of 310 rows" in first.notes[0]


def test_equal_sides_are_no_drift_whatever_the_order(before):
    found = ns.drift(vectors(before[::-1]), vectors(before))
    assert (found.drifted, found.p) == (False, 1.0)
    assert "same texts" in found.notes[0]


def test_three_texts_say_that_they_are_too_few(encoder):
    found = ns.drift(["a red bird", "two oak trees", "a green river"], ["tax law", "an invoice", "a bank loan"])
    assert not found.drifted
    assert "too few" in " ".join(found.notes)


def test_an_empty_side_is_refused_in_words(before):
    for sides in (([], ["a"]), (["a"], []), (vectors(before[:0]), vectors(before))):
        with pytest.raises(InputError, match="is empty"):
            ns.drift(*sides)


def test_sides_of_one_text_each_are_no_basis_and_said_so(encoder):
    found = ns.drift(["it rains"] * 50, ["it rains"] * 40)
    assert (found.drifted, found.units) == (False, (1, 1))
    assert "copies" in " ".join(found.notes)
    other = ns.drift(["it rains"] * 50, ["the tax is due"] * 40)
    assert not other.drifted
    assert ns.drift(["it rains"] * 50, ["the tax is due"] * 40, copies="each").drifted


def test_one_text_five_hundred_times_makes_no_drift_unless_each_copy_counts(before, same):
    flood = np.concatenate([same, np.repeat(same[:1], 500, axis=0)])
    once = ns.drift(vectors(flood), vectors(before))
    assert not once.drifted
    assert (once.repeated[0].current, once.repeated[0].reference) == (501, 0)
    assert "count once" in " ".join(once.notes)
    assert ns.drift(vectors(flood), vectors(before), copies="each").drifted


def test_a_program_that_fills_numbers_into_one_sentence_counts_once(encoder):
    people = [
        f"{verb} {what}"
        for verb in ("where is", "cancel", "change", "return", "I want to pay")
        for what in ("my parcel", "the blue shoes", "my old order", "the wrong jacket", "two tickets", "a voucher")
    ]
    flood = [f"Order {number:05d}, please confirm!" for number in range(300)]
    people = [people[row] for row in np.random.default_rng(2).permutation(len(people))]
    found = ns.drift(people[::2] + flood, people[1::2])
    assert found.units[0] <= 16
    assert not found.drifted


def test_frequent_texts_of_both_sides_are_no_drift_whatever_the_sizes():
    pool = around(5, [200] * 5, seed=4)
    random = np.random.default_rng(3)
    chances = np.where(np.arange(1000) < 50, 0.5 / 50, 0.5 / 950)  # half of all rows are one of fifty
    alarms = 0
    for _ in range(15):
        small, large = (random.choice(1000, size, p=chances) for size in (100, 2000))
        alarms += ns.drift(vectors(pool[small]), vectors(pool[large]), relabellings=250).drifted
    assert alarms <= 3  # with copies counted once on each side nearly all would


def test_unequal_sizes_are_compared(before, grown):
    many = around(5, [600] * 5, seed=11)
    assert ns.drift(vectors(grown), vectors(many), sample=1000).drifted
    assert not ns.drift(vectors(before[::3]), vectors(many), sample=1000).drifted


def test_vectors_of_two_models_are_refused(before, same):
    with pytest.raises(ModelMismatch, match="two models"):
        ns.drift(vectors(same), vectors(before, model="e" * 64))


def test_scores_of_two_models_are_refused_between_and_within_sides(encoder):
    here, there = [Asked("a b c", model="x")] * 3, [Asked("d e f", model="y")] * 3
    for sides in ((here, there), (here + there, here)):
        with pytest.raises(ModelMismatch, match=r"two models|2 models"):
            ns.drift(*sides)


@pytest.mark.filterwarnings("ignore::nearsense.LanguageWarning")  # said once for the process
def test_another_language_is_seen_and_a_model_that_reads_it_named(encoder):
    english = [
        f"where can I {verb} my {what}"
        for verb in ("find", "change", "cancel", "pay", "return", "print")
        for what in ("order", "ticket", "invoice", "password", "address", "contract")
    ]
    german = [
        f"wo kann ich {what} {verb}, und wie lange dauert das bitte"
        for verb in ("finden", "kündigen", "zahlen")
        for what in ("meine Bestellung", "die Fahrkarte", "unsere Rechnung", "das Passwort", "den Vertrag")
    ]
    found = ns.drift(english[:18] + german, english[18:] + english[:18])
    assert found.test("language").drifted
    assert found.groups[0].name in ("de", "en")
    todo = actions(found, Names(collection="t.nearsense"))
    assert any(each.what == "re-embed" and "multilingual" in each.command for each in todo)


def logged(n, seed=0, **parts):
    random = np.random.default_rng(100 + seed)
    return [
        Asked(
            None,
            digest=f"{seed}-{row}",
            **{name: value(random) if callable(value) else value for name, value in parts.items()},
        )
        for row in range(n)
    ]


def test_of_a_hashed_log_scores_and_answers_are_compared_and_texts_are_not():
    old = logged(200, 0, scores=lambda r: (r.normal(0.7, 0.1),), answered=lambda r: r.random() < 0.9)
    new = logged(150, 1, scores=lambda r: (r.normal(0.5, 0.1),), answered=lambda r: r.random() < 0.6)
    found = ns.drift(new, old)
    assert {test.name for test in found.tests} == {"scores", "unanswered"}
    assert all(test.drifted for test in found.tests)
    assert found.test("scores").more["psi"] > 0.25
    share = found.test("unanswered")
    assert share.more["low"] < share.current - share.reference < share.more["high"]
    assert "no text is known" in " ".join(found.notes)
    assert [each.what for each in actions(found)] == ["look at the collection"]


def test_a_share_of_nothing_on_both_sides_has_a_p_value_of_one():
    found = ns.drift(logged(50, 1), logged(60, 2))
    assert found.test("unanswered").p == found.test("unanswered").adjusted == 1.0
    assert not found.drifted


def test_hits_that_are_taken_less_often_than_stated_want_a_new_calibration():
    old = logged(150, 0, chosen=lambda r: "a" if r.random() < 0.9 else "b")
    new = logged(120, 1, chosen=lambda r: "a" if r.random() < 0.5 else "b")
    found = ns.drift(new, old)
    assert found.test("calibration").drifted
    assert found.calibration["current"]["stated"] == pytest.approx(0.9)
    assert found.calibration["current"]["ece"] > 0.2 > found.calibration["reference"]["ece"]
    assert actions(found, Names(current="log.csv"))[0].command == "nearsense calibrate --ask log.csv -o mine.json"


def test_unanswered_new_questions_are_to_be_answered(encoder):
    old = [Asked(text, digest=text) for text in requests(80, 0)]
    new = [Asked(text, digest=text) for text in requests(80, 1)]
    new += [Asked(text, digest=text, answered=False, scores=(0.2,), probabilities=(0.01,)) for text in NIGHT]
    found = ns.drift(new, old)
    assert found.test("topics").drifted
    assert found.topics[0].unanswered == 1.0
    assert actions(found)[0].what == "add FAQ entries"


def test_scores_of_two_ways_of_searching_are_not_mixed():
    old = logged(60, 0, scores=(0.7,)) + logged(20, 2, scores=(0.01,), mode="hybrid")
    new = logged(60, 1, scores=(0.7,)) + logged(60, 3, scores=(0.01,), mode="hybrid")
    found = ns.drift(new, old)
    assert found.test("scores").p == 1.0
    assert "ways of searching" in " ".join(found.notes)


def test_a_log_and_texts_can_be_compared(encoder):
    found = ns.drift([Asked(text) for text in requests(40, 0)], requests(40, 1))
    assert {test.name for test in found.tests} >= {"vectors", "length"}
    assert found.test("scores") is None


def test_a_collections_documents_are_a_side(encoder):
    notes = ns.open(":memory:")
    notes.add(requests(40, 0))
    found = ns.drift(requests(40, 1), notes)
    assert found.rows == (40, 40)
    assert found.origin.fingerprint == encoder.fingerprint


@in_turn(
    ("wrong", "said"),
    [
        ({"level": 2}, "level"),
        ({"copies": "twice"}, "copies"),
        ({"sample": 0}, "sample"),
        ({"relabellings": 0}, "relabellings"),
        ({"seed": -1}, "seed"),
        ({"period": 0}, "period"),
        ({"vectors": np.zeros((2, 3))}, "vectors of current"),
    ],
)
def test_what_is_out_of_range_is_refused_in_words(wrong, said):
    with pytest.raises(InputError, match=said):
        ns.drift(["a b", "c d"], ["e f", "g h"], **wrong)


def test_texts_and_logged_queries_are_not_mixed_in_one_side():
    with pytest.raises(InputError, match="mixes"):
        ns.drift(["a text", Asked("b")], ["c"])


def test_the_result_is_json_and_says_what_it_is(before, grown):
    found = ns.drift(vectors(grown), vectors(before))
    told = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert (told["drifted"], told["fingerprint"], told["watch"]) == (True, MODEL, None)
    assert told["p"] == min(test["adjusted"] for test in told["tests"])
    assert str(found).startswith("drift: ")
    assert repr(found).startswith("<Drift: drift: ")


def test_headlines_of_one_year_are_alike_and_five_foreign_questions_in_a_hundred_are_found(data, encoder):
    texts = [row["text"] for row in data("clinc150/val")]
    strange = [
        row["text"].lower().rstrip("?") for row in data("banking77/train") if row["label"] == "top_up_failed"
    ]
    order = np.random.default_rng(0).permutation(len(texts))
    half = [texts[row] for row in order]
    assert not ns.drift(half[:900], half[900:1800]).drifted
    found = ns.drift(half[:855] + strange[:45], half[900:1800])
    assert found.drifted
    assert "top" in " ".join(each.label for each in found.topics)
