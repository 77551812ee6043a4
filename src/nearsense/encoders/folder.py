"""A model's folder: what its files say of it. Not where it lies (places.py), nor its arithmetic.

Only safetensors, ONNX, OpenVINO's graphs, json and tokenizer files are read. Pickled weights can run code when
they are loaded, and so can a model that brings Python files: such folders are refused with a sentence.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nearsense._paths import exists, is_file
from nearsense.encoders.base import damaged, not_run_here
from nearsense.encoders.catalog import ModelCard
from nearsense.encoders.hub_files import GRAPHS, SHARDED, WEIGHTS, own_code
from nearsense.encoders.modules import ACTIVATIONS, Dense, LayerNorm, Module, Unit
from nearsense.encoders.packing import Pooling
from nearsense.encoders.places import Place, how_to_get, inside, installed_places, locate
from nearsense.encoders.weights import FileHashes, Weights
from nearsense.errors import BrokenModel, ModelError, NearsenseError, UnsupportedModel
from nearsense.records import Metric

if TYPE_CHECKING:
    from nearsense._progress import Progress

TOKENIZER = "tokenizer.json"
TRAINED = "nearsense.json"
"""What nearsense says of a model that it trained: its parent, and what no other file of a folder can say."""

PICKLES = ("pytorch_model.bin", "model.bin", "model.pt", "pytorch_model.pt")

MODULES = ("Transformer", "StaticEmbedding", "Pooling", "Dense", "LayerNorm", "Normalize", "Dropout")
"""Types of modules.json that run here; sentence-transformers runs further ones of its own."""

SIDECARS = tuple(
    f"sentence_{kind}_config.json"
    for kind in ("bert", "roberta", "distilbert", "camembert", "albert", "xlm-roberta", "xlnet")
)
"""What sentence-transformers has called the file with a model's limit."""

MOST_MODULES = 64  # more steps than any model has

_POOLINGS = {
    "pooling_mode_cls_token": Pooling.CLS,
    "pooling_mode_max_tokens": Pooling.MAX,
    "pooling_mode_mean_tokens": Pooling.MEAN,
    "pooling_mode_mean_sqrt_len_tokens": Pooling.MEAN_SQRT,
    "pooling_mode_weightedmean_tokens": Pooling.WEIGHTED_MEAN,
    "pooling_mode_lasttoken": Pooling.LAST,
}
"""What older folders say, in the order in which several are put end to end."""

_SHORT = {"lasttoken": "last"}  # what newer folders say, where it is not the word that is used here

_ROLES = {"query": "query", "passage": "passage", "document": "passage", "corpus": "passage"}
"""What folders call the two sides of a search, and what that is here."""

_NO_LIMIT = 1_000_000  # tokenizers write 10^30 for "no limit"


@dataclass(frozen=True, slots=True)
class Step:
    """One entry of modules.json: the last part of its type, the folder of its files, its `config.json`."""

    kind: str
    path: Path
    settings: Mapping[str, Any]


@dataclass(frozen=True)
class ModelFolder:
    """A model as its folder describes it."""

    name: str
    path: Path
    config: Mapping[str, Any]
    steps: tuple[Step, ...]  # what happens to a text; the first is the transformer or a static table
    limit: int | None  # tokens, special ones included; None where no file says it
    lower: bool  # texts are put into small letters first
    prompts: Mapping[str, str]  # by role; "default" where none is given
    similarity: Metric
    activation: str | None  # what makes a score of a cross-encoder's number, by its Python name
    card: ModelCard | None

    @cached_property
    def weights(self) -> tuple[Path, ...]:
        """The safetensors files of the first step; none where there is another kind of file only."""
        whole = inside(self.root, WEIGHTS)
        if is_file(whole):
            return (whole,)
        names = _json(inside(self.root, SHARDED)).get("weight_map") or {}
        return tuple(inside(self.root, str(name)) for name in sorted(set(names.values())))

    @cached_property
    def graph(self) -> Path | None:
        """A finished graph, ONNX or OpenVINO's, where the folder brings one."""
        return next((file for name, *_ in GRAPHS if is_file(file := inside(self.root, name))), None)

    @cached_property
    def tokenizer(self) -> Path:
        """The tokenizer file."""
        return inside(self.root, TOKENIZER)

    @property
    def root(self) -> Path:
        """The folder of the first step: the transformer's, which for most models is the model's own."""
        return self.steps[0].path

    @property
    def static(self) -> bool:
        """A table of one vector a token, no transformer."""
        return self.steps[0].kind == "StaticEmbedding"

    @property
    def scores_pairs(self) -> bool:
        """It is a cross-encoder: it scores two texts together."""
        named = self.config.get("architectures")
        return isinstance(named, list) and any("SequenceClassification" in str(each) for each in named)

    @property
    def typed(self) -> bool:
        """The model is told which text of a pair a token belongs to, unless a file of its own denies it."""
        names = _json(inside(self.root, "tokenizer_config.json")).get("model_input_names")
        return names is None or "token_type_ids" in names

    @property
    def cuts_left(self) -> bool | None:
        """Long texts lose their beginning; None where no file but the tokenizer says."""
        side = _json(inside(self.root, "tokenizer_config.json")).get("truncation_side")
        return None if side is None else side == "left"

    @property
    def own_code(self) -> str:
        """The Python that the model wants to bring along; `""` for none."""
        return own_code(self.config)

    @cached_property
    def trained(self) -> Mapping[str, Any]:
        """What nearsense wrote of a model that it trained; empty for any other."""
        found: Mapping[str, Any] = _json(inside(self.path, TRAINED))
        return found

    @property
    def needs_role(self) -> bool:
        """Texts without their role's prompt score much worse."""
        return bool((self.card and self.card.needs_role) or self.trained.get("needs_role"))

    @property
    def languages(self) -> tuple[str, ...]:
        """What it was made for, ISO 639-1; empty where nobody says."""
        return self.card.languages if self.card else tuple(map(str, self.trained.get("languages") or ()))

    @property
    def pooling(self) -> tuple[Pooling, ...]:
        """Which tokens make the vector; where the folder does not say, what the catalogue says, else the mean."""
        step = next((step for step in self.steps if step.kind == "Pooling"), None)
        if step is not None:
            return _pooling(step)
        return ((self.card.pooling if self.card else None) or Pooling.MEAN,)

    def with_pooling(self, pooling: Pooling) -> ModelFolder:
        """The same model, pooled in another way."""
        chosen = Step("Pooling", self.path, {"pooling_mode": pooling.value})
        steps = [chosen if step.kind == "Pooling" else step for step in self.steps]
        if chosen not in steps:
            steps.insert(1, chosen)
        return replace(self, steps=tuple(steps))

    def modules(self) -> tuple[list[Module], list[Path]]:
        """What comes after pooling, but for unit length at the end, and the files of its weights."""
        modules: list[Module] = []
        files: list[Path] = []
        for step in self.steps:
            if step.kind not in MODULES:
                why = f"known are {', '.join(MODULES)}"
                raise not_run_here(f"{self.path}: the module {step.kind!r} of modules.json is not known here", why)
            if step.kind in _READERS:
                files.append(inside(step.path, WEIGHTS))
                modules.append(_READERS[step.kind](step, Weights(files[-1])))
            elif step.kind == "Normalize" and (step is not self.steps[-1] or self.similarity is not Metric.COSINE):
                modules.append(Unit())
        return modules, files

    def verified_hashes(self, files: tuple[Path, ...], hashes: FileHashes) -> dict[str, str]:
        """SHA-256 of files by their path in the folder, checked against the catalogue's where it promises them."""
        found = {_within(path, self.path): hashes.sha256(path) for path in files}
        promised = {_within(path, self.path): blob for path in files if len(blob := _blob(path)) == 64}
        for file, published in {**promised, **(self.card.sha256 if self.card else {})}.items():
            if found.get(file) != published:
                found[file] = hashes.sha256(self.path / file, anew=True)  # what was remembered may be wrong
            if found[file] != published:
                why = f"its SHA-256 is {found.get(file)}, published is {published}"
                fix = f"nearsense models pull {self.name}" if promised else how_to_get(self.name)
                raise BrokenModel(f"{self.path / file} is not the published file of {self.name}", why=why, fix=fix)
        return found


def find(name: str, *, offline: bool | None = None, progress: Progress = False) -> ModelFolder:
    """The folder of a model: a path, an installed model package, the hub's cache, or the hub."""
    return _open(locate(name, offline=offline, progress=progress))


def installed() -> list[ModelFolder]:
    """Every model of the hub's cache and of installed packages that can be opened, by name."""
    found = []
    for place in installed_places():
        try:
            found.append(_open(place))
        except ModelError:
            continue
    return found


def _open(place: Place) -> ModelFolder:
    return open_folder(place.path, name=place.name, card=place.card)


def open_folder(path: Path, *, name: str, card: ModelCard | None = None) -> ModelFolder:
    """Read a model folder's own description."""
    with well_formed(path):
        steps = _steps(path)
        _require_weights(steps[0].path, name)
        return _describe(path, name, steps, card)


@contextmanager
def well_formed(path: Path) -> Iterator[None]:
    """What json values of an unexpected form lead to, as an error of the model."""
    try:
        yield
    except NearsenseError:
        raise
    except (TypeError, ValueError, AttributeError, KeyError, IndexError, OverflowError, RecursionError) as error:
        why = f"{type(error).__name__}: {error}"
        raise damaged(f"{path}: its files do not have the form that models have", why) from error


def _require_weights(path: Path, name: str) -> None:
    names = [WEIGHTS, SHARDED, *(first for first, *_ in GRAPHS)]
    if not any(is_file(inside(path, each)) for each in names):
        pickle = next((file for file in PICKLES if is_file(path / file)), None)
        if pickle is not None:
            why = "a pickle can run any code when it is loaded; nearsense reads safetensors only"
            fix = "get the model's safetensors files, or convert them where you trust their source"
            raise UnsupportedModel(f"{path} has only pickled weights ({pickle})", why=why, fix=fix)
        raise BrokenModel(
            f"{path} has no {WEIGHTS}", why="the weights of the model are missing", fix=how_to_get(name)
        )
    if not is_file(inside(path, TOKENIZER)):
        why = "without the tokenizer no text can be turned into the model's tokens"
        raise BrokenModel(f"{path} has no {TOKENIZER}", why=why, fix=how_to_get(name))


def _describe(path: Path, name: str, steps: tuple[Step, ...], card: ModelCard | None) -> ModelFolder:
    """What the json files of a folder say."""
    root = steps[0].path
    config = _json(inside(root, "config.json"), required=steps[0].kind == "Transformer")
    sentence: dict[str, Any] = next((found for name in SIDECARS if (found := _json(inside(root, name)))), {})
    own = _json(inside(path, "config_sentence_transformers.json"))
    prompts = own.get("prompts") or {}
    for prompt in prompts.values():
        str(prompt).encode()  # half a surrogate pair is no text
    stated = {_ROLES[role]: str(prompt) for role, prompt in prompts.items() if prompt and role in _ROLES}
    if default := prompts.get(str(own.get("default_prompt_name"))):
        stated["default"] = str(default)
    return ModelFolder(
        name=name,
        path=path,
        config=config,
        steps=steps,
        limit=_limit(root, sentence, config),
        lower=bool(sentence.get("do_lower_case")),
        prompts={**(card.prompts if card else {}), **stated},
        similarity=_similarity(own, card),
        activation=_activation(config, own),
        card=card,
    )


def _steps(path: Path) -> tuple[Step, ...]:
    """What modules.json lists; without it, a transformer, or a static table as model2vec writes it."""
    listed = _json(inside(path, "modules.json"), form=list)
    if not listed:
        static = _json(inside(path, "config.json")).get("model_type") == "model2vec"
        return (Step("StaticEmbedding" if static else "Transformer", path, {}),)
    if len(listed) > MOST_MODULES:
        raise damaged(f"{path}: modules.json lists {len(listed):,} modules")
    steps = []
    for module in listed:
        kind = str(module["type"])
        if not kind.startswith("sentence_transformers."):
            why = "it is code that the model would bring along; only modules of sentence-transformers are run"
            raise not_run_here(f"{path}: the module {kind!r} of modules.json is not known here", why)
        folder = inside(path, str(module.get("path") or "."))
        kind = kind.rpartition(".")[2]
        first = kind in ("Transformer", "StaticEmbedding")
        steps.append(Step(kind, folder, {} if first else _json(inside(folder, "config.json"))))
    return tuple(steps)


def _limit(path: Path, sentence: Mapping[str, Any], config: Mapping[str, Any]) -> int | None:
    """`max_seq_length` of sentence_bert_config.json goes before what the tokenizer's own configuration says."""
    stated = sentence.get("max_seq_length")
    if stated is None:
        stated = _json(inside(path, "tokenizer_config.json")).get("model_max_length")
    if stated is None and config.get("model_type") == "model2vec":
        stated = config.get("max_length", 512)
    return None if stated is None or stated > _NO_LIMIT else int(stated)


def _similarity(own: Mapping[str, Any], card: ModelCard | None) -> Metric:
    stated = own.get("similarity_fn_name")
    if stated in (Metric.COSINE.value, Metric.DOT.value):
        return Metric(stated)
    return card.similarity if card else Metric.COSINE


def _activation(config: Mapping[str, Any], own: Mapping[str, Any]) -> str | None:
    """Where sentence-transformers has kept it: three places, the newest first."""
    older = config.get("sentence_transformers") or {}
    places = (
        own.get("activation_fn"),
        older.get("activation_fn"),
        config.get("sbert_ce_default_activation_function"),
    )
    return next((str(each) for each in places if each), None)


def activation_of(name: str, where: Path) -> str:
    """The one of `ACTIVATIONS` that a Python name means."""
    kind = name.rpartition(".")[2].lower()
    if not name.startswith("torch.nn.") or kind not in ACTIVATIONS:
        why = f"known are those of torch.nn called {', '.join(ACTIVATIONS)}"
        raise not_run_here(f"{where}: the activation {name} is not known here", why)
    return kind


def _pooling(step: Step) -> tuple[Pooling, ...]:
    settings = step.settings
    named = settings.get("pooling_mode")
    names = [named] if isinstance(named, str) else list(named or [])
    known = [Pooling(short) for name in names if (short := _SHORT.get(name, name)) in tuple(Pooling)]
    chosen = [key for key, value in settings.items() if key.startswith("pooling_mode_") and value is True]
    if not names:
        known = [pooling for key, pooling in _POOLINGS.items() if key in chosen]
        names = chosen
    if not known or len(known) != len(names) or settings.get("include_prompt", True) is not True:
        why = f"known are {', '.join(Pooling)}, with the prompt included"
        raise not_run_here(f"{step.path}: pooling {names or 'none'} is not known here", why)
    return tuple(known)


def _dense(step: Step, weights: Weights) -> Module:
    settings = step.settings
    kind = activation_of(str(settings.get("activation_function", "torch.nn.modules.activation.Tanh")), step.path)
    if (
        settings.get("use_residual")
        or settings.get("module_input_name", "sentence_embedding") != "sentence_embedding"
    ):
        why = "known are layers of sentence vectors, without a second way around them"
        raise not_run_here(f"{step.path}: this kind of dense layer is not known here", why)
    return Dense(weights["linear.weight"], weights["linear.bias"] if settings.get("bias", True) else None, kind)


_READERS: dict[str, Callable[[Step, Weights], Module]] = {
    "Dense": _dense,
    "LayerNorm": lambda step, weights: LayerNorm(weights["norm.weight"], weights["norm.bias"]),
}


def _blob(file: Path) -> str:
    """In the hub's cache a file is a link to one whose name is its hash: SHA-256 of large files."""
    return file.readlink().name if file.is_symlink() else ""


def _within(file: Path, folder: Path) -> str:
    """A file's path as its folder has it."""
    return str(file.relative_to(folder)) if file.is_relative_to(folder) else file.name


def _json(file: Path, *, required: bool = False, form: type = dict) -> Any:
    """A JSON file's value, an object or a list; empty where it is not there and need not be."""
    if not is_file(file):
        if exists(file):
            raise damaged(f"{file} is no plain file")
        if not required:
            return form()
    try:
        value = json.loads(file.read_text("utf-8"))
        if isinstance(value, form):
            return value
        why = f"it holds no {'object' if form is dict else 'list'}"
    except FileNotFoundError:
        why = "the file is missing"
    except OSError as error:
        why = error.strerror or str(error)
    except (ValueError, RecursionError) as error:
        why = f"it is not valid JSON: {error}"
    raise damaged(f"{file} cannot be read", why)
