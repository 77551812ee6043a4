"""Text to token ids and lengths; what is too long is counted here. The one file that knows `tokenizers`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from nearsense.errors import BrokenModel

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Tokenizer", "Tokens"]


@dataclass(frozen=True, slots=True, eq=False)
class Tokens:
    """Texts as token ids, end to end.

    Args:
        ids: int32, shape (t,): the tokens of all texts, one text after the other.
        lengths: int64, shape (n,): how many of them each text has.
    """

    ids: NDArray[np.int32]
    lengths: NDArray[np.int64]

    @property
    def starts(self) -> NDArray[np.int64]:
        """int64, shape (n,): where each text begins in `ids`."""
        return np.cumsum(self.lengths) - self.lengths


class Tokenizer:
    """A Hugging Face tokenizer without its own padding and truncation.

    Args:
        file: `tokenizer.json`.

    Raises:
        BrokenModel: The file is damaged, or no tokenizer.
    """

    def __init__(self, file: Path) -> None:
        from tokenizers import Tokenizer as Engine

        try:
            self._engine = Engine.from_file(str(file))
            self._engine.no_padding()
            self._engine.no_truncation()
            self._engine.encode_batch_fast(["\U0010fffd"])  # a text that no vocabulary has
            probe = self._engine.encode("a")
        except Exception as error:  # the library raises plain Exception
            raise BrokenModel(
                f"{file} is not a tokenizer", why=str(error).splitlines()[0], fix="get the model's folder anew"
            ) from None
        special = [index for index, mask in enumerate(probe.special_tokens_mask) if not mask]
        first, last = (special[0], special[-1] + 1) if special else (len(probe.ids), len(probe.ids))
        self.prefix = np.array(probe.ids[:first], np.int32)
        self.suffix = np.array(probe.ids[last:], np.int32)

    @property
    def vocabulary(self) -> int:
        """How many tokens there are."""
        return int(self._engine.get_vocab_size(with_added_tokens=True))

    @property
    def specials(self) -> int:
        """How many tokens are put around each text."""
        return len(self.prefix) + len(self.suffix)

    def __call__(self, texts: Sequence[str]) -> Tokens:
        """The tokens of each text, whole, without the special ones around it."""
        encodings = self._engine.encode_batch_fast(texts, add_special_tokens=False)
        lengths = np.fromiter(map(len, encodings), np.int64, len(encodings))
        ids = np.fromiter(chain.from_iterable(e.ids for e in encodings), np.int32, int(lengths.sum()))
        return Tokens(ids, lengths)

    def framed(self, tokens: Tokens, starts: NDArray[np.int64], lengths: NDArray[np.int64]) -> Tokens:
        """Spans of `tokens`, each with the special tokens around it: what a model reads.

        Args:
            tokens: What `__call__` returned.
            starts: int64, shape (m,): where in `tokens.ids` each span begins.
            lengths: int64, shape (m,): how long it is.
        """
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
