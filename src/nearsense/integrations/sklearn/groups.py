"""Groups of rows: their number known, or found by density. Not which rows say the same."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, ClusterMixin, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from nearsense.clustering.density import density
from nearsense.clustering.geometry import group_sums
from nearsense.clustering.kmeans import spherical
from nearsense.errors import InputError
from nearsense.integrations.sklearn.directions import apart, directions

if TYPE_CHECKING:
    from typing import Self

    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[np.float32]
    Ints = NDArray[np.int64]

__all__ = ["DensityClusterer", "SphericalKMeans"]


class SphericalKMeans(
    ClassNamePrefixFeaturesOutMixin,  # type: ignore[misc]
    TransformerMixin,  # type: ignore[misc]
    ClusterMixin,  # type: ignore[misc]
    BaseEstimator,  # type: ignore[misc]
):
    """K-means by direction: see `nearsense.clustering.kmeans`. The order of the rows has no say in the result.

    Args:
        n_clusters: How many groups; at most as many as rows.
        neighbors: How many nearest neighbours a row is averaged with before centres are learnt; 0 for plain
            k-means.
        random_state: An integer: of the draws. None is 0, so that results repeat.

    Attributes:
        labels_: int64, shape (n,): 0 is the largest group; what `predict` says of the same rows.
        cluster_centers_: float32, shape (k, d), of unit length; zeros for rows of zeros.
        inertia_: The sum of squared distances of the rows at unit length to their group's mean, as `KMeans` has
            it.

    Example:
        >>> model = SphericalKMeans(2).fit([[1, 0], [5, 1], [0, 3], [1, 9], [0, 1]])
        >>> model.labels_, model.predict([[2, 0]])
        (array([1, 1, 0, 0, 0]), array([1]))
    """

    def __init__(self, n_clusters: int = 8, *, neighbors: int = 5, random_state: int | None = None) -> None:
        self.n_clusters = n_clusters
        self.neighbors = neighbors
        self.random_state = random_state

    def fit(self, X: ArrayLike, y: Any = None) -> Self:  # noqa: N803
        """Learn the centres.

        Args:
            X: Shape (n, d).
            y: Not needed.

        Raises:
            InputError: There are fewer rows than groups.
        """
        rows = directions(self, X, reset=True)
        if not 1 <= self.n_clusters <= len(rows):
            raise InputError(f"n_samples={len(rows)} should be >= n_clusters={self.n_clusters} >= 1")
        found = spherical(apart(rows), self.n_clusters, seed=self.random_state or 0, smooth=self.neighbors)
        sizes = np.bincount(_nearest(rows, found.centroids), minlength=len(found.centroids))
        self._centres = found.centroids[np.argsort(-sizes, kind="stable")]
        self.labels_, self.cluster_centers_ = _nearest(rows, self._centres), self._centres[:, :-1]
        k = len(self._centres)
        means = group_sums(rows, self.labels_, k) / np.maximum(np.bincount(self.labels_, minlength=k), 1)[:, None]
        self.inertia_ = float(np.sum((rows - means[self.labels_]) ** 2, dtype=np.float64))
        self._n_features_out = k
        return self

    def predict(self, X: ArrayLike) -> Ints:  # noqa: N803
        """The group whose centre is nearest, of each row.

        Args:
            X: Shape (n, d).
        """
        check_is_fitted(self)
        return _nearest(directions(self, X), self._centres)

    def transform(self, X: ArrayLike) -> Floats:  # noqa: N803
        """The distance of each row to each centre: 1 - cosine.

        Args:
            X: Shape (n, d).

        Returns:
            float32, shape (n, k), from 0 to 2.
        """
        check_is_fitted(self)
        return _distances(directions(self, X), self._centres)

    def score(self, X: ArrayLike, y: Any = None) -> float:  # noqa: N803
        """How well the centres fit: minus the sum of squared distances to the nearest centre.

        Args:
            X: Shape (n, d).
            y: Not needed.
        """
        return -2.0 * float(self.transform(X).min(axis=1).sum(dtype=np.float64))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float32"]  # whatever comes
        return tags


def _distances(rows: Floats, centres: Floats) -> Floats:
    """1 - cosine of each row to each centre; a row of zeros is near none but that of its kind."""
    far: Floats = np.subtract(1, apart(rows) @ centres.T, dtype=np.float32)
    return far


def _nearest(rows: Floats, centres: Floats) -> Ints:
    nearest: Ints = _distances(rows, centres).argmin(axis=1).astype(np.int64)
    return nearest


class DensityClusterer(ClusterMixin, BaseEstimator):  # type: ignore[misc]
    """HDBSCAN by cosine: see `nearsense.clustering.density`. Rows that belong to no group are labelled -1.

    Args:
        min_cluster_size: How many rows make a group.
        min_samples: How many rows, itself counted, are near a row within a group; None for `min_cluster_size`.
        cluster_selection_method: "eom" or "leaf".
        exact: Whether all distances are looked at; None for up to 15,000 rows.
        by_row: Decide between edges of equal reach by the numbers of the rows, as scikit-learn's own does: the
            labels are then the same, and others in another order of the rows.

    Attributes:
        labels_: int64, shape (n,): 0 is the largest group, -1 noise.
        probabilities_: float32, shape (n,): how firmly each row belongs to its group.
        cluster_centers_: float32, shape (k, d): mean directions.
        exact_: Whether all distances were looked at.

    Example:
        >>> DensityClusterer(2).fit_predict([[5, 0], [5, 1], [0, 5], [1, 5], [-4, -5]])
        array([ 1,  1,  0,  0, -1])
    """

    def __init__(
        self,
        min_cluster_size: int = 5,
        *,
        min_samples: int | None = None,
        cluster_selection_method: str = "eom",
        exact: bool | None = None,
        by_row: bool = False,
    ) -> None:
        self.min_cluster_size = min_cluster_size
        self.min_samples = min_samples
        self.cluster_selection_method = cluster_selection_method
        self.exact = exact
        self.by_row = by_row

    def fit(self, X: ArrayLike, y: Any = None) -> Self:  # noqa: N803
        """Find the groups.

        Args:
            X: Shape (n, d).
            y: Not needed.
        """
        found = density(
            apart(directions(self, X, reset=True)),
            min_size=self.min_cluster_size,
            min_samples=self.min_samples,
            selection=self.cluster_selection_method,
            exact=self.exact,
            by_row=self.by_row,
        )
        self.labels_, self.probabilities_ = found.labels, found.strengths
        self.cluster_centers_, self.exact_ = found.centroids[:, :-1], found.exact
        return self
