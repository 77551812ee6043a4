"""What a model gives to the pairs of the probe: where its scores lie, and what a lent calibration needs.

Vectors have a level, where random pairs score, and equal texts score 1. A cross-encoder's numbers have neither;
they are told by evidence: such a number and a cosine of the default model weigh alike where both say as much for
"the same" on the same pairs. Not the curves: see calibration/.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from nearsense._folder import JsonMemo
from nearsense.calibration import Scale
from nearsense.calibration.curve import finite, logit
from nearsense.calibration.fitting import plain_logistic
from nearsense.calibration.probe import ProbePair, languages, probe_pairs
from nearsense.encoders import is_encoder, symmetric_role
from nearsense.settings import load_settings
from nearsense.vectors.rows import normalize

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from nearsense.encoders import CrossEncoder, Encoder

    Floats = NDArray[np.float64]

__all__ = ["EDGE", "ProbeResult", "evidence", "pairs_for", "probe_result", "scale_of", "texts_to_send"]

_FILE = "probe.json"
_LEAST_AUC = 0.9
"""The least chance that a pair that says the same scores higher than an unrelated one (ROC AUC), for a model whose
scores say anything of sense."""

EDGE = 1e-4
"""How near to 0 and 1 a score counts that lies between them, before it is told as log-odds."""

_EVIDENCE = {False: (-4.12, 10.29), True: (-2.79, 9.38)}
"""`evidence` of the default model's nearness on the probe: two of one kind; question and passage."""

_results: dict[str, ProbeResult] = {}


@dataclass(frozen=True, slots=True)
class ProbeResult:
    """What a model gave to pairs of the probe."""

    language: str  # of the pairs
    pairs: int  # how many
    levels: Mapping[str, tuple[float, float, float]]
    """The 5th, 50th and 95th percentile of the scores of each relation: same, near, topic, unrelated."""
    random: tuple[float, float, float] | None
    """The 10th, 50th and 90th percentile of the scores of random pairs; None of a cross-encoder."""
    scale: Scale | None
    """Where unrelated texts score, and how far it is from there to equal ones; None where that says nothing."""
    squeezed: bool = False  # its scores lie between 0 and 1, and the scale is that of their log-odds


def scale_of(encoder: Encoder | None, *, passages: bool = False) -> Scale | None:
    """Where unrelated texts score by a model; see `probe_result`. None where nobody knows, or it cannot tell."""
    found = None if encoder is None else probe_result(encoder, passages=passages)
    return None if found is None else found.scale


def probe_result(
    model: Encoder | CrossEncoder, *, passages: bool = False, send: bool = False
) -> ProbeResult | None:
    """What a model gives to pairs of the probe, or to its questions and `passages`: tried once, and remembered.

    None where it was made for languages that the probe has not, or may not be asked: it is not one that nearsense
    loaded, or runs on a server, and nobody said that texts may be sent there (`send`).
    """
    from nearsense.encoders.batch import TokenEncoder
    from nearsense.encoders.cache import runner_of, uncached
    from nearsense.encoders.cross import PairEncoder
    from nearsense.encoders.remote import RemoteEncoder

    model = uncached(model) if is_encoder(model) else model
    runner = runner_of(model)
    if not isinstance(runner, (TokenEncoder, PairEncoder, RemoteEncoder)):
        return None
    key = f"{model.fingerprint} {'passages' if passages else 'pairs'}"
    if key not in _results:
        file = JsonMemo(load_settings().cache_dir / _FILE)
        found = _read_result(file.read().get(key))
        if found is None:
            language, pairs = pairs_for(model, passages=passages)
            if not pairs or (isinstance(runner, RemoteEncoder) and not send):
                return None
            found = _try_on(model, language, pairs, passages)
            file.write({**file.read(), key: asdict(found)})
        _results[key] = found
    return _results[key]


def texts_to_send(model: Encoder | CrossEncoder) -> int:
    """How many texts `probe_result(..., send=True)` sends for both kinds; 0 where it runs here, or is known."""
    from nearsense.encoders.cache import runner_of
    from nearsense.encoders.remote import RemoteEncoder

    if not isinstance(runner_of(model), RemoteEncoder):
        return 0
    missing = [passages for passages in (False, True) if probe_result(model, passages=passages) is None]
    pairs = [pairs_for(model, passages=passages)[1] for passages in missing]
    return sum(len({pair.left for pair in each}) + len({pair.right for pair in each}) for each in pairs)


def pairs_for(model: Encoder | CrossEncoder, *, passages: bool) -> tuple[str, list[ProbePair]]:
    """A language of the probe, "" for none, and its pairs: English, or the first that the model was made for."""
    made_for = tuple(model.languages) or ("en",)
    language = next((each for each in ("en", *made_for) if each in made_for and each in languages()), "")
    forms = ("passage",) if passages else ("sentences", "questions")
    return language, [each for each in (probe_pairs(language) if language else ()) if each.form in forms]


def evidence(scores: Floats, relations: Sequence[str]) -> tuple[float, float]:
    """What scores of pairs of the probe say for "the same": log likelihood ratio at 0, and what a score of 1 adds.

    Near misses are left out: those of the probe are worded as alike as can be. Labels are softened a little (Platt
    1999), so that a model that makes no error is not sure of everything.
    """
    kept = np.array([each != "near" for each in relations], bool)
    same = np.array([each == "same" for each in relations], bool)[kept]
    yes, no = int(same.sum()), int((~same).sum())
    centre, spread = float(scores[kept].mean()), float(scores[kept].std()) or 1.0
    labels = np.where(same, (yes + 1) / (yes + 2), 1 / (no + 2))
    start, slope = plain_logistic((scores[kept] - centre) / spread, labels)
    return start - float(logit(yes / (yes + no))) - slope * centre / spread, slope / spread


def _try_on(model: Any, language: str, pairs: Sequence[ProbePair], passages: bool) -> ProbeResult:
    relations = [each.relation for each in pairs]
    if not is_encoder(model):
        raw = np.asarray(model.score([(each.left, each.right) for each in pairs], long="head"), np.float64)
        random, squeezed = None, bool(raw.min() >= 0 and raw.max() <= 1)
        told = logit(np.clip(raw, EDGE, 1 - EDGE)) if squeezed else raw
        (start, slope), (nothing, unit) = evidence(told, relations), _EVIDENCE[passages]
        scale = Scale((nothing - start) / slope, unit / slope) if slope > 0 else None
    else:
        scores, squeezed = _cosines(model, pairs, passages), False
        raw, others = np.diagonal(scores), scores[~np.eye(len(pairs), dtype=bool)]
        level, random = float(others.mean()), _percentiles(np.quantile(others, [0.1, 0.5, 0.9]))
        scale = Scale(level, 1 - level) if level <= 0.99 else None
    levels = {
        name: _percentiles(
            np.quantile([s for s, each in zip(raw, relations, strict=True) if each == name], _LEVELS)
        )
        for name in dict.fromkeys(relations)
    }
    if _auc(raw, relations) < _LEAST_AUC:
        scale = None
    return ProbeResult(language, len(pairs), levels, random, scale, squeezed)


_LEVELS = (0.05, 0.5, 0.95)


def _cosines(model: Any, pairs: Sequence[ProbePair], passages: bool) -> Floats:
    """Every left text with every right one."""
    from nearsense.encoders.batch import TokenEncoder
    from nearsense.encoders.cache import runner_of

    role = symmetric_role(model)
    cut = {"long": "head"} if isinstance(runner_of(model), TokenEncoder) else {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        left = model.encode([each.left for each in pairs], role=role, **cut).data
        right = model.encode(
            [each.right for each in pairs], role="passage" if passages and role else role, **cut
        ).data
    return np.asarray(
        normalize(left, zero="keep").astype(np.float64) @ normalize(right, zero="keep").T, np.float64
    )


def _auc(scores: Floats, relations: Sequence[str]) -> float:
    """How often a pair that says the same scores higher than an unrelated one; as high counts half."""
    same, unrelated = (
        np.array([score for score, each in zip(scores, relations, strict=True) if each == name])
        for name in ("same", "unrelated")
    )
    return float((same[:, None] > unrelated).mean() + (same[:, None] == unrelated).mean() / 2)


def _read_result(known: Any) -> ProbeResult | None:
    """What was kept; None where it is of another version, or not in order."""
    try:
        levels = {str(name): _percentiles(three) for name, three in known["levels"].items()}
        random = None if known["random"] is None else _percentiles(known["random"])
        scale = known["scale"]
        found = None if scale is None else Scale(finite(scale["random"]), finite(scale["unit"]))
        return ProbeResult(
            str(known["language"]), int(known["pairs"]), levels, random, found, bool(known["squeezed"])
        )
    except (TypeError, KeyError, ValueError, AttributeError):
        return None


def _percentiles(values: Any) -> tuple[float, float, float]:
    low, middle, high = (finite(each) for each in values)
    return low, middle, high
