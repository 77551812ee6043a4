"""A consistent copy of a collection, made while it is in use. There is no restore: a backup is a collection."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from nearsense._folder import Folder, make_folders
from nearsense.errors import InputError, NearsenseError
from nearsense.store import Store
from nearsense.store.place import unwritable
from nearsense.store.points import reach

__all__ = ["backup"]


def backup(store: Store, target: Path) -> Path:
    """Copy the authority, check the copy by opening it, and give it its name; the rest can be made from it.

    Args:
        store: The collection's.
        target: A folder that does not exist.

    Raises:
        InputError: It exists, or would lie within the collection, by whatever path.
        StoreError: It cannot be written; nothing is left behind.
    """
    if os.path.lexists(target):
        raise InputError(
            f"{target} is there already", why="a backup never overwrites", fix="name a folder that does not exist"
        )
    try:
        place = Path(os.path.realpath(target.parent))
        if _within(place, store.folder):
            raise InputError(
                f"{target} lies within the collection",
                why="what lies there is tidied away",
                fix="name a folder elsewhere",
            )
        make_folders(place)
        with Folder(place) as folder:
            _copy(store, folder, target.name)
    except OSError as error:
        if isinstance(error, NearsenseError):
            raise
        raise unwritable(target, error) from None
    return target


def _copy(store: Store, folder: Folder, name: str) -> None:
    draft = f"{name}.{secrets.token_hex(4)}.part"
    folder.make(draft, private=True)
    try:
        store.backup(folder.path / draft)
        reach("backup.before-rename")
        folder.rename(draft, name)
        folder.sync()
        reach("backup.after-rename")
    finally:
        folder.remove(draft)


def _within(place: Path, collection: Path) -> bool:
    """Whether a path leads into a folder, compared by what the system knows of both: links and mounts count."""
    own = {_known(collection), *(_known(each) for each in collection.rglob("*") if each.is_dir())} - {None}
    return any(_known(each) in own for each in (place, *place.parents))


def _known(folder: Path) -> tuple[int, int] | None:
    """By which the system tells a folder from every other; None where it is not there."""
    try:
        found = folder.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino
