"""What a FAQ goes by before it knows anything of itself: writes src/nearsense/faq/prior.json.

    NEARSENSE_DATA=... python benchmarks/fit_faq.py [--without clinc150] [--write src/nearsense/faq/prior.json]

From public sets hundreds of small and large FAQs are drawn: n intents (or, of question pairs, n first questions)
with m phrasings each. They are asked the remaining phrasings (the second questions of the pairs), questions of
the same set that belong to none of their entries, and questions of other sets. On features of the scores two
logistic curves are fitted, each set with the same weight. Only coefficients and scores go into the file, no text.
"""

from __future__ import annotations

import argparse
import gzip
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from machine import SETS, require_data

import nearsense as ns
from nearsense.faq.certainty import features, fit_curve, spread_of
from nearsense.faq.rehearsal import SIZES, Asked, outsiders, size_of, strangers_of
from nearsense.faq.scores import Nearness, Phrasebook, top_two

ENTRIES, PHRASINGS = (1, 2, 5, 10, 20, 50, 70, 120), (1, 2, 3, 5, 10, 30)
PAIR_ENTRIES = (1, 2, 5, 10, 20, 50, 100, 300, 1000, 4000)
ASKED = 100
"""Questions of each kind of stranger for each FAQ; of those with an entry twice as many."""
SHARES = {"known": 0.5, "akin": 0.25, "outside": 0.25}
LOANS = 150


@dataclass
class Drawn:
    """A FAQ that was drawn, and what its questions scored."""

    origin: str
    entries: int
    phrasings: int
    x: dict[str, np.ndarray]
    right: np.ndarray


def rows(name: str) -> list[dict]:
    with gzip.open(SETS / f"{name}.jsonl.gz", "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def drawn(
    origin: str, phrasings: np.ndarray, m: int, asked: dict[str, np.ndarray], truth: np.ndarray, out: np.ndarray
) -> Drawn:
    n = len(phrasings) // m
    near = Phrasebook(phrasings, np.repeat(np.arange(n), m)).near(Nearness.MIX if m > 1 else Nearness.NEAREST)
    _, first, second = top_two(near.scores(out))
    scale = strangers_of(Asked(first, second, first < -1), spread_of(out), float(m))[1]
    x, right = {}, np.zeros(0)
    for kind, vectors in asked.items():
        best, first, second = top_two(near.scores(vectors))
        x[kind] = features(first, second, scale)
        if kind == "known":
            right = (best == truth).astype(float)
    return Drawn(origin, n, m, x, right)


def of_intents(
    origin: str,
    vectors: np.ndarray,
    labels: np.ndarray,
    far: np.ndarray,
    out: np.ndarray,
    rng: np.random.Generator,
) -> Iterator[Drawn]:
    names = np.unique(labels)
    of = {name: np.flatnonzero(labels == name) for name in names}
    for n in (n for n in ENTRIES if n < len(names) - 1):
        for m in PHRASINGS:
            for _ in range(12 if n <= 5 else 4):
                chosen = rng.choice([name for name in names if len(of[name]) > m + 1], n, replace=False)
                mixed = [rng.permutation(of[name]) for name in chosen]
                book = np.concatenate([each[:m] for each in mixed])
                rest = [each[m : m + max(2, 2 * ASKED // n)] for each in mixed]
                truth = np.repeat(np.arange(n), [len(each) for each in rest])
                some = rng.permutation(len(truth))[: 2 * ASKED]
                others = np.flatnonzero(~np.isin(labels, chosen))
                asked = {
                    "known": vectors[np.concatenate(rest)[some]],
                    "akin": vectors[rng.choice(others, ASKED)],
                    "outside": far[rng.choice(len(far), ASKED)],
                }
                yield drawn(origin, vectors[book], m, asked, truth[some], out)


def of_pairs(
    origin: str, a: np.ndarray, b: np.ndarray, far: np.ndarray, out: np.ndarray, rng: np.random.Generator
) -> Iterator[Drawn]:
    for n in PAIR_ENTRIES:
        for _ in range(24 if n <= 5 else 8):
            order = rng.permutation(len(a))
            some = rng.permutation(n)[: 2 * ASKED]
            asked = {
                "known": b[order[:n][some]],
                "akin": b[rng.choice(order[n:], ASKED)],
                "outside": far[rng.choice(len(far), ASKED)],
            }
            yield drawn(origin, a[order[:n]], 1, asked, some, out)


def all_drawn(seed: int = 0) -> list[Drawn]:
    encoder, rng = ns.load(), np.random.default_rng(seed)

    def encode(texts: list[str]) -> np.ndarray:
        return encoder.encode(texts).data

    out = encode(list(outsiders()))
    clinc = [row for row in rows("clinc150/train") if row["label"] != "oos"]
    banking, pairs = rows("banking77/train"), [row for row in rows("quora/dev") if int(row["label"]) == 1]
    trec = encode([row["text"] for row in rows("clustering/trec-questions-train")])
    vectors = {"clinc150": encode([r["text"] for r in clinc]), "banking77": encode([r["text"] for r in banking])}
    a, b = encode([row["a"] for row in pairs]), encode([row["b"] for row in pairs])
    far = {
        "clinc150": np.concatenate([trec, a]),
        "banking77": np.concatenate([trec, vectors["clinc150"]]),
        "quora": np.concatenate([vectors["clinc150"], vectors["banking77"]]),
    }
    found = list(of_pairs("quora", a, b, far["quora"], out, rng))
    for name, source in (("clinc150", clinc), ("banking77", banking)):
        labels = np.array([row["label"] for row in source])
        found += of_intents(name, vectors[name], labels, far[name], out, rng)
    return found


def fitted(faqs: list[Drawn]) -> dict:
    """The coefficients, each set and within it each FAQ with the same weight."""
    of = {origin: sum(faq.origin == origin for faq in faqs) for origin in {faq.origin for faq in faqs}}
    x, known, weights, rights, right_weights = [], [], [], [], []
    for faq in faqs:
        for kind, share in SHARES.items():
            each = faq.x[kind]
            x.append(each)
            known.append(np.full(len(each), float(kind == "known")))
            weights.append(np.full(len(each), 30_000 * share / len(each) / of[faq.origin]))
        rights.append(faq.right)
        right_weights.append(np.full(len(faq.right), 30_000 * SHARES["known"] / len(faq.right) / of[faq.origin]))
    zeros = np.zeros(5)
    inside = np.concatenate([faq.x["known"] for faq in faqs])
    return {
        "known": fit_curve(np.concatenate(x), np.concatenate(known), np.concatenate(weights), zeros, 1e-3)[0],
        "right": fit_curve(inside, np.concatenate(rights), np.concatenate(right_weights), zeros, 1e-3)[0],
    }


def loans(faqs: list[Drawn], rng: np.random.Generator) -> dict[str, dict[str, list[list[float]]]]:
    """Questions of FAQs with one phrasing an entry: above strangers, above the second, right or not.

    By the size of the FAQ; FAQs of one entry lend nothing.
    """
    lent: dict[str, dict[str, list[list[float]]]] = {}
    for size in SIZES:
        lent[size] = {}
        own = [faq for faq in faqs if faq.phrasings == 1 and faq.entries > 1 and size_of(faq.entries) == size]
        origins = sorted({faq.origin for faq in own})
        for kind in SHARES:
            table = []
            for origin in origins:
                some = [faq for faq in own if faq.origin == origin]
                both = np.concatenate([faq.x[kind][:, 1:3] for faq in some])
                right = np.concatenate(
                    [faq.right if kind == "known" else np.zeros(len(faq.x[kind])) for faq in some]
                )
                for row in rng.choice(len(both), min(LOANS // len(origins), len(both)), replace=False):
                    table.append([round(float(both[row, 0]), 3), round(float(both[row, 1]), 3), int(right[row])])
            lent[size][kind] = table
    return lent


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--without", default="", help="leave a set out, to measure on it")
    parser.add_argument("--write", type=Path, default=Path("src/nearsense/faq/prior.json"))
    options = parser.parse_args()
    require_data()
    faqs = [faq for faq in all_drawn() if faq.origin != options.without]
    curves = {name: [round(float(each), 4) for each in theta] for name, theta in fitted(faqs).items()}
    known = {
        "made_by": "benchmarks/fit_faq.py",
        "model": ns.load().name,
        "sets": {origin: sum(f.origin == origin for f in faqs) for origin in sorted({f.origin for f in faqs})},
        "questions": int(sum(len(x) for faq in faqs for x in faq.x.values())),
        "curves": curves,
        "borrowed": loans(faqs, np.random.default_rng(1)),
    }
    lines = [f" {json.dumps(name)}: {json.dumps(value)}" for name, value in known.items()]
    options.write.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")
    print(options.write, json.dumps(curves))


if __name__ == "__main__":
    main()
