"""Days, months, years and times, compared part by part. Not durations: those are numbers with units."""

from __future__ import annotations

import re
from collections.abc import Set
from dataclasses import dataclass, field

from nearsense.guard import words as flag
from nearsense.guard.reader import Text
from nearsense.guard.tables import Tables
from nearsense.guard.words import Difference, Kind, When, Word

_TIMES = flag.DATE | flag.NUMBER
_FIRST, _LAST = 1900, 2099
"""A bare figure in this range, with no unit behind it, is a year."""


@dataclass(slots=True)
class Moment:
    """One mention of a time: {component: value}, how it was written, and the words it takes."""

    parts: dict[str, int | str]
    shown: str
    taken: set[int] = field(default_factory=set)
    swapped: bool = False  # day and month may be the other way round


def moments(text: Text, tables: Tables, skipped: Set[int] = frozenset()) -> list[Moment]:
    """Every mention of a time in a text, in order, without the words that are skipped."""
    found: list[Moment] = []
    taken: set[int] = set(skipped)
    words = text.words
    for position in [at for at, word in enumerate(words) if word.flags & _TIMES]:
        word = words[position]
        if position in taken:
            continue
        moment = _numeric(word, tables) if word.code == "date" else None
        if word.number is not None or word.code == "time":
            moment = moment or _clock(words, position, tables, taken)
        moment = moment or _calendar(words, position, tables, taken) or _year(words, position, tables)
        if not moment and word.flags & flag.DATE:
            when = {name: value for name, value in _when(words, position, tables) if name != "month"}
            moment = Moment(when, "") if when else None
        if moment:
            moment.taken.add(position)
            taken |= moment.taken
            first, last = min(moment.taken), max(moment.taken)
            moment.shown = " ".join(part.shown for part in words[first : last + 1]).replace(" ,", ",")
            found.append(moment)
    return found


def other_moments(left: list[Moment], right: list[Moment]) -> list[Difference]:
    """Mentions that tell another day, month, year or time; what only one text tells is no difference."""
    for one, others in ((left, right), (right, left)):
        days = {(other.parts.get("month"), other.parts.get("day")) for other in others}
        for moment in one:
            month, day = moment.parts.get("month"), moment.parts.get("day")
            if moment.swapped and (month, day) not in days and (day, month) in days:
                moment.parts = {**moment.parts, "month": day or 0, "day": month or 0}
    found: dict[tuple[str, str], None] = {}
    for component in dict.fromkeys(part for moment in left for part in moment.parts):
        here = [moment for moment in left if component in moment.parts]
        there = [moment for moment in right if component in moment.parts]
        only = [m for m in here if not any(_same(component, m, other) for other in there)]
        news = [m for m in there if not any(_same(component, m, other) for other in here)]
        found.update(dict.fromkeys((a.shown, b.shown) for a, b in zip(only, news, strict=False)))
    return [Difference(Kind.DATE, *pair) for pair in found]


def _same(component: str, a: Moment, b: Moment) -> bool:
    x, y = a.parts[component], b.parts[component]
    if component == "time" and isinstance(x, int) and isinstance(y, int) and (a.swapped or b.swapped):
        return x % 720 == y % 720  # one does not say which half of the day
    return x == y


def _numeric(word: Word, tables: Tables) -> Moment | None:
    """2024-03-15, 15.3.2024, 3/15/2024."""
    figures = re.findall(r"\d+", word.shown)
    if len(figures) != 3 or any(len(figure) > 4 for figure in figures):
        return None
    first, second, third = map(int, figures)
    if len(figures[0]) == 4:
        parts, sure = (first, second, third), True
    else:
        year = third if len(figures[2]) == 4 else 2000 + third if third < 70 else 1900 + third
        month, day = (first, second) if tables.dates == "mdy" and "." not in word.shown else (second, first)
        if month > 12:
            month, day = day, month
        parts, sure = (year, month, day), first > 12 or second > 12
    if not (1 <= parts[1] <= 12 and 1 <= parts[2] <= 31):
        return None
    return Moment({"year": parts[0], "month": parts[1], "day": parts[2]}, word.shown, swapped=not sure)


def _clock(words: list[Word], at: int, tables: Tables, taken: set[int]) -> Moment | None:
    """7:30, 7:30 pm, 5 p.m., at three in the afternoon."""
    word = words[at]
    minutes: float | None = None
    if word.code == "time":
        figures = [int(figure) for figure in re.findall(r"\d{1,4}", word.shown)]
        minutes = figures[0] * 60 + (figures[1] if len(figures) > 1 else 0)
    elif word.number is not None and word.number == int(word.number) and 0 <= word.number <= 24:
        minutes = word.number * 60
    if minutes is None or minutes > 1440:
        return None
    tail = "".join(mark for mark in word.shown.lower() if mark.isalpha()) if word.shown[0].isdigit() else ""
    after = words[at + 1] if at + 1 < len(words) else None
    half, used = tables.halves.get(tail), set[int]()
    if half is None and after is not None and after.shown.lower() in tables.halves:
        half, used = tables.halves[after.shown.lower()], {at + 1}
    before = words[at - 1].key if at else ""
    if half is None and (word.code == "time" or before in tables.at):
        for step in range(at + 2, min(at + 4, len(words))):
            if words[step].shown.lower() in tables.halves and words[step].flags & flag.DATE:
                half, used = tables.halves[words[step].shown.lower()], {step}
    past = _past(words, at, tables)
    bare = before in tables.hour and (
        after is None or not (after.content or after.units or after.number is not None)
    )
    if half is None and word.code != "time" and not past and not bare:
        return None
    if past:
        minutes, used = minutes + past, used | {at - 2, at - 1}
    hour = int(minutes)
    if half is not None and half >= 0 and hour <= 780:
        hour = hour % 720 + half * 60
    vague = (half is None or half < 0) and hour < 780 and not word.shown.startswith("0")
    return Moment({"time": hour}, "", used, swapped=vague)


def _past(words: list[Word], at: int, tables: Tables) -> float:
    """The minutes of half past seven, ten to eight."""
    if at < 2 or words[at - 1].small not in tables.past_or_to:
        return 0
    word, way = words[at - 2], 1 if words[at - 1].small in tables.past else -1
    if word.number is not None and word.small in tables.fractions:
        return way * 60 * (word.number if word.number < 1 else 1 / word.number)
    return way * word.number if word.number in (5, 10, 20, 25) else 0


def _calendar(words: list[Word], at: int, tables: Tables, taken: set[int]) -> Moment | None:
    """A month with the day and the year beside it; the 1st of each month."""
    word = words[at]
    if word.number is not None and word.code in ("ordinal", "plain", "word", "weak"):
        end = _skip(words, at + 1, 1, tables.date_joins)
        monthly = end < len(words) and words[end].shown.lower().split(" ")[-1] in tables.monthly
        if word.code == "ordinal" and (monthly or (end < len(words) and words[end].key in tables.monthly)):
            return Moment({"day": int(word.number)}, "")
        return None
    month = next((int(value) for part, value in _when(words, at, tables) if part == "month"), None)
    if month is None:
        return None
    parts: dict[str, int | str] = {"month": month}
    used: set[int] = set()
    before = _skip(words, at - 1, -1, tables.date_joins)
    if _is_day(words, before) and before not in taken:
        parts["day"] = int(words[before].number or 0)
        used.update(range(before, at))
    after = _skip(words, at + 1, 1, tables.date_joins)
    if "day" not in parts and _is_day(words, after):
        parts["day"] = int(words[after].number or 0)
        used.update(range(at + 1, after + 1))
        after = _skip(words, after + 1, 1, tables.date_joins)
    if after < len(words) and words[after].code == "plain" and 1000 <= (words[after].number or 0) <= _LAST:
        parts["year"] = int(words[after].number or 0)
        used.update(range(at + 1, after + 1))
    return Moment(parts, "", used)


def _year(words: list[Word], at: int, tables: Tables) -> Moment | None:
    word = words[at]
    if word.code == "decade" and word.number is not None:
        value = int(word.number)
        return Moment({"decade": value if value > 99 else 1900 + value}, "")
    if word.code != "plain" or word.number is None or len(word.shown) != 4 or not word.shown.isdigit():
        return None
    after = words[at + 1] if at + 1 < len(words) else None
    early = at > 0 and words[at - 1].key in tables.since and 1000 <= word.number < _FIRST
    if not (_FIRST <= word.number <= _LAST or early) or (
        after is not None and (after.units or after.code == "scale")
    ):
        return None
    if at and words[at - 1].units and words[at - 1].shown in "$€£¥₹":
        return None
    return Moment({"year": int(word.number)}, "")


def _when(words: list[Word], at: int, tables: Tables) -> When:
    """What a word says of time; may, march and sun only beside a figure or with a capital inside a sentence."""
    word = words[at]
    plain = word.shown.lower()
    if plain not in tables.doubtful:
        return word.when
    beside = any(0 <= i < len(words) and words[i].shown[0].isdigit() for i in (at - 1, at + 1))
    dated = at > 0 and words[at - 1].key in tables.since
    capital = word.shown[0].isupper() and at > 0
    return (
        tables.when.get(plain, ())
        if (beside and (capital or dated))
        or (capital and dated)
        or (beside and plain != "may" and plain != "second")
        else ()
    )


def _is_day(words: list[Word], at: int) -> bool:
    if not 0 <= at < len(words):
        return False
    number = words[at].number
    return number is not None and number == int(number) and 1 <= number <= 31 and words[at].code != "scale"


def _skip(words: list[Word], at: int, step: int, joins: frozenset[str]) -> int:
    for _ in range(2):
        if 0 <= at < len(words) and words[at].shown.lower() in joins:
            at += step
    return at
