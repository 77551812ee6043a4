"""Which files make a model: what is fetched of a repository, and what a folder lacks. No network."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path, PurePosixPath
from typing import Any

from nearsense._paths import is_file
from nearsense.encoders import transformer
from nearsense.errors import BrokenModel, ModelError, UnsupportedModel

TOKENIZERS = ("tokenizer.json", "vocab.txt", "vocab.json", "sentencepiece.bpe.model", "spiece.model")
WEIGHTS = "model.safetensors"
SHARDED = "model.safetensors.index.json"
GRAPHS = (
    ("openvino/openvino_model.xml", "openvino/openvino_model.bin"),
    ("openvino_model.xml", "openvino_model.bin"),
    ("onnx/model.onnx",),
    ("model.onnx",),
)
"""Files that hold a whole model where there are no safetensors, the preferred first."""

WITHOUT_CONFIGURATION = ("Normalize", "StaticEmbedding")  # modules that need no config.json


def model_around(path: str | os.PathLike[str]) -> Path | None:
    """The folder of a model within which a path lies; None where it lies in none.

    Links to the folder are followed, and one of its files that is a link belongs to it all the same.
    """
    name = Path(path)
    lies, leads = Path(os.path.realpath(name.parent)) / name.name, Path(os.path.realpath(name))
    return next(filter(_holds_a_model, dict.fromkeys((*lies.parents, *leads.parents))), None)


def _holds_a_model(folder: Path) -> bool:
    """Whether a file says that a model is here, and there are weights, or a module in a folder of its own."""

    def there(*names: str) -> bool:
        return any(is_file(folder / name) for name in names)

    weights = (WEIGHTS, SHARDED, "pytorch_model.bin", *(name for files in GRAPHS for name in files))
    return (
        (there("config.json", "modules.json") and there(*weights))
        or (there("modules.json") and any(folder.glob("[0-9]_*/config.json")))
        or (there("adapter.json") and there("adapter.safetensors"))
    )


def lacking_files(folder: Path) -> list[str]:
    """What every model needs and this folder has not: configurations, a tokenizer, weights with all shards."""
    place, needed = _modules(folder)
    missing = [name for name in needed if size_of(folder / name) is None]
    if all(size_of(folder / place / name) is None for name in TOKENIZERS):
        missing.append(f"{place}{TOKENIZERS[0]}")
    return missing + [f"{place}{name}" for name in _missing_weights(folder / place)]


def _modules(folder: Path) -> tuple[str, list[str]]:
    """Where the first module lies, and the configurations that all need; the form is not judged here."""
    modules = read_json(folder / "modules.json")
    steps = []
    for module in modules if isinstance(modules, list) else []:
        path, kind = (module.get("path"), module.get("type")) if isinstance(module, dict) else (None, None)
        if isinstance(path, str) and isinstance(kind, str) and ".." not in path:
            steps.append((f"{path}/" if path else "", kind.rpartition(".")[2]))
    if not steps:
        return "", ["config.json"]
    return steps[0][0], [f"{path}config.json" for path, kind in steps if kind not in WITHOUT_CONFIGURATION]


def _missing_weights(folder: Path) -> list[str]:
    if size_of(folder / WEIGHTS) is not None:
        return []
    index = read_json(folder / SHARDED)
    shards = index.get("weight_map") if isinstance(index, dict) else None
    if isinstance(shards, dict) and shards:
        return [name for name in sorted({*map(str, shards.values())}) if size_of(folder / name) is None]
    if any(all(size_of(folder / name) is not None for name in files) for files in GRAPHS):
        return []
    return [WEIGHTS]


def size_of(file: Path) -> int | None:
    """The length of a file, through links; None where it is not there."""
    try:
        return file.stat().st_size if is_file(file) else None
    except (OSError, ValueError):
        return None


def read_json(file: Path) -> Any:
    """A JSON file's value; None where it cannot be read."""
    try:
        return json.loads(file.read_text("utf-8"))
    except (OSError, ValueError, RecursionError):
        return None


DESCRIPTIONS = re.compile(
    r"(?:config|modules|sentence_[\w-]+_config|config_sentence_transformers|tokenizer"
    r"|tokenizer_config|special_tokens_map|added_tokens|vocab)\.json|(?:vocab|merges)\.txt"
    r"|(?:sentencepiece\.bpe|spiece|tokenizer)\.model"
)
"""What a model says of itself, and its tokenizer."""

SHARD = re.compile(r"model-\d{5}-of-\d{5}\.safetensors")
MODULE = re.compile(r"\d+_[A-Za-z0-9_-]+")  # the folder of a module: `1_Pooling`, `2_Dense`

PICKLES = (".bin", ".pt", ".pth", ".pkl", ".pickle", ".ckpt")
EXTERNAL = re.compile(r"\.onnx(_data(_\d+)?|\.data)")
"""What follows the stem of an ONNX file in the names of the files with its weights."""


def files_to_fetch(files: Sequence[str], config: Mapping[str, Any] | None = None) -> list[str]:
    """The files of a repository that are fetched: descriptions, tokenizer, and weights that cannot run code.

    The repository's `config` decides where there are several kinds of weights: see `leave_a_choice`.
    """
    refuse_strange(files)
    folders = sorted({str(PurePosixPath(name).parent) for name in files})
    modules = [each for each in folders if MODULE.fullmatch(each)]
    paths = [path for path in map(PurePosixPath, files) if str(path.parent) in (".", *modules)]
    chosen = {str(path) for path in paths if DESCRIPTIONS.fullmatch(path.name)}
    chosen |= {name for module in modules for name in _weights(files, f"{module}/")}
    kinds = [_weights(files, ""), _graph(files)]
    if config is not None and _needs_graph(config):
        kinds.reverse()
    own = kinds[0] or kinds[1]
    if not own and not any(name.endswith(WEIGHTS) for name in chosen):
        raise _no_weights(files, "")
    return sorted(chosen | set(own))


def refuse_strange(files: Sequence[str]) -> None:
    """Refuse names that lead out of a folder."""
    for name in files:
        dotted = any(part in ("", ".", "..") for part in name.split("/"))
        if dotted or any(sign in name for sign in "\\\0:") or not name.isprintable():
            why = "it would lie outside of the folder; nothing was fetched"
            raise BrokenModel(f"the repository names a file {name!r}", why=why, fix="use another source")


def leave_a_choice(files: Sequence[str]) -> bool:
    """Whether there are safetensors and a finished graph: the configuration says which of them runs here."""
    return "config.json" in files and bool(_weights(files, "") and _graph(files))


def own_code(config: Mapping[str, Any]) -> str:
    """The Python that a model wants to bring along; `""` for none."""
    named = config.get("auto_map")
    code = [str(value) for key, value in named.items() if "Model" in key] if isinstance(named, dict) else []
    return code[0] if code else ""


def _needs_graph(config: Mapping[str, Any]) -> bool:
    """Whether nothing here can run a model's safetensors."""
    if own_code(config):
        return True
    if config.get("model_type") == "model2vec":
        return False
    try:
        transformer.sizes_of(config, "")
    except UnsupportedModel:
        return find_spec("sentence_transformers") is None
    except ModelError:  # it is told when the model is loaded
        return False
    return False


def _weights(files: Sequence[str], place: str) -> list[str]:
    """The safetensors files of a folder; an error where it has pickles instead, and is a module."""
    here = [name.removeprefix(place) for name in files if name.startswith(place)]
    if WEIGHTS in here:
        return [place + WEIGHTS]
    if SHARDED in here:
        return [place + name for name in here if name == SHARDED or SHARD.fullmatch(name)]
    if place and any("/" not in name and name.endswith(PICKLES) for name in here):
        raise _no_weights(files, place)
    return []


def _graph(files: Sequence[str]) -> list[str]:
    for names in GRAPHS:
        if all(name in files for name in names):
            stem = names[0].removesuffix(".onnx")
            beside = (name for name in files if name.startswith(stem) and EXTERNAL.fullmatch(name[len(stem) :]))
            return [*names, *beside]
    return []


def _no_weights(files: Sequence[str], place: str) -> UnsupportedModel:
    here = [name for name in files if str(PurePosixPath(name).parent) == (place.rstrip("/") or ".")]
    pickle = next((name for name in here if name.endswith(PICKLES)), None)
    fix = "use another model (nearsense models), or convert this one where you trust its source"
    if pickle is None:
        why = "neither model.safetensors nor an OpenVINO or ONNX graph is among its files; nothing was fetched"
        return UnsupportedModel("the repository has no weights that can be read here", why=why, fix=fix)
    why = "a pickle can run any code when it is loaded; nothing was fetched"
    return UnsupportedModel(f"the repository has only pickled weights ({pickle})", why=why, fix=fix)
