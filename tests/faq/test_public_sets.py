"""On public sets: right, and sure to the degree that it is right."""

from __future__ import annotations

import numpy as np
import pytest

import nearsense as ns

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def clinc(data):
    return data("clinc150/train"), data("clinc150/val")


def test_clinc150_is_told_from_what_is_out_of_scope(clinc, encoder):
    from sklearn.metrics import roc_auc_score

    train, val = clinc
    faq = ns.FAQ(
        [{"question": r["text"], "id": r["label"]} for r in train if r["label"] != "oos"], encoder=encoder
    )
    answers = faq.answer_many(row["text"] for row in val)
    inside = np.array([row["label"] != "oos" for row in val])
    right = np.array([answer.candidates[0].id == row["label"] for answer, row in zip(answers, val, strict=True)])
    p = np.array([answer.probability for answer in answers])
    assert right[inside].mean() >= 0.92
    assert roc_auc_score(inside, p) >= 0.975
    weights = np.where(inside, 0.5 / inside.sum(), 0.5 / (~inside).sum())
    answered = p >= faq.threshold.probability
    assert (weights * right)[answered].sum() / weights[answered].sum() >= 0.95
    assert (weights * right)[answered].sum() / 0.5 >= 0.55
    order = np.argsort(-p)
    precision = np.cumsum((weights * right)[order]) / np.cumsum(weights[order])
    last = np.flatnonzero(precision >= 0.95)[-1]
    assert (weights * right)[order][: last + 1].sum() / 0.5 >= 0.78


def test_banking77_answers_with_the_precision_that_was_wanted(data, encoder):
    groups: dict[str, list[str]] = {}
    for row in data("banking77/train"):
        groups.setdefault(row["label"], []).append(row["text"])
    names = np.random.default_rng(0).permutation(sorted(groups)).tolist()
    items = [{"id": name, "question": text} for name in names[17:] for text in groups[name][::2]]
    faq = ns.FAQ(items, encoder=encoder)
    known = [(text, name) for name in names[17:] for text in groups[name][1::2]]
    strangers = [text for name in names[:17] for text in groups[name]]
    strangers += [row["text"] for row in data("clinc150/val")][: len(strangers)]
    right = np.array(
        [
            a.candidates[0].id == name
            for a, (_, name) in zip(faq.answer_many(t for t, _ in known), known, strict=True)
        ]
    )
    p = np.array(
        [each.probability for each in (*faq.answer_many(t for t, _ in known), *faq.answer_many(strangers))]
    )
    right = np.concatenate([right, np.zeros(len(strangers), bool)])
    weights = np.where(np.arange(len(p)) < len(known), 0.5 / len(known), 0.5 / len(strangers))
    answered = p >= faq.threshold.probability
    assert (weights * right)[answered].sum() / weights[answered].sum() >= 0.88  # within two points of the promise
    bins = np.minimum((p * 10).astype(int), 9)
    assert sum(abs((weights * (p - right))[bins == b].sum()) for b in range(10)) <= 0.04


def test_an_faq_of_answers_is_silent_to_requests_from_elsewhere(data, encoder):
    with pytest.warns(ns.errors.TruncationWarning):
        faq = ns.FAQ(data("covid-faq/faqs-en"), encoder=encoder)
    answers = faq.answer_many(row["text"] for row in data("clinc150/val"))
    assert np.mean([bool(answer) for answer in answers]) <= 0.005
