"""Where a model scores unrelated texts, found on the probe: what a lent calibration needs. Not the curves."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import numpy as np

from nearsense.calibration import Scale
from nearsense.calibration.probe import languages, probe_pairs
from nearsense.encoders import symmetric_role
from nearsense.encoders.hashes import Remembered
from nearsense.settings import load_settings

if TYPE_CHECKING:
    from nearsense.encoders import Encoder

__all__ = ["scale_of"]

_FILE = "probe.json"
_TELLS_APART = 0.9
"""The least chance that a pair that says the same scores higher than an unrelated one (ROC AUC), for a model whose
scores say anything of sense."""

_known: dict[str, Scale | None] = {}


def scale_of(encoder: Encoder | None, *, passages: bool = False) -> Scale | None:
    """Where unrelated texts score by a model, tried once on the probe and remembered with its fingerprint.

    Args:
        encoder: The model. Only those that run here are tried: no text is sent anywhere for it.
        passages: Whether of a question and a passage, or of two texts of one kind.

    Returns:
        None where the model is none of these, was made for languages that the probe has not, or does not tell what
        says the same from what has nothing in common.
    """
    model = _local(encoder)
    if model is None:
        return None
    key = f"{model.fingerprint} {'passages' if passages else 'pairs'}"
    if key not in _known:
        file = Remembered(load_settings().cache_dir / _FILE)
        remembered = file.read()
        if key not in remembered:
            found = _tried(model, passages)
            remembered[key] = None if found is None else [found.random, found.unit]
            file.write(remembered)
        both = remembered[key]
        _known[key] = None if both is None else Scale(*map(float, both))
    return _known[key]


def _local(encoder: Encoder | None) -> Encoder | None:
    """The model itself, not the cache before it; None where it does not run here."""
    from nearsense.encoders.batch import TokenEncoder
    from nearsense.encoders.cache import CachedEncoder

    while isinstance(encoder, CachedEncoder):
        encoder = encoder._encoder
    return encoder if isinstance(encoder, TokenEncoder) else None


def _tried(model: Encoder, passages: bool) -> Scale | None:
    """The scale of a model, of the first language that it was made for."""
    made_for = tuple(getattr(model, "languages", ())) or ("en",)
    language = next((each for each in ("en", *made_for) if each in made_for and each in languages()), None)
    if language is None:
        return None
    forms = ("passage",) if passages else ("sentences", "questions")
    pairs = [each for each in probe_pairs(language) if each.form in forms]
    role = symmetric_role(model)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        left = model.encode([each.left for each in pairs], role=role, long="head").data
        right = model.encode(
            [each.right for each in pairs], role="passage" if passages and role else role, long="head"
        ).data
    norms = [np.linalg.norm(each, axis=1, keepdims=True) for each in (left, right)]
    scores = (left / norms[0]).astype(np.float64) @ (right / norms[1]).T
    random = float(scores[~np.eye(len(pairs), dtype=bool)].mean())
    if random > 0.99 or _told_apart(np.diagonal(scores), [each.relation for each in pairs]) < _TELLS_APART:
        return None
    return Scale(random, 1 - random)


def _told_apart(scores: np.ndarray, relations: list[str]) -> float:
    """How often a pair that says the same scores higher than one that has nothing in common."""
    same, unrelated = (
        np.array([score for score, each in zip(scores, relations, strict=True) if each == name])
        for name in ("same", "unrelated")
    )
    return float((same[:, None] > unrelated).mean())
