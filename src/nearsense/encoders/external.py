"""Which further files an ONNX file keeps its weights in, read before anything else reads it. No graph here.

ONNX files are protocol buffers (https://protobuf.dev/programming-guides/encoding), and only the few fields that
lead to the names of files are followed; what lies between is passed over.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from pathlib import Path

from nearsense.encoders.places import inside
from nearsense.errors import BrokenModel

__all__ = ["external_files"]

_MESSAGES: dict[str, dict[int, str]] = {
    "model": {7: "graph", 20: "training", 25: "function"},
    "training": {1: "graph", 2: "graph"},
    "function": {7: "node", 11: "attribute"},
    "graph": {1: "node", 5: "tensor", 15: "sparse"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse"},
    "sparse": {1: "tensor", 2: "tensor"},
    "tensor": {13: "entry"},
}
"""Which numbered fields of a message hold which messages (onnx.proto3); an entry: key (1) and value (2)."""

_VARINT, _EIGHT, _BYTES, _FOUR = 0, 1, 2, 5
"""How a field is written; there are no others in ONNX."""


def external_files(file: Path) -> tuple[Path, ...]:
    """The files beside an ONNX file that hold weights of its, by name.

    Args:
        file: The ONNX file.

    Raises:
        BrokenModel: It is no protocol buffer, or names a file that is missing or lies outside of its folder.
    """
    try:
        with file.open("rb") as opened, mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ) as content:
            names = sorted({location.decode() for location in _locations(content)})
    except (ValueError, IndexError) as error:
        raise BrokenModel(
            f"{file} cannot be read",
            why=f"it is truncated or no ONNX file: {error}",
            fix="get the model's folder anew",
        ) from None
    except OSError as error:
        raise BrokenModel(f"{file} cannot be read", why=error.strerror or str(error)) from None
    found = tuple(inside(file.parent, name) for name in names)
    for each in found:
        if not each.is_file():
            raise BrokenModel(
                f"{file} keeps weights in {each.name}, which is missing", fix="get the model's folder anew"
            )
    return found


def _locations(content: mmap.mmap) -> Iterator[bytes]:
    """Every `location` of a tensor's data; a stack instead of recursion, for graphs may be nested without end."""
    left = [("model", 0, len(content))]
    while left:
        kind, start, end = left.pop()
        if kind == "entry":
            entry = {number: content[first:last] for number, first, last in _fields(content, start, end)}
            if entry.get(1) == b"location":
                yield entry.get(2, b"")
            continue
        known = _MESSAGES[kind]
        left += [
            (known[number], first, last) for number, first, last in _fields(content, start, end) if number in known
        ]


def _fields(content: mmap.mmap, start: int, end: int) -> Iterator[tuple[int, int, int]]:
    """The fields of the message between two places that hold bytes: number, begin, end."""
    while start < end:
        tag, start = _varint(content, start)
        kind = tag & 7
        if kind == _VARINT:
            _, start = _varint(content, start)
        elif kind in (_EIGHT, _FOUR):
            start += 8 if kind == _EIGHT else 4
        elif kind == _BYTES:
            length, start = _varint(content, start)
            if start + length > end:
                raise ValueError(f"a field ends {start + length - end:,} bytes behind what holds it")
            yield tag >> 3, start, start + length
            start += length
        else:
            raise ValueError(f"a field of kind {kind}")


def _varint(content: mmap.mmap, start: int) -> tuple[int, int]:
    """A number of seven bits a byte, and where it ends."""
    value = 0
    for place in range(10):
        byte = content[start + place]
        value |= (byte & 127) << (7 * place)
        if byte < 128:
            return value, start + place + 1
    raise ValueError("a number of more than ten bytes")
