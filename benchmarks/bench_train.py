"""What training makes of a model, on sets that it was not trained on: each job prints its figures beside the bars.

    NEARSENSE_DATA=/path/to/sets python benchmarks/bench_train.py --job intents

intents      10 texts an intent of banking77: nearest-centre accuracy on all other texts; on 17 intents that were
             left out of training; on clinc150 and stsb dev, which it was not meant for
cosine       stsb en-train, cosine regression: Spearman on stsb en-dev
softmax      entailment of nli, [u, v, |u - v|]: Spearman on stsb en-dev, and its own held-out pairs
triplets     triplets of nli: accuracy on its own held-out triplets
choose       which loss of classes, by learning rate, on four sets of 10 texts a class: the ground for the default
models       a few steps of other models (--model FOLDER, several): do they train, and do both engines agree?

All models are trained in a temporary folder; --keep FOLDER keeps it. Seeds are fixed.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path

import numpy as np
from machine import SETS, require_data

import nearsense as ns
from nearsense.metrics import paired_bootstrap, weighted_mean
from nearsense.training.examples import Examples, Kind, read_examples
from nearsense.vectors.rows import normalize

PER_CLASS, MOST = 10, 10_000
RESULTS = Path(__file__).parent / "results" / "train.json"


def classes(data: Path, name: str) -> tuple[list[str], list[str]]:
    examples = read_examples(data / f"{name}.jsonl.gz")
    return list(examples.texts[0]), list(examples.truth)


def few(texts, labels, seed=0, per_class=PER_CLASS):
    """So many texts of each class, and all others; classes without others are left out."""
    rng, chosen = np.random.default_rng(seed), []
    for label in dict.fromkeys(labels):
        rows = [row for row, each in enumerate(labels) if each == label]
        if len(rows) > per_class + 2:
            chosen += sorted(rng.permutation(rows)[:per_class].tolist())
    some = {labels[row] for row in chosen}
    known = {texts[row] for row in chosen}
    others = [row for row, each in enumerate(labels) if each in some and texts[row] not in known]
    return chosen, np.random.default_rng(seed).permutation(others)[:MOST].tolist()


def examples_of(texts, labels, rows, name):
    return Examples(
        kind=Kind.CLASSES, texts=([texts[r] for r in rows],), truth=[labels[r] for r in rows], name=name
    )


def hits(encoder, known, asked):
    """Whether each asked text is nearest to the centre of its own class."""
    vectors = dict(zip(known.texts[0], encoder.encode(known.texts[0]).data, strict=True))
    names = list(dict.fromkeys(known.truth))
    centres = np.array(
        [
            np.mean(
                [vectors[t] for t, own in zip(known.texts[0], known.truth, strict=True) if own == name], axis=0
            )
            for name in names
        ]
    )
    found = (encoder.encode(asked.texts[0]).data @ normalize(centres).T).argmax(axis=1)
    return np.array([names[at] == own for at, own in zip(found, asked.truth, strict=True)], np.float64)


def change(before, after, seed=0):
    """Both means and the difference with its interval, times 100."""
    difference = paired_bootstrap(weighted_mean(after), weighted_mean(before), len(before), seed=seed)
    return {
        "before": round(100 * float(before.mean()), 2),
        "after": round(100 * float(after.mean()), 2),
        "difference": [round(100 * each, 2) for each in (difference.value, difference.low, difference.high)],
    }


def stsb(encoder, data):
    return round(
        100
        * ns.evaluate(encoder, data / "stsb/en-dev.jsonl.gz", baselines=False)
        .systems[0]
        .figures["spearman"]
        .value,
        2,
    )


def say(name, **figures):
    print(json.dumps({"job": name, **figures}, ensure_ascii=False), flush=True)
    known = json.loads(RESULTS.read_text()) if RESULTS.is_file() else {}
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps({**known, name: figures}, indent=1) + "\n")


def agreement(folder, texts):
    """The least cosine of our engine's vectors with sentence-transformers', in f32 and bf16."""
    from sentence_transformers import SentenceTransformer

    truth = SentenceTransformer(str(folder), device="cpu").encode(texts, normalize_embeddings=True)
    found = {}
    for precision in ("f32", "bf16"):
        own = normalize(ns.load(str(folder), precision=precision).encode(texts).data)
        found[precision] = float((own * truth).sum(axis=1).min())
    return found


def intents(data, folder, args):
    texts, labels = classes(data, "banking77/train")
    chosen, others = few(texts, labels, args.seed)
    known, asked = examples_of(texts, labels, chosen, "known"), examples_of(texts, labels, others, "asked")
    start = time.monotonic()
    report = ns.train(known, output=folder / "banking77", seed=args.seed, progress=True, **args.options)
    seconds = time.monotonic() - start
    before, after = ns.load(), ns.load(str(folder / "banking77"))
    print(report)
    strange_texts, strange_labels = classes(data, "clinc150/train")
    a, b = few(strange_texts, strange_labels, args.seed)
    strange = [examples_of(strange_texts, strange_labels, rows, "clinc150") for rows in (a, b)]
    say(
        "intents", seconds=round(seconds), steps=report.steps, best_step=report.best_step,
        never_seen_texts=change(hits(before, known, asked), hits(after, known, asked)), texts=len(asked),
        bar="+3 points, the interval excludes 0, 1200 s on 2 cores",
        clinc150=change(hits(before, *strange), hits(after, *strange)),
        stsb_dev=[stsb(before, data), stsb(after, data)],
        agreement=agreement(folder / "banking77", list(asked.texts[0][:300])),
    )  # fmt: skip
    names = list(dict.fromkeys(labels))
    left = set(np.random.default_rng(args.seed + 1).permutation(names)[:17].tolist())
    learnt = [row for row in chosen if labels[row] not in left]
    report = ns.train(
        examples_of(texts, labels, learnt, "60 intents"), output=folder / "sixty", seed=args.seed, progress=True,
        **args.options,
    )  # fmt: skip
    after = ns.load(str(folder / "sixty"))
    was, now = hits(before, known, asked), hits(after, known, asked)
    new = np.array([label in left for label in asked.truth])
    say(
        "unseen intents",
        trained_on=60,
        seen_intents=change(was[~new], now[~new]),
        unseen_intents=change(was[new], now[new]),
    )


def cosine(data, folder, args):
    options = {"dev": 0.1, "test": 0.1} | args.options
    report = ns.train(
        data / "stsb/en-train.jsonl.gz", output=folder / "stsb", seed=args.seed, progress=True, **options
    )
    print(report)
    after = ns.load(str(folder / "stsb"))
    say("cosine", loss=report.loss, seconds=round(report.seconds), steps=report.steps, best_step=report.best_step,
        stsb_dev=[stsb(ns.load(), data), stsb(after, data)], bar="rises")  # fmt: skip


def softmax(data, folder, args):
    report = ns.train(
        data / "nli/snli-dev.jsonl.gz", output=folder / "nli", seed=args.seed, progress=True, **args.options
    )
    print(report)
    after = ns.load(str(folder / "nli"))
    say("softmax", loss=report.loss, seconds=round(report.seconds), steps=report.steps, best_step=report.best_step,
        curve=[[p.step, p.held_loss, p.figure] for p in report.curve],
        stsb_dev=[stsb(ns.load(), data), stsb(after, data)], bar="trains, evaluates, saves")  # fmt: skip


def triplets(data, folder, args):
    report = ns.train(
        data / "nli/snli-dev-triplets.jsonl.gz",
        output=folder / "triplets",
        seed=args.seed,
        progress=True,
        **args.options,
    )
    print(report)
    after = ns.load(str(folder / "triplets"))
    say("triplets", loss=report.loss, seconds=round(report.seconds), steps=report.steps,
        best_step=report.best_step, curve=[[p.step, p.held_loss, p.figure] for p in report.curve],
        stsb_dev=[stsb(ns.load(), data), stsb(after, data)], bar="trains, evaluates, saves")  # fmt: skip


def choose(data, folder, args):
    """Each loss and rate on each set, so that what is best on the others can be seen."""
    sets = ["banking77/train", "clinc150/train", "clustering/trec-questions-train", "clustering/tweet2472"]
    for name in args.sets.split(",") if args.sets else sets:
        texts, labels = classes(data, name)
        chosen, others = few(texts, labels, args.seed)
        others = np.random.default_rng(0).permutation(others)[:2000].tolist()
        known, asked = examples_of(texts, labels, chosen, "known"), examples_of(texts, labels, others, "asked")
        was = hits(ns.load(), known, asked)
        for loss in args.losses.split(","):
            for lr in args.rates.split(","):
                target = folder / f"{name.replace('/', '-')}-{loss}-{lr}"
                options = {"dev": False, "test": False, "loss": loss, "lr": float(lr)} | args.options
                report = ns.train(known, output=target, seed=args.seed, **options)
                now = hits(ns.load(str(target)), known, asked)
                say(
                    f"choose {name} {loss} {lr} {options}",
                    seconds=round(report.seconds),
                    steps=report.steps,
                    **change(was, now),
                )


def models(data, folder, args):
    for place, name in enumerate(args.model):
        rows = read_examples(data / "stsb/en-train.jsonl.gz").take(range(400))
        target = folder / f"model{place}"
        report = ns.train(
            rows, encoder=name, output=target, steps=8, batch=8, test=False, seed=args.seed, progress=True
        )
        say(f"models {Path(name).name}", seconds=round(report.seconds), losses=[p.loss for p in report.curve],
            agreement=agreement(target, list(rows.texts[0][:100])))  # fmt: skip


JOBS = {each.__name__: each for each in (intents, cosine, softmax, triplets, choose, models)}

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--job", choices=JOBS, required=True)
    parser.add_argument("--keep", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--model", action="append", default=[])
    parser.add_argument("--sets", default="")
    parser.add_argument("--losses", default="multiple-negatives,supervised-contrastive,batch-hard-triplet")
    parser.add_argument("--rates", default="2e-5,5e-5")
    parser.add_argument("--options", type=json.loads, default={}, help="further arguments of ns.train, as JSON")
    parser.add_argument("--most", type=int, default=MOST, help="texts that are asked of a set, at most")
    args = parser.parse_args()
    MOST = args.most
    require_data()
    with tempfile.TemporaryDirectory() as temporary:
        JOBS[args.job](SETS, args.keep or Path(temporary), args)
