"""The way in: FILE as documents with vectors, for every command; and `encode`, which writes them to a file."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import IO, TYPE_CHECKING, Any, Literal

import click

from nearsense.cli.options import CorpusOptions, DocumentOptions, ModelOptions, takes

if TYPE_CHECKING:
    from nearsense.files import Table
    from nearsense.records import Document, Vectors


@dataclass(frozen=True, slots=True)
class Corpus:
    """n documents, their rows in the table that they are of, and their vectors where the table holds any."""

    table: Table
    documents: list[Document]
    rows: list[int]
    stored: Vectors | None
    columns: tuple[str | None, str | None]  # which give the texts and the ids

    def fitting(self, model: ModelOptions, foreign: Literal["refuse", "keep", "encode"]) -> Vectors | None:
        """The stored vectors, those of another model only to "keep"; None where the texts are to be encoded."""
        stored = self.stored
        if stored is None or foreign == "keep" or stored.fingerprint == model.load().fingerprint:
            return stored
        if foreign == "refuse" or self.columns[0] is None:
            stored.require_made_by(model.load().name, model.load().fingerprint)
        return None

    def vectors(self, model: ModelOptions, foreign: Literal["refuse", "keep", "encode"] = "refuse") -> Vectors:
        """The stored vectors, those of another model as said; else the texts encoded now."""
        from nearsense.cached import cached

        stored = self.fitting(model, foreign)
        if stored is not None:
            return stored
        texts = (document.text for document in self.documents)
        return cached(model.load()).encode(texts, role="passage", progress=model.progress)


def read_corpus(
    source: str | Table, reading: DocumentOptions, *, texts: bool = False, numbers: bool = False, fate: str = ""
) -> Corpus:
    """A file, or a table that is read already, as documents; rows without text are left out where that is wanted.

    A file of vectors alone has documents without texts, unless `texts` says that they are needed; then also
    vectors of no known model are kept. `numbers` is for metadata that will be compared, `fate` what is said of
    rows that were left out.
    """
    from nearsense.files import documents, has_texts

    table = reading.read(source) if isinstance(source, str) else source
    stored = table.vectors
    if stored is not None and not texts:
        if not has_texts(table, reading.text):
            return Corpus(table, _unnamed(table), list(range(len(table))), stored, (None, None))
        if not stored.fingerprint:
            what = f"{table.source}: the column 'vector' says nothing of its model: the texts are encoded"
            sys.stderr.write(f"{what}, its {stored.dimension:,} numbers are not used\n")
            stored = None
    found = documents(table, text=reading.text, id=reading.id_, skip_empty=reading.skip_empty, numbers=numbers)
    if found.skipped:
        few = f"{found.skipped:,} of {len(table):,} rows without text"
        sys.stderr.write(f"warning: {f'{table.source}: {few} {fate}' if fate else f'left out {few}'}\n")
        stored = None if stored is None else stored.take(found.rows)
    items = _without_markup(table.source, found.items, reading.strip)
    if stored is not None and items is not found.items:
        stored = None  # it is of the texts as they stood
    return Corpus(table, items, found.rows, stored, (found.text, found.id))


def _without_markup(source: str, documents: list[Document], strip: str | None) -> list[Document]:
    """The documents without the markup that --strip names; where it is not typed, a line if many hold some."""
    from nearsense.markup import find_markup, parse_markup, strip_markup

    if strip is None:
        found = find_markup([document.text for document in documents])
        sys.stderr.write("" if found is None else f"{source}: {found}\n")
        return documents
    kinds = parse_markup(strip)
    return [replace(each, text=strip_markup(each.text, kinds)) for each in documents] if kinds else documents


def _unnamed(table: Table) -> list[Document]:
    """Documents without a text, by the stored ids; where there are none, by row numbers from 0."""
    from nearsense.records import Document

    return [Document(str(id_), "") for id_ in table.columns.get("id") or range(len(table))]


def typed_lines(prompt: str = "") -> Iterator[str | bytes]:
    """The lines of standard input until its end, a prompt before each; bytes where it gives them."""
    from nearsense.files import no_input

    source: IO[str] | IO[bytes] = getattr(sys.stdin, "buffer", sys.stdin)
    while True:
        sys.stderr.write(prompt)
        sys.stderr.flush()
        try:
            line: str | bytes = source.readline()
        except OSError as error:
            raise no_input(error) from error
        if not line:
            return
        yield line


@click.command()
@click.argument("file")
@click.option("-o", "--output", required=True, metavar="OUT", help="Where to: .npy, .jsonl or .parquet.")
@takes(source=CorpusOptions)
def encode(file: str, output: str, source: CorpusOptions) -> None:
    """Turn the texts of FILE into vectors.

    The model's fingerprint is stored with them; commands that read OUT refuse to mix it with another model.

    \b
    Examples:
      nearsense encode tickets.csv -o tickets.npy
      nearsense encode tickets.csv --text body --id ticket -o tickets.parquet
      nearsense search tickets.parquet "my screen freezes"
    """
    from nearsense.cli.outputs import require_targets
    from nearsense.files import require_vectors_target, write_vectors

    require_vectors_target(output)
    require_targets({"-o": output}, {"FILE": file})
    corpus = read_corpus(file, source)
    vectors = corpus.vectors(source, foreign="encode")
    ids = [document.id for document in corpus.documents]
    texts = [document.text for document in corpus.documents]
    # With --id or --text, a column of that name may be left over; the file has its own.
    rows = [document.metadata for document in corpus.documents]
    metadata: list[dict[str, Any]] = [{name: row[name] for name in row if name not in _OWN} for row in rows]
    write_vectors(output, vectors, ids=ids, texts=texts, metadata=metadata)
    for name in sorted({name for row in rows for name in row} & _OWN):
        sys.stderr.write(f"left out: column {name!r} (the file keeps its own {name}s under that name)\n")
    sys.stderr.write(f"{output}: {vectors!r}\n")


COMMANDS = (encode,)

_OWN = {"id", "text"}
