"""Vectors for tests: of every direction, or in heaps."""

from __future__ import annotations

import numpy as np


def units(n, d=32, seed=0):
    made = np.random.default_rng(seed).standard_normal((n, d)).astype(np.float32)
    return made / np.linalg.norm(made, axis=1, keepdims=True)


def crowd(n, d=64, seed=0):
    """Vectors in heaps, so that many pairs are near, and some equal."""
    random = np.random.default_rng(seed)
    made = units(max(1, n // 9), d, seed)[random.integers(max(1, n // 9), size=n)]
    made = made + random.choice([0.0, 0.01, 0.1], (n, 1)) * random.standard_normal((n, d))
    return (made / np.linalg.norm(made, axis=1, keepdims=True)).astype(np.float32)
