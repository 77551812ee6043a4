"""An honest stand-in for a model: texts become vectors by hashing their words. Fast, and the same everywhere."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Any

import numpy as np

import nearsense as ns
from nearsense.records import Vectors


class HashEncoder(ns.Encoder):
    """Each word has a direction of its own; a text is the mean of its words' directions, of unit length."""

    max_tokens = 256

    def __init__(self, dimension: int = 16, name: str = "hash", fingerprint: str = "") -> None:
        self.dimension, self.name = dimension, name
        self.fingerprint = fingerprint or hashlib.sha256(f"{name}{dimension}".encode()).hexdigest()
        self.encoded = 0

    def encode(self, texts: str | Iterable[str], **options: Any) -> Vectors:
        texts = [texts] if isinstance(texts, str) else list(texts)
        self.encoded += len(texts)
        data = np.array([self._vector(text) for text in texts], np.float32).reshape(len(texts), self.dimension)
        return Vectors(data, self.fingerprint, np.zeros(len(texts), bool), self.name)

    def _vector(self, text: str) -> Any:
        total = np.zeros(self.dimension)
        for word in text.lower().split() or [text]:
            seed = int.from_bytes(hashlib.blake2b((self.name + word).encode(), digest_size=8).digest(), "little")
            total += np.random.default_rng(seed).normal(size=self.dimension)
        return total / np.linalg.norm(total)


class WordCross(ns.CrossEncoder):
    """A cross-encoder by hand: the share of a text's words that the query has; `read` is what it was given."""

    name, max_tokens, fingerprint = "words", 512, hashlib.sha256(b"words").hexdigest()

    def __init__(self) -> None:
        self.read: list[tuple[str, str]] = []
        self.calls = 0

    def score(self, pairs: Iterable[tuple[str, str]], **options: Any) -> Any:
        listed = list(pairs)
        self.read += listed
        self.calls += 1
        return np.array([self.judge(*pair) for pair in listed], np.float32)

    @staticmethod
    def judge(query: str, text: str) -> float:
        words = text.lower().split()
        return sum(word in query.lower().split() for word in words) / len(words)
