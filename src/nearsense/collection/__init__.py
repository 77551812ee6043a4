"""Collections: documents that last, and are found by meaning. `open_collection` picks the engine behind one.

collection.py   what users hold       engine.py     the seam: what an engine has to do
searching.py    what is asked of it   sqlite.py     the one in a folder: snapshot.py, upkeep.py
documents.py    what may go in        postgres.py   the one that many share: postgres_*.py
model.py        whose vectors they are  lasting.py  what those two do alike
                                      memory.py     the one that forgets
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from nearsense._paths import is_url
from nearsense.checks import given_once
from nearsense.collection.collection import Collection, log_of
from nearsense.collection.documents import as_folder
from nearsense.collection.model import CollectionModel
from nearsense.errors import CollectionNotFound, InputError
from nearsense.querylog import require_said

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
    log: bool | str | None = None,
    model: str | Encoder | None = None,
) -> Collection:
    """Open a collection, and make it if it is missing.

    Args:
        path: Its folder, say "tickets.nearsense"; "postgresql://user@host/database?collection=tickets" for one
            that many machines share; ":memory:" for one in the memory of this process, gone when it is closed.
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
        log: True: what is asked of it is logged in a folder beside it, "tickets.nearsense.queries"; "hashed":
            without the words, only their keyed hash; False: not. In PostgreSQL it is a table. None is what it was
            told by `set_log`: nothing is logged unless somebody asked for that.
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
    given = given_once(encoder, model, "encoder", "model")
    require_said(log)
    if isinstance(path, str) and is_url(path):
        return _in_postgres(path, given, log, create, role=role, **loading)
    used = CollectionModel(given, str(path), role=role, **loading)
    if str(path) == ":memory:":
        return _in_memory(used, create, log)
    return _in_folder(path, used, log, create=create, network=network, accept_losses=accept_losses)


def _in_memory(model: CollectionModel, create: bool, log: bool | str | None) -> Collection:
    from nearsense.collection.memory import MemoryEngine

    if log:
        raise InputError(
            "a collection in memory keeps no log",
            why="a log lies beside a collection's folder, and outlives the process",
            fix='name a folder: ns.open("tickets.nearsense", log=True)',
        )

    if not create:
        fix = "leave create out: a collection in memory begins empty"
        raise CollectionNotFound("there is no collection in :memory: before it is made", fix=fix)
    engine = MemoryEngine(model)
    return Collection(engine, Path(engine.name), _opened_again)


def _in_folder(
    path: str | os.PathLike[str], model: CollectionModel, log: bool | str | None, **how: bool
) -> Collection:
    from nearsense.collection.sqlite import SQLiteEngine

    folder = as_folder(path)
    engine = SQLiteEngine(folder, model, **how)
    kept = log_of(engine, engine.model.known.get("log") if log is None else log)
    return Collection(engine, folder, _opened_again, kept, **how)


def _in_postgres(
    url: str, given: str | Encoder | None, log: bool | str | None, create: bool, **how: Any
) -> Collection:
    from nearsense.collection.postgres import PostgresEngine
    from nearsense.store.postgres import parse_address

    engine = PostgresEngine(url, CollectionModel(given, parse_address(url).name, **how), create=create)
    kept = log_of(engine, engine.model.known.get("log") if log is None else log)
    return Collection(engine, engine.name, _opened_again, kept)


def _opened_again(
    path: str, model: Encoder | str | None, loading: dict[str, Any], network: bool, log: bool | str | None = None
) -> Collection:
    """A collection as it was when it was pickled."""
    if is_url(path):
        return _in_postgres(path, model, log, create=False, role="passage", **loading)
    used = CollectionModel(model, path, role="passage", **loading)
    return _in_folder(path, used, log, create=False, network=network, accept_losses=False)
