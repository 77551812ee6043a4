"""Collections beside their peers: the same texts, vectors and queries, in one run, each engine in its own process.

    python benchmarks/bench_search.py --cache FOLDER --prepare
    python benchmarks/bench_search.py --cache FOLDER [--sizes 100000,1000000] [--only nearsense,faiss-flat]
                                      [--peer-python VENV/bin/python] [--json benchmarks/results/search.json]

The texts are those of the evaluation data (NEARSENSE_DATA, or ../shared/data): real, distinct, in a random
order, encoded by the default model. Where there are fewer than a size wants, the rest are two random real ones,
joined. `--prepare` encodes all of them once into the cache folder and measures nothing; an interrupted run goes
on. Without that a run encodes the real ones that it needs, and vectors of joined ones that are not in the cache
are the mean of two vectors and some noise; the table says which. The 300 queries are real questions that are not
stored.

chroma and lancedb are measured by the Python that `--peer-python` names, an environment of their own:

    python -m venv peers && peers/bin/pip install chromadb lancedb numpy

Files lie in the page cache when processes start: disks are measured only where insertion and changes wait for
one. Latencies are those of one query after the other, with text and metadata of ten hits fetched: medians of up
to three rounds of 300 queries, of fewer where five seconds do not suffice. Recall@10 counts another row that is
as near as the tenth as found. Inserting and building may take a peer `--limit` seconds, and everything
`--minutes`; what does not fit is named. One million documents take up to 16 GiB of memory, and 20 GB in a folder
inside `--temp` that is removed. The goals are those at 1,000,000 documents; smaller sizes are held against them
in brackets.
"""

from __future__ import annotations

import argparse
import ast
import json
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from machine import machine
from peers import ENGINES
from search_data import Vectors, prepare, real_texts, say
from search_table import judged, show
from search_timing import commit_ms

HERE = Path(__file__).resolve().parent
ELSEWHERE = ("chroma", "lancedb")
STARTS = 5
DISK = 20_000
"""Bytes on the disk that a document may need while it is measured."""


class Runner:
    """Runs one step after the other, each a process of its own, until the time is over."""

    def __init__(self, folder: Path, minutes: float) -> None:
        self.folder, self.end = folder, time.monotonic() + 60 * minutes
        path = os.pathsep.join(filter(None, (str(HERE), os.environ.get("PYTHONPATH"))))
        quiet = {"NEARSENSE_CACHE_MB": "0", "HF_HUB_OFFLINE": "1", "ANONYMIZED_TELEMETRY": "False"}
        self._environment = os.environ | quiet | {"TMPDIR": str(folder), "PYTHONPATH": path}

    def left(self) -> float:
        return self.end - time.monotonic()

    def run(self, name: str, command: list[object], seconds: float = 3600) -> dict:
        """The figures that the process left; why there are no more of them is `failed`."""
        if self.left() < 5:
            return {"failed": "no time was left"}
        result = self.folder / "result.json"
        result.unlink(missing_ok=True)
        say(f"{name} ({self.left():.0f} s left)")
        words = [str(word) for word in command]
        load = os.getloadavg()[0]
        with subprocess.Popen(words, env=self._environment, stdout=sys.stderr) as process:
            try:
                code = process.wait(min(seconds, self.left()))
                failed = f"it ended with {code}; the messages say why" if code else None
            except subprocess.TimeoutExpired:
                failed = "it took too long"
            finally:
                process.kill()
        figures = json.loads(result.read_text()) if result.exists() else {}
        return figures | {"load_before": load} | ({"failed": failed} if failed else {})


def nearsense(runner: Runner, size: int) -> dict:
    """All steps, and medians of those that are repeated."""
    step = [sys.executable, HERE / "search_nearsense.py"]
    figures: dict = {"steps": {}}
    rounds = 3 if size <= 100_000 else 1
    collection = runner.folder / "texts.nearsense"

    def run(name: str, count: int = 1) -> dict:
        each = []
        for number in range(count):
            if name == "insert":
                shutil.rmtree(collection, ignore_errors=True)
            title = f"nearsense, {name}" + (f", {number + 1} of {count}" if count > 1 else "")
            each.append(runner.run(title, [*step, name, runner.folder, collection, runner.folder / "result.json"]))
        figures["steps"][name] = each
        each = [one for one in each if "failed" not in one] or each
        return {
            key: statistics.median(one[key] for one in each) if isinstance(value, float) else value
            for key, value in each[0].items()
            if all(key in one for one in each)
        }

    figures |= run("insert", rounds)
    _read_all(collection)
    for name in ("start_with_vector", "start_with_text"):
        figures[name] = run(name, STARTS)
    for name in ("search", "change", "rebuild"):
        figures |= run(name)
    shutil.rmtree(collection, ignore_errors=True)
    failed = {name: why for name, each in figures["steps"].items() for one in each if (why := one.get("failed"))}
    figures.pop("failed", None)
    return figures | ({"failed": failed} if failed else {})


def _read_all(folder: Path) -> None:
    """Everything into the page cache."""
    for path in folder.rglob("*"):
        if path.is_file():
            with path.open("rb") as file:
                while file.read(1 << 24):
                    pass


def peer(runner: Runner, engine: str, python: Path, limit: float) -> dict:
    modules = ENGINES[engine][1]
    probe = f"import importlib.util as u; print(*[m for m in {modules} if not u.find_spec(m)])"
    try:
        missing = subprocess.run([python, "-c", probe], capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError) as error:
        return {"skipped": str(error)}
    if missing:
        return {"skipped": f"{python} has no {missing}"}
    own = runner.folder / engine
    own.mkdir()
    command = [python, HERE / "peers.py", engine, runner.folder, own, runner.folder / "result.json", limit]
    try:
        return runner.run(engine, command, limit + 150)
    finally:
        shutil.rmtree(own, ignore_errors=True)


def measure(arguments: argparse.Namespace) -> dict:
    began = time.monotonic()
    report = machine() | {
        "note": "files in the page cache; every engine in its own process",
        "limit_s": arguments.limit,
        "sizes": {},
    }
    for size in arguments.sizes:
        with tempfile.TemporaryDirectory(prefix="bench-search-", dir=arguments.temp) as name:
            folder = Path(name)
            if shutil.disk_usage(folder).free < DISK * size:
                sys.exit(f"{folder}: {DISK * size / 1e9:.0f} GB have to be free; name another folder by --temp")
            runner = Runner(folder, arguments.minutes - (time.monotonic() - began) / 60)
            report.setdefault("commit_ms", commit_ms(folder))
            each = report["sizes"][str(size)] = {"engines": {}}
            command = [sys.executable, HERE / "search_data.py", size, folder, arguments.cache or folder / "cache"]
            made = runner.run(f"{size:,} texts", command)
            if "failed" in made:
                say(f"{size:,} texts: {made['failed']}")
                each["failed"] = made["failed"]
                continue
            each["texts"] = made["made"]
            for engine in arguments.only:
                python = Path(arguments.peer_python if engine in ELSEWHERE else sys.executable)
                if engine == "nearsense":
                    figures = each["engines"][engine] = nearsense(runner, size)
                    each["bars"] = judged(figures, size)
                else:
                    each["engines"][engine] = peer(runner, engine, python, arguments.limit)
                report["minutes"] = (time.monotonic() - began) / 60
                write(report, arguments.json)
    return report


def write(report: dict, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(".tmp")
    draft.write_text(json.dumps(report, indent=2) + "\n")
    draft.replace(path)


def encode_all(sizes: list[int], cache: Path) -> None:
    """Fill the cache for these sizes."""
    held, real = real_texts()
    vectors = Vectors(cache)
    vectors.of(held, "queries")
    prepare(max(sizes), real, vectors, encode=True)


def arguments_given() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=ast.get_docstring(ast.parse(Path(__file__).read_text())),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    names = ["nearsense", *ENGINES]
    parser.add_argument(
        "--sizes", type=lambda text: [int(word) for word in text.split(",")], default="100000,1000000"
    )
    parser.add_argument("--only", type=lambda text: text.split(","), default=",".join(names))
    parser.add_argument("--cache", type=Path, help="folder for vectors; without it they are made anew")
    parser.add_argument("--prepare", action="store_true", help="only encode, into the cache")
    parser.add_argument("--temp", type=Path, help="where the temporary folder is made")
    parser.add_argument("--peer-python", default=sys.executable)
    parser.add_argument("--limit", type=float, default=100, help="seconds a peer may insert and build")
    parser.add_argument("--minutes", type=float, default=14.5, help="what all of it may take")
    parser.add_argument("--json", type=Path, default=HERE / "results" / "search.json")
    arguments = parser.parse_args()
    if unknown := set(arguments.only) - set(names):
        parser.error(f"--only knows {', '.join(names)}, not {', '.join(sorted(unknown))}")
    if arguments.prepare and not arguments.cache:
        parser.error("--prepare needs --cache FOLDER")
    return arguments


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # the temporary folder is removed on the way out
    given = arguments_given()
    if given.prepare:
        encode_all(given.sizes, given.cache)
    else:
        show(measure(given))
