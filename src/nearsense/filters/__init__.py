"""Filters on metadata: a small language, and its fast evaluation over many rows. Nothing of texts or vectors.

`where` says what a filter means, on one document; `columns` answers it for the many rows of a generation, and
for the few that came since; `rows` for those of a file. All agree, always.
"""

from nearsense.filters.columns import Columns, GrowingColumns
from nearsense.filters.shorthand import parse_where
from nearsense.filters.where import (
    Exists,
    Filter,
    Where,
    as_where,
    escaped,
    matches,
    names,
    parse,
    passes_all,
    require_known,
)

__all__ = [
    "Columns",
    "Exists",
    "Filter",
    "GrowingColumns",
    "Where",
    "as_where",
    "escaped",
    "matches",
    "names",
    "parse",
    "parse_where",
    "passes_all",
    "require_known",
]
