"""Collections: documents that last, and are found by meaning. `open_collection` picks the engine behind one.

collection.py   what users hold       engine.py     the seam: what an engine has to do
searching.py    what is asked of it   sqlite.py     the one in a folder: snapshot.py, upkeep.py
documents.py    what may go in        memory.py     the one that forgets
model.py        whose vectors they are
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from nearsense.checks import given_once
from nearsense.collection.collection import Collection, as_folder
from nearsense.collection.model import CollectionModel
from nearsense.errors import CollectionNotFound

if TYPE_CHECKING:
    import os

    from nearsense.encoders import Encoder

__all__ = ["Collection", "open_collection"]


def open_collection(
    path: str | os.PathLike[str],
    encoder: str | Encoder | None = None,
    *,
    create: bool = True,
    role: str = "passage",
    network: bool = False,
    accept_losses: bool = False,
    precision: str | None = None,
    threads: int | None = None,
    long: str | None = None,
    dimensions: int | None = None,
    model: str | Encoder | None = None,
) -> Collection:
    """Open a collection, and make it if it is missing.

    Args:
        path: Its folder, say "tickets.nearsense"; ":memory:" for one in the memory of this process, which is gone
            when it is closed.
        encoder: An Encoder, a name or a folder; for a collection that exists None is its own model. A collection
            belongs to the model that it was made with; `reembed` changes that.
        create: Make it if it is missing.
        role: What its texts are to the model: "passage", or "query" where they are questions like those that will
            be asked. Kept from when it is made.
        network: Allow a network file system, whose locks and durable writes often do not hold.
        accept_losses: Go on from what is there, where a damaged log has lost commits; else that is refused.
        precision: In what arithmetic the model runs, as in `load`; not for an Encoder, which knows it.
        threads: Cores to use, as in `load`.
        long: What happens to texts beyond the model's limit, as in `load`.
        dimensions: Of a new collection's vectors, as in `load`; one that exists knows its own.
        model: What `encoder` was called before.

    Raises:
        ModelMismatch: `encoder` is not the collection's; the message names both.
        CollectionNotFound: It is missing and `create` is False, or the path holds something else.
        DamagedCollection: It has lost what it had acknowledged.
        StoreError: It cannot be opened.

    Example:
        >>> import tempfile, nearsense as ns
        >>> notes = ns.open(tempfile.mkdtemp() + "/notes.nearsense")
        >>> notes.add(["Water the plants.", "Call the bank."])
        2
        >>> notes.search("a phone call", k=1)[0].text
        'Call the bank.'
        >>> notes.close()
    """
    loading = {"dimensions": dimensions, "precision": precision, "threads": threads, "long": long}
    used = CollectionModel(given_once(encoder, model, "encoder", "model"), str(path), role=role, **loading)
    if str(path) == ":memory:":
        return _in_memory(used, create)
    return _in_folder(path, used, create=create, network=network, accept_losses=accept_losses)


def _in_memory(model: CollectionModel, create: bool) -> Collection:
    from nearsense.collection.memory import MemoryEngine

    if not create:
        fix = "leave create out: a collection in memory begins empty"
        raise CollectionNotFound("there is no collection in :memory: before it is made", fix=fix)
    engine = MemoryEngine(model)
    return Collection(engine, Path(engine.name), _opened_again)


def _in_folder(path: str | os.PathLike[str], model: CollectionModel, **how: bool) -> Collection:
    from nearsense.collection.sqlite import SQLiteEngine

    folder = as_folder(path)
    return Collection(SQLiteEngine(folder, model, **how), folder, _opened_again, **how)


def _opened_again(path: str, model: Encoder | str | None, loading: dict[str, Any], network: bool) -> Collection:
    """A collection as it was when it was pickled."""
    used = CollectionModel(model, path, role="passage", **loading)
    return _in_folder(path, used, create=False, network=network, accept_losses=False)
