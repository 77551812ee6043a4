"""An encoder as the benchmark MTEB wants one: `mteb.evaluate(as_mteb(encoder), tasks)`. Measures nothing."""

from __future__ import annotations

from collections.abc import Iterable
from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np

from nearsense._optional import require
from nearsense.encoders import Encoder, resolve, symmetric_role
from nearsense.records import Metric
from nearsense.vectors.rows import normalize

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[np.float32]

__all__ = ["MtebEncoder", "as_mteb"]

ROLES = {"query": "query", "document": "passage", "passage": "passage"}
"""What MTEB calls the two sides of a search, and what encoders call them."""

UNKNOWN = (
    "release_date", "languages", "n_parameters", "memory_usage_mb", "license", "open_weights",
    "public_training_code", "public_training_data", "use_instructions", "training_datasets",
)  # fmt: skip
"""What MTEB asks of a model that an encoder does not say."""


class MtebEncoder:
    """The protocol of MTEB 2: texts come in batches of dictionaries, vectors go out as a float32 matrix.

    Args:
        encoder: What `nearsense.load` gave, a model's name, or None for the default model.
        revision: What MTEB's results call the version; the model's fingerprint without it.

    Example:
        >>> encoder = MtebEncoder(None)
        >>> encoder.encode([{"text": ["a dog", "a hound"]}, {"text": ["a debt"]}]).shape
        (3, 384)
    """

    def __init__(self, encoder: Encoder | str | None = None, revision: str | None = None, **_options: Any) -> None:
        self.encoder = resolve(encoder)
        self.revision = revision or self.encoder.fingerprint[:12]

    def encode(
        self,
        inputs: Iterable[dict[str, Any]],
        *,
        task_metadata: Any = None,
        hf_split: str = "",
        hf_subset: str = "",
        prompt_type: Any = None,
        **_options: Any,
    ) -> Floats:
        """Vectors of all texts, a row each, in their order; what MTEB says of the task is not needed.

        Args:
            inputs: Batches: {"text": texts}.
            task_metadata: Not needed.
            hf_split: Not needed.
            hf_subset: Not needed.
            prompt_type: "query" or "document" in a search; other texts have no role, or the query's where a model
                needs one.
        """
        texts = [text for batch in inputs for text in batch["text"]]
        said = ROLES.get(str(getattr(prompt_type, "value", prompt_type)))
        return self.encoder.encode(texts, role=said or symmetric_role(self.encoder)).data

    def similarity(self, embeddings1: ArrayLike, embeddings2: ArrayLike) -> Any:
        """Every vector of the first with every one of the second: (n, d) and (m, d) to (n, m)."""
        left, right = self._comparable(embeddings1), self._comparable(embeddings2)
        return _as_tensor(left @ right.T)

    def similarity_pairwise(self, embeddings1: ArrayLike, embeddings2: ArrayLike) -> Any:
        """Each vector of the first with the one in the same row of the second: (n, d) and (n, d) to (n,)."""
        left, right = self._comparable(embeddings1), self._comparable(embeddings2)
        return _as_tensor(np.einsum("ij,ij->i", left, right))

    @property
    def mteb_model_meta(self) -> Any:
        """What MTEB writes beside results: the model's name, its fingerprint, its sizes.

        Raises:
            MissingExtra: MTEB is not installed.
        """
        meta = require("mteb.models.model_meta", extra=None, purpose="running MTEB")
        encoder = self.encoder
        name = encoder.name if "/" in encoder.name else f"nearsense/{encoder.name}"
        return meta.ModelMeta(
            loader=None,
            name=name,
            revision=self.revision,
            max_tokens=encoder.max_tokens,
            embed_dim=encoder.dimension,
            framework=[],
            similarity_fn_name="dot" if encoder.similarity is Metric.DOT else "cosine",
            **dict.fromkeys(UNKNOWN),
        )

    def _comparable(self, embeddings: ArrayLike) -> Floats:
        """float32 rows; of length one where the model compares by cosine."""
        rows = np.atleast_2d(np.asarray(embeddings, np.float32))
        if self.encoder.similarity is Metric.DOT:
            return rows
        return normalize(rows, zero="keep")


def as_mteb(encoder: Encoder | str | None = None) -> MtebEncoder:
    """An encoder that MTEB can run.

    Args:
        encoder: What `nearsense.load` gave, a model's name, or None for the default model.

    Example:
        >>> as_mteb("all-MiniLM-L6-v2").encoder.name
        'all-MiniLM-L6-v2'
    """
    return MtebEncoder(encoder)


def _as_tensor(values: NDArray[Any]) -> Any:
    """As a torch tensor where torch is there, as MTEB compares with; else as it is."""
    try:
        return import_module("torch").from_numpy(np.ascontiguousarray(values))
    except ImportError:
        return values
