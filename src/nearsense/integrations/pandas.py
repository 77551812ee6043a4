"""Verbs on a column of pandas: `import nearsense.integrations.pandas`, then `df["text"].nearsense.cluster(k=5)`.

Each calls the verb of its name; what comes back has the index of the column.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nearsense._optional import require
from nearsense.clustering import cluster
from nearsense.compare import compare_pairs
from nearsense.deduplication import duplicates
from nearsense.encoders import Encoder, resolve
from nearsense.errors import InputError
from nearsense.search import rank, search
from nearsense.text import as_texts

pandas = require("pandas", extra="pandas", purpose="nearsense.integrations.pandas")

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["NearsenseAccessor"]


@pandas.api.extensions.register_series_accessor("nearsense")
class NearsenseAccessor:
    """What `series.nearsense` is: the verbs, with the texts of the column.

    Example:
        >>> import pandas as pd
        >>> texts = pd.Series(["Late parcel", "late parcel", "I want a refund"], index=["a", "b", "c"])
        >>> texts.nearsense.dedupe().index.tolist()
        ['a', 'c']
        >>> texts.nearsense.search("money back", k=1).index.tolist()
        ['c']
    """

    def __init__(self, series: Any) -> None:
        self._series = series

    def encode(self, encoder: Encoder | str | None = None, **options: Any) -> NDArray[np.float32]:
        """The vectors of the texts, in their order: float32, shape (n, d).

        Args:
            encoder: An Encoder or a model's name; the default model without it.
            options: Others of `Encoder.encode`.
        """
        return resolve(encoder).encode(as_texts(self._series), **options).data

    def compare(self, other: Any, **options: Any) -> Any:
        """Each text with another, as `ns.compare_pairs`: a row each, with the index of the column.

        Args:
            other: One text for all, or a Series with a text for each label of the index.
            options: Others of `ns.compare_pairs`.

        Raises:
            InputError: The Series has no text for a label.
        """
        index = self._series.index
        if not isinstance(other, str):
            if not isinstance(other, pandas.Series):
                what = f"texts are compared with a value of type {type(other).__name__}"
                raise InputError(what, fix="give one text, or a Series")
            if not other.index.equals(index):
                if not (other.index.is_unique and index.is_unique):
                    what = "two columns whose labels repeat have no rows in common"
                    raise InputError(what, why="nothing tells which belong together", fix="reset_index(drop=True)")
                other = other.reindex(index)
        frame = pandas.DataFrame({"left": self._series, "right": other}, index=index)
        return compare_pairs(frame, columns=("left", "right"), **options).to_frame()

    def search(self, query: str, k: int = 10, **options: Any) -> Any:
        """The k texts that are nearest to a query, as `ns.search`: a row each, best first, by its label.

        Args:
            query: What is looked for.
            k: How many at most.
            options: Others of `ns.search`.
        """
        return search(query, self._series, k, **options).to_frame()

    def rank(self, reference: str, k: int | None = None, **options: Any) -> Any:
        """The texts by how near they are to another, as `ns.rank`: a row each, best first.

        Args:
            reference: The text that all are compared with.
            k: How many to return; None for all.
            options: Others of `ns.rank`.
        """
        return rank(reference, self._series, k, **options).to_frame()

    def duplicates(self, **options: Any) -> Any:
        """Which texts say the same, as `ns.duplicates`: for each text whether it stays, and which stands for it.

        Args:
            options: Those of `ns.duplicates`.
        """
        return duplicates(self._series, **options).to_frame()

    def dedupe(self, **options: Any) -> Any:
        """The column without what is said twice.

        Args:
            options: Those of `ns.duplicates`.
        """
        return self._series.iloc[duplicates(self._series, **options).kept]

    def cluster(self, k: int | None = None, **options: Any) -> Any:
        """Groups of the texts, as `ns.cluster`: for each text its cluster, its name, how firmly it belongs to it.

        Args:
            k: How many groups; None for as many as there are.
            options: Others of `ns.cluster`.
        """
        return cluster(self._series, k, **options).to_frame()
