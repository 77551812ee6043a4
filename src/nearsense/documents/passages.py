"""Passages as ordinary documents: what the reserved field `passage` of their metadata says.

A passage's id is its document's, # and its number. Its text is the document's own, `text[begin:end]`, behind the
`lead`: the headings that are put before it, where they are.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from nearsense.documents.blocks import SourceDocument
from nearsense.documents.splitting import Span
from nearsense.records import Document

FIELD = "passage"
"""The reserved field of the metadata."""

GAP, LONGEST = "\n\n", 16
"""The white space before a passage where it says nothing of it, and how much of another it keeps."""


def passage_id(document: str, number: int) -> str:
    """The id of a document's passage, numbered from 0."""
    return f"{document}#{number}"


def as_passages(document: SourceDocument, spans: Sequence[Span], **known: Any) -> Iterator[Document]:
    """A document's passages; `known` is what else the reserved field shall say of the document's file."""
    end = 0
    for number, span in enumerate(spans):
        lead = f"{span.lead}\n" if span.lead else ""
        said: dict[str, Any] = {
            "document": document.id,
            "number": number,
            "count": len(spans),
            "begin": span.begin,
            "end": span.end,
        }
        said |= {"lead": len(lead)} if lead else {}
        said |= {"headings": list(span.headings)} if span.headings else {}
        said |= {name: value for name, value in (("page", span.page), ("line", span.line)) if value is not None}
        gap, end = document.text[end : span.begin] if number and span.begin >= end else GAP, span.end
        said |= {"gap": gap[:LONGEST]} if gap != GAP else {}
        metadata = {**document.metadata, FIELD: said | known}
        yield Document(passage_id(document.id, number), lead + document.text[span.begin : span.end], metadata)


def passage_of(metadata: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """What the reserved field says; None for what is no passage."""
    said = metadata.get(FIELD)
    return said if isinstance(said, Mapping) and isinstance(said.get("document"), str) else None


def own_text(passage: Document) -> str:
    """A passage as it stands in its document, without what was put before it."""
    said = passage_of(passage.metadata)
    return passage.text[int(said.get("lead", 0)) :] if said else passage.text


def joined(passages: Iterable[Document]) -> str:
    """Passages of one document, in their order, as one text in which nothing stands twice."""
    text, end = "", 0
    for passage in passages:
        said, own = passage_of(passage.metadata) or {}, own_text(passage)
        begin = int(said.get("begin", 0))
        if text and begin < end:
            text += own[end - begin :]
        else:
            text += (str(said.get("gap", GAP)) if text else "") + own
        end = max(begin + len(own), end)
    return text
