"""Whether what was given is a whole number, a share, a score, as long as another. Not vectors: vectors/rows.py."""

from __future__ import annotations

import math
from collections.abc import Sized
from numbers import Integral, Real
from operator import index
from typing import Any, TypeGuard, TypeVar

from nearsense.errors import InputError

T = TypeVar("T")


def is_number(value: object) -> TypeGuard[float]:
    """Whether this is a real number, Python's or numpy's; True and False are none."""
    return isinstance(value, Real) and not isinstance(value, bool)


def is_whole(value: object, least: int = 0, most: int | None = None) -> TypeGuard[int]:
    """Whether this is a whole number, Python's or numpy's, from `least` to `most`; True and False are none."""
    whole = isinstance(value, Integral) and not isinstance(value, bool)
    return whole and least <= value and (most is None or value <= most)  # type: ignore[operator]


def positive_int(value: Any, name: str) -> int:
    """A whole number that counts from 1."""
    try:
        number = None if isinstance(value, bool) else index(value)
    except TypeError:
        number = None
    if number is None:
        raise InputError(f"{name}={value!r} is not a whole number", fix=f"{name}=10")
    if number < 1:
        raise InputError(f"{name}={number} is too small", why=f"{name} counts from 1", fix=f"{name}=1")
    return number


def share(value: Any, name: str = "prior") -> float:
    """A number above 0 and below 1."""
    if is_number(value) and 0 < value < 1:
        return float(value)
    raise InputError(f"{name}={value!r} is no share between 0 and 1", fix=f"say {name}=0.5, for instance")


def score(value: Any, name: str = "min_score", such: float = 0.9) -> float:
    """A number that a cosine can reach, from -1 to 1."""
    if is_number(value) and -1 <= value <= 1:
        return float(value)
    raise InputError(f"{name}={value!r} is no cosine similarity", fix=f"a number from -1 to 1: {such}, say")


def threshold(value: Any, name: str = "min_score") -> float | None:
    """What a score has to reach: any number, as models' scores have any range; or None."""
    if value is None:
        return None
    if is_number(value) and value == value:
        try:
            return float(value)
        except OverflowError:  # no score is as large as that
            return math.inf if value > 0 else -math.inf
    raise InputError(f"{name}={value!r} is no number", fix=f"{name}=0.5, say")


def given_once(value: T, before: T, name: str, former: str) -> T:
    """What is given under a name, or under the one that it had before; not both."""
    if value is not None and before is not None:
        raise InputError(
            f"{name} and {former} given", why=f"{former} is what {name} was called", fix=f"give {name} alone"
        )
    return before if value is None else value


def same_length(a: Sized, b: Sized, first: str, second: str) -> None:
    """Both sides speak of the same items."""
    if len(a) != len(b):
        raise InputError(
            f"{first} has {len(a)} items and {second} has {len(b)}",
            why="item i of one belongs to item i of the other",
            fix="give as many of both",
        )
