"""Scores to probabilities, and what people mean by a threshold to scores. Knows no model and encodes nothing."""

from __future__ import annotations

from nearsense.calibration.background import Background, background_of
from nearsense.calibration.calibration import ABROAD, Calibration, Figures
from nearsense.calibration.curve import Curve, Form
from nearsense.calibration.learning import learnt
from nearsense.calibration.prior import estimated_share
from nearsense.calibration.shipped import NONE, Task, chosen, load_calibration, shipped
from nearsense.calibration.threshold import Threshold

__all__ = [
    "ABROAD",
    "NONE",
    "Background",
    "Calibration",
    "Curve",
    "Figures",
    "Form",
    "Task",
    "Threshold",
    "background_of",
    "chosen",
    "estimated_share",
    "learnt",
    "load_calibration",
    "shipped",
]
