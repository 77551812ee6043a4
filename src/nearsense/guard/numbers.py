"""Amounts and their units, compared by value: 15 is fifteen, 1 km is 1000 m. Not dates: see dates.py."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import islice

from nearsense.guard import words as flag
from nearsense.guard.reader import Text
from nearsense.guard.tables import Tables
from nearsense.guard.words import Difference, Kind, Unit, Word

_COUNTED = flag.NUMBER | flag.UNIT
_MOST = 64  # amounts of a text that are matched; of more, those that both texts write alike are left out first
MODEL = re.compile(r"(?<!\S)(\d{4,})([A-Z])$")
"""What measures nothing where another capital stands behind the same figures."""

_NEAR = 0.03  # how far two values of different units may lie apart: people round when they convert
_LEAST = 5  # digits from which on groups may be one figure: 555-1234 is 5551234, 1 5 is not 15
_GROUPS = 6  # groups that one figure has at most
_BETWEEN = frozenset("()+")

_SEPARATORS = str.maketrans("", "", "-.,")


@dataclass(slots=True)
class Quantity:
    """An amount as written, its value, and what it may measure; no value where a unit stands alone."""

    value: float | None
    units: tuple[Unit, ...]
    shown: str
    weak: bool = False  # too common to be missed: one, once, both
    exact: str = ""  # how it was written, where 3.1 is not 3.10
    rank: bool = False
    after: str = ""  # the word behind it: what is counted
    label: bool = False  # whether it names and does not count: version 3, room 12


def quantities(text: Text, tables: Tables, taken: set[int]) -> list[Quantity]:
    """The amounts of a text in order, without the words that its dates took."""
    found: list[Quantity] = []
    words, end = text.words, 0
    for position in [at for at, word in enumerate(words) if word.flags & _COUNTED]:
        word = words[position]
        if position < end or position in taken:
            continue
        if word.flags & flag.NUMBER:
            end = _amount(words, position, tables, taken, found)
        elif word.shown not in tables.bound and word.small not in tables.bound:
            found.append(Quantity(None, word.units, word.shown))
    return found


def other_amounts(left: list[Quantity], right: list[Quantity]) -> list[Difference]:
    """Amounts of the one text that the other does not have, each beside what stands in its place."""
    if len(left) + len(right) > 2 * _MOST:
        left, right = _fewer(left, right), _fewer(right, left)
    rest = list(right)
    only: list[Quantity] = []
    for one in left:
        twin = next((other for other in rest if _same(one, other) and one.rank == other.rank), None)
        twin = twin or next((other for other in rest if _same(one, other)), None)
        if twin is None:
            only.append(one)
        else:
            rest.remove(twin)
    found = []
    news = [other for other in rest if not any(_same(other, one) and one.rank == other.rank for one in left)]
    for one in only:
        if any(_same(one, other) and one.rank == other.rank for other in right):
            continue
        twin = _partner(one, news)
        if twin is not None:
            news.remove(twin)
            same = one.value is not None and one.value == twin.value
            kind = Kind.UNIT if same or one.value is None or twin.value is None else Kind.NUMBER
            kind = Kind.ORDINAL if one.rank and twin.rank else kind
            kind = Kind.CODE if (one.label and twin.label) or _models(one, twin) else kind
            found.append(Difference(kind, one.shown, twin.shown))
    return found


def _models(one: Quantity, twin: Quantity) -> bool:
    """Whether a capital behind four figures names another model: 5600X and 5600G, 3700X and 3800X."""
    if not (one.shown[-1:].isupper() and twin.shown[-1:].isupper()):
        return False
    a, b = MODEL.search(one.shown), MODEL.search(twin.shown)
    if a is None or b is None:
        return False
    return a[2] != b[2] if a[1] == b[1] else a[2] == b[2] == "X"


def _fewer(one: list[Quantity], other: list[Quantity]) -> list[Quantity]:
    """The first amounts that the other text does not write alike: each is compared with each."""
    known = {(amount.value, amount.units, amount.exact, amount.rank) for amount in other}
    rest = (amount for amount in one if (amount.value, amount.units, amount.exact, amount.rank) not in known)
    return list(islice(rest, _MOST))


def _partner(one: Quantity, others: list[Quantity]) -> Quantity | None:
    """What stands in its place: the same value of something else, or another value of the same thing."""
    kinds = {unit.dimension for unit in one.units}
    fits = [o for o in others if o.rank == one.rank and (o.value is None) == (one.value is None)]
    if one.value is None:
        return next((o for o in fits if kinds & {unit.dimension for unit in o.units}), None)
    same = (o for o in fits if o.value == one.value or _models(one, o))
    alike = (o for o in fits if kinds & {unit.dimension for unit in o.units} or not (kinds or o.units))
    twin = next(same, None) or next(alike, None)
    return None if twin and (one.weak or twin.weak) and one.after != twin.after else twin


def _same(a: Quantity, b: Quantity) -> bool:
    if _models(a, b):
        return False
    if a.exact and b.exact:
        return a.exact == b.exact
    if (a.exact and not b.label) or (b.exact and not a.label):
        return a.shown.rpartition(" ")[2] == b.shown.rpartition(" ")[2]  # HDMI 2.0 is not two
    if a.value is None or b.value is None:
        return a.value is b.value and bool({(u.dimension, u.factor) for u in a.units} & _measures(b))
    if a.rank != b.rank:
        return a.value == b.value
    if not a.units or not b.units:
        bare, other = (a, b) if not a.units else (b, a)
        if bare.after and any(unit.dimension == "times" for unit in other.units):
            return False  # 2 pills are not twice
        if any(unit.dimension == "share" and _close(other.value, unit, bare.value) for unit in other.units):
            return True
        return a.value == b.value
    if _measures(a) & _measures(b):
        return abs(a.value - b.value) <= 1e-9 * max(abs(a.value), abs(b.value))
    return any(
        x.dimension == y.dimension
        and abs((a.value + x.offset) * x.factor - (b.value + y.offset) * y.factor)
        <= _NEAR * max(abs((a.value + x.offset) * x.factor), abs((b.value + y.offset) * y.factor))
        for x in a.units
        for y in b.units
    )


def _close(value: float | None, unit: Unit, bare: float | None) -> bool:
    return value is not None and bare is not None and abs(value * unit.factor - bare) <= 0.005 * abs(bare)


def _measures(quantity: Quantity) -> set[tuple[str, float]]:
    return {(unit.dimension, unit.factor) for unit in quantity.units}


def _amount(words: list[Word], start: int, tables: Tables, taken: set[int], found: list[Quantity]) -> int:
    """Read one amount from `start`, with its unit before or behind it; return where it ends."""
    word = words[start]
    if word.number is None:
        figures = [float(figure) for figure in re.findall(r"\d{1,15}(?:\.\d{1,9})?", word.shown)]
        exact = word.shown.lower()
        if word.code == "range" or len(figures) == 2:
            label = len(figures) > 2 or bool(start and words[start - 1].small in tables.labels)
            found += [Quantity(figure, word.units, word.shown, label=label) for figure in figures]
        else:
            found.append(Quantity(figures[0] if figures else 0.0, word.units, word.shown, exact=exact, label=True))
        return start + 1
    value, end = _value(words, start, tables, taken)
    units, shown, end = _unit(words, start, end, word, tables, taken)
    exact, before = "", words[start - 1] if start else None
    label = not units and is_label(words, start, end, tables)
    if label and "." in word.shown:
        exact = word.key.removesuffix(".0")
    if label and before is not None and (before.small in tables.labels or before.flags & flag.NAMED):
        shown = f"{before.shown} {shown}"
    alone = end == start + 1
    weak = alone and not units and (word.code == "weak" or word.code == "scale")
    after = words[end].key if end < len(words) else ""
    if value > 0 and _below_zero(words, start, end, tables):
        value = -value
        if start and words[start - 1].small in tables.minus:
            shown = f"{words[start - 1].shown} {shown}"
    elif value < 0 and before is not None and before.flags & flag.NAMED:
        value = -value  # Windows -10
    found.append(Quantity(value, units, shown, weak, exact, word.code == "ordinal" and alone, after, label))
    return end


def is_label(words: list[Word], at: int, end: int, tables: Tables) -> bool:
    """Whether the amount words[at:end] names and counts nothing: by the word before it, or by a leading zero."""
    word, before = words[at], words[at - 1] if at else None
    if word.code not in ("plain", "word") or word.number is None:
        return False
    digits = word.shown.replace(".", "").isdecimal()
    if word.shown[0] in "vV" or (digits and len(word.shown) > 3 and word.shown[0] == "0"):
        return True
    while at > 1 and before is not None and (before.flags & flag.BEING or before.shown in (".", ":")):
        at, before = at - 1, words[at - 2]
    if before is None:
        return False
    if before.small in tables.labels:
        return True
    if end != at + 1 or word.shown[-1].isalpha() or not word.shown[0].isdigit() or not before.flags & flag.NAMED:
        return False
    if not before.flags & (flag.NAME | flag.CAPITALS) and (at == 1 or words[at - 2].flags & flag.SENTENCE):
        return False
    after = words[end] if end < len(words) else None
    counts = after is not None and after.content and after.shown.islower() and after.shown.endswith("s")
    return "." in word.shown or len(word.shown) > 2 or not counts


def _below_zero(words: list[Word], start: int, end: int, tables: Tables) -> bool:
    """Minus five, five degrees below zero; but not ten minus five."""
    if start and words[start - 1].small in tables.minus:
        return start == 1 or words[start - 2].number is None
    return end < len(words) and words[end].small in tables.below


def _value(words: list[Word], start: int, tables: Tables, taken: set[int]) -> tuple[float, int]:
    """The value of a run of number words: two hundred and fifty, 1.5 million, two and a half, two thirds."""
    total, current, position = 0.0, float(words[start].number or 0), start + 1
    if words[start].code == "scale":
        current = float(words[start].number or 1)
    while position < len(words) and position not in taken:
        word = words[position]
        after = words[position + 1] if position + 1 < len(words) else None
        if word.number is None:
            joined = word.key in tables.number_joins and after is not None and after.number is not None
            following = (after.number or 0) if after is not None else 0
            small = joined and 0 < following < (1 if current < 100 else 100)
            if not small or (words[start].shown[0].isdigit() and following >= 1):
                break
            position += 1
            continue
        if word.small in tables.fractions and words[start].code != "ordinal":
            share = word.number if word.number < 1 else 1 / word.number
            joined = words[position - 1].key in tables.number_joins
            current = current + share if joined else current * share
        elif word.code == "scale":
            current *= word.number
            if word.number >= 1000:
                total, current = total + current, 0.0
        elif (
            word.code in ("word", "weak") and not words[start].shown[0].isdigit() and _adds(current, word.number)
        ) or (word.code == "ordinal" and current >= 20 and _adds(current, word.number)):
            current += word.number
        else:
            break
        position += 1
    return total + current, position


def _adds(current: float, more: float) -> bool:
    """Whether a number word goes on from what was read: twenty-one, one hundred five, but not five five."""
    return (
        (current >= 100 and current % 100 == 0 and more < 100)
        or (current >= 20 and current % 10 == 0 and current % 100 != 0 and 0 < more < 10)
        or (current == 0 and more > 0)
    )


def _unit(
    words: list[Word], start: int, end: int, word: Word, tables: Tables, taken: set[int]
) -> tuple[tuple[Unit, ...], str, int]:
    """What the amount measures: behind it, one word further, glued to it, or the sign before it."""
    shown = " ".join(part.shown for part in words[start:end])
    if word.units:
        return () if word.code == "ordinal" and _counts(words, start) else word.units, shown, end
    after = [words[end + i] for i in (0, 1, 2) if end + i < len(words) and end + i not in taken]
    if len(after) > 1 and word.number is not None and word.number < 1 and not after[0].units:
        after = after[1:] if after[0].shown.lower() in ("an", "a") else after
    if len(after) > 1 and after[0].shown.lower() in tables.between and after[1].units:
        named = tables.compound.get((after[0].shown.lower(), after[1].shown.lower()))
        return (tables.units.get(named or "") or after[1].units), f"{shown} {after[1].shown}", end + 2
    if after and after[0].units and not after[0].flags & flag.DATE and word.code != "ordinal":
        return after[0].units, f"{shown} {after[0].shown}", end + 1
    before = words[start - 1] if start else None
    if (
        before is not None
        and before.units
        and (len(before.shown) == 1 or before.shown.isupper() or "$" in before.shown)
    ):
        return before.units, f"{before.shown}{shown}" if len(before.shown) == 1 else f"{before.shown} {shown}", end
    return (), shown, end


def _counts(words: list[Word], at: int) -> bool:
    """Whether a word is a place in a row and no unit: the second floor, but five per second."""
    after = words[at + 1] if at + 1 < len(words) else None
    return after is not None and bool(after.content) and not (at and words[at - 1].small in ("per", "each"))


def same_digits(a: list[Word], b: list[Word]) -> tuple[set[int], set[int]]:
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
    figures = [(at, _digits(word)) for at, word in enumerate(words) if word.flags & flag.NUMBER]
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
        if not word.flags & flag.NUMBER:
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
