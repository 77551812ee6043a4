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

What judges them: agreement.py (graded pairs, groups), classification.py (labels, probabilities), retrieval.py
(ranked lists); how sure a figure is: resampling.py.

`weighted_...` gives a function from how often each item was drawn, shape (r, n), to the figure of each resample,
shape (r,): that of the items written out so often, ties included; NaN where a resample leaves it undefined.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import TYPE_CHECKING

import numpy as np

from nearsense.metrics.agreement import (
    VMeasure,
    adjusted_rand,
    pearson,
    ranks,
    spearman,
    v_measure,
    weighted_pearson,
    weighted_spearman,
)
from nearsense.metrics.classification import (
    BestThreshold,
    Bins,
    Curve,
    average_precision,
    best_accuracy,
    best_f1,
    brier_score,
    expected_calibration_error,
    false_accept_rate,
    log_loss,
    precision_recall_curve,
    reliability,
    roc_auc,
    weighted_average_precision,
    weighted_roc_auc,
)
from nearsense.metrics.resampling import (
    Difference,
    Interval,
    bootstrap,
    bootstrap_mean,
    paired_bootstrap,
    paired_permutation,
    resample_counts,
    weighted_mean,
)
from nearsense.metrics.retrieval import ndcg, precision_at, ranked_average_precision, recall, reciprocal_rank
from nearsense.records import parse
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
    top_k,
    top_k_of,
)

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from nearsense.metrics.resampling import Statistic

__all__ = [
    "BestThreshold", "Bins", "Curve", "Difference", "Figure", "Interval", "VMeasure", "ZeroRow", "adjusted_rand",
    "average_precision", "best_accuracy", "best_f1", "bootstrap", "bootstrap_mean", "bootstrap_pairs",
    "brier_score", "cosine", "dot", "euclidean", "expected_calibration_error", "false_accept_rate", "log_loss",
    "manhattan", "ndcg", "normalize", "paired_bootstrap", "paired_cosine", "paired_dot", "paired_euclidean",
    "paired_manhattan", "paired_permutation", "paired_similarity", "pearson", "precision_at",
    "precision_recall_curve", "ranked_average_precision", "ranks", "recall", "reciprocal_rank", "reliability",
    "resample_counts", "roc_auc", "similarity", "spearman", "top_k", "top_k_of", "v_measure",
    "weighted_average_precision", "weighted_mean", "weighted_pearson", "weighted_roc_auc", "weighted_spearman",
]  # fmt: skip


class Figure(StrEnum):
    """Figures of two columns that `bootstrap_pairs` knows by name."""

    PEARSON = "pearson"
    SPEARMAN = "spearman"
    AVERAGE_PRECISION = "average_precision"
    ROC_AUC = "roc_auc"


_STATISTICS: Mapping[Figure, Callable[[ArrayLike, ArrayLike], Statistic]] = {
    Figure.PEARSON: weighted_pearson,
    Figure.SPEARMAN: weighted_spearman,
    Figure.AVERAGE_PRECISION: weighted_average_precision,
    Figure.ROC_AUC: weighted_roc_auc,
}


def bootstrap_pairs(
    figure: str, a: ArrayLike, b: ArrayLike, *, resamples: int = 1000, seed: int = 0, level: float = 0.95
) -> Interval:
    """The `bootstrap` interval of a figure of two columns, resampled together.

    The figure is `"pearson"`, `"spearman"`, `"average_precision"` or `"roc_auc"`; `a` and `b` have shape (n,), and
    are labels, 0 or 1, and scores for the last two. Other arguments and errors are those of `bootstrap`; errors of
    the figure itself are raised, too.

    Example:
        >>> bootstrap_pairs("roc_auc", [0, 0, 0, 1, 1, 1], [0.1, 0.2, 0.3, 0.6, 0.7, 0.8])
        Interval(low=1.0, high=1.0)
    """
    statistic = _STATISTICS[parse(Figure, figure, name="figure")](a, b)
    return bootstrap(statistic, np.size(a), resamples=resamples, seed=seed, level=level)
