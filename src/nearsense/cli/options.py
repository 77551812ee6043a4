"""The options that commands share, and what they become: an encoder, documents, a form of output."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from nearsense.records import Long, Mode, Precision

if TYPE_CHECKING:
    from nearsense.encoders import Encoder
    from nearsense.files import Table
    from nearsense.render import Form

__all__ = [
    "LOADING",
    "SURE",
    "collection_options",
    "document_options",
    "encoder_of",
    "form_of",
    "model_options",
    "narrowing_options",
    "network_option",
    "output_options",
    "probability_options",
    "quiet_option",
    "read",
    "running_options",
    "search_options",
    "second_stage",
    "source_options",
    "sure_options",
]

F = TypeVar("F", bound=Callable[..., Any])


def _all(*options: Callable[[F], F]) -> Callable[[F], F]:
    def decorate(function: F) -> F:
        for option in reversed(options):
            function = option(function)
        return function

    return decorate


quiet_option = click.option("--quiet", "-q", is_flag=True, help="No progress bar.")


def _set_device(_context: click.Context, _option: click.Parameter, value: str | None) -> None:
    """A setting, not an argument: whatever the command loads goes there."""
    if value is not None:
        os.environ["NEARSENSE_DEVICE"] = value


running_options = _all(
    click.option(
        "--precision",
        type=click.Choice([each.value for each in Precision]),
        help="Arithmetic of the model.  [default: auto]",
    ),
    click.option("--threads", type=click.IntRange(min=0), metavar="N", help="Cores to use.  [default: all]"),
    click.option(
        "--long",
        type=click.Choice([each.value for each in Long]),
        help="What happens to texts beyond the model's limit.  [default: warn]",
    ),
    click.option(
        "--device",
        metavar="NAME",
        expose_value=False,
        callback=_set_device,
        help="Where models run: cpu, cuda, mps, ...; all but cpu need PyTorch.  [default: cpu]",
    ),
    quiet_option,
)
"""How a model runs."""

LOADING = ("dimensions", "precision", "threads", "long")
"""What of the options is said to `nearsense.load`."""

model_options = _all(
    click.option(
        "--model",
        metavar="NAME",
        help="Model name or folder.  [default: all-MiniLM-L6-v2; a collection's own]",
    ),
    click.option(
        "--dimensions",
        type=click.IntRange(min=1),
        metavar="N",
        help="Keep the first N numbers of each vector, for models that were trained for it.",
    ),
    running_options,
)
"""Which model runs, and how."""

output_options = _all(
    click.option("--json", "form", flag_value="json", help="Write one JSON document."),
    click.option("--csv", "form", flag_value="csv", help="Write CSV."),
)
"""A table on a terminal and JSON lines in a pipe, unless asked otherwise."""

source_options = _all(
    click.option("--format", metavar="NAME", help="Format of FILE, where its name does not tell: csv, jsonl, ..."),
    click.option("--encoding", default="utf-8", show_default=True, metavar="NAME", help="Encoding of FILE."),
)
"""How a file is read."""

document_options = _all(
    click.option("--text", metavar="COLUMN", help="Column with the texts."),
    click.option("--id", "id_", metavar="COLUMN", help="Column with the ids."),
    click.option("--skip-empty", is_flag=True, help="Leave rows without text out, and say how many."),
    source_options,
)
"""How a file's rows become documents."""

network_option = click.option(
    "--network", is_flag=True, help="The collection may lie on a network file system (risky: one writer only)."
)

collection_options = _all(
    click.option("--model", metavar="NAME", help="Where its model is.  [default: where it was]"),
    running_options,
    network_option,
)
"""How a collection that exists is opened by those who encode texts for it."""


def _a_number(_context: click.Context, _option: click.Parameter, value: float | None) -> float | None:
    if value is not None and value != value:
        raise click.BadParameter("nan is no number, nothing could reach it.")
    return value


SHARE = click.FloatRange(0, 1, min_open=True, max_open=True)
"""A share of pairs or questions."""

sure_options = _all(
    click.option(
        "--calibration",
        metavar="NAME",
        help="What makes a score a probability: paraphrase, question, request, passage, a file, or none.",
    ),
    click.option("--prior", type=SHARE, metavar="SHARE", help="Share of right pairs before scores are seen."),
    click.option(
        "--min-probability",
        type=click.FloatRange(0, 1),
        metavar="P",
        help="Leave out what is less probable.",
    ),
)
"""How sure the results have to be."""

SURE = ("calibration", "prior", "min_probability")
"""What of the options is said to a verb about probabilities."""

narrowing_options = _all(
    click.option(
        "-k", type=click.IntRange(min=1), default=10, show_default=True, help="How many hits for each query."
    ),
    click.option(
        "--min-score", type=float, callback=_a_number, metavar="SCORE", help="Leave out hits that score less."
    ),
    click.option(
        "--where",
        multiple=True,
        metavar="FILTER",
        help="Only documents whose metadata fit: lang=en, 'year>=2020', 'tag in a,b', or JSON. Several: all.",
    ),
    sure_options,
)
"""How many hits, and which."""

search_options = _all(
    narrowing_options,
    click.option(
        "--mode",
        type=click.Choice([each.value for each in Mode]),
        default=Mode.DENSE.value,
        show_default=True,
        help="By meaning, by words, or by both.",
    ),
    click.option("--exact", is_flag=True, help="Compare with every vector instead of asking the index."),
    click.option(
        "--rerank",
        metavar="NAME",
        help="A cross-encoder's name or folder: it reads the best hits beside the query and puts them in order.",
    ),
    click.option(
        "--candidates",
        type=click.IntRange(min=1),
        metavar="N",
        help="How many hits --rerank puts in order.  [default: 100]",
    ),
    network_option,
)
"""What is asked of a collection."""


def encoder_of(options: dict[str, Any]) -> Callable[[], Encoder]:
    """Take the options of `model_options` out of `options`; the result loads the encoder that they describe."""
    model, chosen = options.pop("model"), {name: options.pop(name) for name in LOADING}

    def load() -> Encoder:
        from nearsense.encoders import load

        return load(model, **chosen)

    return load


def probability_options(options: dict[str, Any]) -> dict[str, Any]:
    """Take the options of `sure_options` out of `options`: arguments of a verb."""
    return {name: options.pop(name) for name in SURE}


def second_stage(options: dict[str, Any]) -> dict[str, Any]:
    """Take `--rerank` and `--candidates` out of `options`: the arguments of a search, its cross-encoder loaded.

    It runs by those options of `running_options` that suit it: pairs are never read in chunks.

    Raises:
        UsageError: `--candidates` was given alone.
    """
    name, candidates = options.pop("rerank"), options.pop("candidates")
    if name is None:
        if candidates is not None:
            raise click.UsageError("--candidates is how many hits --rerank puts in order: give --rerank NAME too")
        return {}
    from nearsense.encoders import load_cross

    long = Long.WARN.value if options["long"] == Long.CHUNK else options["long"]
    cross = load_cross(name, precision=options["precision"], threads=options["threads"], long=long)
    return {"rerank": cross} if candidates is None else {"rerank": cross, "candidates": candidates}


def form_of(form: str | None) -> Form | None:
    """The form that was asked for; None where none was."""
    from nearsense.render import Form

    return Form(form) if form else None


def read(file: str, options: dict[str, Any]) -> Table:
    """Read a file with the options of `source_options`, taken out of `options`."""
    from nearsense.files import read_table

    return read_table(file, format=options.pop("format"), encoding=options.pop("encoding"))
