"""Read everything, check every checksum, and say what is wrong in a line each."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
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
UNREADABLE = ("the checksum of a page does not fit", "the file ends too early")
"""What the store says of a page: one of them costs many documents."""


def verify(store: Store, generations: Path, rebuild: Callable[[], object]) -> Verification:
    """Check the database, then the derived files; make these again where they are damaged.

    Args:
        store: The collection's.
        generations: The folder of the derived files.
        rebuild: Makes them again.
    """
    findings: list[str] = []
    damaged: list[str] = []
    lost: dict[str, list[str]] = {}
    documents, generation = 0, None
    try:
        findings += store.integrity()
    except DamagedCollection as error:  # it stops at the first page; what that means for documents is found below
        lost[error.why] = []
    try:
        with store.reading() as reader:
            known, state, generation = reader.ids(), reader.state(), reader.generation()
            for start in range(0, len(known), CHUNK):
                found = _damaged_among(reader, known[start : start + CHUNK])
                documents += len(known[start : start + CHUNK]) - len(found)
                for id_, why in found:
                    lost.setdefault(why, []).append(id_)
        if state.documents != len(known):
            findings.append(
                f"{state.documents:,} documents were counted as they came in, {len(known):,} are there"
            )
    except DamagedCollection as error:
        return Verification(documents, tuple(_told(store, findings, {error.why: None})), ())
    findings = _told(store, findings, lost)
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


def _told(store: Store, findings: list[str], lost: Mapping[str, Sequence[str] | None]) -> list[str]:
    """A line for each cause: what is wrong, and which documents that costs; None where that cannot be told."""
    pages = store.damaged_pages()
    if pages:  # all else that was found about the file follows from that
        findings = [each for each in findings if "were counted" in each]
        lost = lost if set(UNREADABLE) & set(lost) else {UNREADABLE[0]: [], **lost}
    for why, ids in lost.items():
        cause = why
        if why in UNREADABLE and pages:
            cause = (
                f"page{'s' * (len(pages) > 1)} {', '.join(map(str, pages))} of the database cannot be read: {why}"
            )
        if ids is None:
            findings.append(f"{cause}; which documents that costs cannot be told")
        elif why in UNREADABLE:
            findings.append(f"{cause}; {_named(ids)}")
        else:
            findings += [f"document {each!r}: {why}" for each in ids]
    return findings


def _named(ids: Sequence[str]) -> str:
    if not ids:
        return "no document is affected"
    return f"document{'s' * (len(ids) > 1)} {', '.join(map(repr, ids))}"


def _damaged_among(reader: Reader, known: Sequence[tuple[int, str]]) -> list[tuple[str, str]]:
    """(id, why) of each document that cannot be read as it was written."""
    try:
        positions = [position for position, _ in known]
        complete = len(reader.documents(positions)) == len(known)
        lengths = np.linalg.norm(reader.vectors(positions), axis=1)
        if complete and np.all(np.abs(lengths - 1) < 1e-3):
            return []
    except DamagedCollection as error:
        if len(known) == 1:
            return [(known[0][1], error.why)]
    if len(known) == 1:
        return [(known[0][1], "its row is missing, or its vector has no unit length")]
    middle = len(known) // 2
    return [*_damaged_among(reader, known[:middle]), *_damaged_among(reader, known[middle:])]
