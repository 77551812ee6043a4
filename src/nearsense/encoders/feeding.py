"""A request to the inputs of a graph: packed rows for our own graphs, padded texts for those of others."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from nearsense.encoders.packing import Request

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Feed = Callable[[Sequence[str], Request], tuple[list[NDArray[Any]], NDArray[np.int64]]]

__all__ = ["INPUTS", "Padded", "packed", "unpacked"]


def packed(names: Sequence[str], request: Request) -> tuple[list[NDArray[Any]], NDArray[np.int64]]:
    """The arrays of a request by their names, as they are.

    Returns:
        One array for each name, and where each text begins in the graph's flattened tokens, int64, shape (m,).
    """
    return [getattr(request, name) for name in names], request.begins


class Padded:
    """One text a row, filled up at the right: what graphs know that say `input_ids` and `attention_mask`.

    Args:
        padding: The id of the token that fills rows.
        first: The position of a text's first token.
        typed: The model is told which text of a pair a token belongs to; where not, all are of the first.
    """

    def __init__(self, padding: int, first: int = 0, *, typed: bool = True) -> None:
        self._padding, self._first, self._typed = padding, first, typed

    def __call__(self, names: Sequence[str], request: Request) -> tuple[list[NDArray[Any]], NDArray[np.int64]]:
        """As `packed`; only inputs of `INPUTS` can be fed."""
        ids, mask, types = unpacked(request, self._padding)
        arrays = {
            "input_ids": ids,
            "attention_mask": mask,
            "token_type_ids": types if self._typed else np.zeros_like(types),
            "position_ids": np.broadcast_to(np.arange(ids.shape[1], dtype=np.int64) + self._first, ids.shape),
        }
        return [arrays[name] for name in names], np.arange(len(ids)) * ids.shape[1]


INPUTS = ("input_ids", "attention_mask", "token_type_ids", "position_ids")
"""What a graph of others may ask for."""


def unpacked(request: Request, padding: int) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """The texts of a request, one a row, filled up at the right.

    Args:
        request: m texts, the longest of l tokens.
        padding: The id of the token that fills rows.

    Returns:
        ids, mask (1 for tokens, 0 for padding) and types; int64, shape (m, l).
    """
    lengths = request.lengths
    count, longest = len(lengths), int(lengths.max(initial=1))
    mask = (np.arange(longest) < lengths[:, None]).astype(np.int64)
    within = np.arange(int(lengths.sum())) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    source = np.repeat(request.begins, lengths) + within
    target = np.repeat(np.arange(count) * longest, lengths) + within
    ids = np.full(count * longest, padding, np.int64)
    types = np.zeros(count * longest, np.int64)
    ids[target] = request.ids.ravel()[source]
    if request.types is not None:
        types[target] = request.types.ravel()[source]
    return ids.reshape(mask.shape), mask, types.reshape(mask.shape)
