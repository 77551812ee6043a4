"""Text to token ids and lengths; what is too long is counted here. The one file that knows `tokenizers`.

That library panics, aborts, or fills the memory on hostile files: a file is looked at before it is run. A text
then becomes `GROWTH` times longer at most, and a few characters more.
"""

from __future__ import annotations

import atexit
import base64
import json
import os
from array import array
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from pathlib import Path
from tempfile import TemporaryFile
from typing import TYPE_CHECKING, Any, NamedTuple
from weakref import WeakSet

import numpy as np

from nearsense._folder import JsonMemo
from nearsense._forks import computing
from nearsense.encoders.base import damaged
from nearsense.encoders.packing import Tokens, places_within
from nearsense.encoders.weights import identity_of
from nearsense.encoders.words import NO_WORD, Pieces, Seen, join_seen, seen_words
from nearsense.settings import load_settings

if TYPE_CHECKING:
    from numpy.typing import NDArray


REMEMBERED = 200_000  # stretches of text of which it is remembered what the model sees of them

MANY = 16  # texts from which on they are taken apart at spaces, where that gives the same tokens
CHARACTERS, EACH = 4_000_000, 20  # of stretches of which the ids are remembered; one counts for so many more
TOGETHER, MARK = 64, "~"  # so many stretches whose ids are not known yet are read at once, with this between
END = "\0"
"""What stands between texts that are joined."""
ODD = "\x0b\x0c\x1c\x1d\x1e\x1f\x85"
"""Characters at which Python parts words, and tokenizers need not: they throw some of them away."""


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
        self._ids: dict[str, bytes] = {}
        self._room = 0
        with self._errors_of_file("is not a tokenizer"), _stderr_held_back():
            look = look_at(file)
            self._largest, self._apart = look.largest, look.apart and bare
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
        self.specials = len(self.prefix) + len(self.suffix)  # how many tokens are put around each text
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

    def words(self) -> list[str]:
        """What each token reads like by itself; empty where an id has none."""
        read = (self._engine.decode([number], skip_special_tokens=False) for number in range(self.vocabulary))
        return [each.removeprefix("##").strip() for each in read]

    def save(self, file: Path) -> None:
        """Write it as it is used here: without truncation and padding."""
        with self._errors_of_file("cannot be written again"):
            self._engine.save(str(file))

    def _unknown(self) -> int | None:
        """The token that stands for what no token is known for; None where there is none."""
        name = getattr(self._engine.model, "unk_token", None)
        if name is None:  # of models like XLM-R only the file knows it
            name = next((each for each in ("<unk>", "[UNK]") if self._engine.token_to_id(each) is not None), "")
        found: int | None = self._engine.token_to_id(name)
        return found

    def _encode(self, texts: Sequence[str], *, offsets: bool = False) -> list[Any]:
        """What the library makes of texts, without special tokens; slower where it also says where they stand."""
        encode = self._engine.encode_batch if offsets else self._engine.encode_batch_fast
        with self._errors_of_file("cannot read a text"):
            found: list[Any] = encode(texts, add_special_tokens=False)
        return found

    def __call__(self, texts: Sequence[str]) -> Tokens:
        """The tokens of each text, whole, without the special ones around it."""
        ids, lengths = (self._stretches if self._apart and len(texts) >= MANY else self._whole)(texts)
        if self._skip_unknown and self.unknown is not None:
            kept = ids != self.unknown
            lengths = np.bincount(np.repeat(np.arange(len(lengths)), lengths)[kept], minlength=len(lengths))
            ids = ids[kept]
        return Tokens(ids, lengths)

    def _whole(self, texts: Sequence[str]) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
        """The ids of texts end to end, and how many each has."""
        encodings = self._encode(texts)
        lengths = np.fromiter(map(len, encodings), np.int64, len(encodings))
        ids = np.fromiter(chain.from_iterable([each.ids for each in encodings]), np.int32, int(lengths.sum()))
        return ids, lengths

    def _stretches(self, texts: Sequence[str]) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
        """The same, of which each stretch between spaces is tokenized once and remembered."""
        joined = f" {END} ".join(texts)
        odd: list[int] = []
        if joined.count(END) >= len(texts) or any(each in joined for each in ODD):
            odd = [place for place, text in enumerate(texts) if any(each in text for each in (END, *ODD))]
            left = {*odd}
            joined = f" {END} ".join(["" if place in left else text for place, text in enumerate(texts)])
        words = joined.split()
        words.append(END)
        whole = np.frombuffer(b"".join(map(self._known(words).__getitem__, words)), np.int32)
        ends = np.flatnonzero(whole < 0)
        ids, lengths = whole[whole >= 0], np.diff(ends, prepend=-1) - 1
        if not odd:
            return ids, lengths
        others, lengths[odd] = self._whole([texts[place] for place in odd])
        is_odd = np.zeros(len(texts), np.bool_)
        is_odd[odd] = True
        theirs = np.repeat(is_odd, lengths)
        mixed = np.empty(len(theirs), np.int32)
        mixed[theirs], mixed[~theirs] = others, ids
        return mixed, lengths

    def _known(self, words: Sequence[str]) -> dict[str, bytes]:
        """The ids of some stretches at least, as bytes; -1 for what stands between texts."""
        known = self._ids  # it only grows: other threads may do the same
        different = set(words)
        missing = [word for word in different if word not in known]
        if missing and (self._room < 0 or not known):
            known = self._ids = {END: array("i", [-1]).tobytes()}
            self._room, missing = CHARACTERS, list(different - {END})
        known.update(zip(missing, self._ids_of(missing), strict=True))
        self._room -= sum(map(len, missing)) + EACH * len(missing)
        return known

    def _ids_of(self, words: Sequence[str]) -> list[bytes]:
        """The ids of each stretch, as bytes. Many are read as one text, a mark between them: far fewer calls."""
        together = TOGETHER if self._mark is not None else 1
        groups = [words[first : first + together] for first in range(0, len(words), together)]
        found: list[bytes] = []
        joined = [f" {MARK} ".join(group) for group in groups]
        for group, encoding in zip(groups, self._encode(joined), strict=True):
            ids = np.array(encoding.ids, np.int32)
            marks = np.flatnonzero(ids == self._mark).tolist() if len(group) > 1 else []
            if len(marks) == len(group) - 1:  # none is of a stretch
                whole = ids.tobytes()
                begins = [0, *(4 * mark + 4 for mark in marks)]
                ends = [*(4 * mark for mark in marks), len(whole)]
                found += [whole[begin:end] for begin, end in zip(begins, ends, strict=True)]
            else:
                found += [array("i", each.ids).tobytes() for each in self._encode(group)]
        return found

    @cached_property
    def _mark(self) -> int | None:
        """The one token of the mark between stretches; None where the vocabulary has none of its own for it."""
        ids = self._encode([MARK])[0].ids
        return int(ids[0]) if len(ids) == 1 and ids[0] != self.unknown else None

    def pieces(self, texts: Sequence[str]) -> list[Pieces]:
        """Where each token that `__call__` gives stands in its text."""
        found = []
        for encoding in self._encode(texts, offsets=True):
            pieces = _pieces_of(encoding)
            if self._skip_unknown and self.unknown is not None:
                kept = np.array(encoding.ids, np.int32) != self.unknown
                pieces = Pieces(pieces.starts[kept], pieces.ends[kept], pieces.words[kept])
            found.append(pieces)
        return found

    def sees(self, texts: Sequence[str], limit: int | None) -> list[Seen]:
        """What is left of each word of the texts, where a model reads `limit` tokens; None: all of them.

        Each stretch without white space is tokenized once, by itself.
        """
        stretches = [text.split() for text in texts]
        if len(self._seen) > REMEMBERED:
            self._seen = {}
        seen_ = self._seen  # it only grows: other threads may do the same
        if missing := list({each for words in stretches for each in words} - seen_.keys()):
            for text, encoding in zip(missing, self._encode(missing, offsets=True), strict=True):
                seen_[text] = seen_words(text, encoding.ids, _pieces_of(encoding), self.unknown)
        return [join_seen([seen_[each] for each in words], limit, left=self.left) for words in stretches]

    @cached_property
    def knows_ascii(self) -> bool:
        """Whether every word of ASCII characters has tokens of its own, up to case: most vocabularies do."""
        if self.unknown is None:
            return True
        signs = [chr(point) for point in range(33, 127)]
        letters = [f"a{each}" for each in signs if each.isalnum()]
        return all(probe.ids and self.unknown not in probe.ids for probe in self._encode([*signs, *letters]))

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
        if not self.specials and len(lengths) == len(tokens.lengths) and int(lengths.sum()) == len(tokens.ids):
            return Tokens(tokens.ids, lengths)  # nothing is cut
        whole = lengths + before + after
        ends = np.cumsum(whole)
        begins = ends - whole
        ids = np.empty(int(whole.sum()), np.int32)
        for place, token in enumerate(self.prefix):
            ids[begins + place] = token
        for place, token in enumerate(self.suffix):
            ids[ends - after + place] = token
        offset = places_within(lengths)
        ids[np.repeat(begins + before, lengths) + offset] = tokens.ids[np.repeat(starts, lengths) + offset]
        return Tokens(ids, whole)


def _pieces_of(encoding: Any) -> Pieces:
    offsets = np.array(encoding.offsets, np.int64).reshape(-1, 2)
    words = np.array([NO_WORD if word is None else word for word in encoding.word_ids], np.int64)
    return Pieces(offsets[:, 0], offsets[:, 1], words)


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
    why = (before, int(types[first]), between, int(types[second]), after)
    return PairFrame((ids[stretches[0]], ids[stretches[1]], ids[stretches[2]]), why)


BYTES = 256 * 2**20  # more than any file has
LARGE = 2**20  # bytes of a file from which on reading it takes longer than remembering: half a second for 17 MB

GROWTH, ADDED, STEPS = 4096, 1024, 256
"""How many times longer a text may become, by how many characters more, in how many steps."""

SPELLED = 2**21  # characters of added tokens, all together; the library takes 75 bytes of memory for each
PATTERN = 2**16  # characters of a regular expression
STEPS_OF_TEXTS = ("normalizer", "pre_tokenizer")
PIECES = 4096  # tokens that are put around a text; real models put up to some ten
IDS = 2**31  # rows are counted in int32


class Look(NamedTuple):
    """What a file says."""

    largest: int  # id; -1 for none
    trials: list[str]  # texts on which a bad pattern does not end
    apart: bool  # whether what stands between spaces has the same tokens by itself


def look_at(file: Path) -> Look:
    """Read a `tokenizer.json`, and refuse what no real one has: a ValueError says what is wrong, in one line."""
    if file.stat().st_size < LARGE:
        return _read_file(file)
    remembered, key = JsonMemo(load_settings().cache_dir / "tokenizers.json"), identity_of(file)
    known = remembered.read()
    try:
        largest, trials, apart = known[key]
        return Look(int(largest), [str(each) for each in trials], bool(apart))
    except (KeyError, TypeError, ValueError):
        look = _read_file(file)
        remembered.write({**known, key: look})
        return look


def _read_file(file: Path) -> Look:
    """What is to be known of a file, read anew."""
    if file.stat().st_size > BYTES:
        raise ValueError(f"it is larger than {BYTES // 2**20} MiB")
    try:
        whole = json.loads(file.read_bytes(), object_pairs_hook=_unrepeated)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    if not isinstance(whole, dict) or not isinstance(whole.get("model"), dict):
        raise ValueError("it has no model")
    steps = list(_objects([whole.get(name) for name in STEPS_OF_TEXTS]))
    _check_steps(steps)
    for part in _objects(whole.get("post_processor")):
        _check_frame(part)
    largest = max(_largest_added(whole.get("added_tokens")), _largest_of_vocabulary(whole["model"]))
    return Look(largest, _hard_texts(steps), _parts_at_spaces(whole))


BY_CHARACTER = frozenset(("Sequence", "BertNormalizer", "Lowercase", "StripAccents", "NFC", "NFD", "NFKC", "NFKD"))
AT_SPACES = frozenset(("Sequence", "BertPreTokenizer", "Whitespace", "WhitespaceSplit"))
"""Steps that look at characters one by one, or with marks that follow them; and that part words at each space."""


def _parts_at_spaces(whole: dict[str, Any]) -> bool:
    """Whether a text has the tokens of its stretches between spaces, one after the other, whatever it is.

    Nothing looks across a space: no step, no added token that holds one, nor a model that reads word by word.
    """
    normal, words = ({each.get("type") for each in _objects(whole.get(name))} for name in STEPS_OF_TEXTS)
    return (
        normal <= BY_CHARACTER
        and bool(words - {"Sequence"})
        and words <= AT_SPACES
        and whole["model"].get("type") in ("WordPiece", "WordLevel")
        and all(each["content"].split() == [each["content"]] for each in whole.get("added_tokens") or [])
    )


def _unrepeated(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object; of two values of one name the library might take the other."""
    found = dict(pairs)
    if len(found) < len(pairs) < STEPS:
        raise ValueError("it says one thing twice")
    return found


def _objects(tree: Any) -> Iterator[dict[str, Any]]:
    """All objects within a part of the file, in order."""
    waiting = [tree]
    while waiting:
        each = waiting.pop()
        if isinstance(each, dict):
            yield each
            each = list(each.values())
        if isinstance(each, list):
            waiting.extend(reversed(each))


def _hard_texts(steps: list[dict[str, Any]]) -> list[str]:
    """The same character again and again, then another, then all that patterns may look for first."""
    patterns = "".join(
        str(step["pattern"].get("Regex", "")) for step in steps if isinstance(step.get("pattern"), dict)
    )
    letters = dict.fromkeys(f"a1 \n{patterns}") if patterns else {}
    return [f"{letter * 40}€{patterns}" for letter in letters][:64]


def _check_steps(steps: list[dict[str, Any]]) -> None:
    """What happens to a text before it is cut into tokens; the library knows steps by their fields, too."""
    growth, more, maps = 1.0, 0, 0
    for part in steps:
        kind, pattern = part.get("type"), part.get("pattern")
        if isinstance(pattern, dict) and len(str(pattern.get("Regex", ""))) > PATTERN:
            raise ValueError(f"a pattern has more than {PATTERN:,} characters")
        if isinstance(content := part.get("content"), str):
            matched = pattern.get("String") if isinstance(pattern, dict) else None
            growth *= max(1.0, len(content) / len(matched)) if matched else 1.0 + len(content)
        if kind == "ByteLevel" or "trim_offsets" in part:
            growth *= 2
        if "precompiled_charsmap" in part:
            longest = _longest_replacement(part["precompiled_charsmap"])
            growth *= longest if maps else max(1.0, longest / 64)  # one that is as published maps to 33 bytes
            maps += 1
        if isinstance(part.get("prepend"), str):
            more += len(part["prepend"])
        if kind == "FixedLength" and not part.get("length", 1):
            raise ValueError("it cuts texts into pieces of no length")
    if growth > GROWTH or more > ADDED or len(steps) > STEPS:
        raise ValueError(f"{len(steps):,} steps may make a text {growth:.0e} times longer, and by {more:,} more")


def _longest_replacement(charsmap: Any) -> int:
    """How many bytes a table of characters (size of its index, index, texts) puts in the place of one at most."""
    table = base64.b64decode(charsmap or "")
    size = int.from_bytes(table[:4], "little")
    if len(table) < 4 or size % 4 or not 1024 <= size <= len(table) - 4:
        raise ValueError("its table of characters is cut off or damaged")
    return max(map(len, table[4 + size :].split(b"\0")))


def _check_frame(part: dict[str, Any]) -> None:
    """What is put around a text."""
    if not isinstance(part.get("single"), list):
        return
    specials = part.get("special_tokens") or {}
    each = list(specials.values()) if isinstance(specials, dict) else specials
    names = {str(special["id"]) for special in each}
    if any(len(special["ids"]) != len(special["tokens"]) for special in each):
        raise ValueError("a special token has more ids than names")
    pieces = [piece for name in ("single", "pair") for piece in part.get(name) or []]
    if len(pieces) + sum(len(special["ids"]) for special in each) > PIECES:
        raise ValueError(f"it puts more than {PIECES:,} tokens around a text")
    for piece in pieces:
        special = piece.get("SpecialToken")
        if special is not None and special["id"] not in names:
            raise ValueError(f"it puts {special['id']!r} around texts, which is no token")
    if any(piece.get("Sequence", {}).get("id") == "B" for piece in part["single"]):
        raise ValueError("it puts a second text around a single one")


def _largest_added(tokens: Any) -> int:
    """The largest id of the tokens that are added to the vocabulary."""
    tokens = tokens or []
    if sum(len(token["content"]) for token in tokens) > SPELLED:
        raise ValueError(f"its added tokens have more than {SPELLED:,} characters")
    return _largest_id(token["id"] for token in tokens)


def _largest_of_vocabulary(model: dict[str, Any]) -> int:
    """The largest id of a vocabulary."""
    prefix = len((model.get("continuing_subword_prefix") or "").encode())
    if prefix and (merges := model.get("merges")):
        for merge in merges:
            last = (merge.rpartition(" ")[2] if isinstance(merge, str) else merge[-1]).encode()
            if len(last) < prefix or last[prefix:].decode("utf-8", "replace").startswith("\ufffd"):
                raise ValueError("it merges pieces that are shorter than what they begin with")
    vocabulary = model.get("vocab") or {}
    return _largest_id(vocabulary.values()) if isinstance(vocabulary, dict) else len(vocabulary) - 1


def _largest_id(ids: Any) -> int:
    largest = max(ids, default=-1)
    if not -1 <= largest < IDS:
        raise ValueError(f"an id is {largest:,}")
    return int(largest)
