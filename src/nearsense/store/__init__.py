"""What survives a restart. `open_store` is the only place that picks an engine."""

from __future__ import annotations

import os
from pathlib import Path

from nearsense.store.base import Block, Generation, Reader, State, Store, Writer

__all__ = ["Block", "Generation", "Reader", "State", "Store", "Writer", "is_collection", "open_store"]


def open_store(folder: Path, *, create: bool = True, network: bool = False, accept_losses: bool = False) -> Store:
    """Open a collection's store; see `SQLiteStore`, and `ReadOnlyStore` for where it may not be written."""
    from nearsense.store.readonly import ReadOnlyStore, only_readable
    from nearsense.store.sqlite import SQLiteStore

    if only_readable(folder):
        return ReadOnlyStore(folder, network=network, accept_losses=accept_losses)
    return SQLiteStore(folder, create=create, network=network, accept_losses=accept_losses)


def is_collection(folder: Path) -> bool:
    """Whether a folder holds a collection, a damaged one included."""
    from nearsense.store.sqlite import DATABASE, MARK

    # Not Path.is_file, which fails in a folder that may not be read: who opens it says that better.
    return any(os.path.isfile(folder / name) for name in (DATABASE, MARK))  # noqa: PTH113
