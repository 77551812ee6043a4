"""Every score comes with a probability, its interval, and what differs: every verb, every command."""

from __future__ import annotations

import dataclasses
import importlib
import io
import json
import pkgutil

import pytest

import nearsense as ns
from fakes import WordCross
from nearsense.calibration import Task, shipped_calibration
from nearsense.records import Origin, percent
from nearsense.render import Form, show
from nearsense.render.results import hits_page
from turns import in_turn

OPPOSITES = [
    ("How do I enable two-factor login?", "How do I disable two-factor login?", "antonym: enable → disable"),
    ("The flight to Rome costs 15 euros.", "The flight to Rome costs 51 euros.", "number: 15 euros → 51 euros"),
    ("Payments are accepted on the weekend.", "Payments are not accepted on the weekend.", "negation: not"),
    ("Transfer the money from Alice to Bob.", "Transfer the money from Bob to Alice.", "roles: "),
    ("The shop opens on Monday at noon.", "The shop opens on Friday at noon.", "date: Monday → Friday"),
    ("Does the 🟢 light mean it works?", "Does the 🔴 light mean it works?", "unread: 🟢 → 🔴"),
]


def verbs(a, b, encoder, folder):
    """What each verb says of the text b to the text a."""
    yield "compare", ns.compare(a, b, encoder=encoder)
    yield "compare_pairs", ns.compare_pairs([(a, b)], encoder=encoder)[0]
    yield "rank", ns.rank(a, [b], encoder=encoder)[0]
    yield "search", ns.search(a, [b], encoder=encoder)[0]
    yield "search_many", ns.search_many([a], [b], encoder=encoder)[0][0]
    yield "search_vectors", ns.search_vectors([a], encoder.encode([b]), documents=[b], encoder=encoder)[0][0]
    yield "matrix", ns.matrix([a, b], encoder=encoder).comparison(0, 1)
    yield "explain", ns.explain(a, b, encoder=encoder)
    yield "duplicates", ns.duplicates([a, b], encoder=encoder, min_probability=0.0).pairs[0]
    dropped = ns.duplicates([b, a], encoder=encoder, min_probability=0.0, allow_differing=True).dropped
    yield from (("dedupe", each) for each in dropped)
    with ns.open(folder / f"{len(list(folder.iterdir()))}.nearsense", encoder) as there:
        there.add([b])
        yield "Collection.search", there.search(a)[0]
        there.add([ns.Document("other", a)])
        yield "Collection.similar", there.similar("other")[0]
    faq = ns.FAQ([b, "Where is my parcel?"], encoder=encoder)
    yield "FAQ.answer", faq.answer(a)
    yield "FAQ.match", faq.match(a)[0]


@in_turn(("a", "b", "named"), OPPOSITES)
def test_every_verb_says_how_sure_it_is_and_what_differs(encoder, tmp_path, a, b, named):
    for verb, found in verbs(a, b, encoder, tmp_path):
        assert any(each.startswith(named) for each in found.differs), (verb, found)
        assert found.interval[0] <= found.probability <= found.interval[1], verb
        assert found.probability < 0.7, (verb, found.probability)
        known = found.to_dict()
        assert known["differs"] == list(found.differs)
        assert known["interval"] == list(found.interval)
        json.dumps(known)


@in_turn(("a", "b", "named"), OPPOSITES)
def test_what_differs_is_told_where_nothing_is_calibrated(encoder, tmp_path, a, b, named):
    with ns.open(tmp_path / "c.nearsense", encoder) as there:
        there.add([b])
        hits = [there.search(a, mode="hybrid")[0], ns.search(a, [b], encoder=encoder, calibration="none")[0]]
        if not named.startswith("unread"):
            hits += [there.search(a, mode="lexical")[0], ns.rerank(a, [b], cross=WordCross())[0]]
    for hit in hits:
        assert any(each.startswith(named) for each in hit.differs)
        assert (hit.probability, hit.interval) == (None, None)


def test_a_search_lowers_the_probability_of_the_opposite_by_what_was_learnt_and_not_its_rank(encoder):
    corpus = [
        "How do I disable two-factor login?",
        "How do I switch on login by two factors?",
        "My parcel is late.",
    ]
    query = "How do I enable two-factor login?"
    hits = ns.search(query, corpus, encoder=encoder)
    assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)
    opposite = next(hit for hit in hits if hit.text == corpus[0])
    other = next(hit for hit in hits if hit.text == corpus[1])
    home = shipped_calibration(Origin(encoder.name, encoder.fingerprint), Task.PASSAGE)
    plain = home.here(expected=hits.origin.prior)
    before = plain.probability(opposite.score, prior=hits.origin.prior)
    assert before > 0.85
    assert opposite.probability < 0.45
    assert other.probability == pytest.approx(plain.probability(other.score, prior=hits.origin.prior))
    assert [hit.text for hit in ns.search(query, corpus, encoder=encoder, min_probability=0.5)] == [corpus[1]]


def test_a_score_without_texts_is_not_looked_at(encoder):
    vectors = encoder.encode(["How do I disable it?"])
    hit = ns.search_vectors(["How do I enable it?"], vectors, encoder=encoder)[0][0]
    assert hit.differs is None
    assert hit.interval[0] < hit.probability < hit.interval[1]


@pytest.mark.filterwarnings("ignore::nearsense.LanguageWarning", "ignore::nearsense.UnknownTextWarning")
@in_turn(
    "text",
    [
        "我的包裹在哪里？我已经等了两个星期",
        "Где моя посылка? Я жду уже две недели",
        "أين طردي؟ أنا أنتظر منذ أسبوعين",
        "荷物はどこですか。もう二週間も待っています",
        "내 소포는 어디에 있나요? 2주째 기다리고 있어요",
    ],
)
def test_what_the_model_was_not_made_for_has_no_probability_in_any_verb(encoder, tmp_path, text):
    query = text[::-1] + text[:5]
    results = [ns.search(query, [text], encoder=encoder)[0], ns.rank(query, [text], encoder=encoder)[0]]
    results.append(ns.matrix([query, text], encoder=encoder).comparison(0, 1))
    with ns.open(tmp_path / "c.nearsense", encoder) as there:
        there.add([text, query])
        results += [there.search(query)[1], there.similar("0")[0]]
    for found in results:
        assert (found.probability, found.interval) == (None, None)
        assert "English only" in found.unsure
    assert ns.search(query, [text], encoder=encoder, min_probability=0.01) == []
    assert ns.matrix([query, text], encoder=encoder).probabilities[0, 1] != 0


def test_every_kind_of_result_with_a_probability_has_its_interval_and_what_differs():
    results = set()
    for module in pkgutil.walk_packages(ns.__path__, "nearsense."):
        if module.name.startswith(("nearsense.integrations", "nearsense.__main__")):
            continue
        for name, kind in vars(importlib.import_module(module.name)).items():
            if not (isinstance(kind, type) and dataclasses.is_dataclass(kind) and hasattr(kind, "to_dict")):
                continue
            fields = {each.name for each in dataclasses.fields(kind)}
            if "probability" in fields and "threshold" not in name.casefold():
                results.add(name)
                assert fields >= {"interval", "differs"}, name
    assert results == {"Answer", "Comparison", "Dropped", "Explanation", "Hit", "Pair"}


def test_tables_show_the_interval_and_what_differs(monkeypatch, encoder):
    monkeypatch.setenv("COLUMNS", "140")
    hits = ns.search(OPPOSITES[0][0], [OPPOSITES[0][1], "Where is my parcel?"], encoder=encoder)
    out = io.StringIO()
    show(hits_page([hits]), Form.TABLE, out)
    shown = out.getvalue()
    assert "antonym: enable → disable" in shown
    low, high = (percent(each) for each in hits[0].interval)
    assert f"{low} to {high}".replace(" %", "") in shown


@pytest.mark.slow
def test_passages_that_answer_are_judged_no_worse_for_what_differs(encoder, data):
    import numpy as np

    from nearsense.calibration.curve import logit, sigmoid
    from nearsense.metrics import brier_score
    from nearsense.pair_differences import pair_differences

    rows = data("answer-selection/wikiqa-dev") + data("answer-selection/trecqa-dev")
    pairs = [(row["query"], each) for row in rows for each in row["candidates"]][:1500]
    labels = np.array([label for row in rows for label in row["labels"]][:1500])
    texts = list(dict.fromkeys(text for pair in pairs for text in pair))
    vectors = dict(zip(texts, encoder.with_long("head").encode(texts).data, strict=True))
    scores = np.clip([vectors[a] @ vectors[b] for a, b in pairs], -1, 1).astype(float)
    passage = shipped_calibration(Origin(encoder.name, encoder.fingerprint), Task.PASSAGE)
    seen = pair_differences([a for a, _ in pairs], [b for _, b in pairs], encoder=encoder)
    shifts = passage.guarded(scores, [[one.kind for one in each] for each in seen])
    assert (shifts <= 0).all()
    ratios = passage.log_ratio(scores) + logit(labels.mean())
    assert brier_score(labels, sigmoid(ratios + shifts)) <= brier_score(labels, sigmoid(ratios)) + 1e-4
