"""What a fork must find whole. A child has its parent's memory and only one of its threads.

Locks made here are free in a child, whoever held them in the parent. While a thread is `computing`, a fork waits:
the libraries that multiply and run models cannot be forked in the middle, on either side.
"""

from __future__ import annotations

import os
import sys
import threading
import time
import weakref
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import cached_property
from importlib import _bootstrap
from typing import Any

__all__ = ["computing", "event", "lock", "on_fork"]

PATIENCE = 10.0
"""Seconds that a fork waits for what is being computed."""

_Hook = Callable[[], object]
_gate = threading.Lock()
_inside: dict[int, int] = {}
_waiting: weakref.WeakSet[Any] = weakref.WeakSet()
_hooks: list[tuple[_Hook, _Hook, _Hook]] = []


def lock() -> threading.Lock:
    """A lock that is free in a forked child."""
    made = threading.Lock()
    _waiting.add(made)
    return made


def event() -> threading.Event:
    """An event that a forked child can use."""
    made = threading.Event()
    _waiting.add(made)
    return made


def on_fork(*, before: _Hook, in_parent: _Hook, in_child: _Hook) -> None:
    """Do something when this process is forked, when nothing is being computed."""
    _hooks.append((before, in_parent, in_child))


@contextmanager
def computing() -> Iterator[None]:
    """A fork waits until this is over: for what takes a moment and starts no thread that does the same."""
    me = threading.get_ident()
    if me in _inside:
        yield
        return
    with _gate:
        _inside[me] = 1
    try:
        yield
    finally:
        _inside.pop(me, None)


def _before() -> None:
    _gate.acquire()
    _rest(lambda: _inside)
    for before, _, _ in _hooks:
        before()
    _rest(_importing)  # last: a child waits for ever for a module that a thread of its parent was importing


def _rest(busy: Callable[[], Iterable[int | None]]) -> None:
    """Wait until no other thread is at it, or patience ends."""
    patience, me = time.monotonic() + PATIENCE, threading.get_ident()
    while any(each not in (me, None) for each in list(busy())) and time.monotonic() < patience:
        time.sleep(0.0005)


def _importing() -> list[int | None]:
    """The threads that are importing something, as far as this Python tells."""
    references = list(getattr(_bootstrap, "_module_locks", {}).values())
    return [getattr(each(), "owner", None) for each in references]


def _in_parent() -> None:
    for _, in_parent, _ in reversed(_hooks):
        in_parent()
    _gate.release()


def _in_child() -> None:
    for _, _, in_child in reversed(_hooks):
        in_child()
    _gate.release()
    me = threading.get_ident()
    for each in [each for each in _inside if each != me]:
        del _inside[each]
    for each in list(_waiting):
        each._at_fork_reinit()
    for each in _cached_properties():
        each.lock = threading.RLock()


def _cached_properties() -> Iterator[Any]:
    """Before Python 3.12 each has a lock of its own."""
    modules = [module for name, module in list(sys.modules.items()) if name.startswith("nearsense.")]
    if sys.version_info < (3, 12):
        for module in modules:
            kinds = [made for made in list(vars(module).values()) if isinstance(made, type)]
            for kind in kinds:
                yield from (each for each in vars(kind).values() if isinstance(each, cached_property))


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before, after_in_parent=_in_parent, after_in_child=_in_child)
