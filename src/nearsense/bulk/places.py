"""A folder, here or in an object store: what lies in it, and files that come whole, once, or not at all.

The one place that knows how files get there; what they hold is said elsewhere.
"""

from __future__ import annotations

import json
import os
import re
import time
import zlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from errno import EDQUOT, ENOSPC
from pathlib import Path
from typing import Any, BinaryIO

from nearsense._optional import require
from nearsense._paths import exists, expanded, is_file, scheme_of
from nearsense.errors import FileError, InputError, MissingExtra
from nearsense.files.remote import KINDS, is_address
from nearsense.files.streams import sync
from nearsense.settings import load_settings

SCRATCH = "scratch"
"""Where drafts lie in a folder, and what workers have finished of a shard."""

ABANDONED = 600.0
"""Seconds after which a draft that nobody went on with is nobody's: its writer was ended."""

_SECRET = re.compile(r"KEY|SECRET|TOKEN|PASSWORD", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Found:
    """A file: its name within the place, its size in bytes, and what changes with its content."""

    name: str
    size: int
    stamp: str


def place_of(name: str) -> Place:
    """The folder, or the file, of a path or an address such as `s3://bucket/folder`.

    Raises:
        InputError: It is neither.
    """
    if is_address(name):
        return _Store(name)
    scheme = scheme_of(name) if "://" in name else ""
    if scheme or not name:
        what = f"{without_secrets(name) or 'an empty name'} is no folder and no address"
        why = f"{scheme} is none of {', '.join(KINDS)}" if scheme else "something has to be named"
        raise InputError(what, why=why, fix="give the path of a folder: /data/texts, or s3://bucket/folder")
    return _Folder(name)


class Place(ABC):
    """What both kinds of places can do; names are relative, with slashes. A file can be a place, of one file."""

    shown: str
    """How messages call it: without credentials."""
    scratch: Path
    """A folder of this machine for what is not finished."""

    @abstractmethod
    def files(self, folder: str = "") -> list[Found]:
        """The files in it, those of folders within too, by their names; none where it is not there."""

    @abstractmethod
    def read(self, name: str) -> bytes | None:
        """The bytes of a file; None where there is none."""

    @abstractmethod
    def open(self, name: str) -> Any:
        """A file to be read from any position."""

    @abstractmethod
    def put(self, name: str, content: bytes) -> bool:
        """Write a file that is not there yet, whole; False where it is, and stays as it is."""

    @abstractmethod
    def replace(self, name: str, content: bytes) -> None:
        """Write a file, whole, whatever was there."""

    @abstractmethod
    def remove(self, name: str) -> None:
        """Take a file away, if it is there."""

    @abstractmethod
    def address(self, name: str) -> str:
        """What opens a file of it elsewhere: a path or an address."""

    @abstractmethod
    def is_there(self) -> bool:
        """Whether there is a folder or a file; of an address nobody knows yet."""

    def known(self, name: str, fix: str) -> dict[str, Any] | None:
        """A file with a JSON object; None where there is none.

        Raises:
            FileError: It is there and holds something else.
        """
        content = self.read(name)
        try:
            found = {} if content is None else json.loads(content)
        except ValueError:
            found = None
        if not isinstance(found, dict):
            why = "it is damaged, or something else was written there"
            raise FileError(f"{self.shown}/{name} cannot be read", why=why, fix=fix)
        return None if content is None else found


class _Folder(Place):
    """A folder of this machine, or one that machines share."""

    def __init__(self, name: str) -> None:
        self._base = expanded(name).absolute()
        self.shown, self.scratch = name, self._base / SCRATCH

    def address(self, name: str) -> str:
        return str(self._base / name) if name else str(self._base)

    def is_there(self) -> bool:
        return exists(self._base)

    def files(self, folder: str = "") -> list[Found]:
        return self._asked(lambda: self._listed(self._base / folder)) or []

    def _listed(self, base: Path) -> list[Found]:
        def refused(error: OSError) -> None:
            if not isinstance(error, (FileNotFoundError, NotADirectoryError)):
                raise error  # what may not be looked into would be missed, without a word

        if is_file(base):
            return [_found(base, "")]
        found = []
        for here, folders, names in os.walk(base, onerror=refused):
            folders[:] = sorted(name for name in folders if name != SCRATCH and not name.startswith("."))
            for name in sorted(names):
                if not name.startswith("."):
                    with suppress(FileNotFoundError):
                        path = Path(here) / name
                        found.append(_found(path, path.relative_to(self._base).as_posix()))
        return sorted(found, key=lambda each: each.name)

    def read(self, name: str) -> bytes | None:
        content: bytes | None = self._asked((self._base / name).read_bytes)
        return content

    def open(self, name: str) -> Any:
        return self._asked(lambda: Path(self.address(name)).open("rb"))

    def _asked(self, ask: Callable[[], Any]) -> Any:
        """What the disk answers; None where there is no such file."""
        try:
            return ask()
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            what = f"{error.filename or self.shown} cannot be read"
            why, fix = error.strerror or str(error), "give it the rights to be read, or name another"
            raise FileError(what, why=why, fix=fix) from error

    def put(self, name: str, content: bytes) -> bool:
        target = self._base / name
        if exists(target):
            return False
        with self._draft(content) as draft:
            target.parent.mkdir(parents=True, exist_ok=True)
            try:
                os.link(draft, target)  # which fails where there is one: of two writers the first has it
            except FileExistsError:
                return False
            except OSError:  # a file system without links
                draft.replace(target)
        sync(target.parent)
        return True

    def replace(self, name: str, content: bytes) -> None:
        target = self._base / name
        with self._draft(content) as draft:
            target.parent.mkdir(parents=True, exist_ok=True)
            draft.replace(target)
        sync(target.parent)

    def remove(self, name: str) -> None:
        (self._base / name).unlink(missing_ok=True)

    @contextmanager
    def _draft(self, content: bytes) -> Iterator[Path]:
        """The bytes in a file beside, on the disk; gone again afterwards."""
        draft = _draft_in(self.scratch)
        try:
            with _new_file(draft) as stream:
                stream.write(content)
                stream.flush()
                os.fsync(stream.fileno())
            yield draft
        except OSError as error:
            why = error.strerror or str(error)
            full = error.errno in (ENOSPC, EDQUOT)
            fix = "free some space, then add --resume" if full else "name a folder that can be written to: -o NEW"
            raise FileError(f"{self.shown} cannot be written", why=why, fix=fix) from error
        finally:
            with suppress(OSError):
                draft.unlink()


class _Store(Place):
    """A prefix in an object store, by fsspec."""

    def __init__(self, name: str) -> None:
        self.shown = re.sub(r"//[^/@]*@", "//", name.partition("?")[0])
        if re.search(r"//[^/@]*:[^/@]*@", name):
            why = "it would stand in job.json, and in messages"
            fix = "leave it out, and set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or a profile"
            raise InputError(f"{self.shown} is given with a password", why=why, fix=fix)
        from hashlib import sha256

        own = sha256(self.shown.encode()).hexdigest()[:16]
        settings = load_settings()
        self.scratch = settings.cache_dir / "bulk" / own
        if settings.offline:
            fix = "name a folder of this machine, or unset offline (NEARSENSE_OFFLINE, or the settings file)"
            raise FileError(f"{self.shown} is not asked", why="offline is set", fix=fix)
        fsspec: Any = require("fsspec", extra="remote", purpose="reading and writing object stores")
        try:
            self._system, base = fsspec.core.url_to_fs(name, use_listings_cache=False)
        except ImportError as error:
            what = f"{name.partition(':')[0]} addresses need a package that is not installed"
            raise MissingExtra(what, why=str(error), fix="pip install 'nearsense[remote]'") from error
        except Exception as error:
            raise self._error("cannot be used", error) from None
        self._name, self._base = name.rstrip("/"), str(base).rstrip("/")

    def address(self, name: str) -> str:
        return f"{self._name}/{name}" if name else self._name

    def is_there(self) -> bool:
        return True

    def files(self, folder: str = "") -> list[Found]:
        def listed() -> dict[str, dict[str, Any]]:
            found: dict[str, dict[str, Any]] = self._system.find(self._path(folder), detail=True)
            return found

        known = self._asked(listed) or {}
        return [
            Found(path.removeprefix(self._base).lstrip("/"), int(each.get("size") or 0), _stamp(each))
            for path, each in sorted(known.items())
            if each.get("type") != "directory"  # what was empty when it was listed, and is not any more
        ]

    def read(self, name: str) -> bytes | None:
        found: bytes | None = self._asked(lambda: self._system.cat_file(self._path(name)))
        return found

    def open(self, name: str) -> Any:
        return self._asked(lambda: self._system.open(self._path(name), "rb"))

    def put(self, name: str, content: bytes) -> bool:
        try:  # If-None-Match: *
            self._system.pipe_file(self._path(name), content, mode="create")
        except FileExistsError:
            return False
        except Exception as error:
            if self._asked(lambda: self._system.exists(self._path(name))):
                return False  # the other writer was first
            raise self._error("cannot be written", error) from None
        return True

    def replace(self, name: str, content: bytes) -> None:
        try:
            self._system.pipe_file(self._path(name), content)
        except Exception as error:
            raise self._error("cannot be written", error) from None

    def remove(self, name: str) -> None:
        self._asked(lambda: self._system.rm_file(self._path(name)))

    def _path(self, name: str) -> str:
        return f"{self._base}/{name}" if name else self._base

    def _asked(self, ask: Callable[[], Any]) -> Any:
        """What the store answers; None where there is no such file."""
        try:
            return ask()
        except FileNotFoundError:
            return None
        except Exception as error:  # each kind of store has errors of its own
            raise self._error("cannot be read", error) from None

    def _error(self, how: str, error: Exception) -> FileError:
        why = without_secrets(" ".join(str(error).split()))[:200] or type(error).__name__
        return FileError(
            f"{self.shown} {how}", why=why, fix="check the address, and what it asks for to let you in"
        )


def without_secrets(text: str) -> str:
    """A message without what the environment keeps secret, and without credentials of addresses."""
    for name, value in os.environ.items():
        if _SECRET.search(name) and len(value) > 3:
            text = text.replace(value, "***")
    return re.sub(r"//[^/@\s]*@", "//", text)


def kept(folder: Path, name: str) -> bytes | None:
    """What this machine has finished of something; None where there is nothing, or it is not as it was written."""
    try:
        content = (folder / name).read_bytes()
    except OSError:
        return None
    whole = zlib.crc32(content[:-4]).to_bytes(4, "little") == content[-4:]
    return content[:-4] if whole else None


def keep(folder: Path, name: str, content: bytes) -> None:
    """Keep what is finished of something, with a checksum: whoever finds it half written does it again."""
    draft = _draft_in(folder)
    try:
        with _new_file(draft) as stream:
            stream.write(content)
            stream.write(zlib.crc32(content).to_bytes(4, "little"))
        draft.replace(folder / name)
    except FileNotFoundError:
        pass  # another driver finished the whole, and took the folder away
    finally:
        draft.unlink(missing_ok=True)


def clear(folder: Path) -> None:
    """Take a folder away of which nothing is needed any more, but for what others are writing in it now."""
    for each in (*sorted(folder.rglob("*"), reverse=True), folder):
        with suppress(OSError):
            if not is_file(each):
                each.rmdir()  # which fails where something lies in it
            elif not each.name.startswith(".") or each.stat().st_mtime < time.time() - ABANDONED:
                each.unlink()


def _draft_in(folder: Path) -> Path:
    """A name for a file that is not finished; it begins with the process that writes it."""
    return folder / f".{os.getpid()}-{os.urandom(6).hex()}.tmp"


def _new_file(path: Path) -> BinaryIO:
    """A new file, in a new folder where there is none, though others may take empty ones away meanwhile."""
    for _ in range(9):
        path.parent.mkdir(parents=True, exist_ok=True)
        with suppress(FileNotFoundError):
            return path.open("xb")
    return path.open("xb")


def require_new(place: Place, name: str) -> None:
    """Refuse to write into a folder that holds other things."""
    if (strange := place.files()) and not any(each.name == name for each in strange):
        what = f"{place.shown} holds other files: {strange[0].name}"
        if not strange[0].name:
            what = f"{place.shown} is a file"
        raise FileError(
            what, why="what is written here takes a folder of its own", fix="name a new folder: -o NEW"
        )


def _found(path: Path, name: str) -> Found:
    stat = path.stat()
    return Found(name, stat.st_size, str(stat.st_mtime_ns))


def _stamp(known: dict[str, Any]) -> str:
    """What changes when an object does: its tag, else when it was written."""
    for name in ("ETag", "etag", "md5Hash", "LastModified", "mtime"):
        if known.get(name):
            return str(known[name]).strip('"')
    return ""
