"""Text to vectors, and pairs of texts to scores. `load` and `load_cross` are the places that pick an engine."""

from __future__ import annotations

import functools
import os
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from nearsense._paths import expanded, is_folder
from nearsense.encoders.base import (
    CrossEncoder,
    Encoder,
    as_cross_encoder,
    as_encoder,
    cross_encoder_only,
    is_cross_encoder,
    is_encoder,
    no_cross_encoder,
    symmetric_role,
)
from nearsense.errors import InputError, ModelNotFound
from nearsense.records import Long, parse

if TYPE_CHECKING:
    from pathlib import Path

    from nearsense.encoders.cross import PairEncoder
    from nearsense.encoders.packing import Pooling
    from nearsense.encoders.remote import RemoteEncoder
    from nearsense.settings import Settings

__all__ = [
    "CrossEncoder",
    "Encoder",
    "is_cross_encoder",
    "is_encoder",
    "load",
    "load_cross",
    "resolve",
    "resolve_cross",
    "symmetric_role",
    "usage",
]

REMOTE = "openai:"  # what names of models begin with that a server runs


def load(
    name: str | None = None,
    *,
    dimensions: int | None = None,
    pooling: str | None = None,
    precision: str | None = None,
    threads: int | None = None,
    long: str | None = None,
    device: str | None = None,
    offline: bool | None = None,
    language_check: bool | None = None,
    cache_dir: str | Path | None = None,
) -> Encoder:
    """Load a model by its name or folder. What is not here is downloaded once, unless that is forbidden.

    Args:
        name: A name of the catalogue (`nearsense models`), `"org/name"` or `"org/name@revision"` of the hub, a
            folder's path, or `"openai:MODEL"` for a server that speaks OpenAI's `/v1/embeddings`. The default is
            all-MiniLM-L6-v2.
        dimensions: Keep only the first so many numbers of a vector, for models that were trained for it.
        pooling: Another pooling than the model's own: `"mean"`, `"cls"`, `"max"`, `"last"`, ... Only to see what
            it costs: a model is good with the one that it was trained with.
        precision: `"auto"` (bf16 where the processor has it natively, else f32), `"f32"` or `"bf16"`.
        threads: Cores to use; 0 is all.
        long: What `encode` does with texts beyond the model's limit, where a call does not say.
        device: `"cpu"`; anything else (`"cuda"`, `"cuda:1"`, `"mps"`) needs the extra `torch`.
        offline: Never ask the network for a model that is not here.
        language_check: Say once where texts look like a language that the model was not made for.
        cache_dir: Where compiled models are kept; safe to delete.

    Returns:
        An Encoder; loading it twice with the same options gives the same one.

    Raises:
        ModelNotFound: It is neither here nor to be had; the message says where was looked and how to get it.
        BrokenModel: Its folder is not in order.
        UnsupportedModel: Its folder needs something that nearsense does not have.
        InputError: An option is not known, or the model cannot do what was asked.

    Example:
        >>> load("all-MiniLM-L6-v2").dimension
        384
    """
    from nearsense.checks import positive_int
    from nearsense.encoders.packing import Pooling
    from nearsense.settings import load_settings

    settings = load_settings(
        model=name,
        precision=precision,
        threads=threads,
        long=long,
        device=device,
        offline=offline,
        language_check=language_check,
        cache_dir=cache_dir,
    )
    chosen = None if pooling is None else parse(Pooling, pooling, name="pooling")
    size = None if dimensions is None else positive_int(dimensions, "dimensions")
    encoder = _load(_key(settings), size, chosen)
    return encoder if settings.long is Long.WARN else encoder.with_long(settings.long)


def load_cross(
    name: str,
    *,
    precision: str | None = None,
    threads: int | None = None,
    long: str | None = None,
    device: str | None = None,
    offline: bool | None = None,
    cache_dir: str | Path | None = None,
) -> PairEncoder:
    """Load a cross-encoder: a model that reads two texts together and scores how well they go together.

    Args:
        name: A name of the catalogue (`nearsense models --kind cross-encoder`), `"org/name"` of the hub, or a
            folder's path.
        precision: As for `load`.
        threads: As for `load`.
        long: What `score` does with pairs beyond the model's limit: `"warn"`, `"error"` or `"head"`.
        device: As for `load`.
        offline: As for `load`.
        cache_dir: As for `load`.

    Returns:
        A CrossEncoder; loading it twice with the same options gives the same one.

    Raises:
        ModelNotFound: It is neither here nor to be had; the message says how to get it.
        BrokenModel: Its folder is not in order.
        UnsupportedModel: It is no cross-encoder, or gives several numbers a pair.

    Example:
        >>> cross = load_cross("cross-encoder/ms-marco-MiniLM-L6-v2")        # doctest: +SKIP
        >>> cross.score([("capital of France", "Paris is the capital.")])    # doctest: +SKIP
        array([9.1], dtype=float32)
    """
    from nearsense.settings import load_settings

    how: dict[str, Any] = {"precision": precision, "threads": threads, "device": device, "offline": offline}
    settings = load_settings(model=name, long=long, cache_dir=cache_dir, **how)
    windows = long is None and settings.long is Long.CHUNK  # which are for vectors
    policy = Long.WARN if windows else settings.long
    cross = _load_cross(_key(settings))
    return cross if policy is Long.WARN else cross.with_long(policy)


def resolve(encoder: Encoder | str | None) -> Encoder:
    """What verbs take as `encoder=`: an Encoder, a name, or None for the default."""
    return load(encoder) if encoder is None or isinstance(encoder, str) else as_encoder(encoder)


def resolve_cross(cross: CrossEncoder | str | None) -> CrossEncoder:
    """What verbs take as `rerank=`, and `rerank` as `encoder=`: a CrossEncoder or its name."""
    return load_cross(cross) if isinstance(cross, str) else as_cross_encoder(cross)


_Key = tuple["Settings", tuple[tuple[str, int, int], ...], int]
_BORN = os.getpid()


def _key(settings: Settings) -> _Key:
    """What tells loaded models apart: the settings, when the files of a folder were last changed, and the process.

    A folder counts by its whole path, wherever the program goes. A forked child loads anew, unless PyTorch came
    along, which would wait for ever there.
    """
    path, stamp = os.path.expanduser(settings.model), []  # noqa: PTH111  (Path.expanduser raises for an unknown user)
    if "\0" not in path and is_folder(path):
        settings = replace(settings, model=os.path.abspath(path))  # noqa: PTH100
        with os.scandir(path) as entries:
            stats = [(entry.name, entry.stat()) for entry in entries if not entry.is_symlink() or entry.is_file()]
        stamp = sorted((name, stat.st_size, stat.st_mtime_ns) for name, stat in stats)
    process = _BORN if "torch" in sys.modules else os.getpid()
    return replace(settings, long=Long.WARN), tuple(stamp), process


def _options(settings: Settings) -> dict[str, Any]:
    """What `load` has to be told elsewhere for the same encoder; where caches lie is said only if it was."""
    options = {
        "name": settings.model,
        "precision": str(settings.precision),
        "threads": settings.threads,
        "device": settings.device,
        "offline": settings.offline,
        "language_check": settings.language_check,
    }
    usual = settings.cache_dir == type(settings)().cache_dir
    return options if usual else options | {"cache_dir": str(settings.cache_dir)}


_remote: list[RemoteEncoder] = []


def usage() -> list[str]:
    """What the servers of this process were asked so far, and what it cost: one line a model."""
    return [f"{encoder.name}: {encoder.usage}" for encoder in _remote if encoder.usage.requests]


def _require_kind(name: str, *, cross: bool) -> None:
    """Refuse what the catalogue knows to be of another kind, before anything is fetched."""
    from nearsense.encoders.adapted import is_adapter
    from nearsense.encoders.catalog import Kind, card_of

    card = card_of(name.partition("@")[0])
    kind = Kind.REMOTE if name.startswith(REMOTE) else card.kind if card else None
    if kind is Kind.REMOTE and not cross and card is not None:
        raise ModelNotFound(
            f"{name} is a model on a server", why=f"such names begin with {REMOTE}", fix=f"call it {card.name}"
        )
    if cross and (is_adapter(name) or kind not in (None, Kind.CROSS)):
        raise no_cross_encoder(name, name)
    if not cross and kind is Kind.CROSS:
        raise cross_encoder_only(name, name)


@functools.lru_cache(maxsize=8)
def _load(key: _Key, dimensions: int | None, pooling: Pooling | None) -> Encoder:
    settings, *_ = key
    if settings.model.startswith(REMOTE):
        if pooling is not None:
            raise InputError(f"pooling={pooling.value!r} is not for {settings.model}", why="its server pools")
        from nearsense.encoders.remote import load_remote, require_local

        if settings.offline:
            require_local(settings.model)
        encoder = load_remote(settings.model, dimensions=dimensions)
        _remote.append(encoder)
        return encoder
    from nearsense.encoders.adapted import is_adapter

    if is_adapter(settings.model):
        return _load_adapted(settings, dimensions, pooling)
    from nearsense.encoders.loading import load_encoder

    _require_kind(settings.model, cross=False)
    local = load_encoder(settings, dimensions, pooling)
    local.again = functools.partial(load, **_options(settings), dimensions=dimensions, pooling=pooling)
    return local


def _load_adapted(settings: Settings, dimensions: int | None, pooling: Pooling | None) -> Encoder:
    """The parent of a map as settings say, and the map after it."""
    from nearsense.encoders.adapted import open_adapter

    def parent(name: str) -> Encoder:
        return _load(_key(replace(settings, model=name)), None, None)

    adapted = open_adapter(expanded(settings.model), parent, source=settings.model)
    if pooling is not None or dimensions not in (None, adapted.dimension):
        what = f"{adapted.name} makes vectors of {adapted.dimension} numbers, pooled as it was learnt"
        raise InputError(what, why="its map is for these", fix="leave dimensions and pooling away")
    return adapted


@functools.lru_cache(maxsize=8)
def _load_cross(key: _Key) -> PairEncoder:
    settings, *_ = key
    from nearsense.encoders.loading import load_pair_encoder

    _require_kind(settings.model, cross=True)
    cross = load_pair_encoder(settings)
    options = _options(settings)
    del options["language_check"]
    cross.again = functools.partial(load_cross, **options)
    return cross
