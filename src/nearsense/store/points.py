"""The places where a crash would hurt most, by name. Tests put a kill there; otherwise nothing happens."""

from __future__ import annotations

from collections.abc import Callable

__all__ = ["POINTS", "reach", "watch"]

POINTS = (
    "rows.before",
    "rows.after",
    "commit.before",
    "commit.after",
    "mark.before",
    "mark.after",
    "generation.before-rename",
    "generation.after-rename",
    "generation.after-commit",
    "compact.before-vacuum",
    "compact.after-vacuum",
    "migration.before",
    "migration.after",
    "backup.before-rename",
    "backup.after-rename",
)

_watcher: Callable[[str], None] | None = None


def reach(point: str) -> None:
    """Say that a place is reached."""
    if _watcher is not None:
        _watcher(point)


def watch(watcher: Callable[[str], None] | None) -> None:
    """Call `watcher` at each place from now on; None for nobody."""
    global _watcher
    _watcher = watcher
