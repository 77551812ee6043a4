"""What the command needs before all else: standard streams that are there, an end by Ctrl-C without a traceback.

Where this process is not the command but a program that uses the library, nothing here is done.
"""

from __future__ import annotations

import os
import signal
import sys

__all__ = ["IS_COMMAND"]


def _is_command() -> bool:
    """Whether this process runs the script `nearsense`, or `python -m nearsense`."""
    name = os.path.basename(sys.argv[0]) if getattr(sys, "argv", None) else ""  # noqa: PTH119 - before pathlib is
    if name == "-m":  # while Python looks for what it shall run
        words = sys.orig_argv
        return "-m" in words and words[words.index("-m") + 1 :][:1] == ["nearsense"]
    return name.removesuffix(".exe") in ("nearsense", "nearsense-script.py")


def _open_closed() -> None:
    """Open closed standard streams on nothing: else the next file that is opened would stand in their place.

    Reading the standard input and writing the standard output fail as before, with EBADF; what is said on the
    standard error is lost, as in `2>/dev/null`.
    """
    for number, name, flags, mode in (
        (0, "stdin", os.O_WRONLY, "r"),
        (1, "stdout", os.O_RDONLY, "w"),
        (2, "stderr", os.O_WRONLY, "w"),
    ):
        if getattr(sys, name) is not None:
            continue
        try:
            os.fstat(number)
            there = os.open(os.devnull, flags)  # something has its number already
        except OSError:
            there = os.open(os.devnull, flags)
            if there != number:
                os.dup2(there, number)
                os.close(there)
                there = number
        setattr(sys, name, open(there, mode, encoding="utf-8", errors="backslashreplace", closefd=False))  # noqa: SIM115


IS_COMMAND = _is_command()

if IS_COMMAND:
    _open_closed()
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # until `main`: there is nothing to clean up yet
