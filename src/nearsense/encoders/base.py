"""What every encoder can do, and the words for it. Not how: see batch.py and its neighbours."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self, TypeGuard

import numpy as np

from nearsense._progress import Progress
from nearsense.errors import BrokenModel, InputError, ModelMismatch, UnsupportedModel
from nearsense.records import Long, Metric, Vectors

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from nearsense.encoders.words import Seen


BATCH_TOKENS = 512
"""Tokens in one request: from 384 to 1,024 the speed is the same within 2 %; 256 and 2,048 are slower."""

ROLES = ("query", "passage")  # what a text can be in a search; some models put another prompt before each


class Encoder:
    """Whatever turns texts into vectors: what `load` gives, or an encoder of your own.

    Your own has a `name`, `dimension`, `max_tokens`, `fingerprint` and `encode`. What else it can do it says by
    overriding the rest, which promises nothing here; an object that is no subclass is asked for the same names.

    Example:
        >>> class Lengths(Encoder):
        ...     name, dimension, max_tokens, fingerprint = "lengths", 2, 100, "0" * 64
        ...     def encode(self, texts, **options):
        ...         data = np.array([(len(text), 1) for text in texts], np.float32)
        ...         return Vectors(data, self.fingerprint, np.zeros(len(data), bool), self.name)
        >>> Lengths().encode(["a", "bcd"]).data.tolist()
        [[1.0, 1.0], [3.0, 1.0]]
    """

    name: str
    dimension: int
    max_tokens: int
    similarity: Metric = Metric.COSINE
    """How its vectors are meant to be compared: cosine, or for some models the dot product."""
    languages: tuple[str, ...] = ()
    """What it was made for, ISO 639-1; empty where nobody says."""
    needs_role: bool = False
    """It is much worse without a role."""
    matryoshka: tuple[int, ...] = ()
    """Lengths to which its vectors may be cut, where it was trained for that."""
    cuts: bool = True
    """It may cut long texts; where not, it refuses them."""
    long: Long | None = None
    """What `encode` does with long texts where a call does not say; None where it does not say either."""

    calls_at_once: int = 1
    """How many calls of `encode`, each in a thread of its own, it gains by; see `side_by_side`."""
    precision: str = ""
    """The arithmetic that it runs in, such as `"bf16"`; empty where that is one with its fingerprint."""
    source: str = ""
    """By what name or folder it was loaded, where that is not its name."""
    calibration_file: str = ""
    """Where the calibration lies that its folder may carry, if the model is run as the folder says."""
    if TYPE_CHECKING:  # either may be an attribute or a property

        @property
        def fingerprint(self) -> str:
            """SHA-256 (hex) of the model as it is run; vectors compare where it is equal. Empty: not known."""
            ...  # pragma: no cover

        @property
        def prompts(self) -> Mapping[str, str] | None:
            """What is put before a text, by role; None where it does not say."""
            ...  # pragma: no cover

    else:
        fingerprint, prompts = "", None

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
        """Turn texts into vectors whose directions are near where the meanings are, in the order of the texts.

        Args:
            texts: Strings; one string is a batch of one.
            role: `"query"` or `"passage"`: the model's prompt for it is put before each text; None for neither.
            long: What happens beyond `max_tokens`: `"warn"`, `"error"`, `"head"` or `"chunk"`.
            batch_tokens: Tokens in one request to the engine: speed against memory.
            normalize: Give unit length to each vector (one of length zero stays); None does unless the model is
                meant for dot products.
            progress: True for a bar on stderr, or a function called with (done, total).

        Returns:
            Vectors, float32, shape (n, dimension).

        Raises:
            InputError: An item is no encodable string, or an option is not known or cannot be done.
            TextTooLong: A text exceeds the limit and `long` is `"error"`, or a server refused it for its length.
            ModelError: A server refused, or gave no answer in time.

        Warns:
            TruncationWarning: Texts exceed the limit and `long` is `"warn"`.
            RoleWarning: The model needs a role and got none; once.
            UnknownTextWarning: Texts have no token that the model knows.
            LanguageWarning: Many texts are in a language that the model was not made for; once.
        """
        raise NotImplementedError(f"{self.name} encodes nothing")

    def encode_and_count(
        self,
        texts: Sequence[str],
        *,
        role: str | None = None,
        long: str | None = None,
        normalize: bool | None = None,
    ) -> tuple[Vectors, NDArray[np.int64]]:
        """Vectors as of `encode`, and how many tokens each text has before anything is cut: int64, shape (n,).

        A prompt counts where one is put before it; 0 where the encoder cannot count.
        """
        vectors = self.encode(texts, role=role, long=long, normalize=normalize)
        try:
            return vectors, self.count_tokens(texts)
        except UnsupportedModel:
            return vectors, np.zeros(len(vectors), np.int64)

    def count_tokens(self, texts: str | Iterable[str]) -> NDArray[np.int64]:
        """How many tokens each text has, before anything is cut; int64, shape (n,).

        Raises:
            UnsupportedModel: It cannot count.
        """
        raise UnsupportedModel(f"{self.name} cannot count tokens", fix="use a model that runs here")

    def tokens(
        self, texts: str | Iterable[str], *, role: str | None = None, long: str | None = None
    ) -> list[TokenVectors]:
        """What the model makes of each text before pooling.

        Raises:
            UnsupportedModel: It gives vectors of whole texts, not of their words.
        """
        why = "it gives vectors of whole texts, not of their words"
        fix = 'use a model that runs here: encoder="all-MiniLM-L6-v2"'
        raise UnsupportedModel(f"{self.name} cannot be explained", why=why, fix=fix)

    def sees_all(self, text: str) -> bool:
        """Whether it certainly reads all of a text, each word as another; False: `sees` has to look."""
        return False

    def sees(self, texts: Sequence[str]) -> list[Seen] | None:
        """What it sees of each word of each text, without prompts; None where it cannot tell."""
        return None

    def check_language(self, texts: Sequence[str]) -> None:
        """Warn of different texts that the model was not made for, where `encode` does so by itself."""

    def side_by_side(self) -> Encoder:
        """The same encoder, for small calls from `calls_at_once` threads at a time; itself where all are alike."""
        return self

    def with_long(self, long: Long) -> Encoder:
        """The same encoder, which does `long` where a call does not say; itself where it cannot."""
        return self

    def with_similarity(self, similarity: Metric) -> Encoder:
        """The same encoder, its vectors made for another comparison; itself where it cannot."""
        return self

    def with_dimensions(self, dimensions: int) -> Encoder:
        """The same encoder, which keeps the first so many numbers of a vector; itself where it cannot."""
        return self


@dataclass(frozen=True, slots=True, eq=False)
class TokenVectors:
    """What a model made of a text before pooling.

    Args:
        vectors: float32, shape (t, h): every token that was read, special ones included. A token that stands in
            several windows of a long text is there several times.
        words: int64, shape (t,): which of the w words each token belongs to; -1 for none.
        spans: int64, shape (w, 2): the first character of each word in the text, and the one after its last.
        counts: float32, shape (t,): the text's vector, before it gets unit length, is the sum of all `vectors`
            times these; None where the model makes no such sum.
        truncated: Whether the model read only the head of the text.
        whole: float32, shape (d,): the text's vector as `encode` makes it, before it gets unit length; None where
            more than pooling follows.
    """

    vectors: NDArray[np.float32]
    words: NDArray[np.int64]
    spans: NDArray[np.int64]
    counts: NDArray[np.float32] | None
    truncated: bool
    whole: NDArray[np.float32] | None = None


class CrossEncoder:
    """Whatever reads two texts together, and scores how well they go together: of `load_cross`, or your own.

    Your own has a `name`, `max_tokens`, `fingerprint` and `score`.
    """

    name: str
    max_tokens: int
    languages: tuple[str, ...] = ()
    """What it was made for, ISO 639-1; empty where nobody says."""
    precision: str = ""
    """The arithmetic that it runs in, such as `"bf16"`; empty where nobody says."""
    calibration_file: str = ""
    """Where the calibration lies that its folder may carry, if the model is run as the folder says."""

    if TYPE_CHECKING:  # may be an attribute or a property

        @property
        def fingerprint(self) -> str:
            """SHA-256 (hex) of the model as it is run; empty where it is not known."""
            ...  # pragma: no cover

    else:
        fingerprint = ""

    def score(
        self,
        pairs: Iterable[tuple[str, str]],
        *,
        long: str | None = None,
        batch_tokens: int = BATCH_TOKENS,
        logits: bool = False,
        progress: Progress = False,
    ) -> NDArray[np.float32]:
        """Score how well the two texts of each pair go together; higher is better.

        Args:
            pairs: (query, text); for most models the order matters.
            long: What happens to pairs beyond `max_tokens`: `"warn"`, `"error"` or `"head"`. The longer text is
                cut first.
            batch_tokens: Tokens in one request to the engine: speed against memory.
            logits: The model's own numbers, before what makes scores of them.
            progress: True for a bar on stderr, or a function called with (done, total).

        Returns:
            float32, shape (n,). Their range is the model's: [0, 1] for most, any number for others (ms-marco).

        Raises:
            InputError: A pair is none, or an option is not known.
            TextTooLong: A pair exceeds the limit and `long` is `"error"`.

        Warns:
            TruncationWarning: Pairs exceed the limit and `long` is `"warn"`.
        """
        raise NotImplementedError(f"{self.name} scores nothing")

    def count_tokens(self, pairs: Iterable[tuple[str, str]]) -> NDArray[np.int64]:
        """How many tokens each pair has, special ones included, before anything is cut; int64, shape (n,).

        Raises:
            UnsupportedModel: It cannot count.
        """
        raise UnsupportedModel(f"{self.name} cannot count tokens", fix="use a model that runs here")


class _Own:
    """Something of a user's, which is asked for a name before the contract's default is."""

    def __init__(self, given: Any) -> None:
        self._given = given

    def __getattribute__(self, name: str) -> Any:
        if not name.startswith("__") and name != "_given":
            with suppress(AttributeError):
                return getattr(self._given, name)
        return object.__getattribute__(self, name)

    def __repr__(self) -> str:
        return repr(self._given)


class _OwnEncoder(_Own, Encoder):
    pass


class _OwnCrossEncoder(_Own, CrossEncoder):
    pass


def is_encoder(model: object) -> TypeGuard[Encoder]:
    """Whether something turns texts into vectors."""
    return isinstance(model, Encoder) or hasattr(model, "encode")


def is_cross_encoder(model: object) -> TypeGuard[CrossEncoder]:
    """Whether something scores pairs of texts, and makes no vectors."""
    return not is_encoder(model) and (isinstance(model, CrossEncoder) or hasattr(model, "score"))


def as_encoder(model: Encoder) -> Encoder:
    """The encoder with all of the contract: one that is no subclass gets the defaults for what it does not say."""
    _require_made(model)
    if not is_encoder(model):
        fix = 'give a model\'s name or folder as a string, or ns.load("...")'
        raise InputError(f"encoder={model!r} is no Encoder", fix=fix)
    return model if isinstance(model, Encoder) else _OwnEncoder(model)


def as_cross_encoder(model: CrossEncoder | None) -> CrossEncoder:
    """As `as_encoder`, for what scores pairs."""
    _require_made(model)
    if model is None or not hasattr(model, "score"):
        fix = 'give a model\'s name or folder as a string, or ns.load_cross("...")'
        raise InputError(f"{model!r} is no CrossEncoder", fix=fix)
    return model if isinstance(model, CrossEncoder) else _OwnCrossEncoder(model)


def _require_made(model: object) -> None:
    if isinstance(model, type):
        raise InputError(
            f"{model.__name__} is a class", why="a model is made of it", fix=f"make one: {model.__name__}()"
        )


def damaged(what: str, why: str = "") -> BrokenModel:
    """The error of a model whose files are not in order, or do not belong together."""
    return BrokenModel(what, why=why, fix="get the model's folder anew")


def not_run_here(what: str, why: str = "") -> UnsupportedModel:
    """The error of a model that is in order, but of a kind that nothing here can run."""
    return UnsupportedModel(what, why=why, fix="use another model (nearsense models)")


def not_finite(name: str, what: str) -> BrokenModel:
    """The error of a model whose numbers are none."""
    why = "its weights are damaged, or overflow in this precision"
    return BrokenModel(
        f"{name} gives no finite {what}", why=why, fix='try precision="f32", or get the model\'s folder anew'
    )


def cross_encoder_only(name: str, typed: str) -> UnsupportedModel:
    """The error of a cross-encoder that vectors are wanted of; `typed` is what it was asked for by."""
    why = "it scores two texts together; it makes no vectors"
    fix = f'ns.load_cross("{typed}"), or nearsense search --rerank {typed}'
    return UnsupportedModel(f"{name} is a cross-encoder", why=why, fix=fix)


def no_cross_encoder(name: str, typed: str) -> UnsupportedModel:
    """The error of an encoder that scores of pairs are wanted of."""
    why = "it makes a vector of each text; it does not score two texts together"
    fix = f'ns.load("{typed}"), or a cross-encoder: nearsense models --kind cross-encoder'
    return UnsupportedModel(f"{name} is no cross-encoder", why=why, fix=fix)


def require_nested(encoder: Encoder, dimensions: int) -> None:
    """Refuse to cut vectors of a model that was not trained for it."""
    sizes = encoder.matryoshka
    if not sizes or not min(sizes) <= dimensions < encoder.dimension:
        known = ", ".join(map(str, sizes)) or "none"
        what = f"{encoder.name} has vectors of {encoder.dimension} numbers, not of {dimensions}"
        fix = "leave dimensions away, or use a model with Matryoshka sizes: nearsense models"
        raise InputError(what, why=f"sizes that it was trained to be cut to: {known}", fix=fix)


def unknown_role(role: str) -> InputError:
    """The error of what is no role."""
    return InputError(f"role={role!r} is not known", fix=f"use one of: {', '.join(ROLES)}, or None")


def symmetric_role(encoder: Encoder) -> str | None:
    """The role of texts that are compared with each other: the query's where a model needs one, else none."""
    return "query" if encoder.needs_role else None


class Loadable:
    """What `load` and `load_cross` give: pickled by name and options, and loaded anew elsewhere."""

    name: str
    again: Callable[[], Any] | None = None
    """Loads the same once more; None for one that was put together by hand."""
    changeable: tuple[str, ...] = ("long",)
    """What can be changed after loading, by the names of the attributes."""

    if TYPE_CHECKING:

        @property
        def fingerprint(self) -> str:
            """SHA-256 (hex) of the model as it is run; each kind of encoder has its own."""
            ...  # pragma: no cover

    def with_long(self, long: Long) -> Self:
        """The same model, which does `long` with what is too long where a call does not say."""
        return self._with(long=long)

    def _with(self, **changes: Any) -> Self:
        """The same, but for some attributes."""
        other = object.__new__(type(self))
        other.__dict__.update(self.__dict__, **changes)
        return other

    __copy__ = _with

    def __reduce__(self) -> tuple[object, ...]:
        if self.again is None:
            why = "it was put together by hand: no name and no folder says how to load it elsewhere"
            fix = "use one of ns.load or ns.load_cross"
            raise UnsupportedModel(f"{self.name} cannot be pickled", why=why, fix=fix)
        return _load_again, (self.again, {name: getattr(self, name) for name in self.changeable}, self.fingerprint)


def _load_again(again: Callable[[], Any], kept: Mapping[str, Any], fingerprint: str) -> Any:
    """What was pickled, from the model's files as they are here."""
    other = again()
    if any(getattr(other, name) != value for name, value in kept.items()):
        if (dimension := kept.get("dimension", 0)) and dimension < other.dimension:
            other = other.with_dimensions(dimension)
        other = other._with(**kept)
    if other.fingerprint != fingerprint:
        why = f"its fingerprint is {other.fingerprint[:12]}, not {fingerprint[:12]}"
        fix = "bring the same files to both, or load the model here: ns.load(...)"
        raise ModelMismatch(f"{other.name} is another model here than where it was pickled", why=why, fix=fix)
    return other
