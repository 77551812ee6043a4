"""Texts to vectors, as the first step of a pipeline. Learns nothing."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin

from nearsense.encoders import Encoder, resolve, symmetric_role
from nearsense.errors import InputError

if TYPE_CHECKING:
    from typing import Self

    from numpy.typing import NDArray

__all__ = ["TextEncoder"]


class TextEncoder(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Texts to vectors: the first step of a pipeline. Nothing is learnt, so it need not be fitted.

    Args:
        encoder: What `nearsense.load` gave, a model's name, or None for the default model. A clone shares it.
        role: What the texts are to the model, where it tells roles apart; None for texts that are compared with
            each other.
        long: What to do with texts that the model would cut: "warn", "error", "head" or "chunk".

    Example:
        >>> TextEncoder().fit_transform(["a dog", "a hound"]).shape
        (2, 384)
    """

    def __init__(
        self, encoder: Encoder | str | None = None, *, role: str | None = None, long: str = "warn"
    ) -> None:
        self.encoder = encoder
        self.role = role
        self.long = long

    def fit(self, X: Iterable[str], y: Any = None) -> Self:  # noqa: N803
        """Learn nothing.

        Args:
            X: Texts.
            y: Not needed.
        """
        return self

    def transform(self, X: Iterable[str]) -> NDArray[np.float32]:  # noqa: N803
        """Encode texts.

        Args:
            X: n texts: a list, an array, a column of a data frame.

        Returns:
            float32, shape (n, dimension).

        Raises:
            InputError: One string was given, a table, or something is not a string.
        """
        texts = _texts(X)
        model = resolve(self.encoder)
        return model.encode(texts, role=self.role or symmetric_role(model), long=self.long).data

    def get_feature_names_out(self, input_features: Any = None) -> NDArray[np.object_]:
        """The names of the columns: textencoder0, textencoder1 and so on.

        Args:
            input_features: Not needed.
        """
        dimension = resolve(self.encoder).dimension
        return np.array([f"textencoder{column}" for column in range(dimension)], object)

    def __sklearn_is_fitted__(self) -> bool:
        return True

    def __sklearn_clone__(self) -> Self:
        return type(self)(**self.get_params(deep=False))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.string = tags.input_tags.one_d_array = tags.no_validation = True
        tags.input_tags.two_d_array = tags.requires_fit = False
        return tags


def _texts(given: Iterable[str]) -> list[str]:
    if getattr(given, "ndim", 1) > 1:  # of a data frame list() would give the names of its columns
        raise InputError("a table is given where texts are expected", fix='name one column of it: table["text"]')
    texts = [given] if isinstance(given, str) else list(given)
    if isinstance(given, str) or not all(isinstance(each, str) for each in texts):
        raise InputError("a list of texts is expected", fix='put a single one into a list: ["a text"]')
    return [str(each) for each in texts]
