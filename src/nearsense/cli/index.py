"""index: the group of commands for collections, documents that last. What each does stands in cli/collections/."""

from __future__ import annotations

import click

from nearsense.cli.collections import ask, fill, keep

__all__ = ["COMMANDS"]


@click.group()
def index() -> None:
    """Keep documents in a collection, and find them by meaning, by words, or both.

    A collection is a folder. What a command has acknowledged survives a power cut.

    \b
    Examples:
      nearsense index create tickets.nearsense tickets.csv
      nearsense index sync tickets.nearsense tickets.csv
      nearsense search tickets.nearsense "my screen freezes" --where status=open
    """


for command in (*fill.COMMANDS, *ask.COMMANDS, *keep.COMMANDS):
    index.add_command(command)

COMMANDS = (index,)
