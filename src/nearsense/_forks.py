"""What a fork must find whole. A child has its parent's memory and only one of its threads.

Locks made here are free in a child, whoever held them in the parent. While a thread is `computing`, a fork waits:
the libraries that multiply, tokenize and run models cannot be forked in the middle, on either side. Their threads
leave the work later than who asked for it, and hold locks until they sleep: a fork waits for that, too.
"""

from __future__ import annotations

import ctypes
import os
import sys
import threading
import time
import weakref
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import cache, cached_property
from importlib import _bootstrap
from typing import Any

from nearsense.errors import NearsenseError

PATIENCE = 10.0
"""Seconds that a fork waits for what is being computed."""

CALM = 1.0
"""Seconds of this process that it then waits for all threads to sleep: the program's own may never do."""

TASKS = "/proc/self/task"

_Hook = Callable[[], object]
_gate = threading.Lock()
_inside: dict[int, int] = {}
_waiting: weakref.WeakSet[Any] = weakref.WeakSet()
_hooks: list[tuple[_Hook, _Hook, _Hook]] = []
_begun = _forked = _cut = False


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


def on_fork(*, before: _Hook = bool, in_parent: _Hook = bool, in_child: _Hook = bool) -> None:
    """Do something when this process is forked, when nothing is being computed."""
    _hooks.append((before, in_parent, in_child))


def forked() -> bool:
    """Whether this process is the child of one that had computed: pools of threads did not come along."""
    return _forked


@contextmanager
def computing() -> Iterator[None]:
    """A fork waits until this is over: for what takes a moment and starts no thread that does the same.

    A lock that is taken inside is never held around it: who waits for that lock would keep the fork waiting. A
    child whose parent was still computing when its patience ended is refused.
    """
    global _begun
    me = threading.get_ident()
    if me in _inside:
        yield
        return
    if _cut:
        what = "nothing can be computed here: this process was forked while its parent was computing"
        why = f"that took longer than {PATIENCE:.0f} seconds, and its locks are held for ever in this process"
        fix = 'start processes with "spawn" or "forkserver", or fork while nothing is computed'
        raise NearsenseError(what, why=why, fix=fix)
    try:  # around all of it: an interruption between the two would leave this thread inside for ever
        with _gate:
            _inside[me] = 1
            _begun = True
        yield
    finally:
        _inside.pop(me, None)


def _before() -> None:
    _gate.acquire()
    _rest(lambda: _inside)
    for before, _, _ in _hooks:
        before()
    _rest(_importing)  # a child waits for ever for a module that a thread of its parent was importing
    if _begun and os.path.isdir(TASKS):  # noqa: PTH112 - as cheap as can be
        _calm()


def _rest(busy: Callable[[], Iterable[int | None]]) -> None:
    """Wait until no other thread is at it, or patience ends."""
    patience, me = time.monotonic() + PATIENCE, threading.get_ident()
    while any(each not in (me, None) for each in list(busy())) and time.monotonic() < patience:
        time.sleep(0.0005)


def _calm() -> None:
    """Wait until all other threads sleep. Python stands still meanwhile, ever longer: nothing begins anew."""
    usual, me = sys.getswitchinterval(), threading.get_native_id()
    patience, share, still = time.monotonic() + PATIENCE, time.process_time() + CALM, usual
    try:
        while time.monotonic() < patience and time.process_time() < share:
            others = [task for task in os.listdir(TASKS) if int(task) != me]  # noqa: PTH208 - as cheap as can be
            turn = time.monotonic() + still
            while time.monotonic() < turn and time.process_time() < share:
                if not any(_state(task) in (b"R", b"D") for task in others):
                    return
                _system().usleep(500)
            still *= 2
            sys.setswitchinterval(still)  # before that another thread does not ask for its turn
            time.sleep(0.0005)
    finally:
        sys.setswitchinterval(usual)


@cache
def _system() -> ctypes.PyDLL:
    """The system's own functions, called without letting other threads of Python go on."""
    return ctypes.PyDLL(None)


def _state(task: str) -> bytes:
    """What a thread does, as Linux says: R runs, D waits for a disk."""
    system, said = _system(), ctypes.create_string_buffer(256)
    file = system.open(f"{TASKS}/{task}/stat".encode(), os.O_RDONLY | os.O_CLOEXEC)
    if file >= 0:
        system.read(file, said, 255)
        system.close(file)
    return said.value.rpartition(b") ")[2][:1]


def _importing() -> list[int | None]:
    """The threads that are importing something, as far as this Python tells."""
    references = list(getattr(_bootstrap, "_module_locks", {}).values())
    return [getattr(each(), "owner", None) for each in references]


def _in_parent() -> None:
    for _, in_parent, _ in reversed(_hooks):
        in_parent()
    _gate.release()


def _in_child() -> None:
    global _forked, _cut
    for _, _, in_child in reversed(_hooks):
        in_child()
    _gate.release()
    me = threading.get_ident()
    others = [each for each in _inside if each != me]
    for each in others:
        del _inside[each]
    _forked, _cut = _forked or _begun, _cut or bool(others)
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
