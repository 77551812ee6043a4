"""Text to token ids and lengths; what is too long is counted here. The one file that knows `tokenizers`."""

from __future__ import annotations

import atexit
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from pathlib import Path
from tempfile import TemporaryFile
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

import numpy as np

from nearsense._forks import computing
from nearsense.encoders.base import damaged
from nearsense.encoders.tokenizer_file import look_at
from nearsense.encoders.words import Pieces, Seen, join_seen, seen_words

if TYPE_CHECKING:
    from numpy.typing import NDArray

REMEMBERED = 200_000  # stretches of text of which it is remembered what the model sees of them


@dataclass(frozen=True, slots=True, eq=False)
class Tokens:
    """Texts as token ids, end to end."""

    ids: NDArray[np.int32]  # shape (t,): the tokens of all texts
    lengths: NDArray[np.int64]  # shape (n,): how many of them each text has
    types: NDArray[np.int32] | None = None  # shape (t,): which text of a pair; None where there are no pairs

    @property
    def starts(self) -> NDArray[np.int64]:
        """int64, shape (n,): where each text begins in `ids`."""
        return np.cumsum(self.lengths) - self.lengths


@dataclass(frozen=True, slots=True, eq=False)
class PairFrame:
    """What stands around and between two texts that are read together: five stretches."""

    ids: tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.int32]]
    types: tuple[NDArray[np.int32], int, NDArray[np.int32], int, NDArray[np.int32]]

    @property
    def specials(self) -> int:
        """How many tokens are put around and between two texts."""
        return sum(map(len, self.ids))


class Tokenizer:
    """A Hugging Face tokenizer without its own padding and truncation.

    `bare` puts no special tokens around a text, `skip_unknown` leaves unknown ones out, `left` cuts a long text's
    beginning (None: as the file says).
    """

    def __init__(
        self,
        file: Path,
        *,
        lower: bool = False,
        bare: bool = False,
        skip_unknown: bool = False,
        left: bool | None = None,
    ) -> None:
        from tokenizers import Tokenizer as Engine
        from tokenizers.normalizers import Lowercase
        from tokenizers.normalizers import Sequence as Chain

        self._file = file
        with self._errors_of_file("is not a tokenizer"), _stderr_held_back():
            look = look_at(file)
            self._largest = look.largest
            self._engine = Engine.from_file(str(file))
            self._engine.no_padding()
            own: Any = self._engine.truncation
            self.limit: int | None = own and int(own["max_length"])
            self.left = bool(own and own["direction"] == "left") if left is None else left
            self._engine.no_truncation()
            if lower:
                first = self._engine.normalizer
                self._engine.normalizer = Chain([Lowercase(), *([first] if first else [])])
            self._engine.encode("\U0010fffd")  # a text that no vocabulary has
            for trial in look.trials:
                self._engine.encode(trial)
            probe, pair = self._engine.encode("a"), self._engine.encode("a", "a")
        text = [index for index, mask in enumerate(probe.special_tokens_mask) if not mask]
        first, last = (text[0], text[-1] + 1) if text else (len(probe.ids), len(probe.ids))
        self.prefix = np.array([] if bare else probe.ids[:first], np.int32)
        self.suffix = np.array([] if bare else probe.ids[last:], np.int32)
        self.unknown, self._skip_unknown = self._unknown(), skip_unknown
        self.frame = _frame(pair)
        self._seen: dict[str, Seen] = {}
        if not _living:
            atexit.register(_leave)
        _living.add(self)

    @contextmanager
    def _errors_of_file(self, what: str) -> Iterator[None]:
        """Whatever the library raises, as one of the model: plain Exceptions, and worse where it panics."""
        with computing():
            try:
                yield
            except (KeyboardInterrupt, SystemExit, GeneratorExit, MemoryError):
                raise
            except BaseException as error:
                why = (str(error).strip() or type(error).__name__).splitlines()[0]
                raise damaged(f"{self._file} {what}", why) from None

    @property
    def vocabulary(self) -> int:
        """How many tokens there are, or one more than the largest id where ids have gaps."""
        engine = self._engine
        special = [*self.prefix.tolist(), *self.suffix.tolist(), *(id_ for ids in self.frame.ids for id_ in ids)]
        largest = max([self._largest, *special, *engine.get_added_tokens_decoder()])
        return max(int(engine.get_vocab_size(with_added_tokens=True)), int(largest) + 1)

    @property
    def specials(self) -> int:
        """How many tokens are put around each text."""
        return len(self.prefix) + len(self.suffix)

    def _unknown(self) -> int | None:
        """The token that stands for what no token is known for; None where there is none."""
        name = getattr(self._engine.model, "unk_token", None)
        if name is None:  # of models like XLM-R only the file knows it
            name = next((each for each in ("<unk>", "[UNK]") if self._engine.token_to_id(each) is not None), "")
        found: int | None = self._engine.token_to_id(name)
        return found

    def __call__(self, texts: Sequence[str]) -> Tokens:
        """The tokens of each text, whole, without the special ones around it."""
        with self._errors_of_file("cannot read a text"):
            encodings = self._engine.encode_batch_fast(texts, add_special_tokens=False)
        lengths = np.fromiter(map(len, encodings), np.int64, len(encodings))
        ids = np.fromiter(chain.from_iterable(e.ids for e in encodings), np.int32, int(lengths.sum()))
        if self._skip_unknown and self.unknown is not None:
            kept = ids != self.unknown
            lengths = np.bincount(np.repeat(np.arange(len(lengths)), lengths)[kept], minlength=len(lengths))
            ids = ids[kept]
        return Tokens(ids, lengths)

    def pieces(self, texts: Sequence[str]) -> list[Pieces]:
        """Where each token that `__call__` gives stands in its text."""
        found = []
        with self._errors_of_file("cannot read a text"):
            encodings = self._engine.encode_batch(texts, add_special_tokens=False)
        for encoding in encodings:
            offsets = np.array(encoding.offsets, np.int64).reshape(-1, 2)
            words = np.array([-1 if word is None else word for word in encoding.word_ids], np.int64)
            if self._skip_unknown and self.unknown is not None:
                kept = np.array(encoding.ids, np.int32) != self.unknown
                offsets, words = offsets[kept], words[kept]
            found.append(Pieces(offsets[:, 0], offsets[:, 1], words))
        return found

    def sees(self, texts: Sequence[str], limit: int | None) -> list[Seen]:
        """What is left of each word of the texts, where a model reads `limit` tokens; None: all of them.

        Each stretch without white space is tokenized once, by itself.
        """
        stretches = [text.split() for text in texts]
        if len(self._seen) > REMEMBERED:
            self._seen = {}
        seen_ = self._seen  # it only grows: other threads may do the same
        missing = list({each for words in stretches for each in words} - seen_.keys())
        with self._errors_of_file("cannot read a text"):
            encodings = self._engine.encode_batch(missing, add_special_tokens=False)
        for text, encoding in zip(missing, encodings, strict=True):
            offsets = np.array(encoding.offsets, np.int64).reshape(-1, 2)
            words = np.array([-1 if word is None else word for word in encoding.word_ids], np.int64)
            seen_[text] = seen_words(text, encoding.ids, Pieces(offsets[:, 0], offsets[:, 1], words), self.unknown)
        return [join_seen([seen_[each] for each in words], limit, left=self.left) for words in stretches]

    @cached_property
    def knows_ascii(self) -> bool:
        """Whether every word of ASCII characters has tokens of its own, up to case: most vocabularies do."""
        if self.unknown is None:
            return True
        signs = [chr(point) for point in range(33, 127)]
        letters = [f"a{each}" for each in signs if each.isalnum()]
        with self._errors_of_file("cannot read a text"):
            probes = self._engine.encode_batch_fast([*signs, *letters], add_special_tokens=False)
        return all(probe.ids and self.unknown not in probe.ids for probe in probes)

    def knows(self, tokens: Tokens) -> NDArray[np.bool_]:
        """Which texts have at least one token that is not the unknown one; bool, shape (n,)."""
        if self.unknown is None:
            return tokens.lengths > 0
        known: NDArray[np.int64] = np.concatenate(([0], np.cumsum(tokens.ids != self.unknown)))
        some: NDArray[np.bool_] = known[tokens.starts + tokens.lengths] > known[tokens.starts]
        return some

    def with_specials(self, tokens: Tokens, starts: NDArray[np.int64], lengths: NDArray[np.int64]) -> Tokens:
        """Spans of `tokens`, int64, shape (m,), each with the special tokens around it."""
        before, after = len(self.prefix), len(self.suffix)
        whole = lengths + before + after
        ends = np.cumsum(whole)
        begins = ends - whole
        ids = np.empty(int(whole.sum()), np.int32)
        for place, token in enumerate(self.prefix):
            ids[begins + place] = token
        for place, token in enumerate(self.suffix):
            ids[ends - after + place] = token
        offset = np.arange(int(lengths.sum())) - np.repeat(np.cumsum(lengths) - lengths, lengths)
        ids[np.repeat(begins + before, lengths) + offset] = tokens.ids[np.repeat(starts, lengths) + offset]
        return Tokens(ids, whole)


_living: WeakSet[Tokenizer] = WeakSet()


def _leave() -> None:
    """Leave it to the system: the library takes as long to free 250,000 pieces as to read them."""
    import ctypes

    for each in _living:
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(each._engine))


@contextmanager
def _stderr_held_back() -> Iterator[None]:
    """What is written to stderr comes after, or never where all failed: a panic tells of itself, past Python."""
    try:
        own = os.dup(2)
    except OSError:  # it is closed
        yield
        return
    with TemporaryFile(buffering=0) as aside:
        os.dup2(aside.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(own, 2)
            os.close(own)
        aside.seek(0)
        if said := aside.read():
            os.write(2, said)


def _frame(probe: Any) -> PairFrame:
    """What a tokenizer made of a pair of texts, one token each or more."""
    ids, types = np.array(probe.ids, np.int32), np.array(probe.type_ids, np.int32)
    owners = probe.sequence_ids
    if 0 not in owners or 1 not in owners:
        nothing = np.zeros(0, np.int32)
        return PairFrame((nothing, nothing, nothing), (nothing, 0, nothing, 0, nothing))
    first, second = owners.index(0), owners.index(1)
    end, last = second - owners[:second][::-1].index(0), len(owners) - owners[::-1].index(1)
    stretches = slice(0, first), slice(end, second), slice(last, None)
    before, between, after = (types[each] for each in stretches)
    return PairFrame(
        (ids[stretches[0]], ids[stretches[1]], ids[stretches[2]]),
        (before, int(types[first]), between, int(types[second]), after),
    )
