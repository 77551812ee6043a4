"""Static embeddings: a table of one vector a token, and their mean. No transformer, numpy alone."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from copy import copy
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from nearsense.encoders.base import Engine, damaged
from nearsense.encoders.modules import Pooling, every_token, pool
from nearsense.encoders.packing import Request
from nearsense.encoders.weights import Weights

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from nearsense.encoders.modules import Reduce

MOST_TOKENS = 5_000_000  # more than any vocabulary has


class StaticEngine(Engine):
    """Looks up the vectors of a text's tokens in a table, float32, shape (vocabulary, d), and takes their mean."""

    pooling = (Pooling.MEAN,)

    def __init__(self, table: NDArray[np.float32]) -> None:
        self._table = table
        self._reduce: Reduce = partial(pool, self.pooling)

    def unpooled(self) -> StaticEngine:
        """The same table; a request's answer is the vectors of all its tokens, end to end."""
        other = copy(self)
        other._reduce = every_token
        return other

    def run(self, requests: Iterable[Request]) -> Generator[tuple[Request, NDArray[np.float32]], None, None]:
        """Each request with the vectors of its texts, float32, shape (m, d)."""
        for request in requests:
            tokens = self._table[request.ids.ravel()]
            yield request, self._reduce(tokens, request.begins, request.lengths)


def read_table(weights: Weights, vocabulary: int, where: str) -> NDArray[np.float32]:
    """The table of a model, float32, shape (vocabulary or more, d).

    model2vec's may have a row for several tokens (`mapping`), and a weight for each token (`weights`).
    """
    own = "embeddings" in weights
    stored = weights.stored("embeddings" if own else "embedding.weight")
    table = weights["embedding.weight"] if stored is None else stored.astype(np.float32)
    try:
        if own and (mapping := weights.stored("mapping")) is not None:
            if mapping.dtype.kind not in "iu" or mapping.min(initial=0) < 0 or len(mapping) > MOST_TOKENS:
                raise ValueError(f"its mapping is of {mapping.dtype}, shape {mapping.shape}")
            table = table[mapping]
        if own and (counts := weights.stored("weights")) is not None:
            table = table * counts.astype(np.float32)[:, None]
    except (IndexError, ValueError) as error:
        raise damaged(f"{where}: the tensors of its table do not fit together", str(error)) from None
    if table.ndim != 2 or not table.shape[1] or len(table) < vocabulary:
        raise damaged(
            f"{where}: the tokenizer knows {vocabulary:,} tokens, the table has the shape {table.shape}",
            "the two are of different models",
        )
    return table
