"""What tests of training share: a small model that can learn, and texts about topics that it can learn."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from nearsense.training.examples import Examples, Kind
from samples import tiny_bert

STILL = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
"""No dropout: a step in training is then what a formula says of it."""


def model(folder: Path, **changes) -> Path:
    """Random weights; words weigh more than places and biases, so that different texts are not all alike."""
    from safetensors.numpy import load_file, save_file

    tiny_bert(folder, **STILL | changes)
    weights = load_file(folder / "model.safetensors")
    weights = {name: weight * (20 if "word_embeddings" in name else 1) for name, weight in weights.items()}
    weights |= {name: weight * 0 for name, weight in weights.items() if name.endswith("bias")}
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    return folder


def text(rng, topic: int = 0, of: int = 1, words: int = 6) -> str:
    """Words of one of some topics, each of which has words of its own."""
    size = 60 // of
    return " ".join(f"w{word}" for word in rng.integers(topic * size, (topic + 1) * size, words))


def pairs(count: int, seed: int = 0) -> list[tuple[str, str]]:
    """Pairs of one topic each."""
    rng = np.random.default_rng(seed)
    return [(text(rng, row % 2, 2, 7), text(rng, row % 2, 2, 7)) for row in range(count)]


def graded(count: int, seed: int = 0) -> Examples:
    """Pairs that are near where they are of one topic."""
    rng, rows = np.random.default_rng(seed), []
    for _ in range(count):
        one, other = rng.integers(0, 3, 2)
        rows.append((text(rng, one, 3), text(rng, other, 3), float(1.0 - abs(one - other) / 2)))
    return Examples(
        kind=Kind.GRADED, texts=([a for a, _, _ in rows], [b for _, b, _ in rows]), truth=[c for *_, c in rows]
    )


def classes(count: int, of: int = 4, seed: int = 0) -> Examples:
    """Texts by topic."""
    rng = np.random.default_rng(seed)
    topics = [row % of for row in range(count)]
    return Examples(
        kind=Kind.CLASSES,
        texts=([text(rng, topic, of) for topic in topics],),
        truth=[f"t{each}" for each in topics],
    )
