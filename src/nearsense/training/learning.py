"""ns.train, step by step: examples, parts, the run, the folder, the judgement. Not how each step works."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nearsense import checks
from nearsense._paths import exists, is_file, is_link
from nearsense._progress import Progress
from nearsense.cached import cached
from nearsense.encoders import CrossEncoder, Encoder, load, load_cross, resolve
from nearsense.encoders.adapted import AdaptedEncoder
from nearsense.encoders.folder import TRAINED, ModelFolder, find
from nearsense.errors import InputError, UnsupportedModel
from nearsense.files import atomic_write, require_absent
from nearsense.kinds import MapKind
from nearsense.records import Precision, as_json, parse
from nearsense.training.examples import Examples, Kind
from nearsense.training.figures import figure_for, figure_of_pairs
from nearsense.training.labels import examples_from
from nearsense.training.losses import BATCH, Loss, epochs_for, loss_for, rate_for
from nearsense.training.negatives import mine_negatives, needs_role, roles_of
from nearsense.training.preparing import Rows, prepare
from nearsense.training.report import conclude, licence_in
from nearsense.training.splitting import SHARE, apart_from, groups_at, near_level, split
from nearsense.training_results import TrainingReport

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from nearsense.adapters import Adapter
    from nearsense.datasets import Dataset
    from nearsense.files import Table
    from nearsense.training.trainer import Fitted, Job, Lora

    Source = str | os.PathLike[str] | Dataset | Examples | Iterable[Sequence[Any]] | Table

LEAST = 10
"""Examples that something can be learnt from."""

LOOKS = 20
"""How often the model is measured on what is held out, during a run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How a run learns; None is what suits the examples."""

    loss: str | None = None
    dev: Any = SHARE
    test: Any = SHARE
    epochs: int | None = None
    steps: int | None = None
    batch: int = BATCH
    lr: float | None = None
    seed: int = 0
    negatives: bool = True
    precision: str = "auto"
    cross: bool = False
    lora: Any = None
    device: str | None = None
    reading: Mapping[str, Any] = field(default_factory=dict)  # of read_examples, for dev and test too


@dataclass(frozen=True, slots=True, eq=False)
class Parts:
    """What is learnt from, what decides when to stop, and what is measured in the end."""

    train: Examples
    groups: NDArray[np.int64]
    dev: Examples | None
    test: Examples | None
    level: float
    notes: tuple[str, ...]


def train(
    examples: Source,
    *,
    encoder: Encoder | str | None = None,
    output: str | os.PathLike[str] | None = None,
    kind: str | None = None,
    columns: Sequence[str] | None = None,
    positive: str | None = None,
    documents: str | os.PathLike[str] | Mapping[str, str] | None = None,
    loss: str | None = None,
    dev: Any = SHARE,
    test: Any = SHARE,
    epochs: int | None = None,
    steps: int | None = None,
    batch: int = BATCH,
    lr: float | None = None,
    seed: int = 0,
    negatives: bool = True,
    precision: str = "auto",
    cross: bool = False,
    lora: Any = None,
    device: str | None = None,
    resume: bool = False,
    progress: Progress = False,
) -> TrainingReport:
    """Fine-tune a model on examples of your own; the result is a folder that `ns.load` opens without torch.

    Needs the extra `train`. Nothing is written over: a folder of that name must not be there. While it runs, what
    is learnt so far is kept in `OUTPUT.training`; after a kill or Ctrl-C the same call with `resume=True` goes on.

    Args:
        examples: A file, a folder, a data set or tuples; their kind follows from the columns: two texts and a
            score are graded, two texts and a label labelled or entailment, anchor, positive and negative triplets,
            two texts alone positives, text and label classes. Or what people did already: a collection with a
            query log, a FAQ's file, verdicts of the map's page.
        encoder: The model to begin with, of `ns.load`, or its name; the default model without it. With `cross` a
            cross-encoder's name, or an encoder's, which then gets a new head.
        output: The folder that is made; "MODEL-trained" in the current folder without it.
        kind: What the examples are, where the columns leave a choice.
        columns: The columns, where their names do not tell.
        positive: The label of labelled pairs that means the same.
        documents: The texts of a query log's ids, where the log does not lie beside its collection, as an export
            does not: a collection, a file with ids and texts, or texts by id.
        loss: "cosine" or "cosent" (graded), "softmax" (entailment), "triplet" (triplets), "multiple-negatives"
            (positives, classes, ...), "contrastive" (labelled), "supervised-contrastive" or "batch-hard-triplet"
            (classes); what suits the examples without it.
        dev: What decides which step is the best and when to stop: a share of the examples, examples of your own,
            or False: then all steps are done, and the last is kept.
        test: What is measured before and after: likewise. False: nothing is measured, and the folder carries no
            calibration.
        epochs: How often each example is seen; more often where there are few, without it.
        steps: Batches learnt from at most.
        batch: Examples in a batch.
        lr: The learning rate at its highest; without it 2e-5, 5e-5 where the texts of a batch are each other's
            negatives, and with LoRA ten times that.
        seed: Of everything that is drawn by chance: parts, order, dropout.
        negatives: Whether hard negatives are mined for positives.
        precision: "auto" (bfloat16 where the processor has it natively), "f32" or "bf16"; weights stay in float32.
        cross: Train a cross-encoder.
        lora: Learn low-rank changes only, for large models: True, or the rank. They are merged in the end.
        device: "cpu", "cuda", "mps", ...
        resume: Go on with an interrupted run of the same call.
        progress: True for a bar on stderr, or a function called with (done, total).

    Returns:
        What became better and worse; it lies in the folder too, as report.html and report.md.

    Raises:
        InputError: There is too little to learn from, all texts are equal, there is one class only, the loss does
            not suit, the output is there already, or the loss is no number any more.
        FileError: The columns suit no kind, or the disk is full.
        UnsupportedModel: The model cannot be trained.
        MissingExtra: The extra `train` is not installed.

    Example:
        >>> report = train("pairs.csv", output="mymodel")                   # doctest: +SKIP
        >>> print(report.sentence)                                          # doctest: +SKIP
        Better: Spearman on 575 pairs that training did not see went from 86.7 to 88.9 (+2.2 [+1.6, +2.8], ...).
    """
    reading = {"columns": columns, "positive": positive, "kind": kind, "documents": documents}
    options = Options(
        loss=loss, dev=dev, test=test, epochs=epochs, steps=steps, batch=batch, lr=lr, seed=seed,
        negatives=negatives, precision=precision, cross=cross, lora=lora, device=device, reading=reading,
    )  # fmt: skip
    return learn(examples, encoder, output, options, resume=resume, progress=progress)


def train_adapter(
    examples: Source,
    *,
    encoder: Encoder | str | None = None,
    output: str | os.PathLike[str] | None = None,
    kind: str | None = None,
    columns: Sequence[str] | None = None,
    positive: str | None = None,
    documents: str | os.PathLike[str] | Mapping[str, str] | None = None,
    form: str = MapKind.LINEAR,
    seed: int = 0,
    progress: Progress = False,
    **reading: Any,
) -> Adapter:
    """Learn a small map of a model's vectors from examples of your own, in seconds and without the extra `train`.

    The model stays as it is. Where no map is better than none, none is written, and the result says so.

    Args:
        examples: As for `train`.
        encoder: The model of whose vectors it is a map, of `ns.load`, or its name; the default model without it.
        output: The folder that is made; "MODEL-adapter" in the current folder without it. `ns.load` opens it.
        kind: What the examples are, where the columns leave a choice.
        columns: The columns, where their names do not tell.
        positive: The label of labelled pairs that means the same.
        documents: As for `train`.
        form: "linear", "low-rank" or "diagonal".
        seed: Of what is drawn by chance.
        progress: True for a bar on stderr, or a function called with (done, total).
        reading: Of a file, `format` and `encoding`.

    Returns:
        The map with its model, and how much better it is on examples that it was not learnt on.

    Raises:
        InputError: There is too little to learn from, or nothing to tell apart.
        FileError: The columns suit no kind, or the folder is there already, or cannot be written.

    Example:
        >>> adapter = train_adapter("labels.csv", output="myadapter")       # doctest: +SKIP
        >>> print(adapter.verdict)                                          # doctest: +SKIP
        Better on texts that it was not learnt on.
    """
    from nearsense.adapters import learn as learn_map
    from nearsense.training.meaning import calibrated_in_folds

    parent = resolve(encoder)
    target = Path(output) if output is not None else Path(f"{parent.name}-adapter")
    require_absent(target)
    found = examples_from(examples, documents=documents, kind=kind, columns=columns, positive=positive, **reading)
    made = learn_map(found, parent, kind=form, seed=seed, name=target.name, progress=progress)
    if isinstance(made.encoder, AdaptedEncoder):
        made = replace(made, calibration=calibrated_in_folds(made.encoder, found, made.folds, seed=seed))
        made.save(target)
    return made


def learn(
    source: Source,
    encoder: Encoder | str | None,
    output: str | os.PathLike[str] | None,
    options: Options,
    *,
    resume: bool = False,
    command: str = "the same call with resume=True",
    progress: Progress = False,
) -> TrainingReport:
    """See `train`; `command` is what to type to go on."""
    started = time.monotonic()
    examples = examples_from(source, **options.reading)
    require_learnable(examples)
    chosen = loss_for(examples.kind, options.loss, cross=options.cross)
    base = _base(encoder, cross=options.cross)
    target = Path(output) if output is not None else Path(f"{base.name}-trained")
    work = _work(target, resume, command)
    reader = cached(base.reader)
    parts = split_parts(examples, reader, options, progress)
    job = _job(parts, base, reader, chosen, options, command, progress)
    _begin(work, _identity(base, job, options))
    from nearsense.training.trainer import fit, last_checkpoint, save

    try:
        fitted = fit(job, work, progress)
    except KeyboardInterrupt:
        last = last_checkpoint(work)
        if last is None:
            shutil.rmtree(work, ignore_errors=True)
            raise KeyboardInterrupt("nothing was learnt yet, and nothing is left") from None
        step = last.name.rpartition("-")[2]
        what = f"step {int(step):,} of {len(job.rows):,} is kept in {work}"
        raise KeyboardInterrupt(what, "", f"go on: {command}") from None
    aside = work / "result" / target.name
    shutil.rmtree(aside.parent, ignore_errors=True)
    save(fitted, aside, base.encoder, lora=job.lora is not None, command=command)
    report, after = _described(aside, target, base, parts, fitted, job, options)
    report = replace(report, seconds=time.monotonic() - started)
    dev = None if options.test is False else parts.dev
    held_out: dict[str, Any] = {"dev": dev, "test": parts.test, "chose": job.figure is not None}
    report = conclude(report, aside, base.before, after, known=parts.train, **held_out)
    if exists(target):
        raise InputError(f"{target} is there now", why="nothing is written over", fix=f"mv {aside} ELSEWHERE")
    aside.rename(target)  # the whole folder gets its name at once
    shutil.rmtree(work, ignore_errors=True)
    return report


def require_learnable(examples: Examples) -> None:
    """Refuse what nothing can be learnt from, before anything is loaded."""
    name, count = examples.name, len(examples)
    if count < LEAST:
        why = "nothing can be learnt from so few, and some are held out to tell whether it helped"
        raise InputError(f"{name}: {count} examples", why=why, fix=f"give {LEAST} or more; 200 are a good start")
    if len(examples.distinct_texts()) < 2:
        what = f"{name}: all texts are equal, {examples.texts[0][0][:40]!r}"
        raise InputError(what, why="nothing tells near from far", fix="give different texts")
    if examples.truth and len(set(examples.truth)) < 2:
        said = "score" if examples.kind is Kind.GRADED else "class"
        what = f"{name}: there is one {said} only, {examples.truth[0]!r}"
        raise InputError(what, why="nothing tells near from far", fix="add examples of another")
    if examples.kind is Kind.CLASSES and max(np.unique(list(examples.truth), return_counts=True)[1]) < 2:
        why = "texts of one class are what is brought together"
        raise InputError(f"{name}: no class has two texts", why=why, fix="give two texts or more of each class")


@dataclass(frozen=True, slots=True, eq=False)
class Base:
    """The model that a run begins with."""

    name: str
    fingerprint: str
    folder: ModelFolder
    before: Encoder | CrossEncoder  # what the new model is compared with
    reader: Encoder  # what reads texts for parts and negatives
    encoder: Encoder | None  # the same, where that is what learns


def _base(encoder: Encoder | str | None, *, cross: bool) -> Base:
    if cross and isinstance(encoder, str) and find(encoder).scores_pairs:
        known = load_cross(encoder)
        return Base(known.name, known.fingerprint, _trainable(find(encoder)), known, resolve(None), None)
    found = resolve(encoder)
    source = getattr(found, "source", "")
    if not source or not hasattr(found, "count_tokens") or getattr(found, "again", None) is None:
        why = "training changes a model's weights, which lie in a folder here"
        fix = "give the name or the folder of a model: nearsense models"
        raise UnsupportedModel(f"{found.name} cannot be trained", why=why, fix=fix)
    folder = _trainable(find(source))
    return Base(found.name, found.fingerprint, folder, found, found, None if cross else found)


def _trainable(folder: ModelFolder) -> ModelFolder:
    """Refuse what is run from a finished graph, or wants to bring code along."""
    from nearsense.encoders.sentence_transformers import require_harmless

    if not folder.weights:
        why, fix = "it has no weights as safetensors, only a finished graph", "use another model: nearsense models"
        raise UnsupportedModel(f"{folder.name} cannot be trained", why=why, fix=fix)
    require_harmless(folder)
    return folder


def _work(target: Path, resume: bool, command: str) -> Path:
    """The folder that a run is kept in until its result is there; refused where either is there already."""
    work = target.with_name(f"{target.name}.training")
    if exists(target) or is_link(target):
        fix = f"name another folder, or remove it: rm -r {target}"
        raise InputError(f"{target} is there already", why="nothing is written over", fix=fix)
    require_absent(target)
    if exists(work) and not resume:
        fix = f"go on: {command}; or begin anew: rm -r {work}"
        raise InputError(f"{work} holds an unfinished run", why="it would be lost", fix=fix)
    if resume and not exists(work):
        what = f"there is no unfinished run {work}"
        raise InputError(what, why="a run is kept there until its result is there", fix="leave resume out")
    return work


def split_parts(examples: Examples, encoder: Encoder, options: Options, progress: Progress = False) -> Parts:
    """Learn from some, stop by others, measure on others still: no text and no near-duplicate on two sides."""
    notes = list(examples.notes)
    level = near_level(encoder)
    held: dict[str, Examples] = {}
    shares: dict[str, float] = {}
    for name, said in (("dev", options.dev), ("test", options.test)):
        if said is True or (isinstance(said, (int, float)) and said):
            shares[name] = SHARE if said is True else checks.share(float(said), name)
        elif said is not None and not isinstance(said, (int, float)):
            held[name] = own = examples_from(said, **options.reading)
            if own.kind is not examples.kind:
                what = f"{own.name} holds {own.kind.value}, {examples.name} {examples.kind.value}"
                raise InputError(what, why="what is measured is what is learnt", fix="give examples of one kind")
            rows, known = apart_from(examples, own, encoder, level=level, progress=progress)
            examples, notes = examples.take(rows), [*notes, *known]
    require_learnable(examples)
    if sum(shares.values()) >= 1:
        raise InputError("dev and test leave nothing to learn from", fix="hold less out: dev=0.1, test=0.1")
    if not shares:
        groups = groups_at(examples, encoder, level, progress)
        return Parts(examples, groups, held.get("dev"), held.get("test"), level, tuple(notes))
    part = split(examples, encoder, list(shares.values()), level=level, seed=options.seed, progress=progress)
    held |= {name: examples.take(rows) for name, rows in zip(shares, part.held, strict=True)}
    train, groups = examples.take(part.train), part.groups[part.train]
    return Parts(train, groups, held.get("dev"), held.get("test"), level, (*notes, *part.notes))


def _job(
    parts: Parts,
    base: Base,
    reader: Encoder,
    loss: Loss,
    options: Options,
    command: str,
    progress: Progress,
) -> Job:
    """Everything that the run needs."""
    from nearsense.settings import load_settings
    from nearsense.training.trainer import Job, trains_in_bf16

    seed = checks.positive_int(options.seed + 1, "seed") - 1
    batch = checks.positive_int(options.batch, "batch")

    def planned(part: Examples, groups: NDArray[np.int64], negatives: list[str], epochs: int) -> Rows:
        given: dict[str, Any] = {"groups": groups, "negatives": negatives, "batch": batch, "seed": seed}
        return prepare(part, loss, base.encoder, epochs=epochs, **given)

    epochs = options.epochs or epochs_for(len(parts.train))
    hard: list[str] = []
    if parts.train.kind is Kind.POSITIVES and options.negatives:
        hard = mine_negatives(parts.train, parts.groups, reader, level=parts.level, seed=seed, progress=progress)
    rows = planned(parts.train, parts.groups, hard, epochs)
    while options.steps and len(rows) < options.steps and options.epochs is None:
        epochs *= 2
        rows = planned(parts.train, parts.groups, hard, epochs)
    if options.steps:
        rows = replace(rows, batches=rows.batches[: checks.positive_int(options.steps, "steps")])
    if not rows.batches:
        why = "all of them hang together, so that none is wrong for another"
        raise InputError(f"{parts.train.name}: no batch can be made", why=why, fix="give more different examples")
    held, figure = None, None
    if parts.dev is not None:
        alone, wrong = np.arange(len(parts.dev)), []
        if hard and options.cross:
            wrong = mine_negatives(parts.dev, alone, reader, level=parts.level, seed=seed)
        held = planned(parts.dev, alone, wrong, 1)
        roles = roles_of(parts.dev, reader)
        figure = figure_of_pairs(held) if options.cross else figure_for(parts.dev, parts.train, roles)
        held = held if held.batches else None
    precision = parse(Precision, options.precision, name="precision")
    device = str(load_settings(device=options.device).device)
    bf16 = precision is Precision.BF16 or (precision is Precision.AUTO and trains_in_bf16(device))
    lora = _lora(options.lora)
    return Job(
        folder=base.folder.path,
        rows=rows,
        held=held,
        figure=figure,
        loss=loss,
        prompts=dict(base.encoder.prompts or {}) if base.encoder is not None else {},
        rate=rate_for(loss, lora=lora is not None) if options.lr is None else options.lr,
        seed=seed,
        looks=LOOKS,
        bf16=bf16,
        device=device,
        lora=lora,
        cross=options.cross,
        command=command,
    )


def _lora(said: Any) -> Lora | None:
    from nearsense.training.trainer import Lora

    if said is None or said is False:
        return None
    if isinstance(said, Lora):
        return said
    return Lora() if said is True else Lora(rank := checks.positive_int(said, "lora"), 2 * rank)


def _identity(base: Base, job: Job, options: Options) -> dict[str, Any]:
    """What tells one run from another."""
    learnt = [job.rows.columns, job.rows.batches, job.held and job.held.columns]
    digest = hashlib.sha256(json.dumps(learnt, default=str).encode())
    said = {name: str(getattr(options, name)) for name in ("lr", "seed", "precision", "cross", "lora", "device")}
    return {"parent": base.fingerprint, "loss": job.loss.value, "examples": digest.hexdigest(), **said}


def _begin(work: Path, identity: dict[str, Any]) -> None:
    """Make the folder of a run, with what tells it from others in it; refuse that of another run."""
    file = work / "run.json"
    if not is_file(file):
        work.mkdir(exist_ok=True)
        with atomic_write(file) as stream:
            stream.write(json.dumps(identity, indent=1).encode())
    known = json.loads(file.read_text("utf-8"))
    if known != identity:
        other = ", ".join(name for name in identity if known.get(name) != identity[name])
        what, fix = f"{work} holds an unfinished run of another kind", "give what it was begun with, or begin anew"
        raise InputError(what, why=f"it differs in: {other}", fix=f"{fix}: rm -r {work}")


def _described(
    folder: Path, target: Path, base: Base, parts: Parts, fitted: Fitted, job: Job, options: Options
) -> tuple[TrainingReport, Encoder | CrossEncoder]:
    """What became of the model, in its folder too; and the model, as our own engine opens it."""
    examples, card = parts.train, base.folder.card
    report = TrainingReport(
        model=target.name,
        folder=str(target),
        fingerprint="",
        parent=base.name,
        parent_fingerprint=base.fingerprint,
        licence=card.licence if card else str(base.folder.trained.get("licence") or licence_in(base.folder.path)),
        method="LoRA" if job.lora is not None else "fine-tuning",
        loss=job.loss.value,
        kind=examples.kind.value,
        examples=len(examples),
        texts=len(examples.distinct_texts()),
        held_out=sum(len(part) for part in (parts.dev, parts.test) if part is not None),
        steps=fitted.steps,
        best_step=fitted.best_step,
        stopped=fitted.stopped,
        seed=job.seed,
        curve=fitted.curve,
        options={
            "batch": options.batch,
            "lr": job.rate,
            "precision": "bf16" if job.bf16 else "f32",
            "hard negatives": "negative" in job.rows.columns and examples.kind is Kind.POSITIVES,
        },
        notes=parts.notes,
    )
    own = as_json(report, "parent parent_fingerprint method kind loss seed steps best_step licence version")
    own["needs_role"] = base.encoder is not None and needs_role(base.encoder)
    own["languages"] = list(base.before.languages)
    with atomic_write(folder / TRAINED) as stream:
        stream.write((json.dumps(own, indent=1) + "\n").encode())
    after = load_cross(str(folder)) if job.cross else load(str(folder))
    return replace(report, fingerprint=after.fingerprint), after
