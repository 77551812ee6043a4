"""Clusters whose truth is known: texts that are made of topics, and vectors around centres."""

from __future__ import annotations

import numpy as np

import nearsense as ns

TOPICS = {
    "card": ("lost card", "stolen wallet", "blocked plastic"),
    "parcel": ("late parcel", "missing delivery", "broken package"),
    "rate": ("exchange rate", "foreign currency", "wrong conversion"),
    "login": ("forgotten password", "locked account", "expired session"),
}

FRAMES = (
    "Why is there a {}?",
    "I have got a {} again",
    "What about my {}",
    "the {} is here",
    "Please see to the {}!",
)


def texts() -> tuple[list[str], list[str]]:
    """60 texts of four topics, and the topic of each."""
    made = [
        (frame.format(words), topic) for topic, phrases in TOPICS.items() for words in phrases for frame in FRAMES
    ]
    return [text for text, _ in made], [topic for _, topic in made]


def around(sizes: list[int], *, spread: float = 0.05, dimension: int = 32, seed: int = 0) -> ns.Vectors:
    """Vectors around as many orthogonal centres as there are sizes."""
    random = np.random.default_rng(seed)
    centres = np.eye(dimension)[: len(sizes)]
    data = np.repeat(centres, sizes, axis=0) + spread * random.standard_normal((sum(sizes), dimension))
    return as_vectors(data)


def as_vectors(data) -> ns.Vectors:
    data = np.asarray(data, np.float32)
    data = data / np.linalg.norm(data, axis=1, keepdims=True)
    return ns.Vectors(data.astype(np.float32), "made", np.zeros(len(data), bool), "made")


def numbered(count: int, start: int = 0) -> list[ns.Document]:
    return [ns.Document(f"d{n}", f"text number {n}") for n in range(start, start + count)]


def seen(clusters: ns.Clusters) -> list:
    """All that must not depend on the order of the texts."""
    return [
        (each.label, each.keywords, each.exemplar.text, each.parent, frozenset(each.members)) for each in clusters
    ]
