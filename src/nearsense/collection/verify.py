"""Read everything, check every checksum, and say what is wrong in a line each."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path

import numpy as np

from nearsense.collection.segments import Frozen
from nearsense.errors import DamagedCollection, NearsenseError
from nearsense.store.generations import DamagedGeneration
from nearsense.store.sqlite import SQLiteStore
from nearsense.types import Verification

__all__ = ["verify"]


def verify(store: SQLiteStore, generations: Path, rebuild: Callable[[], object]) -> Verification:
    """Check the database, then the derived files; make these again where they are damaged.

    Args:
        store: The collection's.
        generations: The folder of the derived files.
        rebuild: Makes them again.
    """
    findings: list[str] = []
    documents = 0
    try:
        findings += store.integrity()
        with store.reading() as reader:
            for block in reader.blocks():
                documents += len(block.positions)
                lengths = np.linalg.norm(block.vectors, axis=1)
                odd = np.flatnonzero(~(np.abs(lengths - 1) < 1e-3))
                findings += [
                    f"the vector of document {block.documents[row].id!r} has no unit length" for row in odd
                ]
            counted, generation = reader.state().documents, reader.generation()
        if counted != documents:
            findings.append(f"{counted:,} documents were counted as they came in, {documents:,} are there")
    except DamagedCollection as error:
        return Verification(documents, (*findings, f"{error.what}: {error.why}"), ())
    damaged: list[str] = []
    if generation is not None:
        try:
            damaged = Frozen(generations, generation).verify()
        except DamagedGeneration as error:
            damaged = [error.what]
    if damaged:
        with contextlib.suppress(NearsenseError):
            rebuild()
    return Verification(documents, tuple(findings), tuple(damaged))
