"""encode: a file's texts to a file of vectors, with the model's fingerprint inside."""

from __future__ import annotations

import sys
from typing import Any

import click

from nearsense.cli.options import document_options, encoder_of, model_options

__all__ = ["COMMANDS"]


@click.command()
@click.argument("file")
@click.option("-o", "--output", required=True, metavar="OUT", help="Where to: .npy, .jsonl or .parquet.")
@document_options
@model_options
def encode(file: str, output: str, quiet: bool, **options: Any) -> None:
    """Turn the texts of FILE into vectors.

    The model's fingerprint is stored with them; commands that read OUT refuse to mix it with another model.

    \b
    Examples:
      nearsense encode tickets.csv -o tickets.npy
      nearsense encode tickets.csv --text body --id ticket -o tickets.parquet
      nearsense search tickets.parquet "my screen freezes"
    """
    from nearsense.cli.corpus import corpus_of
    from nearsense.files import require_vectors_target, write_vectors

    require_vectors_target(output)
    corpus = corpus_of(file, options, encoder_of(options), quiet, foreign="encode")
    ids = [document.id for document in corpus.documents]
    texts = [document.text for document in corpus.documents]
    write_vectors(output, corpus.vectors, ids=ids, texts=texts)
    if left_out := sorted({name for document in corpus.documents for name in document.metadata}):
        sys.stderr.write(f"left out: {', '.join(left_out)} (vectors keep ids and texts only)\n")
    sys.stderr.write(f"{output}: {corpus.vectors!r}\n")


COMMANDS = (encode,)
