"""Vectors and neighbours as they travel inside: arrays that know their model. Not results: records.py."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any, cast, overload

import numpy as np

from nearsense.errors import InputError, ModelMismatch

if TYPE_CHECKING:
    from numpy.typing import NDArray


def shown(value: object, most: int = 40) -> str:
    """A value in a message: as Python writes it, cut; also what Python does not write, such as very long numbers.

    Example:
        >>> shown("a" * 100, most=5), shown(10**5000)
        ("'aaaa...", 'a value of type int')
    """
    try:
        written = repr(value).replace("\n", " ")
    except (ValueError, RecursionError):
        return f"a value of type {type(value).__name__}"
    return written if len(written) <= most else f"{written[:most]}..."


def files() -> ModuleType:
    """What reads and writes: a floor above, so it is asked for by name; users expect `vectors.save(path)`."""
    return import_module("nearsense.files")


@dataclass(frozen=True, slots=True)
class ReadAs:
    """How a model read texts. With its fingerprint it is all that decides a vector but the text and rounding.

    Args:
        prompt: What was put before each text.
        windows: Whether long texts were read whole, in windows; else their heads.
        limit: How many tokens a head or a window has; None where nothing is cut, or where it is not known.

    Example:
        >>> print(ReadAs("query: ", windows=True, limit=512))
        windows of 512 tokens, after 'query: '
    """

    prompt: str
    windows: bool
    limit: int | None

    def __str__(self) -> str:
        size = f" of {self.limit:,} tokens" if self.limit else ""
        return f"{'windows' if self.windows else 'heads'}{size}{f', after {self.prompt!r}' if self.prompt else ''}"

    @classmethod
    def of(cls, told: object) -> ReadAs | None:
        """What a file tells of it, as `asdict` made it; None where that is something else."""
        kinds: dict[str, Any] = {"prompt": str, "windows": bool, "limit": (int, type(None))}
        if not isinstance(told, dict) or told.keys() != kinds.keys():
            return None
        return cls(**told) if all(isinstance(told[name], kind) for name, kind in kinds.items()) else None


@dataclass(frozen=True, slots=True, eq=False)
class Vectors:
    """Texts as vectors, one row a text, and which model made them.

    Args:
        data: float32, shape (n, d); rows have unit length unless `normalize=False` was asked for.
        fingerprint: SHA-256 (hex) of the model as it was run; `""` where it is not known. Vectors compare only
            where it is known and equal.
        truncated: bool, shape (n,): the rows whose text was cut at the model's limit.
        model: The model's name, for messages.
        read_as: How it read the texts; None where it is not known. Vectors of questions and of passages compare,
            whatever was before them; in a collection all texts are read in one way.
    """

    data: NDArray[np.float32]
    fingerprint: str
    truncated: NDArray[np.bool_]
    model: str = "unknown model"
    read_as: ReadAs | None = None

    def __post_init__(self) -> None:
        if self.data.ndim != 2 or self.data.dtype != np.float32:
            raise InputError(
                f"vectors must be float32 of shape (n, d), got {self.data.dtype} of shape {self.data.shape}"
            )
        if self.truncated.shape != self.data.shape[:1]:
            raise InputError(f"truncated must have shape {self.data.shape[:1]}, got {self.truncated.shape}")

    def __len__(self) -> int:
        return len(self.data)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        """As numpy takes it: `np.asarray(vectors)` is `data`."""
        return np.array(self.data, dtype, copy=copy)

    def __iter__(self) -> Iterator[NDArray[np.float32]]:
        return iter(self.data)

    @overload
    def __getitem__(self, rows: int | np.integer[Any]) -> NDArray[np.float32]: ...
    @overload
    def __getitem__(self, rows: slice | Sequence[int] | NDArray[Any]) -> Vectors: ...
    def __getitem__(self, rows: Any) -> Vectors | NDArray[np.float32]:
        """One row as an array of shape (d,); several, by a slice, their numbers or a mask, as Vectors."""
        if isinstance(rows, (int, np.integer)):
            return cast("NDArray[np.float32]", self.data[rows])
        chosen = rows if isinstance(rows, slice) else np.asarray(None if isinstance(rows, tuple) else rows)
        if not isinstance(chosen, slice) and (
            chosen.ndim != 1 or (len(chosen) and chosen.dtype.kind not in "iub")
        ):
            raise InputError(
                f"vectors[{shown(rows)}] are no rows",
                why="Vectors are taken by row: a number, a slice, a list of numbers, a mask",
                fix="for single numbers of them: np.asarray(vectors)[...]",
            )
        chosen = chosen if isinstance(chosen, slice) or len(chosen) else slice(0)
        return replace(self, data=self.data[chosen], truncated=self.truncated[chosen])

    def __repr__(self) -> str:
        n, d = self.data.shape
        cut = int(self.truncated.sum())
        return f"Vectors({n:,} x {d}, {self.model} {self.fingerprint[:8]}{f', {cut:,} truncated' if cut else ''})"

    @property
    def shape(self) -> tuple[int, int]:
        """How many there are, and how long each is."""
        return self.data.shape

    @property
    def dimension(self) -> int:
        """The length of one vector."""
        return int(self.data.shape[1])

    def take(self, rows: Sequence[int]) -> Vectors:
        """The vectors of some rows, in their order."""
        chosen = np.asarray(rows, np.int64)
        return replace(self, data=self.data[chosen], truncated=self.truncated[chosen])

    def save(
        self, path: str | os.PathLike[str], *, ids: Sequence[str] | None = None, texts: Sequence[str] | None = None
    ) -> None:
        """Write them with what is known of their model, and perhaps the id and the text of each.

        Args:
            path: The file: .npy (which `np.load` reads), .jsonl or .parquet.
            ids: The n ids.
            texts: The n texts.

        Raises:
            FileError: It cannot be written; a file that was there is as it was.
        """
        files().write_vectors(path, self, ids=ids, texts=texts)

    @staticmethod
    def load(path: str | os.PathLike[str]) -> Vectors:
        """Read what `save` wrote, or the vectors in any file that nearsense reads.

        Raises:
            FileError: It cannot be read, or holds no vectors.
        """
        return cast("Vectors", files().read_vectors(path))

    def require_same_model(self, other: Vectors) -> None:
        """Refuse to compare vectors of two models.

        Raises:
            ModelMismatch: The fingerprints differ, or one is not known.
        """
        self.require_made_by(other.model, other.fingerprint)

    def require_made_by(self, model: str, fingerprint: str) -> None:
        """Refuse vectors that another model made than the one of this name and fingerprint."""
        if self.fingerprint != fingerprint or not fingerprint:
            mine, others = (print_[:12] or "no fingerprint" for print_ in (self.fingerprint, fingerprint))
            raise ModelMismatch(
                f"vectors of two models: {self.model} ({mine}) and {model} ({others})",
                why="the same direction means something else in each; their scores would be noise",
                fix="encode both sides with the same model and the same options",
            )


@dataclass(frozen=True, slots=True, eq=False)
class Neighbours:
    """For each of q queries its k best rows of a corpus, best first; batch and columnar.

    Args:
        ids: int64, shape (q, k): row numbers; -1 where fewer than k exist.
        scores: float32, shape (q, k): similarities, higher is closer; -inf where fewer than k exist.
        counts: int64, shape (q,): how many of the k are real.
    """

    ids: NDArray[np.int64]
    scores: NDArray[np.float32]
    counts: NDArray[np.int64]
