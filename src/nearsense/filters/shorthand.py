"""Filters as typed at a command line, read; and those in the words of other languages, or two as one, refused.

`year>2020<2022`, `lang='en'`, `not a=1`: taken as they stand they would ask for a value that no document has, and
find nothing without a word. They are refused with what to type. A value in double quotes is never doubted.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator, Sequence
from typing import Any, TypeAlias

from nearsense.errors import InputError
from nearsense.filters.where import Filter, all_of, condition_on, parse, shown, too_deep

Parts: TypeAlias = tuple[str, str, str]  # of a filter in its short form: name, operator, value
Found: TypeAlias = "tuple[str, list[str]] | None"  # what is wrong, and what to type instead

_SHORT = re.compile(
    r"\s*(?P<name>[^<>=!]+?)\s*"
    r"(?P<op>>=|<=|!=|==?(?![<>])|>|<(?!>)|\s(?:not\s+)?in(?=[\s\[]|$)|\s(?:not\s+)?exists\s*$)"
    r"(?P<value>.*)",
    re.DOTALL,
)
_LONGEST = 500  # characters of a filter that somebody may have typed
_QUOTES = {"'": "'", "`": "`", "\u2018": "\u2019", "\u201c": "\u201d", "\u201e": "\u201c", "\u00ab": "\u00bb"}
_BRACKETS = {"(": ")", "[": "]", "{": "}"}
_TURNED = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}

_OTHER = re.compile(
    r"\s*(?P<name>[^<>=!:\s\u2264\u2265\u2260\u2208]+?)\s*"
    r"(?P<op><>|=>|=<|:=?|[\u2264\u2265\u2260\u2208]"
    r"|\s(?:is\s+not|is|eq|neq?|gte?|ge|lte?|le|equals|contains|has|includes|like|nin|not\s+in|in|(?:not\s+)?exists|between)(?=\s|$))"
    r"\s*(?P<value>.*)",
    re.DOTALL | re.IGNORECASE,
)
_MEANT = {
    **{"<>": "!=", "=>": ">=", "=<": "<=", ":": "=", ":=": "=", "\u2264": "<=", "\u2265": ">=", "\u2260": "!="},
    **{"\u2208": "in", "is": "=", "is not": "!=", "eq": "=", "equals": "=", "ne": "!=", "neq": "!=", "gt": ">"},
    **{"gte": ">=", "ge": ">=", "lt": "<", "lte": "<=", "le": "<=", "nin": "not in"},
    **dict.fromkeys(("contains", "has", "includes", "like"), "="),
}
OTHER_SIGNS = re.compile("<>|=>|=<|[\u2264\u2265\u2260]")  # operators that a sentence does not hold
_NOTHING = ("null", "none", "missing", "empty", "absent")
_LEADING = re.compile(r"\s*(?:--where\b[\s=]*|(?:where|and|or|&&|\|\|)\s+)", re.IGNORECASE)
_DENYING = re.compile(r"\s*(?:not\s+|!\s*)(?=[\w\"'(])", re.IGNORECASE)
_TRAILING = re.compile(r"(?:\s+(?:and|or)|\s*(?:&&?|\|\|?|[;,]))\s*$", re.IGNORECASE)
_BEHIND = re.compile(
    r"(?P<first>[^<>=]*?)[\s,;]*(?:\band\b)?\s*(?P<op><=|>=|<|>)\s*(?P<second>[^<>=]+)", re.IGNORECASE
)
_NEXT = re.compile(r"(?P<first>\S+)\s+(?P<next>[\w.]+\s*(?:!=|<=|>=|[=<>]).*)", re.DOTALL)
_PAIRS = re.compile(r"\s*,\s*(?=[\"']?[\w.]+[\"']?\s*:)")
_BOUND = re.compile(r"-?\d[\d.:/TZ-]*")
_BETWEEN = re.compile(r"(?P<low>.+?)\s*(?:\band\b|,|\.\.)\s*(?P<high>.+)", re.IGNORECASE | re.DOTALL)
_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"|\[[^\[\]]*\]')
_JOIN = re.compile(r"\s(and|or)\s+(?:not\s+)?|\s*(&&|\|\||;|,)\s*|\s*(&|\|)\s*", re.IGNORECASE)
_OR = ("or", "||", "|")


def parse_where(text: str | Sequence[str]) -> Filter:
    """Read a filter as typed at a command line, in its JSON form or a short one; several are joined by "and".

    Short are `year>=2020`, `category=Returns`, `lang!=de`, `tag in a,b`, `tag not in a,b`, `email exists`, `email
    not exists`, cut at the first operator. A value is read as JSON where it is a number, true, false, null or a
    string in double quotes (`zip="01067"`), else as the string that it is; likewise each item after `in`, or all
    of them as a JSON list.

    Example:
        >>> parse_where("year>=2020") == parse({"year": {">=": 2020}})
        True
        >>> parse_where(["tag in a,b", "done=true"]) == parse({"tag": {"in": ["a", "b"]}, "done": True})
        True
    """
    texts = [text] if isinstance(text, str) else text
    return all_of([_from_json(one) if one.lstrip().startswith("{") else _short(one) for one in texts])


def _short(text: str) -> Filter:
    _refuse_joined(text)
    _refuse_mistyped(text)
    found = parts_of(text)
    if found is None:
        why = "a filter is JSON, or like year>=2020, category=Returns, tag in a,b, email exists"
        fix = "quote it as one word of the command line: --where 'year>=2020'"
        raise InputError(f"{shown(text)} is no filter", why=why, fix=fix)
    name, op, value = found
    if op.endswith("exists"):
        return condition_on(name, {"exists": op == "exists"}, text)
    read = _items if op.endswith("in") else _scalar
    return condition_on(name, {"=" if op == "==" else op: read(value)}, text)


def parts_of(text: str) -> Parts | None:
    """The name, the operator and the value of a filter in its short form; None where it has not."""
    found = _SHORT.fullmatch(text)
    return found and (found["name"], " ".join(found["op"].split()), found["value"].strip())


def _items(text: str) -> list[Any]:
    for listed in (text, f"[{text}]"):
        value = _loaded(listed)
        if isinstance(value, list):
            return value
    return [_scalar(item.strip()) for item in text.split(",")]


def _scalar(text: str) -> Any:
    value = _loaded(text)
    return text if isinstance(value, (list, dict)) else value


def _loaded(text: str) -> Any:
    """As JSON; the text itself where it is none."""
    try:
        return json.loads(text, parse_constant=_refuse)
    except (json.JSONDecodeError, _NoNumber):
        return text
    except RecursionError:
        raise too_deep() from None
    except ValueError:
        raise _too_long() from None


def _from_json(text: str) -> Filter:
    try:
        raw = json.loads(text, object_pairs_hook=_without_repeats)
    except json.JSONDecodeError as error:
        what = f"the filter is not JSON: {error.msg} at line {error.lineno}, column {error.colno}"
        raise InputError(what, fix='names and strings stand in double quotes: {"category": "Returns"}') from None
    except RecursionError:
        raise too_deep() from None
    except InputError:
        raise
    except ValueError:  # its grammar is kept, but Python refuses it
        raise _too_long() from None
    return parse(raw)


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    seen = dict(pairs)
    if len(seen) < len(pairs):
        repeated = next(name for i, (name, _) in enumerate(pairs) if name in dict(pairs[:i]))
        why = "only the last would count"
        fix = 'join the two in a list: {"and": [{...}, {...}]}'
        raise InputError(f"the filter says {shown(repeated)} twice in one object", why=why, fix=fix)
    return seen


class _NoNumber(ValueError):
    """NaN and Infinity, which are words here."""


def _refuse(constant: str) -> Any:
    raise _NoNumber(constant)


def _too_long() -> InputError:
    why = "metadata hold no such number, and reading it costs more than it is worth"
    fix = 'ask for a text, n="123...", or for a smaller number'
    return InputError("the filter holds a number of thousands of digits", why=why, fix=fix)


def _refuse_mistyped(text: str) -> None:
    """Refuse a filter that another language would write so."""
    found = correction(text)
    if found is None:
        return
    why, instead = found
    whole = parts_of(text)
    odd = whole is not None and whole[2] and not (whole[1].endswith("in") and whole[2][0] in _BRACKETS)
    meant = f"; if it is meant so: --where {shlex.quote(json_form(whole))}" if whole and odd else ""
    what = f"{json.dumps(text, ensure_ascii=False)} is no filter as it stands"
    raise InputError(what, why=why, fix=f"type {' '.join(map(as_option, instead))}{meant}")


def correction(text: str) -> tuple[str, list[str]] | None:
    """What is wrong with a filter, and the filters to type instead; None where nothing is."""
    if len(text) > _LONGEST:
        return None
    for rule in (_around, _denied, _unknown, _of_name, _of_value):
        found = rule(text)
        if found is not None:
            why, instead = found
            return why, [part for each in instead for part in _suggestions(each)]
    return None


def _suggestions(text: str) -> list[str]:
    """The filters to type instead of one: itself, where nothing is wrong with it."""
    found = correction(text)
    return found[1] if found else [text]


def _around(text: str) -> Found:
    """Words that join, or brackets, at an end: and a=1, a>=1 and, (a=1)."""
    plain = text.strip()
    if (lead := _LEADING.match(text)) and parts_of(text[lead.end() :]):
        return "each --where takes one filter, and nothing before it", [text[lead.end() :].strip()]
    if plain[:1] == "(" and plain[-1:] == ")" and parts_of(plain[1:-1]):
        return "a filter stands in no brackets", [plain[1:-1].strip()]
    end = _TRAILING.search(text)
    parts = parts_of(text[: end.start()]) if end else None
    if end and parts and parts[2] and not _quoted(parts[2]):
        return "each --where takes one filter, and nothing joins it with the next", [text[: end.start()].strip()]
    return None


def _denied(text: str) -> Found:
    """Not a=1."""
    deny = _DENYING.match(text)
    rest = text[deny.end() :].strip() if deny else ""
    parts = parts_of(rest) if rest else None
    if parts is None:
        return None
    name, op, value = parts
    turned = {"=": "!=", "==": "!=", "!=": "=", "in": "not in", "not in": "in", "exists": "not exists"}
    turned |= {"not exists": "exists", "<": ">=", "<=": ">", ">": "<=", ">=": "<"}
    return "a filter is denied in its operator", [short_form(name, turned[op], value)]


def _unknown(text: str) -> Found:
    """Operators of other languages."""
    swapped = re.fullmatch(r"\s*(not\s+)?exists\s+([^\s<>=!]+)\s*", text, re.IGNORECASE)
    if swapped:
        return "what is asked stands behind the field", [f"{swapped[2]} {'not ' * bool(swapped[1])}exists"]
    found = None if parts_of(text) else _OTHER.fullmatch(text)
    if found is None:
        return None
    op, value = " ".join(found["op"].lower().split()), found["value"].strip()
    name = _unquoted(found["name"])
    if op == "between":
        ends = _BETWEEN.fullmatch(value)
        why = 'there is no operator "between"'
        return (why, [f"{name}>={ends['low']}", f"{name}<={ends['high'].strip()}"]) if ends else None
    if op in ("is", "is not") and value.lower() in _NOTHING:
        exists = "exists" if op == "is not" else "not exists"
        return "whether a field is there is asked by exists", [f"{name} {exists}"]
    if op == "is" and value.lower() == "not null":
        return "whether a field is there is asked by exists", [f"{name} exists"]
    if op in ("exists", "not exists"):
        deny = (op == "not exists") != (value.lower() == "false")
        return "exists stands at the end, in small letters", [f"{name} {'not ' * deny}exists"]
    if not value:
        return None
    if op in (":", ":=") and len(several := _PAIRS.split(text)) > 1:
        return "each --where takes one filter, with an operator", several
    meant, typed = _MEANT.get(op, op), " ".join(found["op"].split())
    return f'"{typed}" is no operator here, "{meant}" is', [short_form(name, meant, value.strip("%*") or value)]


def _of_name(text: str) -> Found:
    """Names in quotes, the bound before the name, words of an operator that went to the name."""
    parts = parts_of(text)
    if parts is None:
        return None
    name, op, value = parts
    bare = _unquoted(name)
    if bare != name:
        return "a field's name stands in no quotes", [short_form(bare, op, value)]
    if op in _TURNED and _BOUND.fullmatch(name):  # 2020<year<2022, 2020<year
        field = re.fullmatch(r"([^\W\d][\w.]*)\s*(?:(<=|>=|<|>)\s*([^<>=]+))?", value)
        if field:
            second = [f"{field[1]}{field[2]}{field[3]}"] if field[2] else []
            return "the field stands before its bound", [f"{field[1]}{_TURNED[op]}{name}", *second]
    if (word := re.fullmatch(r"(\S+)\s+(not|is|is\s+not)", name, re.IGNORECASE)) is not None:
        deny = word[2].lower() != "is"
        turned = {"=": "!=", "==": "!=", "in": "not in"}.get(op) if deny else op
        return ("the operator has no such word", [short_form(word[1], turned, value)]) if turned else None
    return None


def _of_value(text: str) -> Found:
    """Values in other quotes or in brackets, a second bound or filter behind the value, no value at all."""
    parts = parts_of(text)
    if parts is None or _quoted(parts[2]) or parts[1].endswith("exists"):
        return None
    name, op, value = parts
    if op.endswith("in"):
        return _of_list(name, op, value)
    if op != "=" and op != "==" and op != "!=" and not value:
        return "a value is missing", [f"{name}{op}0"]
    if op[0] == "=" and value[:1] == "=":
        return "one = is enough", [f"{name}={value.lstrip('=').strip()}"]
    if (bare := _unquoted(value)) != value:
        return "a value stands in double quotes or in none", [short_form(name, op, _safe(bare))]
    if op in _TURNED and (behind := _BEHIND.fullmatch(value)) and behind["first"]:
        bounds = [f"{name}{op}{behind['first']}", f"{name}{behind['op']}{behind['second']}"]
        return "a filter has one bound", bounds
    if op in ("=", "==", "!=") and value[:1] in _BRACKETS and value[-1:] == _BRACKETS[value[0]]:
        if "," in value or (value[0] == "[" and '"' in value):
            return "several values are asked for by in", [
                short_form(name, "not in" if op == "!=" else "in", value)
            ]
    elif (two := _NEXT.fullmatch(value)) and parts_of(two["next"]):
        return "each --where takes one filter", [short_form(name, op, two["first"]), two["next"].strip()]
    return None


def _of_list(name: str, op: str, value: str) -> Found:
    """The values of in: without brackets and quotes, and at least one."""
    if value[:1] in _BRACKETS and value[-1:] == _BRACKETS[value[0]]:
        if isinstance(_tried(value), list):
            return None
        value, why = value[1:-1].strip(), "the values of in stand in no brackets, a comma between them"
    elif re.search(r"\s+or\s+", value) and "," not in value:
        listed = re.sub(r"\s+or\s+", ",", value)
        return "the values of in have a comma between them", [short_form(name, op, listed)]
    else:
        why = "a value stands in double quotes or in none"
    if not value:
        return "a value is missing", [f"{name} {op} a,b"]
    items = [item.strip() for item in value.split(",")]
    bare = [_unquoted(item) for item in items]
    if bare == items and why[0] == "a":
        return None
    plain = all(map(_plain, bare))
    listed = ",".join(bare) if plain else json.dumps([_tried(item) for item in bare], ensure_ascii=False)
    return why, [f"{name} {op} {listed}"]


def short_form(name: str, op: str, value: str) -> str:
    """A filter in its short form."""
    return f"{name} {op} {value}".rstrip() if op[-1].isalpha() else f"{name}{op}{value}"


def _unquoted(text: str) -> str:
    """A text without the quotes around it that are no JSON; names also without double ones."""
    closing = _QUOTES.get(text[:1], '"' if text[:1] == '"' and text.count('"') == 2 else "")
    if len(text) < 2 or not closing or text[-1] != closing:
        return text
    return text[1:-1].replace("''", "'") if closing == "'" else text[1:-1]


def _quoted(value: str) -> bool:
    return value[:1] == '"' and value[-1:] == '"' and len(value) > 1


def _plain(value: str) -> bool:
    """Whether a value needs no quotes in a list."""
    return bool(re.fullmatch(r"[^\s\"'\[\]{}(),]+", value))


def _safe(value: str) -> str:
    """A value that stood in quotes, in double ones where it needs them."""
    plain = value and value == value.strip() and "'" not in value
    return value if plain else json.dumps(value, ensure_ascii=False)


def _tried(item: str) -> object:
    try:
        return json.loads(item)
    except (ValueError, RecursionError):
        return item


def as_option(text: str) -> str:
    r"""A filter as an option of the command, quoted for the shell."""
    return f"--where {shlex.quote(text)}" if "'" in text else f"--where '{text}'"


def json_form(parts: Parts) -> str:
    """The JSON form of a filter that is meant as it stands."""
    name, op, value = parts
    if op.endswith("exists"):
        return json.dumps({name: {"exists": op == "exists"}})
    listed = _tried(value)
    if op.endswith("in") and not isinstance(listed, list):
        listed = [_tried(item.strip()) for item in value.split(",")]
    elif isinstance(listed, (list, dict)) and not op.endswith("in"):
        listed = value
    return json.dumps({name: listed if op in ("=", "==") else {op: listed}}, ensure_ascii=False)


def _refuse_joined(text: str) -> None:
    """Refuse two filters typed as one, as in `status=open and lang=en`; the message has both written apart."""
    for left, join, right in _splits(text):
        first, second = _filter(left), _filter(right)
        if first is None or second is None:
            continue
        listed = first[1].endswith("in") and join == ","  # tag in a,b=c
        sentence = " " in second[0].strip() and second[1][-1].isalpha()  # name=rock and a lot of roll in it
        address = join in "&|" and "?" in first[2]  # url=https://example.org/?a=1&b=2
        if listed or sentence or address:
            continue
        parts = [part.strip() for part in (left, right)]
        fix = " ".join(as_option(each) for part in parts for each in _suggestions(part))
        if join.lower() in _OR:
            fix = as_option(f'{{"or": [{json_form(first)}, {json_form(second)}]}}')
        if (whole := parts_of(text)) is not None:
            fix += f"; if the value is meant: {as_option(short_form(whole[0], whole[1], json.dumps(whole[2])))}"
        what = f"{json.dumps(text, ensure_ascii=False)} is two filters"
        raise InputError(what, why="each --where takes one; all of them have to fit", fix=fix)


def _filter(part: str) -> Parts | None:
    """A part that is a filter, also one with the operator of another language."""
    found = parts_of(part)
    other = correction(part) if found is None and OTHER_SIGNS.search(part) else None
    return parts_of(other[1][0]) if other else found


def _splits(text: str) -> Iterator[tuple[str, str, str]]:
    """What stands at the left and at the right of each word that joins, and that word; not in quotes or [ ]."""
    bare = _QUOTED.sub(lambda found: "x" * len(found.group()), text)
    for found in _JOIN.finditer(bare):
        yield text[: found.start()], next(filter(None, found.groups())), text[found.end() :]
