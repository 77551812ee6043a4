"""What differs between a question and the phrasing that it matched: the one place that asks the guard."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["differences"]


def differences(pairs: Sequence[tuple[str, str]]) -> list[tuple[str, ...]]:
    """For each question and phrasing, what differs between them, in words; empty where nothing was found.

    Nothing is lowered for it: the probability is that of the entry, and the reader sees what differs.

    Args:
        pairs: A question and the phrasing that it is compared with.
    """
    from nearsense.guard import differences_many

    found = differences_many([question for question, _ in pairs], [phrasing for _, phrasing in pairs])
    return [tuple(str(each) for each in some) for some in found]
