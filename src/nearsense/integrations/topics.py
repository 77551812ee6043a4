"""An encoder as BERTopic and KeyBERT want one: `BERTopic(embedding_model=as_bertopic("all-MiniLM-L6-v2"))`.

Both ask for a backend of their own, and take an object with the name of sentence-transformers for that library's.
SetFit takes the `SentenceTransformer` of nearsense.integrations.sentence_transformers as the body of a model whose
head is scikit-learn's, `SetFitModel(model_body=..., model_head=LogisticRegression())`. Its trainer trains the body
as well, which needs sentence-transformers itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from nearsense._optional import require
from nearsense.encoders import Encoder, resolve, symmetric_role

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["as_bertopic", "as_keybert"]


def as_bertopic(encoder: Encoder | str | None = None) -> Any:
    """What BERTopic takes as `embedding_model=`.

    Args:
        encoder: What `nearsense.load` gave, a model's name, or None for the default model.

    Raises:
        MissingExtra: BERTopic is not installed.

    Example:
        >>> BERTopic(embedding_model=as_bertopic()).fit_transform(texts)  # doctest: +SKIP
    """
    return _backend("bertopic", encoder)


def as_keybert(encoder: Encoder | str | None = None) -> Any:
    """What KeyBERT takes as `model=`.

    Args:
        encoder: What `nearsense.load` gave, a model's name, or None for the default model.

    Raises:
        MissingExtra: KeyBERT is not installed.

    Example:
        >>> KeyBERT(as_keybert()).extract_keywords("a text")  # doctest: +SKIP
    """
    return _backend("keybert", encoder)


def _backend(library: str, encoder: Encoder | str | None) -> Any:
    """An object of the library's own class for what makes vectors."""
    base = require(f"{library}.backend", extra=None, purpose=f"a backend of {library}").BaseEmbedder
    model = resolve(encoder)

    class NearsenseBackend(base):  # type: ignore[misc, valid-type]
        """Texts to vectors, for documents, words and topics alike."""

        def embed(self, documents: Sequence[str], verbose: bool = False) -> NDArray[np.float32]:
            """The vectors of texts: float32, shape (n, d)."""
            texts = [str(each) for each in documents]
            return model.encode(texts, role=symmetric_role(model), progress=bool(verbose)).data

    return NearsenseBackend(embedding_model=model)
