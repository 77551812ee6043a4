"""What a difference is: its kind, and the words on either side. Not how one is found: each kind has its file."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

__all__ = ["Difference", "Kind"]


class Kind(StrEnum):
    """In what two texts that look alike can differ."""

    NEGATION = "negation"
    """One says not, never, without, where the other does not."""
    NUMBER = "number"
    """Another amount, count or share."""
    UNIT = "unit"
    """The same figure of something else: mg and g, dollars and euros, daily and weekly."""
    DATE = "date"
    """Another day, month, year, weekday, time of day."""
    ANTONYM = "antonym"
    """A word and its opposite, of no finer kind."""
    ROLES = "roles"
    """The same words with their parts exchanged: from A to B, from B to A."""
    NAME = "name"
    """Another person, product, company."""
    MODALITY = "modality"
    """Another strength: must and may, all and some, always and sometimes."""
    CODE = "code"
    """Another model, version, size, part, room, error: what letters and digits name and do not count."""
    COLOUR = "colour"
    """Another colour."""
    ORDINAL = "ordinal"
    """Another place in a row: second and third, first and last."""
    SIDE = "side"
    """The other side of a thing: left and right, front and rear, upper and lower."""
    PLACE = "place"
    """Another place: in Rome and in Milan, under and on, north and south."""
    ORDER = "order"
    """The same events one after the other, the other way round."""
    CAUSE = "cause"
    """Cause and effect exchanged."""
    CONDITION = "condition"
    """Another condition: if and unless, only if and even if."""
    COMPARISON = "comparison"
    """More for less: at least and at most, A bigger than B and B bigger than A."""
    SIGN = "sign"
    """Another sign: an arrow, stars, less for greater, a face. The guard never says this of itself."""
    UNREAD = "unread"
    """What the model does not read: it has no token for it, or the same as for another word. The guard never says
    this of itself."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing in which two texts differ.

    Args:
        kind: Which kind of thing.
        left: The words of the first text; empty where only the second has any.
        right: The words of the second text; empty where only the first has any.

    Example:
        >>> print(Difference(Kind.NUMBER, "15", "51"))
        number: 15 → 51
        >>> print(Difference(Kind.NEGATION, "", "not"))
        negation: not
    """

    kind: Kind
    left: str
    right: str

    def __str__(self) -> str:
        return f"{self.kind}: {' → '.join(side for side in (self.left, self.right) if side)}"
