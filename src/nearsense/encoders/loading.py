"""From a model's folder to something that runs: which engine, and is everything in order? Not the engines.

static.py                  a table of vectors             numpy
transformer.py             BERT and its kin               OpenVINO, from safetensors
graph_file.py              ONNX and OpenVINO's files      OpenVINO
sentence_transformers.py   everything else, and GPUs      torch, where it is installed
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, ParamSpec, TypeVar

from nearsense.encoders import transformer
from nearsense.encoders.base import Engine, damaged
from nearsense.encoders.batch import TokenEncoder
from nearsense.encoders.checksums import FileHashes
from nearsense.encoders.cross import PairEncoder
from nearsense.encoders.folder import ModelFolder, activation_of, find, well_formed
from nearsense.encoders.languages import LanguageCheck
from nearsense.encoders.modules import Dense, Module
from nearsense.encoders.openvino import Runner
from nearsense.encoders.packing import PaddedInputs
from nearsense.encoders.places import inside
from nearsense.encoders.pooling import Pooling, pool
from nearsense.encoders.static import StaticEngine, read_table
from nearsense.encoders.tokenizer import Tokenizer
from nearsense.encoders.weights import Weights
from nearsense.errors import BrokenModel, InputError, UnsupportedModel
from nearsense.types import Precision

if TYPE_CHECKING:
    from nearsense.settings import Settings


DEVICE = "cpu"
"""The device of the engines that need no torch."""


class Parts(NamedTuple):
    """What an engine brings to an encoder."""

    engine: Engine
    width: int  # numbers of a vector before the modules
    tokenizer: Tokenizer
    limit: int | None  # the most tokens that the engine can read; None where it does not say
    files: tuple[Path, ...]  # everything whose bytes decide a vector
    identity: dict[str, Any]  # what else decides it, as JSON values
    whole: bool = False  # its vectors are the model's own: no pooling and no modules follow
    poolings: tuple[Pooling, ...] = ()  # nothing where the files do not tell


def load_encoder(
    settings: Settings, dimensions: int | None = None, pooling: Pooling | None = None
) -> TokenEncoder:
    """The encoder that settings describe; see `nearsense.load`."""
    from nearsense.encoders.languages import LanguageCheck

    folder = find(settings.model, offline=settings.offline, progress=True)
    if folder.scores_pairs:
        raise UnsupportedModel(
            f"{folder.name} is a cross-encoder",
            why="it scores two texts together; it makes no vectors",
            fix=f'ns.load_cross("{settings.model}"), or nearsense search --rerank {settings.model}',
        )
    if pooling is not None:
        folder = folder.with_pooling(pooling)
    with well_formed(folder.path):
        parts = _engine_of(folder, settings.device)(folder, settings)
        modules, files = ([], []) if parts.whole else folder.modules()
    if pooling is not None and (parts.whole or folder.static):
        raise InputError(
            f"pooling={pooling.value!r} is not for {folder.name}", why="it brings its own, as a part of what it is"
        )
    dimension = _width(folder, modules, parts.width)
    limit = min((each for each in (folder.limit, parts.limit) if each is not None), default=512)
    require_room(folder, limit, parts.tokenizer.specials)
    hashes = folder.verified_hashes((*parts.files, folder.tokenizer, *files), FileHashes(settings.cache_dir))
    card = folder.card
    languages = card.languages if card and settings.language_check else ()
    encoder = TokenEncoder(
        name=folder.name,
        source=settings.model,
        dimension=dimension,
        max_tokens=limit,
        pooling=parts.poolings,
        prompts=folder.prompts,
        tokenizer=parts.tokenizer,
        engine=parts.engine,
        identity={"files": hashes, **parts.identity, **({"lower": True} if folder.lower else {})},
        modules=modules,
        similarity=folder.similarity,
        needs_role=bool(card and card.needs_role),
        check=LanguageCheck(folder.name, languages),
        languages=languages,
    )
    if dimensions is None or dimensions == dimension:
        return encoder
    _require_nested(folder, dimension, dimensions)
    return encoder.with_dimensions(dimensions)


def _require_nested(folder: ModelFolder, dimension: int, dimensions: int) -> None:
    """Refuse to cut vectors of a model that was not trained for it."""
    sizes = folder.card.dimensions if folder.card else ()
    if not sizes or not min(sizes) <= dimensions < dimension:
        known = ", ".join(map(str, sizes)) or "none"
        raise InputError(
            f"{folder.name} has vectors of {dimension} numbers, not of {dimensions}",
            why=f"sizes that it was trained to be cut to: {known}",
            fix="leave dimensions away, or use a model with Matryoshka sizes: nearsense models",
        )


def _engine_of(folder: ModelFolder, device: str) -> Callable[[ModelFolder, Settings], Parts]:
    """The first engine that can run a model."""
    if folder.static:
        return _static
    if device != DEVICE:
        return _through_torch
    reason = obstacle(folder)
    if reason is None:
        return _transformer
    if folder.graph is not None and _has_modules(folder):
        return _graph
    return lambda folder, settings: or_through_torch(reason, _through_torch, folder, settings)


P = ParamSpec("P")
R = TypeVar("R")


def or_through_torch(
    reason: UnsupportedModel, through_torch: Callable[P, R], /, *given: P.args, **named: P.kwargs
) -> R:
    """What torch makes of a model that nothing else can run, for some reason; that reason, where torch cannot."""
    from nearsense.encoders.sentence_transformers import available

    if not available():
        hint = f"{reason.fix}; or try sentence-transformers: pip install 'nearsense[torch]'"
        raise UnsupportedModel(reason.what, why=reason.why, fix=hint)
    try:
        return through_torch(*given, **named)
    except UnsupportedModel as error:
        why = "; ".join(dict.fromkeys(each for each in (reason.why, error.why) if each))
        raise UnsupportedModel(reason.what, why=why, fix=reason.fix) from None


def obstacle(folder: ModelFolder) -> UnsupportedModel | None:
    """Why a transformer cannot be built from its safetensors here; None where it can."""
    try:
        if folder.own_code:
            raise UnsupportedModel(
                f"{folder.path} wants to run code of its own ({folder.own_code})",
                why="what a model brings along could do anything; nearsense runs none of it",
                fix="use another model (nearsense models), or one with ONNX files",
            )
        if not folder.weights:
            raise UnsupportedModel(f"{folder.path} has no safetensors file", fix="use another copy of the model")
        transformer.sizes_of(folder.config, str(folder.path))
        folder.modules()
        _ = folder.pooling  # says so where it is not known
    except UnsupportedModel as error:
        return error
    return None


def _has_modules(folder: ModelFolder) -> bool:
    try:
        folder.modules()
        return bool(folder.pooling)
    except UnsupportedModel:
        return False


def _transformer(folder: ModelFolder, settings: Settings) -> Parts:
    where = str(folder.path)
    weights = Weights(folder.weights, transformer.ARCHITECTURES[folder.config["model_type"]].prefix)
    tokenizer = Tokenizer(folder.tokenizer, lower=folder.lower, left=folder.cuts_left)
    sizes = transformer.check(folder.config, weights, tokenizer.vocabulary, where)
    runner = Runner(
        lambda: transformer.build(folder.config, weights, sizes),
        reduce=partial(pool, folder.pooling),
        precision=settings.precision,
        threads=settings.threads,
        cache_dir=compiled_folder(folder.weights, settings),
    )
    return Parts(
        runner,
        sizes.hidden * len(folder.pooling),
        tokenizer,
        sizes.max_tokens,
        folder.weights,
        {"architecture": transformer.identity(folder.config)},
        poolings=folder.pooling,
    )


def _graph(folder: ModelFolder, settings: Settings) -> Parts:
    parts = graph_parts(folder, settings, folder.pooling)
    ends = [len(module.weight) for module in folder.modules()[0] if isinstance(module, Dense)]
    return parts._replace(whole=parts.whole and (not ends or ends[-1] == parts.width))


def graph_parts(
    folder: ModelFolder, settings: Settings, poolings: tuple[Pooling, ...], *, pairs: bool = False
) -> Parts:
    """A finished graph of a bi-encoder, or of a cross-encoder (`pairs`), as an engine and what belongs to it."""
    from nearsense.encoders.graph_file import read_graph

    assert folder.graph is not None
    graph = read_graph(folder.graph, pairs=pairs)
    first, padding = _first_position(folder.config)
    positions = folder.config.get("max_position_embeddings")
    runner = Runner(
        lambda: graph.model,
        reduce=partial(pool, poolings),
        precision=Precision.F32 if graph.counts else settings.precision,
        threads=settings.threads,
        cache_dir=compiled_folder(graph.files, settings),
        feed=PaddedInputs(padding, first, typed=folder.typed),
    )
    return Parts(
        runner,
        graph.width * (1 if graph.pooled else len(poolings)),
        Tokenizer(folder.tokenizer, lower=folder.lower, left=folder.cuts_left),
        positions - first if isinstance(positions, int) else None,
        graph.files,
        {"graph": folder.graph.name, **({"mended": 1} if graph.counts else {})},  # once run in bf16
        whole=graph.pooled,
        poolings=() if graph.pooled else poolings,
    )


def _first_position(config: Mapping[str, Any]) -> tuple[int, int]:
    """The position of a text's first token, and the id of what fills rows."""
    architecture = transformer.ARCHITECTURES.get(str(config.get("model_type")))
    first = 0 if architecture is None else architecture.first
    padding = config.get("pad_token_id")
    if not isinstance(padding, int):
        padding = 0 if first == 0 else 1
    return padding + 1 if first is None else first, padding


def _static(folder: ModelFolder, settings: Settings) -> Parts:
    weights = Weights(folder.weights)
    skips = "embeddings" in weights
    tokenizer = Tokenizer(
        folder.tokenizer, lower=folder.lower, left=folder.cuts_left, bare=True, skip_unknown=skips
    )
    table = read_table(weights, tokenizer.vocabulary, str(folder.path))
    limit = tokenizer.limit or 10**6
    return Parts(StaticEngine(table), table.shape[1], tokenizer, limit, folder.weights, {"architecture": "static"})


def _through_torch(folder: ModelFolder, settings: Settings) -> Parts:
    from nearsense.encoders.sentence_transformers import TorchEngine

    engine = TorchEngine(folder, device=settings.device, precision=settings.precision)
    tokenizer = Tokenizer(folder.tokenizer, lower=folder.lower, left=folder.cuts_left)
    files, identity = torch_identity(folder)
    poolings = folder.pooling if obstacle(folder) is None else ()
    return Parts(engine, engine.dimension, tokenizer, engine.limit, files, identity, True, poolings)


def torch_identity(folder: ModelFolder) -> tuple[tuple[Path, ...], dict[str, Any]]:
    """What decides the vectors of a model that torch runs: the same as without torch, where both can run it."""
    if obstacle(folder) is None:
        modules, files = folder.modules()
        identity: dict[str, Any] = {"architecture": transformer.identity(folder.config)}
        if modules:
            identity["modules"] = [module.identity() for module in modules]
        return (*folder.weights, *files), identity
    later = [file for step in folder.steps[1:] if (file := inside(step.path, "model.safetensors")).is_file()]
    steps = [[step.kind, dict(step.settings)] for step in folder.steps]
    return (*folder.weights, *later), {"architecture": "torch", "config": dict(folder.config), "steps": steps}


def require_room(folder: ModelFolder, limit: int, specials: int) -> None:
    """Refuse a limit that leaves no room for a text."""
    if not specials < limit:
        raise BrokenModel(
            f"{folder.path}: at most {limit} tokens, {specials} of them special",
            why="the special tokens around a text have to leave room for it",
            fix="check max_seq_length in sentence_bert_config.json, or get the model's folder anew",
        )


def compiled_folder(files: tuple[Path, ...], settings: Settings) -> Path:
    """Where the compiled graph of some weights is kept."""
    hashes = FileHashes(settings.cache_dir)
    digest = hashlib.sha256("".join(map(hashes.sha256, files)).encode()).hexdigest()[:16]
    return settings.cache_dir / "compiled" / f"{digest}-{transformer.GRAPH_VERSION}"


def _width(folder: ModelFolder, modules: list[Module], width: int) -> int:
    """The length of what the modules make of vectors of some length."""
    try:
        for module in modules:
            width = module.width(width)
    except ValueError as error:
        raise damaged(f"{folder.path}: {error}") from None
    return width


def load_pair_encoder(settings: Settings) -> PairEncoder:
    """The cross-encoder that settings describe; see `nearsense.load_cross`."""
    folder = find(settings.model, offline=settings.offline, progress=True)
    if not folder.scores_pairs:
        raise UnsupportedModel(
            f"{folder.name} is no cross-encoder",
            why="it makes a vector of each text; it does not score two texts together",
            fix=f'ns.load("{settings.model}"), or a cross-encoder: nearsense models --kind cross-encoder',
        )
    if "default" in folder.prompts:
        raise UnsupportedModel(
            f"{folder.name} wants a prompt before its texts",
            why="a cross-encoder's prompts are not known here, and its scores would be others",
            fix="use another cross-encoder (nearsense models --kind cross-encoder)",
        )
    with well_formed(folder.path):
        parts, head = _pair_parts(folder, settings)
    if (width := _width(folder, head, parts.width)) != 1:
        raise UnsupportedModel(
            f"{folder.name} gives {width} numbers a pair, not one score",
            why="it tells kinds apart (entailment and contradiction, say); it does not rank",
            fix="use a cross-encoder with one label: nearsense models --kind cross-encoder",
        )
    frame = parts.tokenizer.frame
    limit = min((each for each in (folder.limit, parts.limit) if each is not None), default=512)
    require_room(folder, limit, frame.specials + 1)
    languages = folder.card.languages if folder.card and settings.language_check else ()
    hashes = folder.verified_hashes((*parts.files, folder.tokenizer), FileHashes(settings.cache_dir))
    return PairEncoder(
        name=folder.name,
        max_tokens=limit,
        tokenizer=parts.tokenizer,
        engine=parts.engine,
        modules=head,
        activation=activation_of(folder.activation or "torch.nn.Sigmoid", folder.path),
        identity={"files": hashes, **parts.identity},
        check=LanguageCheck(folder.name, languages),
        languages=languages,
    )


def _pair_parts(folder: ModelFolder, settings: Settings) -> tuple[Parts, list[Module]]:
    """The first engine that can run it, and what lies between its vectors and the score."""
    if settings.device != DEVICE:
        return _pairs_through_torch(folder, settings), []
    reason = obstacle(folder)
    if reason is None:
        return _pair_transformer(folder, settings)
    if folder.graph is not None:
        return graph_parts(folder, settings, (), pairs=True), []
    return or_through_torch(reason, _pairs_through_torch, folder, settings), []


def _pair_transformer(folder: ModelFolder, settings: Settings) -> tuple[Parts, list[Module]]:
    architecture = transformer.ARCHITECTURES[folder.config["model_type"]]
    weights = Weights(folder.weights, architecture.prefix)
    tokenizer = Tokenizer(folder.tokenizer, lower=folder.lower, left=folder.cuts_left)
    sizes = transformer.check(folder.config, weights, tokenizer.vocabulary, str(folder.path))
    runner = Runner(
        lambda: transformer.build(folder.config, weights, sizes, pairs=folder.typed),
        reduce=partial(pool, (Pooling.CLS,)),
        precision=settings.precision,
        threads=settings.threads,
        cache_dir=compiled_folder(folder.weights, settings).with_suffix(".pairs"),
    )
    head: list[Module] = [
        Dense(weights[f"{name}.weight"], weights[f"{name}.bias"], activation)
        for name, activation in architecture.head
    ]
    identity = {"architecture": transformer.identity(folder.config)}
    return Parts(runner, sizes.hidden, tokenizer, sizes.max_tokens, folder.weights, identity), head


def _pairs_through_torch(folder: ModelFolder, settings: Settings) -> Parts:
    from nearsense.encoders.sentence_transformers import TorchPairEngine

    engine = TorchPairEngine(folder, device=settings.device, precision=settings.precision)
    tokenizer = Tokenizer(folder.tokenizer, lower=folder.lower, left=folder.cuts_left)
    files, identity = torch_identity(folder)
    return Parts(engine, engine.dimension, tokenizer, engine.limit, files, identity)
