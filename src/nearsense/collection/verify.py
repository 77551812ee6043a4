"""Read everything, check every checksum, and say what is wrong in a line each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from nearsense.collection.segments import Frozen
from nearsense.collection.snapshot import require_made_alike
from nearsense.errors import DamagedCollection, NearsenseError
from nearsense.reports import Verification
from nearsense.store import Reader, Store
from nearsense.store.generations import DamagedGeneration

__all__ = ["verify"]

CHUNK = 4096


def verify(store: Store, generations: Path, rebuild: Callable[[], object]) -> Verification:
    """Check the database, then the derived files; make these again where they are damaged.

    Args:
        store: The collection's.
        generations: The folder of the derived files.
        rebuild: Makes them again.
    """
    findings: list[str] = []
    damaged: list[str] = []
    documents, generation = 0, None
    broken = []
    try:
        findings += store.integrity()
    except DamagedCollection as error:  # it stops at the first page; what that means for documents is found below
        broken = [f"{error.what}: {error.why}"]
    try:
        with store.reading() as reader:
            known, state, generation = reader.ids(), reader.state(), reader.generation()
            for start in range(0, len(known), CHUNK):
                found = _damaged_among(reader, known[start : start + CHUNK])
                documents += len(known[start : start + CHUNK]) - len(found)
                findings += found
        if state.documents != len(known):
            findings.append(
                f"{state.documents:,} documents were counted as they came in, {len(known):,} are there"
            )
    except DamagedCollection as error:
        return Verification(documents, (*findings, f"{error.what}: {error.why}"), ())
    findings = findings or broken
    if generation is not None:
        try:
            require_made_alike(generation, state.facts)
            damaged = Frozen(generations, generation).verify()
        except DamagedGeneration as error:
            damaged = [error.what]
    if damaged:
        try:
            rebuild()
        except NearsenseError as error:
            findings += [f"{each}, and cannot be made again: {error.what}" for each in damaged]
            damaged = []
    return Verification(documents, tuple(findings), tuple(damaged))


def _damaged_among(reader: Reader, known: Sequence[tuple[int, str]]) -> list[str]:
    """A line for each document that cannot be read as it was written."""
    try:
        positions = [position for position, _ in known]
        complete = len(reader.documents(positions)) == len(known)
        lengths = np.linalg.norm(reader.vectors(positions), axis=1)
        if complete and np.all(np.abs(lengths - 1) < 1e-3):
            return []
    except DamagedCollection as error:
        if len(known) == 1:
            return [f"document {known[0][1]!r}: {error.why}"]
    if len(known) == 1:
        return [f"document {known[0][1]!r}: its row is missing, or its vector has no unit length"]
    middle = len(known) // 2
    return [*_damaged_among(reader, known[:middle]), *_damaged_among(reader, known[middle:])]
