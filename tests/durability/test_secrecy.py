"""What was deleted and compacted away is in no byte of the folder."""

from __future__ import annotations

import contextlib
import random
from pathlib import Path

import numpy as np
import pytest

from durability.keeper import opened
from durability.truth import vectors_of
from nearsense.records import Document
from nearsense.store import open_store

DOCUMENTS = 400


def secret(number: int) -> Document:
    """A text, an id and metadata that occur nowhere else; every tenth is longer than a page."""
    rest = f" and more of secret{number:05d}text" * (600 if number % 10 == 0 else 1)
    return Document(f"id{number:05d}secret", f"secret{number:05d}text{rest}", {"key": f"meta{number:05d}secret"})


def traces(folder: Path, number: int) -> list[str]:
    """The files that hold anything of a document: its words, its id, its metadata, its vector."""
    vector = vectors_of([secret(number).text])[0].tobytes()
    marks = [f"secret{number:05d}text", f"id{number:05d}secret", f"meta{number:05d}secret"]
    found = []
    for file in folder.rglob("*"):
        if file.is_file():
            content = file.read_bytes()
            found += [f"{file.name}: {mark}" for mark in marks if mark.encode() in content]
            found += [f"{file.name}: its vector"] * (vector[8:40] in content)
    return found


def test_a_store_keeps_nothing_of_what_was_deleted_and_vacuumed(tmp_path):
    documents = [secret(number) for number in range(DOCUMENTS)]
    with contextlib.closing(open_store(tmp_path / "c")) as store:
        with store.writing() as writer:
            writer.insert(documents, vectors_of([each.text for each in documents]), np.zeros(DOCUMENTS, bool))
        store.checkpoint()
        gone = random.Random(1).sample(range(DOCUMENTS), DOCUMENTS // 2)
        assert all(traces(tmp_path, number) for number in gone)
        with store.writing() as writer:
            writer.remove(gone)
        store.vacuum()
        assert [trace for number in gone for trace in traces(tmp_path, number)] == []
        with store.reading() as reader:
            assert len(list(reader.contents())) == DOCUMENTS // 2
    assert [trace for number in gone for trace in traces(tmp_path, number)] == []


@pytest.mark.parametrize("built", [False, True])
def test_a_collection_keeps_nothing_of_what_was_deleted_or_replaced_and_compacted(tmp_path, built):
    documents = [secret(number) for number in range(DOCUMENTS)]
    with opened(tmp_path / "c") as collection:
        collection.add(documents, vectors=vectors_of([each.text for each in documents]))
        if built:
            collection.build()
        kept = [number for number in range(DOCUMENTS) if number % 3 == 2]
        collection.delete([secret(number).id for number in range(0, DOCUMENTS, 3)])
        replaced = [Document(f"new{number}", "nothing to hide") for number in range(1, DOCUMENTS, 3)]
        collection.delete([secret(number).id for number in range(1, DOCUMENTS, 3)])
        collection.upsert(replaced, vectors=vectors_of([each.text for each in replaced]))
        collection.compact()
        gone = [number for number in range(DOCUMENTS) if number % 3 != 2]
        assert [trace for number in gone for trace in traces(tmp_path, number)] == []
        assert len(collection) == len(kept) + len(replaced)
        assert all(traces(tmp_path, number) for number in kept)
    print(f"\n{len(gone)} documents deleted: no trace of text, id, metadata or vector")
