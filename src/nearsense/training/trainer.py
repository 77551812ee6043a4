"""The run itself, by sentence-transformers' trainer: steps, checkpoints, the best of them, going on after a kill.

The one file that knows torch, sentence-transformers, datasets, accelerate and peft. They are asked for by name, so
that nearsense runs without them; nothing of a run is reported to anybody.
"""

from __future__ import annotations

import logging
import math
import os
import shutil
import time
import warnings
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nearsense._optional import require
from nearsense._paths import is_file, is_folder
from nearsense._progress import Progress, tracked
from nearsense.errors import FileError, InputError, UnsupportedModel
from nearsense.training.losses import MARGIN, SCALE, Loss
from nearsense.training.preparing import Rows
from nearsense.training_results import Point

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from nearsense.encoders import Encoder

PATIENCE = 8
"""Looks at what is held out without a better figure, after which a run ends."""

KEPT_EVERY = 30.0
"""Seconds after which a checkpoint is written; more where writing takes long."""

SPENT = 0.05
"""The share of a run that writing checkpoints may take."""

WARM_UP = 0.1
"""The share of the steps in which the learning rate rises."""

DECAY = 0.01
CLIP = 1.0

CHECKPOINT = "checkpoint-"
WHOLE = "whole"
"""A file that says that a checkpoint was written to its end."""

BESIDE = "beside.pt"
"""What a checkpoint has beside the model: weights of the loss, and those of the best step."""

BEST = "best"
"""The best model so far, where a run had to end."""

Encode = Callable[[Sequence[str], str | None], "NDArray[np.float32]"]
"""Texts, and what they are read as, to vectors of the model as it is now."""

Score = Callable[[Sequence[tuple[str, str]]], "NDArray[np.float64]"]
"""Pairs to scores of the cross-encoder as it is now."""


@dataclass(frozen=True, slots=True)
class Lora:
    """Low-rank changes of all linear layers, which are learnt in place of the weights (Hu et al. 2021)."""

    rank: int = 16
    alpha: int = 32
    dropout: float = 0.05


@dataclass(frozen=True, slots=True, eq=False)
class Job:
    """What a run needs to know."""

    folder: Path  # of the model that it begins with
    rows: Rows
    held: Rows | None  # what is held out to stop in time, with one epoch of batches
    figure: Callable[[Any], float] | None  # of an Encode, or a Score; higher is better
    loss: Loss
    prompts: dict[str, str]  # by role
    rate: float
    seed: int
    looks: int  # how often what is held out is looked at
    bf16: bool
    device: str
    lora: Lora | None = None
    cross: bool = False
    command: str = ""  # what to type to go on


@dataclass(frozen=True, slots=True, eq=False)
class Fitted:
    """What came of a run."""

    model: Any  # of sentence-transformers, with the weights that were kept
    curve: tuple[Point, ...]
    steps: int
    best_step: int
    stopped: str


def fit(job: Job, work: Path, progress: Progress = False) -> Fitted:
    """Learn, from the last whole checkpoint in `work` on where there is one.

    Raises:
        InputError: The loss is no number any more.
        FileError: A checkpoint cannot be written.
        UnsupportedModel: sentence-transformers cannot train the model.
    """
    for name in ("datasets", "accelerate"):
        _required(name)
    library, torch = _required("sentence_transformers"), _required("torch")
    with _quiet():
        _required("transformers").set_seed(job.seed)
        model = _opened(library, job)
        loss = _loss(library, torch, job, model)
        last = last_checkpoint(work)
        trainer = _trainer(library, torch, job, model, loss, work, fresh=last is None)
        total = len(job.rows)
        with tracked(total, "steps", progress) as update:
            trainer.add_callback(_callback(update))
            try:
                trainer.train(resume_from_checkpoint=None if last is None else str(last))
            except _NotFiniteError:
                raise _not_finite(job, trainer, work) from None
            except _UnwrittenError as error:
                for folder in work.glob(f"{CHECKPOINT}*"):
                    if not is_file(folder / WHOLE):  # half written
                        shutil.rmtree(folder, ignore_errors=True)
                raise _full(str(error), work, job.command) from error
        state, best = trainer.state, trainer.take_best()
    stopped = "all steps done" if state.global_step >= total else f"no better figure in {PATIENCE} looks"
    return Fitted(model, _curve(state.log_history), state.global_step, best or state.global_step, stopped)


def save(fitted: Fitted, folder: Path, encoder: Encoder | None, *, lora: bool, command: str) -> None:
    """Write the model as sentence-transformers does, in float32, merged, and with all that its parent reads by."""
    with _quiet():
        model = fitted.model
        if lora:
            _merge(model)
        if encoder is not None:
            known = encoder.prompts or {}
            names = {"query": "query", "passage": "passage", "document": "passage"}
            model.prompts = model.prompts | {name: known[role] for name, role in names.items() if role in known}
            model.similarity_fn_name = encoder.similarity.value
        try:
            model.save_pretrained(str(folder), create_model_card=False, safe_serialization=True)
        except Exception as error:
            raise _full(_words(error), folder, command) from error


def last_checkpoint(work: Path) -> Path | None:
    """The newest checkpoint that was written to its end."""
    found = [each for each in work.glob(f"{CHECKPOINT}*") if is_folder(each) and is_file(each / WHOLE)]
    return max(found, key=lambda each: int(each.name.removeprefix(CHECKPOINT)), default=None)


def trains_in_bf16(device: str) -> bool:
    """Whether bfloat16 is native here, and so faster."""
    torch = _required("torch")
    if device != "cpu":
        return device.startswith("cuda") and bool(torch.cuda.is_bf16_supported())
    return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported()) and bool(torch.cpu._is_amx_tile_supported())


def _required(module: str, purpose: str = "training") -> Any:
    return require(module, extra="train", purpose=purpose)


class _NotFiniteError(Exception):
    """A loss that is no number."""


class _UnwrittenError(Exception):
    """A checkpoint that could not be written; each library says so in its own way."""


@contextmanager
def _quiet() -> Generator[None, None, None]:
    """Nothing of what these libraries say on their way; nothing is asked of any hub, and nothing reported."""
    kept = {name: os.environ[name] for name in _SILENCED if name in os.environ}
    os.environ.update(_SILENCED)
    loggers = [*map(logging.getLogger, ("transformers", "sentence_transformers", "accelerate", "datasets"))]
    levels = [each.level for each in loggers]
    for each in loggers:
        each.setLevel(logging.CRITICAL)
    bars = _required("transformers.utils.logging")
    shown = bars.is_progress_bar_enabled()
    bars.disable_progress_bar()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        if shown:
            bars.enable_progress_bar()
        for each, level in zip(loggers, levels, strict=True):
            each.setLevel(level)
        for name in _SILENCED:
            os.environ.pop(name, None)
        os.environ.update(kept)


_SILENCED = {
    "HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1", "WANDB_DISABLED": "true", "TOKENIZERS_PARALLELISM": "false",
}  # fmt: skip


def _opened(library: Any, job: Job) -> Any:
    """The model in float32, whatever its weights are kept in."""
    options: dict[str, Any] = {
        "device": job.device,
        "trust_remote_code": False,
        "local_files_only": True,
        "model_kwargs": {"use_safetensors": True, "dtype": _required("torch").float32},
    }
    try:
        if job.cross:
            model = library.CrossEncoder(str(job.folder), num_labels=1, **options)
        else:
            model = library.SentenceTransformer(str(job.folder), **options)
    except Exception as error:
        why = f"{type(error).__name__}: {(str(error).strip() or 'it says no more').splitlines()[0]}"
        fix = "train another model: nearsense models"
        raise UnsupportedModel(f"sentence-transformers cannot train {job.folder}", why=why, fix=fix) from None
    model.float()
    if job.lora is not None:
        rank, alpha, dropout = job.lora.rank, job.lora.alpha, job.lora.dropout
        learnt = {"r": rank, "lora_alpha": alpha, "lora_dropout": dropout, "target_modules": "all-linear"}
        model.add_adapter(_required("peft", "LoRA").LoraConfig(**learnt))
    return model


def _merge(model: Any) -> None:
    """Put what LoRA learnt into the weights, and take its layers out."""
    tuners = _required("peft.tuners.tuners_utils", "LoRA")
    core = model.transformers_model
    for name, module in list(core.named_modules()):
        if isinstance(module, tuners.BaseTunerLayer):
            module.merge(safe_merge=True)
            parent, _, last = name.rpartition(".")
            setattr(core.get_submodule(parent), last, module.get_base_layer())
    core._hf_peft_config_loaded = False
    if hasattr(core, "peft_config"):
        del core.peft_config


def _loss(library: Any, torch: Any, job: Job, model: Any) -> Any:
    """The loss as a module of torch."""
    losses = library.sentence_transformer.losses
    match job.loss:
        case Loss.COSINE:
            return losses.CosineSimilarityLoss(model)
        case Loss.COSENT:
            return losses.CoSENTLoss(model, scale=SCALE)
        case Loss.SOFTMAX:
            return losses.SoftmaxLoss(model, model.get_embedding_dimension(), num_labels=job.rows.labels)
        case Loss.TRIPLET:
            distance = losses.TripletDistanceMetric.COSINE
            return losses.TripletLoss(model, distance_metric=distance, triplet_margin=MARGIN)
        case Loss.NEGATIVES:
            return losses.MultipleNegativesRankingLoss(model, scale=SCALE)
        case Loss.CONTRASTIVE:
            return losses.OnlineContrastiveLoss(model)
        case Loss.BATCH_HARD:
            return losses.BatchHardSoftMarginTripletLoss(model)
        case Loss.SUPERVISED:
            return _supervised(torch, model)
        case Loss.BINARY:
            return library.cross_encoder.losses.BinaryCrossEntropyLoss(model)


def _supervised(torch: Any, model: Any) -> Any:
    """Supervised contrastive loss in its second form: the mean over a class is outside of the logarithm."""

    class Supervised(torch.nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, features: Any, labels: Any) -> Any:
            (texts,) = features
            units = torch.nn.functional.normalize(self.model(texts)["sentence_embedding"].float(), dim=1)
            self_ = torch.eye(len(units), dtype=torch.bool, device=units.device)
            scores = (SCALE * units @ units.T).masked_fill(self_, -1e4)
            same = (labels[:, None] == labels[None, :]) & ~self_
            logs = scores - scores.logsumexp(dim=1, keepdim=True)
            right = same.sum(dim=1)
            each = -(logs * same).sum(dim=1) / right.clamp(min=1)
            return each[right > 0].mean() if bool((right > 0).any()) else 0.0 * each.sum()

    return Supervised()


def _trainer(library: Any, torch: Any, job: Job, model: Any, loss: Any, work: Path, *, fresh: bool) -> Any:
    """sentence-transformers' trainer, whose batches are those of the plan."""
    name = "CrossEncoder" if job.cross else "SentenceTransformer"
    kind, settings = (getattr(library, f"{name}{part}") for part in ("Trainer", "TrainingArguments"))
    data = _required("datasets").Dataset

    class Planned(torch.utils.data.BatchSampler):  # type: ignore[misc]
        def __init__(self, batches: list[list[int]]) -> None:
            super().__init__(range(0), 1, drop_last=False)
            self.batches = batches

        def __iter__(self) -> Any:
            return iter(self.batches)

        def __len__(self) -> int:
            return len(self.batches)

    class Learner(kind):  # type: ignore[misc, valid-type]
        best: tuple[int, float, dict[str, Any]] | None = None  # step, figure and weights

        def get_batch_sampler(self, dataset: Any, **_: Any) -> Any:
            return Planned(job.rows.batches if dataset is self.train_dataset else job.held.batches)  # type: ignore[union-attr]

        def add_model_card_callback(self, *_: Any) -> None:
            """The card is written by nearsense; this one would ask the hub."""

        def training_step(self, *given: Any, **named: Any) -> Any:
            found = super().training_step(*given, **named)
            if not math.isfinite(float(found)):
                raise _NotFiniteError
            return found

        def evaluation_loop(self, *given: Any, **named: Any) -> Any:
            found = super().evaluation_loop(*given, **named)
            if job.figure is not None:
                figure = float(job.figure(_reader(job, self.model)))
                found.metrics["eval_figure"] = figure
                if self.state.global_step and (self.best is None or figure > self.best[1]):
                    self.best = self.state.global_step, figure, _learnt(self.model)
            return found

        def take_best(self) -> int:
            """Give the model the weights of its best step, and say which that was; 0 where none is."""
            if self.best is None:
                return 0
            self.model.load_state_dict(self.best[2], strict=False)
            return self.best[0]

        def _save_checkpoint(self, *given: Any) -> None:
            try:
                super()._save_checkpoint(*given)
            except Exception as error:
                raise _UnwrittenError(_words(error)) from error

        def _save(self, output_dir: str | None = None, state_dict: Any = None) -> None:
            folder = Path(output_dir or self.args.output_dir)
            folder.mkdir(parents=True, exist_ok=True)
            if job.lora is None:
                self.model.save_pretrained(str(folder), create_model_card=False, safe_serialization=True)
            beside = {name: each for name, each in loss.state_dict().items() if not name.startswith("model.")}
            learnt = _learnt(self.model) if job.lora is not None else {}
            torch.save({"loss": beside, "learnt": learnt, "best": self.best}, folder / BESIDE)

        def _load_from_checkpoint(self, checkpoint: str, *_: Any) -> None:
            if job.lora is None:
                super()._load_from_checkpoint(checkpoint)
            kept = torch.load(Path(checkpoint) / BESIDE, weights_only=True)
            loss.load_state_dict(kept["loss"], strict=False)
            self.model.load_state_dict(kept["learnt"], strict=False)
            self.best = kept["best"]

    prompts = {column: _prompt(job, role) for column, role in job.rows.roles.items() if _prompt(job, role)}
    every = -(-len(job.rows) // job.looks)  # rounded up: more looks would make the same patience a shorter one
    looking: dict[str, Any] = {"eval_strategy": "no"}
    if job.held is not None:
        looking = {"eval_strategy": "steps", "eval_steps": every, "eval_on_start": fresh}
    arguments = settings(
        output_dir=str(work),
        num_train_epochs=1,
        per_device_train_batch_size=max(map(len, job.rows.batches)),
        learning_rate=job.rate,
        weight_decay=DECAY,
        max_grad_norm=CLIP,
        warmup_steps=math.ceil(WARM_UP * len(job.rows)),
        lr_scheduler_type="linear",
        optim="adamw_torch",
        seed=job.seed,
        data_seed=job.seed,
        bf16=job.bf16,
        use_cpu=job.device == "cpu",
        logging_strategy="steps",
        logging_steps=every,
        logging_nan_inf_filter=False,
        save_strategy="no",  # but by time, see _callback
        save_total_limit=2,
        report_to="none",
        disable_tqdm=True,
        dataloader_pin_memory=False,
        prompts=None if job.cross else prompts or None,
        **looking,
    )
    held = None if job.held is None else data.from_dict(job.held.columns)
    rows = data.from_dict(job.rows.columns)
    made = Learner(model=model, args=arguments, train_dataset=rows, eval_dataset=held, loss=loss)
    made.remove_callback(_required("transformers").PrinterCallback)
    return made


def _prompt(job: Job, role: str | None) -> str:
    return job.prompts.get(role or "default", "")


def _learnt(model: Any) -> dict[str, Any]:
    """The weights that are learnt, as they are now."""
    return {name: each.detach().clone() for name, each in model.named_parameters() if each.requires_grad}


def _reader(job: Job, model: Any) -> Encode | Score:
    """The model as it is now, as a figure asks it."""
    if job.cross:
        return lambda pairs: np.asarray(model.predict(list(pairs), show_progress_bar=False), np.float64)

    def encode(texts: Sequence[str], role: str | None) -> NDArray[np.float32]:
        how: dict[str, Any] = {"batch_size": 64, "show_progress_bar": False, "normalize_embeddings": True}
        return np.asarray(model.encode(list(texts), prompt=_prompt(job, role), **how), np.float32)

    return encode


def _callback(update: Callable[[int], None]) -> Any:
    """Progress, whole checkpoints, and the end where nothing gets better."""
    base = _required("transformers").TrainerCallback

    class Watch(base):  # type: ignore[misc, valid-type]
        def __init__(self) -> None:
            self.saved, self.pause, self.begun = time.monotonic(), KEPT_EVERY, 0.0

        def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            update(state.global_step)

        def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            update(state.global_step)
            if time.monotonic() - self.saved >= self.pause:
                control.should_save, self.begun = True, time.monotonic()

        def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            (Path(args.output_dir) / f"{CHECKPOINT}{state.global_step}" / WHOLE).touch()
            self.saved = time.monotonic()
            self.pause = max(KEPT_EVERY, (self.saved - self.begun) / SPENT) if KEPT_EVERY else 0.0

        def on_evaluate(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            figures = [each["eval_figure"] for each in state.log_history if "eval_figure" in each and each["step"]]
            if figures and len(figures) - 1 - int(np.argmax(figures)) >= PATIENCE:
                control.should_training_stop = True

    return Watch()


def _curve(history: Sequence[dict[str, Any]]) -> tuple[Point, ...]:
    """What was written on the way, a point a step."""
    found: dict[int, dict[str, float]] = {}
    for entry in history:
        names = {"loss": "loss", "eval_loss": "held_loss", "eval_figure": "figure"}
        values = {name: float(entry[key]) for key, name in names.items() if key in entry}
        if values:
            found.setdefault(int(entry["step"]), {}).update(values)
    return tuple(Point(step, **values) for step, values in sorted(found.items()))


def _not_finite(job: Job, trainer: Any, work: Path) -> InputError:
    what = f"the loss is no number any more, in step {trainer.state.global_step + 1} of {len(job.rows):,}"
    why = f"the learning rate, {job.rate:g}, is most often too high"
    fix = f"try a tenth: --lr {job.rate / 10:g} (lr=)"
    best = trainer.take_best()
    if best and job.lora is None:
        trainer.model.save_pretrained(str(work / BEST), create_model_card=False, safe_serialization=True)
        fix += f"; the best model so far, of step {best:,}, is {work / BEST}"
    return InputError(what, why=why, fix=fix)


def _words(error: Exception) -> str:
    """Why something was not written, in one line."""
    own = error.strerror if isinstance(error, OSError) else None
    return own or (str(error).strip() or type(error).__name__).splitlines()[0]


def _full(why: str, where: Path, command: str) -> FileError:
    last = last_checkpoint(where)
    kept = f" from step {last.name.removeprefix(CHECKPOINT)}" if last is not None else ""
    fix = f"free some space, then go on{kept}: {command}"
    return FileError(f"{where} cannot be written", why=why, fix=fix)
