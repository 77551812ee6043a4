"""Standard data sets by their names. Not how a file is read: see reading.py."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from nearsense.datasets.kinds import Dataset
from nearsense.errors import InputError

__all__ = ["STANDARD", "named"]

STANDARD: Mapping[str, Callable[[], Dataset]] = {}
"""What makes each set, by its name."""


def named(name: str) -> Dataset:
    """The standard data set of a name.

    Raises:
        InputError: There is none.
    """
    if name not in STANDARD:
        known = ", ".join(sorted(STANDARD))
        raise InputError(
            f"{name} is neither a file, a folder nor a standard data set",
            why=f"the names are {known}" if known else "none is known by name here",
            fix="check the spelling, or give a file",
        )
    return STANDARD[name]()
