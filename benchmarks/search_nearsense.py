"""What bench_search.py measures of nearsense: one step a process, so that nothing is warm that should not be.

python benchmarks/search_nearsense.py STEP DATA COLLECTION RESULT
"""

from __future__ import annotations

import shutil
import statistics
import sys
import time
from pathlib import Path

import numpy as np
from search_data import FILTERS, Data, K, metadata, say
from search_timing import Report, latency, throughput

CHANGES = 30


def memory_mb() -> float:
    """Resident and not of a mapped file: VmRSS less RssFile."""
    lines = (line.split() for line in Path("/proc/self/status").read_text().splitlines())
    sizes = {words[0]: int(words[1]) for words in lines if words[0] in {"VmRSS:", "RssFile:"}}
    return (sizes["VmRSS:"] - sizes["RssFile:"]) / 1024


def insert(data: Data, path: Path, report: Report) -> None:
    import nearsense as ns

    documents = [ns.Document(str(row), text, metadata(row)) for row, text in enumerate(data.texts)]
    vectors = np.array(data.vectors)
    with ns.open(path) as collection:
        say("  inserting")
        start = time.perf_counter()
        collection.add(documents, vectors=vectors)
        taken = time.perf_counter() - start
        report.note(insert_s=taken, insert_docs_per_second=len(documents) / taken)
        del documents, vectors
        say("  building")
        with report.timed("build_s"):
            collection.build()
        info = collection.info()
        report.note(index=info.index, own_recall=info.recall, size_mb=info.size / 2**20)


def start_with_vector(data: Data, path: Path, report: Report) -> None:
    """Import, open and the first answer, the model left alone."""
    query = data.queries[:1]
    _start(report, lambda collection: collection.nearest(query), path)


def start_with_text(data: Data, path: Path, report: Report) -> None:
    """The same for a query in words: the model is loaded, too."""
    query = data.query_texts[0]
    _start(report, lambda collection: collection.search(query), path)


def _start(report: Report, ask, path: Path) -> None:
    first = time.perf_counter()
    import nearsense as ns

    start = time.perf_counter()
    collection = ns.open(path, create=False)
    opened = time.perf_counter()
    ask(collection)
    answered = time.perf_counter()
    report.note(import_s=start - first, open_s=opened - start, first_answer_s=answered - start)
    collection.close()


def search(data: Data, path: Path, report: Report) -> None:
    import nearsense as ns

    queries, words = list(data.queries), data.query_texts
    where = {"all": None, "1 %": {"hundredth": 7}, "25 %": {"n": {"<": len(data.vectors) // 4}}}
    with ns.open(path, create=False) as collection:

        def rows(**options) -> list[list[int]]:
            found = collection.nearest(data.queries, K, **options)
            return [[int(hit.id) for hit in hits] for hits in found]

        def kind(name: str, ask, asked=queries) -> None:
            say(f"  {name}")
            report.note(**{name: latency(ask, asked)})
            memory[name] = memory_mb()

        memory = {"opened": memory_mb()}
        for name, passes in where.items():
            kind(name, lambda query, passes=passes: collection.nearest(query[None], K, where=passes))
        kind("exact", lambda query: collection.nearest(query[None], K, exact=True))
        report.note(batch=throughput(lambda some: collection.nearest(np.array(some), K), queries, 1))
        memory["batch"] = memory_mb()
        kind("lexical", lambda text: collection.search(text, K, mode="lexical"), words)
        kind("hybrid", lambda text: collection.search(text, K, mode="hybrid"), words)
        kind("text", lambda text: collection.search(text, K), words)
        report.note(text_batch=throughput(lambda some: collection.search_many(some, K), words, 1))
        memory["text_batch"] = memory_mb()
        report.note(memory_mb=max(memory.values()), memory_mb_after=memory)
        say("  recall")
        everywhere = np.arange(len(data.vectors))
        for name, passes in where.items():
            exact, found = rows(where=passes, exact=True), rows(where=passes)
            mask = FILTERS[name](everywhere)
            assert all(mask[each].all() for each in (*exact, *found)), f"a filter of {name} let others pass"
            report[name]["recall"] = data.recall(found, data.least(exact))
            report[name]["recall_of_exact"] = data.recall(exact, data.truth[name])
        report.note()


def change(data: Data, path: Path, report: Report) -> None:
    """Add, find, delete, and never find again; the time of each."""
    import nearsense as ns

    taken: dict[str, list[float]] = {"add": [], "search_after": [], "delete": []}

    def clock(name: str, action):
        start = time.perf_counter()
        result = action()
        taken[name].append(time.perf_counter() - start)
        return result

    with ns.open(path, create=False) as collection:
        before = len(collection)

        def found(query: np.ndarray, **options) -> list[str]:
            return [hit.id for hit in collection.nearest(query[None], K, **options)[0]]

        found(data.queries[0])
        for number, query in enumerate(data.queries[:CHANGES]):
            document = ns.Document(f"new {number}", f"a new text, {number} zyzzyva", metadata(number))
            clock("add", lambda one=document, of=query: collection.add([one], vectors=of[None]))
            hits = clock("search_after", lambda of=query: found(of))
            assert hits[0] == document.id, f"{document.id} was added and is not found: {hits}"
        words = [hit.id for hit in collection.search("zyzzyva", CHANGES, mode="lexical")]
        assert len(words) == CHANGES, f"{CHANGES} were added, {len(words)} are found by a word"
        after = latency(found, list(data.queries))
        gone: set[str] = set()
        for number, query in enumerate(data.queries[:CHANGES]):
            stored = next(hit for hit in found(query) if not hit.startswith("new"))
            for id_ in (f"new {number}", stored):
                clock("delete", lambda id_=id_: collection.delete(id_))
                gone.add(id_)
                assert collection.get(id_) == [None], f"{id_} was deleted and is there"
            assert not gone & set(found(query)), "a deleted document is found"
        _require_gone(collection, data, gone)
    with ns.open(path, create=False) as collection:
        _require_gone(collection, data, gone)
        assert len(collection) == before + CHANGES - len(gone), f"{len(collection)} documents are left"
    report.note(**{name: statistics.median(each) * 1000 for name, each in taken.items()}, latency_after=after)


def _require_gone(collection, data: Data, gone: set[str]) -> None:
    for exact in (False, True):
        for hits in collection.nearest(data.queries[:CHANGES], K, exact=exact):
            assert not gone & {hit.id for hit in hits}, "a deleted document is found"
    for mode in ("lexical", "hybrid"):
        for hits in collection.search_many(data.query_texts[:CHANGES], K, mode=mode):
            assert not gone & {hit.id for hit in hits}, f"a deleted document is found ({mode})"


def rebuild(data: Data, path: Path, report: Report) -> None:
    """Everything that is derived is thrown away and made from the database."""
    import nearsense as ns

    def answers(collection) -> list[list[str]]:
        return [[hit.id for hit in hits] for hits in collection.nearest(data.queries, K)]

    with ns.open(path, create=False) as collection:
        before = answers(collection)
    shutil.rmtree(path / "generations")
    with ns.open(path, create=False) as collection:
        with report.timed("rebuild_s"):
            collection.build()
        after = answers(collection)
    same = [len(set(a) & set(b)) / K for a, b in zip(before, after, strict=True)]
    report.note(same_answers=statistics.mean(same))


STEPS = {step.__name__: step for step in (insert, start_with_vector, start_with_text, search, change, rebuild)}

if __name__ == "__main__":
    step, data, collection, result = sys.argv[1:]
    STEPS[step](Data(Path(data)), Path(collection), Report(Path(result)))
