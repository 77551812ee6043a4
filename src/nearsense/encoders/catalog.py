"""What is known of models by name: every row, and how a name finds its row. Not where a model's files lie."""

from __future__ import annotations

from nearsense.encoders.cards import Figure, Kind, ModelCard, Task
from nearsense.encoders.encoder_cards import ENCODERS
from nearsense.encoders.other_cards import CROSS_ENCODERS, REMOTE, STATIC

__all__ = ["CATALOG", "Figure", "Kind", "ModelCard", "Task", "card_of"]

CATALOG: tuple[ModelCard, ...] = (*ENCODERS, *STATIC, *CROSS_ENCODERS, *REMOTE)
"""Every model that is known by name; the first is the default."""

_BY_NAME = {name: card for card in reversed(CATALOG) for name in card.names}
"""Where two rows share a repository, the first has it."""


def card_of(name: str) -> ModelCard | None:
    """The row of a model by its name, its repository or a former name, in any case.

    Args:
        name: With or without the organisation. Another organisation's model of the same name is another model.

    Returns:
        The row; None where the name is not known.

    Example:
        >>> card_of("sentence-transformers/all-minilm-l6-v2").dimension
        384
        >>> card_of("cross-encoder/ms-marco-MiniLM-L-6-v2").name
        'ms-marco-MiniLM-L6-v2'
    """
    return _BY_NAME.get(name.lower())
