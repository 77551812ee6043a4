"""Vectors that came from elsewhere: arrays, files, columns of lists; and whose they are. Nothing is encoded."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from nearsense.columns import cells_of, is_frame
from nearsense.encoders import Encoder, load, resolve
from nearsense.errors import InputError, ModelNotFound
from nearsense.records import Document, Vectors
from nearsense.vectors.rows import as_float64, as_rows, blocks, rows_per_block

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

UNKNOWN = "unknown model"


def vectors(data: ArrayLike | Vectors | str | os.PathLike[str], *, model: Encoder | str | None = None) -> Vectors:
    """Vectors that were made before, by a model that you name, for every verb that takes `vectors=`.

    Args:
        data: An array of shape (n, d), a frame of numbers, a Series of lists, or the path of a file that holds
            vectors (.npy, .jsonl, .parquet).
        model: What made them: an Encoder, the name of a model that is here, or any other name. Arrays under one
            name compare with each other, and with texts where the model is here. Only a file that nearsense wrote
            needs none: it knows.

    Returns:
        Vectors: float32, shape (n, d), as they were given; nothing is brought to unit length.

    Raises:
        InputError: No model is named, the shape is not (n, d), or a number is not finite.
        ModelMismatch: The file says that another model made them.
        FileError: The file cannot be read, or holds no vectors.

    Example:
        >>> import nearsense as ns
        >>> mine = ns.vectors([[1.0, 0.0], [0.9, 0.1], [0.0, 1.0]], model="my-model")
        >>> mine.shape, ns.cluster(["a cat", "a kitten", "a tax"], k=2, vectors=mine).labels.tolist()
        ((3, 2), [0, 0, 1])
    """
    if isinstance(data, (str, os.PathLike)):
        found = Vectors.load(data)
    else:
        found = data if isinstance(data, Vectors) else plain_vectors(data, "vectors")
    if model is None and not found.fingerprint:
        raise InputError(
            "nobody says which model made these vectors",
            why="the same numbers mean something else in each model",
            fix='name it: ns.vectors(array, model="all-MiniLM-L6-v2")',
        )
    if model is None:
        return found
    name, fingerprint, dimension = _made_by(model)
    if found.fingerprint:
        found.require_made_by(name, fingerprint)
    if dimension not in (None, found.dimension):
        why = f"its vectors have {dimension:,}"
        raise InputError(
            f"{name} makes no vectors of {found.dimension:,} numbers", why=why, fix="name another model"
        )
    return replace(found, fingerprint=fingerprint, model=name)


def _made_by(model: Encoder | str) -> tuple[str, str, int | None]:
    """A model's name, its fingerprint and the length of its vectors, as far as it is here; nothing is fetched."""
    try:
        found = load(model, offline=True) if isinstance(model, str) else resolve(model)
    except ModelNotFound:
        from hashlib import sha256  # here: it costs a sixth of numpy to import

        name = str(model)
        return name, sha256(f"a model called {name}".encode()).hexdigest(), None
    return found.name, found.fingerprint, found.dimension


def plain_vectors(data: Any, name: str) -> Vectors:
    """An array, a frame of numbers or a column of lists as Vectors of no known model."""
    if not is_frame(data) and not isinstance(data, np.ndarray) and getattr(data, "ndim", 1) == 1:
        data = cells_of(data)
    rows = as_rows(data, name)
    for part in blocks(len(rows), rows_per_block(rows)):
        as_float64(rows, part, name)  # finite, and within float32
    return Vectors(np.ascontiguousarray(rows, np.float32), "", np.zeros(len(rows), np.bool_), UNKNOWN)


def is_numbers(given: Any) -> bool:
    """Whether this is an array of numbers, or a list of lists of them: no texts."""
    if isinstance(given, (list, tuple)):
        return bool(given) and not isinstance(given[0], (str, Document, dict)) and hasattr(given[0], "__len__")
    return getattr(given, "ndim", 0) == 2 and getattr(getattr(given, "dtype", None), "kind", "O") in "fiu"


def checked_vectors(vectors: Any, rows: int, name: str = "vectors", whose: str = "texts") -> Vectors:
    """Vectors that know their model, one for each text."""
    if not isinstance(vectors, Vectors):
        raise InputError(
            f"{name} are of type {type(vectors).__name__}, not Vectors",
            why="only Vectors know which model made them",
            fix=f'use what encoder.encode(...) returns, or say who made them: ns.vectors({name}, model="...")',
        )
    if len(vectors) != rows:
        raise InputError(
            f"{rows:,} {whose}, {len(vectors):,} vectors", fix=f"give one vector for each of the {whose}"
        )
    return vectors
