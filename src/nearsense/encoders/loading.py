"""From a model's folder to something that runs: which engine, and is everything in order? Not the engines.

modules.py                 a table of vectors             numpy
transformer.py             BERT and its kin               OpenVINO, from safetensors
graph_file.py              ONNX and OpenVINO's files      OpenVINO
sentence_transformers.py   everything else, and GPUs      torch, where it is installed
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from nearsense._paths import is_file
from nearsense.encoders import transformer
from nearsense.encoders.base import cross_encoder_only, damaged, no_cross_encoder, require_nested
from nearsense.encoders.batch import TokenEncoder
from nearsense.encoders.cross import PairEncoder
from nearsense.encoders.folder import ModelFolder, activation_of, find, well_formed
from nearsense.encoders.languages import LanguageCheck
from nearsense.encoders.modules import Dense, Module, StaticEngine, read_table
from nearsense.encoders.openvino import Runner
from nearsense.encoders.packing import Engine, PaddedInputs, Pooling, pool
from nearsense.encoders.places import inside
from nearsense.encoders.tokenizer import Tokenizer
from nearsense.encoders.weights import FileHashes, Weights
from nearsense.errors import BrokenModel, InputError, UnsupportedModel
from nearsense.records import Precision

if TYPE_CHECKING:
    from nearsense.settings import Settings


DEVICE = "cpu"  # the device of the engines that need no torch
CALIBRATION = "calibration.json"  # what a folder may carry: what the scores of its model mean


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
    head: tuple[Module, ...] = ()  # what makes a cross-encoder's number of its vector


def load_encoder(
    settings: Settings, dimensions: int | None = None, pooling: Pooling | None = None
) -> TokenEncoder:
    """The encoder that settings describe; see `nearsense.load`."""
    folder = find(settings.model, offline=settings.offline, progress=True)
    if folder.scores_pairs:
        raise cross_encoder_only(folder.name, settings.model)
    if pooling is not None:
        folder = folder.with_pooling(pooling)
    with well_formed(folder.path):
        parts = _parts_of(folder, settings)
        modules, files = ([], []) if parts.whole else folder.modules()
    if pooling is not None and (parts.whole or folder.static):
        why = "it brings its own, as a part of what it is"
        raise InputError(f"pooling={pooling.value!r} is not for {folder.name}", why=why)
    dimension = _width(folder, modules, parts.width)
    limit = _limit(folder, parts, parts.tokenizer.specials)
    hashes = folder.verified_hashes((*parts.files, folder.tokenizer, *files), FileHashes(settings.cache_dir))
    languages = folder.languages if settings.language_check else ()
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
        needs_role=folder.needs_role,
        check=LanguageCheck(folder.name, languages),
        languages=languages,
    )
    if pooling is None:
        encoder.calibration_file = str(inside(folder.path, CALIBRATION))
    encoder.matryoshka = folder.card.dimensions if folder.card else ()
    if dimensions is None or dimensions == dimension:
        return encoder
    require_nested(encoder, dimensions)
    return encoder.with_dimensions(dimensions)


def _parts_of(folder: ModelFolder, settings: Settings, *, pairs: bool = False) -> Parts:
    """The first engine that can run a bi-encoder, or a cross-encoder (`pairs`)."""
    if folder.static and not pairs:
        return _static(folder)
    if settings.device != DEVICE:
        return _torch(folder, settings, pairs)
    reason = obstacle(folder)
    if reason is None:
        return _transformer(folder, settings, pairs)
    if folder.graph is not None and pairs:
        return _graph(folder, folder.graph, settings, ())
    if folder.graph is not None and _has_modules(folder):
        parts = _graph(folder, folder.graph, settings, folder.pooling)
        ends = [len(module.weight) for module in folder.modules()[0] if isinstance(module, Dense)]
        return parts._replace(whole=parts.whole and (not ends or ends[-1] == parts.width))
    from nearsense.encoders.sentence_transformers import available

    if not available():
        hint = f"{reason.fix}; or try sentence-transformers: pip install 'nearsense[torch]'"
        raise UnsupportedModel(reason.what, why=reason.why, fix=hint)
    try:
        return _torch(folder, settings, pairs)
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


def _tokenizer(folder: ModelFolder, **options: bool) -> Tokenizer:
    return Tokenizer(folder.tokenizer, lower=folder.lower, left=folder.cuts_left, **options)


def _transformer(folder: ModelFolder, settings: Settings, pairs: bool) -> Parts:
    """A graph of our own, from safetensors; a cross-encoder's head reads the vector of the first token."""
    architecture = transformer.ARCHITECTURES[folder.config["model_type"]]
    weights = Weights(folder.weights, architecture.prefix)
    tokenizer = _tokenizer(folder)
    sizes = transformer.check(folder.config, weights, tokenizer.vocabulary, str(folder.path))
    poolings = (Pooling.CLS,) if pairs else folder.pooling
    cache = compiled_folder(folder.weights, settings)
    runner = Runner(
        lambda: transformer.build(folder.config, weights, sizes, pairs=pairs and folder.typed),
        reduce=partial(pool, poolings),
        precision=settings.precision,
        threads=settings.threads,
        cache_dir=cache.with_suffix(".pairs") if pairs else cache,
    )
    dense = [
        Dense(weights[f"{name}.weight"], weights[f"{name}.bias"], kind)
        for name, kind in architecture.head
        if pairs
    ]
    return Parts(
        runner,
        sizes.hidden * len(poolings),
        tokenizer,
        sizes.max_tokens,
        folder.weights,
        {"architecture": transformer.identity(folder.config)},
        poolings=poolings,
        head=tuple(dense),
    )


def _graph(folder: ModelFolder, file: Path, settings: Settings, poolings: tuple[Pooling, ...]) -> Parts:
    """A finished graph of a bi-encoder, or of a cross-encoder, which has no poolings."""
    from nearsense.encoders.graph_file import read_graph

    graph = read_graph(file, pairs=not poolings)
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
        _tokenizer(folder),
        positions - first if isinstance(positions, int) else None,
        graph.files,
        {"graph": file.name, **({"mended": 1} if graph.counts else {})},  # once run in bf16
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


def _static(folder: ModelFolder) -> Parts:
    weights = Weights(folder.weights)
    tokenizer = _tokenizer(folder, bare=True, skip_unknown="embeddings" in weights)
    table = read_table(weights, tokenizer.vocabulary, str(folder.path))
    limit = tokenizer.limit or 10**6
    return Parts(StaticEngine(table), table.shape[1], tokenizer, limit, folder.weights, {"architecture": "static"})


def _torch(folder: ModelFolder, settings: Settings, pairs: bool) -> Parts:
    from nearsense.encoders.sentence_transformers import TorchEngine, TorchPairEngine

    kind = TorchPairEngine if pairs else TorchEngine
    engine = kind(folder, device=settings.device, precision=settings.precision)
    files, identity = torch_identity(folder)
    poolings = folder.pooling if not pairs and obstacle(folder) is None else ()
    return Parts(engine, engine.dimension, _tokenizer(folder), engine.limit, files, identity, True, poolings)


def torch_identity(folder: ModelFolder) -> tuple[tuple[Path, ...], dict[str, Any]]:
    """What decides the vectors of a model that torch runs: the same as without torch, where both can run it."""
    if obstacle(folder) is None:
        modules, files = folder.modules()
        identity: dict[str, Any] = {"architecture": transformer.identity(folder.config)}
        if modules:
            identity["modules"] = [module.identity() for module in modules]
        return (*folder.weights, *files), identity
    later = [file for step in folder.steps[1:] if is_file(file := inside(step.path, "model.safetensors"))]
    steps = [[step.kind, dict(step.settings)] for step in folder.steps]
    return (*folder.weights, *later), {"architecture": "torch", "config": dict(folder.config), "steps": steps}


def _limit(folder: ModelFolder, parts: Parts, specials: int) -> int:
    """The most tokens of a text, or pair, which have to leave room for more than the special ones."""
    limit = min((each for each in (folder.limit, parts.limit) if each is not None), default=512)
    if not specials < limit:
        why = "the special tokens around a text have to leave room for it"
        fix = "check max_seq_length in sentence_bert_config.json, or get the model's folder anew"
        raise BrokenModel(f"{folder.path}: at most {limit} tokens, {specials} of them special", why=why, fix=fix)
    return limit


def compiled_folder(files: tuple[Path, ...], settings: Settings) -> Path:
    """Where the compiled graph of some weights is kept."""
    hashes = FileHashes(settings.cache_dir)
    digest = hashlib.sha256("".join(map(hashes.sha256, files)).encode()).hexdigest()[:16]
    return settings.cache_dir / "compiled" / f"{digest}-{transformer.GRAPH_VERSION}"


def _width(folder: ModelFolder, modules: Sequence[Module], width: int) -> int:
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
        raise no_cross_encoder(folder.name, settings.model)
    if "default" in folder.prompts:
        why = "a cross-encoder's prompts are not known here, and its scores would be others"
        fix = "use another cross-encoder (nearsense models --kind cross-encoder)"
        raise UnsupportedModel(f"{folder.name} wants a prompt before its texts", why=why, fix=fix)
    with well_formed(folder.path):
        parts = _parts_of(folder, settings, pairs=True)
    if (width := _width(folder, parts.head, parts.width)) != 1:
        why = "it tells kinds apart (entailment and contradiction, say); it does not rank"
        fix = "use a cross-encoder with one label: nearsense models --kind cross-encoder"
        raise UnsupportedModel(f"{folder.name} gives {width} numbers a pair, not one score", why=why, fix=fix)
    limit = _limit(folder, parts, parts.tokenizer.frame.specials + 1)
    languages = folder.languages if settings.language_check else ()
    hashes = folder.verified_hashes((*parts.files, folder.tokenizer), FileHashes(settings.cache_dir))
    encoder = PairEncoder(
        name=folder.name,
        max_tokens=limit,
        tokenizer=parts.tokenizer,
        engine=parts.engine,
        modules=parts.head,
        activation=activation_of(folder.activation or "torch.nn.Sigmoid", folder.path),
        identity={"files": hashes, **parts.identity},
        check=LanguageCheck(folder.name, languages),
        languages=languages,
    )
    encoder.calibration_file = str(inside(folder.path, CALIBRATION))
    return encoder
