"""What has to change so that a collection holds what a source holds. Not the changing: see collection.py."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from nearsense.errors import InputError
from nearsense.records import Document
from nearsense.text import content_hash

__all__ = ["Plan", "plan"]


@dataclass(frozen=True, slots=True)
class Plan:
    """The difference between a source and a collection.

    Args:
        added: Documents that are new.
        changed: Documents whose text is another; they are encoded again.
        relabelled: Documents with the same text and other metadata, with their old positions; the vector stays.
        removed: Ids that the source has no more.
        unchanged: How many stay as they are.
    """

    added: list[Document]
    changed: list[Document]
    relabelled: list[tuple[Document, int]]
    removed: list[str]
    unchanged: int


def plan(source: Sequence[Document], known: Iterable[tuple[str, int, bytes, str]]) -> Plan:
    """Compare by id, then by content.

    Args:
        source: What there should be; ids are unique.
        known: (id, position, content hash, metadata as JSON) of what there is.

    Raises:
        InputError: The source is empty: that would remove everything.
    """
    if not source:
        raise InputError(
            "the source has no documents",
            why="a sync with it would remove everything from the collection",
            fix="check the source; to empty a collection, delete its documents",
        )
    there = {id_: (position, digest, metadata) for id_, position, digest, metadata in known}
    added: list[Document] = []
    changed: list[Document] = []
    relabelled: list[tuple[Document, int]] = []
    for document in source:
        old = there.pop(document.id, None)
        if old is None:
            added.append(document)
        elif old[1] != content_hash(document.text):
            changed.append(document)
        elif _sorted(json.loads(old[2])) != _sorted(dict(document.metadata)):
            relabelled.append((document, old[0]))
    same = len(source) - len(added) - len(changed) - len(relabelled)
    return Plan(added, changed, relabelled, list(there), same)


def _sorted(metadata: object) -> str:
    """JSON that is equal where the metadata are: to Python 1, 1.0 and True would be the same."""
    return json.dumps(metadata, sort_keys=True)
