"""Arrays as a file that says whether it is whole: what a run keeps between steps. Not for users."""

from __future__ import annotations

import io
import zlib
from typing import Any

import numpy as np

from nearsense.bulk.places import Place
from nearsense.errors import FileError


def packed(*arrays: Any) -> bytes:
    """Arrays as bytes, with a checksum."""
    stream = io.BytesIO()
    for each in arrays:
        np.save(stream, each)
    content = stream.getvalue()
    return content + zlib.crc32(content).to_bytes(4, "little")


def unpacked(place: Place, name: str) -> list[Any]:
    """The arrays of a file, as they were packed.

    Raises:
        FileError: It is not there, or not as it was written.
    """
    content = place.read(name) or b""
    if zlib.crc32(content[:-4]).to_bytes(4, "little") != content[-4:]:
        what, fix = f"{place.shown}/{name} is damaged", "remove it, and add --resume: it is made again"
        raise FileError(what, why="its checksum is another", fix=fix)
    stream, found = io.BytesIO(content[:-4]), []
    while stream.tell() < len(content) - 4:
        found.append(np.load(stream, allow_pickle=False))
    return found
