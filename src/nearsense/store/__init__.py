"""What survives a restart: the files of a collection and the cache of vectors. `open_store` is the way in."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from nearsense._paths import is_file, is_url

if TYPE_CHECKING:
    from nearsense.store.sqlite import SQLiteStore

__all__ = ["is_collection", "is_made", "open_store"]


def open_store(
    folder: Path, *, create: bool = True, network: bool = False, accept_losses: bool = False
) -> SQLiteStore:
    """Open a collection's store; where it may not be written one that is only read."""
    from nearsense.store.readonly import ReadOnlyStore, only_readable
    from nearsense.store.sqlite import SQLiteStore

    if only_readable(folder):
        return ReadOnlyStore(folder, network=network, accept_losses=accept_losses)
    return SQLiteStore(folder, create=create, network=network, accept_losses=accept_losses)


def is_collection(path: str | os.PathLike[str]) -> bool:
    """Whether a folder holds a collection, a damaged one included; an address means one, there or not."""
    from nearsense.store.sqlite import DATABASE, MARK

    return is_url(path) or any(is_file(os.path.join(path, name)) for name in (DATABASE, MARK))  # noqa: PTH118


def is_made(path: str | os.PathLike[str]) -> bool:
    """Whether there is a collection in a folder, or at an address, whose server is asked."""
    from nearsense.store.postgres import is_there

    return is_there(str(path)) if is_url(path) else is_collection(path)


def collection_around(path: str | os.PathLike[str]) -> Path | None:
    """The collection within whose folder a path lies, links followed; None where it lies in none."""
    return next(filter(is_collection, Path(os.path.realpath(path)).parents), None)
