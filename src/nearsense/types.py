"""What verbs return, and the records inside: each result by its name. Not how any of it is computed.

Every result is frozen, prints itself as text, has `to_dict()`, and knows its `Origin` (model, metric, version), or
the list it comes in does.

    from nearsense.types import Hit, Results

    def best(hits: Results[Hit]) -> Hit: ...
"""

from __future__ import annotations

from importlib import import_module as _import_module
from typing import TYPE_CHECKING

from nearsense.kinds import Long, Metric, Mode, Precision, Ranking, Reading
from nearsense.records import Comparison, Document, Hit, Matrix, Origin, ReadAs, Results, Vectors
from nearsense.reports import (
    FolderReport,
    Info,
    ModelChange,
    Moved,
    RankChange,
    Reembedding,
    SyncReport,
    Verification,
)

if TYPE_CHECKING:
    from nearsense.adapters import Adapter
    from nearsense.calibration import Background, Calibration, Threshold
    from nearsense.clustering import Cluster, Clusters
    from nearsense.datasets import Dataset
    from nearsense.deduplication import Dropped, Duplicates, Group, Pair, Tier
    from nearsense.distillation import Distilled
    from nearsense.documents.blocks import Block, SourceDocument
    from nearsense.documents.reading import DocumentList
    from nearsense.evaluation import Evaluation
    from nearsense.explanation import Explanation
    from nearsense.faq import Answer
    from nearsense.monitoring import Drift, Topic
    from nearsense.prompt_context import Context, Excerpt
    from nearsense.querylog import LoggedQuery, QueryLog, UnansweredGroup
    from nearsense.textmap import TextMap
    from nearsense.training_results import TrainingReport

__all__ = [
    "Adapter",
    "Answer",
    "Background",
    "Block",
    "Calibration",
    "Cluster",
    "Clusters",
    "Comparison",
    "Context",
    "Dataset",
    "Distilled",
    "Document",
    "DocumentList",
    "Drift",
    "Dropped",
    "Duplicates",
    "Evaluation",
    "Excerpt",
    "Explanation",
    "FolderReport",
    "Group",
    "Hit",
    "Info",
    "LoggedQuery",
    "Long",
    "Matrix",
    "Metric",
    "Mode",
    "ModelChange",
    "Moved",
    "Origin",
    "Pair",
    "Precision",
    "QueryLog",
    "RankChange",
    "Ranking",
    "ReadAs",
    "Reading",
    "Reembedding",
    "Results",
    "SourceDocument",
    "SyncReport",
    "TextMap",
    "Threshold",
    "Tier",
    "Topic",
    "TrainingReport",
    "UnansweredGroup",
    "Vectors",
    "Verification",
]

_LATER = {
    "adapters": ("Adapter",),
    "calibration": ("Background", "Calibration", "Threshold"),
    "clustering": ("Cluster", "Clusters"),
    "datasets": ("Dataset",),
    "deduplication": ("Dropped", "Duplicates", "Group", "Pair", "Tier"),
    "prompt_context": ("Context", "Excerpt"),
    "distillation": ("Distilled",),
    "documents.blocks": ("Block", "SourceDocument"),
    "documents.reading": ("DocumentList",),
    "evaluation": ("Evaluation",),
    "explanation": ("Explanation",),
    "faq": ("Answer",),
    "monitoring": ("Drift", "Topic"),
    "querylog": ("LoggedQuery", "QueryLog", "UnansweredGroup"),
    "textmap": ("TextMap",),
    "training_results": ("TrainingReport",),
}
"""What is imported when it is first used, by the module it is in."""


if not TYPE_CHECKING:

    def __getattr__(name: str) -> object:
        for module, names in _LATER.items():
            if name in names:
                value = getattr(_import_module(f"nearsense.{module}"), name)
                globals()[name] = value
                return value
        raise AttributeError(f"module 'nearsense.types' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
