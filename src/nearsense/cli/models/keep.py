"""models pull, path, remove, verify: models fetched, found, thrown away and checked. Not how they run."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from nearsense.cli.options import form_of, output_options, quiet_option

if TYPE_CHECKING:
    from nearsense.encoders.places import Place

__all__ = ["COMMANDS"]

FINDINGS = 1


@click.command()
@click.argument("names", nargs=-1, required=True, metavar="NAME...")
@click.option("--update", is_flag=True, help="Ask the hub for a newer version of what is here.")
@quiet_option
@output_options
def pull(names: tuple[str, ...], update: bool, quiet: bool, form: str | None) -> None:
    """Fetch models from the hub, so that they work without it.

    NAME is one of the catalogue, org/name, or either with @REVISION. What is here is not fetched again; an
    interrupted download goes on from where it was. Every file is checked by its hash.

    \b
    Examples:
      nearsense models pull all-MiniLM-L6-v2
      nearsense models pull intfloat/e5-small-v2 -q
      nearsense models pull intfloat/e5-small-v2@main --update
    """
    from nearsense.render import Page, show

    places = [_whole(name, update=update, progress=not quiet) for name in names]
    records = [{"name": each.name, "path": str(each.path), "revision": each.revision} for each in places]
    cells = [(each.name, (each.revision or "")[:12], str(each.path)) for each in places]
    show(Page(records, records, ("model", "revision", "where"), cells), form_of(form))


def _whole(name: str, *, update: bool, progress: bool) -> Place:
    """A model as the hub has it: fetched, or here and with the right hashes, else fetched again."""
    from nearsense.encoders import keeping
    from nearsense.encoders.places import locate, present

    here = present(name)
    if here is None or (not update and not keeping.verify(here)):
        return locate(name, progress=progress)
    return keeping.update(name, progress=progress)


@click.command()
@click.argument("name")
def path(name: str) -> None:
    """Print the folder of a model that is here. Nothing is downloaded.

    \b
    Examples:
      nearsense models path all-MiniLM-L6-v2
    """
    from nearsense.encoders.places import required

    sys.stdout.write(f"{required(name).path}\n")


@click.command()
@click.argument("name")
@click.option("--yes", "-y", is_flag=True, help="Do not ask.")
def remove(name: str, yes: bool) -> None:
    """Remove a model with all its revisions from the hub's cache.

    \b
    Examples:
      nearsense models remove intfloat/e5-small-v2
      nearsense models remove intfloat/e5-small-v2 --yes
    """
    from nearsense.encoders.hub_cache import remove as remove_repository
    from nearsense.encoders.hub_cache import repository_folder
    from nearsense.encoders.keeping import removable

    repository = removable(name)
    if not yes:
        if not sys.stdin.isatty():
            raise click.UsageError("nobody is here to be asked: add --yes")
        click.confirm(f"Remove {repository_folder(repository)}?", abort=True, err=True)
    sys.stderr.write(f"{repository}: {remove_repository(repository) / 1e6:,.1f} MB freed\n")


@click.command()
@click.argument("names", nargs=-1, metavar="[NAME...]")
@output_options
@click.pass_context
def verify(context: click.Context, names: tuple[str, ...], form: str | None) -> None:
    """Read the files of models that are here, and compare their hashes with what was published.

    Without a NAME, all models. Nothing is downloaded. Exit code 1 where something is not as it should be; then
    remove the model and pull it anew.

    \b
    Examples:
      nearsense models verify
      nearsense models verify all-MiniLM-L6-v2 --json
    """
    from nearsense.encoders.keeping import checkable
    from nearsense.encoders.keeping import verify as findings_of
    from nearsense.render import Page, show

    records: list[dict[str, Any]] = [
        {"name": place.name, "path": str(place.path), "findings": findings_of(place)} for place in checkable(names)
    ]
    count = sum(len(record["findings"]) for record in records)
    cells = [(record["name"], each) for record in records for each in record["findings"] or ("all is well",)]
    note = f"{len(records):,} models read, {f'{count:,} findings' if count else 'all is well'}."
    show(Page(records, records, ("model", "finding"), cells, note=note), form_of(form))
    if count:
        sys.stdout.flush()
        context.exit(FINDINGS)


COMMANDS = (pull, path, remove, verify)
