"""A model's weights as float32 arrays by name. The one file that knows `safetensors`; pickles are never read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nearsense.errors import BrokenModel, UnsupportedModel

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Weights"]


class Weights(Mapping[str, "NDArray[np.float32]"]):
    """The tensors of a safetensors file, read when they are asked for.

    Args:
        file: The safetensors file.

    Raises:
        BrokenModel: The file is truncated or no safetensors file; when a tensor is asked for, it is missing.
        UnsupportedModel: When a tensor is asked for: its type is neither float32 nor float16.
    """

    def __init__(self, file: Path) -> None:
        from safetensors import safe_open

        opened: Any = safe_open
        self._path = file
        try:
            self._file = opened(str(file), framework="numpy")
        except Exception as error:  # the library raises plain Exceptions of its own
            raise BrokenModel(
                f"{file} cannot be read",
                why=f"it is truncated or no safetensors file: {error}",
                fix="get the model's folder anew",
            ) from None
        self._names: dict[str, str] = {name.removeprefix("bert."): name for name in self._file.keys()}  # noqa: SIM118

    def __getitem__(self, name: str) -> NDArray[np.float32]:
        if name not in self._names:
            raise BrokenModel(
                f"{self._path} has no tensor {name!r}",
                why="config.json describes another architecture than the weights have",
                fix="get the model's folder anew",
            )
        kind = self._file.get_slice(self._names[name]).get_dtype()
        if kind not in ("F32", "F16"):
            raise UnsupportedModel(
                f"{self._path}: the tensor {name!r} is stored as {kind}",
                why="only F32 and F16 weights are read",
                fix="use a copy of the model with float32 weights",
            )
        tensor: NDArray[np.float32] = self._file.get_tensor(self._names[name])
        return tensor.astype(np.float32, copy=False)

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)
