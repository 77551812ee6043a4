"""Similarities and distances of vectors, their top-k, and correlation. Not what the vectors mean: see the verbs.

Plain numpy. float32 comes out; float64, float16 and integers are accepted too and read block by block, so that no
large input is copied whole. Accuracy is accumulated in float64. Values must be finite and within float32's range.

Each metric has two forms, and `similarity` and `paired_similarity` speak for all of them, higher meaning closer:

| every row with every row, (n, m) | row i with row i, (n,) | as a similarity |
| --- | --- | --- |
| `cosine` | `paired_cosine` | as it is |
| `dot` | `paired_dot` | as it is |
| `euclidean` | `paired_euclidean` | negated |
| `manhattan` | `paired_manhattan` | negated |
"""

from __future__ import annotations

from nearsense.metrics.correlation import pearson, ranks, spearman
from nearsense.metrics.forms import (
    cosine,
    dot,
    euclidean,
    manhattan,
    paired_cosine,
    paired_dot,
    paired_euclidean,
    paired_manhattan,
    paired_similarity,
    similarity,
)
from nearsense.metrics.neighbours import top_k, top_k_of
from nearsense.metrics.rows import ZeroRow, normalize

__all__ = [
    "ZeroRow",
    "cosine",
    "dot",
    "euclidean",
    "manhattan",
    "normalize",
    "paired_cosine",
    "paired_dot",
    "paired_euclidean",
    "paired_manhattan",
    "paired_similarity",
    "pearson",
    "ranks",
    "similarity",
    "spearman",
    "top_k",
    "top_k_of",
]
