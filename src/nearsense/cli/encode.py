"""encode: a file's texts to a file of vectors, with the model's fingerprint inside."""

from __future__ import annotations

import sys
from typing import Any

import click

from nearsense.cli.options import document_options, encoder_of, model_options

__all__ = ["COMMANDS"]

_OWN = {"id", "text"}


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
    # With --id or --text, a column of that name may be left over; the file has its own.
    rows = [document.metadata for document in corpus.documents]
    metadata = [{name: row[name] for name in row if name not in _OWN} for row in rows]
    write_vectors(output, corpus.vectors, ids=ids, texts=texts, metadata=metadata)
    for name in sorted({name for row in rows for name in row} & _OWN):
        sys.stderr.write(f"left out: column {name!r} (the file keeps its own {name}s under that name)\n")
    sys.stderr.write(f"{output}: {corpus.vectors!r}\n")


COMMANDS = (encode,)
