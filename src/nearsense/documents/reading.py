"""Files in, documents out: one that cannot be read is told, and the others go on."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, overload

from nearsense._progress import Progress, tracked
from nearsense.documents.blocks import SourceDocument
from nearsense.documents.folder import Found, Source, find_files
from nearsense.documents.formats import extension_of, reader_of
from nearsense.documents.passages import as_passages
from nearsense.documents.splitting import TOKENS, Splitting, counter, room, split
from nearsense.documents.worker import Worker
from nearsense.errors import FileError
from nearsense.records import Document

if TYPE_CHECKING:
    from nearsense.encoders import Encoder

MOST_TEXT, MOST_BYTES = 64 << 20, 512 << 20
"""Bytes of the largest file of plain text, and of any other, that is read."""
LONGEST_ID = 480
"""Bytes of a path: an id has 512 at most, the number of its passage included."""


class DocumentList(Sequence[SourceDocument]):
    """Documents that were read from files, in the order of their ids.

    Args:
        documents: The documents.
        unread: Why some files could not be read, by their ids.
        root: The folder from which ids count.
    """

    def __init__(
        self, documents: Iterable[SourceDocument], unread: Mapping[str, FileError] | None = None, root: str = ""
    ) -> None:
        self._documents, self.unread, self.root = list(documents), dict(unread or {}), root

    @overload
    def __getitem__(self, at: int) -> SourceDocument: ...
    @overload
    def __getitem__(self, at: slice) -> DocumentList: ...
    def __getitem__(self, at: int | slice) -> SourceDocument | DocumentList:
        if isinstance(at, slice):
            return DocumentList(self._documents[at], self.unread, self.root)
        return self._documents[at]

    def __len__(self) -> int:
        return len(self._documents)

    def __repr__(self) -> str:
        unread = f", {len(self.unread):,} unread" if self.unread else ""
        return f"DocumentList({len(self):,} documents{unread})"

    def passages(
        self,
        encoder: Encoder | str | None = None,
        *,
        tokens: int | None = None,
        overlap: int = 0,
        headings: bool = True,
    ) -> list[Document]:
        """Their passages, as ordinary documents: for `ns.search`, `ns.duplicates`, `Collection.add` and the like.

        Passages of a document cover all of its text but white space. What `metadata["passage"]` says of one:
        its `document`, its `number` of `count`, `begin` and `end` (the passage is `text[begin:end]` there), its
        `headings`, its `page` and `line` where there are any, and how many characters of headings were put before
        it (`lead`).

        Args:
            encoder: The model whose tokens count, an Encoder, a name or a folder.
            tokens: The most a passage has; without it 256, or what the model reads where that is less.
            overlap: How many tokens of the passage before it a passage may repeat; whole sentences.
            headings: Put the path of headings before each passage: "Manual > Installation".

        Raises:
            InputError: `tokens` is below 16, or `overlap` more than half of it.
        """
        from nearsense.encoders import resolve

        model = resolve(encoder)
        how = splitting_for(model, tokens, overlap, headings)
        spans = split(self._documents, how, counter(model))
        pairs = zip(self._documents, spans, strict=True)
        return [passage for document, each in pairs for passage in as_passages(document, each)]


def splitting_for(
    encoder: Encoder, tokens: int | None, overlap: int = 0, headings: bool = True, role: str = "passage"
) -> Splitting:
    """How documents are split for a model: passages are as long as it reads, and as was said, at most."""
    if tokens is None:
        tokens = min(TOKENS, room(encoder, role))
    return Splitting(tokens, overlap, headings)


def read_documents(
    source: Source | Iterable[Source], *, ignore: Iterable[str] = (), progress: Progress = False
) -> DocumentList:
    r"""Read files as documents: md, txt, rst, html, pdf, docx, pptx, epub, eml, ipynb, source code.

    Nothing in them is run, and nothing they name is fetched. Risky formats are read in a process of their own,
    with at most 1 GiB of memory and two minutes for each file.

    Args:
        source: A folder, a file, a glob ("notes/*.md"), or several of these.
        ignore: Globs on paths in the folder or on names, say ["drafts/*", "*.bak"]: left out.
        progress: True for a bar on stderr, or a function called with (done, total).

    Returns:
        The documents; those that cannot be read are in its `unread`, with the reason.

    Raises:
        FileError: There is nothing to read, or nothing of it can be read.
        MissingExtra: Something is of a format whose library is not installed.

    Example:
        >>> import tempfile, pathlib, nearsense as ns
        >>> file = pathlib.Path(tempfile.mkdtemp(), "manual.md")
        >>> _ = file.write_text("# Manual\nHello.\n## Installation\nType make.\n")
        >>> manual = read_documents(file)[0]
        >>> manual.id, manual.metadata["title"], [block.title for block in manual.blocks if block.title]
        ('manual.md', 'Manual', ['Manual', 'Installation'])
    """
    files = find_files(source, ignore)
    documents: list[SourceDocument] = []
    unread = dict(files.closed)
    with Worker() as worker, tracked(len(files.found), "files", progress) as update:
        for done, found in enumerate(files.found, 1):
            try:
                documents.append(read_one(found, worker))
            except FileError as error:
                unread[found.id] = error
            update(done)
    if not documents:
        raise next(iter(unread.values()))
    return DocumentList(documents, unread, str(files.root))


def read_one(found: Found, worker: Worker) -> SourceDocument:
    """The document of a file.

    Raises:
        FileError: It cannot be read.
        MissingExtra: The library for its format is not installed.
    """
    _require_name(found)
    reader = reader_of(found.path.name)
    most = MOST_BYTES if reader.binary else MOST_TEXT
    if found.size > most:
        raise _too_large(found.path, found.size, most)
    content = worker.read(reader, found.path) if reader.binary else reader.load()(_text(found.path))
    form = reader.format if reader.format != "code" else extension_of(found.path.name)
    metadata = {"format": form, **content.metadata}
    return SourceDocument(found.id, content.text, metadata, tuple(content.blocks), content.lines)


def _require_name(found: Found) -> None:
    """Refuse a name that no id can be made of."""
    try:
        if len(found.id.encode()) <= LONGEST_ID:
            return
        why = f"its path has more than {LONGEST_ID} bytes"
    except UnicodeEncodeError:
        why = "its name is no UTF-8"
    raise FileError(f"{found.id!r} cannot be named", why=why, fix="rename it, or leave it out with --ignore")


def _text(path: Path) -> str:
    """The characters of a file, its line ends as line feeds."""
    from nearsense.files.formats import Compression
    from nearsense.files.streams import AUTO, file_errors
    from nearsense.files.streams import Source as Plain

    with file_errors(Plain(str(path), Compression.NONE, path)):
        plain = Plain(str(path), Compression.NONE, content=_bytes(path))
        if not plain.head:
            return ""
        with plain.characters(AUTO) as text:
            return text.read().replace("\0", " ")


def _bytes(path: Path) -> bytes:
    """The content of a file, which may have become something else, or larger, since the folder was looked at."""
    with os.fdopen(
        os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0)), "rb"
    ) as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            fix = "leave it out with --ignore"
            raise FileError(f"{path} is no file", why="it is a device or a pipe: nothing of it is read", fix=fix)
        content = file.read(MOST_TEXT + 1)
    if len(content) > MOST_TEXT:
        raise _too_large(path, len(content), MOST_TEXT)
    return content


def _too_large(path: Path, size: int, most: int) -> FileError:
    why = f"it has {size / 2**20:,.0f} MiB; at most {most / 2**20:,.0f} are read"
    return FileError(f"{path} is too large", why=why, fix="leave it out with --ignore, or split it")
