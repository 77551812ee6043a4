"""Which calibration a caller means: one that comes with nearsense, from a file, lent to another model, or none."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from nearsense.calibration.calibration import Calibration, all_shipped, built, shipped
from nearsense.calibration.curve import sigmoid
from nearsense.calibration.population import Population, Scale, pooled
from nearsense.errors import FileError, InputError
from nearsense.kinds import Metric, Ranking, Task
from nearsense.records import Origin

NONE = "none"
"""What is said instead of a calibration where no probabilities are wanted."""


def lent(origin: Origin, task: Task, scale: Scale, *, squeezed: bool = False) -> Calibration | None:
    """A calibration for a model that none comes with: the sets of the default model, on the scale of this one.

    Where scores are `squeezed`, from 0 to 1, the scale is that of their log-odds, and pairs at hand move nothing.
    """
    own = next((built(*key) for key in all_shipped() if key[1] == task.value), None)
    if origin.metric not in (Metric.COSINE, Ranking.CROSS) or own is None or own.population is None:
        return None
    likely = own.population.likely(scale)
    reference = scale.random + scale.unit * Scale(own.curve.centre, own.curve.scale).nearness(own.reference)
    if origin.metric is Metric.COSINE:
        reference = np.clip(reference, -1.0, 1.0)
    return replace(
        own,
        model=origin.model,
        fingerprint=origin.fingerprint,
        metric=origin.metric,
        curve=likely.curve.of_squeezed() if squeezed else likely.curve,
        share=likely.share,
        reference=sigmoid(reference) if squeezed else reference,
        background=None,
        population=None if squeezed else own.population,
        made_from=f"sets by {own.model}; where {origin.model} scores such pairs was found on the probe",
    )


def beginning(
    origin: Origin, task: str, lend: Callable[[Task], Calibration | None] = lambda task: None
) -> tuple[Population, Scale] | None:
    """What few labels start from: the sets of a known task, of all where it is none, and the model's scale.

    Where no calibration comes with the model, `lend` gives one for a task.
    """
    tasks = [Task(task)] if task in set(Task) else list(Task)
    found = [known for each in tasks if (known := shipped(origin, each) or lend(each)) is not None]
    populations = [each.population for each in found if each.population is not None]
    return (pooled(populations), Scale(found[0].curve.centre, found[0].curve.scale)) if populations else None


def chosen(
    calibration: Calibration | str | os.PathLike[str] | None,
    origin: Origin,
    task: Task,
    lend: Callable[[Task], Calibration | None] = lambda task: None,
) -> Calibration | None:
    """The calibration that a caller means: a Calibration, its file, a task, "none", or None for what is shipped.

    Where none comes with the model, `lend` gives one for a task. None where nothing is known, or wanted.
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
        fix = f"give a calibration's file, one of {names}, or {NONE}"
        raise FileError(f"{os.fspath(path)} cannot be read", why=error.strerror or str(error), fix=fix) from None
    except (ValueError, RecursionError) as error:
        raise InputError(f"{os.fspath(path)} is no calibration", why=f"it is no JSON: {error}") from None
    return Calibration.from_dict(known if isinstance(known, dict) else {})
