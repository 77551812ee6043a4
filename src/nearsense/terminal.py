r"""Text on its way to a terminal or a log, without what steers it: file names, headers, models' names, messages.

What a terminal obeys are the control characters (ESC, BEL, backspace, the 8-bit ones from 0x80 to 0x9F) and the
signs that turn the direction of writing. They are shown as they are written in a program: \x1b, \u202e.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from contextlib import suppress
from typing import Any, TextIO

__all__ = ["STEERING", "Harmless", "harmless", "steerable"]

STEERING = "\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069"
"""The characters that steer, as they stand in a class of a regular expression; all but tab and line feed."""

_STEERING = re.compile(f"[{STEERING}]")


def harmless(text: str) -> str:
    r"""A text in which no character steers a terminal.

    Example:
        >>> harmless("a\x1b[31mb"), harmless("\x9b31m \u202etxt.exe")
        ('a\\x1b[31mb', '\\x9b31m \\u202etxt.exe')
    """
    return text if text.isascii() and text.isprintable() else _STEERING.sub(_escaped, text)


def _escaped(found: re.Match[str]) -> str:
    code = ord(found.group())
    return f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}"


class Harmless:
    """A text stream that lets nothing through which steers a terminal.

    A forgiving one minds no failure, as on a standard error that is full or closed.
    """

    def __init__(self, stream: TextIO, *, forgiving: bool = False) -> None:
        self.stream, self._errors = stream, (OSError,) if forgiving else ()

    def write(self, text: str) -> int:
        """Write a text, its steering characters shown."""
        with suppress(*self._errors):
            self.stream.write(harmless(text))
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        """Write several texts."""
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        """Hand over what is written so far."""
        with suppress(*self._errors):
            self.stream.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)


def steerable(stream: TextIO | Harmless) -> TextIO:
    """The stream below, for those who do steer a terminal: tables and progress bars, whose cells are harmless."""
    return stream.stream if isinstance(stream, Harmless) else stream
