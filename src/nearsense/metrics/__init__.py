"""Similarities of vectors, their top-k, and figures that judge them. Not what the vectors mean: see the verbs.

Plain numpy. float32 comes out; float64, float16 and integers are accepted too and read block by block, so that no
large input is copied whole. Accuracy is accumulated in float64. Values must be finite and within float32's range.

Each metric has two forms, and `similarity` and `paired_similarity` speak for all of them, higher meaning closer:

| every row with every row, (n, m) | row i with row i, (n,) | as a similarity |
| --- | --- | --- |
| `cosine` | `paired_cosine` | as it is |
| `dot` | `paired_dot` | as it is |
| `euclidean` | `paired_euclidean` | negated |
| `manhattan` | `paired_manhattan` | negated |

What judges them: correlation.py (graded pairs), classification.py (labelled pairs), retrieval.py (ranked lists),
partition.py (groups), probabilities.py (calibration); how sure a figure is: resampling.py.

`weighted_...` gives a function from how often each item was drawn, shape (r, n), to the figure of each resample,
shape (r,): that of the items written out so often, ties included; NaN where a resample leaves it undefined.
"""

from __future__ import annotations

from nearsense.metrics.classification import (
    BestThreshold,
    Curve,
    average_precision,
    best_accuracy,
    best_f1,
    false_accept_rate,
    precision_recall_curve,
    roc_auc,
    weighted_average_precision,
    weighted_roc_auc,
)
from nearsense.metrics.correlation import pearson, ranks, spearman, weighted_pearson, weighted_spearman
from nearsense.metrics.partition import VMeasure, adjusted_rand, v_measure
from nearsense.metrics.probabilities import Bins, brier_score, expected_calibration_error, log_loss, reliability
from nearsense.metrics.resampling import (
    Difference,
    Figure,
    Interval,
    bootstrap,
    bootstrap_mean,
    bootstrap_pairs,
    paired_bootstrap,
    paired_permutation,
    resample_counts,
    weighted_mean,
)
from nearsense.metrics.retrieval import ndcg, precision_at, ranked_average_precision, recall, reciprocal_rank
from nearsense.vectors.rows import ZeroRow, normalize
from nearsense.vectors.similarity import (
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
from nearsense.vectors.topk import top_k, top_k_of

__all__ = [
    "BestThreshold",
    "Bins",
    "Curve",
    "Difference",
    "Figure",
    "Interval",
    "VMeasure",
    "ZeroRow",
    "adjusted_rand",
    "average_precision",
    "best_accuracy",
    "best_f1",
    "bootstrap",
    "bootstrap_mean",
    "bootstrap_pairs",
    "brier_score",
    "cosine",
    "dot",
    "euclidean",
    "expected_calibration_error",
    "false_accept_rate",
    "log_loss",
    "manhattan",
    "ndcg",
    "normalize",
    "paired_bootstrap",
    "paired_cosine",
    "paired_dot",
    "paired_euclidean",
    "paired_manhattan",
    "paired_permutation",
    "paired_similarity",
    "pearson",
    "precision_at",
    "precision_recall_curve",
    "ranked_average_precision",
    "ranks",
    "recall",
    "reciprocal_rank",
    "reliability",
    "resample_counts",
    "roc_auc",
    "similarity",
    "spearman",
    "top_k",
    "top_k_of",
    "v_measure",
    "weighted_average_precision",
    "weighted_mean",
    "weighted_pearson",
    "weighted_roc_auc",
    "weighted_spearman",
]
