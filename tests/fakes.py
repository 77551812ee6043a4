"""An honest stand-in for a model: texts become vectors by hashing their words. Fast, and the same everywhere."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Any

import numpy as np

from nearsense.types import Vectors


class HashEncoder:
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
