"""Scores to probabilities, and what people mean by a threshold to scores. Knows no model and encodes nothing."""

from __future__ import annotations

from nearsense.calibration.background import Background, background_of, random_scores
from nearsense.calibration.calibration import (
    ABROAD,
    NONE,
    Calibration,
    Figures,
    lend_calibration,
    load_calibration,
    resolve_calibration,
    shipped_calibration,
    starting_sets,
)
from nearsense.calibration.curve import Curve, Form
from nearsense.calibration.learning import learn_calibration
from nearsense.calibration.population import Population, Scale, pool_sets, population_of, traits_of
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
    "learn_calibration",
    "lend_calibration",
    "load_calibration",
    "pool_sets",
    "population_of",
    "random_scores",
    "resolve_calibration",
    "shipped_calibration",
    "starting_sets",
    "traits_of",
]
