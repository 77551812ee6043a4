"""The names of sentence-transformers over nearsense: programs change the import. Not training, not CrossEncoder.

    from nearsense.integrations.sentence_transformers import SentenceTransformer, util

What comes out has the shapes and types that the library gives: numpy arrays from `encode`, tensors where
`convert_to_tensor=True` asks for them and from `similarity`, lists of dicts and of lists from `util`. Without
PyTorch `similarity` gives arrays of numpy.
"""

from nearsense.integrations.sentence_transformers import util
from nearsense.integrations.sentence_transformers.model import LoggingHandler, SentenceTransformer
from nearsense.integrations.sentence_transformers.util import (
    SimilarityFunction,
    community_detection,
    cos_sim,
    dot_score,
    paraphrase_mining,
    paraphrase_mining_embeddings,
    semantic_search,
)

__all__ = [
    "LoggingHandler",
    "SentenceTransformer",
    "SimilarityFunction",
    "community_detection",
    "cos_sim",
    "dot_score",
    "paraphrase_mining",
    "paraphrase_mining_embeddings",
    "semantic_search",
    "util",
]
