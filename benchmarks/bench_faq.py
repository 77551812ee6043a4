"""A FAQ on public sets: how often it is right, how well it knows that, how fast it answers.

    NEARSENSE_DATA=... python benchmarks/bench_faq.py [--prior FILE] [--json benchmarks/results/faq.json]

clinc150: the training requests are phrasings of 150 entries, the validation requests are asked, and all its
out-of-scope requests are strangers. banking77: of 77 intents 17 are left out, whose questions are strangers (with
as many of clinc150); half of the others' questions are phrasings, half are asked; the mean of five draws. Each
also with fewer phrasings an entry. `--prior` takes other general coefficients than those that ship: fit_faq.py
--without SET fits them without the set that is measured on. Questions with an entry and strangers weigh the same.

The shop of the tutorials: its five questions in wordings drawn anew 60 times, four customers, 16 strangers.

Latency: one question at a time, encoding included, in a FAQ of 10,000 entries; no text is asked twice.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
import warnings
from pathlib import Path

import numpy as np
from fit_faq import rows
from machine import machine, require_data

import nearsense as ns
from nearsense.cached import cached
from nearsense.faq import certainty

ENTRIES, CALLS = 10_000, 300


def calibration_error(p: np.ndarray, right: np.ndarray, weights: np.ndarray) -> float:
    """Expected calibration error over ten bins of equal width."""
    bins = np.minimum((p * 10).astype(int), 9)
    return float(sum(abs((weights * (p - right))[bins == b].sum()) for b in range(10)) / weights.sum())


def measured(faq: ns.FAQ, asked: list[tuple[str, str]], strangers: list[str]) -> dict[str, float]:
    """Accuracy, AUROC, coverage and the rest; see docs/faq.md."""
    start = time.perf_counter()
    known, foreign = faq.answer_many([text for text, _ in asked]), faq.answer_many(strangers)
    seconds = time.perf_counter() - start
    hits = np.array([each.candidates[0].id == id_ for each, (_, id_) in zip(known, asked, strict=True)], float)
    p = np.array([each.probability for each in (*known, *foreign)])
    right = np.concatenate([hits, np.zeros(len(foreign))])
    inside = np.arange(len(p)) < len(known)
    weights = np.where(inside, 0.5 / len(known), 0.5 / len(foreign))
    order = np.argsort(p[~inside])
    below = np.searchsorted(p[~inside][order], p[inside], "left") + np.searchsorted(
        p[~inside][order], p[inside], "right"
    )
    best_first = np.argsort(-p, kind="stable")
    good, all_ = np.cumsum((weights * right)[best_first]), np.cumsum(weights[best_first])
    reached = np.flatnonzero(good / all_ >= 0.95)
    answered = p >= faq.threshold.probability
    return {
        "accuracy": hits.mean(),
        "auroc": below.mean() / 2 / len(foreign),
        "coverage_at_95": good[reached[-1]] / 0.5 if len(reached) else 0.0,
        "threshold": faq.threshold.probability,
        "precision_stated": faq.threshold.precision,
        "precision_true": (weights * right)[answered].sum() / max(weights[answered].sum(), 1e-12),
        "answered_rightly": (weights * right)[answered].sum() / 0.5,
        "strangers_answered": answered[~inside].mean(),
        "ece": calibration_error(p, right, weights),
        "questions_per_second": len(p) / seconds,
    }


def entries(groups: dict[str, list[str]], m: int | None, rng: np.random.Generator) -> list[dict[str, str]]:
    return [
        {"question": text, "id": id_}
        for id_, texts in groups.items()
        for text in rng.permutation(texts)[:m].tolist()
    ]


def grouped(table: list[dict]) -> dict[str, list[str]]:
    groups: dict[str, list[str]] = {}
    for row in table:
        groups.setdefault(row["label"], []).append(row["text"])
    return groups


def clinc(encoder: ns.Encoder, m: int | None, labelled: bool = False) -> dict[str, float]:
    train, val = grouped(rows("clinc150/train")), grouped(rows("clinc150/val"))
    strangers = [*val.pop("oos"), *train.pop("oos")]
    asked = [(text, id_) for id_, texts in val.items() for text in texts]
    known = None
    if labelled:
        known = [*asked[::10], *((text, None) for text in strangers[::2])]
        asked, strangers = [each for place, each in enumerate(asked) if place % 10], strangers[1::2]
    start = time.perf_counter()
    faq = ns.FAQ(entries(train, m, np.random.default_rng(0)), encoder=encoder, labelled=known)
    return {"seconds_to_build": time.perf_counter() - start, **measured(faq, asked, strangers)}


def banking(encoder: ns.Encoder, m: int | None, draws: int = 5) -> dict[str, float]:
    groups, far = grouped(rows("banking77/train")), [row["text"] for row in rows("clinc150/val")]
    found = []
    for seed in range(draws):
        rng = np.random.default_rng(seed)
        names = rng.permutation(sorted(groups)).tolist()
        strangers = [text for name in names[:17] for text in groups[name]]
        strangers += rng.permutation(far)[: len(strangers)].tolist()
        halves = {name: rng.permutation(groups[name]).tolist() for name in names[17:]}
        items = entries({name: texts[::2] for name, texts in halves.items()}, m, rng)
        asked = [(text, name) for name, texts in halves.items() for text in texts[1::2]]
        found.append(measured(ns.FAQ(items, encoder=encoder), asked, strangers))
    return {name: statistics.mean(each[name] for each in found) for name in found[0]}


def covid(encoder: ns.Encoder) -> dict[str, float]:
    faq = ns.FAQ(rows("covid-faq/faqs-en"), encoder=encoder)
    strangers = [row["text"] for row in rows("clinc150/val")]
    answers = faq.answer_many(strangers)
    return {
        "threshold": faq.threshold.probability,
        "strangers_answered": statistics.mean(bool(each) for each in answers),
        "mean_probability_of_strangers": statistics.mean(each.probability for each in answers),
    }


SHOP = {
    "You can return any product within 30 days. Ask our support for a return label.": (
        "How do I return a product?",
        "How can I return a product?",
        "Can I return a product I bought?",
        "How do I send a product back?",
        "What is your return policy?",
        "How can I return an item?",
    ),
    "Standard shipping takes 3 to 5 business days, express 1 to 2.": (
        "How long does shipping take?",
        "How long will shipping take?",
        "How long does delivery take?",
        "What are your shipping times?",
        "When will my order arrive?",
    ),
    "We accept credit cards, PayPal and bank transfer.": (
        "What payment methods do you accept?",
        "Which payment methods can I use?",
        "What forms of payment do you accept?",
        "How can I pay?",
    ),
    "All products come with a warranty of one year.": (
        "Does the product have a warranty?",
        "Is there a warranty on the product?",
        "Do your products come with a warranty?",
    ),
    "You get an email with a tracking number as soon as your order ships.": (
        "How can I track my order?",
        "How do I track my shipment?",
        "Where can I track my order?",
        "Where is my order?",
    ),
}
CUSTOMERS = {
    "I want to send an item back": 0,
    "When will my package arrive?": 1,
    "Do you accept bank transfers?": 2,
    "I need the tracking code": 4,
}
VISITORS = (
    "What is the capital of France?",
    "Do you sell gift cards?",
    "How do I reset my password?",
    "Tell me a joke",
    "I want to talk to a human",
    "What's the weather like today?",
    "Are you hiring?",
    "Where are your stores located?",
    "What are your opening hours?",
    "Can I change my email address?",
    "How do I delete my account?",
    "Do you have a discount code?",
    "Is the product vegan?",
    "What is the meaning of life?",
    "Do you have this in size M?",
    "How do I cook pasta?",
)


def shop(encoder: ns.Encoder, draws: int = 60) -> dict[str, float]:
    """The shop of the tutorials in other wordings of its questions, each time drawn anew."""
    rng, found = np.random.default_rng(0), {"right": 0, "wrong": 0, "silent": 0, "strangers_answered": 0}
    for _ in range(draws):
        items = [{"question": str(rng.choice(w)), "answer": answer} for answer, w in SHOP.items()]
        faq = ns.FAQ(items, encoder=encoder)
        for answer, right in zip(faq.answer_many(list(CUSTOMERS)), CUSTOMERS.values(), strict=True):
            found["silent" if not answer else "right" if answer.hit.id == str(right) else "wrong"] += 1
        found["strangers_answered"] += sum(map(bool, faq.answer_many(VISITORS)))
    return {**found, "customers": draws * len(CUSTOMERS), "strangers": draws * len(VISITORS)}


def latency() -> dict[str, float]:
    words = (Path(__file__).parent.parent / "docs" / "models.md").read_text(encoding="utf-8").split()
    rng = np.random.default_rng(0)
    texts = list(dict.fromkeys(" ".join(rng.choice(words, 9)) for _ in range(ENTRIES + CALLS + 20)))
    start = time.perf_counter()
    faq = ns.FAQ(texts[:ENTRIES])
    built = time.perf_counter() - start
    for text in texts[ENTRIES : ENTRIES + 20]:
        faq.answer(text)
    times = []
    for text in texts[ENTRIES + 20 :][:CALLS]:
        start = time.perf_counter()
        faq.answer(text)
        times.append((time.perf_counter() - start) * 1000)
    return {
        "entries": ENTRIES,
        "seconds_to_build": built,
        "p50_ms": statistics.median(times),
        "p95_ms": float(np.quantile(times, 0.95)),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--prior", type=Path)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--without-data", action="store_true", help="the shop and the latency alone")
    options = parser.parse_args()
    if not options.without_data:
        require_data()
    warnings.simplefilter("ignore")
    if options.prior:
        other = json.loads(options.prior.read_text(encoding="utf-8"))
        certainty.general = lambda: other
    found: dict[str, dict[str, float]] = {"latency": latency()}
    print("latency", {name: round(value, 1) for name, value in found["latency"].items()}, flush=True)
    encoder = cached(ns.load())
    found["shop"] = shop(encoder)
    print("shop", found["shop"], flush=True)
    if not options.without_data:
        cases = {
            "clinc150, all phrasings": lambda: clinc(encoder, None),
            "clinc150, all, 400 labelled": lambda: clinc(encoder, None, labelled=True),
            "clinc150, 10 phrasings": lambda: clinc(encoder, 10),
            "clinc150, 3 phrasings": lambda: clinc(encoder, 3),
            "clinc150, 1 phrasing": lambda: clinc(encoder, 1),
            "banking77, all phrasings": lambda: banking(encoder, None),
            "banking77, 10 phrasings": lambda: banking(encoder, 10),
            "banking77, 3 phrasings": lambda: banking(encoder, 3),
            "banking77, 1 phrasing": lambda: banking(encoder, 1),
            "covid-faq": lambda: covid(encoder),
        }
        for name, case in cases.items():
            found[name] = case()
            print(f"{name}:", ", ".join(f"{key} {value:.3f}" for key, value in found[name].items()), flush=True)
    if options.json:
        options.json.write_text(json.dumps(machine() | found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
