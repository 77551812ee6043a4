"""OpenVINO, imported so that it calls nobody. The only file that imports it."""

from __future__ import annotations

import sys
from functools import cache
from importlib import import_module
from threading import RLock
from typing import TYPE_CHECKING, Any

from nearsense._forks import on_fork

if TYPE_CHECKING:
    from openvino import Model as Model

__all__ = ["openvino"]

REPORTER = "openvino_telemetry"
"""What reports each import of OpenVINO to its maker, and writes a lasting id into the home folder."""

_ONE = RLock()
_ABSENT = object()

on_fork(before=_ONE.acquire, in_parent=_ONE.release, in_child=_ONE.release)  # a child has no half an import


@cache
def openvino() -> Any:
    """OpenVINO itself, without its reporter.

    While it is imported its reporter cannot be: OpenVINO then takes the silent stand-in that it brings for that
    case, and keeps it. The reporter can be imported again afterwards by whoever wants it. A program that imported
    OpenVINO before has made that call itself.

    Raises:
        ImportError: OpenVINO is not installed.
    """
    with _ONE:
        before = sys.modules.get(REPORTER, _ABSENT)
        sys.modules[REPORTER] = None  # type: ignore[assignment]
        try:
            return import_module("openvino")
        finally:
            if before is _ABSENT:
                sys.modules.pop(REPORTER, None)
            else:
                sys.modules[REPORTER] = before  # type: ignore[assignment]
