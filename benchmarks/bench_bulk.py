"""Bulk encoding: one process, several undisturbed, several of which one is killed every few seconds.

    python benchmarks/bench_bulk.py --texts 200000 --shards 40 --ray auto

Of the disturbed run one shard holds a text that ends its worker, always. Beside the seconds stand those of the
processors that the run had (but for actors of Ray), which others on the machine change less; and the load average.
`--every` is in seconds, `--each` in texts that are done: the same work is lost then, whatever else the machine
does. 5,000 are what two free cores encode in five seconds. `--runs rates` are the rates of one core for
docs/scale.md, `--runs recall` is what share of near pairs is found in 20 cells.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import shutil
import signal
import sys
import threading
import time
from pathlib import Path
from tempfile import mkdtemp

from nearsense import bulk
from nearsense.bulk import run as running

ROOT = Path(__file__).parents[1]
POISON = "a text that ends who reads it"


def questions(count: int) -> list[str]:
    """So many different short texts: questions of people, with a number."""
    file = Path(os.environ.get("NEARSENSE_DATA", ROOT.parent / "shared/data")) / "quora/dev.jsonl.gz"
    with gzip.open(file, "rt", encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    cells = (value for row in rows for value in row.values() if isinstance(value, str) and " " in value)
    known = list(dict.fromkeys(cells))
    return [f"{known[row % len(known)]} {row // len(known) or ''}".strip() for row in range(count)]


def write(folder: Path, texts: list[str], shards: int, poison: bool) -> None:
    import pyarrow
    import pyarrow.parquet

    folder.mkdir()
    per = -(-len(texts) // shards)
    for number in range(shards):
        own = texts[number * per : (number + 1) * per]
        if poison and number == shards // 2:
            own = [*own[:-1], POISON]
        names = [f"{number}-{row}" for row in range(len(own))]
        pyarrow.parquet.write_table(pyarrow.table({"id": names, "text": own}), folder / f"{number:04d}.parquet")


class Killer(threading.Thread):
    """Ends the process of a worker now and then, in turn."""

    def __init__(self, output: Path, every: float, each: int | None) -> None:
        super().__init__(daemon=True)
        self._output, self._every, self._each = output, every, each
        self.over, self.kills = threading.Event(), 0

    def run(self) -> None:
        last, at = time.monotonic(), 0
        while not self.over.wait(0.1):
            files = list((self._output / "status").glob("*.json"))
            try:
                known = json.loads(files[0].read_text()) if files else {"running": [], "done": 0}
            except (OSError, ValueError):
                continue
            due = (
                time.monotonic() >= last + self._every if self._each is None else known["done"] >= at + self._each
            )
            work = [each for each in known["running"] if each["step"] == "encode" and each["process"]]
            if not due or not work:
                continue
            try:
                os.kill(sorted(each["process"] for each in work)[self.kills % len(work)], signal.SIGKILL)
                self.kills += 1
                last, at = time.monotonic(), known["done"]
            except ProcessLookupError:
                continue


def processor_seconds() -> float:
    """What this process and all that descend from it had of the processors, those that ended included."""
    found: dict[int, tuple[int, float]] = {}
    for each in Path("/proc").glob("[0-9]*/stat"):
        try:
            name, _, rest = each.read_text().rpartition(")")
        except OSError:
            continue
        fields = rest.split()
        found[int(name.split()[0])] = int(fields[1]), sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")
    own = {os.getpid()}
    while more := {process for process, (parent, _) in found.items() if parent in own} - own:
        own |= more
    return sum(found[process][1] for process in own if process in found)


def timed(name: str, source: Path, output: Path, **options) -> dict:
    begin, used = time.monotonic(), processor_seconds()
    done = bulk.encode(str(source), str(output), **options)
    seconds = time.monotonic() - begin
    figures = {
        "run": name,
        "seconds": round(seconds, 1),
        "texts_per_second": round(done.rows / seconds),
        "rows": done.rows,
        "parts": done.parts,
        "quarantined": len(done.quarantined),
        "processor_seconds": round(processor_seconds() - used, 1),
        "load": round(os.getloadavg()[0], 1),
    }
    print(json.dumps(figures), flush=True)
    return figures


def exact(output: Path, source: Path, lost: set[str]) -> bool:
    """Whether each row of the input, but for shards that are left out, is in one part once."""
    import pyarrow.parquet

    known = json.loads((output / "_manifest.json").read_text())
    found: list[str] = []
    for name in known["files"]:
        found += pyarrow.parquet.read_table(output / name, columns=["id"]).column("id").to_pylist()
    files = [each for each in sorted(source.glob("*.parquet")) if each.name not in lost]
    truth = [id_ for each in files for id_ in pyarrow.parquet.read_table(each).column("id").to_pylist()]
    return sorted(found) == sorted(truth)


def rates() -> None:
    """What one core does a second, in seconds of the processor."""
    import numpy as np

    from nearsense.clustering.geometry import group_sums, nearest_two
    from nearsense.mining import mine
    from nearsense.text import content_hash
    from nearsense.wording import normal_form

    rows = np.random.default_rng(0).normal(size=(32_768, 384)).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    texts = questions(50_000)
    begin = time.process_time()

    def lap(what: str, count: float) -> None:
        nonlocal begin
        print(f"{what}: {count / (time.process_time() - begin):,.0f} a second of one core", flush=True)
        begin = time.process_time()

    mine(rows, 0.8, threads=1)
    lap("pairs compared", len(rows) ** 2 / 2)
    labels, _, _ = nearest_two(rows, rows[:1000])
    group_sums(rows, labels, 1000)
    lap("rows added to 1,000 clusters", len(rows))
    np.argpartition(rows @ rows[:3000].T, -4, axis=1)
    lap("rows put into 3,000 cells", len(rows))
    for text in texts:
        content_hash(text), content_hash(normal_form(text))
    lap("texts hashed", len(texts))


def recall(count: int, cells: int) -> None:
    """What share of near pairs is found in so many cells: of people's questions, by the default model."""
    from nearsense.bulk import mining

    mining.CELL = max(1, count // cells)
    base = Path(mkdtemp(prefix="bench-bulk-"))
    try:
        write(base / "texts", questions(count), 8, poison=False)
        bulk.encode(str(base / "texts"), str(base / "encoded"), workers=0)
        for score in (0.8, 0.9, 0.95):
            begin = time.monotonic()
            done = bulk.dedupe(str(base / "encoded"), str(base / f"{score}"), min_score=score, workers=0)
            print(f"score {score}: {done}; {time.monotonic() - begin:.0f} s", flush=True)
    finally:
        shutil.rmtree(base, ignore_errors=True)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--texts", type=int, default=20_000)
    parser.add_argument("--shards", type=int, default=40)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--ray", help="auto, or an address; processes of this machine without it")
    parser.add_argument("--every", type=float, default=5.0, help="seconds between two kills")
    parser.add_argument("--each", type=int, help="texts between two kills instead")
    parser.add_argument("--runs", default="one,undisturbed,disturbed")
    parser.add_argument("-o", "--output", help="a file for the figures")
    given = parser.parse_args()
    if given.runs == "rates":
        rates()
        return
    if given.runs == "recall":
        recall(given.texts, 20)
        return
    running.BEAT = 0.5  # the killer reads there who is at work
    base = Path(mkdtemp(prefix="bench-bulk-"))
    texts = questions(given.texts)
    write(base / "texts", texts, given.shards, poison=False)
    write(base / "poisoned", texts, given.shards, poison=True)
    many = {"workers": given.workers, "ray": given.ray}
    results = []
    try:
        if "one" in given.runs.split(","):
            results.append(timed("one process", base / "texts", base / "one", workers=0))
        if "undisturbed" in given.runs.split(","):
            results.append(timed("undisturbed", base / "texts", base / "undisturbed", **many))
            assert exact(base / "undisturbed", base / "texts", set())
        if "disturbed" in given.runs.split(","):
            os.environ["PYTHONPATH"] = os.pathsep.join([str(ROOT / "tests/bulk/faults"), *filter(None, sys.path)])
            os.environ["NEARSENSE_TEST_POISON"] = POISON
            killer = Killer(base / "disturbed", given.every, given.each)
            killer.start()
            figures = timed("disturbed", base / "poisoned", base / "disturbed", **many)
            killer.over.set()
            lost = {f"{given.shards // 2:04d}.parquet"}
            figures |= {"kills": killer.kills, "exactly_once": exact(base / "disturbed", base / "poisoned", lost)}
            results.append(figures)
            print(json.dumps(figures), flush=True)
        by_name = {each["run"]: each for each in results}
        for name, other in (("one process", "undisturbed"), ("undisturbed", "disturbed")):
            if name in by_name and other in by_name:
                kinds = ("seconds", "processor_seconds")
                ratios = (f"{by_name[other][kind] / by_name[name][kind]:.2f} of the {kind}" for kind in kinds)
                print(f"{other} / {name}: {', '.join(ratios)}")
        if given.output:
            Path(given.output).write_text(json.dumps({"arguments": vars(given), "runs": results}, indent=1) + "\n")
    finally:
        shutil.rmtree(base, ignore_errors=True)


if __name__ == "__main__":
    main()
