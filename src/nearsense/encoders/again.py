"""Encoders that cross to another process: by how they were loaded, never by their weights. Not the loading."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import copy
from typing import TYPE_CHECKING, Any, Self

from nearsense.errors import ModelMismatch, UnsupportedModel

__all__ = ["Loadable"]


class Loadable:
    """What `load` and `load_cross` give: pickled by name and options, loaded anew where it is unpickled.

    Where the model is another one by then, that is an error: its vectors would not compare.
    """

    name: str
    again: Callable[[], Any] | None = None
    """Loads the same once more; None for one that was put together by hand."""
    kept: tuple[str, ...] = ("long",)
    """What can be changed after loading, by the names of the attributes."""

    if TYPE_CHECKING:

        @property
        def fingerprint(self) -> str:
            """SHA-256 (hex) of the model as it is run; each kind of encoder has its own."""
            ...  # pragma: no cover

    def __copy__(self) -> Self:
        other = object.__new__(type(self))
        other.__dict__.update(self.__dict__)
        return other

    def __reduce__(self) -> tuple[object, ...]:
        if self.again is None:
            raise UnsupportedModel(
                f"{self.name} cannot be pickled",
                why="it was put together by hand: no name and no folder says how to load it elsewhere",
                fix="use one of ns.load or ns.load_cross",
            )
        return _loaded, (self.again, {name: getattr(self, name) for name in self.kept}, self.fingerprint)


def _loaded(again: Callable[[], Any], kept: Mapping[str, Any], fingerprint: str) -> Any:
    """What was pickled, from the model's files as they are here."""
    other = again()
    if any(getattr(other, name) != value for name, value in kept.items()):
        other = copy(other)
        if (dimension := kept.get("dimension", 0)) and dimension < other.dimension:
            other = other.with_dimensions(dimension)
        other.__dict__.update(kept)
    if other.fingerprint != fingerprint:
        raise ModelMismatch(
            f"{other.name} is another model here than where it was pickled",
            why=f"its fingerprint is {other.fingerprint[:12]}, not {fingerprint[:12]}",
            fix="bring the same files to both, or load the model here: ns.load(...)",
        )
    return other
