"""Which files are meant by a folder, a glob or a list of files. Nothing is opened here.

Left out: hidden files and folders, what everybody's tools make (`node_modules`, `__pycache__`), collections, links
that lead out of the folder, and what is no regular file.
"""

from __future__ import annotations

import os
import re
import shlex
import stat
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import translate
from glob import glob, has_magic
from pathlib import Path

from nearsense._paths import exists, is_folder, is_link
from nearsense.documents.formats import is_document
from nearsense.errors import FileError

SKIPPED = frozenset({"node_modules", "__pycache__", "venv", "site-packages"})
"""Folders that hold nobody's own documents."""


@dataclass(frozen=True, slots=True)
class Found:
    """A file to be read.

    Args:
        id: Its path from the common folder, with `/`.
        path: Its path.
        size: In bytes.
        modified: When it was changed last, in nanoseconds.
    """

    id: str
    path: Path
    size: int
    modified: int


@dataclass(frozen=True, slots=True)
class Files:
    """What there is to read.

    Args:
        root: The folder from which ids count.
        found: The files, in the order of their ids.
        others: How many files of a folder have an extension that nothing here reads.
        closed: Why folders cannot be looked into, by their ids: what they hold is not known.
    """

    root: Path
    found: tuple[Found, ...]
    others: int
    closed: Mapping[str, FileError]

    def may_hold(self, id_: str) -> bool:
        """Whether a file may be there that was not seen."""
        return any(folder == "." or id_.startswith(f"{folder}/") for folder in self.closed)


Source = str | os.PathLike[str]


def find_files(sources: Source | Iterable[Source], ignore: Iterable[str] = ()) -> Files:
    """The files of folders, globs and single names, each once.

    Args:
        sources: One or several. A file that is named itself is read whatever its extension.
        ignore: Globs on paths from the common folder (`drafts/*`) or on names (`*.bak`): left out.

    Raises:
        FileError: Nothing is there under a name, or nothing in it can be read.
    """
    given = [sources] if isinstance(sources, (str, os.PathLike)) else list(sources)
    named = [Path(path) for each in given for path in _meant(each)]
    for path in named:
        try:
            path.stat()
        except (OSError, ValueError) as error:
            why = getattr(error, "strerror", None) or str(error)
            raise FileError(f"{path} cannot be read", why=why, fix="check the path") from None
    root = _root(named)
    ignored = _ignoring(ignore)
    found: dict[str, Found] = {}
    links: list[tuple[Found, tuple[int, int]]] = []
    closed: dict[str, FileError] = {}
    files: set[tuple[int, int]] = set()
    others = 0
    for path in named:
        for file, known, inside in _files_of(path, root, ignored):
            id_ = os.path.relpath(file, root).replace(os.sep, "/")
            if isinstance(known, FileError):
                closed[id_] = known
                continue
            if inside and not is_document(file.name):
                others += 1
                continue
            one, own = Found(id_, file, known.st_size, known.st_mtime_ns), (known.st_dev, known.st_ino)
            if inside and is_link(file):
                links.append((one, own))
            else:
                files.add(own)
                found.setdefault(id_, one)
    found |= {one.id: one for one, own in links if own not in files}  # what is found itself needs no second name
    if not found and closed:
        raise next(iter(closed.values()))
    if not found:
        names = ", ".join(str(each) for each in given[:3])
        why = f"{others:,} files there are of other kinds" if others else "it is empty, or all in it is ignored"
        fix = "name a folder with md, txt, html, pdf, docx, pptx, epub, eml, ipynb or source code"
        raise FileError(f"{names} holds no documents", why=why, fix=fix)
    return Files(root, tuple(found[id_] for id_ in sorted(found)), others, closed)


def _meant(source: Source) -> Sequence[str]:
    """One path, or those that a glob stands for where nothing is called so itself."""
    path = os.path.expanduser(os.fspath(source))  # noqa: PTH111 - a glob is no path
    if not has_magic(path) or os.path.lexists(path):
        return [path]
    found = sorted(filter(exists, glob(path, recursive=True)))  # noqa: PTH207 - of an absolute glob, too
    if not found:
        raise FileError(f"nothing is called like {path}", why="the glob fits no file", fix="check it with ls")
    return found


def _root(named: Sequence[Path]) -> Path:
    """The folder from which ids count: the one that was named, or the nearest that holds all that were."""
    folders = [os.path.abspath(path if is_folder(path) else path.parent) for path in named]  # noqa: PTH100
    return Path(os.path.commonpath(folders))


def _files_of(
    path: Path, root: Path, ignored: Callable[[str], bool]
) -> Iterator[tuple[Path, os.stat_result | FileError, bool]]:
    """A file itself, or those in a folder, with whether it was found in one; and folders that cannot be listed."""
    absolute = os.path.abspath(path)  # noqa: PTH100 - a link stays a link
    if not is_folder(path):
        yield Path(absolute), path.stat(), False
        return
    inside = os.path.realpath(absolute) + os.sep
    waiting = [absolute]
    while waiting:
        folder = waiting.pop()
        try:
            entries = list(os.scandir(folder))
        except FileNotFoundError:  # it went away
            continue
        except OSError as error:
            yield Path(folder), _unlisted(folder, error), True
            continue
        if any(entry.name in ("collection.db", "mark") for entry in entries) and _is_collection(folder):
            continue
        for entry in entries:
            if entry.name.startswith(".") or ignored(os.path.relpath(entry.path, root).replace(os.sep, "/")):
                continue
            try:
                if entry.is_dir(follow_symlinks=False):
                    if entry.name not in SKIPPED:
                        waiting.append(entry.path)
                    continue
                known = entry.stat()
                if entry.is_symlink() and not os.path.realpath(entry.path).startswith(inside):
                    continue
            except OSError as error:
                if isinstance(error, PermissionError) and not entry.is_symlink():  # names are all that it shows
                    yield Path(folder), _unlisted(folder, error), True
                    break
                continue  # it went away, or its link leads nowhere
            if stat.S_ISREG(known.st_mode):
                yield Path(entry.path), known, True


def _unlisted(folder: str, error: OSError) -> FileError:
    why = f"it is a folder that cannot be looked into: {error.strerror or error}"
    return FileError(f"{folder} cannot be read", why=why, fix=f"chmod u+rx {shlex.quote(folder)}")


def _is_collection(folder: str) -> bool:
    from nearsense.store import is_collection

    return is_collection(folder)


def _ignoring(globs: Iterable[str]) -> Callable[[str], bool]:
    """What says whether a path is left out."""
    patterns = [each.rstrip("/") for each in ([globs] if isinstance(globs, str) else globs)]
    left_out = re.compile("|".join(map(translate, patterns)) if patterns else r"(?!)")
    return lambda path: bool(left_out.match(path) or left_out.match(path.rpartition("/")[2]))
