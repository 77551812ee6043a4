"""Run by test_forks.py: threads that never rest, and forks in the middle of it. Prints what the children met."""

from __future__ import annotations

import collections
import functools
import os
import signal
import sys
import tempfile
import threading
import warnings

import numpy as np

import nearsense as ns
from nearsense import guard, index
from nearsense.mining import mine, nearest

TEXTS = [f"note number {number} about topic {number % 17}" for number in range(300)]


def work_of(kind):
    collection = ns.open(tempfile.mkdtemp() + "/c")
    rows = np.random.default_rng(0).normal(size=(300, 384)).astype(np.float32)
    collection.add(TEXTS, vectors=rows)
    many = np.random.default_rng(1).normal(size=(2500, 64)).astype(np.float32)
    many /= np.linalg.norm(many, axis=1, keepdims=True)
    faq = functools.cache(lambda: ns.FAQ([{"question": text, "answer": "An answer."} for text in TEXTS[:40]]))
    new = iter(range(10**9))
    return {
        "add": lambda: collection.add([ns.Document(f"{os.getpid()}-{next(new)}", "x")], vectors=rows[:1]),
        "sync": lambda: collection.sync([ns.Document("0", f"text {next(new) % 7}")], remove=False),
        "delete": lambda: collection.delete(f"none {next(new)}"),
        "search_vectors": lambda: collection.nearest(rows[:3], k=3),
        "search": lambda: collection.search(TEXTS[next(new) % 300], k=3),
        "hybrid": lambda: collection.search(f"question {next(new)}", k=3, mode="hybrid"),
        "similar": lambda: collection.similar("7", k=3),
        "get": lambda: collection.get(["1", "2"]),
        "info": collection.info,
        "build": collection.build,
        "reembed": lambda: collection.reembed("all-MiniLM-L6-v2", long=("chunk", "head")[next(new) % 2]),
        "encode": lambda: ns.load().encode([f"text {next(new)}" for _ in range(40)]),
        "compare": lambda: ns.compare("The price rises by 5 %.", f"The price falls by {next(new)} %."),
        "rank": lambda: ns.rank("a note", TEXTS[:20]),
        "duplicates": lambda: ns.duplicates(TEXTS[:60]),
        "matrix": lambda: ns.matrix(TEXTS[:40]),
        "explain": lambda: ns.explain("The price rises by 5 %.", f"The price falls by {next(new)} %."),
        "guard": lambda: guard.differences_many([f"{next(new)} rooms"] * 20, ["no room", "2 rooms"] * 10),
        "mine": lambda: mine(many, 0.3),
        "nearest": lambda: nearest(many, 5),
        "cluster": lambda: ns.cluster(TEXTS[:60]),
        "map": lambda: ns.map(TEXTS[:60]),
        "kmeans": lambda: index.kmeans(many, 20),
        "index": lambda: index.build("ivf-flat", index.ArrayRows(many)).search(many[:100], 5),
        "multiply": lambda: rows @ rows.T,
        "answer": lambda: faq().answer(f"note number {next(new) % 50}?"),
    }[kind]


def main(kind, forks):
    warnings.simplefilter("ignore")
    work = work_of(kind)
    if kind not in ("reembed", "build"):
        work()
    stop, met = threading.Event(), collections.Counter()

    def never_rest():
        while not stop.is_set():
            work()

    threads = [threading.Thread(target=never_rest) for _ in range(2)]
    for thread in threads:
        thread.start()
    for _ in range(forks):
        child = os.fork()
        if child == 0:
            signal.alarm(60)
            try:
                work()
            except ns.errors.NearsenseError:
                os._exit(1)
            except BaseException as error:
                print(repr(error), flush=True)
                os._exit(2)
            os._exit(0)
        met[os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])] += 1
    stop.set()
    for thread in threads:
        thread.join()
    print(f"served {met[0]} refused {met[1]} of {forks}: {dict(met)}", flush=True)
    os._exit(0 if met[0] + met[1] == forks else 3)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
