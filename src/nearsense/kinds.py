"""The names that options and results choose from: one enumeration a choice. Not what is done with them."""

from __future__ import annotations

from enum import StrEnum
from typing import TypeVar

from nearsense.errors import InputError


class Metric(StrEnum):
    """How two vectors are compared. Higher always means closer: distances are reported negated."""

    COSINE = "cosine"
    DOT = "dot"
    EUCLIDEAN = "euclidean"
    MANHATTAN = "manhattan"


class Task(StrEnum):
    """Kinds of "the same" that a shipped calibration knows."""

    PARAPHRASE = "paraphrase"
    """Two sentences say the same."""
    QUESTION = "question"
    """Two questions want the same answer."""
    REQUEST = "request"
    """Two requests want the same thing done, though details may differ."""
    PASSAGE = "passage"
    """A passage answers a query."""


class Mode(StrEnum):
    """By what a collection is searched."""

    DENSE = "dense"
    """By meaning: cosine similarity of vectors."""
    LEXICAL = "lexical"
    """By words: BM25."""
    HYBRID = "hybrid"
    """By both: the two rankings, fused."""


CANDIDATES = 100
"""Hits that a search finds for a cross-encoder to put in order, where nothing else is asked for."""


class Ranking(StrEnum):
    """What a score is, where it is no comparison of two vectors."""

    BM25 = "bm25"
    FUSED = "reciprocal rank fusion"
    CROSS = "cross-encoder"


class Precision(StrEnum):
    """In what arithmetic a model runs."""

    AUTO = "auto"
    """bf16 where the processor has it natively, else f32."""
    F32 = "f32"
    BF16 = "bf16"


class MapKind(StrEnum):
    """The form of an adapter's map."""

    DIAGONAL = "diagonal"
    """A weight for each number of a vector."""
    LOW_RANK = "low-rank"
    """What is added moves in a few directions only."""
    LINEAR = "linear"
    """Any matrix."""


class Receiver(StrEnum):
    """For whom a collection is exported: what its file is like."""

    JSONL = "jsonl"
    """A record a line."""
    PARQUET = "parquet"
    """A column for ids, texts, each field, vectors."""
    NPY = "npy"
    """A matrix for numpy, and beside it the ids of its rows."""
    FAISS = "faiss"
    """A flat index by inner product, and beside it the ids of its rows."""
    CHROMA = "chroma"
    """What a collection of Chroma adds, so many documents a line."""
    QDRANT = "qdrant"
    """Points for Qdrant, a request a line."""
    PINECONE = "pinecone"
    """Parquet as Pinecone imports it."""


class Long(StrEnum):
    """What happens to a text that exceeds the model's limit of tokens."""

    WARN = "warn"
    """Keep the head and say so, once for all texts of a call."""
    ERROR = "error"
    """Refuse, naming the text."""
    HEAD = "head"
    """Keep the head; `Vectors.truncated` still tells which."""
    CHUNK = "chunk"
    """Cut into overlapping windows; the vector is their mean, weighted by tokens."""


class Reading(StrEnum):
    """A result in words.

    Of a probability where there is one: how sure one may be that two texts mean the same. Else of a cosine
    similarity, by the five bands that tutorials teach; these mean something else in every model, so read them as
    an orientation.
    """

    SAME = "means the same"
    PROBABLY_SAME = "probably means the same"
    UNCERTAIN = "may mean the same"
    PROBABLY_DIFFERENT = "probably means something else"
    DIFFERENT = "means something else"

    PARAPHRASE = "near-duplicate or paraphrase"
    HIGH = "highly similar"
    SOMEWHAT = "somewhat related"
    WEAK = "weakly related"
    UNRELATED = "unrelated"

    UNKNOWN = "cannot be told"
    """The model was not made for such texts, or does not read what differs: no band says anything."""

    @classmethod
    def of(cls, score: float) -> Reading:
        """The band of a cosine similarity in [-1, 1], where no probability is known.

        Example:
            >>> Reading.of(0.7595).value
            'highly similar'
        """
        return next((reading for floor, reading in _BANDS if score >= floor), cls.UNRELATED)

    @classmethod
    def of_probability(cls, probability: float) -> Reading:
        """The words for a probability in [0, 1] that two texts mean the same.

        Example:
            >>> Reading.of_probability(0.91).value
            'means the same'
        """
        return next((reading for floor, reading in _PROBABILITIES if probability >= floor), cls.DIFFERENT)


_BANDS = ((0.9, Reading.PARAPHRASE), (0.7, Reading.HIGH), (0.5, Reading.SOMEWHAT), (0.3, Reading.WEAK))

_PROBABILITIES = (
    (0.9, Reading.SAME),
    (0.7, Reading.PROBABLY_SAME),
    (0.3, Reading.UNCERTAIN),
    (0.1, Reading.PROBABLY_DIFFERENT),
)

E = TypeVar("E", bound=StrEnum)


def parse(kind: type[E], value: str, *, name: str) -> E:
    """Turn a user's word for the option `name` into a member of `kind`, or say which words would have been right.

    Example:
        >>> parse(Precision, "bf16", name="precision")
        <Precision.BF16: 'bf16'>
    """
    try:
        return kind(value)
    except ValueError:
        valid = ", ".join(member.value for member in kind)
        raise InputError(f"{name}={value!r} is not known", fix=f"use one of: {valid}") from None


class Scope(StrEnum):
    """What a key of a server is good for."""

    READ = "read"
    """To ask."""
    WRITE = "write"
    """To change collections, too."""
