"""Who comes first among equals: of texts that score alike the one that is written like the query. Not the scores.

A model reads two different texts as one where it knows no token for what differs, or drops it: emoji, accents.
Then they tie, and the query's own text must not lose against a neighbour that stands before it in a file.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from nearsense.wording import UNLIKE, likeness

if TYPE_CHECKING:
    from numpy.typing import NDArray


SLACK = 1e-4
"""Scores that are no farther apart, as a part of the larger one, are equal: what arithmetic in bf16 leaves open.
Texts that a model reads differently were never seen so near to 1."""

SPARE = 8  # so many more rows are asked for than are wanted, to see who else scores like the last
FARTHEST = 10_000  # rows that are looked at, at most, where more score alike
Best = tuple["NDArray[np.int64]", "NDArray[np.floating]"]  # rows, best first, and their scores


def order_ties(
    queries: Sequence[str],
    k: int,
    n: int,
    ask: Callable[[NDArray[np.int64], int], list[Best]],
    texts: Callable[[NDArray[np.int64]], Sequence[str]],
    *,
    slack: float = SLACK,
) -> list[Best]:
    """The k best rows of each query; of those that score alike the one that is written like the query comes first.

    An empty query is written like nothing. There are n rows; `ask` gives, for some queries by their places, the so
    many best rows of each and their scores, `texts` what is written in some rows. `slack` says how far apart equal
    scores may be, as a part of the larger one.
    """
    n = max(n, 1)
    found = ask(np.arange(len(queries)), min(k + SPARE, n))
    for at, query in enumerate(queries):
        if query:

            def deeper(depth: int, at: int = at) -> Best:
                return ask(np.array([at]), depth)[0]

            found[at] = _order_ties_of_one(query, k, n, *found[at], deeper, texts, slack)
    return [(rows[:k], scores[:k]) for rows, scores in found]


def _order_ties_of_one(
    query: str,
    k: int,
    n: int,
    rows: NDArray[np.int64],
    scores: NDArray[np.floating],
    deeper: Callable[[int], Best],
    texts: Callable[[NDArray[np.int64]], Sequence[str]],
    slack: float,
) -> Best:
    depth = min(k + SPARE, n)
    while True:
        close = _equal(scores[1:], scores[:-1], slack)
        if not close.any():
            return rows, scores
        tied = np.flatnonzero(np.append(close, False) | np.append(False, close))
        alike = np.full(len(rows), UNLIKE)
        alike[tied] = [likeness(query, text) for text in texts(rows[tied])]
        more = k < depth == len(rows) < min(n, FARTHEST) and bool(_equal(scores[-1:], scores[k - 1 : k], slack)[0])
        if not more or 0 in alike:
            order = first_among_equals(alike, scores, slack)
            return rows[order], np.maximum.accumulate(scores[order][::-1])[::-1]
        depth = min(4 * depth, n, FARTHEST)
        rows, scores = deeper(depth)


def first_among_equals(
    alike: Sequence[int] | NDArray[np.int64], scores: NDArray[np.floating], slack: float = SLACK
) -> NDArray[np.int64]:
    """The order of some texts (best score first) in which what is written like the query is before its equals.

    `alike` says how nearly each is written like the query: see `likeness`.

    Example:
        >>> first_among_equals([5, 5, 0, 3], np.array([0.9, 0.5, 0.5, 0.1])).tolist()
        [0, 2, 1, 3]
    """
    levels, places = np.asarray(alike, np.int64), np.arange(len(alike))
    moved = np.flatnonzero(levels < UNLIKE)
    reach = scores[moved] + slack * np.maximum(np.abs(scores[moved]), _LEAST)
    places[moved] = np.minimum(np.searchsorted(-scores, -reach), moved)
    return np.lexsort((np.arange(len(alike)), levels, places))


def _equal(low: NDArray[np.floating], high: NDArray[np.floating], slack: float) -> NDArray[np.bool_]:
    """Whether scores differ from higher ones by no more than rounding."""
    return np.asarray(high - low <= slack * np.maximum(np.abs(high), _LEAST))


_LEAST = 1e-9
