"""Keys of a server: a file of their hashes, read again when it changes. Not what needs a key: see safety.py.

A line a key: its name, its scope, the SHA-256 of the key, when it ends or `never`. The key itself is nowhere:
it is shown once, when it is made. It holds 256 random bits, so that a slow hash would protect it no better.

What changes the file raises a FileError where it cannot be read or written; an InputError where there is no key of
the name, or, for `add_key`, where there is one.
"""

from __future__ import annotations

import hmac
import logging
import os
import re
import secrets
import shlex
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from stat import S_IWOTH

from nearsense.errors import FileError, InputError
from nearsense.kinds import Scope

__all__ = ["Key", "KeyFile", "add_key", "new_key", "read_keys", "remove_keys", "rotate_key"]

log = logging.getLogger("nearsense")

HEADER = "# Keys of a nearsense server: name, scope, SHA-256 of the key, its end. A line less is a key less.\n"
PREFIX = "ns_"
"""By which a key that lies where it should not is found."""
LOOKED_AT = 1.0
"""Seconds between two looks at whether the file has changed."""
LONGEST = 256
"""Bytes of a key that is looked up at all."""
LARGEST = 1 << 20
"""Bytes of a file that are read."""
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


@dataclass(frozen=True, slots=True)
class Key:
    """What is known of a key.

    Args:
        name: Whose it is, or where it is used; two keys may share it while one takes the other's place.
        scope: What it is good for.
        digest: The SHA-256 of the key, as 64 hexadecimal digits.
        ends: When it ends, in seconds since 1970; None for never.
    """

    name: str
    scope: Scope
    digest: str
    ends: float | None = None

    def holds(self, now: float) -> bool:
        """Whether it has not ended."""
        return self.ends is None or now < self.ends

    @property
    def line(self) -> str:
        """The key's line in the file."""
        ends = "never" if self.ends is None else f"{datetime.fromtimestamp(self.ends, UTC):%Y-%m-%dT%H:%M:%SZ}"
        return f"{self.name} {self.scope} {self.digest} {ends}\n"


class KeyFile:
    """The keys of a file, as it is now: a change is seen within a second, with no restart.

    A file that can no longer be read changes nothing: the keys that were last read stay good, and `trouble` says
    why.

    Raises:
        FileError: The file cannot be read at first, or holds no key.

    Example:
        >>> import tempfile
        >>> file = Path(tempfile.mkdtemp()) / "keys"
        >>> secret = add_key(file, "laptop", Scope.READ)
        >>> KeyFile(file).find(secret.encode()).name, KeyFile(file).find(b"ns_another")
        ('laptop', None)
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self.trouble: FileError | None = None
        self._keys, self._seen, self._looked = read_keys(self.path), self._state(), time.monotonic()
        if not self._keys:
            fix = f"nearsense keys add {shlex.quote(str(self.path))} NAME"
            raise FileError(f"{self.path} holds no key", why="nobody could use the server", fix=fix)

    def find(self, secret: bytes) -> Key | None:
        """The key that was shown, where it is one that has not ended.

        All hashes are compared, each in the same time whatever it holds: how long it takes tells nothing.
        """
        digest, found, now = sha256(secret[:LONGEST]).hexdigest(), None, time.time()
        for key in self.keys():
            if hmac.compare_digest(key.digest, digest) & key.holds(now) & (len(secret) <= LONGEST):
                found = key
        return found

    def keys(self) -> Sequence[Key]:
        """The keys as the file has them now."""
        now = time.monotonic()
        if now - self._looked >= LOOKED_AT:
            self._looked = now
            self._reread()
        return self._keys

    def _reread(self) -> None:
        state = self._state()
        if state == self._seen and state is not None:
            return
        try:
            self._keys, self._seen, self.trouble = read_keys(self.path), state, None
        except FileError as error:
            if str(error) != str(self.trouble):
                log.error("the keys stay what they were: %s (%s)", error.what, error.why)
            self.trouble = error

    def _state(self) -> tuple[int, ...] | None:
        try:
            found = self.path.stat()
        except OSError:
            return None
        return found.st_mtime_ns, found.st_size, found.st_ino


def read_keys(path: Path) -> list[Key]:
    """The keys of a file.

    Raises:
        FileError: It cannot be read, everybody may write to it, or a line is none.
    """
    from nearsense.files.streams import file_errors, open_source

    source = open_source(path)
    with file_errors(source), source.open() as stream:
        lines = stream.read(LARGEST).decode("utf-8-sig", "replace").splitlines()
        mode = path.stat().st_mode
    if mode & S_IWOTH:
        why = "everybody on this machine could give themselves a key"
        raise FileError(f"all users may write to {path}", why=why, fix=f"chmod o-w {shlex.quote(str(path))}")
    return [
        _read(line.split(), f"{path}, line {number}")
        for number, line in enumerate(lines, 1)
        if line.strip() and not line.lstrip().startswith("#")
    ]


def _read(words: list[str], where: str) -> Key:
    """The key of a line."""
    try:
        name, scope, digest, *rest = words
        ends = None if rest in ([], ["never"]) else _time(rest)
        key = Key(name, Scope(scope), digest.lower(), ends)
    except (ValueError, OverflowError):
        key = None
    if key is None or not re.fullmatch("[0-9a-f]{64}", key.digest):
        why = "a line is a name, read or write, the SHA-256 of the key, and when it ends or never"
        raise FileError(f"{where}: this is no key", why=why, fix="nearsense keys add FILE NAME writes such lines")
    return key


def _time(words: list[str]) -> float:
    found = datetime.fromisoformat(" ".join(words))
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()


def new_key(name: str, scope: Scope, *, ends: float | None = None) -> tuple[str, Key]:
    """A key that nobody can guess, and what is kept of it.

    Raises:
        InputError: The name is none.
    """
    if not NAME.fullmatch(name):
        why = "a name is up to 64 letters, digits, dots, hyphens and underscores"
        raise InputError(f"{name!r} is no name of a key", why=why, fix="name who uses it: laptop, ci, search-page")
    secret = PREFIX + secrets.token_urlsafe(32)
    return secret, Key(name, scope, sha256(secret.encode()).hexdigest(), ends)


def add_key(path: Path, name: str, scope: Scope, *, ends: float | None = None) -> str:
    """Add a new key to a file, which is made where there is none; the key itself is returned, and nowhere else."""
    keys = read_keys(path) if path.exists() else []
    if any(key.name == name for key in keys):
        fix = f"nearsense keys rotate {shlex.quote(str(path))} {name}"
        raise InputError(f"there is a key {name!r}", why="what is revoked by its name has one", fix=fix)
    secret, key = new_key(name, scope, ends=ends)
    _write(path, [*keys, key])
    return secret


def rotate_key(path: Path, name: str, *, overlap: float) -> str:
    """Put a new key in an old one's place, which stays good for `overlap` seconds more, and return the new one."""
    keys = read_keys(path)
    old, now = [key for key in _named(keys, name) if key.holds(time.time())], time.time()
    secret, key = new_key(name, (old or _named(keys, name))[-1].scope)
    ended = [
        replace(each, ends=min(now + overlap, each.ends or now + overlap)) if each.name == name else each
        for each in keys
    ]
    _write(path, [*(each for each in ended if each.holds(now)), key])
    return secret


def remove_keys(path: Path, name: str) -> int:
    """Remove all keys of a name from a file, and say how many that were."""
    keys = read_keys(path)
    gone = _named(keys, name)
    _write(path, [key for key in keys if key.name != name])
    return len(gone)


def _named(keys: Iterable[Key], name: str) -> list[Key]:
    """The keys of a name, of which there has to be one."""
    from nearsense.files.streams import lookalike

    found = [key for key in keys if key.name == name]
    if not found:
        names = sorted({key.name for key in keys})
        near = lookalike(name, names)
        fix = f"did you mean {near}?" if near else "nearsense keys list FILE shows all"
        raise InputError(f"there is no key {name!r}", why=f"there are: {', '.join(names) or 'none'}", fix=fix)
    return found


def _write(path: Path, keys: Iterable[Key]) -> None:
    from nearsense.files import atomic_write

    with atomic_write(path) as stream:
        stream.write((HEADER + "".join(key.line for key in keys)).encode())
