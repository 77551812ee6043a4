"""Makes the calibration that is shipped for a model: src/nearsense/calibration/shipped/NAME.json.

    NEARSENSE_DATA=/path/to/sets python scripts/ship_calibration.py

Three tasks, each from public sets that docs/calibration.md names. Only coefficients, sizes and figures leave this
script, no text. Sets of a task count alike: of each as many pairs that are the same as that are not, at most
`MOST` of both.
"""

from __future__ import annotations

import gzip
import json
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

import nearsense as ns
from nearsense.calibration import Background, Calibration, background_of, learnt
from nearsense.guard import differences_many
from nearsense.types import Origin

DATA = Path(os.environ.get("NEARSENSE_DATA", "../shared/data"))
SHIPPED = Path(__file__).parents[1] / "src/nearsense/calibration/shipped"
MOST = 5_000
NEAREST = 10

Kinds = list[list[str]]
Pairs = tuple[np.ndarray, np.ndarray, Background, Kinds | None]


def rows(name: str) -> Iterator[dict[str, Any]]:
    with gzip.open(DATA / f"{name}.jsonl.gz", "rt", encoding="utf-8") as lines:
        yield from map(json.loads, lines)


def pairs(name: str, same: Callable[[dict[str, Any]], bool]) -> Callable[[ns.Encoder], Pairs]:
    """Pairs of a file, with their label."""

    def read(encoder: ns.Encoder) -> Pairs:
        known = list(rows(name))
        left, right = (encoder.encode([row[side] for row in known]) for side in "ab")
        labels = np.array([same(row) for row in known])
        seen = differences_many([row["a"] for row in known], [row["b"] for row in known])
        kinds = [[each.kind.value for each in found] for found in seen]
        return (left.data * right.data).sum(axis=1), labels, background(left), kinds

    return read


def retrieved(name: str, queries: str, corpus: str) -> Callable[[ns.Encoder], Pairs]:
    """The 10 nearest texts of each query, and whether they were judged to answer it."""

    def read(encoder: ns.Encoder) -> Pairs:
        documents = list(rows(f"{name}/{corpus}"))
        ids = [str(document["id"]) for document in documents]
        passages = encoder.encode([f"{each['title']} {each['text']}".strip() for each in documents], long="head")
        asked = list(rows(f"{name}/{queries}"))
        relevant = [{str(key) for key, grade in each["rel"].items() if grade > 0} for each in asked]
        return nearest(encoder.encode([each["query"] for each in asked]), passages, ids, relevant)

    return read


def answers(name: str) -> Callable[[ns.Encoder], Pairs]:
    """The 10 nearest of all candidate sentences."""

    def read(encoder: ns.Encoder) -> Pairs:
        asked = list(rows(name))
        passages = encoder.encode([text for each in asked for text in each["candidates"]], long="head")
        ids = [f"{place}:{row}" for place, each in enumerate(asked) for row in range(len(each["candidates"]))]
        relevant = [
            {f"{place}:{row}" for row, label in enumerate(each["labels"]) if label > 0}
            for place, each in enumerate(asked)
        ]
        return nearest(encoder.encode([each["query"] for each in asked]), passages, ids, relevant)

    return read


def faq(name: str) -> Callable[[ns.Encoder], Pairs]:
    """The 10 nearest of all answers; a question's own is right."""

    def read(encoder: ns.Encoder) -> Pairs:
        known = list(rows(name))
        ids = [str(each["id"]) for each in known]
        passages = encoder.encode([each["answer"] for each in known], long="head")
        return nearest(encoder.encode([each["question"] for each in known]), passages, ids, [{id_} for id_ in ids])

    return read


def nearest(queries: ns.Vectors, passages: ns.Vectors, ids: list[str], relevant: list[set[str]]) -> Pairs:
    found = ns.metrics.top_k(queries.data, passages.data, NEAREST)
    labels = [ids[row] in right for hits, right in zip(found.ids, relevant, strict=True) for row in hits]
    return found.scores.ravel(), np.array(labels), background(passages), None


def background(*vectors: ns.Vectors) -> Background:
    first = vectors[0]
    data = np.concatenate([each.data for each in vectors])
    joined = ns.Vectors(data, first.fingerprint, np.zeros(len(data), bool), first.model)
    found = background_of(joined)
    assert found is not None, "a set is too small"
    return found


TASKS: dict[str, dict[str, Callable[[ns.Encoder], Pairs]]] = {
    "paraphrase": {
        "STS benchmark train (same: 4 of 5 or more)": pairs("stsb/en-train", lambda row: row["score"] >= 4),
        "SICK train (same: 4 of 5 or more, and no contradiction)": pairs(
            "sick/train", lambda row: row["score"] >= 4 and row["nli"] != "contradiction"
        ),
    },
    "question": {
        "Quora question pairs, balanced dev sample": pairs("quora/dev", lambda row: int(row["label"]) == 1)
    },
    "passage": {
        "SciFact train claims": retrieved("scifact", "queries-train", "corpus"),
        "Cranfield": retrieved("cranfield", "queries", "corpus"),
        "WikiQA dev": answers("answer-selection/wikiqa-dev"),
        "TREC-QA dev": answers("answer-selection/trecqa-dev"),
        "CDC questions and answers": faq("covid-faq/faqs-en"),
    },
}


def balanced(labels: np.ndarray, most: int) -> np.ndarray:
    """Rows: as many same pairs as others."""
    rng = np.random.default_rng(0)
    sides = [np.flatnonzero(labels == side) for side in (False, True)]
    size = min(most, *map(len, sides))
    return np.sort(np.concatenate([rng.choice(side, size, replace=False) for side in sides]))


def average(backgrounds: Iterable[Background]) -> Background:
    """Sets of a task count alike in what is near and what is random, too; rates are of the first."""
    known = list(backgrounds)
    sizes = {size for each in known for size in each.nearest}

    def mean(threes: Iterable[tuple[float, float, float]]) -> tuple[float, float, float]:
        low, middle, high = np.mean(list(threes), axis=0).tolist()
        return low, middle, high

    nearest = {size: mean(each.nearest[size] for each in known if size in each.nearest) for size in sorted(sizes)}
    return replace(known[0], random=mean(each.random for each in known), nearest=nearest)


def made(encoder: ns.Encoder, task: str) -> Calibration:
    most = MOST if len(TASKS[task]) == 1 else 1_500 if task == "paraphrase" else 400
    scores, labels, backgrounds, names = [], [], [], []
    kinds: Kinds = []
    for name, read in TASKS[task].items():
        all_scores, all_labels, own, all_kinds = read(encoder)
        kept = balanced(all_labels, most)
        some_scores, some_labels = all_scores[kept], all_labels[kept]
        kinds += [all_kinds[row] for row in kept] if all_kinds else []
        print(
            f"{task}: {name}: {len(all_labels):,} pairs, {all_labels.mean():.3f} same, {len(some_labels):,} taken"
        )
        scores.append(some_scores)
        labels.append(some_labels)
        backgrounds.append(own)
        names.append(f"{name}: {len(some_labels):,} pairs")
    calibration = learnt(
        np.concatenate(scores),
        np.concatenate(labels),
        Origin(encoder.name, encoder.fingerprint),
        task=task,
        background=average(backgrounds),
        made_from="; ".join(names),
        kinds=kinds or None,
    )
    print(calibration, dict(calibration.guard))
    return replace(calibration, prior=None)


def rounded(value: Any) -> Any:
    """Seven digits are enough."""
    if isinstance(value, float):
        return float(f"{value:.7g}")
    if isinstance(value, dict):
        return {name: rounded(each) for name, each in value.items()}
    return [rounded(each) for each in value] if isinstance(value, list) else value


def main() -> None:
    encoder = ns.load()
    made_by = "scripts/ship_calibration.py: each set balanced, the form with the least cross-validated log loss"
    known = {
        "fingerprint": encoder.fingerprint,
        "how": made_by,
        "tasks": {task: rounded(made(encoder, task).to_dict()) for task in TASKS},
    }
    SHIPPED.mkdir(exist_ok=True)
    (SHIPPED / f"{encoder.name}.json").write_text(json.dumps(known) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
