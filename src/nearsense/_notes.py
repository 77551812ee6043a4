"""What is said on the way, a line each: which column was taken, which encoding. Silent unless somebody listens."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_LISTENER: ContextVar[Callable[[str], object] | None] = ContextVar("listener", default=None)


def tell(line: str) -> None:
    """Say a line to whoever listens."""
    listener = _LISTENER.get()
    if listener is not None:
        listener(line)


@contextmanager
def told_to(listener: Callable[[str], object] | None) -> Iterator[None]:
    """Give what is said within the block to a function; None for silence."""
    token = _LISTENER.set(listener)
    try:
        yield
    finally:
        _LISTENER.reset(token)
