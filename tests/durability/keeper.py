"""What children do to a whole collection: batches, builds, compaction, backups, syncs, another model."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np

from durability.truth import DIMENSIONS, MAPPED, WEIGHT, Batch, Script, Truth, vectors_of
from durability.writer import die_at, look
from nearsense.collection import Collection, open_collection
from nearsense.encoders.adapted import AdaptedEncoder, VectorMap
from nearsense.encoders.base import as_encoder
from nearsense.kinds import MapKind
from nearsense.records import Document, Vectors

Say = Callable[[str], None]


class Given:
    """An encoder whose vectors are known beforehand; the number stands for the model."""

    max_tokens = 1_000_000
    dimension = DIMENSIONS

    def __init__(self, model: int = 0) -> None:
        self.model, self.name, self.fingerprint = model, f"given-{model}", f"{model:064x}"

    def encode(self, texts: str | Iterable[str], **_: object) -> Vectors:
        items = [texts] if isinstance(texts, str) else list(texts)
        return Vectors(vectors_of(items, self.model), self.fingerprint, np.zeros(len(items), bool), self.name)


class Unasked(Given):
    """The first model, which is asked for no vector of a document."""

    def encode(self, texts: str | Iterable[str], **_: object) -> Vectors:
        raise AssertionError("vectors that are there are mapped, not made again")


def model_of(number: int) -> object:
    """A model by its number; the adapter's parent cannot be asked."""
    if number != MAPPED:
        return Given(number)
    return AdaptedEncoder(as_encoder(Unasked()), VectorMap(MapKind.LINEAR, {"weight": WEIGHT}), name="mapped")  # type: ignore[arg-type]


def opened(folder: str | Path, model: int = 0) -> Collection:
    """The collection, with its known model."""
    return open_collection(folder, model_of(model))  # type: ignore[arg-type]


def apply(collection: Collection, batch: Batch) -> None:
    """One batch, as one call; see `Script(kind="single")`."""
    if batch.removed:
        collection.delete(batch.removed)
    elif collection.get(batch.documents[0].id)[0] is None:
        collection.add(batch.documents, vectors=batch.vectors)
    else:
        collection.upsert(batch.documents, vectors=batch.vectors)


def script(seed: int) -> Script:
    """Of batches that are one call each."""
    return Script(seed, kind="single")


def write(
    say: Say,
    folder: str,
    seed: int,
    done: int,
    batches: int,
    point: str | None = None,
    nth: int = 1,
    upkeep: int = 0,
) -> None:
    """Write the batches after `done`; every few ones build, compact or back up; die at a point if told so."""
    die_at(point, nth)
    collection, lines = opened(folder), script(seed)
    say(f"open {done}")
    for number in range(done + 1, done + batches + 1):
        apply(collection, lines.batch(number))
        say(f"kept {number}")
        if upkeep and number % upkeep == 0:
            match number // upkeep % 4:
                case 0:
                    collection.compact()
                case 1 | 3:
                    collection.build()
                case 2:
                    say(f"backup {number}")
                    collection.backup(f"{folder}-backup-{number}-{done}")
                    say(f"backed up {number}")
    collection.close()


def furnish(say: Say, folder: str, seed: int, batches: int, index: str, tail: int) -> None:
    """Batches, derived files with an index of some kind, and more batches that these lack."""
    collection, lines = opened(folder), script(seed)
    for number in range(1, batches + tail + 1):
        apply(collection, lines.batch(number))
        if number == batches:
            collection.build(index=index)
    collection.close()
    say("furnished")


def sync(say: Say, folder: str, seed: int, number: int, point: str | None = None, nth: int = 1) -> None:
    """Make a collection hold what a batch has left, through `sync`."""
    die_at(point, nth)
    collection = opened(folder)
    rows = script(seed).truth(number).rows
    report = collection.sync([Document(id_, text, metadata) for id_, (text, metadata, _) in rows.items()])
    say(f"synced {report.added} {report.removed}")
    collection.close()


def reembed(say: Say, folder: str, model: int, point: str | None = None, nth: int = 1) -> None:
    """Go over to another model in small steps."""
    import importlib

    importlib.import_module("nearsense.collection.reembedding").BATCH = 5
    die_at(point, nth)
    collection = open_collection(folder)
    collection.reembed(model_of(model))  # type: ignore[arg-type]
    say("reembedded")
    collection.close()


def answers(collection: Collection, truth: Truth, model: int = 0) -> bool:
    """Whether searches answer what brute force over the truth answers, with the index and without."""
    queries = vectors_of([f"query {number}" for number in range(3)], model)
    for exact in (False, True):
        for query, results in zip(queries, collection.nearest(queries, 5, exact=exact), strict=True):
            if [hit.id for hit in results] != truth.best(query, 5):
                return False
            if any((hit.text, dict(hit.metadata)) != truth.rows[hit.id][:2] for hit in results):
                return False
    return True


def words(collection: Collection) -> list[list[tuple[str, float]]]:
    """Searches by words, and by words under a filter."""
    found = [collection.search(query, 7, mode="lexical") for query in ("batch 7", "batch 20", "a b c d")]
    found.append(collection.search("batch", 7, mode="lexical", where={"batch": {">": 10}}))
    return [[(hit.id, round(hit.score, 5)) for hit in results] for results in found]


def same(found: Truth, expected: Truth) -> bool:
    """The documents to the letter, the vectors to the last bits: on their way in they get unit length."""
    if found.rows.keys() != expected.rows.keys():
        return False
    return all(
        found.rows[id_][:2] == row[:2]
        and np.allclose(*(np.frombuffer(each, np.float32) for each in (found.rows[id_][2], row[2])), atol=1e-6)
        for id_, row in expected.rows.items()
    )


def checked(folder: str | Path, expected: list[Truth], model: int = 0) -> int:
    """Open, look, search, verify; which of the expected truths is there."""
    with opened(folder, model) as collection:
        found = look(collection._engine.store)
        which = next((number for number, truth in enumerate(expected) if same(found, truth)), None)
        assert which is not None, f"{len(found.rows)} documents, and not those of {len(expected)} possible moments"
        assert answers(collection, expected[which], model), "a search answers something else"
        verified = collection.verify()
        assert verified.ok, verified.findings
        assert not verified.healed, verified.healed
        assert verified.documents == len(expected[which].rows) == len(collection)
    return which
