"""Texts to vectors: nearsense beside its peers, on the same texts, in one run.

    python benchmarks/bench_encode.py [--rounds 5] [--json benchmarks/results/encode.json]

Every engine runs the same all-MiniLM-L6-v2 from the same files, on all cores, from strings to unit vectors,
tokenizing included. In each round each engine encodes each set once, one after the other; medians are compared.
The share is that of the machine's own rate of matrix products, in the precision that the engine runs in, which the
products of the model's linear layers take: what is left is attention, norms, tokenizing and waiting.
"""

from __future__ import annotations

import argparse
import ast
import json
import statistics
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
from machine import machine, native, told, version

import nearsense as ns
from nearsense.cli.demo import docstrings
from nearsense.encoders.folder import find

MODEL = "all-MiniLM-L6-v2"
SETS = {"short": (16, 2048), "medium": (60, 640), "long": (250, 160)}
"""Tokens a text, and how many texts."""

Encode = Callable[[list[str]], np.ndarray]


def texts_of(tokens: int, count: int) -> list[str]:
    """Stretches of the standard library's docstrings of about `tokens` tokens: 30 % spread, the long ones none."""
    chance = np.random.default_rng(0)
    words = " ".join(document.text for document in docstrings()).split()
    sizes = ns.load().count_tokens(words) - 2
    texts, place = [], 0
    for _ in range(count):
        goal = min(max(4, chance.normal(tokens, 0.3 * tokens)), 250) if tokens < 200 else tokens
        start, filled = place, 2
        while filled < goal:
            filled += int(sizes[place % len(sizes)])
            place += 1
        texts.append(" ".join(words[i % len(words)] for i in range(start, place)))
    return texts


def nearsense_engine(precision: str) -> Encode:
    encoder = ns.load(MODEL, precision=precision)
    return lambda texts: encoder.encode(texts, long="head").data


def sentence_transformers_engine(**options: object) -> Encode:
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(str(find(MODEL).path), device="cpu", **options)
    return lambda texts: model.encode(texts)


def onnxruntime_engine() -> Encode:
    """The model exported by torch, run by onnxruntime in batches of 32 of like length."""
    import onnxruntime
    import torch
    from tokenizers import Tokenizer
    from transformers import AutoModel

    folder = find(MODEL).path
    file = Path(tempfile.mkdtemp()) / "model.onnx"
    model = AutoModel.from_pretrained(folder, attn_implementation="eager").eval().requires_grad_(False)

    class Tokens(torch.nn.Module):
        def forward(self, ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
            return model(input_ids=ids, attention_mask=mask).last_hidden_state

    ids, mask = torch.ones(3, 8, dtype=torch.long), torch.ones(3, 8, dtype=torch.long).tril(5)
    axes = {0: "batch", 1: "tokens"}
    torch.onnx.export(
        Tokens(),
        (ids, mask),
        str(file),
        dynamo=False,
        input_names=["input_ids", "attention_mask"],
        output_names=["tokens"],
        dynamic_axes={"input_ids": axes, "attention_mask": axes, "tokens": axes},
    )
    session = onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.enable_truncation(256)
    tokenizer.enable_padding()

    def encode(texts: list[str]) -> np.ndarray:
        order = np.argsort([-len(text) for text in texts])
        result = np.empty((len(texts), 384), np.float32)
        for first in range(0, len(order), 32):
            rows = order[first : first + 32]
            batch = tokenizer.encode_batch([texts[row] for row in rows])
            ids = np.array([each.ids for each in batch])
            mask = np.array([each.attention_mask for each in batch])
            tokens = session.run(None, {"input_ids": ids, "attention_mask": mask})[0]
            pooled = (tokens * mask[..., None]).sum(axis=1) / mask.sum(axis=1, keepdims=True)
            result[rows] = pooled / np.linalg.norm(pooled, axis=1, keepdims=True)
        return result

    return encode


ENGINES: dict[str, Callable[[], Encode]] = {
    "nearsense auto": lambda: nearsense_engine("auto"),
    "nearsense f32": lambda: nearsense_engine("f32"),
    "sentence-transformers": lambda: sentence_transformers_engine(),
    "sentence-transformers, openvino": lambda: sentence_transformers_engine(backend="openvino"),
    "onnxruntime": onnxruntime_engine,
}
BASE = "sentence-transformers"


def flops_of_a_token() -> float:
    """What the matrix products of the model's linear layers take for one token."""
    config = find(MODEL).config
    hidden, inner = config["hidden_size"], config["intermediate_size"]
    return 2 * config["num_hidden_layers"] * (4 * hidden * hidden + 2 * hidden * inner)


def precision_of(engine: str) -> str:
    return native().value if engine == "nearsense auto" else "f32"


def measure(rounds: int) -> dict:
    sets = {name: texts_of(*shape) for name, shape in SETS.items()}
    engines: dict[str, Encode] = {}
    absent: dict[str, str] = {}
    for name, make in ENGINES.items():
        try:
            engines[name] = make()
        except Exception as error:
            absent[name] = f"{type(error).__name__}: {str(error).strip().splitlines()[0]}"
    times: dict[tuple[str, str], list[float]] = {}
    truth = {name: engines[BASE](texts) for name, texts in sets.items()}
    least = {}
    for engine, encode in engines.items():
        least[engine] = min(float((encode(texts) * truth[name]).sum(axis=1).min()) for name, texts in sets.items())
    for number in range(rounds):
        for name, texts in sets.items():
            for engine, encode in engines.items():
                start = time.perf_counter()
                encode(texts)
                times.setdefault((engine, name), []).append(time.perf_counter() - start)
        print(f"round {number + 1} of {rounds}", file=sys.stderr)
    flops = flops_of_a_token()
    report = machine() | {
        "versions": {
            name: version(name)
            for name in ("nearsense", "openvino", "torch", "sentence-transformers", "onnxruntime")
        },
        "rounds": rounds,
        "absent": absent,
        "least_cosine_to_sentence_transformers": least,
        "sets": {},
    }
    rates = {engine: report["product_flops"][precision_of(engine)] for engine in engines}
    for name, texts in sets.items():
        tokens = int(np.minimum(ns.load().count_tokens(texts), 256).sum())
        base = statistics.median(times[BASE, name])
        report["sets"][name] = {
            "texts": len(texts),
            "tokens_a_text": tokens / len(texts),
            "engines": {
                engine: {
                    "texts_per_second": len(texts) / (median := statistics.median(times[engine, name])),
                    "tokens_per_second": tokens / median,
                    "ratio": base / median,
                    "share_of_product_rate": tokens / median * flops / rates[engine],
                }
                for engine in engines
            },
        }
    return report


def show(report: dict) -> None:
    print(told(report))
    print(f"{'':34}{'texts/s':>10}{'tokens/s':>10}{'ratio':>8}{'share':>8}")
    for name, each in report["sets"].items():
        print(f"{name}: {each['texts']:,} texts of {each['tokens_a_text']:.0f} tokens")
        for engine, figures in each["engines"].items():
            print(
                f"  {engine:32}{figures['texts_per_second']:10,.0f}{figures['tokens_per_second']:10,.0f}"
                f"{figures['ratio']:8.2f}{figures['share_of_product_rate']:8.0%}"
            )
    for engine, cosine in report["least_cosine_to_sentence_transformers"].items():
        print(f"least cosine to sentence-transformers: {engine} {cosine:.6f}")
    for engine, why in report["absent"].items():
        print(f"not measured: {engine} ({why})")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=ast.get_docstring(ast.parse(Path(__file__).read_text())))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    warnings.filterwarnings("ignore", category=DeprecationWarning)
    result = measure(arguments.rounds)
    show(result)
    if arguments.json:
        arguments.json.parent.mkdir(parents=True, exist_ok=True)
        arguments.json.write_text(json.dumps(result, indent=2) + "\n")
