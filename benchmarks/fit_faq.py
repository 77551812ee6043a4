"""What a FAQ goes by before it knows anything of itself: writes src/nearsense/faq/prior.json.

    NEARSENSE_DATA=... python benchmarks/fit_faq.py [--without clinc150] [--write src/nearsense/faq/prior.json]

From public sets hundreds of small and large FAQs are drawn: n intents (or, of question pairs, n first questions)
with m phrasings each. They are asked the remaining phrasings (the second questions of the pairs), questions of
the same set that belong to none of their entries, and questions of other sets. made_faqs.jsonl holds six FAQs with
answers that were written for this, with questions in the words of those who ask and with strangers; they are drawn
with some entries left out, once with their answers and once without. On features of the scores logistic curves are
fitted, each set with the same weight, apart for FAQs with one phrasing an entry. Only coefficients and scores go
into the file, no text.
"""

from __future__ import annotations

import argparse
import gzip
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from machine import SETS, require_data

import nearsense as ns
from nearsense.faq.certainty import features, fit_curve, spread_of
from nearsense.faq.rehearsal import SIZES, Asked, outsiders, size_of, strangers_of
from nearsense.faq.scores import GONE, Answers, Nearness, Phrasebook, sentences, top_two

ENTRIES, PHRASINGS = (1, 2, 5, 10, 20, 50, 70, 120), (1, 2, 3, 5, 10, 30)
PAIR_ENTRIES = (1, 2, 5, 10, 20, 50, 100, 300, 1000, 4000)
ASKED = 100
"""Questions of each kind of stranger for each FAQ; of those with an entry twice as many."""
SHARES = {"known": 0.5, "akin": 0.25, "outside": 0.25}
LOANS = 200
MADE, MADE_DRAWS = Path(__file__).with_name("made_faqs.jsonl"), 30


@dataclass
class Drawn:
    """A FAQ that was drawn, and what its questions scored."""

    origin: str
    entries: int
    phrasings: int
    x: dict[str, np.ndarray]
    right: np.ndarray
    to_fourth: np.ndarray
    """Features of the known questions as "did you mean" has them."""
    listed: np.ndarray
    """Whether the right entry is one of the best three."""


def rows(name: str) -> list[dict]:
    with gzip.open(SETS / f"{name}.jsonl.gz", "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def drawn(
    origin: str, phrasings: np.ndarray, m: int, asked: dict[str, np.ndarray], truth: np.ndarray, out: np.ndarray
) -> Drawn:
    book = Phrasebook(phrasings, np.repeat(np.arange(len(phrasings) // m), m))
    return asked_of(origin, book, asked, truth, out)


def asked_of(
    origin: str, book: Phrasebook, asked: dict[str, np.ndarray], truth: np.ndarray, out: np.ndarray
) -> Drawn:
    n, m = len(book.counts), len(book.owner) // len(book.counts)
    near = book.near(Nearness.MIX if m > 1 else Nearness.NEAREST)
    _, first, second = top_two(near.scores(out))
    scale = strangers_of(Asked(first, second, first < -1), spread_of(out), float(m), near.answered)[1]
    x = {}
    for kind, vectors in asked.items():
        scores = near.scores(vectors)
        best, first, second = top_two(scores)
        x[kind] = features(first, second, scale)
        if kind == "known":
            right = (best == truth).astype(float)
            of_right = scores[np.arange(len(truth)), truth]
            listed = ((scores > of_right[:, None]).sum(1) < 3).astype(float)
            fourth = np.sort(scores, axis=1)[:, -4] if n > 3 else np.full(len(first), GONE)
            to_fourth = features(first, fourth, scale)
    return Drawn(origin, n, m, x, right, to_fourth, listed)


def of_made(encoder: ns.Encoder, far: np.ndarray, out: np.ndarray, rng: np.random.Generator) -> Iterator[Drawn]:
    """The FAQs that were written, with some of their entries, once with and once without their answers."""
    table = [json.loads(line) for line in MADE.read_text(encoding="utf-8").splitlines()]
    for name in dict.fromkeys(row["faq"] for row in table):
        entries = [row for row in table if row["faq"] == name and "question" in row]
        (strangers,) = (row for row in table if row["faq"] == name and "near" in row)
        encoded = {
            "questions": encode(encoder, [row["question"] for row in entries]),
            "wholes": encode(encoder, [f"{row['question']} {row['answer']}" for row in entries]),
            "asked": encode(encoder, [text for row in entries for text in row["asked"]]),
            "near": encode(encoder, strangers["near"]),
            "far": encode(encoder, strangers["far"]),
        }
        parts = [encode(encoder, sentences(row["answer"])) for row in entries]
        truth = np.repeat(np.arange(len(entries)), [len(row["asked"]) for row in entries])
        for draw in range(MADE_DRAWS):
            size = len(entries) - draw % 5 if draw % 2 else int(rng.integers(2, len(entries)))
            kept = np.sort(rng.permutation(len(entries))[:size])
            place = np.full(len(entries), -1)
            place[kept] = np.arange(len(kept))
            known = place[truth] >= 0
            asked = {
                "known": encoded["asked"][known],
                "akin": np.concatenate([encoded["near"], encoded["asked"][~known]]),
                "outside": np.concatenate([encoded["far"], far[rng.choice(len(far), ASKED // 4)]]),
            }
            some = [parts[row] for row in kept]
            starts = np.cumsum([0, *map(len, some[:-1])])
            answers = Answers(np.arange(len(kept)), encoded["wholes"][kept], np.concatenate(some), starts)
            for origin, said in (("made", answers), ("made, without answers", None)):
                book = Phrasebook(encoded["questions"][kept], np.arange(len(kept)), said)
                yield asked_of(f"{origin}: {name}", book, asked, place[truth][known], out)


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
                if m == 1:
                    mixed = [plainest_first(vectors, each, int(rng.integers(1, 9))) for each in mixed]
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


def plainest_first(vectors: np.ndarray, rows: np.ndarray, of: int) -> np.ndarray:
    """The same rows; of the first few the one in their middle leads: an entry is worded plainly."""
    middle = int((vectors[rows[:of]] @ vectors[rows[:of]].T).sum(axis=1).argmax())
    return np.concatenate([rows[middle : middle + 1], np.delete(rows, middle)])


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


def encode(encoder: ns.Encoder, texts: list[str]) -> np.ndarray:
    return encoder.encode(texts).data


def all_drawn(seed: int = 0) -> list[Drawn]:
    encoder, rng = ns.load(), np.random.default_rng(seed)

    out = encode(encoder, list(outsiders()))
    clinc = [row for row in rows("clinc150/train") if row["label"] != "oos"]
    banking, pairs = rows("banking77/train"), [row for row in rows("quora/dev") if int(row["label"]) == 1]
    sources = {"clinc150": clinc, "banking77": banking}
    trec = encode(encoder, [row["text"] for row in rows("clustering/trec-questions-train")])
    vectors = {name: encode(encoder, [r["text"] for r in source]) for name, source in sources.items()}
    a, b = (encode(encoder, [row[side] for row in pairs]) for side in ("a", "b"))
    far = {
        "clinc150": np.concatenate([trec, a]),
        "banking77": np.concatenate([trec, vectors["clinc150"]]),
        "quora": np.concatenate([vectors["clinc150"], vectors["banking77"]]),
    }
    found = list(of_pairs("quora", a, b, far["quora"], out, rng))
    found += of_made(encoder, trec, out, rng)
    for name, source in sources.items():
        labels = np.array([row["label"] for row in source])
        found += of_intents(name, vectors[name], labels, far[name], out, rng)
    return found


def fitted(faqs: list[Drawn]) -> dict[str, np.ndarray]:
    """The coefficients, each set and within it each FAQ with the same weight."""
    sets = [set_of(faq) for faq in faqs]
    x, known, weights, rights, right_weights = [], [], [], [], []
    for faq, own in zip(faqs, sets, strict=True):
        for kind, share in SHARES.items():
            each = faq.x[kind]
            x.append(each)
            known.append(np.full(len(each), float(kind == "known")))
            weights.append(np.full(len(each), 30_000 * share / len(each) / sets.count(own)))
        rights.append(faq.right)
        right_weights.append(np.full(len(faq.right), 30_000 * SHARES["known"] / len(faq.right) / sets.count(own)))
    zeros, each = np.zeros(6), np.concatenate(right_weights)
    inside = np.concatenate([faq.x["known"] for faq in faqs])
    to_fourth, listed = (np.concatenate([getattr(faq, name) for faq in faqs]) for name in ("to_fourth", "listed"))
    return {
        "known": fit_curve(np.concatenate(x), np.concatenate(known), np.concatenate(weights), zeros, 1e-3)[0],
        "right": fit_curve(inside, np.concatenate(rights), each, zeros, 1e-3)[0],
        "listed": fit_curve(to_fourth, listed, each, zeros, 1e-3)[0],
    }


def set_of(faq: Drawn) -> str:
    return faq.origin.partition(":")[0]


def loans(faqs: list[Drawn], rng: np.random.Generator) -> dict[str, dict[str, list[list[float]]]]:
    """Questions of FAQs with one phrasing an entry: above strangers, above the second, the answers' part, right.

    By the size of the FAQ; FAQs of one entry lend nothing.
    """
    lent: dict[str, dict[str, list[list[float]]]] = {}
    for size in SIZES:
        lent[size] = {}
        own = [faq for faq in faqs if faq.phrasings == 1 and faq.entries > 1 and size_of(faq.entries) == size]
        origins = sorted({set_of(faq) for faq in own})
        for kind in SHARES:
            table = []
            for origin in origins:
                some = [faq for faq in own if set_of(faq) == origin]
                x = np.concatenate([faq.x[kind][:, [1, 2, 5]] for faq in some])
                right = np.concatenate(
                    [faq.right if kind == "known" else np.zeros(len(faq.x[kind])) for faq in some]
                )
                for row in rng.choice(len(x), min(LOANS // len(origins), len(x)), replace=False):
                    table.append([*(round(float(each), 3) for each in x[row]), int(right[row])])
            lent[size][kind] = table
    return lent


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--without", default="", help="leave a set out, to measure on it")
    parser.add_argument("--write", type=Path, default=Path("src/nearsense/faq/prior.json"))
    options = parser.parse_args()
    require_data()
    faqs = [faq for faq in all_drawn() if not options.without or not faq.origin.startswith(options.without)]
    written = prior_of(faqs)
    lines = [f" {json.dumps(name)}: {json.dumps(value)}" for name, value in written.items()]
    options.write.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")
    print(options.write, json.dumps(written["curves"]))


def prior_of(faqs: list[Drawn]) -> dict[str, Any]:
    """What goes into the file."""
    kinds = {
        "one": [faq for faq in faqs if faq.phrasings == 1],
        "several": [faq for faq in faqs if not faq.origin.startswith("made")],
    }
    sets = [set_of(faq) for faq in faqs]
    return {
        "made_by": "benchmarks/fit_faq.py",
        "model": ns.load().name,
        "sets": {name: sets.count(name) for name in sorted(set(sets))},
        "questions": int(sum(len(x) for faq in faqs for x in faq.x.values())),
        "curves": {
            kind: {name: [round(float(each), 4) for each in theta] for name, theta in fitted(some).items()}
            for kind, some in kinds.items()
        },
        "borrowed": {kind: loans(some, np.random.default_rng(1)) for kind, some in kinds.items()},
    }


if __name__ == "__main__":
    main()
