"""Which models of the catalogue fit a task, best first. Not whether they do well on your own data."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from enum import StrEnum

from nearsense.encoders.catalog import CATALOG, Figure, Kind, ModelCard, Task
from nearsense.errors import InputError
from nearsense.records import parse


class Preference(StrEnum):
    """What counts more."""

    SPEED = "speed"
    QUALITY = "quality"


_SLOWNESS = {Kind.STATIC: 0, Kind.ENCODER: 1, Kind.CROSS: 2, Kind.REMOTE: 3}


def recommend(
    task: str, languages: Iterable[str] = ("en",), prefer: str = Preference.QUALITY, here: bool = False
) -> list[ModelCard]:
    """The models that were made for a task and know all of the languages, best first.

    The order is a rule, not an opinion. Remote models come last, for texts leave the machine. Then:

    * quality: by the published figure for the task (`sts` for similarity and duplicates, `retrieval` for search
      and rerank). Figures compare only where the measure is the same, so models whose figures share the most
      common measure come first, those with another measure after them, those without a figure last.
    * speed: static models, then encoders, then cross-encoders; of each those that need no PyTorch first, and the
      fewest parameters first.

    What is equal by that is ordered by the other of the two, then by name. The figures were measured in English:
    for other languages they are a hint and no more. Measure on your own texts before you decide.

    Args:
        task: `"similarity"`, `"search"`, `"rerank"` or `"duplicates"`.
        languages: ISO 639-1 codes, of which a model has to know all.
        prefer: `"quality"` or `"speed"`.
        here: Only models that are on this machine.

    Returns:
        Rows of the catalogue; an empty list where none fits.

    Raises:
        InputError: A task, preference or language that the catalogue does not know.

    Example:
        >>> [card.name for card in recommend("duplicates", languages=["de", "en"], prefer="speed")][:2]
        ['static-similarity-mrl-multilingual-v1', 'potion-multilingual-128M']
    """
    wanted, preference = parse(Task, task, name="task"), parse(Preference, prefer, name="prefer")
    codes = _codes(languages)
    fitting = [card for card in CATALOG if wanted in card.tasks and codes <= set(card.languages)]
    if here:
        from nearsense.encoders.folder import installed

        present = {folder.name for folder in installed()}
        fitting = [card for card in fitting if card.name in present]
    speed, quality = _by_speed, _by_quality(wanted, fitting)
    first, second = (speed, quality) if preference is Preference.SPEED else (quality, speed)
    return sorted(
        fitting, key=lambda card: (card.kind is Kind.REMOTE, first(card), second(card), card.name.lower())
    )


def figure_for(task: Task, card: ModelCard) -> Figure | None:
    """The published figure that says most of a model's quality at a task."""
    return card.sts if task in (Task.SIMILARITY, Task.DUPLICATES) else card.retrieval


def known_languages() -> list[str]:
    """The codes of all languages that any model of the catalogue knows, in order."""
    return sorted({code for card in CATALOG for code in card.languages})


def _codes(languages: Iterable[str]) -> set[str]:
    """What was asked for, as known codes."""
    given = [languages] if isinstance(languages, str) else list(languages)
    codes = {str(code).lower() for code in given}
    if unknown := sorted(codes - set(known_languages())):
        why = "languages are given as ISO 639-1 codes, such as en or de"
        fix = f"known are {', '.join(known_languages())}"
        raise InputError(f"no model of the catalogue knows the language {unknown[0]!r}", why=why, fix=fix)
    return codes


def _by_speed(card: ModelCard) -> tuple[int, bool, int]:
    return _SLOWNESS[card.kind], card.torch, card.parameters or _UNKNOWN


def _by_quality(task: Task, cards: list[ModelCard]) -> Callable[[ModelCard], tuple[int, str, float]]:
    """The key that puts the best published figure first, the most common measure before the others."""
    common = Counter(figure.measure for card in cards if (figure := figure_for(task, card)))

    def key(card: ModelCard) -> tuple[int, str, float]:
        figure = figure_for(task, card)
        return (0, "", 0.0) if figure is None else (-common[figure.measure], figure.measure, -figure.value)

    return key


_UNKNOWN = 10**6  # millions of parameters that a model is taken to have whose makers do not say
