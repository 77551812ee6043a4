"""OpenVINO, imported so that it calls nobody, and computes right. The only file that imports it."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from importlib import import_module
from importlib.machinery import ModuleSpec, PathFinder
from threading import RLock
from typing import TYPE_CHECKING, Any

import numpy as np

from nearsense._forks import on_fork

if TYPE_CHECKING:
    from openvino import Model as Model

__all__ = ["core", "openvino"]

REPORTER, CONVERTER = "openvino_telemetry", "openvino.tools.ovc"
"""What reports each import of OpenVINO to its maker, and writes a lasting id into the home folder; and what asks
for it, the converter of other frameworks' models, which nobody here needs; it takes a third of the import."""

CACHE_SIZE = "ONEDNN_PRIMITIVE_CACHE_CAPACITY"

_ONE = RLock()
_ABSENT = object()

on_fork(before=_ONE.acquire, in_parent=_ONE.release, in_child=_ONE.release)  # a child has no half an import


@cache
def openvino() -> Any:
    """OpenVINO itself, without its reporter, and without its converter until somebody asks for it.

    While these are imported they cannot be: OpenVINO then goes without the one, and the other takes the silent
    stand-in that it brings for that case, and keeps it. The reporter can be imported again afterwards by whoever
    wants it. A program that imported OpenVINO before has made that call itself.

    Raises:
        ImportError: OpenVINO is not installed.
    """
    with _ONE, _without(REPORTER, CONVERTER):
        found: Any = import_module("openvino")
    if not hasattr(found, "convert_model"):
        found.convert_model = _convert_model
        sys.meta_path.insert(0, _QuietConverter)
    return found


@cache
def core() -> Any:
    """OpenVINO's core, one for the whole process, kept to its end.

    Each core gives its thread another stack for signals, and where two are let go in the order in which they were
    made, the second leaves the thread the stack of the first, which is no more: the next Ctrl-C would be a crash.

    Raises:
        ImportError: OpenVINO is not installed.
    """
    with _ONE:
        found = openvino().Core()
        _share_no_primitives(found)
    return found


def _share_no_primitives(core: Any) -> None:
    """Have each stream make its matrix products itself, whatever the streams beside it have made.

    Two that need the same product for the first time at the same moment might otherwise get one from oneDNN's
    cache that reads its weights in the other's order: wrong vectors, from then on (docs/architecture.md). The size
    of that cache is read once, when the first product is made: here. Nobody else in the process finds it changed.
    """
    op = openvino().opset13
    x = op.parameter([1, 8], np.float32)
    product = op.relu(op.matmul(x, op.constant(np.eye(8, dtype=np.float32)), False, True))
    before = os.environ.get(CACHE_SIZE)
    os.environ[CACHE_SIZE] = "0"
    try:
        options = {"INFERENCE_NUM_THREADS": 1}
        smallest = core.compile_model(openvino().Model([op.result(product)], [x], "smallest"), "CPU", options)
        smallest.create_infer_request().infer([np.ones((1, 8), np.float32)])
    finally:
        if before is None:
            del os.environ[CACHE_SIZE]
        else:
            os.environ[CACHE_SIZE] = before


def _convert_model(*args: Any, **options: Any) -> Any:
    """`openvino.convert_model`, imported when it is called."""
    return import_module(CONVERTER).convert_model(*args, **options)


class _QuietConverter:
    """Lets whoever imports OpenVINO's converter later have it without the reporter too."""

    @staticmethod
    def find_spec(name: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        """The converter as it would be found anyhow, but silent; nothing else."""
        spec = PathFinder.find_spec(name, path) if name == CONVERTER else None
        if spec is not None and spec.loader is not None:
            run = spec.loader.exec_module

            def exec_module(module: Any) -> None:
                with _ONE, _without(REPORTER):
                    run(module)

            spec.loader.exec_module = exec_module  # type: ignore[method-assign]
        return spec


@contextmanager
def _without(*names: str) -> Iterator[None]:
    """Modules that cannot be imported for a while."""
    before = {name: sys.modules.get(name, _ABSENT) for name in names}
    sys.modules.update(dict.fromkeys(names))  # type: ignore[arg-type]
    try:
        yield
    finally:
        for name, module in before.items():
            if module is _ABSENT:
                sys.modules.pop(name, None)
            else:
                sys.modules[name] = module  # type: ignore[assignment]
