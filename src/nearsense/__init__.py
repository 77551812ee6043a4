"""nearsense finds texts that are near in sense, and says how sure it is.

    import nearsense as ns

    ns.compare("It is raining.", "Rain is falling.")
    ns.search("I forgot my login", ["Reset your password here.", "We ship within two days."])

What verbs return is described in `ns.types`, what can go wrong in `ns.errors`. Engines are imported inside the
functions that build them: this import costs numpy and little more.
"""

from __future__ import annotations

from nearsense import _command  # noqa: F401 - before all that takes time

# isort: split
from importlib import import_module as _import_module
from typing import TYPE_CHECKING

import numpy as _numpy  # noqa: F401 - here it takes 10 ms less than in the midst of our own imports

from nearsense import errors
from nearsense._version import __version__
from nearsense.compare import compare, compare_pairs, matrix, similarity
from nearsense.encoders import CrossEncoder, Encoder, load, load_cross
from nearsense.own_vectors import vectors
from nearsense.records import Document, Vectors
from nearsense.search import rank, search, search_many, search_vectors

if TYPE_CHECKING:
    from nearsense import metrics, querylog, types
    from nearsense.calibrating import adapt, background, calibrate
    from nearsense.calibration import Calibration, load_calibration
    from nearsense.clustering import Clusters, cluster, load_clusters
    from nearsense.collection import Collection
    from nearsense.collection import open_collection as open  # noqa: A004 - said as ns.open(path)
    from nearsense.datasets import Dataset, read_dataset
    from nearsense.deduplication import duplicates
    from nearsense.distillation import distill
    from nearsense.documents.reading import read_documents
    from nearsense.encoders.recommend import recommend
    from nearsense.evaluation import evaluate
    from nearsense.explanation import explain
    from nearsense.faq import FAQ
    from nearsense.monitoring import drift
    from nearsense.plots import heatmap
    from nearsense.prompt_context import context
    from nearsense.reranking import rerank, rerank_many
    from nearsense.textmap import map_texts as map  # noqa: A004 - said as ns.map(texts)
    from nearsense.training.learning import train, train_adapter

__all__ = [  # noqa: RUF022 - plain order: FAQ is a class, no constant
    "Calibration",
    "Clusters",
    "Collection",
    "CrossEncoder",
    "Dataset",
    "Document",
    "Encoder",
    "FAQ",
    "Vectors",
    "__version__",
    "adapt",
    "background",
    "calibrate",
    "cluster",
    "compare",
    "compare_pairs",
    "context",
    "distill",
    "drift",
    "duplicates",
    "errors",
    "evaluate",
    "explain",
    "heatmap",
    "load",
    "load_calibration",
    "load_clusters",
    "load_cross",
    "map",
    "matrix",
    "metrics",
    "open",
    "querylog",
    "rank",
    "read_dataset",
    "read_documents",
    "recommend",
    "rerank",
    "rerank_many",
    "search",
    "search_many",
    "search_vectors",
    "similarity",
    "train",
    "train_adapter",
    "types",
    "vectors",
]


_LATER = {
    "FAQ": "faq",
    "Calibration": "calibration",
    "Clusters": "clustering",
    "Collection": "collection",
    "Dataset": "datasets",
    "adapt": "calibrating",
    "background": "calibrating",
    "calibrate": "calibrating",
    "cluster": "clustering",
    "context": "prompt_context",
    "drift": "monitoring",
    "distill": "distillation",
    "duplicates": "deduplication",
    "evaluate": "evaluation",
    "explain": "explanation",
    "heatmap": "plots",
    "load_calibration": "calibration",
    "load_clusters": "clustering",
    "map": "textmap:map_texts",
    "open": "collection:open_collection",
    "read_dataset": "datasets",
    "read_documents": "documents.reading",
    "recommend": "encoders.recommend",
    "rerank": "reranking",
    "rerank_many": "reranking",
    "train": "training.learning",
    "train_adapter": "training.learning",
}
"""What is imported when it is first used, by the module it is in: together it costs as much as numpy."""


if not TYPE_CHECKING:  # who checks types is told of names that are misspelt, or stand elsewhere now

    def __getattr__(name: str) -> object:
        if name in ("metrics", "querylog", "types"):
            return _import_module(f"nearsense.{name}")
        if name in _LATER:
            module, _, attribute = _LATER[name].partition(":")
            value = getattr(_import_module(f"nearsense.{module}"), attribute or name)
            globals()[name] = value
            return value
        if name in errors.__all__:  # until 0.2: where errors and results stood before
            return getattr(errors, name)
        from nearsense import types

        if name in types.__all__:
            return getattr(types, name)
        raise AttributeError(f"module 'nearsense' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
