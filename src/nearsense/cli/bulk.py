"""bulk: texts by the hundred million, on the cores of one machine or many. Not how: see nearsense/bulk/."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from nearsense.cli.options import COUNT, ModelOptions, Options, OutputOptions, SureOptions, option, takes

if TYPE_CHECKING:
    from nearsense.bulk import Outcome

FROM_0 = click.IntRange(min=0)

SHARDS_LEFT = 4
"""The exit code where all is done but for some shards, which are left out."""


@click.group()
def bulk() -> None:
    """Encode, deduplicate or cluster texts by the hundred million, in shards.

    Results lie in a folder, or in an object store (s3://bucket/folder), and count when _manifest.json is there. A
    run that ends in the middle goes on with --resume. Exit code 4: done but for shards that could not be done.

    \b
    Examples:
      nearsense bulk encode texts/ -o encoded --workers 8
      nearsense bulk dedupe encoded -o clean
      nearsense bulk cluster encoded -o topics -k 200 --ray auto
    """


COMMANDS = (bulk,)


class BulkOptions(Options):
    """Who does the work, and whether it is gone on with."""

    output: str = option("--output -o OUT", "A new folder, or an address: s3://bucket/folder.", required=True)
    text: str | None = option("--text COLUMN", "Column with the texts, by name; several: title,body.")
    id_: str | None = option("--id COLUMN", "Column with the ids.")
    workers: int | None = option(
        "--workers N", "How many work side by side; 0: none but this process.  [default: one a core]", FROM_0
    )
    ray: str | None = option("--ray ADDRESS", "Work on a Ray cluster: its address, or auto.")
    shard_rows: int | None = option(
        "--shard-rows N", "Rows of a shard of a parquet file, at most.  [default: 20,000]", COUNT
    )
    resume: bool = option("--resume", "Go on with what OUT holds.")
    status: bool = option("--status", "Say how far the job of OUT is, and do nothing.")


class _Model(ModelOptions):
    """As elsewhere; the threads are those of a worker."""

    def arguments(self) -> dict[str, Any]:
        """As arguments of the verbs, those that were said."""
        names = ("model", "precision", "long", "dimensions")
        return {name: getattr(self, name) for name in names if getattr(self, name) is not None}


@bulk.command()
@click.argument("input_", metavar="INPUT", required=False)
@takes(options=BulkOptions, model=_Model, output=OutputOptions)
def encode(input_: str | None, options: BulkOptions, model: _Model, output: OutputOptions) -> None:
    """Turn all texts of INPUT into vectors: a parquet file a shard, in OUT/encoded.

    \b
    Examples:
      nearsense bulk encode texts/ -o encoded --text body --id key
      nearsense bulk encode s3://bucket/texts -o s3://bucket/encoded --ray auto
    """
    from nearsense import bulk as work

    _run(work.encode, input_, {}, options, model, output)


@bulk.command()
@click.argument("input_", metavar="INPUT", required=False)
@click.option(
    "--min-score", type=click.FloatRange(-1, 1), metavar="SCORE", help="How near, instead of how probable."
)
@click.option(
    "--keep",
    default="first",
    show_default=True,
    metavar="POLICY",
    help="Which row of a group stays: first, longest, shortest, complete, newest:COLUMN.",
)
@takes(options=BulkOptions, sure=SureOptions, model=_Model, output=OutputOptions)
def dedupe(
    input_: str | None,
    min_score: float | None,
    keep: str,
    options: BulkOptions,
    sure: SureOptions,
    model: _Model,
    output: OutputOptions,
) -> None:
    """Leave one row of each group of rows of INPUT that say the same.

    INPUT is a folder of texts, or what `nearsense bulk encode` wrote. OUT/kept has the rows that stay, OUT/dropped
    those that go, with the reason, as `nearsense dedupe --dropped` writes them.

    \b
    Examples:
      nearsense bulk dedupe texts/ -o clean
      nearsense bulk dedupe encoded -o clean --min-probability 0.95 --keep longest
    """
    from nearsense import bulk as work

    given = {"min_score": min_score, "keep": keep, **sure.arguments()}
    _run(work.dedupe, input_, given, options, model, output)


@bulk.command()
@click.argument("input_", metavar="INPUT", required=False)
@click.option("-k", type=COUNT, metavar="N", help="How many clusters.")
@click.option("--seed", type=FROM_0, default=0, show_default=True, help="Of the rows that the centres begin with.")
@takes(options=BulkOptions, model=_Model, output=OutputOptions)
def cluster(
    input_: str | None, k: int | None, seed: int, options: BulkOptions, model: _Model, output: OutputOptions
) -> None:
    """Make N groups of the texts of INPUT: the cluster of each row in OUT/clusters, the largest is 0.

    \b
    Examples:
      nearsense bulk cluster encoded -o topics -k 200
    """
    from nearsense import bulk as work

    if k is None and not options.status:
        raise click.UsageError("how many clusters? -k 100")
    _run(work.cluster, input_, {"k": k, "seed": seed}, options, model, output)


def _run(
    verb: Callable[..., Outcome],
    input_: str | None,
    given: dict[str, Any],
    options: BulkOptions,
    model: _Model,
    output: OutputOptions,
) -> None:
    """Do the work and say what became of it; or say how far it is."""
    from nearsense.cli.outputs import leave, say
    from nearsense.render.bulk import status_page

    if options.status:
        from nearsense.bulk import status

        output.show(status_page(status(options.output)))
        return
    if input_ is None:
        raise click.UsageError("what is to be read? nearsense bulk ... INPUT -o OUT")
    how = {"text": options.text, "id": options.id_, "shard_rows": options.shard_rows}
    how |= {"workers": options.workers, "ray": options.ray, "resume": options.resume, "progress": model.progress}
    try:
        outcome = verb(input_, options.output, **given, **how, **model.arguments())
    except KeyboardInterrupt:
        words = [word for word in sys.argv[1:] if word != "--resume"]
        again = shlex.join(["nearsense", *words, "--resume"])
        raise KeyboardInterrupt(
            "stopped", "shards that are done are kept, nothing is half written", again
        ) from None
    say(options.output, str(outcome))
    for each in outcome.quarantined:
        place = f"{each.file or input_}, rows {each.begin + 1:,} to {each.begin + each.rows:,}"
        sys.stderr.write(f"left out: {place}: {each.why}\n")
    if output.form is not None or (not output.for_a_terminal and not sys.stdout.isatty()):
        from nearsense.render import Page

        known = outcome.to_dict()
        output.show(Page(known, [known]))
    if outcome.quarantined:
        leave(SHARDS_LEFT)
