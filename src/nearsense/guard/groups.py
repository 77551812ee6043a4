"""Figures side by side: digit groups that differ in their separators only, pairs that are turned round."""

from __future__ import annotations

from nearsense.guard.kinds import Difference, Kind
from nearsense.guard.tables import Tables
from nearsense.guard.words import NUMBER, Word

__all__ = ["regrouped", "turned_pairs"]

_LEAST = 5
"""Digits from which on groups may be one figure: 555-1234 is 5551234, 1 5 is not 15."""

_GROUPS = 6
"""Groups that one figure has at most."""

_BETWEEN = frozenset("()+")
_SEPARATORS = str.maketrans("", "", "-.,")


def regrouped(a: list[Word], b: list[Word]) -> tuple[set[int], set[int]]:
    """Where two texts write the same digits in other groups: +39 02 1234 and +39021234."""
    one = _runs(a)
    other = _runs(b) if one else {}
    left: set[int] = set()
    right: set[int] = set()
    for digits in one.keys() & other.keys():
        if one[digits][0] != other[digits][0]:
            left |= one[digits][1]
            right |= other[digits][1]
    return left, right


def turned_pairs(a: list[Word], b: list[Word], tables: Tables) -> list[Difference]:
    """Two figures that have changed places: 3-1 and 1-3, from 5 to 7 and from 7 to 5."""
    one, other = _pairs(a, tables), _pairs(b, tables)
    return [
        Difference(Kind.NUMBER, shown, other[pair[::-1]])
        for pair, shown in one.items()
        if pair[::-1] in other and pair[::-1] not in one and pair not in other
    ]


def _runs(words: list[Word]) -> dict[str, tuple[str, set[int]]]:
    """Digits → how they are written and where, for every run of neighbouring groups."""
    figures = [(at, _digits(word)) for at, word in enumerate(words) if word.flags & NUMBER]
    found: dict[str, tuple[str, set[int]]] = {}
    if len("".join([digits for _, digits in figures])) < _LEAST:
        return found
    for first, (start, digits) in enumerate(figures):
        end, run, at = first, digits, {start}
        while digits:
            if len(run) >= _LEAST:
                shown = " ".join(words[i].shown for i in range(start, max(at) + 1) if i in at)
                found.setdefault(run, (shown, set(at)))
            end += 1
            if end == len(figures) or end - first == _GROUPS:
                break
            after, digits = figures[end]
            if any(words[i].shown not in _BETWEEN for i in range(figures[end - 1][0] + 1, after)):
                break
            run += digits
            at.add(after)
    return found


def _digits(word: Word) -> str:
    """The digits of a group; nothing where a sign in it makes another figure of them."""
    digits = word.shown.translate(_SEPARATORS)
    if not digits.isdecimal() or not word.shown[0].isdecimal():
        return ""
    whole = "," not in word.shown and word.shown.count(".") != 1
    return digits if whole or word.number == int(digits) else ""


def _pairs(words: list[Word], tables: Tables) -> dict[tuple[float, float], str]:
    """Two figures with a hyphen or a "to" between them, in their order."""
    found: dict[tuple[float, float], str] = {}
    for at, word in enumerate(words):
        if not word.flags & NUMBER:
            continue
        if word.code == "range":
            first, hyphen, second = word.shown.partition("-")
            if hyphen and first.isdecimal() and second.isdecimal() and len(word.shown) < 16:
                found[float(first), float(second)] = word.shown
        elif at + 2 < len(words) and words[at + 1].small in tables.ranges:
            after = words[at + 2]
            if word.number is not None and after.number is not None:
                shown = f"{word.shown} {words[at + 1].shown} {after.shown}"
                found[word.number, after.number] = shown
    return found
