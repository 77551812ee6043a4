"""models: which models are here, where, and what their limits are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from nearsense.cli.options import form_of, output_options

if TYPE_CHECKING:
    from nearsense.encoders.catalog import ModelCard
    from nearsense.encoders.folder import ModelFolder

__all__ = ["COMMANDS"]


@click.command()
@output_options
def models(form: str | None) -> None:
    """List the models that are here, where they lie, and their limits.

    \b
    Examples:
      nearsense models
      nearsense models --json
    """
    from nearsense.encoders.catalog import CATALOG
    from nearsense.encoders.folder import installed
    from nearsense.render import Page, show

    here = installed()
    names = {folder.name for folder in here}
    records = [_here(folder) for folder in here] + [_absent(card) for card in CATALOG if card.name not in names]
    cells = [
        (
            record["name"],
            str(record["dimension"]),
            str(record["max_tokens"]),
            ", ".join(record["languages"] or ["not stated"]),
            record["licence"] or "not stated",
            record["path"] or f"not here: {record['install']}",
        )
        for record in records
    ]
    columns = ("model", "dimensions>", "tokens>", "languages", "licence", "where")
    show(Page(document=records, records=records, columns=columns, cells=cells), form_of(form))


COMMANDS = (models,)


def _here(folder: ModelFolder) -> dict[str, Any]:
    card = folder.card
    return {
        "name": folder.name,
        "here": True,
        "dimension": folder.config.get("hidden_size"),
        "max_tokens": folder.max_tokens,
        "languages": list(card.languages) if card else None,
        "licence": card.licence if card else None,
        "path": str(folder.path),
        "install": None,
    }


def _absent(card: ModelCard) -> dict[str, Any]:
    return {
        "name": card.name,
        "here": False,
        "dimension": card.dimension,
        "max_tokens": card.max_tokens,
        "languages": list(card.languages),
        "licence": card.licence,
        "path": None,
        "install": card.install,
    }
