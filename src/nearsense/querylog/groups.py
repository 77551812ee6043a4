"""What got no answer, grouped by meaning and named. Not how texts are clustered: see clustering/."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from nearsense.querylog.records import LoggedQuery, UnansweredGroup
from nearsense.records import Document

if TYPE_CHECKING:
    from nearsense._progress import Progress
    from nearsense.encoders import Encoder

MOST = 5000
"""Different queries up to which groups are made by merging, whose time grows with their square."""


def groups(
    asked: Sequence[LoggedQuery], min_score: float, encoder: Callable[[], Encoder], progress: Progress
) -> list[UnansweredGroup]:
    """Groups of queries, the most asked first: by meaning; where words are not known, by the nearest hit.

    The encoder is loaded where there are words.
    """
    known: dict[str, list[LoggedQuery]] = {}
    near: dict[str, list[LoggedQuery]] = {}
    for entry in asked:
        if entry.query is None:
            near.setdefault(entry.ids[0] if entry.ids else "", []).append(entry)
        else:
            known.setdefault(entry.digest, []).append(entry)
    found = [_group(f"near {id_}" if id_ else "nothing found", own, hashed=True) for id_, own in near.items()]
    found += _by_meaning(known, min_score, encoder, progress)
    return sorted(found, key=lambda group: (-group.count, -group.last))


def _by_meaning(
    known: dict[str, list[LoggedQuery]], min_score: float, encoder: Callable[[], Encoder], progress: Progress
) -> Iterable[UnansweredGroup]:
    if not known:
        return
    from nearsense.clustering import cluster

    documents = [Document(digest, entries[-1].query or "") for digest, entries in known.items()]
    few = len(documents) <= MOST
    clusters = cluster(
        documents,
        method="agglomerative" if few else "density",
        min_score=min_score if few else None,
        strict=not few,
        encoder=encoder(),
        progress=progress,
    )
    for each in clusters:
        yield _group(each.label, [entry for digest in each.members for entry in known[digest]])
    for digest in clusters.noise:
        yield _group(known[digest][-1].query or "", known[digest])


def _group(label: str, entries: Sequence[LoggedQuery], *, hashed: bool = False) -> UnansweredGroup:
    counts = Counter(entry.digest for entry in entries)
    texts = {entry.digest: entry.query for entry in entries}
    queries = tuple((texts[digest] or f"#{digest[:12]}", count) for digest, count in counts.most_common())
    nearest = Counter(entry.ids[0] for entry in entries if entry.ids).most_common()
    sure = [
        entry.probabilities[0]
        for entry in entries
        if nearest and entry.ids[:1] == (nearest[0][0],) and entry.probabilities[0] is not None
    ]
    mean = sum(sure) / len(sure) if sure else None
    text = next((each.nearest for each in entries if each.nearest and each.ids[:1] == (nearest[0][0],)), None)
    last = max(entry.time for entry in entries)
    return UnansweredGroup(label, len(entries), queries, tuple(nearest), text, mean, last, hashed)
