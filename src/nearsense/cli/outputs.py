"""The way out, for every command: may this file be written, and not over that; whole or not at all; exit codes.

A result never goes over a file that the command reads, nor into the folder of a collection or a model.

How a result looks on standard output: see nearsense/render/.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from contextlib import suppress
from itertools import combinations
from pathlib import Path
from typing import NoReturn

import click

from nearsense._paths import exists, is_file, is_folder, is_url

FINDINGS = 1
"""The exit code of a command that looks for something, and found it."""


def leave(code: int = FINDINGS) -> NoReturn:
    """End the command with an exit code, its output written."""
    sys.stdout.flush()
    click.get_current_context().exit(code)


def say(path: str | Path, what: str) -> None:
    """What became of a file or a folder, as one plain line on stderr."""
    sys.stderr.write(f"{path}: {what}\n")


def same_file(a: str, b: str) -> bool:
    """Whether two names are of one file, links followed; - is itself alone."""
    return a == b or ("-" not in (a, b) and os.path.realpath(a) == os.path.realpath(b))


def require_targets(written: Mapping[str, str | None], read: Mapping[str, str | None] | None = None) -> None:
    """Refuse what cannot be written before anything costly is done: files by the options that name them.

    A file over one that is read, or in the folder of a collection, two results in one file, a folder that is
    missing or may not be written to.
    """
    targets = {flag: path for flag, path in written.items() if path is not None}
    for flag, path in targets.items():
        for name, other in (read or {}).items():
            if how := _is_read(path, other):
                what = f"{flag} {path} is {how.format(name)}, and what it holds would be gone for good"
                raise click.UsageError(f"{what}: write another file")
        require_outside(flag, path)
    for (one, path), (two, other) in combinations(targets.items(), 2):
        if same_file(path, other):
            raise click.UsageError(f"{one} and {two} are one file, {path}: name two files")
    for path in targets.values():
        require_writable(path)


def require_list(path: str) -> None:
    """Refuse a file for a list that has no known format, or is named elsewhere in the command that runs."""
    from nearsense.files import require_table_target

    if path == "-":
        raise click.UsageError("-o -: standard output has it without -o; --json and --csv say how")
    require_table_target(path)
    context = click.get_current_context()
    named: dict[str, str | None] = {}
    for param in context.command.params:
        label = param.human_readable_name if isinstance(param, click.Argument) else param.opts[0]
        typed = context.params.get(param.name or "")
        for each in typed if isinstance(typed, tuple) else (typed,):
            there = isinstance(each, str) and param.name != "output" and exists(each)
            if there and _is_read(path, each):
                named[label] = each
    require_targets({"-o": path}, named)


def _is_read(path: str, other: str | None) -> str:
    """How a file is read with another, in words; empty where it is not."""
    if other is None or "-" in (path, other):
        return ""
    if same_file(path, other):
        return "{} itself"
    if is_file(path) and is_folder(other):
        from nearsense.datasets.folders import ENDINGS

        within = Path(os.path.realpath(other)) in Path(os.path.realpath(path)).parents
        return "a file of {}" if within and path.lower().endswith(ENDINGS) else ""
    return ""


def require_outside(flag: str, path: str) -> None:
    """Refuse what would lie in the folder of a collection or of a model: only who made it writes there."""
    from nearsense.encoders.hub_files import model_around
    from nearsense.store import collection_around

    if path == "-":
        return
    for kind, around in (("collection", collection_around), ("model", model_around)):
        if folder := around(path):
            what = f"{flag} {path} lies within the {kind} {folder.name}, where nothing else may lie"
            raise click.UsageError(f"{what}: write it elsewhere")


class _Tried(Exception):
    """A file could be written."""


def require_writable(path: str) -> None:
    """Refuse a file that cannot be written; what is there stays as it is. - is standard output."""
    from nearsense.files import atomic_write, require_place

    if is_url(path):
        raise click.UsageError(f"{path} is the address of a collection, and no file: name one that is written")
    require_place(path)
    if path != "-" and (is_file(path) or not exists(path)):
        with suppress(_Tried), atomic_write(path):
            raise _Tried


def write_text(path: str, text: str) -> None:
    """Write a file whole or not at all; half characters become question marks."""
    from nearsense.files import atomic_write

    with atomic_write(path) as stream:
        stream.write(text.encode("utf-8", "replace"))


def require_consent(question: str, yes: bool) -> None:
    """Ask whether to go on, unless that was said before; where nobody can be asked, it has to be."""
    require_somebody(yes)
    if not yes:
        click.confirm(question, abort=True, err=True)


def require_somebody(yes: bool) -> None:
    """Refuse to begin what will be asked for where nobody can be asked, and it was not said before."""
    if not yes and not sys.stdin.isatty():
        raise click.UsageError("nobody is here to be asked: add --yes")
