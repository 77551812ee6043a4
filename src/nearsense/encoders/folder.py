"""A model's name to a folder with its facts: path, installed package or hub cache. Not its arithmetic.

Only safetensors, json and tokenizer files are read. Pickled weights can run code when they are loaded, so a folder
that has nothing else is refused with a sentence. No network is used here.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from nearsense.encoders.catalog import CATALOG, ModelCard, card_of
from nearsense.encoders.hashes import FileHashes
from nearsense.encoders.pooling import Pooling
from nearsense.errors import BrokenModel, ModelError, ModelNotFound, UnsupportedModel

__all__ = ["ModelFolder", "find", "installed", "open_folder"]

WEIGHTS = "model.safetensors"
TOKENIZER = "tokenizer.json"
PICKLES = ("pytorch_model.bin", "model.bin", "model.pt", "pytorch_model.pt")

_POOLINGS = {
    "pooling_mode_mean_tokens": Pooling.MEAN,
    "pooling_mode_cls_token": Pooling.CLS,
    "pooling_mode_max_tokens": Pooling.MAX,
    "pooling_mode_lasttoken": Pooling.LAST,
}
_ROLES = {"query": "query", "passage": "passage", "document": "passage", "corpus": "passage"}
"""What folders call the two sides of a search, and what that is here."""

_MODULES = ("Transformer", "Pooling", "Normalize")


@dataclass(frozen=True)
class ModelFolder:
    """A model as its folder describes it.

    Args:
        name: What the model is called in results and messages.
        path: The folder.
        config: `config.json`: the architecture and its sizes.
        max_tokens: Texts beyond it are cut; special tokens included.
        pooling: Which tokens make the vector.
        prompts: What is put before a text, by role.
        card: The catalogue's row, where there is one.
    """

    name: str
    path: Path
    config: Mapping[str, Any]
    max_tokens: int
    pooling: Pooling
    prompts: Mapping[str, str]
    card: ModelCard | None

    @cached_property
    def weights(self) -> Path:
        """The safetensors file."""
        return self.path / WEIGHTS

    @cached_property
    def tokenizer(self) -> Path:
        """The tokenizer file."""
        return self.path / TOKENIZER

    def verified_hashes(self, hashes: FileHashes) -> dict[str, str]:
        """SHA-256 of weights and tokenizer, checked against the catalogue's where the name promises them.

        Raises:
            BrokenModel: A file is not the published one.
        """
        found = {path.name: hashes.sha256(path) for path in (self.weights, self.tokenizer)}
        for file, published in (self.card.sha256 if self.card else {}).items():
            if found.get(file) != published:
                found[file] = hashes.sha256(self.path / file, anew=True)  # what was remembered may be wrong
            if found[file] != published:
                raise BrokenModel(
                    f"{self.path / file} is not the published file of {self.name}",
                    why=f"its SHA-256 is {found.get(file)}, published is {published}",
                    fix=_how_to_get(self.name),
                )
        return found


def find(name: str) -> ModelFolder:
    """The folder of a model: an explicit path, an installed model package, then the hub's cache.

    Args:
        name: A model's name (`"all-MiniLM-L6-v2"`, `"org/name"`) or a folder's path.

    Raises:
        ModelNotFound: It is in none of these places.
        BrokenModel: A folder was found, but its files are not in order.
        UnsupportedModel: Its files are in order, but need something that is not here.
    """
    path = Path(os.path.expanduser(name))  # noqa: PTH111  (Path.expanduser raises for an unknown user)
    if os.path.isdir(path):  # noqa: PTH112  (Path.is_dir raises where it may not look)
        return open_folder(path, name=path.resolve().name)
    if os.path.isfile(path):  # noqa: PTH113
        raise ModelNotFound(
            f"{name} is a file, not a model's folder",
            why="a model is a folder with config.json, tokenizer.json and model.safetensors",
            fix=f"nearsense models   (what is here), or give the folder: {path.parent}",
        )
    card = card_of(name)
    if card is not None and (folder := _package_folder(card)):
        return open_folder(folder, name=card.name, card=card)
    hub = card.hub if card is not None else name
    for repository in (hub, f"sentence-transformers/{hub}"):
        if folder := _cached_snapshot(repository):
            return open_folder(folder, name=card.name if card else name, card=card)
    raise ModelNotFound(
        f"no model {name!r} here",
        why=f"looked for a folder of that name, an installed model package, and the hub's cache {_hub_cache()}",
        fix=_how_to_get(name),
    )


def installed() -> list[ModelFolder]:
    """Every model of the hub's cache and of installed packages that can be opened, by name."""
    names = [card.name for card in CATALOG]
    cached = sorted(folder.name[len("models--") :].replace("--", "/") for folder in _hub_cache().glob("models--*"))
    known = {card.hub for card in CATALOG}
    found = []
    for name in [*names, *(name for name in cached if name not in known)]:
        try:
            found.append(find(name))
        except ModelError:
            continue
    return found


def open_folder(path: Path, *, name: str, card: ModelCard | None = None) -> ModelFolder:
    """Read a model folder's own description.

    Raises:
        BrokenModel: A file is missing, unreadable or contradicts another.
        UnsupportedModel: Pickled weights only, or a module that is not known here.
    """
    if not (path / WEIGHTS).is_file():
        pickle = next((file for file in PICKLES if (path / file).is_file()), None)
        if pickle is not None:
            raise UnsupportedModel(
                f"{path} has only pickled weights ({pickle})",
                why="a pickle can run any code when it is loaded; nearsense reads safetensors only",
                fix="get the model's safetensors files, or convert them where you trust their source",
            )
        raise BrokenModel(
            f"{path} has no {WEIGHTS}",
            why="the weights of the model are missing",
            fix=_how_to_get(name),
        )
    if not (path / TOKENIZER).is_file():
        raise BrokenModel(
            f"{path} has no {TOKENIZER}",
            why="without the tokenizer no text can be turned into the model's tokens",
            fix=_how_to_get(name),
        )
    try:
        return _described(path, name, card)
    except (TypeError, ValueError, AttributeError, OverflowError, RecursionError) as error:
        raise BrokenModel(
            f"{path}: its json files do not have the form that models have",
            why=f"{type(error).__name__}: {error}",
            fix="get the model's folder anew",
        ) from None


def _described(path: Path, name: str, card: ModelCard | None) -> ModelFolder:
    """What the json files of a folder say."""
    config = _json(path / "config.json", required=True)
    modules = _json(path / "modules.json")
    kinds = [str(module.get("type", "")).rpartition(".")[2] for module in modules] if modules else []
    if unknown := [kind for kind in kinds if kind not in _MODULES]:
        raise UnsupportedModel(
            f"{path}: the module {unknown[0]!r} of modules.json is not known here",
            why=f"known are {', '.join(_MODULES)}",
            fix="use another model (nearsense models)",
        )
    sentence = _json(path / "sentence_bert_config.json")
    limits = [sentence.get("max_seq_length"), config.get("max_position_embeddings")]
    prompts = _json(path / "config_sentence_transformers.json").get("prompts") or {}
    return ModelFolder(
        name=name,
        path=path,
        config=config,
        max_tokens=min(int(limit) for limit in limits if limit) if any(limits) else 512,
        pooling=_pooling(path, modules),
        prompts={_ROLES[name]: str(prompt) for name, prompt in prompts.items() if prompt and name in _ROLES},
        card=card,
    )


def _pooling(path: Path, modules: Any) -> Pooling:
    """What `1_Pooling/config.json` says; the mean where there is none, as sentence-transformers has it."""
    folder = next((m.get("path") for m in modules or [] if str(m.get("type", "")).endswith(".Pooling")), None)
    if folder is None:
        return Pooling.MEAN
    settings = _json(_inside(path, str(folder)) / "config.json", required=True)
    chosen = [key for key, value in settings.items() if key.startswith("pooling_mode_") and value is True]
    named = settings.get("pooling_mode")
    if named in tuple(Pooling):
        return Pooling(named)
    if len(chosen) != 1 or chosen[0] not in _POOLINGS:
        raise UnsupportedModel(
            f"{path}: pooling {named or chosen or 'none'} is not known here",
            why=f"known are {', '.join(_POOLINGS)}, one at a time",
            fix="use another model (nearsense models)",
        )
    return _POOLINGS[chosen[0]]


def _inside(path: Path, part: str) -> Path:
    """A path that a file names, refused where it leaves the folder."""
    if Path(part).is_absolute() or ".." in Path(part).parts:
        raise BrokenModel(
            f"{path}: modules.json names {part!r}", why="it lies outside of the model's folder", fix="get it anew"
        )
    return path / part


def _json(file: Path, *, required: bool = False) -> Any:
    """A JSON file's value; `{}` where it is not there and need not be."""
    if not required and not file.is_file():
        return {}
    try:
        return json.loads(file.read_text("utf-8"))
    except FileNotFoundError:
        why = "the file is missing"
    except OSError as error:
        why = error.strerror or str(error)
    except (ValueError, RecursionError) as error:
        why = f"it is not valid JSON: {error}"
    raise BrokenModel(f"{file} cannot be read", why=why, fix="get the model's folder anew")


def _package_folder(card: ModelCard) -> Path | None:
    """The `model` folder of an installed package. The package's own code is not run."""
    from importlib.util import find_spec

    spec = find_spec(card.package) if card.package else None
    places = (spec.submodule_search_locations or []) if spec else []
    return next((Path(place) / "model" for place in places if (Path(place) / "model").is_dir()), None)


def _hub_cache() -> Path:
    """Where the hub's own library keeps what it downloaded."""
    cache = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    home = os.environ.get("HF_HOME") or f"{cache}/huggingface"
    return Path(os.path.expanduser(os.environ.get("HF_HUB_CACHE") or f"{home}/hub"))  # noqa: PTH111  (as in find)


def _cached_snapshot(repository: str) -> Path | None:
    """The snapshot of a repository that its `main` points to."""
    if repository.count("/") != 1 or ".." in repository:
        return None
    root = _hub_cache() / f"models--{repository.replace('/', '--')}"
    try:
        snapshot = root / "snapshots" / (root / "refs" / "main").read_text("ascii").strip()
    except (OSError, ValueError):
        return None
    return snapshot if snapshot.is_dir() else None


def _how_to_get(name: str) -> str:
    card = card_of(name)
    if card is not None and card.install:
        return card.install
    return "give the path of its folder, or see what is here: nearsense models"
