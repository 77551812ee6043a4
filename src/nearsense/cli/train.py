"""train: a model that learns from your own examples."""

from __future__ import annotations

import shlex
from typing import Any

import click

from nearsense.cli.options import COUNT, OutputOptions, RowOptions, named_columns, option, takes
from nearsense.cli.outputs import leave
from nearsense.kinds import MapKind

MAPS = click.Choice([each.value for each in MapKind])
PRECISIONS = click.Choice(["auto", "f32", "bf16"])


class TrainOptions(RowOptions):
    """What FILE holds, what is learnt from it and how."""

    output: str | None = option("--output -o FOLDER", "The folder of the new model.  [default: MODEL-trained]")
    model: str | None = option("--model NAME", "The model to begin with.  [default: all-MiniLM-L6-v2]")
    kind: str | None = option("--kind NAME", "graded, labelled, entailment, triplets, positives or classes.")
    columns: str | None = option("--columns A,B,SCORE", "The columns of FILE, where their names do not tell.")
    positive: str | None = option("--positive LABEL", "The label of pairs that mean the same.")
    documents: str | None = option("--documents PLACE", "What was searched, where FILE is an exported query log.")
    loss: str | None = option(
        "--loss NAME",
        "cosine, cosent, softmax, triplet, multiple-negatives, contrastive, supervised-contrastive or "
        "batch-hard-triplet.  [default: what suits the examples]",
    )
    dev: str = option("--dev SHARE|FILE", "What decides when to stop; none: nothing.", default="0.1")
    test: str = option("--test SHARE|FILE", "What is measured before and after; none: nothing.", default="0.1")
    epochs: int | None = option("--epochs N", "How often each example is seen.", COUNT)
    steps: int | None = option("--steps N", "Batches learnt from, at most.", COUNT)
    batch: int = option("--batch N", "Examples in a batch.", COUNT, default=32)
    lr: float | None = option(
        "--lr RATE", "Learning rate.  [default: 2e-5 or 5e-5, by the loss]", click.FloatRange(0, min_open=True)
    )
    seed: int = option("--seed N", "Of parts, order and dropout.", click.IntRange(min=0), default=0)
    negatives: bool = option(
        "--negatives/--no-negatives", "Mine hard negatives for positives.  [default: yes]", default=True
    )
    precision: str = option("--precision NAME", "auto, f32 or bf16; weights stay f32.", PRECISIONS, default="auto")
    cross: bool = option("--cross", "Train a cross-encoder.")
    lora: int | None = option("--lora RANK", "Learn changes of this rank only, for large models.", COUNT)
    device: str | None = option("--device NAME", "cpu, cuda, mps, ...  [default: cpu]")
    adapter: bool = option("--adapter", "Learn a small map of the model's vectors only: seconds, no extra.")
    map_: str = option("--map", "The form of --adapter's map.", MAPS, default=MapKind.LINEAR.value)
    resume: bool = option("--resume", "Go on with an interrupted run.")
    quiet: bool = option("--quiet -q", "No progress bar.")

    def again(self, file: str) -> str:
        """What to type to go on."""
        words = ["nearsense", "train", file]
        for name, each in self.fields.items():
            value = getattr(self, name)
            if name == "where":
                words += [word for filter_ in value for word in ("--where", filter_)]
                continue
            if value == each.default or name in ("resume", "quiet"):
                continue
            flag = next(flag for flag in each.flags[0][0] if flag.startswith("--")).partition("/")
            words += [flag[0] if value else flag[2]] if isinstance(value, bool) else [flag[0], str(value)]
        return shlex.join([*words, "--resume"])


@click.command()
@click.argument("file")
@takes(options=TrainOptions, output=OutputOptions)
def train(file: str, options: TrainOptions, output: OutputOptions) -> None:
    """Fine-tune a model on the examples of FILE.

    What is learnt is read off the columns: two texts and a score, two texts and a label, anchor, positive and
    negative, question and answer, text and label. Some of the examples are held out, none of them with a text or a
    near-duplicate of one that is learnt from, and the model is measured on them before and after: the report says
    whether it got better, and on what it got worse. The result is a folder: --model takes it everywhere.

    Needs the extra train: pip install 'nearsense[train]'. After a kill or Ctrl-C, --resume goes on.

    With --adapter the model stays as it is, and a small map of its vectors is learnt, which a collection takes
    without encoding anything again. Where no map is better, nothing is written, and the exit code is 1.

    \b
    Examples:
      nearsense train pairs.csv -o mymodel
      nearsense train faq.jsonl --columns question,answer --kind positives -o mymodel
      nearsense train intents.csv --model ./parent --epochs 3 --lr 1e-5 -o mymodel
      nearsense train pairs.csv --cross --model cross-encoder/ms-marco-MiniLM-L6-v2 -o myreranker
      nearsense train labels.csv --adapter -o myadapter
      nearsense train queries.jsonl --documents tickets.nearsense -o mymodel
      nearsense index reembed tickets.nearsense --model mymodel
    """
    from nearsense.render.results import adapter_page
    from nearsense.render.training import training_page
    from nearsense.training.learning import Options, learn, train_adapter

    usage = "two names or three: --columns a,b,score"
    reading: dict[str, Any] = {
        name: getattr(options, name) for name in ("kind", "positive", "documents", "format", "encoding", "dialect")
    }
    reading["columns"] = named_columns(options.columns, (2, 3), usage)
    examples = options.read(file) if options.narrows else file
    if options.adapter:
        if options.cross or options.lora or options.resume:
            raise click.UsageError("--adapter goes with neither --cross, --lora nor --resume")
        shared: dict[str, Any] = {
            "encoder": options.model,
            "output": options.output,
            "progress": not options.quiet,
        }
        made = train_adapter(examples, **shared, form=options.map_, seed=options.seed, **reading)
        output.show(adapter_page(made))
        if not made.better:
            leave()
        return
    given = {name: getattr(options, name) for name in Options.__slots__ if name != "reading"}
    given |= {"dev": _part(options.dev), "test": _part(options.test)}
    asked = Options(**given, reading=reading)
    report = learn(
        examples,
        options.model,
        options.output,
        asked,
        resume=options.resume,
        command=options.again(file),
        progress=not options.quiet,
    )
    output.show(training_page(report))


COMMANDS = (train,)


def _part(said: str) -> Any:
    """A share, a file, or nothing."""
    if said in ("none", "0"):
        return False
    try:
        return float(said)
    except ValueError:
        return said
