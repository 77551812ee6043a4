"""cluster: what are these texts about? Nothing is computed here; see finding.py, making.py."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING

from nearsense._progress import Progress
from nearsense.clustering.clusters import Clusters
from nearsense.types import Document, Origin, Vectors

if TYPE_CHECKING:
    from nearsense.encoders import Encoder

__all__ = ["cluster"]


def cluster(
    texts: Iterable[str | Document],
    k: int | None = None,
    *,
    method: str | None = None,
    min_size: int | None = None,
    min_score: float | None = None,
    vectors: Vectors | None = None,
    encoder: Encoder | str | None = None,
    language: str | None = None,
    seed: int = 0,
    progress: Progress = False,
) -> Clusters:
    """Groups of texts that are near in sense, with names.

    With k every text is in one of k clusters. Without it there are as many as there are dense regions, and what
    lies between them is `noise`. The result does not depend on the order of the texts.

    Args:
        texts: Strings or Documents.
        k: How many clusters, from 1 to the number of texts; None where that is not known.
        method: "kmeans" or "balanced" (k clusters, of any or of about the same size), "density" (HDBSCAN), or
            "agglomerative" (groups whose texts score at least `min_score` on average; for some thousand texts).
            Without it "kmeans" where k is given, "agglomerative" where `min_score` is, else "density".
        min_size: How many texts make a cluster, at least 2; for "density" and "agglomerative". Without it a fifth
            of the square root of their number, at least 3; for "agglomerative" 2.
        min_score: Cosine similarity in [-1, 1]; for "agglomerative".
        vectors: The texts' vectors, shape (n, d), where they are known.
        encoder: An Encoder or a model's name; the default model without it.
        language: Whose stop words no name holds, ISO 639-1. Without it those of the languages of the texts.
        seed: Of what is drawn by chance; the same seed gives the same clusters.
        progress: True for a bar on stderr, or a function called with (done, total).

    Returns:
        The clusters, the largest first; none where there are no texts or nothing is dense.

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
    from nearsense.clustering.finding import find, settings
    from nearsense.clustering.making import made
    from nearsense.clustering.reading import held_of
    from nearsense.stopwords import listed
    from nearsense.text import as_documents

    documents = as_documents(texts)
    chosen = settings(len(documents), k, method, min_size, min_score, seed)
    language = None if language is None else listed(language)
    held = replace(held_of(documents, vectors, encoder, language, progress), options=chosen)
    origin = Origin(held.vectors.model, held.vectors.fingerprint)
    return made(held, origin, find(held.vectors.data, progress=progress, **chosen))
