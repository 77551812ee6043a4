"""The JSON of an OpenAI-compatible embeddings API, both ways, checked. Not how it travels: see http.py."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from nearsense.errors import ModelError

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["message_of", "question", "vectors_of"]

SHOWN = 300
"""Characters of a server's words that a message repeats."""


def question(model: str, texts: Sequence[str], dimensions: int | None, encoding: str) -> bytes:
    """The body of a request.

    Example:
        >>> question("m", ["hello"], None, "base64")
        b'{"model":"m","input":["hello"],"encoding_format":"base64"}'
    """
    asked: dict[str, Any] = {"model": model, "input": list(texts), "encoding_format": encoding}
    if dimensions is not None:
        asked["dimensions"] = dimensions
    return json.dumps(asked, ensure_ascii=False, separators=(",", ":")).encode()


def vectors_of(body: bytes, count: int, dimension: int, who: str) -> tuple[NDArray[np.float32], int | None]:
    """The vectors of an answer in the order of their texts, and the tokens that it charges.

    Args:
        body: The answer.
        count: How many texts were sent.
        dimension: How long each vector must be; 0 where any length will do.
        who: The model and its host, for messages.

    Returns:
        float32, shape (count, dimension), all finite; and the tokens, None where the answer does not tell.

    Raises:
        ModelError: It is not what was asked for.

    Example:
        >>> body = b'{"data": [{"index": 1, "embedding": [0, 1]}, {"index": 0, "embedding": [1, 0]}]}'
        >>> vectors_of(body, 2, 2, "a model")
        (array([[1., 0.],
               [0., 1.]], dtype=float32), None)
    """
    answer = _json(body)
    items = answer.get("data") if isinstance(answer, dict) else None
    if not isinstance(items, list):
        why = f"it says: {message_of(body)}" if body.strip() else "the answer is empty"
        raise _off(who, "answers, but not with vectors", why)
    if len(items) != count:
        raise _off(who, f"gives {len(items):,} vectors for {count:,} texts", "each text needs its own")
    places: list[Any] = [item.get("index") if isinstance(item, dict) else None for item in items]
    if any(type(place) is not int for place in places) or sorted(places) != list(range(count)):
        raise _off(
            who, f"does not number its {count:,} vectors from 0 on", "nobody can say which text each belongs to"
        )
    rows: list[Any] = [None] * count
    for place, item in zip(places, items, strict=True):
        rows[place] = _vector(item.get("embedding"), place, who)
    dimension = dimension or (len(rows[0]) if rows else 0)
    for place, row in enumerate(rows):
        if len(row) != dimension or not dimension:
            raise _off(
                who,
                f"gives {len(row):,} numbers for text {place} of a request",
                f"its vectors have {dimension or 1:,} dimensions" + (" or more" if not dimension else ""),
            )
    usage = answer.get("usage")
    tokens = usage.get("prompt_tokens") if isinstance(usage, dict) else None
    data = np.array(rows, np.float32).reshape(count, dimension)
    return data, tokens if type(tokens) is int and tokens >= 0 else None


def _vector(value: Any, place: int, who: str) -> NDArray[np.float32]:
    """A vector that came as base64 of little-endian float32, or as a list of numbers."""
    row: NDArray[Any] | None = None
    try:
        if isinstance(value, str):
            row = np.frombuffer(base64.b64decode(value, validate=True), "<f4")
        elif isinstance(value, list):
            row = np.asarray(value)
    except (ValueError, binascii.Error, OverflowError):
        pass
    if row is None or row.ndim != 1 or (row.dtype.kind not in "iuf" and row.size):
        raise _off(who, f"gives no vector for text {place} of a request", "neither a list of numbers nor base64")
    with np.errstate(all="ignore"):
        narrow = row.astype(np.float32)
    if not np.isfinite(narrow).all():
        raise _off(who, f"gives no finite vector for text {place} of a request", "a number is NaN or infinite")
    return narrow


def _off(who: str, what: str, why: str) -> ModelError:
    return ModelError(
        f"{who} {what}", why=why, fix="check that the address and the model are those of an embeddings API"
    )


def _json(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def message_of(body: bytes) -> str:
    """What a server says went wrong, on one short line: the message of its JSON, or how its text begins.

    Example:
        >>> message_of(b'{"error": {"message": "no such model", "code": null}}')
        'no such model'
        >>> message_of(b"<html>Bad gateway</html>")
        'no JSON, it begins with <html>Bad gateway</html>'
    """
    answer = _json(body)
    found = answer.get("error", answer) if isinstance(answer, dict) else answer
    for name in ("message", "detail", "error"):
        if isinstance(found, dict) and isinstance(found.get(name), (str, dict)):
            found = found[name]
    if answer is None:
        text = body[: 8 * SHOWN].decode("utf-8", "replace")
        text = f"no JSON, it begins with {text}" if text.strip() else "nothing at all"
    else:
        text = found if isinstance(found, str) else json.dumps(found)[: 2 * SHOWN]
    line = "".join(letter if letter.isprintable() else " " for letter in text[: 8 * SHOWN])
    line = " ".join(line.split())
    return line if len(line) <= SHOWN else line[:SHOWN] + " ..."
