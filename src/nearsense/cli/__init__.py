"""The command `nearsense`: what is typed becomes a call of a verb. Nothing is computed here.

Exit codes: 0 fine; 1 findings (for commands that look for them); 2 wrong use or bad input; 3 a collection or its
disk; 4 bulk work done but for some shards; 70 a fault of nearsense itself; 130 interrupted; 143 terminated.
"""

from __future__ import annotations

import io
import os
import shlex
import signal
import sys
import warnings
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from errno import EACCES, EDQUOT, EIO, ELOOP, ENAMETOOLONG, ENOSPC, EPERM, EROFS, ESTALE
from typing import Any

import click

from nearsense import errors
from nearsense._command import IS_COMMAND
from nearsense._notes import told_to
from nearsense._paths import is_url
from nearsense._version import __version__
from nearsense.cli import (
    bulk,
    calibrate,
    cluster,
    compare,
    demo,
    distill,
    drift,
    duplicates,
    evaluate,
    faq,
    index,
    inputs,
    keys,
    mapping,
    mcp,
    models,
    querylog,
    search,
    serve,
    train,
)
from nearsense.cli.index import maintain, write  # noqa: F401 - their commands add themselves to the group
from nearsense.cli.models import bench, card, files  # noqa: F401
from nearsense.encoders import usage
from nearsense.terminal import Harmless

__all__ = ["cli", "main"]

BAD_INPUT, BROKEN, INTERNAL, INTERRUPTED = 2, 3, 70, 130

HINTS: dict[type[Warning], str] = {
    errors.TruncationWarning: "--long chunk reads all of each text",
    errors.CalibrationWarning: "label 30 of your own pairs: nearsense calibrate; or --calibration none",
    errors.LanguageWarning: "choose another model with --model, or --no-language-check",
}
"""What to type after a warning."""

ANYWHERE = {"--offline": ("NEARSENSE_OFFLINE", "1"), "--no-language-check": ("NEARSENSE_LANGUAGE_CHECK", "0")}
"""What holds for the whole command, as the settings of the environment say it."""

CSV_SAFE = "--csv-safe"

_OUTSIDE = {EACCES, EDQUOT, EIO, ELOOP, ENAMETOOLONG, ENOSPC, EPERM, EROFS, ESTALE}
"""What the system says where a path cannot be used, whatever nearsense does."""

FIXES: dict[type[errors.NearsenseError], str] = {
    errors.TextTooLong: "--long chunk reads all of each text, --long head its head only"
}
"""What to type here where the library says what to write."""


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="nearsense")
@click.option("--offline", is_flag=True, help="Never ask the network for a model; may stand anywhere.")
@click.option("--no-language-check", is_flag=True, help="Say nothing of texts in other languages; likewise.")
@click.option("--csv-safe", is_flag=True, help="Write no cell of a csv that a spreadsheet runs; likewise.")
@click.option("--debug", is_flag=True, help="Show the traceback of an error; likewise.")
def cli(**_anywhere: bool) -> None:
    """Find texts that are near in sense.

    \b
    Start here:
      nearsense demo                                   see it work on real text
      nearsense compare "It rains." "Rain is falling."
      nearsense search tickets.csv "my screen freezes"
    """


FAMILIES = (
    compare,
    search,
    faq,
    duplicates,
    cluster,
    mapping,
    index,
    inputs,
    evaluate,
    drift,
    calibrate,
    train,
    distill,
    bulk,
    models,
    querylog,
    serve,
    keys,
    mcp,
    demo,
)

for command in (command for family in FAMILIES for command in family.COMMANDS):
    cli.add_command(command)


def main() -> None:
    """Run the command; errors become three lines and an exit code."""
    before = sys.stdout, sys.stderr
    try:
        _listen()
        _prepare_output()
        _run()
    finally:
        sys.stdout, sys.stderr = before
        if IS_COMMAND:
            signal.signal(signal.SIGINT, signal.SIG_DFL)  # while Python ends


def _run() -> None:
    warnings.showwarning = _show_warning
    for category in (
        errors.TruncationWarning, errors.UnknownTextWarning, errors.LanguageWarning, errors.RoleWarning,
        errors.CalibrationWarning,
    ):  # fmt: skip
        warnings.simplefilter("always", category)
    words = sys.argv[1:]
    options = words[: words.index("--")] if "--" in words else words
    debug = "--debug" in options
    os.environ.update(setting for word, setting in ANYWHERE.items() if word in options)
    flags = ("--debug", CSV_SAFE, *ANYWHERE)
    words = [word for word in options if word not in flags] + words[len(options) :]
    try:
        try:
            words = [_without_password(word) for word in words]
            sys.argv[1:] = [_without_password(word) for word in sys.argv[1:]]
            writing = _csv(safe=CSV_SAFE in options)
            with writing, told_to(_notes()), cli.make_context("nearsense", words) as context:
                cli.invoke(context)
        finally:
            sys.stderr.writelines(f"{line}\n" for line in usage())
        sys.stdout.flush()
    except click.exceptions.Exit as stop:
        sys.exit(stop.exit_code)
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message(), err=True)
        sys.exit(BAD_INPUT)
    except click.ClickException as error:
        _say("error", error.format_message(), fix=_usage(error))
        sys.exit(BAD_INPUT)
    except (KeyboardInterrupt, click.Abort) as stop:
        _say("interrupted", *(stop.args or ("nothing half written is left",)))
        sys.exit(INTERRUPTED)
    except BrokenPipeError:
        _forget_output()  # the reader of our output went away (`| head`): that is no error
    except SystemExit as stop:
        if not isinstance(stop.__context__, BrokenPipeError):
            raise
        _forget_output()  # the same, where rich has written
    except Exception as error:
        _end(error, debug)


def _csv(*, safe: bool) -> AbstractContextManager[None]:
    """How csv is written."""
    if not safe:
        return nullcontext()
    from nearsense.files import formulas_escaped

    return formulas_escaped()


def _end(error: Exception, debug: bool) -> None:
    """Say an error and leave."""
    stop = _stopped_by(error)
    if isinstance(stop, SystemExit):
        raise stop from None
    if stop is not None:
        _say("interrupted", "nothing half written is left")
        sys.exit(INTERRUPTED)
    if debug:
        raise error
    code, *lines = _explained(error)
    if isinstance(error, OSError):
        _forget_output()
    ways = [] if not isinstance(error, errors.NearsenseError) else _typed(error.choices)
    if ways:
        lines = [lines[0], lines[1], ways[0]]
    _say("error", *lines)
    sys.stderr.writelines(f"   or: {_line(way)}\n" for way in ways[1:])
    sys.exit(code)


def _stopped_by(error: BaseException | None) -> BaseException | None:
    """The Ctrl-C or SIGTERM behind it: libraries that are stopped while they load make it an ImportError."""
    seen: set[int] = set()  # such a chain can lead back to itself
    while error is not None and id(error) not in seen:
        if isinstance(error, (KeyboardInterrupt, SystemExit)):
            return error
        seen.add(id(error))
        error = error.__cause__ or error.__context__
    return None


def _explained(error: Exception) -> tuple[int, str, str, str]:
    """The exit code of an error, and what, why and fix."""
    if isinstance(error, errors.NearsenseError):
        broken = isinstance(error, errors.StoreError) and not isinstance(error, errors.CollectionNotFound)
        return BROKEN if broken else BAD_INPUT, error.what, error.why, FIXES.get(type(error), error.fix)
    if isinstance(error, MemoryError):
        return BAD_INPUT, "out of memory", "this machine has not enough of it free", "give fewer texts at a time"
    if isinstance(error, OSError) and error.filename is None:
        why = error.strerror or str(error)
        return BAD_INPUT, "standard output cannot be written", why, "send it elsewhere, or free some space"
    if isinstance(error, OSError) and error.errno in _OUTSIDE:
        what = f"{os.fsdecode(error.filename)} cannot be used"
        return BAD_INPUT, what, error.strerror or str(error), "check the path, its permissions and the disk"
    return (
        INTERNAL,
        f"{type(error).__name__}: {error}",
        "this is a fault of nearsense, not of your input",
        "run it again with --debug and report what it prints",
    )


def _without_password(word: str) -> str:
    """A word of the command as all that it says may repeat it: a collection's address without a password."""
    flag, _, value = word.partition("=") if word.startswith("--") else ("", "", word)
    if not is_url(value):
        return word
    from nearsense.store.postgres import without_secrets

    try:
        shown = without_secrets(value)
    except errors.InputError:  # a text that begins so; who takes it for an address says that it is none
        return word
    return f"{flag}={shown}" if flag else shown


def _typed(choices: Sequence[str]) -> list[str]:
    """The command as it was typed, with each of the choices: lines to paste."""
    words = sys.argv[1:]
    place = words.index("--") if "--" in words else len(words)
    before, after = (shlex.join(part) for part in (["nearsense", *words[:place]], words[place:]))
    return [" ".join(filter(None, (before, choice, after))) for choice in choices]


def _notes() -> Callable[[str], None]:
    """What writes a line on stderr for what was found out while reading, once each."""
    said: set[str] = set()

    def note(line: str) -> None:
        if line not in said:
            said.add(line)
            sys.stderr.write(f"{_line(line)}\n")

    return note


def _usage(error: click.ClickException) -> str:
    """What to type after wrong use."""
    context = getattr(error, "ctx", None)
    path = context.command_path if context else "nearsense"
    hint = "; put -- before texts that begin with -" if isinstance(error, click.NoSuchOption) else ""
    return f"{path} --help{hint}"


def _listen() -> None:
    """Ctrl-C, SIGTERM and a terminal that goes away clean up; who ignores a signal (`nohup`) goes on doing so."""
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)  # Windows has no SIGHUP
        if number is not None and signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _stop)


def _stop(number: int, _frame: object) -> None:
    """The first signal lets everybody clean up; a second one of its kind ends it at once."""
    if IS_COMMAND:
        signal.signal(number, signal.SIG_DFL)
    raise KeyboardInterrupt if number == signal.SIGINT else SystemExit(128 + number)


def _prepare_output() -> None:
    """Pipes and files get UTF-8 whatever the locale; a terminal gets what it can show, and nothing steers it."""
    if isinstance(sys.stdout, io.TextIOWrapper) and not sys.stdout.isatty():
        sys.stdout.reconfigure(encoding="utf-8")
    elif sys.stdout.isatty():
        if isinstance(sys.stdout, io.TextIOWrapper):
            sys.stdout.reconfigure(errors="backslashreplace")
        sys.stdout = Harmless(sys.stdout)
    sys.stderr = Harmless(sys.stderr, forgiving=True)


def _forget_output() -> None:
    """Let nothing that is still to be written fail at the end."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)


def _say(kind: str, what: str, why: str = "", fix: str = "") -> None:
    """What happened, why, and what to type: a line each, on stderr."""
    lines = [f"{kind}: {_line(what)}"]
    lines += [f"  {name}: {_line(line)}" for name, line in (("why", why), ("fix", fix)) if line]
    sys.stderr.write("".join(f"{line}\n" for line in lines))


def _line(text: str) -> str:
    return " ".join(text.split()).encode("utf-8", "backslashreplace").decode()


def _show_warning(message: Warning | str, category: type[Warning], *_where: Any, **_options: Any) -> None:
    _say("warning", str(message), fix=HINTS.get(category, ""))
