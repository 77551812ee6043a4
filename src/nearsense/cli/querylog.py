"""log: what was asked of a collection or a FAQ, and what got no answer. Switched on and off here, too."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from nearsense._paths import hidden, is_file, is_folder
from nearsense.cli.options import (
    COUNT,
    ListOptions,
    Options,
    choice,
    in_a_folder,
    network_option,
    option,
    quiet_option,
    takes,
)
from nearsense.cli.outputs import require_targets, say
from nearsense.errors import CollectionNotFound

if TYPE_CHECKING:
    from nearsense.collection import Collection
    from nearsense.querylog import LoggedQuery, QueryLog

SHOWN = 20
"""Queries that a terminal shows where nothing else is asked for."""


class LogOptions(Options):
    """Which queries, and what is done with them."""

    since: str | None = option("--since WHEN", "Only what was asked since then: 7d, 24h, 30m, or 2026-11-30.")
    until: str | None = option("--until WHEN", "Only what was asked until then; a date with all of its day.")
    unanswered: bool = option("--unanswered", "What got no answer, grouped by meaning and named.")
    slow: bool = option("--slow", "The slowest first.")
    k: int | None = option("-k N", "How many to show.  [default: all; on a terminal the last 20]", COUNT)
    min_score: float = option(
        "--min-score SCORE",
        "What the queries of a group score with each other on average.",
        click.FloatRange(-1, 1),
        default=0.5,
    )
    forget: tuple[str, ...] = option("--forget TEXT", "Remove this query from the disk. Several: each.", many=True)
    export: str | None = option("--export FILE", "Write the queries to .jsonl, .parquet or .csv.")
    model: str | None = option("--model NAME", "What groups --unanswered.  [default: the collection's own]")
    switch: str | None = choice(
        on="Log what is asked of COLLECTION from now on.",
        hashed="Likewise, but keep no words, only their keyed hash.",
        off="Log no more. What was logged stays.",
    )


@click.command(name="log")
@click.argument("collection", callback=in_a_folder)
@takes(options=LogOptions)
@quiet_option
@network_option
@takes(output=ListOptions)
def querylog(collection: str, options: LogOptions, quiet: bool, network: bool, output: ListOptions) -> None:
    """Show what was asked of COLLECTION, and what got no answer.

    Nothing is logged unless --on was said once, or a program opened the collection with log=True. The log lies
    beside the collection, for its owner alone. COLLECTION may be the folder of a log, too: what was given to
    `nearsense faq --log`; or the file of a FAQ that was served with --log.

    \b
    Examples:
      nearsense log tickets.nearsense --on
      nearsense log tickets.nearsense --since 7d --unanswered
      nearsense log tickets.nearsense --since 24h --slow -k 10
      nearsense log tickets.nearsense --forget "my name is Ann Miller"
      nearsense log tickets.nearsense --export queries.parquet
    """
    from nearsense.collection.documents import as_folder
    from nearsense.querylog import beside, moment, open_log
    from nearsense.store import is_collection

    _require_one(options)
    moment(options.since), moment(options.until)
    require_targets({"--export": options.export})
    if is_collection(collection):
        from nearsense.collection import open_collection

        with open_collection(collection, options.model, create=False, network=network, log=True) as there:
            if options.switch:
                _switch(there, options.switch)
            elif there.log is not None:
                _show(collection, there.log, options, output, progress=not quiet)
        return
    if options.switch:
        raise click.UsageError(f"{collection} is no collection: --{options.switch} is for collections")
    if is_file(collection) and is_folder(log := beside(Path(collection))):
        collection = str(log)
    if not is_folder(as_folder(collection)):  # an address may hold a password: it is not repeated
        fix = "name a collection, or the folder that was given to nearsense faq --log"
        why = hidden(collection)
        raise CollectionNotFound(f"there is no collection and no log at {collection}", why=why, fix=fix)
    _show(collection, open_log(collection), options, output, model=options.model, progress=not quiet)


COMMANDS = (querylog,)


def _require_one(options: LogOptions) -> None:
    """What is done with a log is one thing at a time."""
    typed = {
        "--forget": options.forget,
        "--export": options.export,
        "--slow": options.slow,
        f"--{options.switch}": options.switch,
    }
    names = [name for name, value in typed.items() if value]
    if len(names) > 1 or (options.unanswered and names and names != ["--export"]):
        names += ["--unanswered"] * options.unanswered
        raise click.UsageError(f"{' and '.join(names)} are different things: one at a time")


def _switch(collection: Collection, said: str) -> None:
    from nearsense.querylog import beside

    collection.set_log("hashed" if said == "hashed" else said == "on")
    how = {"on": "is", "hashed": "(its keyed hash, no words) is", "off": "is no longer"}[said]
    place = "its own tables" if isinstance(collection.path, str) else f"{beside(collection.path).name} beside it"
    where = "" if said == "off" else f", in {place}"
    say(collection.path, f"what is asked of it {how} logged from now on{where}")


def _show(
    name: str,
    log: QueryLog,
    options: LogOptions,
    output: ListOptions,
    *,
    model: str | None = None,
    progress: bool,
) -> None:
    """Do with a log what was asked for."""
    from nearsense.render.querylog import entries_page, groups_page

    span = options.since, options.until
    if options.forget:
        say(name, f"{sum(map(log.forget, options.forget)):,} removed")
        return
    if options.export:
        say(options.export, f"{log.export(options.export, *span, options.unanswered):,} queries")
        return
    entries, missing = list(log.entries(*span)), log.missing(*span)
    if not entries and not is_folder(log.path):
        sys.stderr.write(f"nothing was ever logged here: nearsense log {shlex.quote(name)} --on\n")
    if not options.unanswered:
        output.show(entries_page(entries, _shown(entries, options, output), missing))
        return
    found = log.unanswered(*span, min_score=options.min_score, encoder=model, progress=progress)
    output.show(groups_page(found[: options.k], len(entries), missing))


def _shown(entries: list[LoggedQuery], options: LogOptions, output: ListOptions) -> list[LoggedQuery]:
    """Those of the entries that are shown: the slowest, or the last."""
    few = SHOWN if output.for_a_terminal else len(entries)
    k = options.k or few
    if options.slow:
        return sorted(entries, key=lambda each: -each.latency)[:k]
    return entries[max(0, len(entries) - k) :]
