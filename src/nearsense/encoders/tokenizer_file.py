"""What a tokenizer's file says, looked at before it is run: the library panics, aborts, or fills the memory.

A text becomes `GROWTH` times longer at most, and a few characters more. Not how it becomes tokens: tokenizer.py.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from nearsense.encoders.checksums import Remembered, identity_of
from nearsense.settings import load_settings

BYTES = 256 * 2**20  # more than any file has
LARGE = 2**20  # bytes of a file from which on reading it takes longer than remembering: half a second for 17 MB

GROWTH, ADDED, STEPS = 4096, 1024, 256
"""How many times longer a text may become, by how many characters more, in how many steps."""

SPELLED = 2**21  # characters of added tokens, all together; the library takes 75 bytes of memory for each
PATTERN = 2**16  # characters of a regular expression
PIECES = 4096  # tokens that are put around a text; real models put up to some ten
IDS = 2**31  # rows are counted in int32


class Look(NamedTuple):
    """What a file says: the largest id, -1 for none, and texts on which a bad pattern does not end."""

    largest: int
    trials: list[str]


def look_at(file: Path) -> Look:
    """Read a `tokenizer.json`, and refuse what no real one has: a ValueError says what is wrong, in one line."""
    if file.stat().st_size < LARGE:
        return _looked_at(file)
    remembered, key = Remembered(load_settings().cache_dir / "tokenizers.json"), identity_of(file)
    known = remembered.read()
    try:
        largest, trials = known[key]
        return Look(int(largest), [str(each) for each in trials])
    except (KeyError, TypeError, ValueError):
        look = _looked_at(file)
        remembered.write({**known, key: look})
        return look


def _looked_at(file: Path) -> Look:
    """What is to be known of a file, read anew."""
    if file.stat().st_size > BYTES:
        raise ValueError(f"it is larger than {BYTES // 2**20} MiB")
    try:
        whole = json.loads(file.read_bytes(), object_pairs_hook=_once)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    if not isinstance(whole, dict) or not isinstance(whole.get("model"), dict):
        raise ValueError("it has no model")
    steps = list(_parts([whole.get(name) for name in ("normalizer", "pre_tokenizer")]))
    _texts(steps)
    for part in _parts(whole.get("post_processor")):
        _frame(part)
    return Look(max(_added(whole.get("added_tokens")), _model(whole["model"])), _trials(steps))


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object; of two values of one name the library might take the other."""
    found = dict(pairs)
    if len(found) < len(pairs) < STEPS:
        raise ValueError("it says one thing twice")
    return found


def _parts(tree: Any) -> Iterator[dict[str, Any]]:
    """All objects within a part of the file, in order."""
    waiting = [tree]
    while waiting:
        each = waiting.pop()
        if isinstance(each, dict):
            yield each
            each = list(each.values())
        if isinstance(each, list):
            waiting.extend(reversed(each))


def _trials(steps: list[dict[str, Any]]) -> list[str]:
    """The same character again and again, then another, then all that patterns may look for first."""
    patterns = "".join(
        str(step["pattern"].get("Regex", "")) for step in steps if isinstance(step.get("pattern"), dict)
    )
    letters = dict.fromkeys(f"a1 \n{patterns}") if patterns else {}
    return [f"{letter * 40}€{patterns}" for letter in letters][:64]


def _texts(steps: list[dict[str, Any]]) -> None:
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
            longest = _longest(part["precompiled_charsmap"])
            growth *= longest if maps else max(1.0, longest / 64)  # one that is as published maps to 33 bytes
            maps += 1
        if isinstance(part.get("prepend"), str):
            more += len(part["prepend"])
        if kind == "FixedLength" and not part.get("length", 1):
            raise ValueError("it cuts texts into pieces of no length")
    if growth > GROWTH or more > ADDED or len(steps) > STEPS:
        raise ValueError(f"{len(steps):,} steps may make a text {growth:.0e} times longer, and by {more:,} more")


def _longest(charsmap: Any) -> int:
    """How many bytes a table of characters (size of its index, index, texts) puts in the place of one at most."""
    table = base64.b64decode(charsmap or "")
    size = int.from_bytes(table[:4], "little")
    if len(table) < 4 or size % 4 or not 1024 <= size <= len(table) - 4:
        raise ValueError("its table of characters is cut off or damaged")
    return max(map(len, table[4 + size :].split(b"\0")))


def _frame(part: dict[str, Any]) -> None:
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


def _added(tokens: Any) -> int:
    """The largest id of the tokens that are added to the vocabulary."""
    tokens = tokens or []
    if sum(len(token["content"]) for token in tokens) > SPELLED:
        raise ValueError(f"its added tokens have more than {SPELLED:,} characters")
    return _ids(token["id"] for token in tokens)


def _model(model: dict[str, Any]) -> int:
    """The largest id of a vocabulary."""
    prefix = len((model.get("continuing_subword_prefix") or "").encode())
    if prefix and (merges := model.get("merges")):
        for merge in merges:
            last = (merge.rpartition(" ")[2] if isinstance(merge, str) else merge[-1]).encode()
            if len(last) < prefix or last[prefix:].decode("utf-8", "replace").startswith("\ufffd"):
                raise ValueError("it merges pieces that are shorter than what they begin with")
    vocabulary = model.get("vocab") or {}
    return _ids(vocabulary.values()) if isinstance(vocabulary, dict) else len(vocabulary) - 1


def _ids(ids: Any) -> int:
    largest = max(ids, default=-1)
    if not -1 <= largest < IDS:
        raise ValueError(f"an id is {largest:,}")
    return int(largest)
