"""An encoder that never encodes a text twice: here the store's cache file meets it. Not how either works."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nearsense.encoders import Encoder
    from nearsense.store.embeddings import EmbeddingCache

__all__ = ["cached"]


def cached(encoder: Encoder) -> Encoder:
    """The encoder, with the embedding cache of the settings' cache folder before it.

    One that may cut texts and cannot count tokens is given back as it is, and so is any where the settings say
    `cache_mb = 0`. Of an adapter it is the parent whose vectors are kept: they serve all its adapters.

    Example:
        >>> import nearsense as ns
        >>> cached(ns.load()).encode("hello world")
        Vectors(1 x 384, all-MiniLM-L6-v2 ...)
    """
    from nearsense.encoders.adapted import AdaptedEncoder
    from nearsense.encoders.cache import CachedEncoder, can_be_cached
    from nearsense.settings import load_settings

    if isinstance(encoder, AdaptedEncoder):
        return encoder.over(cached(encoder.parent))
    settings = load_settings()
    if not settings.cache_mb or not can_be_cached(encoder) or isinstance(encoder, CachedEncoder):
        return encoder
    return CachedEncoder(encoder, _cache(settings.cache_dir / "embeddings.db", settings.cache_mb * 1_000_000))


def lookups() -> tuple[int, int]:
    """How many vectors this process has asked its caches for, and how many of them were known."""
    return sum(each.asked for each in _open), sum(each.known for each in _open)


_open: list[EmbeddingCache] = []


@functools.lru_cache
def _cache(file: Path, max_bytes: int) -> EmbeddingCache:
    """One a process, whoever asks."""
    from nearsense.store.embeddings import EmbeddingCache

    opened = EmbeddingCache(file, max_bytes)
    _open.append(opened)
    return opened
