"""models: the group of commands for models. What is listed stands in listing.py, what is measured in bench.py."""

from __future__ import annotations

import click

from nearsense.cli.models import bench, card, keep
from nearsense.cli.options import form_of, output_options

__all__ = ["COMMANDS"]

TASKS = ("similarity", "search", "rerank", "duplicates")
KINDS = ("encoder", "cross-encoder", "static", "remote")


@click.group(invoke_without_command=True)
@click.option("--task", type=click.Choice(TASKS), help="Only models made for it, the best first.")
@click.option("--language", "languages", multiple=True, metavar="CODE", help="Only models that know it: en, de")
@click.option("--prefer", type=click.Choice(("quality", "speed")), help="What counts more.  [default: quality]")
@click.option("--kind", type=click.Choice(KINDS), help="Only models of this kind.")
@click.option("--here", is_flag=True, help="Only models that are on this machine.")
@output_options
@click.pass_context
def models(
    context: click.Context,
    task: str | None,
    languages: tuple[str, ...],
    prefer: str | None,
    kind: str | None,
    here: bool,
    form: str | None,
) -> None:
    """List the models that are here and those that could be: limits, languages, licences, published figures.

    With a task, a language or a preference, the models that fit, the best first (docs/models.md says by what).

    \b
    Examples:
      nearsense models
      nearsense models --task search --language de --language en
      nearsense models --task duplicates --prefer speed --here
      nearsense models bench all-MiniLM-L6-v2
    """
    if context.invoked_subcommand is not None:
        return
    from nearsense.cli.models.listing import models_page
    from nearsense.render import show

    show(models_page(task, languages, prefer, kind, here), form_of(form))


for command in (*bench.COMMANDS, *card.COMMANDS, *keep.COMMANDS):
    models.add_command(command)

COMMANDS = (models,)
