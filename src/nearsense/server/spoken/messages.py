"""The bodies of what others speak, as they come in and go out: msgspec is known here. Not what is done with them.

Fields that nobody here knows are passed over, as their own servers do; one of the wrong type is refused.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Literal, TypeVar

import msgspec
from msgspec import UNSET, Struct, UnsetType

__all__ = [
    "UNSET",
    "EmbedRequest",
    "Embedding",
    "EmbeddingsAnswer",
    "EmbeddingsRequest",
    "Malformed",
    "RerankAnswer",
    "RerankRequest",
    "RerankResult",
    "SimilarityParameters",
    "SimilarityRequest",
    "TextRank",
    "Usage",
    "reader",
    "write",
]

T = TypeVar("T")

Texts = str | list[str | int | list[int]]
"""A text or a list of them; token ids may come too, and are refused in words of their own."""


class Malformed(ValueError):
    """A body that is no JSON, or a field of the wrong type: `param` names it, empty for the whole body."""

    def __init__(self, message: str, param: str = "") -> None:
        super().__init__(message)
        self.message, self.param = message, param


class EmbeddingsRequest(Struct):
    """OpenAI's, with what others add to it: what a text is, and whether one that is too long may be cut."""

    input: Texts
    model: str | None = None
    encoding_format: Literal["float", "base64"] | None = None
    dimensions: int | None = None
    input_type: str | None = None
    role: str | None = None
    truncate: bool | str | None = None


class Embedding(Struct, tag_field="object", tag="embedding"):
    """One vector: numbers, or the bytes of little-endian float32, which go out as base64."""

    index: int
    embedding: list[float] | bytes


class Usage(Struct):
    """How many tokens the texts of a request have, special ones included, before anything is cut."""

    prompt_tokens: int
    total_tokens: int


class EmbeddingsAnswer(Struct, tag_field="object", tag="list"):
    """OpenAI's; `truncated` names the texts that were cut, and is there where any was."""

    data: list[Embedding]
    model: str
    usage: Usage
    truncated: list[int] | UnsetType = UNSET


class RerankRequest(Struct):
    """What Cohere (both versions), Jina and TEI call a rerank request; documents are texts or have one."""

    query: str | dict[str, Any]
    documents: list[str | dict[str, Any]] | None = None
    texts: list[str] | None = None
    model: str | None = None
    top_n: int | None = None
    rank_fields: list[str] | None = None
    return_documents: bool | None = None
    return_text: bool = False
    raw_scores: bool = False


class RerankResult(Struct):
    """One document: its place in the request, what it scores in [0, 1], and how sure that is."""

    index: int
    relevance_score: float
    probability: float | None
    differs: tuple[str, ...] | None
    document: dict[str, Any] | UnsetType = UNSET


class RerankAnswer(Struct, tag_field="object", tag="list"):
    """Cohere's and Jina's in one; `scored_by` says what the scores are."""

    id: str
    model: str
    results: list[RerankResult]
    scored_by: str
    usage: Usage
    meta: dict[str, Any]


class TextRank(Struct):
    """One text of TEI's rerank."""

    index: int
    score: float
    text: str | UnsetType = UNSET


class EmbedRequest(Struct):
    """TEI's /embed."""

    inputs: Texts
    normalize: bool = True
    truncate: bool | None = None
    prompt_name: str | None = None
    dimensions: int | None = None


class Sentences(Struct):
    """One text, and those it is compared with."""

    source_sentence: str
    sentences: list[str]


class SimilarityParameters(Struct):
    """How TEI is told to read the sentences."""

    truncate: bool | None = None
    prompt_name: str | None = None


class SimilarityRequest(Struct):
    """TEI's /similarity."""

    inputs: Sentences
    parameters: SimilarityParameters | None = None


def reader(kind: type[T]) -> Callable[[bytes], T]:
    """What reads the body of a request as `kind`, or raises Malformed."""
    decode = msgspec.json.Decoder(kind).decode

    def read(body: bytes) -> T:
        try:
            return decode(body)
        except msgspec.ValidationError as error:
            raise _wrong(str(error)) from None
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise Malformed(f"the body is no JSON: {error}" if body.strip() else "the body is empty") from None
        except RecursionError:
            raise Malformed("the body is nested too deep") from None

    return read


def _wrong(says: str) -> Malformed:
    """What msgspec says of a field, with the field in front."""
    said, _, path = says.partition(" - at ")
    place = path.strip("`").removeprefix("$").removeprefix(".")
    missing = re.search(r"missing required field `(\w+)`", said)
    param = ".".join(filter(None, (place, missing[1] if missing else "")))
    words = said[:1].lower() + said[1:].replace("`", "'").replace("array", "list")
    return Malformed(f"{place}: {words}" if place else words, param)


write: Callable[[object], bytes] = msgspec.json.Encoder().encode
"""What makes JSON of an answer."""
