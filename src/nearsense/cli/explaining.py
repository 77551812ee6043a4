"""explain: which words carry the score of two texts?"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from nearsense.cli.options import encoder_of, form_of, model_options, output_options
from nearsense.terminal import steerable

if TYPE_CHECKING:
    from nearsense.explanation import Explanation

__all__ = ["COMMANDS"]


@click.command()
@click.argument("a")
@click.argument("b")
@click.option("--html", metavar="FILE", help="Write a page with both texts in colour too; - writes only that.")
@model_options
@output_options
def explain(a: str, b: str, html: str | None, form: str | None, quiet: bool, **options: Any) -> None:
    """Which words of two texts carry their score.

    Contributions are arithmetic on the model's vectors, no reasons: see docs/explain.md.

    \b
    Examples:
      nearsense explain "It is raining." "Rain is falling."
      nearsense explain "a late parcel" "my order has not come" --html parcel.html
    """
    from nearsense.explanation import explain as explain_
    from nearsense.render import explanation_page, show

    explanation = explain_(a, b, encoder=encoder_of(options)())
    if html is not None:
        from nearsense.files import atomic_write

        with atomic_write(html) as stream:
            stream.write(explanation.to_html().encode())
        if html == "-":
            return
    if form is None and sys.stdout.isatty():
        _print_coloured(explanation)
    show(explanation_page(explanation), form_of(form))


COMMANDS = (explain,)


def _print_coloured(explanation: Explanation) -> None:
    """Both texts, each word on a colour as strong as its contribution: blue draws together, red apart."""
    from rich.console import Console
    from rich.text import Text

    from nearsense.tables import printable

    console = Console(file=steerable(sys.stdout), highlight=False)
    for side in explanation.sides:
        line = Text(f"{side.name}  ", style="dim")
        for piece, word in side.stretches():
            strength = 0.0 if word is None else side.strength(word)
            line.append(printable(piece), style=_style(strength) if word else "not dim")
        console.print(line)


def _style(strength: float) -> str:
    """White on blue or red, the darker the less a word contributes."""
    share = min(abs(strength), 1.0)
    colour = (20, 30 + 60 * share, 40 + 140 * share) if strength >= 0 else (40 + 140 * share, 40, 30)
    red, green, blue = (round(each) for each in colour)
    return f"not dim white on rgb({red},{green},{blue})"
