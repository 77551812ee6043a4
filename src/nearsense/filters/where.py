r"""The language of filters on metadata, parsed once into a tree that is a plain value. Not how columns are asked.

| a filter | matches where |
| --- | --- |
| `{"category": "Returns"}` | the field equals the value |
| `{"year": {">=": 2020, "<": 2023}}` | one value of the field lies within all bounds; also `=` `!=` `<=` `>` |
| `{"lang": {"in": ["de", "fr"]}}` | the field equals one of them; also `not in` |
| `{"email": {"exists": true}}` | the field is there, be it null, empty or an object |
| `{"and": [...]}` `{"or": [...]}` `{"not": {...}}` | all, any, or not that; fields side by side are "and" |
| `{}` | always |

A dotted name reaches into objects, and into the objects of a list: `author.name`. A field that holds a list has
each of its items as a value (those of lists within it too) and matches where one of them does.

Numbers compare with numbers, exactly whatever their size (1 equals 1.0); strings with strings, by code point, so
that ISO dates compare as dates. true, false and null equal only themselves and have no order. A value of another
type than was asked for never matches. `!=` and `not in` match where the field is there and no value of it is
equal: a missing field matches neither `=` nor `!=`. `not` is the plain complement, missing fields included.

A field whose name is `and`, `or` or `not` is written with a backslash before it, in JSON `{"\\and": 5}`; a name
that begins with a backslash takes a second one.
"""

from __future__ import annotations

import difflib
import json
import math
import operator
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, TypeAlias

from nearsense.errors import InputError, UnknownField

DEEPEST = 50  # how many "and", "or" and "not" may stand in each other
COMPARE: dict[str, Callable[[Any, Any], Any]] = dict(
    zip(("<", "<=", ">", ">="), (operator.lt, operator.le, operator.gt, operator.ge), strict=True)
)
JOINS = ("and", "or", "not")
OPERATORS = ("=", "!=", *COMPARE, "in", "not in", "exists")
SPELLINGS = {
    **{"==": "=", "eq": "=", "is": "=", "<>": "!=", "ne": "!=", "neq": "!=", "gt": ">", "gte": ">=", "ge": ">="},
    **{"lt": "<", "lte": "<=", "le": "<=", "=>": ">=", "=<": "<=", "nin": "not in", "notin": "not in"},
    **{"any": "in", "contains": "=", "equals": "=", "after": ">", "before": "<"},
}
"""How others write the same, for the hint in an error."""


class Fixed(Enum):
    """The values that are neither numbers nor strings, kept apart: in Python True equals 1."""

    FALSE = "false"
    TRUE = "true"
    NULL = "null"
    BARE = "an object, an empty list or NaN: there, but equal to nothing"


Key: TypeAlias = int | float | str | Fixed
"""A value as filters see it: those that are equal are equal in Python, with the same hash."""


@dataclass(frozen=True, slots=True)
class Every:
    """All parts hold; without parts, always."""

    parts: tuple[Filter, ...]


@dataclass(frozen=True, slots=True)
class Some:
    """At least one part holds; without parts, never."""

    parts: tuple[Filter, ...]


@dataclass(frozen=True, slots=True)
class Not:
    """The part does not hold."""

    part: Filter


@dataclass(frozen=True, slots=True)
class Exists:
    """The field is there."""

    field: str


@dataclass(frozen=True, slots=True)
class OneOf:
    """A value of the field is one of these."""

    field: str
    values: frozenset[Key]


@dataclass(frozen=True, slots=True)
class Within:
    """A value of the field lies within all bounds: pairs of an operator and a number, or of one and a string."""

    field: str
    bounds: tuple[tuple[str, Key], ...]


Leaf: TypeAlias = Exists | OneOf | Within
Filter: TypeAlias = Every | Some | Not | Exists | OneOf | Within
"""A parsed filter: immutable, and equal (with the same hash) to one that says the same in the same order."""
Where: TypeAlias = "Filter | Mapping[str, Any] | None"
"""What callers give: a filter parsed already, one in its JSON form, or None for all."""
ALL: Filter = Every(())  # the filter that matches always


def parse(where: Where) -> Filter:
    """Read a filter as in the table above, None or {} for all, into a tree; one parsed already is the same.

    Example:
        >>> parse({"lang": {"in": ["de"]}}) == parse({"lang": "de"})
        True
        >>> parse({"year": {"gte": 2020}})
        Traceback (most recent call last):
            ...
        nearsense.errors.InputError: filter["year"]: there is no operator "gte"
        why: the operators are = != < <= > >= in, not in, exists
        fix: did you mean ">="?
    """
    return ALL if where is None else _object(where, "filter", 0)


def matches(where: Where, metadata: Mapping[str, Any]) -> bool:
    """Whether one document's metadata passes: what a filter means, in plain Python.

    Example:
        >>> matches({"author.name": "Li", "tags": "new"}, {"author": {"name": "Li"}, "tags": ["old", "new"]})
        True
    """
    fields: dict[str, list[Key]] = {}
    for name, key in values_of(metadata):
        fields.setdefault(name, []).append(key)
    return _holds(parse(where), fields)


def passes_all(node: Filter) -> bool:
    """Whether a filter lets everything pass by how it is built, whatever the documents hold.

    Example:
        >>> passes_all(parse({"not": {"or": []}})), passes_all(parse({"year": {"exists": True}}))
        (True, False)
    """
    match node:
        case Every():
            return all(map(passes_all, node.parts))
        case Some():
            return any(passes_all(part) or Not(part) in node.parts for part in node.parts)
        case Not():
            return _passes_none(node.part)
        case _:
            return False


def _passes_none(node: Filter) -> bool:
    match node:
        case Every():
            return any(_passes_none(part) or Not(part) in node.parts for part in node.parts)
        case Some():
            return all(map(_passes_none, node.parts))
        case Not():
            return passes_all(node.part)
        case OneOf():
            return not node.values
        case _:
            return False


def as_where(node: Filter) -> dict[str, Any]:
    """A parsed filter in its JSON form, which reads as the same again.

    Example:
        >>> as_where(parse({"year": {">=": 2020}, "lang": {"!=": "de"}}))
        {'year': {'>=': 2020}, 'lang': {'!=': 'de'}}
    """
    match node:
        case Every((Exists(field), Not(OneOf(other, values)))) if field == other:
            some = _raw_values(values)
            return {escaped(field): {"!=": some[0]} if len(some) == 1 else {"not in": some}}
        case Every():
            parts = [as_where(part) for part in node.parts]
            joined = {name: value for part in parts for name, value in part.items()}
            alone = all(len(part) == 1 for part in parts) and len(joined) == len(parts)
            return joined if alone else {"and": parts}
        case Some():
            return {"or": [as_where(part) for part in node.parts]}
        case Not():
            return {"not": as_where(node.part)}
        case Exists():
            return {escaped(node.field): {"exists": True}}
        case OneOf():
            some = _raw_values(node.values)
            return {escaped(node.field): some[0] if len(some) == 1 else {"in": some}}
        case Within():
            return {escaped(node.field): dict(node.bounds)}


def escaped(name: str) -> str:
    r"""A field's name as filters have it, also where it is called as what joins conditions.

    Example:
        >>> escaped("year"), escaped("or")
        ('year', '\\or')
    """
    return f"\\{name}" if name in JOINS or name.startswith("\\") else name


_RAW: dict[Any, Any] = {Fixed.FALSE: False, Fixed.TRUE: True, Fixed.NULL: None}


def _raw_values(keys: Iterable[Key]) -> list[Any]:
    """Values as JSON has them, in an order that does not change."""
    return sorted((_RAW.get(key, key) for key in keys), key=lambda raw: (type(raw).__name__, str(raw)))


def names(where: Where) -> frozenset[str]:
    """The fields that a filter asks for."""
    node = parse(where)
    match node:
        case Every() | Some():
            return frozenset[str]().union(*map(names, node.parts))
        case Not():
            return names(node.part)
        case _:
            return frozenset((node.field,))


def require_known(where: Where, fields: Iterable[str]) -> None:
    """Refuse a filter that asks for a field which nobody has."""
    known = sorted(set(fields))
    for name in sorted(names(where).difference(known)):
        close = difflib.get_close_matches(name, known, n=5)
        listed = [*close, *(other for other in known if other not in close)]
        more = f" and {len(listed) - 20} more" if len(listed) > 20 else ""
        why = f"the fields are {', '.join(map(shown, listed[:20]))}{more}" if listed else "no document has any"
        fix = f"did you mean {shown(close[0])}?" if close else ""
        raise UnknownField(f"no document has a field {shown(name)}", why=why, fix=fix)


def values_of(metadata: Mapping[str, Any]) -> Iterator[tuple[str, Key]]:
    """Every field's name with each of its values; a field that is there comes at least once."""
    for name, value in metadata.items():
        if type(value) is str or type(value) is int:  # most are
            yield name, value
            continue
        waiting: list[tuple[str, Any]] = [(name, value)]
        while waiting:
            inner, item = waiting.pop()
            if isinstance(item, Mapping):
                yield inner, Fixed.BARE
                waiting += ((f"{inner}.{key}", child) for key, child in item.items())
            elif isinstance(item, (list, tuple)) and item:
                waiting += ((inner, child) for child in item)
            else:
                yield inner, _key(item, inner)


_FIXED = {False: Fixed.FALSE, True: Fixed.TRUE}


def _key(value: Any, field: str) -> Key:
    if value is None or isinstance(value, bool):
        return Fixed.NULL if value is None else _FIXED[value]
    if isinstance(value, (str, int)):
        return value
    if isinstance(value, float):
        return Fixed.BARE if math.isnan(value) else float(value)
    if isinstance(value, (list, tuple)):
        return Fixed.BARE
    what = f"the metadata field {shown(field)} holds a value of type {type(value).__name__}"
    why = "metadata is JSON: strings, numbers, true, false, null, lists and objects"
    raise InputError(what, why=why, fix="convert it first; dates as ISO text")


def _holds(node: Filter, fields: Mapping[str, list[Key]]) -> bool:
    match node:
        case Every():
            return all(_holds(part, fields) for part in node.parts)
        case Some():
            return any(_holds(part, fields) for part in node.parts)
        case Not():
            return not _holds(node.part, fields)
        case _:
            return any(_accepts(node, key) for key in fields.get(node.field, ()))


def _accepts(leaf: Leaf, key: Key) -> bool:
    match leaf:
        case Exists():
            return True
        case OneOf():
            return key in leaf.values
        case Within():
            return not isinstance(key, Fixed) and all(
                isinstance(key, str) == isinstance(bound, str) and COMPARE[op](key, bound)
                for op, bound in leaf.bounds
            )


# reading the JSON form


def _object(raw: Any, spot: str, depth: int) -> Filter:
    if isinstance(raw, Filter):
        return raw
    if depth > DEEPEST:
        raise too_deep()
    if not isinstance(raw, Mapping):
        raise InputError(f"{spot} is {_kind(raw)}", why='a filter is an object, like {"year": {">=": 2020}}')
    return all_of([_entry(name, value, spot, depth) for name, value in raw.items()])


def too_deep() -> InputError:
    """The error of filters within filters within filters."""
    why = "nobody needs that, and each level costs"
    fix = 'put the parts side by side into one "and" or "or"'
    return InputError(f"the filter is nested more than {DEEPEST} deep", why=why, fix=fix)


def _entry(name: Any, raw: Any, spot: str, depth: int) -> Filter:
    if not isinstance(name, str):
        raise InputError(f"{spot}: the name {shown(name)} is {_kind(name)}", why="a field's name is a string")
    inside = f"{spot}[{shown(name)}]"
    if name == "not":
        return Not(_object(raw, inside, depth + 1))
    if name not in ("and", "or"):
        return condition_on(name.removeprefix("\\"), raw, inside)
    if not isinstance(raw, (list, tuple)):
        why = f'"{name}" joins a list of filters: {{"{name}": [{{...}}, {{...}}]}}'
        fix = f'a field of that name is written with a backslash before it: "\\\\{name}"'
        raise InputError(f"{inside} is {_kind(raw)}", why=why, fix=fix)
    parts = [_object(part, f"{inside}[{i}]", depth + 1) for i, part in enumerate(raw)]
    return all_of(parts) if name == "and" else Some(tuple(parts))


def all_of(parts: list[Filter]) -> Filter:
    """What matches where all of them do."""
    return parts[0] if len(parts) == 1 else Every(tuple(parts))


def condition_on(name: str, raw: Any, spot: str) -> Filter:
    """The conditions on one field, joined."""
    if not isinstance(raw, Mapping):
        return _equal(name, raw, spot)
    if not raw:
        fix = 'say {"exists": true} if that is meant'
        raise InputError(f"{spot} has no condition", why=_OPERATORS_ARE, fix=fix)
    for op in raw:
        if op not in OPERATORS:
            raise _no_operator(name, op, spot)
    parts = [CONDITIONS[op](name, value, f"{spot}[{shown(op)}]") for op, value in raw.items() if op in CONDITIONS]
    bounds = sorted((op, _bound(raw[op], f"{spot}[{shown(op)}]")) for op in COMPARE if op in raw)
    if len({isinstance(bound, str) for _, bound in bounds}) > 1:
        raise InputError(f"{spot} has a number and a string as bounds", why="no value lies between them")
    return all_of([*parts, Within(name, tuple(bounds))] if bounds else parts)


def _equal(name: str, raw: Any, spot: str) -> Filter:
    return OneOf(name, frozenset((_value(raw, spot),)))


def _one_of(name: str, raw: Any, spot: str) -> Filter:
    if not isinstance(raw, (list, tuple, set, frozenset)):
        why = '"in" and "not in" take a list of values'
        raise InputError(f"{spot} is {_kind(raw)}", why=why, fix="put it into [ ]")
    return OneOf(name, frozenset(_value(item, f"{spot}[{i}]") for i, item in enumerate(raw)))


def _exists(name: str, raw: Any, spot: str) -> Filter:
    if not isinstance(raw, bool):
        raise InputError(f"{spot} is {_kind(raw)}", why='"exists" takes true or false')
    return Exists(name) if raw else Not(Exists(name))


def _unlike(condition: Callable[[str, Any, str], Filter]) -> Callable[[str, Any, str], Filter]:
    return lambda name, raw, spot: Every((Exists(name), Not(condition(name, raw, spot))))


CONDITIONS = {"=": _equal, "!=": _unlike(_equal), "in": _one_of, "not in": _unlike(_one_of), "exists": _exists}


def _value(raw: Any, spot: str) -> Key:
    if isinstance(raw, (str, int)) and not isinstance(raw, bool):
        return raw
    if raw is None or isinstance(raw, bool) or (isinstance(raw, float) and math.isfinite(raw)):
        return _key(raw, "")
    if isinstance(raw, float):
        raise InputError(f"{spot} is {raw}", why="JSON has neither NaN nor infinities", fix="leave the bound out")
    kind = _kind(raw)
    several = 'ask for any of several: {"in": [...]}; filters are joined by "and" or "or"'
    fixes = {"a list": several, "an object": ""}
    why = "a value is a string, a number, true, false or null"
    raise InputError(f"{spot} is {kind}", why=why, fix=fixes.get(kind, "convert it first; dates as ISO text"))


def _bound(raw: Any, spot: str) -> Key:
    key = _value(raw, spot)
    if isinstance(key, Fixed):
        why = "only numbers and strings have an order"
        raise InputError(f"{spot} is {key.value}", why=why, fix='use "=" or "!="')
    return key


_OPERATORS_ARE = f"the operators are {' '.join(OPERATORS[:7])}, {', '.join(OPERATORS[7:])}"


def _no_operator(name: str, op: Any, spot: str) -> InputError:
    plain = op[:40].lower().lstrip("$").replace("_", " ") if isinstance(op, str) else ""
    close = [plain] if plain in OPERATORS else difflib.get_close_matches(plain, OPERATORS, n=1)
    meant = SPELLINGS.get(plain) or next(iter(close), None)
    if plain in JOINS:
        fix = f'"{plain}" stands outside the field: {{"{plain}": ...{{{shown(name)}: ...}}...}}'
    elif meant:
        fix = f"did you mean {shown(meant)}?"
    else:
        inner = f"{name}.{op if isinstance(op, str) else 'field'}"
        fix = f"to reach into an object, write {shown(inner)}"
    return InputError(f"{spot}: there is no operator {shown(op)}", why=_OPERATORS_ARE, fix=fix)


def _kind(raw: Any) -> str:
    kinds: dict[type, str] = {bool: "true or false", str: "a string", int: "a number", float: "a number"}
    if raw is None:
        return "null"
    if isinstance(raw, Mapping):
        return "an object"
    if isinstance(raw, (list, tuple, set, frozenset)):
        return "a list"
    return kinds.get(type(raw), f"a value of type {type(raw).__name__}")


MOST_SHOWN = 200  # characters of a filter that a message repeats


def shown(text: Any) -> str:
    """A value as a message repeats it: as JSON, cut."""
    try:
        written = json.dumps(text, ensure_ascii=False, default=repr)
        return written if len(written) <= MOST_SHOWN else f"{written[:MOST_SHOWN]}..."
    except (ValueError, RecursionError, TypeError):  # numbers of thousands of digits, objects that hold themselves
        return f"a value of type {type(text).__name__}"
