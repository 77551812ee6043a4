"""Who is next: texts of many requests in fair order, by tokens. No threads and no model here; see queue.py."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

__all__ = ["Line", "Piece", "Waiting"]


class Waiting:
    """The texts of one request that wait for their turn.

    Args:
        texts: At least one.
        sizes: How many tokens each of them has, roughly: at least 1.
        kind: Only texts of an equal kind are encoded together.
    """

    __slots__ = ("kind", "sizes", "taken", "texts", "tokens")

    def __init__(self, texts: Sequence[str], sizes: Sequence[int], kind: Hashable) -> None:
        self.texts, self.sizes, self.kind = texts, sizes, kind
        self.taken, self.tokens = 0, sum(sizes)


@dataclass(frozen=True, slots=True)
class Piece:
    """Some texts of a request, side by side: `request.texts[first:last]`, and their tokens."""

    request: Waiting
    first: int
    last: int
    tokens: int


class Line:
    """Requests that wait, by kind. In its turn each gives `turn` tokens at most, then comes the next of its kind.

    So who asks for much waits for those who ask for little, once a turn, and they hardly for him. Kinds take turns
    too. The texts of a request leave in their order.

    Args:
        turn: Tokens that a request may give while others wait; one text at least.

    Attributes:
        tokens: How many wait.
        ahead: How many stand before one that comes now and asks for little: no more than a turn of each.
    """

    def __init__(self, turn: int) -> None:
        self.turn, self.tokens, self.ahead = turn, 0, 0
        self._kinds: OrderedDict[Hashable, OrderedDict[Waiting, None]] = OrderedDict()

    def __len__(self) -> int:
        return sum(map(len, self._kinds.values()))

    def __bool__(self) -> bool:
        return bool(self._kinds)

    def add(self, request: Waiting) -> None:
        """Put a request at the end."""
        self._kinds.setdefault(request.kind, OrderedDict())[request] = None
        self.tokens += request.tokens
        self.ahead += min(request.tokens, self.turn)

    def remove(self, request: Waiting) -> bool:
        """Take a request out, however much of it has gone; False where it does not wait any more."""
        waiting = self._kinds.get(request.kind)
        if waiting is None or request not in waiting:
            return False
        del waiting[request]
        if not waiting:
            del self._kinds[request.kind]
        self.tokens -= request.tokens
        self.ahead -= min(request.tokens, self.turn)
        return True

    def take(self, room: int) -> list[Piece]:
        """What comes next, all of one kind: at most `room` tokens, or one text that is longer.

        Nobody is passed over because a shorter text would still fit.
        """
        kind, waiting = self._kinds.popitem(last=False)
        pieces: list[Piece] = []
        while waiting and room > 0:
            request = next(iter(waiting))
            if pieces and request.sizes[request.taken] > room:
                break
            del waiting[request]
            piece = self._turn_of(request, min(room, self.turn) if waiting else room)
            pieces.append(piece)
            room -= piece.tokens
            if piece.last < len(request.texts):
                waiting[request] = None
        if waiting:
            self._kinds[kind] = waiting
        return pieces

    def _turn_of(self, request: Waiting, most: int) -> Piece:
        """The next texts of a request, of `most` tokens together or one."""
        first, sizes = request.taken, request.sizes
        tokens, last = sizes[first], first + 1
        while last < len(sizes) and tokens + sizes[last] <= most:
            tokens += sizes[last]
            last += 1
        self.ahead -= min(request.tokens, self.turn)
        request.taken, request.tokens = last, request.tokens - tokens
        self.ahead += min(request.tokens, self.turn)
        self.tokens -= tokens
        return Piece(request, first, last, tokens)
