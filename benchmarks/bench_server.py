"""What the server takes: throughput, waiting, overload, mixed requests for long. wrk loads it from outside.

    apt-get install wrk
    python benchmarks/bench_server.py [throughput] [search] [overload] [mixed] [--seconds 15] [--minutes 5]

Bars: /v1/embeddings with one text a request at 32 connections does 35 % of what the library does in one call with
the same texts (aim: 60 %); search in 100,000 documents 150 requests a second with 99 % within 150 ms; at ten times
the connections who is refused (429) knows it within 50 ms, and who is accepted waits less than twice as long; a
mixed load with 1 % garbage leaves the memory as it was, and loses no acknowledged document. wrk shares the
processor with the server. No text is asked twice but in `mixed`, and no vector is known from a run before. The
index of the documents that are searched is complete (`Collection.build`).

wrk tells how long requests take, not which of them were refused: under overload a probe beside it, a few requests
at a time, tells that by status.
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from machine import processor

import nearsense as ns

KEPT = 100
"""Documents of its own that a client of the mixed load leaves in the collection, which so keeps its size."""

PARTS = ("throughput", "search", "overload", "mixed")
WORDS = [
    "parcel", "refund", "login", "screen", "invoice", "password", "gift", "card", "shipping", "return",
    "order", "late", "broken", "blue", "error", "account", "dashboard", "export", "payment", "address",
    "warranty", "price", "discount", "update", "printer", "window", "battery", "cable", "manual", "shop",
    "delivery", "customer", "service", "phone", "email", "website", "cart", "basket", "size", "color", "sold",
    "out", "promise", "signature", "courier",
]  # fmt: skip
FRAMES = (
    "how do I {}",
    "my {} is not here",
    "where can I find {}",
    "{} does not work any more",
    "about {} please",
)

LUA = """
local bodies = {}
local place, statuses = 0, {}
function setup(thread)
  table.insert(threads, thread)
  thread:set("number", #threads)
end
threads = {}
function init(args)
  for line in io.lines("@BODIES@") do bodies[#bodies + 1] = line end
  place = math.floor(#bodies * (number - 1) / @THREADS@)
  wrk.method = "POST"
  wrk.headers["Content-Type"] = "application/json"
end
counted = ""
function request()
  place = place % #bodies + 1
  return wrk.format(nil, nil, nil, bodies[place])
end
function response(status)
  statuses[status] = (statuses[status] or 0) + 1
  if status ~= 200 or statuses[200] % 50 == 0 then
    counted = ""
    for name, times in pairs(statuses) do counted = counted .. name .. "=" .. times .. " " end
  end
end
function done(summary, latency)
  io.write(string.format("RESULT %d %d %d %d %d ", summary.requests, summary.duration, latency:percentile(50),
    latency:percentile(99), latency.max))
  local e = summary.errors
  io.write(string.format("%d ", e.connect + e.read + e.write + e.timeout))
  for _, thread in ipairs(threads) do io.write(thread:get("counted")) end
  io.write("\\n")
end
"""


def sentence(chance: random.Random) -> str:
    """A question of some 14 tokens; that two are the same does not happen."""
    return chance.choice(FRAMES).format(" ".join(chance.choices(WORDS, k=8)))


@dataclass
class Server:
    """`nearsense serve` in a process of its own."""

    process: subprocess.Popen[str]
    port: int
    lines: list[str] = field(default_factory=list)

    def memory(self) -> float:
        """Resident MB."""
        status = Path(f"/proc/{self.process.pid}/status").read_text("utf-8")
        return int(re.search(r"VmRSS:\s+(\d+)", status)[1]) / 1024  # type: ignore[index]

    def cpu(self) -> float:
        """Seconds of the processor so far."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text("utf-8").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def ask(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        """Status and body of a response."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)
        raw = None if body is None else json.dumps(body)
        connection.request(method, path, raw, {"Content-Type": "application/json"})
        response = connection.getresponse()
        told = response.read()
        connection.close()
        return response.status, json.loads(told) if "json" in response.headers.get("content-type", "") else told


@contextlib.contextmanager
def serving(*what: str) -> Iterator[Server]:
    """A server, and its end by SIGTERM."""
    command = [sys.executable, "-m", "nearsense", "serve", *what, "--port", "0"]
    fresh = tempfile.TemporaryDirectory()  # vectors of a run before would be known
    process = subprocess.Popen(
        command, stderr=subprocess.PIPE, text=True, env={**os.environ, "NEARSENSE_CACHE_DIR": fresh.name}
    )
    assert process.stderr is not None
    server = Server(process, 0)
    for line in process.stderr:
        server.lines.append(line)
        if found := re.search(r"http://127\.0\.0\.1:(\d+)", line):
            server.port = int(found[1])
            break
    else:
        sys.exit("".join(server.lines))
    drain = threading.Thread(target=lambda: [None for _ in process.stderr or ()], daemon=True)
    drain.start()
    try:
        yield server
    finally:
        process.send_signal(signal.SIGTERM)
        code = process.wait(60)
        fresh.cleanup()
        if code != 0:
            print(f"the server ended with {code}")


@dataclass(frozen=True)
class Load:
    """What wrk tells: requests a second, milliseconds, statuses."""

    rate: float
    p50: float
    p99: float
    longest: float
    errors: int
    statuses: dict[int, int]


def load(server: Server, path: str, bodies: Sequence[dict[str, Any]], connections: int, seconds: float) -> Load:
    """Ask as fast as answers come, over some connections."""
    threads = min(2, connections)
    with tempfile.TemporaryDirectory() as folder:
        lines, script = Path(folder, "bodies.jsonl"), Path(folder, "load.lua")
        lines.write_text("".join(json.dumps(body) + "\n" for body in bodies), "utf-8")
        script.write_text(LUA.replace("@BODIES@", str(lines)).replace("@THREADS@", str(threads)), "utf-8")
        command = ["wrk", f"-t{threads}", f"-c{connections}", f"-d{max(1, round(seconds))}s", "--timeout", "30s"]
        command += ["-s", str(script), f"http://127.0.0.1:{server.port}{path}"]
        told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    found = next(line for line in told.splitlines() if line.startswith("RESULT")).split()[1:]
    requests, micros, p50, p99, longest, errors = map(int, found[:6])
    statuses: Counter[int] = Counter()
    for each in found[6:]:
        status, times = each.split("=")
        statuses[int(status)] += int(times)
    return Load(requests / micros * 1e6, p50 / 1e3, p99 / 1e3, longest / 1e3, errors, dict(statuses))


def probe(
    server: Server, path: str, bodies: Sequence[dict[str, Any]], until: threading.Event
) -> dict[int, list[float]]:
    """Milliseconds by status of a few requests at a time, asked while others load the server."""
    found: dict[int, list[float]] = defaultdict(list)

    def ask(own: Sequence[dict[str, Any]]) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
        for body in own:
            if until.is_set():
                break
            start = time.perf_counter()
            connection.request("POST", path, json.dumps(body), {"Content-Type": "application/json"})
            response = connection.getresponse()
            response.read()
            found[response.status].append((time.perf_counter() - start) * 1000)
            time.sleep(0.02)
        connection.close()

    threads = [threading.Thread(target=ask, args=(bodies[number::4],)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


def texts_of(count: int, seed: int) -> list[str]:
    """Texts that are asked once."""
    chance = random.Random(seed)
    return [sentence(chance) for _ in range(count)]


def embeddings(texts: Sequence[str]) -> list[dict[str, Any]]:
    """A request for each text."""
    return [{"model": "all-MiniLM-L6-v2", "input": text, "encoding_format": "base64"} for text in texts]


def library_rate(texts: Sequence[str]) -> float:
    """Texts a second of one call of the library, in a process of its own; the best of three."""
    code = (
        "import json, sys, time, nearsense as ns\n"
        "texts, encoder = json.load(sys.stdin), ns.load()\n"
        "def rate(texts):\n"
        "    start = time.perf_counter(); encoder.encode(texts)\n"
        "    return len(texts) / (time.perf_counter() - start)\n"
        "encoder.encode(texts[:500])\n"
        "some = texts[:max(500, int(3 * rate(texts[:500])))]\n"  # three seconds' worth
        "print(max(rate(some) for _ in range(3)))"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code], input=json.dumps(texts), capture_output=True, text=True, check=True
    )
    return float(ran.stdout)


def bench_throughput(options: argparse.Namespace) -> None:
    """Texts one by one over HTTP beside the library's one call."""
    texts = texts_of(40_000, 0)
    library = library_rate(texts[:4000])
    with serving() as server:
        load(server, "/v1/embeddings", embeddings(texts_of(2000, 1)), 32, 3)
        for connections in options.connections:
            begun = server.cpu()
            found = load(server, "/v1/embeddings", embeddings(texts), connections, options.seconds)
            share, cpu = found.rate / library, (server.cpu() - begun) / options.seconds
            print(
                f"embeddings, one text a request, {connections} connections: {found.rate:,.0f}/s = {share:.0%} of "
                f"the library's {library:,.0f}/s; p50 {found.p50:.0f} ms, p99 {found.p99:.0f} ms, longest "
                f"{found.longest:.0f} ms; {found.statuses}, {found.errors} errors; {cpu:.2f} cores"
            )
        check_vectors(server, texts[:24])


def check_vectors(server: Server, texts: Sequence[str]) -> None:
    """What came under load is what the library gives."""
    own = ns.load().encode(texts).data
    bodies = [{"model": "all-MiniLM-L6-v2", "input": text} for text in texts]
    found: list[Any] = [None] * len(texts)

    def ask(place: int) -> None:
        found[place] = server.ask("POST", "/v1/embeddings", bodies[place])[1]["data"][0]["embedding"]

    threads = [threading.Thread(target=ask, args=(place,)) for place in range(len(texts))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    least = float((np.array(found, np.float32) * own).sum(axis=1).min())
    print(f"least cosine to the library's vectors, asked at once: {least:.7f}")


def collection_of(folder: Path, count: int) -> Path:
    """A collection of made documents; made once for a folder."""
    path = folder / f"bench{count}.nearsense"
    if not path.exists():
        with ns.open(path) as collection:
            texts = texts_of(count, 2)
            for first in range(0, count, 20_000):
                part = enumerate(texts[first : first + 20_000], first)
                collection.add([ns.Document(id=str(number), text=text) for number, text in part])
            collection.build()
    return path


def bench_search(options: argparse.Namespace) -> None:
    """Search in many documents."""
    path = collection_of(options.folder, options.documents)
    name = path.name.split(".")[0]
    with serving(str(path)) as server:

        def bodies(seed: int) -> list[dict[str, Any]]:
            return [{"collection": name, "query": text, "k": 10} for text in texts_of(20_000, seed)]

        load(server, "/v1/search", bodies(3), 8, 3)
        for number, connections in enumerate((1, 4, 8, 16, 32)):
            begun = server.cpu()
            found = load(server, "/v1/search", bodies(4 + number), connections, options.seconds)
            print(
                f"search in {options.documents:,} documents, {connections} connections: {found.rate:,.0f}/s; p50 "
                f"{found.p50:.0f} ms, p99 {found.p99:.0f} ms; {found.statuses}, {found.errors} errors; "
                f"{(server.cpu() - begun) / options.seconds:.2f} cores"
            )


def percentile(values: Sequence[float], q: float) -> float:
    """Of milliseconds; not a number where there are none."""
    return float(np.percentile(values, q)) if values else float("nan")


def bench_overload(options: argparse.Namespace) -> None:
    """Ten times as many connections as it can take."""
    with serving() as server:
        load(server, "/v1/embeddings", embeddings(texts_of(2000, 1)), 32, 3)
        calm = 0.0
        for connections in (options.most, options.most * 10):
            over, before = threading.Event(), server.memory()
            told: dict[int, list[float]] = {}
            bodies = embeddings(texts_of(5000, 6))
            watch = threading.Thread(target=lambda: told.update(probe(server, "/v1/embeddings", bodies, over)))  # noqa: B023
            watch.start()
            found = load(server, "/v1/embeddings", embeddings(texts_of(40_000, 5)), connections, options.seconds)
            over.set()
            watch.join()
            accepted, refused = told.get(200, []), told.get(429, [])
            p99 = percentile(accepted, 99)
            calm = calm or p99
            print(
                f"{connections} connections: {found.rate:,.0f} responses/s {found.statuses}; probe: "
                f"{len(accepted)} accepted, p50 {percentile(accepted, 50):.0f} ms, p99 {p99:.0f} ms "
                f"({p99 / calm:.2f} times); "
                f"{len(refused)} refused, p50 {percentile(refused, 50):.0f} ms, p99 {percentile(refused, 99):.0f} "
                f"ms, longest {max(refused, default=0):.0f} ms; memory {before:.0f} -> {server.memory():.0f} MB"
            )


GARBAGE: list[tuple[str, str, str | bytes, dict[str, str]]] = [
    ("POST", "/v1/embeddings", "{", {}),
    ("POST", "/v1/embeddings", '{"input": [[1, 2]], "model": "all-MiniLM-L6-v2"}', {}),
    ("POST", "/v1/embeddings", b"\xff\xfe\x00", {}),
    ("POST", "/v1/search", '{"query": 7}', {}),
    ("POST", "/v1/search", "[" * 5000, {}),
    ("POST", "/v1/search", '{"query": "a", "where": {"x": {"$no": 1}}}', {}),
    ("GET", "/v1/../../etc/passwd", "", {}),
    ("PATCH", "/v1/embeddings", "", {}),
    ("GET", "/v1/collections/" + "x" * 3000, "", {}),
    ("POST", "/v1/embeddings", "a" * 1000, {"Content-Encoding": "gzip"}),
    ("POST", "/v1/embeddings", json.dumps({"input": "word " * 40_000, "model": "all-MiniLM-L6-v2"}), {}),
    ("GET", "/v1/health", "", {"X-Request-ID": "x" * 9000}),
]


def bench_mixed(options: argparse.Namespace) -> None:
    """Searches, embeddings, writes, batches and garbage for minutes: what is the memory then, and is all there?"""
    count = 20_000
    path = options.folder / "mixed.nearsense"
    shutil.rmtree(path, ignore_errors=True)
    shutil.copytree(collection_of(options.folder, count), path)
    over = threading.Event()
    statuses: Counter[str] = Counter()
    lock, written, deleted = threading.Lock(), set[str](), set[str]()

    def client(number: int, server: Server) -> None:
        chance = random.Random(number)
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=120)
        made = 0
        while not over.is_set():
            draw, headers, new, gone = chance.random(), {"Content-Type": "application/json"}, [], []
            if draw < 0.01:
                method, where, body, more = chance.choice(GARBAGE)
                headers |= more
            elif draw < 0.06:
                new = [f"{number}-{made + place}" for place in range(chance.randrange(1, 5))]
                made += len(new)
                documents = [{"id": each, "text": sentence(chance), "metadata": {"n": made}} for each in new]
                method, where, body = (
                    "POST",
                    "/v1/collections/mixed/documents",
                    json.dumps({"documents": documents}),
                )
            elif draw < 0.07 and (mine := [each for each in list(written) if each.startswith(f"{number}-")]):
                gone = chance.sample(mine, max(1, len(mine) - KEPT))
                method, where, body = "POST", "/v1/collections/mixed/delete", json.dumps({"ids": gone})
            elif draw < 0.09:
                texts = [sentence(chance) for _ in range(chance.choice((16, 64, 256)))]
                method, where, body = (
                    "POST",
                    "/v1/embeddings",
                    json.dumps({"input": texts, "model": "all-MiniLM-L6-v2"}),
                )
            elif draw < 0.5:
                method, where, body = "POST", "/v1/embeddings", json.dumps(embeddings([sentence(chance)])[0])
            elif draw < 0.98:
                asked = {"collection": "mixed", "query": sentence(chance), "k": chance.choice((1, 5, 10))}
                method, where, body = "POST", "/v1/search", json.dumps(asked)
            else:
                method, where, body = "GET", chance.choice(("/metrics", "/v1/health", "/v1/collections")), ""
            try:
                connection.request(method, where, body, headers)
                response = connection.getresponse()
                response.read()
                status = response.status
            except (OSError, http.client.HTTPException) as error:
                status, draw = type(error).__name__, draw  # type: ignore[assignment]
                connection.close()
                connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=120)
            with lock:
                statuses[f"{'garbage' if draw < 0.01 else 'asked'} {status}"] += 1
                if status == 200:
                    written.update(new)
                    deleted.update(gone)
                    written.difference_update(gone)
                elif gone:
                    written.difference_update(gone)  # it may be gone or not

    with serving(str(path)) as server:
        threads = [threading.Thread(target=client, args=(number, server)) for number in range(options.clients)]
        for thread in threads:
            thread.start()
        memory: list[float] = []
        end = time.monotonic() + options.minutes * 60
        while time.monotonic() < end:
            time.sleep(1)
            memory.append(server.memory())
            if len(memory) % 60 == 0:
                print(f"  {len(memory) // 60} min: {median(memory[-60:]):.0f} MB, {statuses.total():,} requests")
        over.set()
        for thread in threads:
            thread.join()
        lost = [
            each
            for each in sorted(written)
            if server.ask("GET", f"/v1/collections/mixed/documents/{each}")[0] != 200
        ]
        there = [
            each
            for each in sorted(deleted)
            if server.ask("GET", f"/v1/collections/mixed/documents/{each}")[0] == 200
        ]
    with ns.open(path) as collection:
        lost += [each for each in written if collection.get([each]) == [None]]
        size = collection.count()
    part = max(1, len(memory) // 5)
    early, late = median(memory[part : 2 * part]), median(memory[-part:])
    print(
        f"mixed, {options.minutes:g} minutes, {options.clients} clients: {statuses.total():,} requests; memory "
        f"{early:.0f} -> {late:.0f} MB ({late / early - 1:+.1%}); {len(written):,} of {size:,} documents written, "
        f"{len(lost)} lost, {len(deleted)} deleted, {len(there)} of them there\n  {dict(sorted(statuses.items()))}"
    )


def main() -> None:
    """Each part that is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", help=", ".join(PARTS))
    parser.add_argument("--seconds", type=float, default=15, help="of each load")
    parser.add_argument("--minutes", type=float, default=5, help="of mixed load")
    parser.add_argument("--connections", type=int, nargs="+", default=[1, 32], help="for the throughput")
    parser.add_argument("--most", type=int, default=32, help="connections that the server can take")
    parser.add_argument("--clients", type=int, default=12, help="of the mixed load")
    parser.add_argument("--documents", type=int, default=100_000, help="that are searched")
    parser.add_argument("--folder", type=Path, help="where collections are kept for the next time")
    options = parser.parse_args()
    if unknown := set(options.parts) - set(PARTS):
        parser.error(f"no such part: {', '.join(unknown)}")
    if shutil.which("wrk") is None:
        sys.exit("wrk is not here: apt-get install wrk")
    print(f"{processor()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}; Python {sys.version.split()[0]}")
    with tempfile.TemporaryDirectory() as folder:
        options.folder = options.folder or Path(folder)
        options.folder.mkdir(parents=True, exist_ok=True)
        for part in options.parts or PARTS:
            globals()[f"bench_{part}"](options)


if __name__ == "__main__":
    main()
