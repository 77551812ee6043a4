"""The calibrations that come with nearsense, and which one a caller means. How they were made: scripts/."""

from __future__ import annotations

import functools
import json
import os
from enum import StrEnum
from pathlib import Path
from typing import Any

from nearsense.calibration.calibration import Calibration
from nearsense.errors import FileError, InputError
from nearsense.types import Metric, Origin

__all__ = ["NONE", "Task", "chosen", "load_calibration", "shipped"]

NONE = "none"
"""What is said instead of a calibration where no probabilities are wanted."""

_FOLDER = Path(__file__).parent / "shipped"


class Task(StrEnum):
    """Kinds of "the same" that a shipped calibration knows."""

    PARAPHRASE = "paraphrase"
    """Two sentences say the same."""
    QUESTION = "question"
    """Two questions want the same answer."""
    PASSAGE = "passage"
    """A passage answers a query."""


def shipped(origin: Origin, task: Task) -> Calibration | None:
    """The calibration that comes with a model; None where there is none for these very weights and this metric."""
    if origin.metric is not Metric.COSINE:
        return None
    return _built(origin.fingerprint, task.value)


def chosen(
    calibration: Calibration | str | os.PathLike[str] | None, origin: Origin, task: Task
) -> Calibration | None:
    """The calibration that a caller means.

    Args:
        calibration: A Calibration, the file of one, the name of a task, or "none"; None for what is shipped.
        origin: What gave the scores.
        task: What the verb is about, where nothing is said.

    Returns:
        None where nothing is known of such scores, or nothing is wanted.

    Raises:
        ModelMismatch: It is a calibration of another model.
        InputError: It is of another kind of score, or the model has none for that task.
        FileError: The file cannot be read.
    """
    if calibration is None:
        return shipped(origin, task)
    if calibration == NONE:
        return None
    if isinstance(calibration, str) and calibration in set(Task):
        known = shipped(origin, Task(calibration))
        if known is None:
            raise InputError(
                f"no calibration for {calibration!r} comes with {origin.model} ({origin.metric.value})",
                why="shipped calibrations are of cosine similarities by all-MiniLM-L6-v2",
                fix=f"make one: nearsense calibrate PAIRS --model {origin.model}",
            )
        return known
    found = calibration if isinstance(calibration, Calibration) else load_calibration(calibration)
    found.require(origin.model, origin.fingerprint, origin.metric)
    return found


def load_calibration(path: str | os.PathLike[str]) -> Calibration:
    """Read a calibration from its file.

    Args:
        path: A JSON file that `Calibration.save` wrote.

    Raises:
        FileError: There is no such file, or it cannot be read.
        InputError: It holds no calibration.

    Example:
        >>> load_calibration("missing.json")
        Traceback (most recent call last):
        ...
        nearsense.errors.FileError: missing.json cannot be read...
    """
    try:
        known = json.loads(Path(path).read_text(encoding="utf-8-sig"))
    except OSError as error:
        names = ", ".join(Task)
        raise FileError(
            f"{os.fspath(path)} cannot be read",
            why=error.strerror or str(error),
            fix=f"give a calibration's file, one of {names}, or {NONE}",
        ) from None
    except (ValueError, RecursionError) as error:
        raise InputError(f"{os.fspath(path)} is no calibration", why=f"it is no JSON: {error}") from None
    return Calibration.from_dict(known if isinstance(known, dict) else {})


@functools.cache
def _all_shipped() -> dict[tuple[str, str], dict[str, Any]]:
    files = [json.loads(file.read_text(encoding="utf-8")) for file in sorted(_FOLDER.glob("*.json"))]
    return {(known["fingerprint"], task): known for file in files for task, known in file["tasks"].items()}


@functools.cache
def _built(fingerprint: str, task: str) -> Calibration | None:
    known = _all_shipped().get((fingerprint, task))
    return None if known is None else Calibration.from_dict(known)
