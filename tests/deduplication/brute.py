"""What duplicates should be, by the slowest means: every row with every row, one text after the other."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from nearsense.text import content_hash


def pairs_of(texts: Sequence[str], score: Callable[[str, str], float], floor: float) -> set[tuple[int, int]]:
    n = len(texts)
    return {(i, j) for i in range(n) for j in range(i + 1, n) if score(texts[i], texts[j]) >= floor}


def stars_of(n: int, edges: set[tuple[int, int]], strength, content: Sequence[int]) -> list[int]:
    """The centre of each node: fewest neighbours first, then content."""
    near = {node: set() for node in range(n)}
    for i, j in edges:
        near[i].add(j)
        near[j].add(i)
    stays, goes = [], set()
    for node in sorted(range(n), key=lambda node: (len(near[node]), content[node])):
        if node not in goes:
            stays.append(node)
            goes |= near[node]
    centre = list(range(n))
    for node in goes:
        centre[node] = min(
            (other for other in stays if other in near[node]),
            key=lambda other: (-strength(node, other), content[other]),
        )
    return centre


def digest(text: str) -> int:
    return int.from_bytes(content_hash(text)[:8], "little")
