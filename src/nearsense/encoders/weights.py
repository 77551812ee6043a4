"""A model's files: its tensors as float32 arrays by name, and their hashes, remembered. Pickles are never read.

The one file that knows `safetensors`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nearsense._folder import JsonMemo
from nearsense.encoders.base import damaged
from nearsense.errors import BrokenModel, UnsupportedModel

if TYPE_CHECKING:
    from numpy.typing import NDArray


_OLD_NAMES = {".gamma": ".weight", ".beta": ".bias"}
"""What the first BERT checkpoints call the two halves of a layer norm."""


class Weights(Mapping[str, "NDArray[np.float32]"]):
    """The tensors of safetensors files, read when they are asked for, with and without `prefix`."""

    def __init__(self, files: Path | Sequence[Path], prefix: str = "") -> None:
        self._parts = [_Part(file) for file in ([files] if isinstance(files, Path) else files)]
        self._names: dict[str, tuple[_Part, str]] = {}
        for part in self._parts:
            for stored in part.names():
                name = stored.removeprefix(prefix)
                for old, new in _OLD_NAMES.items():
                    name = name.removesuffix(old) + new if name.endswith(old) else name
                self._names[stored] = self._names[name] = part, stored

    def __getitem__(self, name: str) -> NDArray[np.float32]:
        part, stored = self._locate(name)
        return part.tensor(stored)

    def _locate(self, name: str) -> tuple[_Part, str]:
        if name not in self._names:
            why = "config.json describes another architecture than the weights have"
            raise damaged(f"{self._parts[0].path} has no tensor {name!r}", why)
        return self._names[name]

    def __contains__(self, name: object) -> bool:
        return name in self._names

    def stored(self, name: str) -> NDArray[Any] | None:
        """A tensor as it is stored, integers too; None where it is missing."""
        if name not in self._names:
            return None
        part, own = self._names[name]
        return part.stored(own)

    def shape(self, name: str) -> tuple[int, ...]:
        """The shape of a tensor, without reading it; raises where it is missing, as asking for it does."""
        part, stored = self._locate(name)
        return part.shape(stored)

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


class _Part:
    """One file."""

    def __init__(self, path: Path) -> None:
        from safetensors import safe_open

        opened: Any = safe_open
        self.path = path
        try:
            self._file = opened(str(path), framework="numpy")
        except Exception as error:  # the library raises plain Exceptions of its own
            raise damaged(f"{path} cannot be read", f"it is truncated or no safetensors file: {error}") from None

    def names(self) -> list[str]:
        return list(self._file.keys())

    def tensor(self, name: str) -> NDArray[np.float32]:
        kind = self._kind(name)
        if kind not in ("F32", "F16", "BF16"):
            why = "only F32, F16 and BF16 weights are read"
            fix = "use a copy of the model with float32 weights"
            raise UnsupportedModel(f"{self.path}: the tensor {name!r} is stored as {kind}", why=why, fix=fix)
        return self.stored(name).astype(np.float32, copy=False)

    def stored(self, name: str) -> NDArray[Any]:
        kind = self._kind(name)
        if kind == "BF16":
            return self._halves[name]
        if kind.startswith("F8"):
            why = "numbers of 8 bits with a point are not read"
            fix = "use a copy of the model with float32 weights"
            raise UnsupportedModel(f"{self.path}: the tensor {name!r} is stored as {kind}", why=why, fix=fix)
        tensor: NDArray[Any] = self._file.get_tensor(name)
        return tensor

    def shape(self, name: str) -> tuple[int, ...]:
        return tuple(self._file.get_slice(name).get_shape())

    def _kind(self, name: str) -> str:
        return str(self._file.get_slice(name).get_dtype())

    @cached_property
    def _halves(self) -> dict[str, NDArray[np.float32]]:
        """The bfloat16 tensors: the upper halves of float32 numbers, a type that numpy does not have."""
        import safetensors

        deserialize: Any = safetensors.deserialize
        found = {}
        for name, each in deserialize(self.path.read_bytes()):
            if each["dtype"] == "BF16":
                upper = np.frombuffer(each["data"], np.uint16).astype(np.uint32) << 16
                found[name] = upper.view(np.float32).reshape(each["shape"])
        return found


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
