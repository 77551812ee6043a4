"""Passages: what splitting does for finding, and how long reading, making and following a folder takes.

    python benchmarks/bench_passages.py [--quality] [--reading] [--folder] [--json FILE]

Quality: SciFact (claims, whole abstracts) and Cranfield, nDCG@10. Beside heads of 256 tokens, windows of the whole
text, and passages of several sizes, without headings before them and with (of an abstract its title), and with
overlap. A document scores as its best passage does. Reading: a PDF of 300 pages, and a folder of 5,000 Markdown
files, made and synced after one change, encoding taken out: its vectors are of a stand-in that costs nothing.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import json
import random
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from machine import SETS, machine, require_data

import nearsense as ns
from nearsense.cached import cached
from nearsense.documents.blocks import SourceDocument
from nearsense.documents.passages import as_passages
from nearsense.documents.plain import read_text
from nearsense.documents.splitting import Splitting, counter, split

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

DATA = {"scifact": "queries-train", "cranfield": "queries"}
SIZES = (64, 96, 128, 192, 256)


def lines(name: str) -> list[dict]:
    with gzip.open(SETS / f"{name}.jsonl.gz", "rt", encoding="utf-8") as stream:
        return [json.loads(line) for line in stream]


def quality(encoder: ns.Encoder, asked: argparse.Namespace) -> dict:
    sets = {name: queries for name, queries in DATA.items() if asked.only in (None, name)}
    sizes = SIZES if asked.sizes is None else [int(size) for size in asked.sizes.split(",")]
    return {name: quality_of(encoder, name, queries, sizes, asked) for name, queries in sets.items()}


def sampled(corpus: list[dict], asked: list[dict], queries: int, documents: int) -> tuple[list[dict], list[dict]]:
    """Some of the queries, all that answers them, and others drawn by a seed until there are so many documents."""
    asked = asked[:: max(1, len(asked) // queries)][:queries]
    wanted = {id_ for row in asked for id_ in row["rel"]}
    rest = [row for row in corpus if row["id"] not in wanted]
    chosen = random.Random(0).sample(rest, max(0, min(len(rest), documents - len(wanted))))
    return [row for row in corpus if row["id"] in wanted] + chosen, asked


def quality_of(
    encoder: ns.Encoder, name: str, queries: str, sizes: Sequence[int], how: argparse.Namespace
) -> dict:
    corpus, asked = lines(f"{name}/corpus"), lines(f"{name}/{queries}")
    if how.sample:
        corpus, asked = sampled(corpus, asked, 300, how.sample)
    known = {row["id"] for row in corpus}
    asked = [row for row in asked if any(id_ in known and grade > 0 for id_, grade in row["rel"].items())]
    questions = encoder.encode([row["query"] for row in asked], role="query").data
    whole = [f"{row['title']} {row['text']}".strip() for row in corpus]
    ids = [row["id"] for row in corpus]
    found = {}

    def judge(label: str, vectors: np.ndarray, owner: np.ndarray) -> None:
        scores = questions @ vectors.T
        starts = np.flatnonzero(np.r_[True, owner[1:] != owner[:-1]])
        best = np.maximum.reduceat(scores, starts, axis=1)
        order = np.argsort(-best, axis=1, kind="stable")[:, :10]
        own = [ids[at] for at in owner[starts]]
        grades = [[row["rel"].get(own[at], 0) for at in ranks] for row, ranks in zip(asked, order, strict=True)]
        ideal = [[grade for id_, grade in row["rel"].items() if id_ in known] for row in asked]
        figure = 100 * ns.metrics.ndcg(grades, ideal)
        found[label] = {"ndcg@10": round(float(figure.mean()), 2), "texts": len(vectors)}
        print(f"{name:10} {label:28} {figure.mean():6.2f}  {len(vectors):7,} texts", flush=True)

    rows = np.arange(len(corpus))
    judge("heads of 256", encoder.encode(whole, role="passage", long="head").data, rows)
    if how.sizes is None:
        judge("windows", encoder.encode(whole, role="passage", long="chunk").data, rows)
    documents = []
    for row in corpus:
        text = row["text"] or row["title"]
        content = read_text(text)
        documents.append(
            SourceDocument(row["id"], text, {"title": row["title"]}, tuple(content.blocks), lines=True)
        )
    count = counter(encoder)
    ways = [(size, 0, headings) for headings in (True, False) for size in sizes]
    for size, overlap, headings in ways + [(size, size // 4, True) for size in sizes if how.sizes is None]:
        spans = split(documents, Splitting(min(size, encoder.max_tokens - 2), overlap, headings), count)
        passages = [
            [passage.text for passage in as_passages(document, each)]
            for document, each in zip(documents, spans, strict=True)
        ]
        owner = np.repeat(rows, [len(each) for each in passages])
        vectors = encoder.encode([text for each in passages for text in each], role="passage").data
        label = f"passages of {size}{', title' if headings else ''}{f', overlap {overlap}' if overlap else ''}"
        judge(label, vectors, owner)
    return found


class Nothing(ns.Encoder):
    """An encoder that costs nothing: what is left is reading, splitting and keeping."""

    name, dimension, max_tokens = "nothing", 8, 256
    fingerprint = hashlib.sha256(b"nothing").hexdigest()

    def __init__(self) -> None:
        self._count = ns.load().count_tokens

    def count_tokens(self, texts):
        return self._count(texts)

    def encode(self, texts, **options):
        texts = [texts] if isinstance(texts, str) else list(texts)
        data = np.ones((len(texts), 8), np.float32) / np.sqrt(np.float32(8))
        return ns.Vectors(data, self.fingerprint, np.zeros(len(texts), bool), self.name)


def sentences(rng: random.Random, count: int) -> str:
    words = [f"{''.join(rng.choices('aeioubcdlmnrst', k=rng.randint(2, 9)))}" for _ in range(400)]
    made = (" ".join(rng.choices(words, k=rng.randint(5, 20))).capitalize() + "." for _ in range(count))
    return " ".join(made)


def reading() -> dict:
    import papers

    rng = random.Random(0)
    folder = Path(tempfile.mkdtemp())
    pages = []
    for number in range(300):
        text = sentences(rng, 40).split()
        pages.append([f"{number + 1} Chapter", *(" ".join(text[at : at + 12]) for at in range(0, len(text), 12))])
    outline = [(f"{number + 1} Chapter", number, 1) for number in range(300)]
    file = papers.pdf(folder / "long.pdf", pages, outline=outline)
    begin = time.perf_counter()
    documents = ns.read_documents(file)
    read = time.perf_counter() - begin
    passages = documents.passages()
    done = time.perf_counter() - begin
    print(f"a PDF of 300 pages: read in {read:.2f} s, {len(passages):,} passages after {done:.2f} s", flush=True)
    return {"pages": 300, "read_s": round(read, 2), "split_s": round(done - read, 2), "passages": len(passages)}


def folder(files: int = 5000) -> dict:
    rng = random.Random(0)
    base = Path(tempfile.mkdtemp())
    notes = base / "notes"
    for number in range(files):
        file = notes / f"{number % 50}" / f"{number}.md"
        file.parent.mkdir(parents=True, exist_ok=True)
        body = "\n\n".join(f"## Section {part}\n\n{sentences(rng, 6)}" for part in range(3))
        file.write_text(f"# Note {number}\n\n{body}\n")
    made = {}
    with ns.open(base / "notes.nearsense", encoder=Nothing()) as kept:
        for label, change in (("created", ""), ("synced", "nothing"), ("synced after one change", "change")):
            if change == "change":
                (notes / "7" / "7.md").write_text("# Note 7\n\nAnother text.\n")
            begin, used = time.perf_counter(), time.process_time()
            report = kept.sync_documents(notes)
            took, used = time.perf_counter() - begin, time.process_time() - used
            print(f"{files:,} files {label}: {took:.2f} s, {used:.2f} s of the processor; {report}", flush=True)
            made[label] = {"s": round(took, 2), "processor_s": round(used, 2)}
    return {"files": files, **made}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    for name in ("quality", "reading", "folder"):
        parser.add_argument(f"--{name}", action="store_true")
    parser.add_argument("--model")
    parser.add_argument("--only", choices=DATA, help="Quality on one set.")
    parser.add_argument("--sizes", help="Of passages, say 128,256; then without windows and overlap.")
    parser.add_argument("--sample", type=int, help="300 queries, and so many documents.")
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args()
    every = not (asked.quality or asked.reading or asked.folder)
    found: dict = {"machine": machine()}
    if asked.reading or every:
        found["reading"] = reading()
    if asked.folder or every:
        found["folder"] = folder()
    if asked.quality or every:
        require_data()
        found["quality"] = quality(cached(ns.load(asked.model)), asked)
    if asked.json:
        asked.json.write_text(json.dumps(found, indent=2) + "\n")


if __name__ == "__main__":
    main()
