"""What differs between the two texts of a pair, beyond their score. Not how sure that leaves one.

The guard names what it sees in the words; the model's own tokenizer tells what the model does not see at all.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from nearsense.guard import Difference, Kind, differences_many, languages
from nearsense.pair_differences.accents import Accents
from nearsense.pair_differences.foreign import unfamiliar
from nearsense.pair_differences.tongue import languages_of_pairs
from nearsense.wording import normal_form

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from nearsense.encoders import Encoder

__all__ = ["pair_differences", "unfamiliar"]


def pair_differences(
    lefts: Sequence[str],
    rights: Sequence[str],
    *,
    encoder: Encoder | None = None,
    language: str | None = None,
    scores: NDArray[np.floating] | None = None,
) -> list[tuple[Difference, ...]]:
    """What differs between the texts of each pair.

    Args:
        lefts: One text of each pair.
        rights: The other of each pair, in the same order.
        encoder: The model that scores them: what it cannot read is named too. None: only the guard speaks.
        language: ISO 639-1 of all texts; None: told from the texts.
        scores: Cosine similarities, shape (n,), where they are known: of an encoder that does not tell what it
            reads (a server's), texts of one vector show it.

    Returns:
        The differences of each pair, in the order of the pairs; empty: none was seen.
    """
    from nearsense.pair_differences.signs import signs_many
    from nearsense.pair_differences.unread import unread_many

    found = differences_many(lefts, rights, language=language) if language else _guarded(lefts, rights)
    for at, missed in unread_many(lefts, rights, encoder, language, scores).items():
        found[at] = (*found[at], *missed)
    for at, sign in signs_many(lefts, rights).items():
        if not found[at]:  # most are named already: unread, or units
            found[at] = (sign,)
    for at, each in enumerate(found):
        if each and not (lefts[at].isascii() and rights[at].isascii()):
            found[at] = _but_for_form(each, lefts[at], rights[at], language)
    return found


def _but_for_form(found: tuple[Difference, ...], a: str, b: str, language: str | None) -> tuple[Difference, ...]:
    """Without what is one thing in two forms: 5 ℃ and 5 °C, Niño and Nino in English."""
    if normal_form(a) == normal_form(b):
        return ()
    accents = Accents(language)
    return tuple(
        one
        for one in found
        if not accents.only(one.left, one.right)
        or accents.differ(one.left.casefold(), one.right.casefold(), a.split(), b.split())
    )


def _guarded(lefts: Sequence[str], rights: Sequence[str]) -> list[tuple[Difference, ...]]:
    """What the guard names, each pair by the tables of its own language."""
    codes = languages_of_pairs(lefts, rights)
    found: list[tuple[Difference, ...]] = [()] * len(codes)
    for code in sorted(set(codes)):
        rows = [row for row, own in enumerate(codes) if own == code]
        seen = differences_many([lefts[row] for row in rows], [rights[row] for row in rows], language=code)
        for row, differs in zip(rows, seen, strict=True):
            found[row] = differs
    short = [at for at, differs in enumerate(found) if not differs and _few_words(lefts[at], rights[at])]
    for code in languages() if short else ():
        seen = differences_many([lefts[row] for row in short], [rights[row] for row in short], language=code)
        for row, differs in zip(short, seen, strict=True):
            found[row] = found[row] or tuple(each for each in differs if each.kind in _PLAIN)
    return found


_PLAIN = (Kind.SIDE, Kind.COLOUR)
"""Kinds whose words are of one language mostly: those of a few words are looked for in every language."""


def _few_words(a: str, b: str) -> bool:
    """Whether two texts are as long as names of products, so that nothing may tell their language."""
    return a != b and a.count(" ") == b.count(" ") <= _FEW


_FEW = 4
"""Spaces in each of two short texts."""
