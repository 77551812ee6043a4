"""nearsense finds texts that are near in sense, and says how sure it is.

    import nearsense as ns

    ns.compare("It is raining.", "Rain is falling.")
    ns.search("I forgot my login", ["Reset your password here.", "We ship within two days."])

Engines are imported inside the functions that build them: this import costs numpy and little more.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as _numpy  # noqa: F401 - here it takes 10 ms less than in the midst of our own imports

from nearsense._version import __version__
from nearsense.compare import compare, compare_pairs, matrix
from nearsense.encoders import (
    CrossEncoder,
    Encoder,
    LanguageWarning,
    RoleWarning,
    TruncationWarning,
    UnknownTextWarning,
    load,
    load_cross,
)
from nearsense.errors import (
    BrokenModel,
    CollectionNotFound,
    DamagedCollection,
    DiskFull,
    FileError,
    InputError,
    MissingExtra,
    ModelError,
    ModelMismatch,
    ModelNotFound,
    NearsenseError,
    StoreError,
    TextTooLong,
    TooLargeError,
    UnsupportedModel,
    ZeroVectorError,
)
from nearsense.search import rank, search, search_many, search_vectors
from nearsense.types import Comparison, Document, Hit, Matrix, Reading, Results, Vectors

if TYPE_CHECKING:
    from nearsense import metrics
    from nearsense.collection import Collection
    from nearsense.collection import open_collection as open  # noqa: A004 - said as ns.open(path)
    from nearsense.encoders.recommend import recommend
    from nearsense.explanation import Explanation, explain
    from nearsense.reports import Info, Reembedding, SyncReport, Verification
    from nearsense.reranking import rerank, rerank_many

__all__ = [
    "BrokenModel",
    "Collection",
    "CollectionNotFound",
    "Comparison",
    "CrossEncoder",
    "DamagedCollection",
    "DiskFull",
    "Document",
    "Encoder",
    "Explanation",
    "FileError",
    "Hit",
    "Info",
    "InputError",
    "LanguageWarning",
    "Matrix",
    "MissingExtra",
    "ModelError",
    "ModelMismatch",
    "ModelNotFound",
    "NearsenseError",
    "Reading",
    "Reembedding",
    "Results",
    "RoleWarning",
    "StoreError",
    "SyncReport",
    "TextTooLong",
    "TooLargeError",
    "TruncationWarning",
    "UnknownTextWarning",
    "UnsupportedModel",
    "Vectors",
    "Verification",
    "ZeroVectorError",
    "__version__",
    "compare",
    "compare_pairs",
    "explain",
    "load",
    "load_cross",
    "matrix",
    "metrics",
    "open",
    "rank",
    "recommend",
    "rerank",
    "rerank_many",
    "search",
    "search_many",
    "search_vectors",
]


_LATER = {
    "Collection": ("nearsense.collection", "Collection"),
    "Explanation": ("nearsense.explanation", "Explanation"),
    "Info": ("nearsense.reports", "Info"),
    "Reembedding": ("nearsense.reports", "Reembedding"),
    "SyncReport": ("nearsense.reports", "SyncReport"),
    "Verification": ("nearsense.reports", "Verification"),
    "explain": ("nearsense.explanation", "explain"),
    "metrics": ("nearsense.metrics", None),
    "open": ("nearsense.collection", "open_collection"),
    "recommend": ("nearsense.encoders.recommend", "recommend"),
    "rerank": ("nearsense.reranking", "rerank"),
    "rerank_many": ("nearsense.reranking", "rerank_many"),
}
"""What is imported when it is first used: together it costs as much as numpy."""


def __getattr__(name: str) -> object:
    if name not in _LATER:
        raise AttributeError(f"module 'nearsense' has no attribute {name!r}")
    from importlib import import_module

    module, attribute = _LATER[name]
    found = import_module(module)
    globals()[name] = found = getattr(found, attribute) if attribute else found
    return found
