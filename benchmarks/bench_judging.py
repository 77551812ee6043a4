"""Whether the judgement of a training can be believed: intervals, false alarms, probabilities, beside their bars.

    python benchmarks/bench_judging.py [--rounds 400]
    NEARSENSE_DATA=... python benchmarks/bench_judging.py --train adapter [--folder trained]
    NEARSENSE_DATA=... python benchmarks/bench_judging.py --train fine-tuning [--set clinc150/train]

Simulated: how often the interval of a difference holds the truth, how often two models that are equally good are
told apart, how often a part of the general check set is named for nothing. With --train: ten texts a class
of 70 classes at most; what became better or worse, and how true the probabilities are on texts never seen, by the
calibration that the folder carries: of texts looked up in the file, of `ns.search` in it, and of texts looked up
among each other.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

import nearsense as ns
from nearsense.calibration.probe import probe_pairs
from nearsense.metrics import expected_calibration_error
from nearsense.training.examples import Examples, Kind, read_examples
from nearsense.training.general import _parts, compared
from nearsense.training.judging import judge
from nearsense.training.meaning import pairs_of, stated
from nearsense.training.report import conclude
from nearsense.training_results import TrainingReport, Verdict

PER_INTENT, INTENTS = 10, 70


class Table(ns.Encoder):
    """A model that gives each text of a table its score with every text that is in none."""

    dimension, max_tokens = 2, 256

    def __init__(self, name: str, scores: dict[str, float]) -> None:
        self.name = self.fingerprint = name
        self.angles = {text: float(np.arccos(np.clip(score, -1, 1))) for text, score in scores.items()}

    def encode(self, texts: Any, **options: Any) -> ns.Vectors:
        angles = np.array([self.angles.get(text, 0.0) for text in texts])
        data = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
        return ns.Vectors(data, self.fingerprint, np.zeros(len(data), bool), self.name)


def told(what: str, found: str, bar: str) -> None:
    """One figure beside its bar."""
    print(f"{what:<78} {found:>10}   {bar}", flush=True)


def simulated(rounds: int) -> None:
    """Intervals and false alarms, of models whose truth is known."""
    chance, n, held, apart = np.random.default_rng(0), 80, 0, 0
    left, right = [f"asked {row}" for row in range(n)], [f"text {row}" for row in range(n)]
    before, after = 0.6, 0.75
    truth_of_difference = 6 / np.pi * (np.arcsin(after / 2) - np.arcsin(before / 2))
    for _ in range(rounds):
        truth, shared = chance.normal(size=(2, n))
        noise = [0.7 * shared + np.sqrt(0.51) * chance.normal(size=n) for _ in range(2)]
        scores = [np.tanh(r * truth + np.sqrt(1 - r * r) * e) for r, e in zip((before, after), noise, strict=True)]
        grades = ((truth - truth.min()) / np.ptp(truth)).tolist()
        made = [Table(str(at), dict(zip(right, own.tolist(), strict=True))) for at, own in enumerate(scores)]
        examples = Examples(kind=Kind.GRADED, texts=(left, right), truth=grades)
        main = judge(*made, examples, general=False, resamples=1000, errors=0).main
        held += main.difference.low <= truth_of_difference <= main.difference.high
        equal = np.tanh(0.6 * truth + 0.8 * chance.normal(size=(2, n)))
        made = [Table(str(at), dict(zip(right, own.tolist(), strict=True))) for at, own in enumerate(equal)]
        apart += judge(*made, examples, general=False, resamples=1000, errors=0).verdict is not Verdict.NOT_PROVEN
    told(f"interval of a Spearman difference holds the truth, {n} pairs", f"{held / rounds:.1%}", "about 95 %")
    told("two models that are equally good are told apart", f"{apart / rounds:.1%}", "<= 5 %")
    pairs = [("en", pair) for pair in probe_pairs("en")]
    same, parts = np.array([pair.relation == "same" for _, pair in pairs]), list(_parts(pairs).values())
    named = 0
    for round_ in range(rounds):
        base = 1.5 * same + chance.normal(size=len(same))
        both = base + chance.normal(0, 0.5, (2, len(same)))
        named += any(p < 0.05 for *_, p in compared(*both, same, parts, seed=round_, exchanges=400))
    told(f"a part of the check set is named for nothing, {len(parts)} parts", f"{named / rounds:.1%}", "<= 5 %")


def parts_of(data: Examples) -> tuple[Examples, Examples, Examples, Examples, Examples]:
    """What is learnt from; dev, test; what the verdict comes from, new intents too; what probabilities do."""
    labels, chance = np.array(data.truth), np.random.default_rng(0)
    rows = [chance.permutation(np.flatnonzero(labels == name)) for name in data.labels]
    rows = [each for each in rows if len(each) > PER_INTENT + 20]
    ten = chance.permutation(np.concatenate([each[:PER_INTENT] for each in rows[:INTENTS]]))
    cut = len(ten) // 10
    test = np.array([each[PER_INTENT] for each in rows[:INTENTS]])
    judged = np.concatenate([each[11:31] for each in rows])
    others = np.concatenate([each[31:41] for each in rows[:INTENTS]])
    return data.take(ten[cut:]), data.take(ten[:cut]), data.take(test), data.take(judged), data.take(others)


def trained(how: str, folder: Path, train: Examples, dev: Examples, seed: int) -> float:
    """A model made of the default one, in a folder; how many seconds that took."""
    begin = time.perf_counter()
    if how == "adapter":  # with dev: what it carries is fitted to pairs of its own folds
        both = [*zip(train.texts[0], train.truth, strict=True), *zip(dev.texts[0], dev.truth, strict=True)]
        adapter = ns.train_adapter(both, kind="classes", seed=seed, output=folder)
        print(adapter)
        if not folder.exists():
            sys.exit("nothing is written: no adapter does better here")
    else:
        ns.train(train, dev=dev, test=0.0, output=folder, seed=seed)
    return time.perf_counter() - begin


def real(how: str, folder: Path, set_: str) -> None:
    """A set of intents: what became of the model, and whether its probabilities hold."""
    data = read_examples(Path(os.environ["NEARSENSE_DATA"]) / f"{set_}.jsonl.gz")
    train, dev, test, judged, others = parts_of(data)
    seconds = trained(how, folder, train, dev, 0)
    before, after = ns.load(), ns.load(str(folder))
    report = TrainingReport(
        model=folder.name, folder=str(folder), fingerprint=after.fingerprint, parent=before.name,
        parent_fingerprint=before.fingerprint, method=how, kind=train.kind.value, examples=len(train),
        texts=len(train), held_out=len(dev) + len(test), seconds=seconds,
    )  # fmt: skip
    if how != "adapter":
        begin = time.perf_counter()
        report = conclude(report, folder, before, after, known=train, dev=dev, test=test)
        told("judging, calibrating and writing took, seconds", f"{time.perf_counter() - begin:.0f}", "")
        print(report.judgement)
    if how == "adapter":
        train = Examples(
            kind=train.kind, texts=((*train.texts[0], *dev.texts[0]),), truth=(*train.truth, *dev.truth)
        )
    found = judge(before, ns.load(str(folder)), judged, known=train)
    print(found)
    main = found.main
    told(f"{main.title}: {main.difference}", f"{100 * main.difference.value:+.1f}", ">= +3 points")
    after = ns.load(str(folder))
    for said, asked, known in (
        ("probabilities of unseen texts looked up in the file: ECE", others, train),
        ("of unseen texts looked up among each other, ten a class: ECE", others, None),
    ):
        true, why = stated(after, pairs_of(after, asked, known=known))
        told(said, why if true is None else f"{true.ece:.3f}", "<= 0.05")
    hits = ns.search_many(list(others.texts[0]), list(train.texts[0]), k=10, encoder=after)
    own = dict(zip(train.texts[0], train.truth, strict=True))
    right = [
        own[hit.text] == label for label, own_hits in zip(others.truth, hits, strict=True) for hit in own_hits
    ]
    said = [hit.probability for own_hits in hits for hit in own_hits]
    told(
        "of ns.search(unseen text, texts of the file): ECE",
        f"{expected_calibration_error(right, said):.3f}",
        "<= 0.05",
    )


def main() -> None:
    """See above."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=400)
    parser.add_argument("--train", choices=["adapter", "fine-tuning"])
    parser.add_argument("--set", default="banking77/train", help="Texts with labels, such as clinc150/train.")
    parser.add_argument("--folder", type=Path)
    options = parser.parse_args()
    if options.train is None:
        simulated(options.rounds)
        return
    if "NEARSENSE_DATA" not in os.environ:
        sys.exit("NEARSENSE_DATA names no folder with banking77/train.jsonl.gz")
    with tempfile.TemporaryDirectory() as place:
        real(options.train, options.folder or Path(place) / "trained", options.set)


if __name__ == "__main__":
    main()
