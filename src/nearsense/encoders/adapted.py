"""A model with a small map after it: an encoder, and its folder. Not how a map is learnt: see adapters/.

The map comes after the parent's whole way, on vectors of unit length, and has no bias. So vectors that the parent
has made already are mapped, not made again, and what tokens add to a text's vector they still add.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from nearsense._paths import expanded, is_file, is_folder
from nearsense._progress import Progress
from nearsense.encoders.base import BATCH_TOKENS, Encoder, TokenVectors, damaged
from nearsense.encoders.weights import Weights, write_tensors
from nearsense.encoders.wrapped import WrappedEncoder
from nearsense.errors import InputError, ModelMismatch, ModelNotFound, UnsupportedModel
from nearsense.kinds import MapKind
from nearsense.records import Metric, Vectors, parse
from nearsense.vectors.rows import ZeroRow, unit_rows
from nearsense.vectors.rows import normalize as unit_length

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]

DESCRIPTION, TENSORS = "adapter.json", "adapter.safetensors"
FORMAT = 1
_NAMES = {MapKind.DIAGONAL: ("scale",), MapKind.LOW_RANK: ("down", "up"), MapKind.LINEAR: ("weight",)}


@dataclass(frozen=True, eq=False)
class VectorMap:
    """A linear map of vectors of d numbers to vectors as long, of one of three forms.

    Args:
        kind: `diagonal`: each number times one of `scale`, shape (d,). `low-rank`: x + up (down x), of shapes
            (r, d) and (d, r). `linear`: `weight` x, shape (d, d).
        tensors: float32 arrays by these names.

    Example:
        >>> doubled = VectorMap(MapKind.DIAGONAL, {"scale": np.array([1.0, 2.0], np.float32)})
        >>> doubled(np.array([[3.0, 1.0]], np.float32)).tolist(), doubled.dimension
        ([[3.0, 2.0]], 2)
    """

    kind: MapKind
    tensors: Mapping[str, Floats]

    def __post_init__(self) -> None:
        shapes = {name: self.tensors[name].shape for name in _NAMES[self.kind]}
        d = next(iter(shapes.values()))[-1]
        r = shapes["down"][0] if "down" in shapes else 0
        wanted = {"scale": (d,), "weight": (d, d), "down": (r, d), "up": (d, r)}
        if any(shape != wanted[name] for name, shape in shapes.items()) or not d:
            raise ValueError(f"the tensors of a {self.kind.value} map have the shapes {shapes}")
        if not all(np.isfinite(self.tensors[name]).all() for name in shapes):
            raise ValueError("its tensors hold numbers that are not finite")

    @property
    def dimension(self) -> int:
        """The length of the vectors, before and after."""
        return int(self.tensors[_NAMES[self.kind][0]].shape[-1])

    def __call__(self, vectors: Floats) -> Floats:
        """Vectors of shape (n, d), as they are mapped, not yet of unit length."""
        if self.kind is MapKind.DIAGONAL:
            return np.multiply(vectors, self.tensors["scale"], dtype=np.float32)
        if self.kind is MapKind.LOW_RANK:
            moved = (vectors @ self.tensors["down"].T) @ self.tensors["up"].T
            return np.add(vectors, moved, dtype=np.float32)
        mapped: Floats = vectors @ self.tensors["weight"].T
        return mapped

    def matrix(self) -> Floats:
        """The map as one matrix of shape (d, d)."""
        return np.ascontiguousarray(self(np.eye(self.dimension, dtype=np.float32)).T)

    def unit(self, vectors: Floats) -> Floats:
        """Vectors mapped and brought to unit length; what has length zero stays."""
        return unit_length(self(vectors), zero="keep")

    @cached_property
    def digest(self) -> str:
        """SHA-256 (hex) over the kind and the bytes of its tensors."""
        found = hashlib.sha256(self.kind.value.encode())
        for name in _NAMES[self.kind]:
            found.update(np.ascontiguousarray(self.tensors[name], "<f4").tobytes())
        return found.hexdigest()


class AdaptedEncoder(WrappedEncoder):
    """A parent, and a map of its vectors. All else it does as the parent does: roles, long texts, precision.

    Its vectors always have unit length: it is made for the cosine, whatever the parent was made for.
    """

    similarity = Metric.COSINE

    def __init__(self, parent: Encoder, map_: VectorMap, *, name: str, source: str = "") -> None:
        if parent.similarity is not Metric.COSINE:
            parent = parent.with_similarity(Metric.COSINE)
        if map_.dimension != parent.dimension:
            what = f"a map of vectors of {map_.dimension} numbers is not for {parent.name}"
            raise InputError(
                what, why=f"its vectors have {parent.dimension}", fix="use the model it was learnt on"
            )
        super().__init__(parent)
        self.parent, self.map = parent, map_
        self.name, self.source, self.calibration_file = name, source, ""

    def __repr__(self) -> str:
        return f"Encoder({self.name!r}, {self.map.kind.value} map after {self.parent.name})"

    @property
    def fingerprint(self) -> str:
        """SHA-256 (hex) over the parent's fingerprint and the map; empty where the parent's is not known."""
        return self._fingerprint(normalize=True)

    def _fingerprint(self, *, normalize: bool) -> str:
        if not (parent := self.parent.fingerprint):
            return ""
        parts = [parent, self.map.digest] + ([] if normalize else ["as mapped"])
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()

    def over(self, encoder: Encoder) -> Self:
        """The same map after another form of the parent: with a cache before it, say."""
        other = type(self)(encoder, self.map, name=self.name, source=self.source)
        other.calibration_file = self.calibration_file
        return other

    def with_similarity(self, similarity: Metric) -> Encoder:
        """Itself: it is made for the cosine."""
        return self

    def with_dimensions(self, dimensions: int) -> Encoder:
        """Itself: a map has one length."""
        return self

    def encode(
        self,
        texts: str | Iterable[str],
        *,
        role: str | None = None,
        long: str | None = None,
        batch_tokens: int = BATCH_TOKENS,
        normalize: bool | None = None,
        progress: Progress = False,
    ) -> Vectors:
        """The parent's vectors at unit length, mapped, and at unit length again unless `normalize` is False."""
        how: dict[str, Any] = {"role": role, "long": long, "batch_tokens": batch_tokens, "progress": progress}
        return self._after(self.parent.encode(texts, **how), normalize=normalize is not False)

    def encode_and_count(
        self,
        texts: Sequence[str],
        *,
        role: str | None = None,
        long: str | None = None,
        normalize: bool | None = None,
    ) -> tuple[Vectors, NDArray[np.int64]]:
        """As `encode`, with the tokens that the parent counts."""
        vectors, tokens = self.parent.encode_and_count(texts, role=role, long=long)
        return self._after(vectors, normalize=normalize is not False), tokens

    def mapped(self, vectors: Vectors) -> Vectors:
        """Vectors that the parent has made, as this encoder makes them: nothing is encoded.

        Raises:
            ModelMismatch: Another model made them.
        """
        vectors.require_made_by(self.parent.name, self.parent.fingerprint)
        return self._after(vectors, normalize=True)

    def _after(self, vectors: Vectors, *, normalize: bool) -> Vectors:
        unit = unit_rows(vectors.data, "vectors", ZeroRow.KEEP)
        data = self.map.unit(unit) if normalize else self.map(unit)
        print_ = self._fingerprint(normalize=normalize)
        return Vectors(data, print_, vectors.truncated, self.name, vectors.read_as)

    def tokens(
        self, texts: str | Iterable[str], *, role: str | None = None, long: str | None = None
    ) -> list[TokenVectors]:
        """The parent's, mapped where a text's vector is their sum."""
        return [self._mapped_tokens(each) for each in self.parent.tokens(texts, role=role, long=long)]

    def _mapped_tokens(self, read: TokenVectors) -> TokenVectors:
        whole = None if read.whole is None else self.map(read.whole[None])[0]
        if read.counts is None or read.vectors.shape[1] != self.dimension:
            return replace(read, whole=whole)
        return replace(read, vectors=self.map(read.vectors), whole=whole)


def is_adapter(folder: str | Path) -> bool:
    """Whether a folder holds a map and says whose vectors it is for."""
    return is_file(os.path.join(os.path.expanduser(folder), DESCRIPTION))  # noqa: PTH111, PTH118


def describe(folder: Path) -> dict[str, Any]:
    """What the folder of a map says of it, the names of the parent and its fingerprint among it."""
    file = folder / DESCRIPTION
    try:
        known = json.loads(file.read_text("utf-8"))
        if known["format"] > FORMAT:
            why = f"it has format {known['format']}, this nearsense knows {FORMAT}"
            raise UnsupportedModel(f"{folder} is of a newer nearsense", why=why, fix="pip install -U nearsense")
        facts = {"parent": str, "parent_fingerprint": str, "kind": str, "dimension": int}
        wrong = [name for name, kind in facts.items() if not isinstance(known.get(name), kind)]
        if wrong:
            raise ValueError(f"{', '.join(wrong)} missing, or of another type")
        return dict(known)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise damaged(f"{file} cannot be read", f"{type(error).__name__}: {error}") from None


def open_adapter(folder: Path, load: Callable[[str], Encoder], *, source: str) -> AdaptedEncoder:
    """The encoder of a map's folder; `load` gives the parent by its name or folder.

    Raises:
        BrokenModel: A file is missing or not in order.
        ModelNotFound: The parent is not here.
        ModelMismatch: It is another model than the map was learnt on.
    """
    known = describe(folder)
    kind = parse(MapKind, known["kind"], name="kind")
    weights = Weights(folder / TENSORS)
    try:
        map_ = VectorMap(kind, {name: weights[name] for name in _NAMES[kind]})
        if map_.dimension != known["dimension"]:
            raise ValueError(f"its map is of {map_.dimension} numbers, adapter.json says {known['dimension']}")
    except ValueError as error:
        raise damaged(f"{folder / TENSORS}: {error}") from None
    name = known["parent"]
    beside = folder / name
    try:
        parent = load(str(beside) if is_folder(beside) else name)
    except RecursionError:
        raise damaged(f"{folder} names itself as its parent") from None
    except ModelNotFound as error:
        what = f"{folder} is a map of the vectors of {name}, which is not here"
        raise ModelNotFound(what, why=error.why, fix=error.fix) from None
    if parent.similarity is not Metric.COSINE:
        parent = parent.with_similarity(Metric.COSINE)
    if parent.dimension > map_.dimension:
        parent = parent.with_dimensions(map_.dimension)
    require_parent(parent, known["parent_fingerprint"], name, str(folder))
    adapted = AdaptedEncoder(parent, map_, name=folder.resolve().name, source=source)
    adapted.calibration_file = str(folder / "calibration.json")
    return adapted


def require_parent(parent: Encoder, fingerprint: str, name: str, where: str) -> None:
    """Refuse a parent that is another model than a map was learnt on."""
    if parent.fingerprint != fingerprint:
        found = f"{parent.name} here is another ({parent.fingerprint[:12]})"
        raise ModelMismatch(
            f"{where} was learnt on {name} ({fingerprint[:12]}); {found}",
            why="a map of one model's vectors makes noise of another's",
            fix=f"bring the {name} that it was learnt on, or learn it anew: nearsense train FILE --adapter",
        )


def write_adapter(folder: Path, encoder: AdaptedEncoder, facts: Mapping[str, Any]) -> None:
    """Write the two files of a map into a folder that is there; `facts` are kept beside what has to be known."""
    parent = encoder.parent
    source = parent.source or parent.name
    place = expanded(source)
    known = {
        "format": FORMAT,
        "parent": str(place.resolve()) if is_folder(place) else source,
        "parent_name": parent.name,
        "parent_fingerprint": parent.fingerprint,
        "kind": encoder.map.kind.value,
        "dimension": encoder.map.dimension,
        **facts,
    }
    write_tensors(folder / TENSORS, encoder.map.tensors)
    (folder / DESCRIPTION).write_text(json.dumps(known, indent=1, ensure_ascii=False) + "\n", "utf-8")
