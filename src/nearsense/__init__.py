"""nearsense finds texts that are near in sense, and says how sure it is.

    import nearsense as ns

    ns.compare("It is raining.", "Rain is falling.")
    ns.search("I forgot my login", ["Reset your password here.", "We ship within two days."])

Engines are imported inside the functions that build them: this import costs numpy and little more.
"""

from __future__ import annotations

from nearsense import _command  # noqa: F401 - before all that takes time

# isort: split
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
from nearsense.records import CalibrationWarning, Comparison, Document, Hit, Matrix, Reading, Results, Vectors
from nearsense.search import rank, search, search_many, search_vectors

if TYPE_CHECKING:
    from nearsense import metrics
    from nearsense.calibrating import adapt, background, calibrate
    from nearsense.calibration import Background, Calibration, Threshold, load_calibration
    from nearsense.clustering import Cluster, Clusters, cluster, load_clusters
    from nearsense.collection import Collection
    from nearsense.collection import open_collection as open  # noqa: A004 - said as ns.open(path)
    from nearsense.datasets import Dataset, read_dataset
    from nearsense.deduplication import Dropped, Duplicates, Group, Pair, Tier, duplicates
    from nearsense.encoders.recommend import recommend
    from nearsense.evaluation import Evaluation, evaluate
    from nearsense.explanation import Explanation, explain
    from nearsense.faq import FAQ, Answer
    from nearsense.reports import Info, Reembedding, SyncReport, Verification
    from nearsense.reranking import rerank, rerank_many
    from nearsense.textmap import TextMap
    from nearsense.textmap import map_texts as map  # noqa: A004 - said as ns.map(texts)

__all__ = [  # noqa: RUF022 - plain order: FAQ is a class, no constant
    "Answer",
    "Background",
    "BrokenModel",
    "Calibration",
    "CalibrationWarning",
    "Cluster",
    "Clusters",
    "Collection",
    "CollectionNotFound",
    "Comparison",
    "CrossEncoder",
    "DamagedCollection",
    "Dataset",
    "DiskFull",
    "Document",
    "Dropped",
    "Duplicates",
    "Encoder",
    "Evaluation",
    "Explanation",
    "FAQ",
    "FileError",
    "Group",
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
    "Pair",
    "Reading",
    "Reembedding",
    "Results",
    "RoleWarning",
    "StoreError",
    "SyncReport",
    "TextMap",
    "TextTooLong",
    "Threshold",
    "Tier",
    "TooLargeError",
    "TruncationWarning",
    "UnknownTextWarning",
    "UnsupportedModel",
    "Vectors",
    "Verification",
    "ZeroVectorError",
    "__version__",
    "adapt",
    "background",
    "calibrate",
    "cluster",
    "compare",
    "compare_pairs",
    "duplicates",
    "evaluate",
    "explain",
    "load",
    "load_calibration",
    "load_clusters",
    "load_cross",
    "map",
    "matrix",
    "metrics",
    "open",
    "rank",
    "read_dataset",
    "recommend",
    "rerank",
    "rerank_many",
    "search",
    "search_many",
    "search_vectors",
]


_LATER = {
    "FAQ": ("nearsense.faq", "FAQ"),
    "Answer": ("nearsense.faq", "Answer"),
    "Background": ("nearsense.calibration", "Background"),
    "Calibration": ("nearsense.calibration", "Calibration"),
    "Cluster": ("nearsense.clustering", "Cluster"),
    "Clusters": ("nearsense.clustering", "Clusters"),
    "Collection": ("nearsense.collection", "Collection"),
    "Dataset": ("nearsense.datasets", "Dataset"),
    "Dropped": ("nearsense.deduplication", "Dropped"),
    "Duplicates": ("nearsense.deduplication", "Duplicates"),
    "Evaluation": ("nearsense.evaluation", "Evaluation"),
    "Explanation": ("nearsense.explanation", "Explanation"),
    "Group": ("nearsense.deduplication", "Group"),
    "Info": ("nearsense.reports", "Info"),
    "Pair": ("nearsense.deduplication", "Pair"),
    "Reembedding": ("nearsense.reports", "Reembedding"),
    "SyncReport": ("nearsense.reports", "SyncReport"),
    "TextMap": ("nearsense.textmap", "TextMap"),
    "Threshold": ("nearsense.calibration", "Threshold"),
    "Tier": ("nearsense.deduplication", "Tier"),
    "Verification": ("nearsense.reports", "Verification"),
    "adapt": ("nearsense.calibrating", "adapt"),
    "background": ("nearsense.calibrating", "background"),
    "calibrate": ("nearsense.calibrating", "calibrate"),
    "cluster": ("nearsense.clustering", "cluster"),
    "duplicates": ("nearsense.deduplication", "duplicates"),
    "evaluate": ("nearsense.evaluation", "evaluate"),
    "explain": ("nearsense.explanation", "explain"),
    "load_calibration": ("nearsense.calibration", "load_calibration"),
    "load_clusters": ("nearsense.clustering", "load_clusters"),
    "map": ("nearsense.textmap", "map_texts"),
    "metrics": ("nearsense.metrics", None),
    "open": ("nearsense.collection", "open_collection"),
    "read_dataset": ("nearsense.datasets", "read_dataset"),
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
