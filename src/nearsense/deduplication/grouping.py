"""Near texts and a policy to rows that stay and rows that go, each by a measured pair. Not how near they are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from nearsense.deduplication.edges import EXACT
from nearsense.deduplication.stars import stars

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from nearsense.deduplication.edges import Edges
    from nearsense.deduplication.keeping import Policy
    from nearsense.deduplication.rows import Rows

__all__ = ["Grouping", "grouped"]


@dataclass(frozen=True, slots=True, eq=False)
class Grouping:
    """Which row each row gives way to.

    Args:
        kept: int64, shape (n,): the row that stays in the place of each row, its own where it stays itself; where
            an archive's row does, n plus the number of that.
        edge: int64, shape (n,): the pair that says so; -1 for equal texts, and for rows that stay.
    """

    kept: NDArray[np.int64]
    edge: NDArray[np.int64]

    @property
    def stays(self) -> NDArray[np.int64]:
        """The rows that stay, in their order."""
        return np.flatnonzero(self.kept == np.arange(len(self.kept)))


def grouped(
    rows: Rows,
    archive: Rows | None,
    edges: Edges,
    usable: NDArray[np.bool_],
    policy: Policy,
    *,
    within: bool,
) -> Grouping:
    """Who stays and who goes.

    Args:
        rows: The rows.
        archive: Rows that stay in any case; their texts are numbered after those of `rows`.
        edges: Pairs of texts.
        usable: bool: the pairs that are near enough and may be grouped.
        policy: Which of the rows that may stay does.
        within: Whether rows give way to each other, or to the archive only.
    """
    m, others = len(rows), 0 if archive is None else len(archive)
    pairs = np.flatnonzero(usable)
    left, right = edges.left[pairs], edges.right[pairs]
    strength = np.where(edges.tier[pairs] == EXACT, np.float32(2), np.minimum(edges.score[pairs], np.float32(1)))
    fixed = np.arange(m + others) >= m if others else None
    found = stars(m + others, left, right, strength, _content(rows, archive, left, right), fixed)
    stays = _staying(rows, found.centre[:m], found.free[:m], policy)  # a row for each centre that is no archive's
    kept_node = np.where(stays >= 0, rows.node[stays], np.arange(m)) if m else stays
    edge = _edges(m + others, left, right, pairs, found.centre, kept_node)
    home = found.centre[rows.node]  # the centre of each row
    kept = np.arange(len(home))
    if within:
        own = home < m
        kept[own] = stays[home[own]]
    if archive is not None and others:
        away = home >= m
        kept[away] = len(rows.documents) + archive.first[home[away] - m]
    return Grouping(kept, edge[rows.node])


def _content(
    rows: Rows, archive: Rows | None, left: NDArray[np.int64], right: NDArray[np.int64]
) -> NDArray[np.uint64]:
    """What decides between texts, of those that are near any."""
    m = len(rows)
    content = np.zeros(m + (0 if archive is None else len(archive)), np.uint64)
    is_near = np.zeros(len(content), bool)
    is_near[left] = is_near[right] = True
    near = np.flatnonzero(is_near)
    content[near[near < m]] = rows.digests(near[near < m])
    if archive is not None:
        content[near[near >= m]] = archive.digests(near[near >= m] - m)
    return content


def _staying(rows: Rows, centre: NDArray[np.int64], free: NDArray[np.bool_], policy: Policy) -> NDArray[np.int64]:
    """For each centre the row that stays of its group; -1 for texts that are no centre."""
    stays = np.full(len(rows), -1, np.int64)
    may = np.flatnonzero(free[rows.node] & (centre[rows.node] < len(rows)))
    group = centre[rows.node[may]]
    if policy.choose is None:
        order = np.lexsort((may, policy.rank[may], group))[::-1]
        stays[group[order]] = may[order]  # the last that is written has the least rank
        return stays
    order = np.lexsort((may, group))
    may, group = may[order], group[order]
    begin = np.flatnonzero(np.concatenate([[True], group[1:] != group[:-1]])) if len(group) else group
    for at, rival in zip(begin.tolist(), [*begin[1:].tolist(), len(may)], strict=True):
        chosen = may[at:rival].tolist()
        stays[group[at]] = policy.pick(rows.documents, chosen) if len(chosen) > 1 else chosen[0]
    return stays


def _edges(
    n: int,
    left: NDArray[np.int64],
    right: NDArray[np.int64],
    pairs: NDArray[np.int64],
    centre: NDArray[np.int64],
    kept_node: NDArray[np.int64],
) -> NDArray[np.int64]:
    """For each text its pair with the text that stays of its group; -1 where it is that text itself."""
    stays = np.arange(n)
    stays[: len(kept_node)] = kept_node
    edge = np.full(n, -1, np.int64)
    for here, there in ((left, right), (right, left)):
        its = (centre[here] == centre[there]) & (stays[centre[here]] == there)
        edge[here[its]] = pairs[its]
    return edge
