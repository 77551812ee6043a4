"""Encoder, clusters and duplicates as scikit-learn's estimators, for its pipelines. Nothing is computed otherwise.

Rows of any length are brought to length one first: everything here goes by direction, by cosine similarity.
"""

from nearsense._optional import require

require("sklearn", extra="sklearn", purpose="nearsense.integrations.sklearn")

from nearsense.integrations.sklearn.groups import DensityClusterer, SphericalKMeans  # noqa: E402
from nearsense.integrations.sklearn.repeats import SemanticDeduplicator  # noqa: E402
from nearsense.integrations.sklearn.texts import TextEncoder  # noqa: E402

__all__ = ["DensityClusterer", "SemanticDeduplicator", "SphericalKMeans", "TextEncoder"]
