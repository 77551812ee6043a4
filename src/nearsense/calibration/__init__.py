"""Scores to probabilities, and what people mean by a threshold to scores. Knows no model and encodes nothing."""

from __future__ import annotations

from nearsense.calibration.background import Background, background_of, random_scores
from nearsense.calibration.calibration import (
    ABROAD,
    NONE,
    Calibration,
    Figures,
    beginning,
    chosen,
    lent,
    load_calibration,
    shipped,
)
from nearsense.calibration.curve import Curve, Form
from nearsense.calibration.learning import learnt
from nearsense.calibration.population import Population, Scale, pooled, population_of, traits_of
from nearsense.calibration.threshold import Threshold
from nearsense.kinds import Task

__all__ = [
    "ABROAD",
    "NONE",
    "Background",
    "Calibration",
    "Curve",
    "Figures",
    "Form",
    "Population",
    "Scale",
    "Task",
    "Threshold",
    "background_of",
    "beginning",
    "chosen",
    "learnt",
    "lent",
    "load_calibration",
    "pooled",
    "population_of",
    "random_scores",
    "shipped",
    "traits_of",
]
