"""What models are measured on: pairs, triplets, judged queries, labelled texts; from files, folders, by name.

What is asked is read off the columns. Nothing is measured here: see evaluation.
"""

from __future__ import annotations

from nearsense.datasets.kinds import (
    Clustering,
    Dataset,
    GradedPairs,
    Intents,
    LabelledPairs,
    Rerank,
    Retrieval,
    Task,
    Triplets,
)
from nearsense.datasets.reading import read_dataset
from nearsense.datasets.standard import STANDARD, named

__all__ = [
    "STANDARD",
    "Clustering",
    "Dataset",
    "GradedPairs",
    "Intents",
    "LabelledPairs",
    "Rerank",
    "Retrieval",
    "Task",
    "Triplets",
    "named",
    "read_dataset",
]
