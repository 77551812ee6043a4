"""A matrix of scores with its labels, as .npz that `np.load` reads; and the vectors of any file."""

from __future__ import annotations

import json
import os
import zipfile
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from nearsense.errors import FileError
from nearsense.files.reading import read_table
from nearsense.files.streams import atomic_write
from nearsense.files.vectors import NO_ARRAY
from nearsense.records import Matrix, Metric, Origin, Vectors

if TYPE_CHECKING:
    from numpy.typing import NDArray

ENDING = ".npz"


def write_matrix(path: str | os.PathLike[str], scores: NDArray[np.float32], about: Mapping[str, Any]) -> None:
    """Write the array "scores", and what is known of it as JSON in the array "about", of bytes."""
    if not os.fspath(path).endswith(ENDING):
        fix = f"end its name in {ENDING}; for csv: matrix.to_frame().to_csv(path)"
        raise FileError(f"{path}: a matrix is written as {ENDING}", why="it has labels on two sides", fix=fix)
    written = np.frombuffer(json.dumps(about).encode(), np.uint8)
    with atomic_write(path) as stream:
        np.savez(stream, scores=scores, about=written)


def read_matrix(path: str | os.PathLike[str]) -> Matrix:
    """What `write_matrix` wrote; nothing in it is ever run.

    Raises:
        FileError: It cannot be read, or is something else.
    """
    try:
        with np.load(path, allow_pickle=False) as held:
            scores, about = held["scores"], json.loads(held["about"].tobytes())
        labels, columns = tuple(about["labels"]), about["columns"] and tuple(about["columns"])
        known = {name: about.get(name) for name in ("calibration", "prior")}
        origin = Origin(about["model"], about["fingerprint"], Metric(about["metric"]), about["version"], **known)
    except OSError as error:
        raise FileError(f"{path} cannot be read", why=error.strerror or str(error), fix="check its name") from None
    except (*NO_ARRAY, TypeError, AttributeError, zipfile.BadZipFile, EOFError) as error:
        why = f"{type(error).__name__}: {error}".splitlines()[0]
        raise FileError(f"{path} holds no matrix", why=why, fix="write one: matrix.save(path)") from None
    if scores.dtype != np.float32 or scores.shape != (len(labels), len(labels if columns is None else columns)):
        why = f"its scores are {scores.dtype} of shape {scores.shape}, its labels {len(labels):,}"
        raise FileError(f"{path} is damaged", why=why, fix="write it again: matrix.save(path)")
    return Matrix(scores, labels, origin, None, columns)


def read_vectors(path: str | os.PathLike[str]) -> Vectors:
    """The vectors in a file of any format.

    Raises:
        FileError: It cannot be read, or holds none.
    """
    found = read_table(path).vectors
    if found is None:
        why, fix = "it holds columns only", "make them: ns.load().encode(texts), or nearsense encode FILE"
        raise FileError(f"{path} holds no vectors", why=why, fix=fix)
    return found
