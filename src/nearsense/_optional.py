"""Import an optional dependency, or say what to install. Not for the core's own dependencies."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from types import ModuleType

from nearsense.errors import MissingExtra


def require(module: str, *, extra: str | None, purpose: str) -> ModuleType:
    """Import `module`, or raise an error that names the extra that brings it, or the package itself.

    Args:
        module: The module's import name, e.g. `"pyarrow.parquet"`.
        extra: The extra of nearsense that installs it, e.g. `"parquet"`; None where none does, for PyTorch.
        purpose: What it is needed for, as the start of a sentence: `"reading parquet files"`.

    Raises:
        MissingExtra: The module is not installed.

    Example:
        >>> require("json", extra="none", purpose="reading JSON").__name__
        'json'
    """
    try:
        with _leaving_nothing(module.partition(".")[0]):
            return import_module(module)
    except ImportError as error:
        package = module.partition(".")[0]
        brings = f"it is optional: the extra '{extra}' of nearsense brings it"
        raise MissingExtra(
            f"{purpose} needs the package {package}, which is not installed",
            why=brings if extra else "no extra of nearsense brings it: it needs PyTorch",
            fix=f"pip install 'nearsense[{extra}]'" if extra else f"pip install {package}",
        ) from error


_COMPILED = "TORCHINDUCTOR_CACHE_DIR"
_ABOVE_TORCH = ("torch", "sentence_transformers", "transformers", "accelerate", "peft")


@contextmanager
def _leaving_nothing(package: str) -> Iterator[None]:
    """PyTorch, where it is imported, makes a folder for what it might compile: one that goes again."""
    if package not in _ABOVE_TORCH or _COMPILED in os.environ or "torch._dynamo" in sys.modules:
        yield
        return
    from tempfile import TemporaryDirectory

    with TemporaryDirectory(prefix="nearsense-") as folder:
        os.environ[_COMPILED] = folder
        try:
            yield
        finally:
            os.environ.pop(_COMPILED, None)
