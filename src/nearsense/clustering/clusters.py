"""Named groups of texts: `cluster` finds them, `Clusters` is what users hold, files keep them. No algorithms."""

from __future__ import annotations

import base64
import json
import math
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nearsense._progress import Progress
from nearsense.clustering import exploring
from nearsense.clustering.assignment import assign_texts
from nearsense.clustering.kmeans import spherical
from nearsense.clustering.methods import Method, find, settings
from nearsense.clustering.naming import describe_clusters
from nearsense.clustering.records import Cluster, ClusteredTexts, ClusterModel, Level, Settings
from nearsense.columns import Given, frame_of
from nearsense.corpus import Texts, as_documents, given_of, some_of
from nearsense.encoders import resolve
from nearsense.errors import FileError, InputError
from nearsense.files import atomic_write
from nearsense.markup import EVERY, parse_markup, strip_markup
from nearsense.own_vectors import checked_vectors
from nearsense.records import Document, Hit, Metric, Origin, Results, Vectors, as_json, percent
from nearsense.stopwords import language_code
from nearsense.vectors.rows import unit_rows

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from nearsense.corpus import TextColumn
    from nearsense.encoders import Encoder

FORMAT, VERSION = "nearsense clusters", 1  # what a file of clusters says that it is
MOST_PARTS = 8  # into how many a cluster is split where nobody says


def cluster(
    texts: Texts,
    k: int | None = None,
    *,
    text: TextColumn = None,
    method: str | None = None,
    min_size: int | None = None,
    min_score: float | None = None,
    vectors: Vectors | None = None,
    encoder: Encoder | str | None = None,
    strict: bool = False,
    strip: str | Iterable[str] | None = None,
    language: str | None = None,
    seed: int = 0,
    progress: Progress = False,
) -> Clusters:
    """Groups of texts that are near in sense, with names.

    With k every text is in one of k clusters. Without it there are as many as there are dense regions, with the
    texts around them; what is near to none is `noise`. The result does not depend on the order of the texts.

    Args:
        texts: Strings or Documents, a Series, a path; or a frame, with `text`.
        text: The column of a frame or file that holds the texts; of several they are joined.
        k: How many clusters, from 1 to the number of texts; None where that is not known.
        method: "kmeans" or "balanced" (k clusters, of any or of about the same size), "density" (HDBSCAN), or
            "agglomerative" (groups whose texts score at least `min_score` on average; for some thousand texts).
            Without it "kmeans" where k is given, "agglomerative" where `min_score` is, else "density".
        min_size: How many texts make a cluster, at least 2; for "density" and "agglomerative". Without it a fifth
            of the square root of their number, at least 3; for "agglomerative" 2.
        min_score: Cosine similarity in [-1, 1]; for "agglomerative".
        vectors: The texts' vectors, shape (n, d), where they are known.
        encoder: An Encoder or a model's name; the default model without it.
        strict: Dense regions alone, for "density": purer clusters, and more noise.
        strip: What is taken out of the texts first, of "html", "urls", "quotes". Without it the texts are as they
            are, and only no name holds markup; "none" for names as well.
        language: Whose stop words no name holds, ISO 639-1. Without it those of the languages of the texts.
        seed: Of what is drawn by chance; the same seed gives the same clusters.
        progress: True for a bar on stderr, or a function called with (done, total).

    Returns:
        The clusters, the largest first; none where there are no texts or nothing is dense. `labels` has the
        cluster of each text, in their order: `df["cluster"] = found.labels`; `to_frame()` has the names, too.

    Raises:
        InputError: A text is empty or no string, ids repeat, there are not as many vectors as texts, no stop words
            of `language` are known, or settings contradict each other or are out of range.
        ModelMismatch: The vectors are of another model than `encoder`.

    Example:
        >>> import nearsense as ns
        >>> clusters = ns.cluster(["The exchange rate is wrong.", "Which exchange rate do you use?",
        ...                        "Where is my parcel?", "My parcel has not come.", "The parcel is late."], k=2)
        >>> print(clusters)
          0       3  parcel
          1       2  exchange rate
        >>> clusters.labels
        array([1, 1, 0, 0, 0])
    """
    documents = as_documents(texts, text)
    chosen = settings(len(documents), k, method, min_size, min_score, seed, strict=strict)
    kinds = EVERY if strip is None else parse_markup(strip)
    if strip is not None and kinds:
        documents[:] = [replace(each, text=strip_markup(each.text, kinds)) for each in documents]
    language = None if language is None else language_code(language)
    read = _with_vectors(documents, vectors, encoder, language, progress)
    read = replace(read, markup=EVERY if kinds else ())
    level = describe_clusters(read, find(read.vectors.data, chosen, progress=progress), chosen)
    return Clusters(level, Origin(read.vectors.model, read.vectors.fingerprint), read, settings=chosen)


def _with_vectors(
    documents: Sequence[Document],
    vectors: Vectors | None,
    encoder: Encoder | str | None,
    language: str | None,
    progress: Progress,
) -> ClusteredTexts:
    """Vectors of unit length for documents; without any, each text is encoded once, in one fixed order."""
    if vectors is None:
        encoder = resolve(encoder)
        different = sorted({document.text for document in documents})
        places = {text: place for place, text in enumerate(different)}
        encoded = encoder.encode(different, progress=progress)
        vectors = encoded.take([places[document.text] for document in documents])
    elif encoder is not None:
        encoder = resolve(encoder)
        checked_vectors(vectors, len(documents)).require_made_by(encoder.name, encoder.fingerprint)
    vectors = checked_vectors(vectors, len(documents))
    data = unit_rows(vectors.data, lambda row: f"vector {row}")
    unit = vectors if data is vectors.data else replace(vectors, data=data)
    return ClusteredTexts(documents, unit, encoder, language)


class Clusters(Results[Cluster]):
    """Clusters, the largest first; in all else a plain list.

    Args:
        level: The clusters, where each text is, and the themes above.
        origin: What produced the vectors.
        texts: The texts and vectors; None for clusters from a file.
        ids: The id of each text, where the texts are not known.
        settings: How they were found in these texts; None for clusters that were assigned, split or read.

    Attributes:
        labels: int64, shape (n,): the id of each text's cluster, in the order of the texts; -1 for noise.
        strengths: float32, shape (n,), in [0, 1]: how firmly each text belongs to its cluster; 0 for noise.
        ids: The id of each text.
        method: How they were found.
        strict: Whether only dense regions were taken.
        exact: Whether they are what the method is defined to give; False where only the nearest neighbours of each
            text were looked at.
        model: What new texts are judged by.
        themes: The level above: clusters of clusters; None where there are too few.
    """

    def __init__(
        self,
        level: Level,
        origin: Origin,
        texts: ClusteredTexts | None = None,
        *,
        ids: Sequence[str] = (),
        settings: Settings | None = None,
    ) -> None:
        super().__init__(level.clusters, origin)
        self.ids = ids if texts is None else [document.id for document in texts.documents]
        self.given = Given(ids=ids) if texts is None else given_of(texts.documents)
        self.labels, self.strengths, self.model = level.labels, level.strengths, level.model
        self.method, self.exact, self.strict = level.method, level.exact, level.strict
        self.themes: Clusters | None = None
        if level.themes is not None:
            self.themes = Clusters(level.themes, origin, texts, ids=ids, settings=settings)
        self._level, self._texts, self._settings = level, texts, settings
        for array in (self.labels, self.strengths):
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
        texts, cluster = self._require_texts("representatives"), self.get(id)
        return Results(exploring.representatives(texts, self.labels, cluster, n), self.origin, cluster.label)

    def outliers(self, n: int = 10) -> Results[Hit]:
        """The texts that stand alone: even the nearest other text is far.

        Args:
            n: How many; at least 1.

        Returns:
            The loneliest first; `score` is the cosine similarity to the nearest text that says something else.

        Raises:
            InputError: n is below 1, or the clusters come from a file.
        """
        return Results(exploring.outliers(self._require_texts("outliers"), n), self.origin)

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
        texts, cluster = self._require_texts("split"), self.get(id)
        rows = np.flatnonzero(self.labels == cluster.id)
        if k is None:
            k = max(1, min(MOST_PARTS, round(math.sqrt(len(rows) / 2))))
        if not 1 <= k <= len(rows):
            raise InputError(
                f"cluster {cluster.id} cannot be split into {k:,}",
                why=f"it has {len(rows):,} texts",
                fix=f"give a k from 1 to {len(rows):,}" if len(rows) else "split one that has texts",
            )
        documents, vectors = some_of(texts.documents, rows.tolist()), texts.vectors.take(rows.tolist())
        inside = replace(texts, documents=documents, vectors=vectors)
        found = spherical(vectors.data, k, seed=self.model.seed)
        how = Settings(Method.KMEANS.value, self.model.min_size)
        return Clusters(describe_clusters(inside, found, how, parent=cluster.id), self.origin, inside)

    def assign(
        self,
        texts: Texts,
        *,
        text: TextColumn = None,
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
            texts: As for `ns.cluster`.
            text: As for `ns.cluster`.
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
        known = self._texts
        if encoder is None and vectors is None:
            encoder = self.origin.model if known is None or known.encoder is None else known.encoder
        language = None if known is None else known.language
        read = _with_vectors(as_documents(texts, text), vectors, encoder, language, progress)
        if len(read.documents):
            read.vectors.require_made_by(self.origin.model, self.origin.fingerprint)
        return Clusters(assign_texts(self._level, read, open_new=open_new), self.origin, read)

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
        texts, how = self._require_texts("stability"), self._settings
        if how is None:
            raise InputError(
                "stability: nothing says how these clusters were found",
                why="they were assigned or split, not found in these texts",
                fix="ask the clusters that ns.cluster gave",
            )
        found = exploring.stabilities(texts, self.labels, len(self), how, rounds, progress)
        clusters = [replace(each, stability=stability) for each, stability in zip(self, found, strict=True)]
        return Clusters(replace(self._level, clusters=clusters), self.origin, texts, settings=how)

    def _require_texts(self, what: str) -> ClusteredTexts:
        if self._texts is None:
            raise InputError(
                f"{what}: these clusters have no texts any more",
                why="a file of clusters holds names and centres, no texts and no vectors",
                fix="cluster the texts again",
            )
        return self._texts

    def to_frame(self, library: str | None = None) -> Any:
        """One row a text, in their order: its `cluster` (-1: none), that one's `label`, and its `strength` there.

        Where a Series or a frame of pandas came in it has that index: `df.join(found.to_frame())`. One row a
        cluster: `to_pandas()`.

        Args:
            library: "pandas", "polars" or "arrow"; without it that of the texts that came, else pandas.

        Raises:
            MissingExtra: The library is not installed.
        """
        names = {cluster.id: cluster.label for cluster in self}
        labels = [names.get(label) for label in self.labels.tolist()]
        columns = {"cluster": self.labels, "label": labels, "strength": self.strengths}
        return frame_of(columns, library, self.given, (self.given or Given()).whole_index)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write them into a file that `load_clusters` and `--assign-to` read; texts and vectors are not in it.

        Raises:
            FileError: The file cannot be written; one that was there is as it was.
        """
        known = {FORMAT: VERSION, **self.origin.to_dict(), "ids": list(self.ids)}
        known |= _level_to_json(self._level, self.ids)
        known["themes"] = None if self.themes is None else _level_to_json(self.themes._level, self.ids)
        with atomic_write(path) as stream:
            stream.write((json.dumps(known, ensure_ascii=False) + "\n").encode("utf-8", "surrogatepass"))

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

    def to_dicts(self) -> list[dict[str, Any]]:
        """The clusters as JSON values, with the strengths of their members."""
        strengths = dict(zip(self.ids, np.round(self.strengths.astype(np.float64), 4).tolist(), strict=True))
        return [{**each.to_dict(), "strengths": [strengths[member] for member in each.members]} for each in self]

    def to_dict(self) -> dict[str, Any]:
        """As JSON values; themes without their members, who are those of their clusters."""
        themes = None
        if self.themes is not None:
            themes = [
                {name: value for name, value in each.to_dict().items() if name != "members"}
                for each in self.themes
            ]
        return {
            "clusters": self.to_dicts(),
            "themes": themes,
            "noise": list(self.noise),
            "texts": len(self.ids),
            **as_json(self, "coverage method exact strict"),
            "min_size": self.model.min_size,
            **self.origin.to_dict(),
        }


@dataclass(frozen=True, slots=True)
class _Shown:
    """A cluster as a row of a notebook's table."""

    cluster: Cluster

    def to_dict(self) -> dict[str, Any]:
        """What fits into a row."""
        exemplar = self.cluster.exemplar
        return as_json(self.cluster, "id label size cohesion") | {"exemplar": exemplar and exemplar.text}


def load_clusters(path: str | os.PathLike[str]) -> Clusters:
    """Read what `Clusters.save` wrote.

    Args:
        path: The file.

    Returns:
        Clusters that new texts can be assigned to. Their own texts and vectors are not there, so nothing that
        looks into them works: `split`, `representatives`, `outliers`, `with_stability`.

    Raises:
        FileError: It cannot be read, or holds no clusters.

    Example:
        >>> import nearsense as ns, tempfile
        >>> file = f"{tempfile.mkdtemp()}/old.clusters"
        >>> ns.cluster(["a dog", "a cat", "a tax"], k=2).save(file)
        >>> ns.load_clusters(file).assign(["a kitten"]).labels.shape
        (1,)
    """
    try:
        with Path(path).open(encoding="utf-8", errors="surrogatepass") as file:
            return _clusters_from_json(json.load(file))
    except OSError as error:
        why = error.strerror or str(error)
        raise FileError(f"{path} cannot be read", why=why, fix="check the name of the file") from error
    except (LookupError, TypeError, ValueError, AttributeError, ArithmeticError, RecursionError) as error:
        why = f"{type(error).__name__}: {error}".splitlines()[0]
        fix = "make such a file: nearsense cluster FILE --save old.clusters"
        raise FileError(f"{path} holds no clusters", why=why, fix=fix) from error


def _level_to_json(level: Level, ids: Sequence[str]) -> dict[str, Any]:
    """One level of clusters; members by their row."""
    rows = {id_: row for row, id_ in enumerate(ids)}
    model = level.model
    return {
        "method": level.method,
        "exact": level.exact,
        "strict": level.strict,
        "min_size": model.min_size,
        "seed": model.seed,
        "dimension": int(model.centroids.shape[1]),
        "centres": _packed(model.centroids),
        "thresholds": _packed(model.thresholds),
        "strengths": _packed(level.strengths),
        "clusters": [
            {**each.to_dict(), "members": [rows[member] for member in each.members]} for each in level.clusters
        ],
    }


def _packed(array: NDArray[np.float32]) -> str:
    return base64.b64encode(np.ascontiguousarray(array, "<f4").tobytes()).decode()


def _unpacked(text: str, shape: tuple[int, ...]) -> NDArray[np.float32]:
    array = np.frombuffer(base64.b64decode(text, validate=True), "<f4").reshape(shape).astype(np.float32)
    if not np.isfinite(array).all():
        raise ValueError("a number is not finite")
    return array


def _clusters_from_json(known: Mapping[str, Any]) -> Clusters:
    if known[FORMAT] != VERSION:
        later = isinstance(known[FORMAT], int) and known[FORMAT] > VERSION
        raise ValueError(f"its version, {known[FORMAT]!r}, is {'of a later nearsense' if later else 'no version'}")
    origin = Origin(str(known["model"]), str(known["fingerprint"]), Metric(known["metric"]), str(known["version"]))
    ids = [str(id_) for id_ in known["ids"]]
    themes = None if known["themes"] is None else _level_from_json(known["themes"], ids, None)
    return Clusters(_level_from_json(known, ids, themes), origin, ids=ids)


def _level_from_json(level: Mapping[str, Any], ids: list[str], themes: Level | None) -> Level:
    labels = np.full(len(ids), -1, np.int64)
    clusters = []
    for each in level["clusters"]:
        labels[each["members"]] = each["id"]
        clusters.append(_cluster_from_json(each, ids))
    k, dimension = len(clusters), int(level["dimension"])
    centroids, thresholds = _unpacked(level["centres"], (k, dimension)), _unpacked(level["thresholds"], (k,))
    numbers = np.array([cluster.id for cluster in clusters], np.int64)
    model = ClusterModel(numbers, centroids, thresholds, int(level["min_size"]), int(level["seed"]))
    if model.ids.tolist() != list(range(k)):
        raise ValueError("the ids of its clusters are not 0, 1, 2 and so on")
    if model.min_size < 2 or any(not 0 <= row < len(ids) for each in level["clusters"] for row in each["members"]):
        raise ValueError("its smallest size is below 2, or a cluster has a text that is not there")
    if themes is not None and not {each.parent for each in clusters} <= {None, *range(len(themes.clusters))}:
        raise ValueError("a cluster is under a theme that is not there")
    strengths = _unpacked(level["strengths"], (len(ids),))
    how = str(level["method"]), bool(level["exact"])
    return Level(clusters, labels, strengths, *how, model, themes, bool(level.get("strict", True)))


def _cluster_from_json(each: Mapping[str, Any], ids: list[str]) -> Cluster:
    number, label, keywords = int(each["id"]), str(each["label"]), tuple(map(str, each["keywords"]))
    size, cohesion, exemplar = int(each["size"]), float(each["cohesion"]), each["exemplar"]
    if exemplar is not None:
        exemplar = Document(str(exemplar["id"]), str(exemplar["text"]))
    members = tuple(ids[row] for row in each["members"])
    parent = None if each["parent"] is None else int(each["parent"])
    stability = None if each["stability"] is None else float(each["stability"])
    new = bool(each["new"])
    return Cluster(number, label, keywords, size, cohesion, exemplar, members, parent, stability, new)
