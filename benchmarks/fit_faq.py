"""What a FAQ goes by before it knows anything of itself: writes src/nearsense/faq/prior.json.

    NEARSENSE_DATA=... python benchmarks/fit_faq.py [--without clinc150] [--write src/nearsense/faq/prior.json]

From public sets hundreds of small and large FAQs are drawn: n intents (or, of question pairs, n first questions)
with m phrasings each. They are asked the remaining phrasings (the second questions of the pairs), questions of
the same set that belong to none of their entries, and questions of other sets. made_faqs.jsonl holds FAQs with
answers that were written for this, with questions in the words of those who ask and with strangers; the English
ones are drawn with some entries left out, also without their answers, and without comparing words. On features of
the scores logistic curves are fitted, each set with the same weight, apart for FAQs with one phrasing an entry.
Only coefficients and scores go into the file, no text.
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
from nearsense.faq.certainty import SIZES, UNITS, best_scores_of, features, fit_curve, size_of, strangers_of
from nearsense.faq.nearness import (
    GONE,
    AnswerVectors,
    Nearness,
    Phrasebook,
    Questions,
    Reader,
    WordVectors,
    sentences,
    spread_of,
)

ENTRIES, PHRASINGS = (1, 2, 5, 10, 20, 50, 70, 120), (1, 2, 3, 5, 10, 30)
PAIR_ENTRIES = (1, 2, 5, 10, 20, 50, 100, 300, 1000, 4000)
ASKED = 100
"""Questions of each kind of stranger for each FAQ; of those with an entry twice as many."""
SHARES = {"known": 0.5, "akin": 0.25, "outside": 0.25}
LOANS = 200
WORDLESS, PAIRS_WORDED = 4, 1000
"""One FAQ in so many is drawn without comparing words; and so are FAQs of pairs of more entries."""
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


def asked(
    origin: str, book: Phrasebook, questions: dict[str, Questions], truth: np.ndarray, out: Questions
) -> Drawn:
    n, m = len(book.counts), len(book.owner) // len(book.counts)
    near = book.near(Nearness.MIX if m > 1 else Nearness.NEAREST)
    found = best_scores_of(near.scored(out), np.full(len(out), -1))
    scale = strangers_of(found, spread_of(out.vectors), float(m), near.answered)[1]
    x = {}
    for kind, some in questions.items():
        scored = near.scored(some)
        mine = best_scores_of(scored, truth if kind == "known" else np.full(len(some), -1))
        x[kind] = mine.features(scale)
        if kind == "known":
            right, scores = mine.right.astype(float), scored.scores
            of_right = scores[np.arange(len(truth)), truth]
            listed = ((scores > of_right[:, None]).sum(1) < 3).astype(float)
            fourth = np.sort(scores, axis=1)[:, -4] if n > 3 else np.full(len(scores), GONE)
            to_fourth = features(mine.first, fourth, scale, mine.least)
    return Drawn(origin, n, m, x, right, to_fourth, listed)


def of_phrasings(vectors: Questions, rows: np.ndarray, m: int, words: bool) -> Phrasebook:
    """A FAQ of some texts, m an entry; words are compared where it is one."""
    own = vectors.words.take(rows) if m == 1 and words else None
    return Phrasebook(vectors.vectors[rows], np.repeat(np.arange(len(rows) // m), m), None, own, own)


def of_made(reader: Reader, far: Questions, out: Questions, rng: np.random.Generator) -> Iterator[Drawn]:
    """The English FAQs that were written, with some of their entries; also without answers, and without words."""
    table = [json.loads(line) for line in MADE.read_text(encoding="utf-8").splitlines()]
    table = [row for row in table if "language" not in row]
    for name in dict.fromkeys(row["faq"] for row in table):
        entries = [row for row in table if row["faq"] == name and "question" in row]
        (strangers,) = (row for row in table if row["faq"] == name and "near" in row)
        own = reader.questions([row["question"] for row in entries], True)
        wholes = reader.questions([f"{row['question']} {row['answer']}" for row in entries], True)
        texts = [text for row in entries for text in row["asked"]]
        put = {
            "known": reader.questions(texts, True),
            "near": reader.questions(strangers["near"], True),
            "far": reader.questions(strangers["far"], True),
        }
        parts = [reader.vectors(sentences(row["answer"])) for row in entries]
        truth = np.repeat(np.arange(len(entries)), [len(row["asked"]) for row in entries])
        for draw in range(MADE_DRAWS):
            size = len(entries) - draw % 5 if draw % 2 else int(rng.integers(2, len(entries)))
            kept = np.sort(rng.permutation(len(entries))[:size])
            place = np.full(len(entries), -1)
            place[kept] = np.arange(len(kept))
            known, near = place[truth] >= 0, np.arange(len(put["near"]))
            left = put["known"].take(np.flatnonzero(~known))
            questions = {
                "known": put["known"].take(np.flatnonzero(known)),
                "akin": joined(put["near"].take(np.resize(near, max(len(near), (~known).sum()))), left),
                "outside": joined(put["far"], far.take(rng.choice(len(far), ASKED // 4))),
            }
            some = [parts[row] for row in kept]
            starts = np.cumsum([0, *map(len, some[:-1])])
            said = AnswerVectors(np.arange(len(kept)), wholes.vectors[kept], np.concatenate(some), starts)
            vectors, rows, right = own.vectors[kept], np.arange(len(kept)), place[truth][known]
            asking, answering = own.words.take(kept), wholes.words.take(kept)
            for origin, book in (
                ("made", Phrasebook(vectors, rows, said, answering, asking)),
                ("made, without answers", Phrasebook(vectors, rows, None, asking, asking)),
                ("made, without words", Phrasebook(vectors, rows, said)),
            ):
                yield asked(f"{origin}: {name}", book, questions, right, out)


def joined(*parts: Questions) -> Questions:
    """Several lots of questions as one."""
    words = [part.words for part in parts]
    starts = np.cumsum(np.concatenate([[0], *(each.counts for each in words)]))[:-1]
    return Questions(
        np.concatenate([part.vectors for part in parts]),
        WordVectors(np.concatenate([each.vectors for each in words]), starts),
    )


def of_intents(
    origin: str,
    vectors: Questions,
    labels: np.ndarray,
    far: Questions,
    out: Questions,
    rng: np.random.Generator,
) -> Iterator[Drawn]:
    names = np.unique(labels)
    of = {name: np.flatnonzero(labels == name) for name in names}
    for n in (n for n in ENTRIES if n < len(names) - 1):
        for m in PHRASINGS:
            for draw in range(12 if n <= 5 else 4):
                chosen = rng.choice([name for name in names if len(of[name]) > m + 1], n, replace=False)
                mixed = [rng.permutation(of[name]) for name in chosen]
                if m == 1:
                    mixed = [plainest_first(vectors.vectors, each, int(rng.integers(1, 9))) for each in mixed]
                book = np.concatenate([each[:m] for each in mixed])
                rest = [each[m : m + max(2, 2 * ASKED // n)] for each in mixed]
                truth = np.repeat(np.arange(n), [len(each) for each in rest])
                some = rng.permutation(len(truth))[: 2 * ASKED]
                others = np.flatnonzero(~np.isin(labels, chosen))
                questions = {
                    "known": vectors.take(np.concatenate(rest)[some]),
                    "akin": vectors.take(rng.choice(others, ASKED)),
                    "outside": far.take(rng.choice(len(far), ASKED)),
                }
                phrasings = of_phrasings(vectors, book, m, words=draw % WORDLESS > 0)
                yield asked(origin, phrasings, questions, truth[some], out)


def plainest_first(vectors: np.ndarray, rows: np.ndarray, of: int) -> np.ndarray:
    """The same rows; of the first few the one in their middle leads: an entry is worded plainly."""
    middle = int((vectors[rows[:of]] @ vectors[rows[:of]].T).sum(axis=1).argmax())
    return np.concatenate([rows[middle : middle + 1], np.delete(rows, middle)])


def of_pairs(
    origin: str, a: Questions, b: Questions, far: Questions, out: Questions, rng: np.random.Generator
) -> Iterator[Drawn]:
    for n in PAIR_ENTRIES:
        for draw in range(24 if n <= 5 else 8):
            order = rng.permutation(len(a))
            some = rng.permutation(n)[: 2 * ASKED]
            questions = {
                "known": b.take(order[:n][some]),
                "akin": b.take(rng.choice(order[n:], ASKED)),
                "outside": far.take(rng.choice(len(far), ASKED)),
            }
            words = draw % WORDLESS > 0 and n <= PAIRS_WORDED
            yield asked(origin, of_phrasings(a, order[:n], 1, words), questions, some, out)


def all_drawn(seed: int = 0) -> list[Drawn]:
    rng = np.random.default_rng(seed)
    reader = Reader(ns.load(), [])

    def read(table: list[dict], name: str = "text") -> Questions:
        return reader.questions([row[name] for row in table], True)

    out = reader.questions(list(reader.outsiders), True)
    clinc = [row for row in rows("clinc150/train") if row["label"] != "oos"]
    banking, pairs = rows("banking77/train"), [row for row in rows("quora/dev") if int(row["label"]) == 1]
    sources = {"clinc150": clinc, "banking77": banking}
    trec = read(rows("clustering/trec-questions-train"))
    vectors = {name: read(source) for name, source in sources.items()}
    a, b = (read(pairs, side) for side in ("a", "b"))
    far = {
        "clinc150": joined(trec, a),
        "banking77": joined(trec, vectors["clinc150"]),
        "quora": joined(vectors["clinc150"], vectors["banking77"]),
    }
    found = list(of_pairs("quora", a, b, far["quora"], out, rng))
    found += of_made(reader, trec, out, rng)
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
    zeros, each = np.zeros(len(UNITS)), np.concatenate(right_weights)
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
    """What is lent of questions: above strangers, above the second, the answers' part, the two of words, right.

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
                x = np.concatenate([faq.x[kind][:, [1, 2, 5, 6, 7]] for faq in some])
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
        "several": [faq for faq in faqs if not faq.origin.startswith("made") and not faq.x["known"][0, 6]],
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
