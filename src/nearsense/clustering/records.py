"""What algorithms give and take: clusters, levels of them, what new texts are judged by. Nothing is computed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nearsense.markup import EVERY
from nearsense.records import as_json

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from nearsense.encoders import Encoder
    from nearsense.markup import Markup
    from nearsense.records import Document, Vectors

    Ints = NDArray[np.int64]
    Floats = NDArray[np.float32]


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
        known = as_json(self, "id label size cohesion parent stability new keywords")
        exemplar = None if self.exemplar is None else as_json(self.exemplar, "id text")
        return known | {"exemplar": exemplar, "members": list(self.members)}


@dataclass(frozen=True, slots=True, eq=False)
class ClusterModel:
    """What a new text is judged by: where clusters are, and how near to them one has to be."""

    ids: Ints  # (k,): the cluster of each row
    centroids: Floats  # (k, d): unit length
    thresholds: Floats  # (k,): cosine similarity to the centroid from which on a text belongs there
    min_size: int  # how many texts make a cluster of their own
    seed: int = 0  # what the clusters were found with


@dataclass(frozen=True, slots=True)
class Settings:
    """How clusters are found; see `nearsense.cluster`."""

    method: str
    min_size: int
    k: int | None = None
    min_score: float | None = None
    seed: int = 0
    strict: bool = False
    min_size_between: int = 2  # how many texts between dense regions make a cluster


@dataclass(frozen=True, slots=True, eq=False)
class ClusteredTexts:
    """n texts with their vectors, which are of unit length, and what encoded them; no file keeps them."""

    documents: Sequence[Document]
    vectors: Vectors
    encoder: Encoder | None = None
    language: str | None = None
    markup: Sequence[Markup] = EVERY  # what of the texts is in no name


@dataclass(frozen=True, slots=True, eq=False)
class Partition:
    """n rows in groups that are numbered by size, the largest 0."""

    labels: Ints  # (n,): the group of each row; -1 is noise
    # (n,): from 0 to 1: how firmly each row belongs to its group; 0 for noise. For groups around a centroid it is
    # the cosine similarity to it, for dense regions how near the row is to the densest part
    strengths: Floats
    centroids: Floats  # (k, d): the mean direction of each group, of unit length
    # whether the groups are what the algorithm is defined to give; False where they were found on a part of the
    # distances
    exact: bool = True
    # (n,): the rows that say where a group is and how far it reaches; None for all
    core: NDArray[np.bool_] | None = None
    # how near a row was that was let in: 0 is what all rows score with the centroid on average, 1 the threshold
    reach: float = 1.0


@dataclass(frozen=True, slots=True, eq=False)
class Level:
    """The clusters of n texts and the level above; labels, strengths and exact as in `Partition`."""

    clusters: Sequence[Cluster]
    labels: Ints
    strengths: Floats
    method: str
    exact: bool
    model: ClusterModel
    themes: Level | None = None
    strict: bool = False
