"""One request from both sides: who asks "can I buy it?" wants to know what "do you sell it?" asks. Not in general.

It holds between a customer and who answers: "I" is the one, "you" the other. Between any two texts "you" may be
anybody, so only who knows that one asks the other looks here.
"""

from __future__ import annotations

from nearsense.guard import words as flag
from nearsense.guard.reader import Lexicon, Text
from nearsense.guard.tables import Tables
from nearsense.guard.words import Difference, Kind, Word


def without_sides(a: Text, b: Text, found: list[Difference], words: Lexicon) -> list[Difference]:
    """What differs, but for opposites by which a request is only told from the other side."""
    if not any(one.kind is Kind.ANTONYM for one in found):
        return found
    a, b = a.join(words), b.join(words)
    return [one for one in found if one.kind is not Kind.ANTONYM or not _is_one(a, b, one, words.tables)]


def _is_one(a: Text, b: Text, opposite: Difference, tables: Tables) -> bool:
    """Whether two opposites are one act: I buy what you sell; I come to where I go to."""
    i, j = _place(a, opposite.left), _place(b, opposite.right)
    if i is None or j is None:
        return False
    one, other = a.words[i], b.words[j]
    if _stands_in(one, tables.exchanges) and _stands_in(other, tables.exchanges):
        return {_actor(a.words, i, tables), _actor(b.words, j, tables)} == {"asker", "asked"}
    ways = [text.words[at + 1].small if at + 1 < len(text.words) else "" for text, at in ((a, i), (b, j))]
    moved = _stands_in(one, tables.moves) and _stands_in(other, tables.moves)
    return moved and ways[0] == ways[1] and ways[0] in tables.toward


def _place(text: Text, shown: str) -> int | None:
    return next((at for at, word in enumerate(text.words) if word.shown == shown), None)


def _stands_in(word: Word, table: frozenset[str]) -> bool:
    return word.key in table or word.small in table


def _actor(words: list[Word], at: int, tables: Tables) -> str:
    """Who does what the word at a position says: "asker", "asked", or "" where that is open.

    Nobody named is who asks: where to buy. In "how do you buy" you is anybody.
    """
    before, after = words[at - 1] if at else None, words[at + 1] if at + 1 < len(words) else None
    if before is not None and before.flags & flag.BEING:
        return ""  # was sold
    if said := _person(words[at], tables):
        return said
    for back in range(at - 1, -1, -1):
        if words[back].flags & flag.BREAK and words[back].small not in tables.open:
            break
        if said := _person(words[back], tables):
            how = back > 1 and words[back - 2].small in tables.anyone and words[back - 1].flags & flag.AUXILIARY
            return "" if how and said == "asked" else said
    if after is not None and (said := _person(after, tables)):
        return said if tables.inverted else "asker" if said == "asked" else "asked"  # verkaufen Sie; send me
    return "asker" if before is None or before.small in tables.open else ""


def _person(word: Word, tables: Tables) -> str:
    if _stands_in(word, tables.asker):
        return "asker"
    return "asked" if _stands_in(word, tables.asked) else ""
