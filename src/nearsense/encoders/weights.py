"""A model's files: its tensors as float32 arrays by name, and their hashes, remembered. Pickles are never read.

The one file that knows `safetensors`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from nearsense._folder import JsonMemo
from nearsense.encoders.base import damaged
from nearsense.errors import BrokenModel, UnsupportedModel

if TYPE_CHECKING:
    from numpy.typing import NDArray


_OLD_NAMES = {".gamma": ".weight", ".beta": ".bias"}
"""What the first BERT checkpoints call the two halves of a layer norm."""


class Weights:
    """The tensors of safetensors files, read when they are asked for, with and without `prefix`."""

    def __init__(self, files: Path | Sequence[Path], prefix: str = "") -> None:
        self._files = [files] if isinstance(files, Path) else list(files)
        self._tensors: dict[str, _Stored] = {}
        for file in self._files:
            opened = _opened(file)
            for stored in opened.keys():  # noqa: SIM118 - it is no mapping
                name = stored.removeprefix(prefix)
                for old, new in _OLD_NAMES.items():
                    name = name.removesuffix(old) + new if name.endswith(old) else name
                self._tensors[stored] = self._tensors[name] = _Stored(file, opened, stored)

    def __getitem__(self, name: str) -> NDArray[np.float32]:
        tensor = self._locate(name)
        if tensor.kind not in ("F32", "F16", "BF16"):
            raise tensor.not_read("only F32, F16 and BF16 weights are read")
        return self._read(tensor).astype(np.float32, copy=False)

    def _locate(self, name: str) -> _Stored:
        if name not in self._tensors:
            why = "config.json describes another architecture than the weights have"
            raise damaged(f"{self._files[0]} has no tensor {name!r}", why)
        return self._tensors[name]

    def __contains__(self, name: object) -> bool:
        return name in self._tensors

    def stored(self, name: str) -> NDArray[Any] | None:
        """A tensor as it is stored, integers too; None where it is missing."""
        return self._read(self._tensors[name]) if name in self._tensors else None

    def shape(self, name: str) -> tuple[int, ...]:
        """The shape of a tensor, without reading it; raises where it is missing, as asking for it does."""
        return tuple(self._locate(name).slice.get_shape())

    def _read(self, tensor: _Stored) -> NDArray[Any]:
        if tensor.kind == "BF16":
            return self._halves[tensor.file, tensor.name]
        if tensor.kind.startswith("F8"):
            raise tensor.not_read("numbers of 8 bits with a point are not read")
        found: NDArray[Any] = tensor.opened.get_tensor(tensor.name)
        return found

    @cached_property
    def _halves(self) -> dict[tuple[Path, str], NDArray[np.float32]]:
        """The bfloat16 tensors: the upper halves of float32 numbers, a type that numpy does not have."""
        import safetensors

        deserialize: Any = safetensors.deserialize
        found = {}
        for file in self._files:
            for name, each in deserialize(file.read_bytes()):
                if each["dtype"] == "BF16":
                    upper = np.frombuffer(each["data"], np.uint16).astype(np.uint32) << 16
                    found[file, name] = upper.view(np.float32).reshape(each["shape"])
        return found


class _Stored(NamedTuple):
    """Where a tensor is: in which file, and by what name there."""

    file: Path
    opened: Any
    name: str

    @property
    def slice(self) -> Any:
        return self.opened.get_slice(self.name)

    @property
    def kind(self) -> str:
        return str(self.slice.get_dtype())

    def not_read(self, why: str) -> UnsupportedModel:
        what = f"{self.file}: the tensor {self.name!r} is stored as {self.kind}"
        return UnsupportedModel(what, why=why, fix="use a copy of the model with float32 weights")


def _opened(file: Path) -> Any:
    from safetensors import safe_open

    try:
        return safe_open(str(file), framework="numpy")
    except Exception as error:  # the library raises plain Exceptions of its own
        raise damaged(f"{file} cannot be read", f"it is truncated or no safetensors file: {error}") from None


def write_tensors(path: Path, tensors: Mapping[str, NDArray[Any]]) -> None:
    """Write a safetensors file, in the order of the names."""
    from safetensors.numpy import save_file

    save_file({name: np.ascontiguousarray(tensors[name]) for name in sorted(tensors)}, str(path))


def identity_of(path: Path) -> str:
    """What a file is known by: it counts as the same while path, size, inode and time of its last change are."""
    stat = path.stat()
    return "|".join(map(str, (path.resolve(), stat.st_size, stat.st_ino, stat.st_mtime_ns)))


class FileHashes:
    """Hashes of files, kept in one JSON file of the cache folder.

    A file counts as the same while path, size, inode and the nanosecond of its last change are.
    """

    def __init__(self, cache_dir: Path) -> None:
        self._memo = JsonMemo(cache_dir / "file-hashes.json")

    def sha256(self, path: Path, *, anew: bool = False) -> str:
        """The hash of a file as 64 hexadecimal digits; `anew` computes it whatever is remembered."""
        try:
            key, known = identity_of(path), self._memo.read()
            if anew or key not in known:
                import hashlib

                with path.open("rb") as file:
                    known[key] = hashlib.file_digest(file, "sha256").hexdigest()
                self._memo.write(known)
            return str(known[key])
        except OSError as error:
            fix = "check the file and its permissions"
            raise BrokenModel(f"{path} cannot be read", why=error.strerror or str(error), fix=fix) from None
