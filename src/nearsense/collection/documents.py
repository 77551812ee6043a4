"""Documents on their way in and out: what may be kept, what a source changes. What an export writes: exporting.py.

Refused here, before any engine, with the item named. Metadata are looked at closely only once JSON refused them.
"""

from __future__ import annotations

import contextlib
import datetime
import decimal
import json
import math
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from nearsense.collection.engine import Engine
from nearsense.corpus import Texts, as_documents
from nearsense.errors import InputError
from nearsense.records import Document, Vectors, json_name, require_names, shown
from nearsense.text import as_json, content_hash

if TYPE_CHECKING:
    from nearsense.corpus import TextColumn
    from nearsense.files import Table

DEPTH = 100
ID_BYTES = 512
"""The longest id, in UTF-8."""


class Checked(NamedTuple):
    """Documents that can be kept, and the JSON of their metadata, which is costly to make twice."""

    documents: list[Document]
    metadata: list[str]


def checked_documents(documents: Texts, text: TextColumn = None, id: str | None = None) -> Checked:  # noqa: A002
    """Documents that a collection can keep: with texts, ids of their own, and metadata that are JSON."""
    found = as_documents(documents, text, id=id)
    for document in found:
        _require_id(document.id)
    return Checked(found, [_json(document) for document in found])


def checked_ids(ids: str | Iterable[str]) -> list[str]:
    """Ids as a list; one string is a list of one."""
    try:
        found = [ids] if isinstance(ids, str) else list(ids)
    except TypeError:
        raise InputError(f"the ids are of type {type(ids).__name__}", fix='give a list: ["7", "8"]') from None
    for each in found:
        if not isinstance(each, str):
            raise InputError(
                f"the id {each!r} is of type {type(each).__name__}", fix=f"give it as a string: {str(each)!r}"
            )
    return found


def _require_id(id_: str) -> None:
    try:
        too_long = len(id_) > ID_BYTES // 4 and len(id_.encode()) > ID_BYTES
        if not id_.isascii():
            id_.encode()
    except UnicodeEncodeError:
        what = f"the id {id_!r} holds a lone surrogate"
        raise InputError(what, why="no encoding can write it", fix="give another id") from None
    if too_long:
        what = f"the id {id_[:40]!r}... has {len(id_.encode()):,} bytes"
        raise InputError(what, why=f"at most {ID_BYTES} fit", fix="shorten it")
    if "\0" in id_:
        raise InputError(f"the id {id_!r} holds NUL", why="most programs end a name there", fix="give another id")


def _json(document: Document) -> str:
    if not document.metadata:
        return "{}"
    require_names(document.metadata, f"the metadata of document {document.id!r}")
    try:
        written = as_json(document.metadata)
        if not written.isascii():
            written.encode()
    except (TypeError, ValueError, RecursionError):
        raise (_fault(document.metadata, document.id) or _too_deep(document)) from None
    bad = next((name for name in document.metadata if not isinstance(name, str)), "")
    if not isinstance(bad, str):
        raise InputError(
            f"a metadata field of document {document.id!r} is named by {shown(bad)}",
            why="a field's name is a string",
            fix=f'name it by one: "{json_name(bad)}"',
        )
    if written.count("[") + written.count("{") > DEPTH and _depth(written) > DEPTH:
        raise _too_deep(document)
    return written


def _too_deep(document: Document) -> InputError:
    return InputError(
        f"the metadata of document {document.id!r} are nested more than {DEPTH} deep",
        why="no filter reaches so far, and many programs cannot read it",
        fix="flatten them",
    )


def _depth(written: str) -> int:
    """How deep JSON is nested at most; brackets within strings count as well, which errs on the safe side."""
    depth = deepest = 0
    for character in written:
        depth += (character in "[{") - (character in "]}")
        deepest = max(deepest, depth)
    return deepest


_JSON = "metadata are JSON: strings, numbers, true, false, null, lists and objects"
_INSTEAD = (
    ((datetime.date, datetime.time), "a date or time", "give it as text: value.isoformat()"),
    ((decimal.Decimal,), "a decimal number", "give float(value), or str(value) to keep every digit"),
    ((set, frozenset), "a set", "give a list: sorted(value)"),
    ((bytes, bytearray), "bytes", 'give text: value.decode("utf-8")'),
)
_WITHIN = "holds itself", "written down it would never end", "give a copy without it"
_BITS, _DEEPEST = 14_000, 900
"""Bits from which on Python does not write a number; how deep faults are looked for."""


def _fault(metadata: Mapping[Any, Any], id_: str) -> InputError | None:
    """The error for metadata that JSON or UTF-8 refused; None where they are only nested too deep."""
    waiting: list[tuple[str, Any, tuple[int, ...]]] = [("", metadata, ())]
    while waiting:
        path, value, around = waiting.pop()
        within, inside = id(value) in around, list[tuple[Any, Any]]()
        wrong = _WITHIN if within else _wrong(value)
        if isinstance(value, Mapping) and not within:
            inside = list(value.items())
            for odd, _ in inside:
                if not isinstance(odd, (str, int, float, type(None))):
                    path = path or shown(odd)
                    wrong = f"is named by {shown(odd)}", "a field's name is a string", "name it by a string"
                    break
                if isinstance(odd, str) and (half := _wrong(odd)):
                    path, wrong = f"{path}.{odd}" if path else odd, ("has a name that " + half[0], *half[1:])
                    break
        elif isinstance(value, (list, tuple)):
            inside = [(None, each) for each in value]
        if wrong:
            what, why, fix = wrong
            return InputError(
                f"the metadata field {shown(path)} of document {shown(id_)} {what}", why=why, fix=fix
            )
        if len(around) <= _DEEPEST:
            for name, each in reversed(inside):
                part = "" if name is None else f".{name}" if path else str(name)
                waiting.append((f"{path}{part}", each, (*around, id(value))))
    return None


def _wrong(value: Any) -> tuple[str, str, str] | None:
    """What is wrong with one value, why, and what to give instead; None where nothing is."""
    if value is None or isinstance(value, (bool, Mapping, list, tuple)):
        return None
    if isinstance(value, str):
        if not any("\ud800" <= character <= "\udfff" for character in value):
            return None
        fix = 'give text that is whole: value.encode("utf-8", "replace").decode()'
        why = "it stands for nothing by itself, and no file can hold it"
        return "holds half of a character (a surrogate)", why, fix
    if isinstance(value, float):
        off = f"is {value}", "JSON has no such number", "leave it out, or give null"
        return None if math.isfinite(value) else off
    if isinstance(value, int):
        large = "is a number of thousands of digits", "reading it costs more than it is worth", "give it as text"
        return large if value.bit_length() > _BITS else None
    for kinds, what, fix in _INSTEAD:
        if isinstance(value, kinds):
            return f"is {what}", _JSON, fix
    if hasattr(value, "tolist"):
        return "is an array or a number of numpy", _JSON, "give value.tolist()"
    return f"is of the class {type(value).__name__}", _JSON, "give its text, or its fields: vars(value)"


@dataclass(frozen=True, slots=True)
class SyncPlan:
    """The difference between a source and a collection: documents to add, to encode again, and to relabel.

    Those have the same text and other metadata. `removed` are ids that the source has no more. `donors` says
    of documents whose text the collection has, under their id or another, who has it: it gives their vectors.
    """

    added: list[Document]
    changed: list[Document]
    relabelled: list[Document]
    removed: list[str]
    unchanged: int
    donors: dict[str, str]

    @property
    def fresh(self) -> list[Document]:
        """What is to be encoded."""
        return [document for document in (*self.added, *self.changed) if document.id not in self.donors]

    @property
    def copied(self) -> list[Document]:
        """What is written with the vectors of its donors."""
        every = (*self.added, *self.changed, *self.relabelled)
        return [document for document in every if document.id in self.donors]


def sync_plan(
    source: Sequence[Document],
    known: Iterable[tuple[str, bytes, str]],
    elsewhere: Iterable[tuple[str, bytes]] = (),
) -> SyncPlan:
    """Compare what there should be by id, then by content, with id, content hash and metadata of what there is.

    `elsewhere` are ids and content hashes of what is there too, and shall stay as it is.
    """
    if not source:
        raise InputError(
            "the source has no documents",
            why="a sync with it would remove everything from the collection",
            fix="check the source; to empty a collection, delete its documents",
        )
    there = {id_: (digest, metadata) for id_, digest, metadata in known}
    holders = {digest: id_ for id_, digest in elsewhere} | {digest: id_ for id_, (digest, _) in there.items()}
    added: list[Document] = []
    changed: list[Document] = []
    relabelled: list[Document] = []
    donors: dict[str, str] = {}
    for document in source:
        old, digest = there.pop(document.id, None), content_hash(document.text)
        if old is not None and old[0] == digest:
            if _sorted(json.loads(old[1])) != _sorted(dict(document.metadata)):
                relabelled.append(document)
                donors[document.id] = document.id
            continue
        (added if old is None else changed).append(document)
        if digest in holders:
            donors[document.id] = holders[digest]
    unchanged = len(source) - len(added) - len(changed) - len(relabelled)
    return SyncPlan(added, changed, relabelled, list(there), unchanged, donors)


def _sorted(metadata: object) -> str:
    """JSON that is equal where the metadata are: to Python 1, 1.0 and True would be the same."""
    return json.dumps(metadata, sort_keys=True)


def everything(engine: Engine) -> tuple[list[Document], Vectors]:
    """All documents with their vectors, in memory."""
    parts = [([], engine.sample(0)), *engine.stored()]
    rows = [vectors for _, vectors in parts]
    data, cut = np.concatenate([each.data for each in rows]), np.concatenate([each.truncated for each in rows])
    return [each for some, _ in parts for each in some], replace(rows[-1], data=data, truncated=cut)


def table_of(documents: Sequence[Document], vectors: Vectors, source: str) -> Table:
    """Documents with their vectors as if a file had been read: columns id, text and those of the metadata."""
    from nearsense.files.table import Table, columns_of

    rows = [{"id": each.id, "text": each.text, **beside_text(each.metadata)} for each in documents]
    columns = columns_of(rows) if rows else {"id": [], "text": []}
    return Table(columns, [*range(1, len(rows) + 1)], source, vectors, unit="document")


def beside_text(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """Metadata as further columns: fields that are called like the first two get a longer name."""
    return {f"metadata.{name}" if name in ("id", "text") else name: value for name, value in metadata.items()}


_MEANT = re.compile(r"\w\w://|(?<!\S)(password|passfile|dbname|hostaddr)\s*=", re.IGNORECASE)


def as_folder(path: str | os.PathLike[str]) -> Path:
    """A path that the system can look at; what was meant as an address is no folder, and may hold a password."""
    if isinstance(path, str) and _MEANT.search(path):
        what, why = (
            "that is no path of a folder, and no address of a collection",
            "it looks like one of a database",
        )
        raise InputError(what, why=why, fix="write it like postgresql://user@host/database?collection=tickets")
    try:
        folder = Path(path)
        with contextlib.suppress(FileNotFoundError, PermissionError, NotADirectoryError):
            folder.stat()
    except (TypeError, ValueError, OSError) as error:
        what = f"{path!r} is no path of a folder"
        raise InputError(what, why=str(error), fix='ns.open("tickets.nearsense")') from None
    return folder
