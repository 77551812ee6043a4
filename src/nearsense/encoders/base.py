"""What every encoder can do, and the words for it. Not how: see batch.py and its neighbours."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from copy import copy
from typing import TYPE_CHECKING, Any, Protocol, Self

from nearsense._progress import Progress
from nearsense.errors import BrokenModel, ModelMismatch, UnsupportedModel
from nearsense.types import Metric, Vectors

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


BATCH_TOKENS = 512
"""Tokens in one request: from 384 to 1,024 the speed is the same within 2 %; 256 and 2,048 are slower."""

ROLES = ("query", "passage")
"""What a text can be in a search; some models put another prompt before each."""


class TruncationWarning(UserWarning):
    """Texts were cut at the model's limit."""


class LanguageWarning(UserWarning):
    """A notable share of the texts is in a language that the model was not made for."""


class RoleWarning(UserWarning):
    """A model that needs to know whether a text is a query or a passage was not told."""


class UnknownTextWarning(UserWarning):
    """Texts have no token that the model knows: their vectors say nothing of them."""


class Encoder(Protocol):
    """Whatever turns texts into vectors."""

    name: str
    dimension: int
    max_tokens: int

    @property
    def similarity(self) -> Metric:
        """How the model's vectors are meant to be compared: cosine, or for some models the dot product."""
        ...  # pragma: no cover

    @property
    def fingerprint(self) -> str:
        """SHA-256 (hex) of the model as it is run; vectors compare where it is equal."""
        ...  # pragma: no cover

    def encode(
        self,
        texts: str | Iterable[str],
        *,
        role: str | None = None,
        long: str | None = None,
        batch_tokens: int = BATCH_TOKENS,
        normalize: bool | None = None,
        progress: Progress = False,
    ) -> Vectors:
        """Texts to vectors; see `TokenEncoder.encode` in batch.py."""
        ...  # pragma: no cover


class CrossEncoder(Protocol):
    """Whatever reads two texts together, and scores how well they go together."""

    name: str
    max_tokens: int

    @property
    def fingerprint(self) -> str:
        """SHA-256 (hex) of the model as it is run."""
        ...  # pragma: no cover

    def score(
        self,
        pairs: Iterable[tuple[str, str]],
        *,
        long: str | None = None,
        batch_tokens: int = BATCH_TOKENS,
        logits: bool = False,
        progress: Progress = False,
    ) -> NDArray[np.float32]:
        """One score a pair; see `PairEncoder.score` in cross.py."""
        ...  # pragma: no cover


def damaged(what: str, why: str = "") -> BrokenModel:
    """The error of a model whose files are not in order, or do not belong together."""
    return BrokenModel(what, why=why, fix="get the model's folder anew")


def not_run_here(what: str, why: str = "") -> UnsupportedModel:
    """The error of a model that is in order, but of a kind that nothing here can run."""
    return UnsupportedModel(what, why=why, fix="use another model (nearsense models)")


def symmetric_role(encoder: Encoder) -> str | None:
    """The role of texts that are compared with each other: the query's where a model needs one, else none."""
    return "query" if getattr(encoder, "needs_role", False) else None


class Loadable:
    """What `load` and `load_cross` give: pickled by name and options, and loaded anew elsewhere."""

    name: str
    again: Callable[[], Any] | None = None
    """Loads the same once more; None for one that was put together by hand."""
    kept: tuple[str, ...] = ("long",)
    """What can be changed after loading, by the names of the attributes."""

    if TYPE_CHECKING:

        @property
        def fingerprint(self) -> str:
            """SHA-256 (hex) of the model as it is run; each kind of encoder has its own."""
            ...  # pragma: no cover

    def __copy__(self) -> Self:
        other = object.__new__(type(self))
        other.__dict__.update(self.__dict__)
        return other

    def __reduce__(self) -> tuple[object, ...]:
        if self.again is None:
            raise UnsupportedModel(
                f"{self.name} cannot be pickled",
                why="it was put together by hand: no name and no folder says how to load it elsewhere",
                fix="use one of ns.load or ns.load_cross",
            )
        return _loaded, (self.again, {name: getattr(self, name) for name in self.kept}, self.fingerprint)


def _loaded(again: Callable[[], Any], kept: Mapping[str, Any], fingerprint: str) -> Any:
    """What was pickled, from the model's files as they are here."""
    other = again()
    if any(getattr(other, name) != value for name, value in kept.items()):
        other = copy(other)
        if (dimension := kept.get("dimension", 0)) and dimension < other.dimension:
            other = other.with_dimensions(dimension)
        other.__dict__.update(kept)
    if other.fingerprint != fingerprint:
        raise ModelMismatch(
            f"{other.name} is another model here than where it was pickled",
            why=f"its fingerprint is {other.fingerprint[:12]}, not {fingerprint[:12]}",
            fix="bring the same files to both, or load the model here: ns.load(...)",
        )
    return other
