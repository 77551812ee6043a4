"""A folder, here or in an object store: what lies in it, and files that come whole, once, or not at all.

The one place that knows how files get there; what they hold is said elsewhere.
"""

from __future__ import annotations

import os
import re
import zlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nearsense._optional import require
from nearsense._paths import exists, expanded, is_file, is_folder
from nearsense.errors import FileError, InputError, MissingExtra
from nearsense.files.remote import is_address
from nearsense.files.streams import sync
from nearsense.settings import load_settings

SCRATCH = "scratch"
"""Where drafts lie in a folder, and what workers have finished of a shard."""

_SECRET = re.compile(r"KEY|SECRET|TOKEN|PASSWORD", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Found:
    """A file: its name within the place, its size in bytes, and what changes with its content."""

    name: str
    size: int
    stamp: str


def place_of(name: str) -> Place:
    """The folder, or the file, of a path or an address such as `s3://bucket/folder`."""
    return _Store(name) if is_address(name) else _Folder(name)


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


class _Folder(Place):
    """A folder of this machine, or one that machines share."""

    def __init__(self, name: str) -> None:
        self._base = expanded(name).absolute()
        self.shown, self.scratch = name, self._base / SCRATCH

    def address(self, name: str) -> str:
        return str(self._base / name) if name else str(self._base)

    def files(self, folder: str = "") -> list[Found]:
        base = self._base / folder
        if is_file(base):
            return [_found(base, "")]
        found = []
        for here, folders, names in os.walk(base):
            folders[:] = sorted(name for name in folders if name != SCRATCH and not name.startswith("."))
            for name in sorted(names):
                if not name.startswith("."):
                    with suppress(FileNotFoundError):
                        path = Path(here) / name
                        found.append(_found(path, path.relative_to(self._base).as_posix()))
        return sorted(found, key=lambda each: each.name)

    def read(self, name: str) -> bytes | None:
        try:
            return (self._base / name).read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            return None

    def open(self, name: str) -> Any:
        return Path(self.address(name)).open("rb")

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
        draft = self.scratch / f".{os.getpid()}-{os.urandom(6).hex()}.tmp"
        try:
            draft.parent.mkdir(parents=True, exist_ok=True)
            with draft.open("xb") as stream:
                stream.write(content)
                stream.flush()
                os.fsync(stream.fileno())
            yield draft
        except OSError as error:
            why = error.strerror or str(error)
            fix = "free some space, or write elsewhere; then add --resume"
            raise FileError(f"{self.shown} cannot be written", why=why, fix=fix) from error
        finally:
            draft.unlink(missing_ok=True)


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

    def files(self, folder: str = "") -> list[Found]:
        def listed() -> dict[str, dict[str, Any]]:
            found: dict[str, dict[str, Any]] = self._system.find(self._path(folder), detail=True)
            return found

        known = self._asked(listed) or {}
        return [
            Found(path.removeprefix(self._base).lstrip("/"), int(each.get("size") or 0), _stamp(each))
            for path, each in sorted(known.items())
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
    folder.mkdir(parents=True, exist_ok=True)
    draft = folder / f".{os.getpid()}-{name}.tmp"
    try:
        with draft.open("wb") as stream:
            stream.write(content)
            stream.write(zlib.crc32(content).to_bytes(4, "little"))
        draft.replace(folder / name)
    finally:
        draft.unlink(missing_ok=True)


def require_new(place: Place, name: str) -> None:
    """Refuse to write into a folder that holds other things."""
    if (strange := place.files()) and not any(each.name == name for each in strange):
        what = f"{place.shown} holds other files: {strange[0].name}"
        raise FileError(
            what, why="what is written here takes a folder of its own", fix="name a new folder: -o NEW"
        )


def is_there(name: str) -> bool:
    """Whether there is a file or a folder of this machine by that name; of an address nobody knows yet."""
    return is_address(name) or is_file(name) or is_folder(name)


def _found(path: Path, name: str) -> Found:
    stat = path.stat()
    return Found(name, stat.st_size, str(stat.st_mtime_ns))


def _stamp(known: dict[str, Any]) -> str:
    """What changes when an object does: its tag, else when it was written."""
    for name in ("ETag", "etag", "md5Hash", "LastModified", "mtime"):
        if known.get(name):
            return str(known[name]).strip('"')
    return ""
