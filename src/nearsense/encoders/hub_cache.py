"""The hub's cache on this machine: where a repository lies, whether it is whole, which files are wanted.

No network.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path, PurePosixPath
from typing import Any

from nearsense._folder import Folder, make_folders
from nearsense._machine import whoami
from nearsense.encoders import transformer
from nearsense.errors import BrokenModel, FileError, ModelError, NearsenseError, UnsupportedModel

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

_REPOSITORY = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*/[A-Za-z0-9_][A-Za-z0-9_.-]*")
_REVISION = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_./+-]*")
_HASH = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_COMMIT = re.compile(r"[A-Za-z0-9]+")
_SHORT_COMMIT = re.compile(r"[0-9a-f]{7,40}")


@dataclass(frozen=True, slots=True)
class Promise:
    """What the hub says of one file: its bytes, and SHA-256 (64 digits) or git's SHA-1 (40 digits)."""

    size: int
    hash: str


def cache_folder() -> Path:
    """Where the hub's own library keeps what it downloaded: the environment as it is now."""
    cache = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    home = os.environ.get("HF_HOME") or f"{cache}/huggingface"
    folder = os.path.expandvars(os.environ.get("HF_HUB_CACHE") or f"{home}/hub")
    return Path(os.path.expanduser(folder))  # noqa: PTH111  (Path.expanduser raises for an unknown user)


def is_repository(name: str) -> bool:
    """Whether a name can be one of the hub's, `org/name`.

    >>> is_repository("someone/small-model"), is_repository("../small-model"), is_repository("./models/mine")
    (True, False, False)
    """
    return bool(_REPOSITORY.fullmatch(name)) and ".." not in name and "--" not in name


def is_hash(word: str) -> bool:
    """Whether a word is SHA-256 or git's SHA-1, as blobs are named."""
    return bool(_HASH.fullmatch(word))


def is_revision(revision: str) -> bool:
    """Whether a word can be a commit, a branch or a tag.

    >>> is_revision("refs/pr/1"), is_revision("../../etc")
    (True, False)
    """
    return bool(_REVISION.fullmatch(revision)) and ".." not in revision


def repository_folder(repository: str, kind: str = "models") -> Path:
    """Where a repository `org/name` of "models" or "datasets" lies, or would."""
    return cache_folder() / f"{kind}--{repository.replace('/', '--')}"


def repositories() -> list[str]:
    """Every repository of the cache by name, whole or not."""
    try:
        folders = sorted(folder.name for folder in cache_folder().glob("models--*--*"))
    except OSError:
        return []
    names = (name.removeprefix("models--").replace("--", "/", 1) for name in folders)
    return [name for name in names if is_repository(name)]


def snapshot(repository: str, revision: str | None = None, kind: str = "models") -> Path | None:
    """The snapshot of a repository at a branch, a tag, a commit or its first seven digits, whole or not."""
    if not is_repository(repository) or not is_revision(revision or "main"):
        return None
    root = repository_folder(repository, kind)
    found = _commit_at(root, revision or "main")
    if found is None and revision and _COMMIT.fullmatch(revision):
        found = _commit_like(root, revision)
    folder = root / "snapshots" / (found or "")
    return folder if found and os.path.isdir(folder) else None  # noqa: PTH112  (Path.is_dir raises)


def only_snapshot(repository: str) -> Path | None:
    """The one snapshot of a repository that has no `main` here."""
    try:
        folders = [each for each in (repository_folder(repository) / "snapshots").iterdir() if each.is_dir()]
    except OSError:
        return None
    return folders[0] if len(folders) == 1 else None


def _commit_at(root: Path, revision: str) -> str | None:
    try:
        commit = (root / "refs" / revision).read_text("ascii").strip()
    except (OSError, ValueError):
        return None
    return commit if _COMMIT.fullmatch(commit) else None


def _commit_like(root: Path, revision: str) -> str | None:
    """The commit of that name, or the only one that begins so."""
    try:
        commits = [each.name for each in (root / "snapshots").iterdir()]
    except OSError:
        return None
    begun = [each for each in commits if each.startswith(revision)] if _SHORT_COMMIT.fullmatch(revision) else []
    return revision if revision in commits else begun[0] if len(begun) == 1 else None


@contextmanager
def opened_root(root: Path) -> Iterator[Folder]:
    """A repository's folder, to write into it: no link, though what leads to the cache may hold some."""
    make_folders(root.parent)
    with Folder(Path(os.path.realpath(root.parent))) as cache, cache.reached(root.name) as opened:
        yield opened


def keep_promises(folder: Path, promised: Mapping[str, Promise]) -> None:
    """Keep what the hub promised for a snapshot, before its first file is there."""
    file = _promises_file(folder)
    kept = json.dumps({name: [each.size, each.hash] for name, each in promised.items()})
    with opened_root(folder.parents[1]) as root, root.reached(file.parent.name) as place:
        place.replace(file.name, kept.encode())


def promises(folder: Path) -> dict[str, Promise] | None:
    """What was promised for a snapshot; None where another program fetched it."""
    kept: Any = _json(_promises_file(folder)) if folder.parent.name == "snapshots" else None
    try:
        return {str(name): Promise(int(size), str(digest)) for name, (size, digest) in kept.items()}
    except (AttributeError, TypeError, ValueError):
        return None


def _promises_file(folder: Path) -> Path:
    return folder.parents[1] / "nearsense" / f"{folder.name}.json"


def is_ours(folder: Path) -> bool:
    """Whether nearsense fetched a snapshot, or could use it: the cache holds models of many other kinds."""
    return promises(folder) is not None or not missing_files(folder)


def missing_files(folder: Path) -> list[str]:
    """The files that a snapshot needs and does not have; none where it is whole.

    A snapshot that another program fetched is judged by what every model needs: a configuration, a tokenizer,
    weights with all their shards, and a configuration of each module.
    """
    promised = promises(folder)
    if promised is not None:
        return [name for name, each in promised.items() if _size(folder / name) != each.size]
    place, needed = _modules(folder)
    missing = [name for name in needed if _size(folder / name) is None]
    if all(_size(folder / place / name) is None for name in TOKENIZERS):
        missing.append(f"{place}{TOKENIZERS[0]}")
    return missing + [f"{place}{name}" for name in _missing_weights(folder / place)]


def _modules(folder: Path) -> tuple[str, list[str]]:
    """Where the first module lies, and the configurations that all need; the form is not judged here."""
    modules = _json(folder / "modules.json")
    steps = []
    for module in modules if isinstance(modules, list) else []:
        path, kind = (module.get("path"), module.get("type")) if isinstance(module, dict) else (None, None)
        if isinstance(path, str) and isinstance(kind, str) and ".." not in path:
            steps.append((f"{path}/" if path else "", kind.rpartition(".")[2]))
    if not steps:
        return "", ["config.json"]
    return steps[0][0], [f"{path}config.json" for path, kind in steps if kind not in WITHOUT_CONFIGURATION]


def _missing_weights(folder: Path) -> list[str]:
    if _size(folder / WEIGHTS) is not None:
        return []
    index = _json(folder / SHARDED)
    shards = index.get("weight_map") if isinstance(index, dict) else None
    if isinstance(shards, dict) and shards:
        return [name for name in sorted({*map(str, shards.values())}) if _size(folder / name) is None]
    if any(all(_size(folder / name) is not None for name in files) for files in GRAPHS):
        return []
    return [WEIGHTS]


def digest(file: Path, promised: str) -> str:
    """The hash of a file in the kind of `promised`: SHA-256, or git's SHA-1 of a blob."""
    with file.open("rb") as content:
        if len(promised) == 64:
            return hashlib.file_digest(content, "sha256").hexdigest()
        blob = hashlib.sha1(b"blob %d\0" % os.fstat(content.fileno()).st_size, usedforsecurity=False)
        while piece := content.read(1 << 20):
            blob.update(piece)
        return blob.hexdigest()


def remove(repository: str) -> int:
    """Remove a repository with all its revisions from the cache; how many bytes that freed."""
    folder = repository_folder(repository)
    aside = f".removed-{folder.name}-{whoami()}"
    try:
        with Folder(Path(os.path.realpath(folder.parent))) as cache:
            cache.require(folders=(folder.name,))
            freed = sum(
                file.lstat().st_size for file in folder.rglob("*") if file.is_file() and not file.is_symlink()
            )
            cache.rename(folder.name, aside)  # at once: nobody finds half of it
            shutil.rmtree(cache.place() / aside)
            with suppress(OSError), cache.within(".locks") as locks:
                shutil.rmtree(locks.place() / folder.name)
    except OSError as error:
        raise FileError(
            f"{folder} cannot be removed", why=error.strerror or str(error), fix="check who owns the hub's cache"
        ) from None
    return freed


def _size(file: Path) -> int | None:
    """The length of a file, through links; None where it is not there."""
    try:
        return file.stat().st_size if file.is_file() else None
    except (OSError, ValueError):
        return None


def _json(file: Path) -> Any:
    try:
        return json.loads(file.read_text("utf-8"))
    except (OSError, ValueError, RecursionError):
        return None


def has_blob(root: Path, promised: Promise) -> bool:
    """Whether the blob is there as promised; a wrong one is removed, and a link out of the cache as well."""
    blob = root / "blobs" / promised.hash
    try:
        inside = blob.resolve().parent in ((root / "blobs").resolve(), (root.parent / "blobs").resolve())
        if inside and blob.stat().st_size == promised.size and digest(blob, promised.hash) == promised.hash:
            return True
        with opened_root(root) as folder, folder.within("blobs") as blobs:
            blobs.unlink(blob.name)
    except FileNotFoundError:
        pass
    return False


@contextmanager
def disk_errors(name: str) -> Iterator[None]:
    """Turn what goes wrong with the disk, while something is fetched, into an error of one plain sentence."""
    try:
        yield
    except NearsenseError:
        raise
    except OSError as error:
        raise FileError(
            f"{name} cannot be kept in {cache_folder()}",
            why=error.strerror or type(error).__name__,
            fix="free some space, or set HF_HOME to a folder with room that may be written",
        ) from None


def check_room(root: Path, needed: int) -> None:
    """Refuse to begin what does not fit, as an OSError."""
    make_folders(root.parent)
    free = shutil.disk_usage(root.parent).free
    if needed > free:
        raise OSError(errno.ENOSPC, f"{needed / 1e6:,.1f} MB are needed, {free / 1e6:,.1f} MB are free")


def publish(root: Path, commit: str, revision: str, promised: Mapping[str, Promise]) -> Path:
    """Make the snapshot of blobs that are all there, and then point the revision to it."""
    folder = root / "snapshots" / commit
    keep_promises(folder, promised)
    with opened_root(root) as opened:
        for name, each in promised.items():
            *above, last = name.split("/")
            with opened.reached("snapshots", commit, *above) as place:
                _link(place, last, root / "blobs" / each.hash, folder.joinpath(*above))
        if revision != commit:
            *above, last = revision.split("/")
            with opened.reached("refs", *above) as place:
                place.replace(last, commit.encode("ascii"))
    return folder


def _link(place: Folder, name: str, blob: Path, above: Path) -> None:
    """A name for a blob; a copy of it on a file system without links."""
    try:
        place.link(name, os.path.relpath(blob, above))
    except OSError:
        place.replace(name, blob.read_bytes())


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
