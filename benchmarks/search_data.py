"""Real texts and their vectors for bench_search.py, on a disk where every process finds them. Nothing is timed.

Peers read it with a Python of their own: only numpy is imported, and nearsense where texts are encoded.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

SETS = Path(os.environ.get("NEARSENSE_DATA") or Path(__file__).resolve().parents[2] / "shared" / "data")
QUESTIONS = {
    "quora/dev": ("a", "b"),
    "clustering/trec-questions-train": ("text",),
    "answer-selection/wikiqa-dev": ("query",),
    "answer-selection/trecqa-dev": ("query",),
    "covid-faq/faqs-en": ("question",),
}
FIELDS = ("text", "a", "b", "eng", "query", "question", "answer", "title", "anchor", "positive", "negative")
QUERIES, K, BLOCK = 300, 10, 20_000
JOINABLE = 80
"""Characters up to which texts are joined by two."""
NOISE = 0.2
"""Length of what is added to a mean of two vectors that stands for an encoded text."""

FILTERS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "all": lambda rows: np.ones(len(rows), bool),
    "1 %": lambda rows: rows % 100 == 7,
    "25 %": lambda rows: rows < len(rows) // 4,
}


def say(*words: object) -> None:
    print(*words, file=sys.stderr, flush=True)


def metadata(row: int) -> dict:
    date = f"{2000 + row % 24}-{row % 12 + 1:02d}-{row % 28 + 1:02d}"
    return {"date": date, "n": row, "tenth": row % 10, "hundredth": row % 100}


@dataclass
class Data:
    """What `write` left in a folder."""

    folder: Path

    @cached_property
    def vectors(self) -> np.ndarray:
        return np.load(self.folder / "vectors.npy", mmap_mode="r")

    @cached_property
    def texts(self) -> list[str]:
        with (self.folder / "texts.jsonl").open(encoding="utf-8") as lines:
            return [json.loads(line) for line in lines]

    @cached_property
    def queries(self) -> np.ndarray:
        return np.load(self.folder / "queries.npy")

    @cached_property
    def query_texts(self) -> list[str]:
        return json.loads((self.folder / "queries.json").read_text("utf-8"))

    @cached_property
    def truth(self) -> dict[str, np.ndarray]:
        """The score of the tenth best row of each query, by filter: all vectors were compared by numpy."""
        return dict(np.load(self.folder / "truth.npz"))

    def least(self, found: Iterable[Iterable[int]]) -> np.ndarray:
        """The score of the worst row found for each query."""
        pairs = zip(self.queries, found, strict=False)
        return np.array([(self.vectors[list(rows)] @ query).min(initial=1) for query, rows in pairs])

    def recall(self, found: Iterable[Iterable[int]], least: np.ndarray) -> float:
        """Recall@10 for the first queries: another row that is as near as the tenth counts as found."""
        shares = []
        for query, rows, score in zip(self.queries, found, least, strict=False):
            scores = self.vectors[sorted(set(rows))] @ query
            shares.append(min(K, int((scores >= score - 1e-6).sum())) / K)
        return float(np.mean(shares))


def real_texts() -> tuple[list[str], list[str]]:
    """Questions that are held out, and all other distinct texts in a random order."""
    if not SETS.is_dir():
        sys.exit(f"the evaluation data is not at {SETS}; set NEARSENSE_DATA to its folder")
    texts: dict[str, None] = {}
    questions: dict[str, None] = {}
    for file in sorted(SETS.glob("*/*.jsonl.gz")):
        name = str(file.relative_to(SETS)).removesuffix(".jsonl.gz")
        with gzip.open(file, "rt", encoding="utf-8") as lines:
            for row in map(json.loads, lines):
                texts.update(dict.fromkeys(_strings(row, FIELDS)))
                questions.update(dict.fromkeys(_strings(row, QUESTIONS.get(name, ()))))
    chance = np.random.default_rng(0)
    asked = [text for text in questions if text.endswith("?")]
    held = [asked[row] for row in chance.choice(len(asked), QUERIES, replace=False)]
    known = {text.casefold() for text in held}
    rest = [text for text in texts if text.casefold() not in known]
    return held, [rest[row] for row in chance.permutation(len(rest))]


def _strings(row: dict, fields: Iterable[str]) -> Iterator[str]:
    for field in fields:
        if isinstance(text := row.get(field), str) and text.strip():
            yield text.strip()
    for text in row.get("candidates", ()) if "query" in fields else ():
        if text.strip():
            yield text.strip()


def joined(real: list[str], number: int) -> tuple[list[str], np.ndarray]:
    """A block of texts that are two real ones, and which."""
    short = np.flatnonzero([len(text) <= JOINABLE for text in real])
    rows = short[np.random.default_rng((1, number)).integers(0, len(short), (BLOCK, 2))]
    return [f"{real[a]} {real[b]}" for a, b in rows], rows


class Vectors:
    """Encodes blocks of texts, or finds them in the cache folder by the hash of their texts."""

    def __init__(self, cache: Path) -> None:
        import nearsense as ns

        self._encoder, self._cache = ns.load(), cache
        cache.mkdir(parents=True, exist_ok=True)

    def path(self, texts: list[str]) -> Path:
        content = "\0".join([self._encoder.fingerprint, *texts]).encode()
        return self._cache / f"{hashlib.sha256(content).hexdigest()[:32]}.npy"

    def of(self, texts: list[str], what: str) -> np.ndarray:
        path = self.path(texts)
        if not path.is_file():
            start = time.perf_counter()
            data = self._encoder.encode(texts, long="head").data
            say(
                f"encoded {what}: {len(texts):,} texts, {len(texts) / (time.perf_counter() - start):,.0f} a second"
            )
            draft = path.with_suffix(f".{os.getpid()}")
            with draft.open("wb") as file:
                np.save(file, data)
            draft.replace(path)
        return np.load(path)


def prepare(size: int, real: list[str], vectors: Vectors, *, encode: bool) -> tuple[list[str], np.ndarray, str]:
    """`size` texts and their vectors, and how they were made; joined texts are encoded where that is wanted.

    Args:
        size: How many.
        real: All real texts.
        vectors: Encodes.
        encode: Encode joined texts that are not in the cache; else their vectors are means, all of them.
    """
    taken = real[:size]
    numbers = range(-(-(size - len(taken)) // BLOCK))
    blocks = [joined(real, number) for number in numbers]
    means = not encode and not all(vectors.path(texts).is_file() for texts, _ in blocks)
    wanted = real if means else taken
    firsts = range(0, len(wanted), BLOCK)
    data = [vectors.of(wanted[at : at + BLOCK], f"real texts from {at:,} of {len(wanted):,}") for at in firsts]
    base = np.concatenate(data)
    texts = taken + [text for each, _ in blocks for text in each]
    result = np.empty((len(texts), base.shape[1]), np.float32)
    result[: len(taken)] = base[: len(taken)]
    for number, (each, rows) in zip(numbers, blocks, strict=True):
        at = len(taken) + number * BLOCK
        what = f"joined texts from {number * BLOCK:,} of {size - len(taken):,}"
        result[at : at + BLOCK] = _mean(base, rows, number) if means else vectors.of(each, what)
    made = f"{len(taken):,} distinct real texts, encoded"
    if blocks:
        how = f"not encoded: mean of the two vectors and noise of length {NOISE}" if means else "encoded"
        made += (
            f"; {size - len(taken):,} texts that are two random real ones of at most {JOINABLE} characters, {how}"
        )
    order = np.random.default_rng(2).permutation(size) if blocks else np.arange(size)
    return [texts[row] for row in order], result[order], made


def _mean(base: np.ndarray, rows: np.ndarray, number: int) -> np.ndarray:
    noise = np.random.default_rng((2, number)).standard_normal((len(rows), base.shape[1]), dtype=np.float32)
    sums = base[rows].sum(axis=1)
    sums /= np.linalg.norm(sums, axis=1, keepdims=True)
    sums += noise * np.float32(NOISE / np.sqrt(base.shape[1]))
    return sums / np.linalg.norm(sums, axis=1, keepdims=True)


def write(folder: Path, size: int, cache: Path) -> str:
    """Put everything where `Data` finds it; how the texts were made."""
    held, real = real_texts()
    encoded = Vectors(cache)
    queries = encoded.of(held, "queries")
    texts, vectors, made = prepare(size, real, encoded, encode=False)
    rows, best = np.arange(len(vectors)), {name: np.empty((len(queries), 0), np.float32) for name in FILTERS}
    for at in range(0, len(vectors), BLOCK):
        scores = queries @ vectors[at : at + BLOCK].T
        for name, passes in FILTERS.items():
            best[name] = _highest(np.hstack([best[name], scores[:, passes(rows)[at : at + BLOCK]]]))
    truth = {name: scores.min(axis=1) for name, scores in best.items()}
    np.savez(folder / "truth.npz", **truth)
    np.save(folder / "vectors.npy", vectors)
    np.save(folder / "queries.npy", queries)
    (folder / "queries.json").write_text(json.dumps(held), "utf-8")
    with (folder / "texts.jsonl").open("w", encoding="utf-8") as file:
        file.writelines(json.dumps(text) + "\n" for text in texts)
    return made


def _highest(scores: np.ndarray) -> np.ndarray:
    return np.partition(scores, -K, axis=1)[:, -K:] if scores.shape[1] > K else scores


if __name__ == "__main__":
    size, folder, cache = sys.argv[1:]
    made = write(Path(folder), int(size), Path(cache))
    (Path(folder) / "result.json").write_text(json.dumps({"made": made}))
