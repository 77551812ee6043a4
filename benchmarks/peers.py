"""Peers of nearsense's collections: the same vectors, queries and questions, each the way its users get it.

    python benchmarks/peers.py ENGINE DATA FOLDER RESULT SECONDS

Inserting and building may take SECONDS; what does not finish says how far it came. Every answer includes the texts
and metadata of the hits: chroma and lancedb store them, for the others they lie in memory.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from importlib import metadata as packages
from pathlib import Path

import numpy as np
from search_data import FILTERS, Data, K, metadata, say
from search_timing import Report, latency, throughput

Rows = list[int]
GOOD, HARD = 0.99, 512


class Unfinished(Exception):
    """Inserting or building took too long."""


class Deadline:
    """How long inserting and building may go on; what cannot be done in time is given up early."""

    def __init__(self, seconds: float) -> None:
        self.start, self.seconds = time.perf_counter(), seconds

    def check(self, done: int, total: int) -> None:
        taken = time.perf_counter() - self.start
        whole = taken * total / done
        hopeless = taken > self.seconds / 5 and whole > 1.5 * self.seconds
        if done < total and (hopeless or taken > self.seconds):
            why = f"at this rate {whole:,.0f} s, of {self.seconds:.0f} s allowed"
            raise Unfinished(f"{done:,} of {total:,} inserted in {taken:.0f} s; {why}")


def spans(total: int, size: int) -> list[range]:
    return [range(at, min(at + size, total)) for at in range(0, total, size)]


def measure(
    data: Data,
    report: Report,
    name: str,
    one: Callable[[np.ndarray], Rows],
    many: Callable[[np.ndarray], Sequence[Rows]],
    filtered: Callable[[np.ndarray], Rows] | None = None,
) -> dict:
    """All figures of one way to ask."""
    say(f"  {name}")
    queries = data.queries
    single = latency(one, list(queries))
    asked = int(single["queries"])
    figures = {
        "name": name,
        **single,
        "recall": data.recall([one(query) for query in queries[: min(asked, 100)]], data.truth["all"]),
        "batch": throughput(many, queries, single["p50_ms"]),
    }
    if filtered:
        found = [filtered(query) for query in queries[: min(asked, 100)]]
        mask = FILTERS["1 %"](np.arange(len(data.vectors)))
        assert all(mask[rows].all() for rows in found), "the filter let others pass"
        figures["1 %"] = latency(filtered, list(queries)) | {"recall": data.recall(found, data.truth["1 %"])}
    report.note(variants=[*report.get("variants", []), figures])
    return figures


def in_memory(data: Data, rows: Sequence[int]) -> Rows:
    """Fetch text and metadata of hits where a peer keeps none."""
    found = [(int(row), data.texts[row], metadata(int(row))) for row in rows]
    return [row for row, _, _ in found]


def sentence_transformers(data: Data, folder: Path, report: Report, deadline: Deadline) -> None:
    import torch
    from sentence_transformers import util

    with report.timed("insert_s"):
        corpus = torch.from_numpy(np.array(data.vectors))
    report.note(insert="a tensor in memory, lost with the process")

    def ask(score) -> Callable[[np.ndarray], list[Rows]]:
        def answers(queries: np.ndarray) -> list[Rows]:
            found = util.semantic_search(torch.from_numpy(queries), corpus, top_k=K, score_function=score)
            return [in_memory(data, [hit["corpus_id"] for hit in hits]) for hits in found]

        return answers

    for name, score in (("cos_sim (its default)", util.cos_sim), ("dot_score", util.dot_score)):
        many = ask(score)
        measure(data, report, f"util.semantic_search, {name}", lambda query, many=many: many(query[None])[0], many)


def faiss_flat(data: Data, folder: Path, report: Report, deadline: Deadline) -> None:
    import faiss

    index = faiss.IndexFlatIP(data.vectors.shape[1])
    with report.timed("insert_s"):
        index.add(np.ascontiguousarray(data.vectors))
    report.note(insert="in memory, lost with the process")
    _ask_faiss(data, report, "IndexFlatIP", index)


def faiss_hnsw(data: Data, folder: Path, report: Report, deadline: Deadline) -> None:
    import faiss

    index = faiss.IndexHNSWFlat(data.vectors.shape[1], 32, faiss.METRIC_INNER_PRODUCT)
    total = len(data.vectors)
    with report.timed("insert_s"):
        for rows in spans(total, 5000):
            index.add(np.ascontiguousarray(data.vectors[rows.start : rows.stop]))
            deadline.check(rows.stop, total)
    report.note(insert="in memory, lost with the process")
    index.hnsw.efSearch = 16
    while data.recall(index.search(data.queries, K)[1], data.truth["all"]) < GOOD and index.hnsw.efSearch < HARD:
        index.hnsw.efSearch *= 2
    _ask_faiss(data, report, f"IndexHNSWFlat, M=32, efSearch={index.hnsw.efSearch}", index)


def _ask_faiss(data: Data, report: Report, name: str, index) -> None:
    def many(queries: np.ndarray) -> list[Rows]:
        return [in_memory(data, rows) for rows in index.search(queries, K)[1]]

    measure(data, report, name, lambda query: many(query[None])[0], many)


def chroma(data: Data, folder: Path, report: Report, deadline: Deadline) -> None:
    import chromadb

    client = chromadb.PersistentClient(str(folder), settings=chromadb.Settings(anonymized_telemetry=False))
    texts = client.create_collection("texts", embedding_function=None)
    total, size = len(data.vectors), client.get_max_batch_size()
    with report.timed("insert_s"):
        for rows in spans(total, size):
            texts.add(
                ids=[str(row) for row in rows],
                embeddings=data.vectors[rows.start : rows.stop],
                documents=data.texts[rows.start : rows.stop],
                metadatas=[metadata(row) for row in rows],
            )
            deadline.check(rows.stop, total)
        texts.query(query_embeddings=data.queries[:1], n_results=K)
    report.note(insert=f"stored, batches of {size:,}, to the first answer")

    def many(queries: np.ndarray, **options) -> list[Rows]:
        found = texts.query(
            query_embeddings=queries, n_results=K, include=["documents", "metadatas", "distances"], **options
        )
        return [[int(id_) for id_ in ids] for ids in found["ids"]]

    where = {"hundredth": 7}
    one = lambda query: many(query[None])[0]  # noqa: E731
    measure(data, report, "its defaults (hnsw)", one, many, lambda query: many(query[None], where=where)[0])


def lancedb(data: Data, folder: Path, report: Report, deadline: Deadline) -> None:
    import lancedb as lance
    import pyarrow as pa

    def rows_of(rows: range) -> pa.Table:
        flat = pa.array(np.ascontiguousarray(data.vectors[rows.start : rows.stop]).ravel())
        return pa.table(
            {
                "id": list(rows),
                "vector": pa.FixedSizeListArray.from_arrays(flat, data.vectors.shape[1]),
                "text": data.texts[rows.start : rows.stop],
                **{name: [metadata(row)[name] for row in rows] for name in metadata(0)},
            }
        )

    total = len(data.vectors)
    first, *others = spans(total, 20_000)
    with report.timed("insert_s"):
        table = lance.connect(str(folder)).create_table("texts", rows_of(first))
        for rows in others:
            table.add(rows_of(rows))
            deadline.check(rows.stop, total)
    report.note(insert="stored, batches of 20,000")

    def ask(**options: int) -> tuple[Callable, Callable, Callable]:
        def found(queries: np.ndarray, where: str | None = None) -> list[dict]:
            asked = table.search(queries).limit(K)
            for name, value in options.items():
                asked = getattr(asked, name)(value)
            return (asked.where(where) if where else asked).to_list()

        def many(queries: np.ndarray) -> list[Rows]:
            answers: list[Rows] = [[] for _ in queries]
            for hit in found(queries):
                answers[hit.get("query_index", 0)].append(hit["id"])
            return answers

        return (
            lambda query: [hit["id"] for hit in found(query)],
            many,
            lambda query: [hit["id"] for hit in found(query, "hundredth = 7")],
        )

    measure(data, report, "no index (its default), looks at all", *ask())
    say("  building its index")
    with report.timed("build_s"):
        from lancedb.index import IvfPq

        table.create_index("vector", config=IvfPq())
    measure(data, report, "IVF_PQ, defaults", *ask())
    for nprobes, refine in ((20, 10), (50, 20), (100, 50), (200, 100)):
        one, many, filtered = ask(nprobes=nprobes, refine_factor=refine)
        if data.recall([one(query) for query in data.queries[:50]], data.truth["all"]) >= GOOD:
            break
    measure(data, report, f"IVF_PQ, nprobes={nprobes}, refine_factor={refine}", one, many, filtered)


ENGINES: dict[str, tuple[Callable[[Data, Path, Report, Deadline], None], tuple[str, ...]]] = {
    "sentence-transformers": (sentence_transformers, ("sentence_transformers", "torch")),
    "faiss-flat": (faiss_flat, ("faiss",)),
    "lancedb": (lancedb, ("lancedb",)),
    "chroma": (chroma, ("chromadb",)),
    "faiss-hnsw": (faiss_hnsw, ("faiss",)),
}
"""What measures, and the modules that it needs."""

if __name__ == "__main__":
    engine, source, folder, result, seconds = sys.argv[1:]
    measured, modules = ENGINES[engine]
    report, data = Report(Path(result)), Data(Path(source))
    for module in modules:
        __import__(module)
    names = {name: packages.packages_distributions().get(name, [name])[0] for name in modules}
    report.note(versions={name: packages.version(name) for name in names.values()})
    len(data.texts), data.vectors.sum(axis=1)  # all of it is read before the clock starts
    try:
        measured(data, Path(folder), report, Deadline(float(seconds)))
    except Unfinished as error:
        report.note(unfinished=str(error))
