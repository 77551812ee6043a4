"""What models are measured on: pairs, triplets, judged queries, labelled texts; from files, folders, by name.

What is asked is read off the columns. Nothing is measured here: see evaluation.
"""

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
from nearsense.datasets.reading import STANDARD, Standard, read_dataset

__all__ = [
    "STANDARD",
    "Clustering",
    "Dataset",
    "GradedPairs",
    "Intents",
    "LabelledPairs",
    "Rerank",
    "Retrieval",
    "Standard",
    "Task",
    "Triplets",
    "read_dataset",
]
