"""What may be asked of a verb over HTTP: one type a verb, whose schema says all that is refused. No answers.

A request names models, collections and FAQs by what the operator called them; no field is a path or an address.
Answers are the results' own `to_dict()`.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema

from nearsense.server.settings import ServerSettings

NAME = r"[A-Za-z0-9][A-Za-z0-9_-]{0,99}"
"""What collections and FAQs may be called."""

MOST_HITS = 1_000
LONGEST = 100_000  # characters of a text

VISIBLE = r"[^\s\x85\ufeff\x1c-\x1f]"
"""A character that is no white space, whichever dialect of regular expressions is asked."""

Text = Annotated[
    str, Field(min_length=1, max_length=LONGEST, pattern=VISIBLE, description="A text; not only white space.")
]
Texts = Annotated[
    list[Text], Field(min_length=1, max_length=ServerSettings.max_texts, description="Texts, 1,024 at most.")
]
Name = Annotated[str, Field(pattern=f"^{NAME}$", description="What the operator's collection or FAQ is called.")]
Model = Annotated[
    str, Field(min_length=1, max_length=200, description="A model that this server has; the first without it.")
]
Probability = Annotated[float, Field(ge=0, le=1, description="Leave out what is less probable.")]
Prior = Annotated[
    float, Field(gt=0, lt=1, description="The share that is right before scores are seen.", examples=[0.5])
]
Score = Annotated[float, Field(ge=-1e6, le=1e6, description="Leave out what scores less.")]
Mode = Annotated[
    Literal["dense", "lexical", "hybrid"],
    Field(description="By meaning, by words (BM25), or by both (reciprocal rank fusion)."),
]

_FILTER: dict[str, Any] = {"$ref": "#/components/schemas/Filter"}
_VALUE: dict[str, Any] = {"type": ["string", "number", "boolean", "null"]}


def _condition(bound: str) -> dict[str, Any]:
    """What a field may be asked for, with bounds that are all numbers or all strings."""
    known = {name: {"type": "array", "items": _VALUE} for name in ("in", "not in")}
    known |= dict.fromkeys(("=", "!="), _VALUE) | {key: {"type": bound} for key in ("<", "<=", ">", ">=")}
    known |= {"exists": {"type": "boolean"}}
    return {"type": "object", "minProperties": 1, "additionalProperties": False, "properties": known}


FILTER: dict[str, Any] = {
    "type": "object",
    "description": "Only documents whose metadata fit: see the filters of collections.",
    "properties": {
        "and": {"type": "array", "items": _FILTER},
        "or": {"type": "array", "items": _FILTER},
        "not": _FILTER,
    },
    "additionalProperties": {"anyOf": [_VALUE, _condition("number"), _condition("string")]},
    "examples": [{"status": "solved", "year": {">=": 2020}}],
}
"""The component of the OpenAPI document that requests refer to."""
Where = Annotated[dict[str, Any], WithJsonSchema({"type": "object", "x-filter": True})]


def with_filters(schema: Any) -> Any:
    """A part of the OpenAPI document in which filters refer to what says all of them."""
    if isinstance(schema, dict):
        return _FILTER if "x-filter" in schema else {name: with_filters(each) for name, each in schema.items()}
    return [with_filters(each) for each in schema] if isinstance(schema, list) else schema


def _whole(value: Any) -> Any:
    """2.0 is a whole number in JSON."""
    return int(value) if type(value) is float and value.is_integer() else value


WHOLE = BeforeValidator(_whole)


Count = Annotated[int, Field(ge=1, le=MOST_HITS, description="How many at most."), WHOLE]


class Request(BaseModel):
    """What every request has in common: nothing that is not known, nothing of another type."""

    model_config = ConfigDict(
        extra="forbid", strict=True, frozen=True, allow_inf_nan=False, hide_input_in_errors=True
    )


class Compare(Request):
    """Two texts: how near in sense, and how probably the same."""

    a: Text = Field(examples=["It is raining."])
    b: Text = Field(examples=["Rain is falling."])
    model: Model | None = None
    prior: Prior | None = None


class ComparePairs(Request):
    """Pairs of texts, each compared."""

    pairs: Annotated[
        list[Annotated[list[Text], Field(min_length=2, max_length=2)]],
        Field(min_length=1, max_length=ServerSettings.max_texts, description="Pairs of texts, 1,024 at most."),
    ] = Field(examples=[[["It is raining.", "Rain is falling."], ["a cat", "a tax"]]])
    model: Model | None = None
    prior: Prior | None = None
    min_probability: Probability | None = None


class Explain(Request):
    """Two texts: which words carry their score."""

    a: Text = Field(examples=["The parcel is late."])
    b: Text = Field(examples=["My package has not come."])
    model: Model | None = None


class _Sifting(Request):
    """Which hits are left out."""

    prior: Prior | None = None
    min_probability: Probability | None = None
    min_score: Score | None = None


class Rank(_Sifting):
    """Texts in the order in which they are near to one."""

    reference: Text = Field(examples=["I forgot my login"])
    candidates: Texts = Field(examples=[["Reset your password here.", "We ship within two days."]])
    k: Count | None = None
    model: Model | None = None


class _Asking(_Sifting):
    """What is asked of a collection."""

    collection: Name | None = None
    k: Count = 10
    where: Where | None = None


_PROBABLE: Any = {
    "not": {
        "required": ["mode", "min_probability"],
        "properties": {
            "mode": {"enum": ["lexical", "hybrid"]},
            "min_probability": {"type": "number"},
            "rerank": {"type": "null"},
        },
    }
}
"""Only scores by meaning, and those of a cross-encoder, are probabilities."""


class _Searching(_Asking):
    model_config = ConfigDict(json_schema_extra=_PROBABLE)

    mode: Mode = "dense"
    exact: bool = Field(False, description="Compare with every vector instead of asking the index.")
    rerank: Model | None = Field(None, description="A cross-encoder of this server that puts the hits in order.")
    candidates: Count = Field(100, description="How many hits it is given.")
    all_passages: bool = Field(False, description="Let a document count by each of its passages.")


class Search(_Searching):
    """The documents of a collection that answer a query best."""

    query: Text = Field(examples=["my dashboard freezes"])


class SearchMany(_Searching):
    """As search, for several queries, encoded together."""

    queries: Annotated[list[Text], Field(min_length=1, max_length=100)] = Field(
        examples=[["my dashboard freezes", "money back"]]
    )


class Similar(_Asking):
    """Documents of a collection that are like one of it."""

    id: str = Field(min_length=1, max_length=1_000, examples=["1"], description="The document's id.")


class MakeContext(Request):
    """The passages that answer a question, as a text that fits a prompt."""

    query: Text = Field(examples=["When do flowers get water?"])
    collection: Name | None = None
    tokens: Annotated[int, Field(ge=1, le=100_000, description="How many tokens the text may have."), WHOLE] = (
        2_000
    )
    k: Count | None = None
    where: Where | None = None
    mode: Mode = "dense"
    min_score: Score | None = None


class Ask(Request):
    """A question to a FAQ."""

    question: Text = Field(examples=["When will my package arrive?"])
    faq: Name | None = None
    k: Annotated[int, Field(ge=1, le=100, description="How many candidates come with it at most."), WHOLE] = 3


_ONE_SOURCE: Any = {
    "not": {
        "required": ["texts", "collection"],
        "properties": {"texts": {"type": "array"}, "collection": {"type": "string"}},
    }
}
_ONE_THRESHOLD: Any = {
    "not": {
        "required": ["min_probability", "min_score"],
        "properties": {"min_probability": {"type": "number"}, "min_score": {"type": "number"}},
    }
}


class FindDuplicates(Request):
    """What is said twice, among texts or in a collection."""

    model_config = ConfigDict(json_schema_extra={"allOf": [_ONE_SOURCE, _ONE_THRESHOLD]})

    texts: Texts | None = Field(
        None,
        examples=[["How do I reset my password?", "how do I reset my password", "Where is my parcel?"]],
        description="Texts, 1,024 at most; or a collection.",
    )
    collection: Name | None = None
    min_probability: Probability | None = Field(None, description="How probably the two of a pair say the same.")
    min_score: Annotated[float, Field(ge=-1, le=1)] | None = Field(None, description="Or how near they are.")
    keep: Literal["first", "longest", "shortest", "complete"] = Field("first", description="Which row stays.")
    allow_differing: bool = Field(False, description="Group pairs that differ in figures, names, negation, too.")
    prior: Prior | None = None
    pairs: Annotated[
        int, Field(ge=0, le=10_000, description="How many pairs come with it, surest first."), WHOLE
    ] = 100
    model: Model | None = None


class FindClusters(Request):
    """Groups of texts that are near in sense, with names."""

    model_config = ConfigDict(json_schema_extra={"allOf": [_ONE_SOURCE]})

    texts: Texts | None = Field(
        None,
        examples=[["Where is my parcel?", "My parcel has not come.", "Which exchange rate do you use?"]],
        description="Texts, 1,024 at most; or a collection.",
    )
    collection: Name | None = None
    k: Count | None = Field(None, description="How many clusters; without it as many as there are dense regions.")
    strict: bool = Field(False, description="Dense regions alone, where k is not given.")
    strip: bool = Field(False, description="Take tags, links and quoted mail out of the texts first.")
    model: Model | None = None
