"""Duplicates: against brute force over all rows, in any order, with every kind of input."""

from __future__ import annotations

import itertools
import random
import time

import numpy as np
import pytest

import nearsense as ns
from deduplication.brute import digest, stars_of
from fakes import HashEncoder
from nearsense.deduplication import duplicates
from nearsense.guard import differences
from nearsense.wording import normal_form
from turns import in_turn

NEAR = [
    "How do I reset my password?",
    "how do I reset my password",
    "How can I reset my password?",
    "How do I reset my password?",
    "How do I delete my account?",
    "How can I delete my account?",
    "The fee will increase next year.",
    "The fee will decrease next year.",
    "Alice pays Bob.",
    "Bob pays Alice.",
    "It costs 15 dollars.",
    "It costs 51 dollars.",
    "I like cheese.",
    "Where is my parcel?",
    "Where's my parcel?",
]


def words(n: int, seed: int = 0, vocabulary: int = 12, length: int = 4) -> list[str]:
    """Texts of a few words: many are near others, some equal."""
    rng = random.Random(seed)
    return [" ".join(f"w{rng.randrange(vocabulary)}" for _ in range(length)) for _ in range(n)]


def cosine(encoder, a, b):
    x, y = encoder.encode([a, b]).data.astype(np.float64)
    return float(x @ y / np.linalg.norm(x) / np.linalg.norm(y))


@in_turn("floor", [0.6, 0.8, 0.95, 1.0])
def test_pairs_are_those_of_brute_force_over_all_rows(floor):
    encoder, texts = HashEncoder(8), words(120)
    found = duplicates(texts, min_score=floor, encoder=encoder, calibration="none", guard=False)
    x = encoder.encode(texts).data.astype(np.float64)
    scores = x @ x.T
    expected, doubtful = set(), set()
    for i, j in itertools.combinations(range(len(texts)), 2):
        equal = texts[i] == texts[j] or normal_form(texts[i]) == normal_form(texts[j])
        if equal or scores[i, j] >= floor:
            expected.add((i, j))
        if not equal and abs(scores[i, j] - floor) < 1e-6:
            doubtful.add((i, j))
    given = [(int(each.left), int(each.right)) for each in found.pairs]
    assert len(given) == len(set(given)) == len(found)
    assert set(given) - doubtful == expected - doubtful
    for each in found.pairs:
        assert each.score == pytest.approx(scores[int(each.left), int(each.right)], abs=1e-6)
    tiers = [list(ns.types.Tier).index(each.tier) for each in found.pairs]
    assert tiers == sorted(tiers)


def test_pairs_by_probability_are_those_that_compare_gives(encoder):
    found = duplicates(NEAR, min_probability=0.5, encoder=encoder)
    compared = [ns.compare(*pair, encoder=encoder) for pair in itertools.combinations(NEAR, 2)]
    expected = {
        (i, j): each
        for (i, j), each in zip(itertools.combinations(range(len(NEAR)), 2), compared, strict=True)
        if each.probability >= 0.5 or NEAR[i] == NEAR[j] or normal_form(NEAR[i]) == normal_form(NEAR[j])
    }
    given = {(int(each.left), int(each.right)): each for each in found.pairs}
    assert set(given) == set(expected)
    for rows, pair in given.items():
        other = expected[rows]
        assert pair.differs == other.differs
        assert pair.score == pytest.approx(other.score, abs=1e-3)
        if pair.tier is ns.types.Tier.EXACT:
            assert pair.probability == 1.0
        else:
            assert pair.probability == pytest.approx(other.probability, abs=0.02)
            assert pair.interval[0] <= pair.probability <= pair.interval[1]


def test_nothing_that_could_reach_the_probability_is_missed(encoder):
    every = duplicates(NEAR, min_probability=0, encoder=encoder)
    n = len(NEAR)
    assert len(every) == n * (n - 1) // 2
    for least in (0.1, 0.5, 0.8, 0.9, 0.97):
        some = duplicates(NEAR, min_probability=least, encoder=encoder)
        assert some.pairs.to_dicts() == every.at(min_probability=least).pairs.to_dicts()
        assert some.groups.to_dicts() == every.at(min_probability=least).groups.to_dicts()


def groups_of(found):
    """Groups as sets of texts."""
    documents = {each.id: each.text for each in found.rows.documents}
    return sorted(
        sorted([documents[each.kept.id], *(documents[one.id] for one in each.dropped)]) for each in found.groups
    )


@pytest.mark.parametrize("keep", ["first", "longest", "shortest"])
def test_groups_are_the_same_in_any_order(keep, orders):
    encoder, texts = HashEncoder(8), words(150, seed=1)
    texts += texts[:25] + [text.upper() + "!" for text in texts[25:40]]
    once = None
    for seed in range(orders):
        order = list(range(len(texts)))
        random.Random(seed).shuffle(order)
        found = duplicates(
            [texts[i] for i in order], min_score=0.8, encoder=encoder, calibration="none", keep=keep
        )
        now = groups_of(found)
        once = once or now
        assert now == once
        assert len(found.unique) == len(texts) - sum(len(group) - 1 for group in now)


def test_groups_of_real_texts_are_the_same_in_any_order(encoder, orders):
    once = None
    for seed in range(orders):
        texts = list(NEAR)
        random.Random(seed).shuffle(texts)
        now = groups_of(duplicates(texts, min_probability=0.6, encoder=encoder))
        once = once or now
        assert now == once
    assert len(once) >= 2


def test_groups_are_the_stars_of_the_slow_way():
    encoder, texts = HashEncoder(8), sorted(set(words(150, seed=2)))
    found = duplicates(texts, min_score=0.8, encoder=encoder, calibration="none")
    scores = {(int(each.left), int(each.right)): each.score for each in found.pairs if not each.differs}
    centre = stars_of(
        len(texts), set(scores), lambda i, j: scores[min(i, j), max(i, j)], [digest(text) for text in texts]
    )
    slow = sorted(
        sorted(texts[i] for i in range(len(texts)) if centre[i] == c) for c in set(centre) if centre.count(c) > 1
    )
    assert groups_of(found) == slow


def test_every_row_that_goes_was_measured_against_the_row_that_stays(encoder):
    texts = NEAR + NEAR[:3]
    for keep in ("first", "longest", "shortest"):
        found = duplicates(texts, min_probability=0.7, encoder=encoder, keep=keep)
        kept = {each.id: each.text for each in found.unique}
        for each in found.dropped:
            assert each.kept in kept
            assert cosine(encoder, each.text, kept[each.kept]) == pytest.approx(each.score, abs=1e-3)
            assert each.tier is not ns.types.Tier.SEMANTIC or each.probability >= 0.7
            assert differences(each.text, kept[each.kept]) == ()
        assert len(found.unique) + len(found.dropped) == len(texts)
        assert {each.id for each in found.unique}.isdisjoint(each.id for each in found.dropped)
        assert sum(len(each) - 1 for each in found.groups) == len(found.dropped) == sum(found.tiers.values())


@pytest.mark.parametrize("keep", ["first", "longest", "shortest"])
def test_what_stays_holds_no_duplicates_any_more(keep):
    encoder = HashEncoder(8)
    texts = words(300, seed=3, vocabulary=9)
    found = duplicates(texts, min_score=0.8, encoder=encoder, calibration="none", keep=keep)
    again = duplicates(found.unique, min_score=0.8, encoder=encoder, calibration="none", keep=keep)
    assert found.dropped
    assert not again.dropped


@in_turn(
    ("a", "b"),
    [
        ("The fee will increase next year.", "The fee will decrease next year."),
        ("It costs 15 dollars.", "It costs 51 dollars."),
        ("Alice pays Bob.", "Bob pays Alice."),
        ("Enable the alarm.", "Disable the alarm."),
        ("Take 5 mg daily.", "Take 5 g daily."),
    ],
)
def test_pairs_that_differ_are_named_and_never_dropped_unless_that_is_asked(encoder, a, b):
    found = duplicates([a, b], min_score=0.5, encoder=encoder)
    assert [bool(each.differs) for each in found.pairs] == [True]
    assert len(found.unique) == 2
    assert len(duplicates([a, b], min_probability=0, encoder=encoder).unique) == 2
    asked = duplicates([a, b], min_score=0.5, encoder=encoder, allow_differing=True)
    assert len(asked.unique) == 1
    assert asked.dropped[0].differs
    assert len(duplicates([a, b], min_score=0.5, encoder=encoder, guard=False).unique) == 1


@pytest.mark.parametrize(("a", "b"), [("-5", "5"), ("C++", "C"), ("10²", "102")])
def test_texts_whose_signs_mean_something_are_not_normalized_equal(encoder, a, b):
    assert not any(
        pair.tier is ns.types.Tier.NORMALIZED for pair in duplicates([a, b], min_score=-1, encoder=encoder).pairs
    )


@in_turn("length", range(3, 13))
def test_a_chain_keeps_both_ends(length):
    angles = np.arange(length) * 0.3
    data = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    texts = [f"link {chr(97 + i)}" for i in range(length)]
    vectors = ns.Vectors(data, "ab", np.zeros(length, bool), "chain")
    for order in [list(range(length)), *(random.Random(seed).sample(range(length), length) for seed in range(10))]:
        for keep in ("first", "longest"):
            found = duplicates(
                [texts[i] for i in order], vectors=vectors.take(order), min_score=np.cos(0.31), keep=keep
            )
            stay = {each.text for each in found.unique}
            assert {texts[0], texts[-1]} <= stay
            assert len(stay) < length


def test_a_threshold_of_one_takes_equal_texts_only(encoder):
    found = duplicates([*NEAR, NEAR[5]], min_probability=1, encoder=encoder)
    assert {each.tier for each in found.pairs} == {ns.types.Tier.EXACT, ns.types.Tier.NORMALIZED}
    assert len(found.unique) == len({normal_form(text) for text in NEAR})


def test_a_score_of_minus_one_takes_all_pairs():
    found = duplicates(words(30), min_score=-1, encoder=HashEncoder(8), calibration="none")
    assert len(found) == 30 * 29 // 2


@in_turn("texts", [[], ["a"], ["a", "a"], ["a", "b c"]])
def test_none_one_and_two_rows_are_rows_too(texts, encoder):
    found = duplicates(texts, encoder=encoder)
    assert len(found.unique) == len(set(texts))
    assert len(found.pairs) == len(texts) - len(set(texts))
    assert found.to_dict()["rows"] == len(texts)
    assert str(found)
    assert repr(found)


def test_fifty_thousand_equal_rows_cost_nothing():
    begin = time.thread_time()
    found = duplicates(["the same"] * 50_000, min_score=0.9, encoder=HashEncoder(8), calibration="none")
    assert len(found) == 50_000 * 49_999 // 2
    assert len(found.unique) == 1
    assert [each.left for each in found.best(3)] == ["0", "0", "0"]
    assert len(found.groups) == 1
    assert len(found.groups[0]) == 50_000
    assert time.thread_time() - begin < 3
    with pytest.raises(ns.errors.TooLargeError, match="1,249,975,000 pairs"):
        _ = found.pairs


def test_all_different_texts_all_stay():
    texts = [f"word{i}" for i in range(2_000)]
    found = duplicates(texts, min_score=0.999, encoder=HashEncoder(64), calibration="none")
    assert [each.text for each in found.unique] == texts
    assert found.groups == []
    assert found.pairs == []


@pytest.mark.slow
def test_ten_megabytes_of_text_are_a_row():
    long = "All of it matters. " * 520_000
    vectors = HashEncoder(8).encode(["a", "a", "a", "b"])
    begin = time.thread_time()
    found = duplicates([long, long, long.upper(), "Something else."], vectors=vectors, min_score=0.9)
    assert [each.tier.value for each in found.dropped] == ["exact", "normalized"]
    assert time.thread_time() - begin < 10


def test_one_encoding_for_all_copies_of_a_text():
    encoder = HashEncoder(8)
    duplicates(["a b", "a c"] * 100, min_score=0.9, encoder=encoder, calibration="none")
    assert encoder.encoded == 2


def documents(*rows):
    return [ns.Document(str(i), text, metadata) for i, (text, metadata) in enumerate(rows)]


ALIKE = documents(
    ("The parcel is late", {"on": "2024-05-01", "who": "", "stars": 2}),
    ("the parcel is late!", {"on": "2025-01-01T10:00:00+02:00", "who": "", "stars": 10}),
    ("The parcel is late.", {"on": "2023-12-31", "who": "Ann", "stars": 9}),
    ("Something else altogether", {"on": "", "who": "", "stars": 1}),
)


@in_turn(
    ("keep", "kept"),
    [
        ("first", "0"),
        ("longest", "1"),
        ("shortest", "0"),
        ("newest:on", "1"),
        ("newest:stars", "1"),
        ("complete", "2"),
        (lambda rows: len(rows) - 1, "2"),
        (lambda rows: rows[1].id, "1"),
    ],
)
def test_each_policy_keeps_its_row(encoder, keep, kept):
    found = duplicates(ALIKE, encoder=encoder, keep=keep)
    assert [each.id for each in found.unique] == [kept, "3"]
    assert {each.kept for each in found.dropped} == {kept}


@in_turn(
    ("keep", "what"),
    [
        ("oldest", "keep='oldest'"),
        ("newest", "keep='newest'"),
        ("first:on", "keep='first:on'"),
        ("newest:when", "no row has a field 'when'"),
        ("newest:who", "row 2: 'who' is 'Ann'"),
        (lambda rows: 7, "keep= gave 7 for 3 rows"),
        (lambda rows: "3", "keep= gave '3' for 3 rows"),
        (3, "keep=3"),
    ],
)
def test_a_policy_that_cannot_be_says_so(encoder, keep, what):
    with pytest.raises(ns.errors.InputError, match=what.replace("(", r"\(")):
        _ = duplicates(ALIKE, encoder=encoder, keep=keep).unique


def test_dates_and_numbers_do_not_mix(encoder):
    rows = documents(("a b", {"on": "2024-05-01"}), ("a b", {"on": 7}))
    with pytest.raises(ns.errors.InputError, match="rows 0 and 1"):
        duplicates(rows, encoder=encoder, keep="newest:on")


def test_another_threshold_computes_nothing_anew_and_below_the_mined_range_says_so(encoder):
    found = duplicates(NEAR, min_probability=0.7, encoder=encoder)
    higher = found.at(min_probability=0.98)
    assert higher.edges is found.edges
    assert len(higher) < len(found)
    assert higher.at(min_probability=0.7).groups.to_dicts() == found.groups.to_dicts()
    with pytest.raises(ns.errors.InputError, match="lower than what was looked for"):
        found.at(min_probability=0.69)
    with pytest.raises(ns.errors.InputError, match="lower than what was looked for"):
        found.at(min_score=0.1)
    scores = found.at(min_score=0.97)
    assert all(each.score >= 0.97 or each.tier is not ns.types.Tier.SEMANTIC for each in scores.pairs)
    for wrong in ({}, {"min_score": 0.9, "min_probability": 0.9}, {"min_score": "x"}):
        with pytest.raises(ns.errors.InputError):
            found.at(**wrong)


def test_target_leaves_as_many_rows_as_were_asked_for():
    encoder, texts = HashEncoder(8), words(200, seed=4)
    found = duplicates(texts, min_score=0.5, encoder=encoder, calibration="none")
    least, most = len(found.unique), len({normal_form(text) for text in texts})
    for n in range(least, most + 1, 7):
        there = found.target(n)
        stay = len(there.unique)
        assert stay <= n
        steps = sorted({each.score for each in found.pairs if each.tier is ns.types.Tier.SEMANTIC} | {2.0})
        above = [step for step in steps if step > there.min_score][:1]
        if above and above[0] < 2 and stay < n:
            assert len(found.at(min_score=above[0]).unique) > n
    with pytest.raises(ns.errors.InputError, match="can"):
        found.target(most + 1)
    with pytest.raises(ns.errors.InputError, match="fewer than"):
        found.target(least - 1)
    with pytest.raises(ns.errors.InputError):
        found.target(-1)


def test_against_an_archive_only_new_rows_go(encoder):
    archive = ["Where is my parcel?", "How do I reset my password?", "How can I reset my password?"]
    new = [
        "where is my parcel",
        "How do I reset my password?",
        "I like cheese.",
        "I like cheese.",
        "Nice weather.",
    ]
    found = duplicates(new, against=archive, encoder=encoder)
    assert [each.text for each in found.unique] == ["I like cheese.", "Nice weather."]
    assert [each.kept for each in found.dropped] == ["0", "1", "2"]
    assert [each.tier.value for each in found.dropped] == ["normalized", "exact", "exact"]
    assert {(each.a, each.b) for each in found.pairs if each.tier is ns.types.Tier.SEMANTIC} == {
        ("How do I reset my password?", "How can I reset my password?")
    }
    alone = duplicates(new, against=archive, encoder=encoder, within=False)
    assert [each.text for each in alone.unique] == ["I like cheese.", "I like cheese.", "Nice weather."]
    assert not any(each.a == each.b == "I like cheese." for each in alone.pairs)


def test_against_equals_brute_force():
    encoder = HashEncoder(8)
    new, archive = words(60, seed=5), words(80, seed=6)
    found = duplicates(new, against=archive, min_score=0.8, encoder=encoder, calibration="none", within=False)
    scores = encoder.encode(new).data.astype(np.float64) @ encoder.encode(archive).data.astype(np.float64).T
    expected = {(i, j) for i in range(60) for j in range(80) if scores[i, j] >= 0.8}
    assert {(int(each.left), int(each.right)) for each in found.pairs} == expected
    gone = {int(each.id) for each in found.dropped}
    assert gone == {i for i, j in expected if not differences(new[i], archive[j])}
    for each in found.dropped:
        allowed = [scores[int(each.id), j] for j in range(80) if not differences(new[int(each.id)], archive[j])]
        assert scores[int(each.id), int(each.kept)] == pytest.approx(max(allowed), abs=1e-6)


def test_vectors_do_without_texts_and_without_an_encoder(encoder):
    vectors = encoder.encode(["a dog", "a cat", "a dog"])
    found = duplicates(vectors=vectors, min_score=0.9)
    assert [(each.left, each.right, each.tier.value) for each in found.pairs] == [("0", "2", "exact")]
    assert [each.id for each in found.unique] == ["0", "1"]
    with_texts = duplicates(["a dog", "a cat", "A dog!"], vectors=vectors)
    assert [each.tier.value for each in with_texts.pairs] == ["normalized"]
    beside = duplicates(vectors=vectors, against=encoder.encode(["a cat"]), min_score=0.9)
    assert [each.id for each in beside.unique] == ["0"]


def test_wrong_input_is_one_clear_error(encoder):
    vectors = HashEncoder(8).encode(["a", "b"])
    wrong = [
        (lambda: duplicates(), "nothing to compare"),
        (lambda: duplicates(["a"], min_probability=0.9, min_score=0.9), "two thresholds"),
        (lambda: duplicates(["a"], min_score=2), "no cosine"),
        (lambda: duplicates(["a"], min_probability=2), "no probability"),
        (lambda: duplicates(["a"], vectors=vectors), "1 texts, 2 vectors"),
        (lambda: duplicates(["a", "b"], vectors=vectors), "no calibration"),
        (lambda: duplicates(["a", " "]), "empty"),
        (lambda: duplicates(["a"], within=False), "nothing to compare"),
        (lambda: duplicates(["a"], vectors=np.zeros((1, 2))), "not Vectors"),
        (lambda: duplicates(["a"], against=vectors), "only vectors"),
    ]
    for call, what in wrong:
        with pytest.raises(ns.errors.InputError, match=what):
            call()
    with pytest.raises(ns.errors.ModelMismatch):
        duplicates(["a", "b"], vectors=vectors, against=["c"], encoder=encoder, min_score=0.9)


def test_a_result_explains_itself(encoder):
    found = duplicates(NEAR, min_probability=0.6, encoder=encoder)
    known = found.to_dict()
    assert known["rows"] == len(NEAR) == known["kept"] + sum(known["dropped"].values())
    assert known["model"] == "all-MiniLM-L6-v2"
    assert known["prior"] == pytest.approx(0.38, abs=0.01)
    assert known["calibration"] == "paraphrase"
    assert found.pairs.origin.calibration == "paraphrase"
    assert "stay" in str(found)
    assert str(found.pairs[0])
    assert found.dropped[0].reason == "the same text" or found.dropped[0].reason
    assert found.groups[0].to_dict()["dropped"][0]["kept"] == found.groups[0].kept.id


def test_probabilities_hold_on_questions_that_people_labelled(data, encoder):
    rows = data("quora/dev")[:300]
    texts = [row[side] for row in rows for side in ("a", "b")]
    found = duplicates(texts, encoder=encoder, min_probability=0.8)
    given = {frozenset((each.a, each.b)): each.probability for each in found.best(len(found))}
    known = [(given[key], row["label"]) for row in rows if (key := frozenset((row["a"], row["b"]))) in given]
    assert len(known) > 30
    probabilities, labels = np.array(known).T
    assert abs(probabilities.mean() - labels.mean()) < 0.08


def test_near_cliques_ties_and_equal_texts_in_any_order_give_the_same_groups(orders):
    rng = np.random.default_rng(0)
    centres = rng.standard_normal((12, 6))
    data = np.repeat(centres, 8, axis=0) + 0.25 * rng.standard_normal((96, 6))
    data[::5] = data[3]  # ties: different texts, one vector
    texts = [f"text {i}" for i in range(90)] + ["text 1"] * 3 + ["TEXT 2"] * 3
    data[90:93] = data[1]
    once = None
    for seed in range(orders):
        order = np.random.default_rng(seed).permutation(96)
        vectors = ns.Vectors(data[order].astype(np.float32), "ab", np.zeros(96, bool), "cloud")
        found = duplicates([texts[i] for i in order], vectors=vectors, min_score=0.9, guard=False)
        now = (
            groups_of(found),
            sorted(
                (each.a, each.b, each.score) if each.a < each.b else (each.b, each.a, each.score)
                for each in found.pairs
            ),
        )
        once = once or now
        assert now == once


@pytest.mark.parametrize("threshold", [{"min_probability": 95}, {"min_score": 90}])
def test_another_threshold_in_percent_is_refused(threshold):
    vectors = ns.Vectors(np.eye(3, dtype=np.float32), "ab", np.zeros(3, bool), "mine")
    found = duplicates(["one", "two", "three"], vectors=vectors, min_score=0.5)
    with pytest.raises(ns.errors.InputError, match="no number up to 1"):
        found.at(**threshold)
