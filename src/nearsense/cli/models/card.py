"""models card, probe: what is known of one model: its limits, its licence, whose weights, what scores mean."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from nearsense.cli.options import form_of, output_options, quiet_option, read, source_options

if TYPE_CHECKING:
    from nearsense.encoders import CrossEncoder, Encoder

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
@click.option("--corpus", metavar="FILE", help="Texts of yours: how far is the probe from them?")
@click.option("--text", metavar="COLUMN", help="The column of FILE with the texts.")
@source_options
@quiet_option
@output_options
def card(name: str, corpus: str | None, form: str | None, quiet: bool, **options: Any) -> None:
    """Show what is known of a model: licence, whose weights, limits, languages, how to get it, what scores mean.

    NAME is one of the catalogue, or a model that is here. Nothing is downloaded, and nothing is sent to a server.
    A model that is here is tried on the probe (pairs of texts that come with nearsense) the first time.

    \b
    Examples:
      nearsense models card multilingual-e5-small-4bit
      nearsense models card all-MiniLM-L6-v2 --corpus tickets.csv --text body
      nearsense models card all-MiniLM-L6-v2 --json
    """
    from nearsense.cli.models.bands import bands_of, corpus_of, in_words
    from nearsense.cli.models.listing import record_of
    from nearsense.errors import NearsenseError
    from nearsense.render import Page, show

    if options["text"] is not None and corpus is None:
        raise click.UsageError("--text is a column of --corpus FILE: give that too")
    record, rows = record_of(name), []
    cells = [(title, _words(record[key])) for key, title in SHOWN.items() if record[key]]
    record["bands"], own = None, None
    try:
        model = _loaded(name, record)
    except NearsenseError as error:
        if corpus is not None:
            raise
        model, rows = None, [("probabilities", f"none: {error.what}")]
    if corpus is not None:
        own = corpus_of(*_texts(name, model, corpus, options, quiet))
    if model is not None:
        record["bands"] = bands_of(model) | ({} if own is None else {"corpus": own})
        rows = in_words(record["bands"], own)
    page = Page(document=record, records=[record], columns=("fact", "value"), cells=[*cells, *rows])
    show(page, form_of(form))


@click.command()
@click.argument("name")
@click.option("--yes", "-y", is_flag=True, help="Do not ask.")
@output_options
def probe(name: str, yes: bool, form: str | None) -> None:
    """Try a model on the probe, so that it has probabilities: pairs of texts that come with nearsense.

    A model that runs here is tried when it is first used. To one on a server the texts are sent, and only by this
    command; it says how many before, and asks. What the model gives them is kept in the cache.

    \b
    Examples:
      nearsense models probe openai:text-embedding-3-small
      nearsense models probe openai:text-embedding-3-small --yes --json
    """
    from nearsense.cli.models.bands import bands_of, in_words
    from nearsense.cli.models.listing import record_of
    from nearsense.probing import probed, texts_to_send
    from nearsense.render import Page, show

    model = _loaded(name, record_of(name), must=True)
    assert model is not None
    if count := texts_to_send(model):
        sys.stderr.write(f"{name}: {count:,} texts of the probe go to the server\n")
        if not yes:
            if not sys.stdin.isatty():
                raise click.UsageError("nobody is here to be asked: add --yes")
            click.confirm("Send them?", abort=True, err=True)
    for passages in (False, True):
        probed(model, passages=passages, send=True)
    bands = bands_of(model)
    record = {"name": model.name, "bands": bands}
    show(Page(record, [record], ("fact", "value"), in_words(bands, None)), form_of(form))


def _loaded(name: str, record: dict[str, Any], *, must: bool = False) -> Encoder | CrossEncoder | None:
    """The model; unless it must be, None where it would have to be fetched, or a server asked for a vector."""
    from nearsense.encoders import load, load_cross

    at_hand = record["dimension"] if record["kind"] == "remote" else record["path"]
    if not must and not at_hand:
        return None
    return load_cross(name) if record["kind"] == "cross-encoder" else load(name)


def _texts(
    name: str, model: Encoder | CrossEncoder | None, corpus: str, options: dict[str, Any], quiet: bool
) -> tuple[Encoder, Any]:
    """The model, and what random pairs of a corpus score by it."""
    from nearsense.calibrating import background
    from nearsense.encoders import is_encoder
    from nearsense.encoders.remote import RemoteEncoder
    from nearsense.errors import InputError
    from nearsense.files import documents

    why = "is not here" if model is None else "runs on a server, and nothing is sent there"
    if model is not None and not is_encoder(model):
        why = "is a cross-encoder"
    if model is None or isinstance(model, RemoteEncoder) or not is_encoder(model):
        raise InputError(
            f"{name} {why}: your texts cannot be compared with the probe",
            fix="leave --corpus away, or pull the model",
        )
    found = documents(read(corpus, options), text=options["text"], id=None, skip_empty=True)
    return model, background(found.items, encoder=model, progress=not quiet)


def _words(value: Any) -> str:
    if isinstance(value, dict) and "measure" in value:
        return f"{value['value']} ({value['measure']}; {value['source']})"
    if isinstance(value, dict):
        return ", ".join(f"{role}: {prompt!r}" for role, prompt in value.items())
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


COMMANDS = (card, probe)
