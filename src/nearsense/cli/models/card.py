"""models card: what is known of one model: its limits, its licence, whose weights it has, how to get it."""

from __future__ import annotations

from typing import Any

import click

from nearsense.cli.options import form_of, output_options

__all__ = ["COMMANDS"]

SHOWN = {
    "name": "model",
    "kind": "kind",
    "source": "weights of",
    "licence": "licence",
    "hub": "on the hub",
    "packages": "in packages",
    "path": "here",
    "install": "to have it",
    "dimension": "dimensions",
    "max_tokens": "tokens at most",
    "parameters": "parameters, millions",
    "languages": "languages",
    "tasks": "made for",
    "prompts": "before texts",
    "sts": "STS, published",
    "retrieval": "retrieval, published",
}
"""What the table shows, in this order, and what it is called there."""


@click.command()
@click.argument("name")
@output_options
def card(name: str, form: str | None) -> None:
    """Show what is known of a model: licence, whose weights, limits, languages, how to get it.

    NAME is one of the catalogue, or a model that is here. Nothing is downloaded.

    \b
    Examples:
      nearsense models card multilingual-e5-small-4bit
      nearsense models card all-MiniLM-L6-v2 --json
    """
    from nearsense.cli.models.listing import record_of
    from nearsense.render import Page, show

    record = record_of(name)
    cells = [(title, _words(record[key])) for key, title in SHOWN.items() if record[key]]
    show(Page(document=record, records=[record], columns=("fact", "value"), cells=cells), form_of(form))


def _words(value: Any) -> str:
    if isinstance(value, dict) and "measure" in value:
        return f"{value['value']} ({value['measure']}; {value['source']})"
    if isinstance(value, dict):
        return ", ".join(f"{role}: {prompt!r}" for role, prompt in value.items())
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


COMMANDS = (card,)
