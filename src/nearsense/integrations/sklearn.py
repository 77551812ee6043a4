"""Encoder, clusters and duplicates as scikit-learn's estimators, for its pipelines. Nothing is computed otherwise.

Rows of any length are brought to length one first: everything here goes by direction, by cosine similarity.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from nearsense._optional import require

require("sklearn", extra="sklearn", purpose="nearsense.integrations.sklearn")

from sklearn.base import (  # noqa: E402
    BaseEstimator,
    ClassNamePrefixFeaturesOutMixin,
    ClusterMixin,
    TransformerMixin,
)
from sklearn.utils.validation import check_is_fitted, validate_data  # noqa: E402

from nearsense.checks import positive_int  # noqa: E402
from nearsense.clustering.density import density  # noqa: E402
from nearsense.clustering.geometry import checked_rows, distinct_rows, group_sums  # noqa: E402
from nearsense.clustering.kmeans import spherical  # noqa: E402
from nearsense.deduplication.grouping import stars  # noqa: E402
from nearsense.encoders import Encoder, resolve, symmetric_role  # noqa: E402
from nearsense.errors import InputError  # noqa: E402
from nearsense.integrations._shared import list_of_texts  # noqa: E402
from nearsense.mining import mine  # noqa: E402
from nearsense.vectors.rows import normalize  # noqa: E402

if TYPE_CHECKING:
    from typing import Self

    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[np.float32]
    Ints = NDArray[np.int64]

__all__ = ["DensityClusterer", "SemanticDeduplicator", "SphericalKMeans", "TextEncoder"]


class TextEncoder(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Texts to vectors: the first step of a pipeline. Nothing is learnt, so it need not be fitted.

    Args:
        encoder: What `nearsense.load` gave, a model's name, or None for the default model. A clone shares it.
        role: What the texts are to the model, where it tells roles apart; None for texts that are compared with
            each other.
        long: What to do with texts that the model would cut: "warn", "error", "head" or "chunk".

    Example:
        >>> TextEncoder().fit_transform(["a dog", "a hound"]).shape
        (2, 384)
    """

    def __init__(
        self, encoder: Encoder | str | None = None, *, role: str | None = None, long: str = "warn"
    ) -> None:
        self.encoder = encoder
        self.role = role
        self.long = long

    def fit(self, X: Iterable[str], y: Any = None) -> Self:  # noqa: N803
        """Learn nothing."""
        return self

    def transform(self, X: Iterable[str]) -> NDArray[np.float32]:  # noqa: N803
        """Encode n texts (a list, an array, a column of a data frame): float32, shape (n, dimension).

        Raises:
            InputError: One string was given, a table, or something is not a string.
        """
        texts = _texts(X)
        model = resolve(self.encoder)
        return model.encode(texts, role=self.role or symmetric_role(model), long=self.long).data

    def get_feature_names_out(self, input_features: Any = None) -> NDArray[np.object_]:
        """The names of the columns: textencoder0, textencoder1 and so on."""
        dimension = resolve(self.encoder).dimension
        return np.array([f"textencoder{column}" for column in range(dimension)], object)

    def __sklearn_is_fitted__(self) -> bool:
        return True

    def __sklearn_clone__(self) -> Self:
        return type(self)(**self.get_params(deep=False))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.string = tags.input_tags.one_d_array = tags.no_validation = True
        tags.input_tags.two_d_array = tags.requires_fit = False
        return tags


def _texts(given: Iterable[str]) -> list[str]:
    if getattr(given, "ndim", 1) > 1:  # of a data frame list() would give the names of its columns
        raise InputError("a table is given where texts are expected", fix='name one column of it: table["text"]')
    return [str(each) for each in list_of_texts(given)]


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

        Raises:
            InputError: There are fewer rows than groups.
        """
        rows = _directions(self, X, reset=True)
        if positive_int(self.n_clusters, "n_clusters") > len(rows):
            raise InputError(f"n_samples={len(rows)} should be >= n_clusters={self.n_clusters}")
        found = spherical(_apart(rows), self.n_clusters, seed=self.random_state or 0, smooth=self.neighbors)
        sizes = np.bincount(_nearest(rows, found.centroids), minlength=len(found.centroids))
        self._centroids = found.centroids[np.argsort(-sizes, kind="stable")]
        self.labels_, self.cluster_centers_ = _nearest(rows, self._centroids), self._centroids[:, :-1]
        k = len(self._centroids)
        means = group_sums(rows, self.labels_, k) / np.maximum(np.bincount(self.labels_, minlength=k), 1)[:, None]
        self.inertia_ = float(np.sum((rows - means[self.labels_]) ** 2, dtype=np.float64))
        self._n_features_out = k
        return self

    def predict(self, X: ArrayLike) -> Ints:  # noqa: N803
        """The group whose centre is nearest, of each row."""
        check_is_fitted(self)
        return _nearest(_directions(self, X), self._centroids)

    def transform(self, X: ArrayLike) -> Floats:  # noqa: N803
        """The distance of each row to each centre, 1 - cosine: float32, shape (n, k), from 0 to 2."""
        check_is_fitted(self)
        return _distances(_directions(self, X), self._centroids)

    def score(self, X: ArrayLike, y: Any = None) -> float:  # noqa: N803
        """How well the centres fit: minus the sum of squared distances to the nearest centre."""
        return -2.0 * float(self.transform(X).min(axis=1).sum(dtype=np.float64))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float32"]  # whatever comes
        return tags


def _distances(rows: Floats, centroids: Floats) -> Floats:
    """1 - cosine of each row to each centroid; a row of zeros is near none but that of its kind."""
    return np.asarray(np.subtract(1, _apart(rows) @ centroids.T, dtype=np.float32))


def _nearest(rows: Floats, centroids: Floats) -> Ints:
    return np.asarray(_distances(rows, centroids).argmin(axis=1), np.int64)


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
        """Find the groups."""
        found = density(
            _apart(_directions(self, X, reset=True)),
            min_size=self.min_cluster_size,
            min_samples=self.min_samples,
            selection=self.cluster_selection_method,
            exact=self.exact,
            by_row=self.by_row,
        )
        self.labels_, self.probabilities_ = found.labels, found.strengths
        self.cluster_centers_, self.exact_ = found.centroids[:, :-1], found.exact
        return self


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
        """Find what is said twice."""
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
        """The group of the kept row that each new row is nearest to; -1 where none is near."""
        check_is_fitted(self)
        rows = self._rows(X, reset=False)
        pairs = mine(rows, self.min_score, against=self._kept_rows)
        labels = np.full(len(rows), -1, np.int64)
        labels[pairs.left[::-1]] = self.labels_[self.kept_[pairs.right[::-1]]]  # best first: it is written last
        return labels

    def fit_resample(self, X: Any, y: Any = None) -> Any:  # noqa: N803
        """The kept rows, and the kept values of `y` where it is given, as imbalanced-learn's samplers give it."""
        self.fit(X)
        kept = np.asarray(X)[self.kept_]
        return kept if y is None else (kept, np.asarray(y)[self.kept_])

    def _rows(self, given: ArrayLike | Sequence[str], *, reset: bool) -> Floats:
        array = np.asarray(given) if isinstance(given, Sequence) else given
        kind = getattr(getattr(array, "dtype", None), "kind", "O")
        if kind in "UT" or (kind == "O" and np.ndim(array) == 1):
            given = TextEncoder(self.encoder).transform(given)  # type: ignore[arg-type]
        return _apart(_directions(self, given, reset=reset))

    def __sklearn_clone__(self) -> Self:
        return type(self)(**self.get_params(deep=False))


def _directions(owner: BaseEstimator, given: Any, *, reset: bool = False) -> Floats:
    """Rows of length one, shape (n, d), whose number of columns the owner learns (`reset`) or checks; zeros stay.

    Example:
        >>> from sklearn.cluster import KMeans
        >>> _directions(KMeans(), [[3, 4], [0, 0]], reset=True)
        array([[0.6, 0.8], [0. , 0. ]], dtype=float32)
    """
    rows = validate_data(owner, given, dtype=np.float64, reset=reset)
    largest = np.abs(rows).max(axis=1, keepdims=True)
    rows = rows / np.where(largest > 0, largest, 1)  # so that no square overflows
    return normalize(rows, zero="keep")


def _apart(rows: Floats) -> Floats:
    """Directions with one more column, in which rows of zeros have their own: that of nothing else.

    Example:
        >>> _apart(np.array([[1, 0], [0, 0]], np.float32))
        array([[1., 0., 0.], [0., 0., 1.]], dtype=float32)
    """
    return np.hstack([rows, ~rows.any(axis=1, keepdims=True)]).astype(np.float32)
