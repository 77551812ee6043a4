"""Whether one text denies what the other says: an odd number of negations. Two make up for each other."""

from __future__ import annotations

from nearsense.guard.kinds import Difference, Kind
from nearsense.guard.reader import Text
from nearsense.guard.words import AUXILIARY, BREAK, IMPLICIT, NEGATOR, SENTENCE, Word

__all__ = ["denied", "negated"]

_REACH = 4
"""Words before a word in which a negation is taken to mean it."""


def negated(words: list[Word], at: int, double: bool) -> bool:
    """Whether an odd number of negations reaches the word at a position; where two are one (`double`), any."""
    count = 0
    for word in words[at - 1 : max(at - 1 - _REACH, 0) - 1 if at - 1 - _REACH > 0 else None : -1] if at else ():
        if word.flags & BREAK:
            break
        count += bool(word.flags & NEGATOR)
    return count > 0 if double else count % 2 == 1


def denied(a: Text, b: Text, settled: int, double: bool) -> list[Difference]:
    """One difference where the negations of two texts do not come out even.

    Args:
        a: One text.
        b: The other.
        settled: Negations that an opposite has made up for.
        double: Two in one clause are one, as in Italian "non ... nessuno".
    """
    left, right = _negators(a, double), _negators(b, double)
    if (len(left) + len(right) + settled) % 2 == 0:
        return []
    quiet = len([1 for word in a.words if word.flags & IMPLICIT and word not in b.keys])
    quiet += len([1 for word in b.words if word.flags & IMPLICIT and word not in a.keys])
    if quiet % 2:
        return []
    more, fewer = (left, right) if len(left) >= len(right) else (right, left)
    text, other = (a, b) if more is left else (b, a)
    if not any(_meets(text, at, other) for at in more):
        return []
    keys = {other.words[at].key for at in fewer}
    extra = next((at for at in more if text.words[at].key not in keys), more[0])
    shown = text.words[extra].shown
    return [Difference(Kind.NEGATION, *((shown, "") if more is left else ("", shown)))]


def _negators(text: Text, double: bool) -> list[int]:
    """Where a text denies; the "no" of "no, thanks" answers and denies nothing."""
    asks = bool(text.words) and text.words[-1].shown == "?"
    words, last, found, before = text.words, len(text.words) - 1, [], False
    for at, word in enumerate(words):
        if word.flags & BREAK:
            before = False
        if not word.flags & NEGATOR or (double and before):
            continue
        if asks and at < 2 and words[0].flags & AUXILIARY:
            before = True  # "isn't it", "don't you think": asked, not denied
            continue
        answers = at < last and words[at + 1].shown == "," and (at == 0 or words[at - 1].flags & BREAK)
        labels = at + 2 <= last and words[at + 1].shown == "." and words[at + 2].shown[0].isdigit()  # no. 12
        if not answers and not labels:
            found.append(at)
            before = True
    return found


def _meets(text: Text, at: int, other: Text) -> bool:
    """Whether what is denied is spoken of in the other text: of the words behind it, or of that before."""
    words = text.words
    found: list[bool] = []
    for word in words[at + 1 : at + 7]:
        if word.flags & SENTENCE or len(found) == 2:
            break
        if word.content or word.opposite:
            found.append(word.key in other.keys or not word.opposite.isdisjoint(other.keys))
    if not any(found) and (not found or not words[at].flags & AUXILIARY):
        found += [word.key in other.keys for word in reversed(words[:at]) if word.content][:1]
    return any(found) or not found
