"""keys: who may use a server, and for what: keys made, replaced, listed and removed."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from nearsense.cli.options import OutputOptions, takes
from nearsense.cli.outputs import require_targets, say
from nearsense.kinds import Scope

if TYPE_CHECKING:
    from nearsense.server.keys import Key

UNITS = {"m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}


def _seconds(_context: click.Context, _option: click.Parameter, value: str | None) -> float | None:
    """A span of time as it is typed, in seconds."""
    if value is None:
        return None
    typed = re.fullmatch(r"(\d{1,5})([mhdw])", value)
    if not typed:
        raise click.BadParameter(f"{value!r} is no span of time: 30m, 24h, 90d or 52w")
    return float(int(typed[1]) * UNITS[typed[2]])


def _in_a_file(_context: click.Context, _argument: click.Parameter, value: str) -> Path:
    if value == "-":
        raise click.BadParameter("keys are kept in a file, not in a pipe.")
    return Path(value)


file_argument = click.argument("file", callback=_in_a_file)
name_argument = click.argument("name")


@click.group()
def keys() -> None:
    """Make and revoke the keys of a server, which keeps their hashes in FILE.

    A server that runs sees a change within a second; it need not be started again.

    \b
    Examples:
      nearsense keys add server.keys laptop
      nearsense keys add server.keys nightly-import --scope write --ends-in 90d
      nearsense keys rotate server.keys laptop --overlap 24h
      nearsense keys list server.keys
      nearsense keys remove server.keys laptop
      nearsense serve tickets.nearsense --host 0.0.0.0 --api-key-file server.keys
    """


@keys.command()
@file_argument
@name_argument
@click.option(
    "--scope",
    type=click.Choice([each.value for each in Scope]),
    default=Scope.READ.value,
    show_default=True,
    help="To ask, or to change collections too.",
)
@click.option("--ends-in", callback=_seconds, metavar="SPAN", help="When it ends: 24h, 90d.  [default: never]")
def add(file: Path, name: str, scope: str, ends_in: float | None) -> None:
    """Make a key called NAME and show it, this one time; FILE keeps its hash.

    \b
    Examples:
      nearsense keys add server.keys laptop
      nearsense keys add server.keys nightly-import --scope write --ends-in 90d
    """
    from nearsense.server.keys import add_key

    require_targets({"FILE": str(file)})
    _show(file, add_key(file, name, Scope(scope), ends=None if ends_in is None else time.time() + ends_in), name)


@keys.command()
@file_argument
@name_argument
@click.option(
    "--overlap",
    callback=_seconds,
    metavar="SPAN",
    default="24h",
    show_default=True,
    help="How long both are good.",
)
def rotate(file: Path, name: str, overlap: float) -> None:
    """Put a new key in the place of NAME's and show it, this one time; both are good for a while.

    \b
    Example:
      nearsense keys rotate server.keys laptop --overlap 1h
    """
    from nearsense.server.keys import rotate_key

    require_targets({"FILE": str(file)})
    _show(file, rotate_key(file, name, overlap=overlap), name)


@keys.command(name="list")
@file_argument
@takes(output=OutputOptions)
def list_(file: Path, output: OutputOptions) -> None:
    """List the keys of FILE: whose, for what, until when.

    \b
    Example:
      nearsense keys list server.keys
    """
    from nearsense.render import Page
    from nearsense.server.keys import read_keys

    records = [_record(key) for key in read_keys(file)]
    cells = [[str(value) for value in record.values()] for record in records]
    output.show(Page(document=records, records=records, columns=("name", "scope", "ends", "state"), cells=cells))


@keys.command()
@file_argument
@name_argument
def remove(file: Path, name: str) -> None:
    """Revoke the keys called NAME.

    \b
    Example:
      nearsense keys remove server.keys laptop
    """
    from nearsense.server.keys import remove_keys

    count = remove_keys(file, name)
    say(file, f"{count} key{'s'[: count != 1]} of {name} removed")


COMMANDS = (keys,)


def _show(file: Path, secret: str, name: str) -> None:
    """The key on standard output alone, for a pipe into a secret's store; what to know of it beside."""
    click.echo(secret)
    say(file, f"keeps the hash of {name}'s key; the key itself is not shown again")


def _record(key: Key) -> dict[str, str]:
    _name, scope, _digest, ends = key.line.split()
    return {"name": key.name, "scope": scope, "ends": ends, "state": "good" if key.holds(time.time()) else "ended"}
