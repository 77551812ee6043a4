"""What every encoder can do, and the words for it. Not how: see batch.py and its neighbours."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Protocol

from nearsense._progress import Progress
from nearsense.types import Metric, Vectors

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = [
    "BATCH_TOKENS",
    "ROLES",
    "CrossEncoder",
    "Encoder",
    "LanguageWarning",
    "RoleWarning",
    "TruncationWarning",
    "UnknownTextWarning",
    "symmetric_role",
]

BATCH_TOKENS = 512
"""Tokens in one request: from 384 to 1,024 the speed is the same within 2 %; 256 and 2,048 are slower."""

ROLES = ("query", "passage")
"""What a text can be in a search; some models put another prompt before each."""


class TruncationWarning(UserWarning):
    """Texts were cut at the model's limit."""


class LanguageWarning(UserWarning):
    """A notable share of the texts is in a language that the model was not made for."""


class RoleWarning(UserWarning):
    """A model that needs to know whether a text is a query or a passage was not told."""


class UnknownTextWarning(UserWarning):
    """Texts have no token that the model knows: their vectors say nothing of them."""


class Encoder(Protocol):
    """Whatever turns texts into vectors."""

    name: str
    dimension: int
    max_tokens: int

    @property
    def similarity(self) -> Metric:
        """How the model's vectors are meant to be compared: cosine, or for some models the dot product."""
        ...  # pragma: no cover

    @property
    def fingerprint(self) -> str:
        """SHA-256 (hex) of the model as it is run; vectors compare where it is equal."""
        ...  # pragma: no cover

    def encode(
        self,
        texts: str | Iterable[str],
        *,
        role: str | None = None,
        long: str | None = None,
        batch_tokens: int = BATCH_TOKENS,
        normalize: bool | None = None,
        progress: Progress = False,
    ) -> Vectors:
        """Texts to vectors; see `TokenEncoder.encode` in batch.py."""
        ...  # pragma: no cover


class CrossEncoder(Protocol):
    """Whatever reads two texts together, and scores how well they go together."""

    name: str
    max_tokens: int

    @property
    def fingerprint(self) -> str:
        """SHA-256 (hex) of the model as it is run."""
        ...  # pragma: no cover

    def score(
        self,
        pairs: Iterable[tuple[str, str]],
        *,
        long: str | None = None,
        batch_tokens: int = BATCH_TOKENS,
        logits: bool = False,
        progress: Progress = False,
    ) -> NDArray[np.float32]:
        """One score a pair; see `PairEncoder.score` in cross.py."""
        ...  # pragma: no cover


def symmetric_role(encoder: Encoder) -> str | None:
    """The role of texts that are compared with each other, neither of them being searched for.

    Models that need a prompt before every text (E5, say) want the query's; others want none.
    """
    return "query" if getattr(encoder, "needs_role", False) else None
