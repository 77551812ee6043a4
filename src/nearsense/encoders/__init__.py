"""Text to vectors. `load` is the one place that picks an engine."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

from nearsense.encoders.base import Encoder, TruncationWarning
from nearsense.errors import BrokenModel, InputError

if TYPE_CHECKING:
    from pathlib import Path

    from nearsense.encoders.batch import TokenEncoder
    from nearsense.settings import Settings

__all__ = ["Encoder", "TruncationWarning", "load", "resolve"]


def load(
    name: str | None = None,
    *,
    precision: str | None = None,
    threads: int | None = None,
    long: str | None = None,
    cache_dir: str | Path | None = None,
) -> TokenEncoder:
    """Load a model by its name or folder. Offline: nothing is downloaded.

    Args:
        name: A name of the catalogue, `"org/name"` of the hub's cache, or a folder's path. The default is
            all-MiniLM-L6-v2.
        precision: `"auto"` (bf16 where the processor has it natively, else f32), `"f32"` or `"bf16"`.
        threads: Cores to use; 0 is all.
        long: What `encode` does with texts beyond the model's limit, where a call does not say.
        cache_dir: Where compiled models are kept; safe to delete.

    Returns:
        An Encoder; loading it twice with the same options gives the same one.

    Raises:
        ModelNotFound: It is not here; the message says where was looked and how to get it.
        BrokenModel: Its folder is not in order.
        UnsupportedModel: Its folder needs something that nearsense does not have.
        InputError: An option is not known.

    Example:
        >>> load("all-MiniLM-L6-v2").dimension
        384
    """
    from dataclasses import replace

    from nearsense.settings import load_settings
    from nearsense.types import Long

    settings = load_settings(model=name, precision=precision, threads=threads, long=long, cache_dir=cache_dir)
    encoder = _load(replace(settings, long=Long.WARN))
    return encoder if settings.long is Long.WARN else encoder.with_long(settings.long)


def resolve(encoder: Encoder | str | None) -> Encoder:
    """What verbs take as `encoder=`: an Encoder, a name, or None for the default."""
    if encoder is None or isinstance(encoder, str):
        return load(encoder)
    if not hasattr(encoder, "encode"):
        raise InputError(
            f"encoder={encoder!r} is no Encoder",
            fix='give a model\'s name or folder as a string, or ns.load("...")',
        )
    return encoder


@functools.lru_cache(maxsize=8)
def _load(settings: Settings) -> TokenEncoder:
    from nearsense.encoders import transformer
    from nearsense.encoders.batch import TokenEncoder
    from nearsense.encoders.folder import find
    from nearsense.encoders.hashes import FileHashes
    from nearsense.encoders.openvino import Runner
    from nearsense.encoders.tokenizer import Tokenizer
    from nearsense.encoders.weights import Weights

    folder = find(settings.model)
    weights = Weights(folder.weights)
    tokenizer = Tokenizer(folder.tokenizer)
    if not 0 < tokenizer.specials < folder.max_tokens:
        raise BrokenModel(
            f"{folder.path}: at most {folder.max_tokens} tokens, {tokenizer.specials} of them special",
            why="the tokenizer has to put special tokens around a text, and leave room for the text",
            fix="check max_seq_length in sentence_bert_config.json, or get the model's folder anew",
        )
    dimension = transformer.check(folder.config, weights, tokenizer.vocabulary, str(folder.path))
    hashes = folder.verified_hashes(FileHashes(settings.cache_dir))
    runner = Runner(
        lambda: transformer.build(folder.config, weights),
        pooling=folder.pooling,
        precision=settings.precision,
        threads=settings.threads,
        cache_dir=settings.cache_dir
        / "compiled"
        / f"{hashes[folder.weights.name][:16]}-{transformer.GRAPH_VERSION}",
    )
    return TokenEncoder(
        name=folder.name,
        dimension=dimension,
        max_tokens=folder.max_tokens,
        pooling=folder.pooling,
        prompts=folder.prompts,
        tokenizer=tokenizer,
        engine=runner,
        identity={"files": hashes, "architecture": transformer.identity(folder.config)},
    )
