"""The calibrations that come with nearsense, and which one a caller means. How they were made: scripts/."""

from __future__ import annotations

import functools
import json
import os
from collections.abc import Callable
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import Any

import numpy as np

from nearsense.calibration.calibration import Calibration
from nearsense.calibration.population import Population, Scale, pooled
from nearsense.errors import FileError, InputError
from nearsense.types import Metric, Origin

__all__ = ["NONE", "Task", "beginning", "chosen", "lent", "load_calibration", "shipped"]

NONE = "none"
"""What is said instead of a calibration where no probabilities are wanted."""

_FOLDER = Path(__file__).parent / "shipped"


class Task(StrEnum):
    """Kinds of "the same" that a shipped calibration knows."""

    PARAPHRASE = "paraphrase"
    """Two sentences say the same."""
    QUESTION = "question"
    """Two questions want the same answer."""
    REQUEST = "request"
    """Two requests want the same thing done, though details may differ."""
    PASSAGE = "passage"
    """A passage answers a query."""


def shipped(origin: Origin, task: Task) -> Calibration | None:
    """The calibration that comes with a model; None where there is none for these very weights and this metric."""
    if origin.metric is not Metric.COSINE:
        return None
    return _built(origin.fingerprint, task.value)


def lent(origin: Origin, task: Task, scale: Scale) -> Calibration | None:
    """A calibration for a model that none comes with: the sets of the default model, where this one scores them.

    Args:
        origin: What gave the scores.
        task: What "the same" means.
        scale: Where unrelated texts score by the model.
    """
    found = next((known for (_, name), known in _all_shipped().items() if name == task.value), None)
    if origin.metric is not Metric.COSINE or found is None:
        return None
    own = Calibration.from_dict(found)
    if own.population is None:
        return None
    likely = own.population.likely(scale)
    home = Scale(own.curve.centre, own.curve.scale)
    return replace(
        own,
        model=origin.model,
        fingerprint=origin.fingerprint,
        curve=likely.curve,
        share=likely.share,
        reference=np.clip(scale.random + scale.unit * home.nearness(own.reference), -1.0, 1.0),
        background=None,
        made_from=f"sets by {own.model}; where {origin.model} scores such pairs was found on the probe",
    )


def beginning(origin: Origin, task: str) -> tuple[Population, Scale] | None:
    """What few labels start from: the sets of a known task, of all where it is none, and the scale of the model.

    None where nothing is known of the model.
    """
    known = [
        found for each in Task if (found := shipped(origin, each)) is not None and found.population is not None
    ]
    if not known:
        return None
    named = [found for found in known if found.task == task] or known
    curve = known[0].curve
    return pooled([found.population for found in named if found.population]), Scale(curve.centre, curve.scale)


def chosen(
    calibration: Calibration | str | os.PathLike[str] | None,
    origin: Origin,
    task: Task,
    lend: Callable[[Task], Calibration | None] = lambda task: None,
) -> Calibration | None:
    """The calibration that a caller means.

    Args:
        calibration: A Calibration, the file of one, the name of a task, or "none"; None for what is shipped.
        origin: What gave the scores.
        task: What the verb is about, where nothing is said.
        lend: Gives one for a task where none comes with the model.

    Returns:
        None where nothing is known of such scores, or nothing is wanted.

    Raises:
        ModelMismatch: It is a calibration of another model.
        InputError: It is of another kind of score, or the model has none for that task.
        FileError: The file cannot be read.
    """
    if calibration is None:
        return shipped(origin, task) or lend(task)
    if calibration == NONE:
        return None
    if isinstance(calibration, str) and calibration in set(Task):
        known = shipped(origin, Task(calibration)) or lend(Task(calibration))
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
