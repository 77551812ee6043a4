"""From a model's folder to a cross-encoder that runs. As loading.py is for encoders."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from nearsense.encoders import transformer
from nearsense.encoders.checksums import FileHashes
from nearsense.encoders.cross import PairEncoder
from nearsense.encoders.folder import ModelFolder, activation_of, find, well_formed
from nearsense.encoders.languages import LanguageCheck
from nearsense.encoders.loading import (
    DEVICE,
    Parts,
    compiled,
    graph_parts,
    instead,
    obstacle,
    require_room,
    torch_identity,
)
from nearsense.encoders.modules import Dense, Module
from nearsense.encoders.openvino import Runner
from nearsense.encoders.pooling import Pooling, pool
from nearsense.encoders.tokenizer import Tokenizer
from nearsense.encoders.weights import Weights
from nearsense.errors import BrokenModel, UnsupportedModel

if TYPE_CHECKING:
    from nearsense.settings import Settings

__all__ = ["load_pair_encoder"]


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
        parts, head = _parts(folder, settings)
    _require_one(folder, head, parts.width)
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
        look=LanguageCheck(folder.name, languages),
        languages=languages,
    )


def _parts(folder: ModelFolder, settings: Settings) -> tuple[Parts, list[Module]]:
    """The first engine that can run it, and what lies between its vectors and the score."""
    if settings.device != DEVICE:
        return _through_torch(folder, settings), []
    reason = obstacle(folder)
    if reason is None:
        return _transformer(folder, settings)
    if folder.graph is not None:
        return graph_parts(folder, settings, (), pairs=True), []
    return instead(reason, _through_torch, folder, settings), []


def _transformer(folder: ModelFolder, settings: Settings) -> tuple[Parts, list[Module]]:
    architecture = transformer.ARCHITECTURES[folder.config["model_type"]]
    weights = Weights(folder.weights, architecture.prefix)
    tokenizer = Tokenizer(folder.tokenizer, lower=folder.lower, left=folder.cuts_left)
    sizes = transformer.check(folder.config, weights, tokenizer.vocabulary, str(folder.path))
    runner = Runner(
        lambda: transformer.build(folder.config, weights, sizes, pairs=folder.typed),
        reduce=partial(pool, (Pooling.CLS,)),
        precision=settings.precision,
        threads=settings.threads,
        cache_dir=compiled(folder.weights, settings).with_suffix(".pairs"),
    )
    head: list[Module] = [
        Dense(weights[f"{name}.weight"], weights[f"{name}.bias"], activation)
        for name, activation in architecture.head
    ]
    identity = {"architecture": transformer.identity(folder.config)}
    return Parts(runner, sizes.hidden, tokenizer, sizes.max_tokens, folder.weights, identity), head


def _through_torch(folder: ModelFolder, settings: Settings) -> Parts:
    from nearsense.encoders.sentence_transformers import TorchPairEngine

    engine = TorchPairEngine(folder, device=settings.device, precision=settings.precision)
    tokenizer = Tokenizer(folder.tokenizer, lower=folder.lower, left=folder.cuts_left)
    files, identity = torch_identity(folder)
    return Parts(engine, engine.dimension, tokenizer, engine.limit, files, identity)


def _require_one(folder: ModelFolder, head: list[Module], width: int) -> None:
    try:
        for module in head:
            width = module.width(width)
    except ValueError as error:
        raise BrokenModel(f"{folder.path}: {error}", fix="get the model's folder anew") from None
    if width != 1:
        raise UnsupportedModel(
            f"{folder.name} gives {width} numbers a pair, not one score",
            why="it tells kinds apart (entailment and contradiction, say); it does not rank",
            fix="use a cross-encoder with one label: nearsense models --kind cross-encoder",
        )
