"""The FAQs that were written for the fit, each answered by curves that were fitted without it.

    NEARSENSE_DATA=... python benchmarks/bench_made_faqs.py [--precision 0.9] [--model NAME] [--language it]

Strangers are half such as might ask this very FAQ (near), half others. FAQs in other languages than English take
no part in the fit: they are only measured.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from typing import Any

import numpy as np
from fit_faq import MADE, Drawn, all_drawn, fitted, loans, prior_of
from machine import require_data

import nearsense as ns
from nearsense.cached import cached
from nearsense.faq import certainty


def without(faqs: list[Drawn], whole: dict[str, Any], name: str) -> dict[str, Any]:
    """What prior.json would say without one of the FAQs that were written."""
    one = [faq for faq in faqs if faq.phrasings == 1 and not faq.origin.endswith(f": {name}")]
    curves = {kind: theta.tolist() for kind, theta in fitted(one).items()}
    lent = loans(one, np.random.default_rng(1))
    return {
        **whole,
        "curves": {**whole["curves"], "one": curves},
        "borrowed": {**whole["borrowed"], "one": lent},
    }


def counted(rows: list[dict], encoder: ns.Encoder, precision: float) -> Counter[str]:
    """What a FAQ answers."""
    entries = [row for row in rows if "question" in row]
    (strangers,) = (row for row in rows if "near" in row)
    items = [{"id": str(n), "question": e["question"], "answer": e["answer"]} for n, e in enumerate(entries)]
    faq = ns.FAQ(items, encoder=encoder, precision=precision)
    asked = [(text, str(n)) for n, entry in enumerate(entries) for text in entry["asked"]]
    found = Counter(asked=len(asked), near=len(strangers["near"]), far=len(strangers["far"]))
    for answer, (_, id_) in zip(faq.answer_many([text for text, _ in asked]), asked, strict=True):
        found["first"] += answer.candidates[0].id == id_
        if answer:
            found["right" if answer.hit.id == id_ else "wrong"] += 1
        elif answer.suggestions:
            found["lists"] += 1
            found["lists that hold it"] += any(hit.id == id_ for hit in answer.suggestions)
    for kind in ("near", "far"):
        answers = faq.answer_many(strangers[kind])
        found[f"{kind} answered"] += sum(map(bool, answers))
        found["strangers with a list"] += sum(bool(answer.suggestions) for answer in answers)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--precision", type=float, nargs="+", default=[0.9])
    parser.add_argument("--model")
    parser.add_argument("--language", default="en")
    options = parser.parse_args()
    require_data()
    table = [json.loads(line) for line in MADE.read_text(encoding="utf-8").splitlines()]
    table = [row for row in table if row.get("language", "en") == options.language]
    encoder = cached(ns.load(options.model) if options.model else ns.load())
    names = list(dict.fromkeys(row["faq"] for row in table))
    priors = dict.fromkeys(names, certainty.general())
    if options.language == "en":
        faqs = all_drawn()
        whole = prior_of(faqs)
        priors = {name: without(faqs, whole, name) for name in names}
    for precision in options.precision:
        total: Counter[str] = Counter()
        for name in names:
            certainty.general = lambda prior=priors[name]: prior
            found = counted([row for row in table if row["faq"] == name], encoder, precision)
            print(name, dict(found), flush=True)
            total += found
        print(f"precision {precision}:", dict(total), flush=True)


if __name__ == "__main__":
    main()
