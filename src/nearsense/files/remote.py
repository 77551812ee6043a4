"""Files on a web server or in an object store, by their address. The one file that knows fsspec.

Nothing is asked unless an address stands where a file is named, and nothing at all where the settings say offline.
"""

from __future__ import annotations

import re
from typing import Any

from nearsense._optional import require
from nearsense.errors import FileError, MissingExtra
from nearsense.files.streams import Source, held
from nearsense.settings import load_settings

KINDS = ("http", "https", "s3", "s3a", "gs", "gcs", "az", "abfs", "sftp")
"""How an address begins."""
_ADDRESS = re.compile(f"({'|'.join(KINDS)})://", re.IGNORECASE)
LARGEST = 2 << 30
"""Bytes that are fetched at most."""


def is_address(path: str) -> bool:
    """Whether a name is an address elsewhere."""
    return _ADDRESS.match(path) is not None


def fetched(address: str) -> Source:
    """All that lies at an address, under the file's name there.

    Raises:
        FileError: Offline is set, or it cannot be fetched.
        MissingExtra: What its kind needs is not installed.
    """
    shown = re.sub(r"//[^/@]*@", "//", address.partition("?")[0])
    if load_settings().offline:
        fix = "download it, or unset offline (NEARSENSE_OFFLINE, or the settings file)"
        raise FileError(f"{shown} is not fetched", why="offline is set", fix=fix)
    fsspec: Any = require("fsspec", extra="remote", purpose="reading files elsewhere")
    try:
        with fsspec.open(address, "rb") as stream:
            content = bytes(stream.read(LARGEST + 1))
    except ImportError as error:
        what = f"reading {address.partition(':')[0]} addresses needs a package that is not installed"
        raise MissingExtra(what, why=str(error), fix="pip install 'nearsense[remote]'") from error
    except Exception as error:  # each kind of store has errors of its own
        why = " ".join(str(error).split())[:160] or type(error).__name__
        raise FileError(f"{shown} cannot be fetched", why=why, fix="check the address, or download it") from error
    if len(content) > LARGEST:
        raise FileError(f"{shown} is larger than 2 GB", why="it is read as a whole", fix="download it")
    return held(address.partition("?")[0].partition("#")[0].rstrip("/").rpartition("/")[2], content)
