"""What there is at a path that somebody named; False where that may not be looked at, or where no path can be so.

pathlib's own raise a PermissionError there, and an OSError for a name that is too long. Who then opens the path
says what the matter is. The store has words of its own for such errors, and asks pathlib.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

_ADDRESS = re.compile(r"\s*postgres(ql)?(\+\w+)?:/", re.IGNORECASE)
_SCHEME = re.compile(r"([a-z][a-z0-9+.-]+):/", re.IGNORECASE)


def expanded(path: str | os.PathLike[str]) -> Path:
    """The path with the home folder for its ~; as it stands where there is no such user, which pathlib refuses."""
    return Path(os.path.expanduser(path))  # noqa: PTH111


def exists(path: str | os.PathLike[str]) -> bool:
    """Whether there is anything, links followed."""
    return os.path.exists(path)  # noqa: PTH110


def is_file(path: str | os.PathLike[str]) -> bool:
    """Whether there is a regular file, links followed."""
    return os.path.isfile(path)  # noqa: PTH113


def is_folder(path: str | os.PathLike[str]) -> bool:
    """Whether there is a folder, links followed."""
    return os.path.isdir(path)  # noqa: PTH112


def hidden(path: str | os.PathLike[str]) -> str:
    """Why it cannot be seen whether there is anything; empty where it can."""
    try:
        os.stat(path)  # noqa: PTH116
    except (FileNotFoundError, NotADirectoryError):
        return ""
    except (OSError, ValueError) as error:
        return getattr(error, "strerror", None) or str(error)
    return ""


def is_link(path: str | os.PathLike[str]) -> bool:
    """Whether it is a link itself."""
    return os.path.islink(path)  # noqa: PTH114


def scheme_of(path: str | os.PathLike[str]) -> str:
    """The scheme of what was meant as an address, also where it became a path; empty for a path.

    Example:
        >>> scheme_of("ftp://ann@db.example/x.csv"), scheme_of(Path("mysql://db/x")), scheme_of("c:/x.csv")
        ('ftp', 'mysql', '')
    """
    found = _SCHEME.match(str(path))
    return found[1] if found else ""


def is_url(path: str | os.PathLike[str]) -> bool:
    """Whether it is no path but the address of a collection in PostgreSQL, or meant as one.

    Example:
        >>> is_url("postgresql://ann@db.example/shop"), is_url("shop.nearsense")
        (True, False)
        >>> is_url("PostgreSQL+psycopg://ann@db.example/shop")
        True
    """
    return isinstance(path, str) and _ADDRESS.match(path) is not None
