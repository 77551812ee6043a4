"""A consistent copy of a collection, made while it is in use. There is no restore: a backup is a collection."""

from __future__ import annotations

import secrets
import shutil
from pathlib import Path

from nearsense.errors import InputError, NearsenseError
from nearsense.store import Store
from nearsense.store.generations import fsync_folder
from nearsense.store.place import unwritable
from nearsense.store.points import reach

__all__ = ["backup"]


def backup(store: Store, target: Path) -> Path:
    """Copy the authority, check the copy by opening it, and give it its name; the rest can be made from it.

    Args:
        store: The collection's.
        target: A folder that does not exist.

    Raises:
        InputError: It exists.
        StoreError: It cannot be written; nothing is left behind.
    """
    if target.exists():
        raise InputError(
            f"{target} is there already", why="a backup never overwrites", fix="name a folder that does not exist"
        )
    if target.absolute().is_relative_to(store.folder):
        raise InputError(
            f"{target} lies within the collection",
            why="what lies there is tidied away",
            fix="name a folder elsewhere",
        )
    draft = target.with_name(f"{target.name}.{secrets.token_hex(4)}.part")
    try:
        draft.mkdir(parents=True)
        store.backup(draft)
        fsync_folder(draft)
        reach("backup.before-rename")
        draft.rename(target)
        fsync_folder(target.parent)
        reach("backup.after-rename")
    except OSError as error:
        if isinstance(error, NearsenseError):
            raise
        raise unwritable(target, error) from None
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return target
