"""What every encoder can do, and the words for it. Not how: see batch.py and its neighbours."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from nearsense._progress import Progress
from nearsense.types import Vectors

__all__ = ["BATCH_TOKENS", "ROLES", "Encoder", "TruncationWarning"]

BATCH_TOKENS = 512
"""Tokens in one request: from 384 to 1,024 the speed is the same within 2 %; 256 and 2,048 are slower."""

ROLES = ("query", "passage")
"""What a text can be in a search; some models put another prompt before each."""


class TruncationWarning(UserWarning):
    """Texts were cut at the model's limit."""


class Encoder(Protocol):
    """Whatever turns texts into vectors."""

    name: str
    dimension: int
    max_tokens: int

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
        normalize: bool = True,
        progress: Progress = False,
    ) -> Vectors:
        """Texts to vectors; see `TokenEncoder.encode` in batch.py."""
        ...  # pragma: no cover
