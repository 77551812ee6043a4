"""nearsense finds texts that are near in sense, and says how sure it is.

    import nearsense as ns

    ns.compare("It is raining.", "Rain is falling.")
    ns.search("I forgot my login", ["Reset your password here.", "We ship within two days."])

Engines are imported inside the functions that build them: this import costs numpy and little more.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nearsense._version import __version__
from nearsense.compare import compare, compare_pairs, matrix
from nearsense.encoders import Encoder, TruncationWarning, load
from nearsense.errors import (
    BrokenModel,
    FileError,
    InputError,
    MissingExtra,
    ModelError,
    ModelMismatch,
    ModelNotFound,
    NearsenseError,
    TextTooLong,
    TooLargeError,
    UnsupportedModel,
    ZeroVectorError,
)
from nearsense.search import rank, search, search_many, search_vectors
from nearsense.types import Comparison, Document, Hit, Matrix, Reading, Results, Vectors

if TYPE_CHECKING:
    from types import ModuleType

    from nearsense import metrics

__all__ = [
    "BrokenModel",
    "Comparison",
    "Document",
    "Encoder",
    "FileError",
    "Hit",
    "InputError",
    "Matrix",
    "MissingExtra",
    "ModelError",
    "ModelMismatch",
    "ModelNotFound",
    "NearsenseError",
    "Reading",
    "Results",
    "TextTooLong",
    "TooLargeError",
    "TruncationWarning",
    "UnsupportedModel",
    "Vectors",
    "ZeroVectorError",
    "__version__",
    "compare",
    "compare_pairs",
    "load",
    "matrix",
    "metrics",
    "rank",
    "search",
    "search_many",
    "search_vectors",
]


def __getattr__(name: str) -> ModuleType:
    """`ns.metrics` is imported when it is first used: a tenth of what numpy costs."""
    if name == "metrics":
        from importlib import import_module

        return import_module("nearsense.metrics")
    raise AttributeError(f"module 'nearsense' has no attribute {name!r}")
