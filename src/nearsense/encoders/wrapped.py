"""An encoder that stands before another: a cache, a queue, a map after it. Not what each of them does."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Self

from nearsense.encoders.base import Encoder

if TYPE_CHECKING:
    from nearsense.records import Long, Metric


FORWARDED = ("count_tokens", "tokens", "sees_all", "sees", "check_language")
"""What the wrapped encoder is asked for itself, but where a class says otherwise."""


class WrappedEncoder(Encoder):
    """To the caller the wrapped encoder; a subclass encodes in another way, and says how it is made of another.

    What goes beyond the contract of encoders, such as a server's `usage`, is the wrapped one's too.
    """

    def __init__(self, encoder: Encoder) -> None:
        self._encoder = encoder
        self.name, self.dimension, self.max_tokens = encoder.name, encoder.dimension, encoder.max_tokens
        self.similarity, self.needs_role, self.long = encoder.similarity, encoder.needs_role, encoder.long
        self.languages, self.cuts, self.calls_at_once = encoder.languages, encoder.cuts, encoder.calls_at_once
        self.precision, self.source = encoder.precision, encoder.source
        self.calibration_file = encoder.calibration_file
        asked = [name for name in FORWARDED if getattr(type(self), name) is getattr(Encoder, name)]
        self.__dict__.update({name: getattr(encoder, name) for name in asked})

    def over(self, encoder: Encoder) -> Self:
        """The same before another encoder: another form of the wrapped one."""
        raise NotImplementedError

    def __repr__(self) -> str:
        return repr(self._encoder)

    def __getattr__(self, name: str) -> Any:
        if name == "_encoder":  # while it is being copied or unpickled
            raise AttributeError(name)
        return getattr(self._encoder, name)

    @property
    def fingerprint(self) -> str:
        """The wrapped encoder's."""
        return self._encoder.fingerprint

    @property
    def prompts(self) -> Mapping[str, str] | None:
        """The wrapped encoder's."""
        return self._encoder.prompts

    def side_by_side(self) -> Encoder:
        """The same before the wrapped encoder for many threads."""
        return self.over(self._encoder.side_by_side())

    def with_long(self, long: Long) -> Encoder:
        """The same before the wrapped encoder that does `long` where a call does not say."""
        return self.over(self._encoder.with_long(long))

    def with_similarity(self, similarity: Metric) -> Encoder:
        """The same before the wrapped encoder for another comparison."""
        return self.over(self._encoder.with_similarity(similarity))

    def with_dimensions(self, dimensions: int) -> Encoder:
        """The same before the wrapped encoder of shorter vectors."""
        return self.over(self._encoder.with_dimensions(dimensions))
