"""A collection as the command line has it: opened, filled, interrupted, brought in order. Not what is typed."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from nearsense.cli.corpus import documents_of
from nearsense.cli.options import LOADING, read
from nearsense.collection import Collection, open_collection
from nearsense.errors import StoreError
from nearsense.records import Document, Vectors

__all__ = ["given", "goes_on", "number", "opened", "say", "settle", "typed"]


@contextmanager
def opened(path: str, options: dict[str, Any], **how: Any) -> Iterator[Collection]:
    """Open a collection that exists; `create=True` makes it.

    Args:
        path: Its folder.
        options: What click parsed; those of `collection_options` are taken out, as far as they are there.
        how: More for `ns.open`.
    """
    model, network = options.pop("model", None), options.pop("network", False)
    chosen = {name: options.pop(name, None) for name in LOADING}
    with open_collection(path, model, network=network, **{"create": False, **chosen, **how}) as collection:
        yield collection


def given(file: str, options: dict[str, Any]) -> tuple[list[Document], Vectors | None]:
    """The documents of FILE, and their vectors where it holds any; `document_options` are taken out."""
    table = read(file, options)
    found = documents_of(table, options, numbers=True)
    stored = table.vectors
    return found.items, stored.take(found.rows) if stored is not None and found.skipped else stored


def typed(words: list[str], options: dict[str, Any]) -> str:
    """A command line that reads a file in the same way as this one.

    Args:
        words: The command and its arguments.
        options: What click parsed, those of `document_options` still in it.
    """
    flags = {"--text": "text", "--id": "id_", "--format": "format"}
    chosen = [word for flag, name in flags.items() if options[name] for word in (flag, options[name])]
    if options["encoding"] != "utf-8":
        chosen += ["--encoding", options["encoding"]]
    return shlex.join(
        ["nearsense", "index", *words, *chosen, *(["--skip-empty"] if options["skip_empty"] else [])]
    )


@contextmanager
def goes_on(collection: Collection, again: str) -> Iterator[None]:
    """Where Ctrl-C stops the work, say what is kept, and what to type to go on."""
    try:
        yield
    except KeyboardInterrupt:
        what = f"{number(collection.count())} are in {collection.path}"
        raise KeyboardInterrupt(what, "what was acknowledged is kept, nothing is half written", again) from None


def settle(collection: Collection, quiet: bool) -> None:
    """Make the derived files now where so much changed that it is due anyway: then the next search is fast."""
    try:
        collection.build(if_needed=True, progress=not quiet)
    except StoreError as error:
        sys.stderr.write(f"warning: the index is not up to date, answers still are: {error.what}\n")


def number(documents: int) -> str:
    """So many documents, in words."""
    return f"{documents:,} document{'' if documents == 1 else 's'}"


def say(path: str | Path, what: str) -> None:
    """A count, as one plain line on stderr."""
    sys.stderr.write(f"{path}: {what}\n")
