"""The bodies of what others speak, as they come in and go out: msgspec is known here. Not what is done with them.

Fields that nobody here knows are passed over, as their own servers do; one of the wrong type is refused.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Annotated, Any, Literal, TypeVar

import msgspec
from msgspec import UNSET as UNSET  # for those who write answers
from msgspec import Meta, Struct, UnsetType

from nearsense.server.requests import VISIBLE
from nearsense.server.settings import ServerSettings

T = TypeVar("T")

QUERY = ("query", "search_query", "retrieval.query", "retrieval_query")
PASSAGE = ("passage", "document", "search_document", "retrieval.passage", "retrieval_document")
NEITHER = (
    "none", "similarity", "semantic_similarity", "text-matching", "classification", "clustering", "separation",
)  # fmt: skip
"""What a text is, in the words of Cohere, Jina, Voyage, NVIDIA and Google, which may stand in capitals."""

_MOST = ServerSettings.max_texts
_TEXT: dict[str, Any] = {"type": "string", "minLength": 1, "pattern": VISIBLE}
_LENGTH: dict[str, Any] = {"minItems": 1, "maxItems": _MOST}
_WORDS = [form(word) for form in (str.lower, str.upper) for word in (*QUERY, *PASSAGE, *NEITHER)]
"""What the schemas say beside the types is looked at where a request is answered, in words of its own."""

Text = Annotated[str, Meta(extra_json_schema=_TEXT)]
Role = Annotated[str, Meta(extra_json_schema={"enum": _WORDS}, description="What the texts are, in many words.")]
Model = Annotated[str, Meta(description="A model of this server; the first without it.")]
Dimensions = Annotated[int, Meta(description="How many numbers of a vector are kept.")]
Document = (
    Text | Annotated[dict[str, Any], Meta(extra_json_schema={"required": ["text"], "properties": {"text": _TEXT}})]
)

Texts = Annotated[
    Text | Annotated[list[str | int | list[int]], Meta(extra_json_schema=_LENGTH)],
    Meta(description="A text, or a list of them.", examples=[["It is raining.", "Rain is falling."]]),
]
"""Token ids may come too, and are refused in words of their own."""


class Malformed(ValueError):
    """A body that is no JSON, or a field of the wrong type: `param` names it, empty for the whole body."""

    def __init__(self, message: str, param: str = "") -> None:
        super().__init__(message)
        self.message, self.param = message, param


class EmbeddingsRequest(Struct):
    """OpenAI's, with what others add to it: what a text is, and whether one that is too long may be cut."""

    input: Texts
    model: Model | None = None
    encoding_format: Literal["float", "base64"] | None = None
    dimensions: Dimensions | None = None
    input_type: Role | None = None
    role: Role | None = None
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


class Models(Struct, tag_field="object", tag="list"):
    """The models of a server, as OpenAI lists them."""

    data: list[About]


class About(Struct, tag_field="object", tag="model"):
    """A model as OpenAI lists it, and what else a client may want to know of it."""

    id: str
    created: int
    owned_by: str
    dimension: int
    max_tokens: int
    fingerprint: str | None


class RerankRequest(Struct):
    """What Cohere (both versions), Jina and TEI call a rerank request; documents are texts or have one."""

    query: Annotated[Document, Meta(examples=["reset your password"])]
    documents: Annotated[
        list[Document] | None,
        Meta(
            description="Texts, or objects with a text: what rank_fields names, where any of that is there.",
            examples=[["We ship within two days.", "Reset your password here."]],
            extra_json_schema=_LENGTH,
        ),
    ] = None
    texts: Annotated[
        list[Text] | None,
        Meta(description="In place of documents; the answer is TEI's.", extra_json_schema=_LENGTH),
    ] = None
    model: Model | None = None
    top_n: Annotated[int, Meta(description="How many at most.", extra_json_schema={"minimum": 1})] | None = None
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
    prompt_name: Role | None = None
    dimensions: Dimensions | None = None


class Sentences(Struct):
    """One text, and those it is compared with."""

    source_sentence: Text
    sentences: Annotated[list[Text], Meta(extra_json_schema={"maxItems": _MOST - 1})]


class SimilarityParameters(Struct):
    """How TEI is told to read the sentences."""

    truncate: bool | None = None
    prompt_name: Role | None = None


_SENTENCES = {"source_sentence": "It is raining.", "sentences": ["Rain is falling.", "I like cheese."]}


class SimilarityRequest(Struct):
    """TEI's /similarity."""

    inputs: Annotated[Sentences, Meta(examples=[_SENTENCES])]
    parameters: SimilarityParameters | None = None


class Info(Struct):
    """What TEI says of the model that it runs, and how many numbers its vectors have."""

    model_id: str
    model_sha: str | None
    model_dtype: str
    model_type: dict[str, dict[str, str]]
    max_concurrent_requests: int
    max_input_length: int
    max_batch_tokens: int
    max_client_batch_size: int
    auto_truncate: bool
    dimension: int
    version: str


class RefusalDetail(Struct):
    """What went wrong and what to do, in one message."""

    message: Annotated[str, Meta(examples=["input is empty. give a text, or a list of texts"])]
    type: Annotated[str, Meta(examples=["invalid_request_error"])]
    param: Annotated[str, Meta(examples=["input"], description="The field, where it is one's.")] | None
    code: Annotated[str, Meta(examples=["invalid_value"])]


class Refusal(Struct):
    """The body of a response that is no answer, as OpenAI words it."""

    error: RefusalDetail


def reader(kind: type[T]) -> Callable[[bytes], T]:
    """What reads the body of a request as `kind`, or raises Malformed."""
    decode = msgspec.json.Decoder(kind).decode

    def read(body: bytes) -> T:
        try:
            return decode(body)
        except msgspec.ValidationError as error:
            if "got `float`" not in str(error):
                raise _wrong(str(error)) from None
            return _with_whole(body)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise Malformed(f"the body is no JSON: {error}" if body.strip() else "the body is empty") from None
        except RecursionError:
            raise Malformed("the body is nested too deep") from None

    def _with_whole(body: bytes) -> T:
        try:
            return msgspec.convert(_whole(msgspec.json.decode(body)), kind)
        except msgspec.ValidationError as error:
            raise _wrong(str(error)) from None

    return read


def _whole(value: Any) -> Any:
    """The same, with 2 for 2.0: in JSON that is a whole number, too."""
    if isinstance(value, dict):
        return {name: _whole(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_whole(each) for each in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


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


def schemas(kinds: Sequence[Any]) -> tuple[tuple[dict[str, Any], ...], dict[str, Any]]:
    """The schema of each kind of message, and of all that these refer to by name, for the OpenAPI document."""
    found, named = msgspec.json.schema_components(kinds, ref_template="#/components/schemas/{name}")
    lists = [{"required": [name], "properties": {name: {"type": "array"}}} for name in ("documents", "texts")]
    named[RerankRequest.__name__]["oneOf"] = lists
    for kind, field in ((EmbeddingsRequest, "input"), (EmbedRequest, "inputs")):
        named[kind.__name__]["properties"][field]["anyOf"][1]["items"] = _TEXT  # token ids are refused
    return found, named
