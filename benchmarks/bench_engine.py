"""The engine alone: tokens/s by the width of rows, without tokenizing, packing and padding.

    python benchmarks/bench_engine.py [--rounds 5]

What packing weighs (`ATTENTION` in encoders/packing.py) comes from here.
"""

from __future__ import annotations

import argparse
import statistics
import time

import numpy as np

import nearsense as ns
from nearsense.encoders.base import BATCH_TOKENS
from nearsense.encoders.packing import ATTENTION, Request

REQUESTS = 60


def request_of(width: int, tokens: int) -> Request:
    """Rows of `width` that are filled to the last token with texts of `tokens` tokens."""
    rows, texts = BATCH_TOKENS // width, BATCH_TOKENS // tokens
    place = np.arange(BATCH_TOKENS)
    ids = np.random.default_rng(0).integers(1000, 20_000, BATCH_TOKENS).astype(np.int32)
    shape = (rows, width)
    return Request(
        ids.reshape(shape),
        (place % tokens).astype(np.int32).reshape(shape),
        (place // tokens).astype(np.int32).reshape(shape),
        np.arange(texts) * tokens,
        np.full(texts, tokens),
        np.arange(texts),
        np.ones(texts, np.float32),
    )


def tokens_per_second(precision: str, width: int, tokens: int, rounds: int) -> float:
    engine = ns.load(precision=precision)._engine
    work = [request_of(width, tokens)] * REQUESTS
    taken = []
    for number in range(rounds + 1):
        start = time.perf_counter()
        for _ in engine.run(iter(work)):
            pass
        if number:  # the first round makes the kernels
            taken.append(time.perf_counter() - start)
    return REQUESTS * BATCH_TOKENS / statistics.median(taken)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Tokens/s of the engine by the width of rows.")
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    print(f"{'width':>6}{'text':>6}{'bf16':>10}{'f32':>10}   cost a token beside width 32: bf16, model")
    first = None
    for width in (16, 32, 64, 128, 256):
        tokens = min(width, 16)
        bf16, f32 = (tokens_per_second(precision, width, tokens, rounds) for precision in ("bf16", "f32"))
        first = bf16 if width == 32 else first
        cost = f"{first / bf16:6.2f}{(1 + width / ATTENTION) / (1 + 32 / ATTENTION):6.2f}" if first else ""
        print(f"{width:6}{tokens:6}{bf16:10,.0f}{f32:10,.0f}   {cost}")
