"""Reranking: nearsense beside sentence-transformers' CrossEncoder, on the same pairs, in one run.

    python benchmarks/bench_rerank.py [--rounds 7] [--json benchmarks/results/rerank.json]

Both run the same cross-encoder from the same folder: 6 layers of 384, as ms-marco-MiniLM-L6-v2 has them, with
random weights (speed does not depend on their values), on all cores, from strings to scores, tokenizing included:
one query of 8 tokens and 100 candidates of about 100. In each round each engine scores them once, in turn.
"""

from __future__ import annotations

import argparse
import ast
import json
import shutil
import statistics
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
from bench_encode import texts_of
from machine import machine, told, version

import nearsense as ns
from nearsense.encoders.folder import find

CANDIDATES, TOKENS = 100, 100
QUERY = "how do I read a file line by line"
BASE = "sentence-transformers"

Score = Callable[[list[tuple[str, str]]], np.ndarray]


def cross_encoder(folder: Path) -> Path:
    """A folder with the sizes and the tokenizer of MiniLM-L6, and random weights."""
    import torch
    from transformers import AutoConfig, AutoModelForSequenceClassification

    source = find("all-MiniLM-L6-v2").path
    config = AutoConfig.from_pretrained(source)
    config.num_labels = 1
    torch.manual_seed(0)
    AutoModelForSequenceClassification.from_config(config).save_pretrained(folder)
    for name in ("tokenizer.json", "tokenizer_config.json", "vocab.txt", "special_tokens_map.json"):
        if (source / name).is_file():
            shutil.copy(source / name, folder / name)
    settings = json.loads((folder / "tokenizer_config.json").read_text())
    (folder / "tokenizer_config.json").write_text(json.dumps(settings | {"model_max_length": 512}))
    return folder


def nearsense_engine(folder: Path, precision: str) -> Score:
    cross = ns.load_cross(str(folder), precision=precision)
    return lambda pairs: cross.score(pairs, logits=True)


def sentence_transformers_engine(folder: Path) -> Score:
    import torch
    from sentence_transformers import CrossEncoder

    model = CrossEncoder(str(folder), device="cpu")
    return lambda pairs: model.predict(pairs, activation_fn=torch.nn.Identity(), show_progress_bar=False)


def measure(rounds: int) -> dict:
    folder = cross_encoder(Path(tempfile.mkdtemp()))
    texts = texts_of(TOKENS, CANDIDATES)
    pairs = [(QUERY, text) for text in texts]
    engines: dict[str, Score] = {
        "nearsense auto": nearsense_engine(folder, "auto"),
        "nearsense f32": nearsense_engine(folder, "f32"),
        BASE: sentence_transformers_engine(folder),
    }
    truth = engines[BASE](pairs)
    furthest = {name: float(np.abs(score(pairs) - truth).max()) for name, score in engines.items()}
    times: dict[str, list[float]] = {name: [] for name in engines}
    for number in range(rounds):
        for name, score in engines.items():
            start = time.perf_counter()
            score(pairs)
            times[name].append(time.perf_counter() - start)
        print(f"round {number + 1} of {rounds}", file=sys.stderr)
    base = statistics.median(times[BASE])
    return machine() | {
        "versions": {name: version(name) for name in ("nearsense", "openvino", "torch", "sentence-transformers")},
        "rounds": rounds,
        "candidates": CANDIDATES,
        "tokens_a_candidate": float(ns.load().count_tokens(texts).mean()),
        "engines": {
            name: {
                "seconds": (median := statistics.median(taken)),
                "ratio": base / median,
                "furthest_from_sentence_transformers": furthest[name],
            }
            for name, taken in times.items()
        },
    }


def show(report: dict) -> None:
    print(told(report))
    print(f"{report['candidates']} candidates of {report['tokens_a_candidate']:.0f} tokens")
    print(f"{'':26}{'seconds':>10}{'ratio':>8}{'logits differ by':>18}")
    for engine, figures in report["engines"].items():
        print(
            f"{engine:26}{figures['seconds']:10.3f}{figures['ratio']:8.2f}"
            f"{figures['furthest_from_sentence_transformers']:18.6f}"
        )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=ast.get_docstring(ast.parse(Path(__file__).read_text())))
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    warnings.filterwarnings("ignore")
    result = measure(arguments.rounds)
    show(result)
    if arguments.json:
        arguments.json.write_text(json.dumps(result, indent=2) + "\n")
