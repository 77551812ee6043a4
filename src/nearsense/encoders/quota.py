"""How much is asked of a server at a time, and what was taken from it in all. Not the asking: see remote.py."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace

from nearsense.errors import InputError

__all__ = ["Limits", "Usage"]


@dataclass(frozen=True, slots=True)
class Limits:
    """What is asked of a server at a time, and for how long.

    Args:
        texts: Texts in one request.
        tokens: Tokens in one request, by an estimate that rather errs above: a token for 3 bytes.
        flights: Requests on their way at the same time.
        timeout: Seconds without a byte after which a try is given up.
        deadline: Seconds for one request with all its tries and waits.
    """

    texts: int = 2048
    tokens: int = 300_000
    flights: int = 4
    timeout: float = 60.0
    deadline: float = 600.0

    @classmethod
    def read(cls, environment: Mapping[str, str] | None = None) -> Limits:
        """The defaults, or what `NEARSENSE_REMOTE_TEXTS`, `..._TOKENS`, `..._FLIGHTS` and so on say.

        Raises:
            InputError: A variable is no number from 1 up.

        Example:
            >>> Limits.read({"NEARSENSE_REMOTE_TEXTS": "32"}).texts
            32
        """
        environment = os.environ if environment is None else environment
        limits = cls()
        for name in (each.name for each in fields(cls)):
            if word := environment.get(variable := f"NEARSENSE_REMOTE_{name.upper()}", "").strip():
                if not (word.isascii() and word.isdecimal() and 0 < int(word[:12]) < 10**9):
                    raise InputError(f"{variable}={word!r} is no whole number from 1 up", fix=f"{variable}=4")
                limits = replace(limits, **{name: type(getattr(limits, name))(word)})
        return limits


@dataclass(frozen=True, slots=True)
class Usage:
    """What an encoder has taken from its server so far, as the answers say: those that did not arrive not counted.

    Args:
        requests: Requests that were answered with vectors.
        texts: Texts in them.
        tokens: What the server counted in these texts.
        cost: US dollars; None where the price, or a count, is not known.

    Example:
        >>> print(Usage(12, 3400, 81_230, 0.0016))
        12 requests, 3,400 texts, 81,230 tokens, about $0.0016
    """

    requests: int = 0
    texts: int = 0
    tokens: int = 0
    cost: float | None = None

    def __str__(self) -> str:
        counts = ((self.requests, "request"), (self.texts, "text"), (self.tokens, "token"))
        parts = [f"{count:,} {what}{'' if count == 1 else 's'}" for count, what in counts]
        if self.cost is not None:
            parts.append("less than $0.0001" if 0 < self.cost < 0.0001 else f"about ${self.cost:,.4f}")
        return ", ".join(parts)
