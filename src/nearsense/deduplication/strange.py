"""Rows that the model was not made for: which are near others, and what is said of it. No pairs are made."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from nearsense.encoders import Encoder, LanguageWarning, resolve
from nearsense.types import Origin

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from nearsense.deduplication.edges import Edges
    from nearsense.deduplication.rows import Rows

__all__ = ["doubts", "maker_of", "tell"]


def maker_of(origin: Origin) -> Encoder | None:
    """The model that made given vectors, where it is the default: no other is fetched to read their texts."""
    from nearsense.settings import load_settings

    if origin.model != load_settings().model:
        return None
    made = resolve(None)
    return made if made.fingerprint == origin.fingerprint else None


def tell(edges: Edges, rows: Rows, strange: Mapping[int, str]) -> None:
    """Warn where rows stay that are near others, in a language that the model was not made for."""
    asked = edges.unsure & ~edges.guarded
    if not asked.any():
        return
    texts = {*edges.left[asked].tolist(), *edges.right[asked].tolist()} & strange.keys()
    count = sum(int(rows.copies[text]) for text in texts if text < len(rows))
    (reason, _), *_ = Counter(strange[text] for text in texts).most_common(1)
    who = "1 row stays that is" if count == 1 else f"{count:,} rows stay that are"
    warnings.warn(f"{who} near others, whatever they say: {reason}", LanguageWarning, stacklevel=3)


def doubts(texts: Sequence[str], asked: NDArray[np.int64], judge: Encoder | None) -> dict[int, str]:
    """Why the model cannot judge some of the texts that are near others, by their numbers."""
    from nearsense.pair_differences import unfamiliar

    if judge is None or not len(asked):
        return {}
    numbers = asked.tolist()
    reasons = unfamiliar([texts[number] for number in numbers], judge, among=texts)
    return {number: reason for number, reason in zip(numbers, reasons, strict=True) if reason}
