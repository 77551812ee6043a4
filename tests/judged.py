"""Models and classes that are made for tests of judging: vectors and scores are what a test says they are."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

import numpy as np

import nearsense as ns
from nearsense.training.examples import Examples, Kind


def chance_of(text: str, salt: str = "") -> np.random.Generator:
    return np.random.default_rng(int.from_bytes(hashlib.blake2b((salt + text).encode(), digest_size=8).digest()))


class Made(ns.Encoder):
    """A model whose vectors come from a function of the text."""

    max_tokens = 256

    def __init__(self, name: str, vector: Callable[[str], np.ndarray], languages: tuple[str, ...] = ()) -> None:
        self.name, self.vector, self.languages = name, vector, languages
        self.dimension = len(vector("a"))
        self.fingerprint = hashlib.sha256(name.encode()).hexdigest()

    def encode(self, texts, **options):
        listed = [texts] if isinstance(texts, str) else list(texts)
        data = np.array([self.vector(text) for text in listed], np.float32).reshape(len(listed), self.dimension)
        data /= np.linalg.norm(data, axis=1, keepdims=True)
        return ns.Vectors(data, self.fingerprint, np.zeros(len(data), bool), self.name)


def scoring(name: str, scores: dict[str, float]) -> Made:
    """A model that gives each text of a table its score with every text that is in none."""
    angles = {text: np.arccos(np.clip(score, -1, 1)) for text, score in scores.items()}
    return Made(name, lambda text: np.array([np.cos(angles.get(text, 0.0)), np.sin(angles.get(text, 0.0))]))


def classes(count, per, start=0):
    names = [f"class{start + number}" for number in range(count) for _ in range(per)]
    texts = [f"{name} word{row % 4} thing{row % 9}" for row, name in enumerate(names)]
    texts = [f"{text} filler{chance_of(text, str(row)).integers(9)}" for row, text in enumerate(texts)]
    return Examples(kind=Kind.CLASSES, texts=(texts,), truth=names)
