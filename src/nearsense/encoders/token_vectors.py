"""The vectors of a text's tokens before pooling, and how much each counts in the text's. Not what they explain."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from nearsense.encoders.base import BATCH_TOKENS, Engine, whole_texts_only
from nearsense.encoders.modules import Pooling
from nearsense.encoders.packing import Spans, heads, pack, tails, windows
from nearsense.encoders.tokenizer import Tokenizer, Tokens
from nearsense.encoders.words import NO_WORD, Pieces, words_of

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, eq=False)
class TokenVectors:
    """What a model made of a text before pooling.

    Args:
        vectors: float32, shape (t, h): every token that was read, special ones included. A token that stands in
            several windows of a long text is there several times.
        words: int64, shape (t,): which of the w words each token belongs to; -1 for none.
        spans: int64, shape (w, 2): the first character of each word in the text, and the one after its last.
        counts: float32, shape (t,): the text's vector, before it gets unit length, is the sum of all `vectors`
            times these; None where the model makes no such sum.
        truncated: Whether the model read only the head of the text.
    """

    vectors: NDArray[np.float32]
    words: NDArray[np.int64]
    spans: NDArray[np.int64]
    counts: NDArray[np.float32] | None
    truncated: bool


def token_vectors(
    tokenizer: Tokenizer,
    engine: Engine,
    texts: Sequence[str],
    *,
    prompt: int,
    limit: int,
    chunk: bool,
    pooling: Sequence[Pooling],
    width: int | None,
) -> list[TokenVectors]:
    """Run n prompted texts through an engine without pooling, packed as `TokenEncoder.encode` packs them.

    `prompt` counts characters, `limit` the tokens that the model reads; `chunk` reads windows, `width` numbers of
    each vector are kept.
    """
    tokens, pieces = tokenizer(texts), tokenizer.pieces(texts)
    cut = windows if chunk else tails if tokenizer.left else heads
    spans = cut(tokens.starts, tokens.lengths, limit - tokenizer.specials)
    framed = tokenizer.with_specials(tokens, spans.starts, spans.lengths)
    rows = [each[:, :width] for each in _rows(engine, framed, spans)]
    before, after = len(tokenizer.prefix), len(tokenizer.suffix)
    result = []
    for text, (given, start) in enumerate(zip(pieces, tokens.starts, strict=True)):
        mine = np.flatnonzero(spans.owners == text)
        begins = spans.starts[mine] - start
        ends = begins + spans.lengths[mine]
        read = Pieces(*(each[: ends.max()] for each in (given.starts, given.ends, given.words)))
        owners, words = words_of(texts[text], read, prompt)
        framed_owners = [
            np.pad(owners[begin:end], (before, after), constant_values=NO_WORD)
            for begin, end in zip(begins, ends, strict=True)
        ]
        result.append(
            TokenVectors(
                vectors=np.concatenate([rows[span] for span in mine]),
                words=np.concatenate(framed_owners),
                spans=words,
                counts=_window_counts(
                    [(spans.shares[span], counts_of(pooling, len(rows[span]))) for span in mine]
                ),
                truncated=not chunk and bool(tokens.lengths[text] > limit - tokenizer.specials),
            )
        )
    return result


def counts_of(pooling: Sequence[Pooling], length: int) -> NDArray[np.float32] | None:
    """How much each token counts in a pooled vector, shape (length,); None where that is no weighted sum.

    >>> counts_of([Pooling.MEAN], 4), counts_of([Pooling.MAX], 4)
    (array([0.25, 0.25, 0.25, 0.25], dtype=float32), None)
    """
    if len(pooling) != 1 or pooling[0] not in _COUNTS:
        return None
    return _COUNTS[pooling[0]](np.arange(1, length + 1, dtype=np.float32))


_COUNTS: dict[Pooling, Callable[[NDArray[np.float32]], NDArray[np.float32]]] = {
    Pooling.MEAN: lambda places: np.full_like(places, 1 / max(len(places), 1)),
    Pooling.MEAN_SQRT: lambda places: np.full_like(places, 1 / np.sqrt(max(len(places), 1))),
    Pooling.WEIGHTED_MEAN: lambda places: places / places.sum(),
}
"""The count of each token, by its place from 1."""


def _window_counts(parts: list[tuple[np.float32, NDArray[np.float32] | None]]) -> NDArray[np.float32] | None:
    """The counts of the windows of a text, each by its share of the text."""
    scaled = [share * counts for share, counts in parts if counts is not None]
    return np.concatenate(scaled) if len(scaled) == len(parts) else None


def _rows(engine: Engine, framed: Tokens, spans: Spans) -> list[NDArray[np.float32]]:
    """The token vectors of each span."""
    some = np.flatnonzero(framed.lengths > 0)
    requests = pack(
        Tokens(framed.ids, framed.lengths[some]), some, spans.shares[some], BATCH_TOKENS * engine.scale
    )
    found: dict[int, NDArray[np.float32]] = {}
    with closing(engine.unpooled().run(requests)) as answers:
        for request, vectors in answers:
            if len(vectors) != request.lengths.sum():  # the graph pools by itself
                raise whole_texts_only()
            parts = np.split(vectors, np.cumsum(request.lengths)[:-1])
            found.update(zip(request.items.tolist(), parts, strict=True))
    nothing = np.zeros((0, next((each.shape[1] for each in found.values()), 0)), np.float32)
    return [found.get(span, nothing) for span in range(len(framed.lengths))]
