"""A parent and its map as one folder that others load, too: the map is a dense layer after the parent's way.

A map has no bias, and unit length at the end takes every factor away. So maps after maps are one matrix, and the
unit length between them is not needed.
"""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nearsense._paths import is_file
from nearsense.encoders import Encoder, load
from nearsense.encoders.adapted import AdaptedEncoder
from nearsense.encoders.cache import runner_of
from nearsense.encoders.folder import TRAINED, ModelFolder, find
from nearsense.encoders.hub_files import WEIGHTS
from nearsense.encoders.loading import CALIBRATION, obstacle
from nearsense.encoders.packing import Pooling
from nearsense.encoders.weights import write_tensors
from nearsense.errors import InputError, UnsupportedModel
from nearsense.files import new_folder
from nearsense.records import Metric

if TYPE_CHECKING:
    from nearsense.calibration import Calibration

MODULES, SENTENCE, OWN = "modules.json", "sentence_bert_config.json", "config_sentence_transformers.json"
KEPT = (".json", ".txt", ".model")
"""Endings of the files that tell of a transformer and its tokenizer."""
LEFT = (MODULES, OWN, TRAINED, CALIBRATION, "report.json")
_NAMES = {Pooling.LAST: "lasttoken"}  # what folders call it, where that is another word


def merge(encoder: Encoder, output: str | os.PathLike[str], calibration: Calibration | None = None) -> Path:
    """Write a map and its parent as one model's folder, which sentence-transformers loads as nearsense does.

    Its vectors are those of the map after its parent. It is a model of its own, with a fingerprint of its own.

    Args:
        encoder: A map with its parent, as `ns.load` gives it.
        output: The folder to write; it must not be there.
        calibration: What its scores mean, to be carried along.

    Raises:
        InputError: The encoder is no map.
        UnsupportedModel: Its parent is on a server, or a finished graph, or is run otherwise than its folder says.
        FileError: The folder is there, or cannot be written; nothing is left behind.
    """
    if not isinstance(encoder, AdaptedEncoder):
        fix = "nearsense train FILE --adapter makes one"
        raise InputError(f"{encoder.name} is no adapter", why="a map is merged into its model", fix=fix)
    matrix, parent = np.eye(encoder.dimension, dtype=np.float32), uncovered(encoder)
    while isinstance(parent, AdaptedEncoder):
        matrix, parent = matrix @ parent.map.matrix(), uncovered(parent.parent)
    folder, whole = _source_of(parent)
    weight = np.zeros((len(matrix), whole.dimension), np.float32)
    weight[:, : parent.dimension] = matrix
    target = Path(output)
    with new_folder(target) as draft:
        modules = _copied(folder, parent, draft)
        for kind in ("Dense", "Normalize"):
            modules.append(_module(len(modules), f"{len(modules)}_{kind}", kind))
            (draft / modules[-1]["path"]).mkdir()
        dense = draft / modules[-2]["path"]
        write_tensors(dense / WEIGHTS, {"linear.weight": weight})
        sizes = {"in_features": weight.shape[1], "out_features": len(weight), "bias": False}
        _write(dense / "config.json", {**sizes, "activation_function": "torch.nn.modules.linear.Identity"})
        _write(draft / MODULES, modules)
        known = {"parent": parent.name, "parent_fingerprint": parent.fingerprint, "method": "adapter, merged"}
        facts = {"needs_role": encoder.needs_role, "languages": list(encoder.languages)}
        _write(draft / TRAINED, {**known, "adapter": encoder.fingerprint, **facts})
        if calibration is not None:
            fingerprint = load(str(draft)).fingerprint
            replace(calibration, model=target.name, fingerprint=fingerprint).save(draft / CALIBRATION)
    return target


def uncovered(encoder: Encoder) -> Any:
    """A map as it is; of anything else what runs in the end."""
    return encoder if isinstance(encoder, AdaptedEncoder) else runner_of(encoder)


def _source_of(parent: Any) -> tuple[ModelFolder, Encoder]:
    """The folder of a parent, and the model as it says; refused where it is run otherwise."""
    source = getattr(parent, "source", "")
    why = "it does not lie in a folder here"
    if source and getattr(parent, "again", None) is not None:
        folder, whole = find(source), load(source)
        known = whole.with_similarity(Metric.COSINE)
        if parent.dimension < whole.dimension:
            known = known.with_dimensions(parent.dimension)
        why = "it is run otherwise than its folder says"
        if known.fingerprint == parent.fingerprint:
            listed = folder.path / MODULES
            reason = None if folder.static and is_file(listed) else obstacle(folder)
            if reason is None:
                return folder, whole
            why = reason.what
    fix = "use the adapter's folder as it is"
    raise UnsupportedModel(f"a map of {parent.name} cannot be merged", why=why, fix=fix)


def _copied(folder: ModelFolder, parent: Encoder, draft: Path) -> list[dict[str, Any]]:
    """The parent's files, and its modules."""
    root = draft / folder.root.relative_to(folder.path)
    root.mkdir(exist_ok=True)
    for each in folder.root.iterdir():
        if each.suffix in KEPT and each.name not in LEFT and is_file(each):
            shutil.copyfile(each, root / each.name)
    for each in folder.weights:
        shutil.copyfile(each, root / each.name)
    listed = folder.path / MODULES
    if is_file(listed):
        modules: list[dict[str, Any]] = json.loads(listed.read_text("utf-8"))
        for step in folder.steps[1:]:
            place = draft / step.path.relative_to(folder.path)
            place.mkdir(parents=True, exist_ok=True)
            for name in ("config.json", WEIGHTS):
                if is_file(step.path / name):
                    shutil.copyfile(step.path / name, place / name)
    else:
        modules = [_module(0, "", "Transformer"), _module(1, "1_Pooling", "Pooling")]
        names = [_NAMES.get(each, each.value) for each in folder.pooling]
        (draft / "1_Pooling").mkdir()
        width = int(folder.config["hidden_size"])
        _write(draft / "1_Pooling" / "config.json", {"word_embedding_dimension": width, "pooling_mode": names})
    if not folder.static:
        said = _read(root / SENTENCE)
        said |= {"max_seq_length": parent.max_tokens, "do_lower_case": folder.lower}
        _write(root / SENTENCE, said)
    prompts = dict(parent.prompts or {})
    if "passage" in prompts:
        prompts["document"] = prompts["passage"]  # as sentence-transformers calls it
    own = _read(folder.path / OWN)
    if "default" in prompts:
        own.setdefault("default_prompt_name", "default")
    own |= {"similarity_fn_name": Metric.COSINE.value, "prompts": {**(own.get("prompts") or {}), **prompts}}
    _write(draft / OWN, own)
    return modules


def _module(number: int, path: str, kind: str) -> dict[str, Any]:
    return {"idx": number, "name": str(number), "path": path, "type": f"sentence_transformers.models.{kind}"}


def _read(file: Path) -> dict[str, Any]:
    return dict(json.loads(file.read_text("utf-8"))) if is_file(file) else {}


def _write(file: Path, value: Any) -> None:
    file.write_text(json.dumps(value, indent=1, ensure_ascii=False) + "\n", "utf-8")
