"""nearsense finds texts that are near in sense, and says how sure it is.

    import nearsense as ns

    ns.compare("It is raining.", "Rain is falling.")
    ns.search("I forgot my login", ["Reset your password here.", "We ship within two days."])

Engines are imported inside the functions that build them: this import costs numpy and little more.
"""

from nearsense import metrics
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
