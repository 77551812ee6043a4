"""Which files of a repository are fetched: those that cannot run code, and are needed. Not how: hub.py."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import PurePosixPath
from typing import Any

from nearsense.encoders import transformer
from nearsense.encoders.hub_cache import GRAPHS, SHARDED, WEIGHTS
from nearsense.errors import BrokenModel, ModelError, UnsupportedModel

__all__ = ["leave_a_choice", "own_code", "refuse_strange", "wanted"]

DESCRIPTIONS = re.compile(
    r"(?:config|modules|sentence_[\w-]+_config|config_sentence_transformers|tokenizer"
    r"|tokenizer_config|special_tokens_map|added_tokens|vocab)\.json|(?:vocab|merges)\.txt"
    r"|(?:sentencepiece\.bpe|spiece|tokenizer)\.model"
)
"""What a model says of itself, and its tokenizer."""

SHARD = re.compile(r"model-\d{5}-of-\d{5}\.safetensors")
MODULE = re.compile(r"\d+_[A-Za-z0-9_-]+")
"""The folder of a module: `1_Pooling`, `2_Dense`."""

PICKLES = (".bin", ".pt", ".pth", ".pkl", ".pickle", ".ckpt")
EXTERNAL = re.compile(r"\.onnx(_data(_\d+)?|\.data)")
"""What follows the stem of an ONNX file in the names of the files with its weights."""


def wanted(files: Sequence[str], config: Mapping[str, Any] | None = None) -> list[str]:
    """The files of a repository that are fetched: descriptions, tokenizer, and weights that cannot run code.

    Args:
        files: The names of all files.
        config: The repository's config.json, where it decides: see `leave_a_choice`.

    Raises:
        UnsupportedModel: It has pickled weights only, or none that can be read here.
        BrokenModel: A name leads out of the model's folder.

    Example:
        >>> wanted(["config.json", "model.safetensors", "pytorch_model.bin", "code.py", "tokenizer.json"])
        ['config.json', 'model.safetensors', 'tokenizer.json']
    """
    refuse_strange(files)
    folders = sorted({str(PurePosixPath(name).parent) for name in files})
    modules = [each for each in folders if MODULE.fullmatch(each)]
    chosen = {name for name in files if DESCRIPTIONS.fullmatch(PurePosixPath(name).name) and _at(name, modules)}
    chosen |= {name for module in modules for name in _weights(files, f"{module}/")}
    kinds = [_weights(files, ""), _graph(files)]
    if config is not None and _needs_graph(config):
        kinds.reverse()
    own = kinds[0] or kinds[1]
    if not own and not any(name.endswith(WEIGHTS) for name in chosen):
        raise _refused(files, "")
    return sorted(chosen | set(own))


def refuse_strange(files: Sequence[str]) -> None:
    """Refuse names that lead out of a folder.

    Raises:
        BrokenModel: One does.
    """
    for name in files:
        if _leads_out(name):
            raise BrokenModel(
                f"the repository names a file {name!r}",
                why="it would lie outside of the folder; nothing was fetched",
                fix="use another source",
            )


def leave_a_choice(files: Sequence[str]) -> bool:
    """Whether there are safetensors and a finished graph: the configuration says which of them runs here."""
    return "config.json" in files and bool(_weights(files, "") and _graph(files))


def own_code(config: Mapping[str, Any]) -> str:
    """The Python that a model wants to bring along; `""` for none.

    Example:
        >>> own_code({"auto_map": {"AutoModel": "modeling_new.NewModel"}})
        'modeling_new.NewModel'
    """
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


def _at(name: str, modules: Sequence[str]) -> bool:
    return str(PurePosixPath(name).parent) in (".", *modules)


def _leads_out(name: str) -> bool:
    parts = name.split("/")
    return (
        any(part in ("", ".", "..") for part in parts) or any(c in name for c in "\\\0:") or not name.isprintable()
    )


def _weights(files: Sequence[str], place: str) -> list[str]:
    """The safetensors files of a folder; an error where it has pickles instead, and is a module."""
    here = [name.removeprefix(place) for name in files if name.startswith(place)]
    if WEIGHTS in here:
        return [place + WEIGHTS]
    if SHARDED in here:
        return [place + name for name in here if name == SHARDED or SHARD.fullmatch(name)]
    if place and any("/" not in name and name.endswith(PICKLES) for name in here):
        raise _refused(files, place)
    return []


def _graph(files: Sequence[str]) -> list[str]:
    for names in GRAPHS:
        if all(name in files for name in names):
            stem = names[0].removesuffix(".onnx")
            beside = (name for name in files if name.startswith(stem) and EXTERNAL.fullmatch(name[len(stem) :]))
            return [*names, *beside]
    return []


def _refused(files: Sequence[str], place: str) -> UnsupportedModel:
    here = [name for name in files if str(PurePosixPath(name).parent) == (place.rstrip("/") or ".")]
    pickle = next((name for name in here if name.endswith(PICKLES)), None)
    fix = "use another model (nearsense models), or convert this one where you trust its source"
    if pickle is None:
        return UnsupportedModel(
            "the repository has no weights that can be read here",
            why="neither model.safetensors nor an OpenVINO or ONNX graph is among its files; nothing was fetched",
            fix=fix,
        )
    return UnsupportedModel(
        f"the repository has only pickled weights ({pickle})",
        why="a pickle can run any code when it is loaded; nothing was fetched",
        fix=fix,
    )
