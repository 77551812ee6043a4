"""Which rows say what another says. By score alone: what differs between two texts `nearsense.duplicates` asks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.base import BaseEstimator, ClusterMixin
from sklearn.utils.validation import check_is_fitted

from nearsense.clustering.geometry import checked_rows, distinct_rows
from nearsense.deduplication.stars import stars
from nearsense.encoders import Encoder
from nearsense.integrations.sklearn.directions import apart, directions
from nearsense.integrations.sklearn.texts import TextEncoder
from nearsense.mining import mine

if TYPE_CHECKING:
    from typing import Self

    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[np.float32]
    Ints = NDArray[np.int64]

__all__ = ["SemanticDeduplicator"]


class SemanticDeduplicator(ClusterMixin, BaseEstimator):  # type: ignore[misc]
    """Which rows say what another says: every row that goes is near the one that is kept for it, directly.

    By score alone: `nearsense.duplicates` also asks what differs between two texts.

    Args:
        min_score: Cosine similarity from which two rows are near.
        encoder: For texts: as in `TextEncoder`. A clone shares it.

    Attributes:
        labels_: int64, shape (n,): the group of each row, numbered in the order of the first rows.
        kept_: int64, shape (k,): the rows that are kept, in their order.
        kept_for_: int64, shape (n,): the row that is kept for each, itself where it is kept.
        scores_: float32, shape (n,): how near each is to that.

    Example:
        >>> model = SemanticDeduplicator(min_score=0.9).fit([[1, 0.1], [0, 1], [1, 0]])
        >>> model.labels_, model.kept_, model.predict([[0, 2], [-1, 0]])
        (array([0, 1, 0]), array([0, 1]), array([ 1, -1]))
    """

    def __init__(self, min_score: float = 0.9, *, encoder: Encoder | str | None = None) -> None:
        self.min_score = min_score
        self.encoder = encoder

    def fit(self, X: ArrayLike | Sequence[str], y: Any = None) -> Self:  # noqa: N803
        """Find what is said twice.

        Args:
            X: Shape (n, d), or n texts.
            y: Not needed.
        """
        rows = self._rows(X, reset=True)
        n = len(rows)
        pairs = mine(rows, self.min_score)
        content = distinct_rows(checked_rows(rows)).places.astype(np.uint64)
        self.kept_for_ = stars(n, pairs.left, pairs.right, pairs.scores, content).centre
        self.kept_, first, places = np.unique(self.kept_for_, return_index=True, return_inverse=True)
        self.labels_ = np.argsort(np.argsort(first))[places].astype(np.int64)
        self.scores_ = np.where(self.kept_for_ == np.arange(n), 1, np.vecdot(rows, rows[self.kept_for_]))
        self.scores_ = np.clip(self.scores_, -1, 1).astype(np.float32)
        self._kept_rows = rows[self.kept_]
        return self

    def predict(self, X: ArrayLike | Sequence[str]) -> Ints:  # noqa: N803
        """The group of the kept row that each new row is nearest to; -1 where none is near.

        Args:
            X: Shape (n, d), or n texts.
        """
        check_is_fitted(self)
        rows = self._rows(X, reset=False)
        pairs = mine(rows, self.min_score, against=self._kept_rows)
        labels = np.full(len(rows), -1, np.int64)
        labels[pairs.left[::-1]] = self.labels_[self.kept_[pairs.right[::-1]]]  # best first: it is written last
        return labels

    def fit_resample(self, X: Any, y: Any = None) -> Any:  # noqa: N803
        """What is kept of the rows, and of `y` where it is given, as the samplers of imbalanced-learn return it.

        Args:
            X: Shape (n, d), or n texts.
            y: Shape (n,), or None.

        Returns:
            An array of the kept rows; with `y` that and an array of the kept values.
        """
        self.fit(X)
        kept = np.asarray(X)[self.kept_]
        return kept if y is None else (kept, np.asarray(y)[self.kept_])

    def _rows(self, given: ArrayLike | Sequence[str], *, reset: bool) -> Floats:
        array = np.asarray(given) if isinstance(given, Sequence) else given
        kind = getattr(getattr(array, "dtype", None), "kind", "O")
        if kind in "UT" or (kind == "O" and np.ndim(array) == 1):
            given = TextEncoder(self.encoder).transform(given)  # type: ignore[arg-type]
        return apart(directions(self, given, reset=reset))

    def __sklearn_clone__(self) -> Self:
        return type(self)(**self.get_params(deep=False))
