"""Pairs of texts on which any model can be tried: see README.md beside this file."""

from __future__ import annotations

import functools
import json
from dataclasses import dataclass
from pathlib import Path

_FOLDER = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class ProbePair:
    """Two texts, and what they have in common."""

    left: str
    right: str
    relation: str  # "same", "near", "topic" or "unrelated"
    form: str  # "sentences", "questions", "request", "passage" or "headline"
    domain: str  # what they are about


@functools.cache
def probe_pairs(language: str = "en") -> tuple[ProbePair, ...]:
    """The pairs of a language ("it"), or of two ("en-it").

    Example:
        >>> len(probe_pairs("en")), probe_pairs("it")[0].relation
        (1030, 'same')
    """
    lines = (_FOLDER / f"{language}.jsonl").read_text(encoding="utf-8").splitlines()
    return tuple(ProbePair(**json.loads(line)) for line in lines)


def languages() -> tuple[str, ...]:
    """Languages, and pairs of languages, that there are pairs of.

    Example:
        >>> "de" in languages(), "en-zh" in languages()
        (True, True)
    """
    return tuple(sorted(file.stem for file in _FOLDER.glob("*.jsonl")))
