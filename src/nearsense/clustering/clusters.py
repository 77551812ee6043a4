"""What clustering gives: named groups of texts, and the texts in none. Not how they are found: finding.py."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from nearsense._progress import Progress
from nearsense.errors import InputError
from nearsense.types import Document, Hit, Origin, Results, Vectors, percent

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from nearsense.encoders import Encoder

__all__ = ["Cluster", "Clusters", "Model"]


@dataclass(frozen=True, slots=True)
class Cluster:
    """Texts that are near each other in sense.

    Args:
        id: Its number; the largest cluster is 0, unless ids were kept from before.
        label: Its name; no two clusters of a result have the same.
        keywords: The phrases that set it apart from the others, the best first.
        size: How many texts are in it.
        cohesion: How near two of its texts are on average: mean cosine similarity of all pairs; 1 for one text.
        exemplar: The text nearest to the middle of the cluster; None where only vectors are known.
        members: The ids of its texts, those nearest to the middle first.
        parent: The id of the theme that it belongs to; None where there are no themes.
        stability: How far it comes again when a part of the texts is left out, in [0, 1]; None where that was not
            asked.
        new: Whether it was opened for texts that belong to no cluster of before.
    """

    id: int
    label: str
    keywords: tuple[str, ...]
    size: int
    cohesion: float
    exemplar: Document | None
    members: tuple[str, ...]
    parent: int | None = None
    stability: float | None = None
    new: bool = False

    def __str__(self) -> str:
        return f"{self.id:>3}  {self.size:>6,}  {self.label}"

    def to_dict(self) -> dict[str, Any]:
        """As JSON values."""
        known = {name: getattr(self, name) for name in ("id", "label", "size", "cohesion", "parent", "stability")}
        exemplar = None if self.exemplar is None else {"id": self.exemplar.id, "text": self.exemplar.text}
        return {
            **known,
            "new": self.new,
            "keywords": list(self.keywords),
            "exemplar": exemplar,
            "members": list(self.members),
        }


@dataclass(frozen=True, slots=True, eq=False)
class Model:
    """What a new text is judged by: where clusters are, and how near to them one has to be.

    Args:
        ids: int64, shape (k,): the cluster of each row.
        centres: float32, shape (k, d), unit length.
        thresholds: float32, shape (k,): cosine similarity to the centre from which on a text belongs there.
        min_size: How many texts make a cluster of their own.
        seed: What the clusters were found with.
    """

    ids: NDArray[np.int64]
    centres: NDArray[np.float32]
    thresholds: NDArray[np.float32]
    min_size: int
    seed: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class Held:
    """What the clusters are of: needed to look deeper into them, not kept in files."""

    documents: Sequence[Document]
    vectors: Vectors
    encoder: Encoder | None = None
    language: str | None = None
    options: dict[str, Any] = field(default_factory=dict)


class Clusters(Results[Cluster]):
    """Clusters, the largest first; in all else a plain list.

    Args:
        items: The clusters.
        origin: What produced the vectors.
        labels: int64, shape (n,): the id of each text's cluster, in the order of the texts; -1 for noise.
        strengths: float32, shape (n,), in [0, 1]: how firmly each text belongs to its cluster; 0 for noise.
        ids: The id of each text.
        method: How they were found.
        exact: Whether they are what the method is defined to give; False where only the nearest neighbours of each
            text were looked at.
        model: What new texts are judged by.
        themes: The level above: clusters of clusters; None where there are too few.
        held: The texts and vectors; None for clusters from a file.
    """

    def __init__(
        self,
        items: Iterable[Cluster],
        origin: Origin,
        *,
        labels: NDArray[np.int64],
        strengths: NDArray[np.float32],
        ids: Sequence[str],
        method: str,
        exact: bool,
        model: Model,
        themes: Clusters | None = None,
        held: Held | None = None,
    ) -> None:
        super().__init__(items, origin)
        self.labels, self.strengths, self.ids = labels, strengths, ids
        self.method, self.exact, self.model = method, exact, model
        self.themes, self._held = themes, held
        for array in (labels, strengths):
            array.setflags(write=False)

    @cached_property
    def noise(self) -> tuple[str, ...]:
        """The ids of the texts in no cluster, in the order of the texts."""
        return tuple(self.ids[row] for row in np.flatnonzero(self.labels < 0).tolist())

    @property
    def coverage(self) -> float:
        """The share of the texts that are in a cluster; 0 where there are no texts."""
        return float((self.labels >= 0).mean()) if len(self.labels) else 0.0

    def get(self, id: int) -> Cluster:  # noqa: A002 - the field's name
        """The cluster of an id.

        Raises:
            InputError: There is none.
        """
        found = next((cluster for cluster in self if cluster.id == id), None)
        if found is None:
            known = f"they are {min(self.model.ids)} to {max(self.model.ids)}" if len(self) else "there are none"
            raise InputError(f"no cluster has the id {id}", why=known)
        return found

    def representatives(self, id: int, n: int = 5) -> Results[Hit]:  # noqa: A002 - the field's name
        """Texts that show what a cluster is about: each near its middle, and no two the same.

        Args:
            id: The cluster's.
            n: How many at most; at least 1.

        Returns:
            The exemplar first; `score` is the cosine similarity to the middle of the cluster.

        Raises:
            InputError: There is no such cluster, n is below 1, or the clusters come from a file.
        """
        from nearsense.clustering.outliers import representatives

        return representatives(self, self.held("representatives"), self.get(id), n)

    def outliers(self, n: int = 10) -> Results[Hit]:
        """The texts that stand alone: even the nearest other text is far.

        Args:
            n: How many; at least 1.

        Returns:
            The loneliest first; `score` is the cosine similarity to the nearest text that says something else.

        Raises:
            InputError: n is below 1, or the clusters come from a file.
        """
        from nearsense.clustering.outliers import outliers

        return outliers(self, self.held("outliers"), n)

    def split(self, id: int, k: int | None = None) -> Clusters:  # noqa: A002 - the field's name
        """One level down: the clusters within a cluster.

        Args:
            id: The cluster's.
            k: Into how many; without it about as many as the square root of half its texts, 8 at most.

        Returns:
            Clusters of the texts of this one alone; each has it as `parent`.

        Raises:
            InputError: There is no such cluster, k is more than it has texts, or the clusters come from a file.
        """
        from nearsense.clustering.levels import split

        return split(self, self.held("split"), self.get(id), k)

    def assign(
        self,
        texts: Iterable[str | Document],
        *,
        vectors: Vectors | None = None,
        encoder: Encoder | str | None = None,
        open_new: bool = True,
        progress: Progress = False,
    ) -> Clusters:
        """Put new texts into these clusters.

        A text goes to the cluster whose centre is nearest, if it is as near to it as 95 of 100 of the cluster's
        own texts are to the others in it. Of those left over, as many as make a cluster by themselves open a new
        one; the others are noise. Old clusters keep their ids, names and centres.

        Args:
            texts: Strings or Documents.
            vectors: Theirs, where they are known; of the same model.
            encoder: An Encoder or a model's name; without it that of before.
            open_new: Whether new clusters may be opened.
            progress: True for a bar on stderr, or a function called with (done, total).

        Returns:
            The clusters of the new texts: all old ones, also those that got none, then new ones.

        Raises:
            ModelMismatch: The vectors are of another model.
            InputError: A text is empty or no string, or ids repeat.
        """
        from nearsense.clustering.assigning import assign

        return assign(self, texts, vectors, encoder, open_new, progress)

    def with_stability(self, rounds: int = 10, *, progress: Progress = False) -> Clusters:
        """The same clusters, each with its stability (Hennig 2007).

        The texts are clustered again, `rounds` times with a random fifth left out. A cluster's stability is the
        mean over the rounds of its Jaccard similarity to the most similar of the clusters found then. 0.75 and
        above is a cluster that is there; below 0.5 it comes and goes.

        Args:
            rounds: How often; at least 1.
            progress: True for a bar on stderr, or a function called with (done, total).

        Raises:
            InputError: `rounds` is below 1, or the clusters come from a file or from `assign`.
        """
        from nearsense.clustering.stability import with_stability

        return with_stability(self, self.held("stability"), rounds, progress)

    def held(self, what: str) -> Held:
        """The texts and vectors.

        Raises:
            InputError: They were not kept.
        """
        if self._held is None:
            raise InputError(
                f"{what}: these clusters have no texts any more",
                why="a file of clusters holds names and centres, no texts and no vectors",
                fix="cluster the texts again",
            )
        return self._held

    def copied(self, items: Iterable[Cluster]) -> Clusters:
        """The same result with clusters that say more."""
        names = ("labels", "strengths", "ids", "method", "exact", "model", "themes")
        return Clusters(items, self.origin, **{name: getattr(self, name) for name in names}, held=self._held)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write them into a file that `load_clusters` and `--assign-to` read; texts and vectors are not in it.

        Raises:
            FileError: The file cannot be written; one that was there is as it was.
        """
        from nearsense.clustering.kept import save

        save(self, path)

    def __str__(self) -> str:
        lines = [super().__str__()] if len(self) else []
        if self.noise or not len(self):
            lines.append(f"  -  {len(self.noise):>6,}  in no cluster")
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        """As a table, for notebooks; members are left out, there may be many."""
        return Results([_Shown(cluster) for cluster in self], self.origin)._repr_html_()

    def __repr__(self) -> str:
        how = self.method if self.exact else f"{self.method}, approximate"
        return f"Clusters({len(self):,} of {len(self.ids):,} texts, {percent(self.coverage)} covered, {how})"

    def to_dict(self) -> dict[str, Any]:
        """As JSON values; themes without their members, who are those of their clusters."""
        themes = None if self.themes is None else [_without_members(theme) for theme in self.themes]
        return {
            "clusters": self.to_dicts(),
            "themes": themes,
            "noise": list(self.noise),
            "texts": len(self.ids),
            "coverage": self.coverage,
            "method": self.method,
            "exact": self.exact,
            "min_size": self.model.min_size,
            **self.origin.to_dict(),
        }


def _without_members(cluster: Cluster) -> dict[str, Any]:
    return {name: value for name, value in cluster.to_dict().items() if name != "members"}


@dataclass(frozen=True, slots=True)
class _Shown:
    """A cluster as a row of a notebook's table."""

    cluster: Cluster

    def to_dict(self) -> dict[str, Any]:
        """What fits into a row."""
        names = ("id", "label", "size", "cohesion")
        exemplar = self.cluster.exemplar
        return {name: getattr(self.cluster, name) for name in names} | {"exemplar": exemplar and exemplar.text}
