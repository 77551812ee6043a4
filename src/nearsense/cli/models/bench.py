"""models bench: how fast models are on this machine. Not how good they are."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from nearsense._machine import cores
from nearsense.cli.models import models
from nearsense.cli.options import CORES, ListOptions, takes
from nearsense.errors import InputError

if TYPE_CHECKING:
    from nearsense.settings import Settings

RUNS = 5
SECONDS = 0.3
"""What a run is to last: as many texts are taken as that needs."""
FEWEST, MOST = 16, 4096

SENTENCE = "Parcel {} from the north arrived on a Monday with a broken seal."
"""About 14 tokens."""
LONG = 9
"""How many sentences make about 128 tokens."""
QUERY = "which parcel was damaged"


@models.command()
@click.argument("names", nargs=-1, required=True, metavar="NAME...")
@click.option("--precision", metavar="NAME", help="Arithmetic of the models: auto, f32 or bf16.  [default: auto]")
@click.option("--threads", type=click.IntRange(min=0), metavar="N", help=CORES)
@takes(output=ListOptions)
def bench(names: tuple[str, ...], precision: str | None, threads: int | None, output: ListOptions) -> None:
    """Measure how fast models are on this machine.

    Texts a second for short texts (about 16 tokens) and long ones (about 128), the median of several runs; and
    the seconds from nothing to the first answer. Cross-encoders: pairs of a short query and such a text. Only
    models that are here; nothing is downloaded, and no server is asked.

    \b
    Examples:
      nearsense models bench all-MiniLM-L6-v2
      nearsense models bench all-MiniLM-L6-v2 potion-base-8M --threads 1 --json
    """
    from nearsense.render import Page
    from nearsense.settings import load_settings

    settings = load_settings(precision=precision, threads=threads, offline=True)
    records = [measured(name, settings) for name in names]
    cells = [
        (
            each["name"],
            f"{each['short_per_second']:,.0f}",
            f"{each['long_per_second']:,.0f}",
            f"{each['first_answer_seconds']:.2f}",
            each["precision"],
        )
        for each in records
    ]
    columns = ("model", "short/s>", "long/s>", "first answer, s>", "precision>")
    first = records[0]
    note = (
        f"Measured here: {first['processor']}, {first['threads']} threads; median of {RUNS} runs. "
        "Texts a second: short ones have about 16 tokens, long ones about 128."
    )
    output.show(Page(document=records, records=records, columns=columns, cells=cells, note=note))


def measured(name: str, settings: Settings) -> dict[str, Any]:
    """Measure one model that is here."""
    start = time.perf_counter()
    run, model = _runner(name, settings)
    run([SENTENCE.format(0)])
    first = time.perf_counter() - start
    return {
        "name": model.name,
        "measured": True,
        "short_per_second": _rate(run, sentences=1),
        "long_per_second": _rate(run, sentences=LONG),
        "first_answer_seconds": first,
        "precision": str(model.precision or settings.precision),
        "threads": settings.threads or cores(),
        "processor": _processor(),
        "runs": RUNS,
    }


def _runner(name: str, settings: Settings) -> tuple[Callable[[list[str]], object], Any]:
    """What one run does with its texts, and the model."""
    from nearsense.encoders import REMOTE, load, load_cross

    if name.startswith(REMOTE):
        why = "its speed is the network's and the server's, and it would cost money"
        fix = "name models that are here: nearsense models --here"
        raise InputError(f"{name} runs on a server", why=why, fix=fix)
    options: dict[str, Any] = {
        "precision": settings.precision.value,
        "threads": settings.threads,
        "offline": settings.offline,
    }
    if _is_cross(name):
        cross = load_cross(name, **options)
        return lambda texts: cross.score([(QUERY, text) for text in texts]), cross
    encoder = load(name, language_check=False, **options)
    role = "passage" if encoder.needs_role else None
    return lambda texts: encoder.encode(texts, role=role), encoder


def _is_cross(name: str) -> bool:
    from nearsense.encoders.catalog import Kind, card_of
    from nearsense.encoders.folder import find

    card = card_of(name)
    return card.kind is Kind.CROSS if card is not None else find(name, offline=True).scores_pairs


def _rate(run: Callable[[list[str]], object], *, sentences: int) -> float:
    """Texts a second: the median of several runs, each long enough to be timed."""
    count = FEWEST
    while (seconds := _seconds(run, count, sentences)) < SECONDS / 2 and count < MOST:
        count = min(MOST, max(2 * count, int(count * SECONDS / max(seconds, 1e-9))))
    return count / statistics.median(_seconds(run, count, sentences) for _ in range(RUNS))


def _seconds(run: Callable[[list[str]], object], count: int, sentences: int) -> float:
    texts = [
        " ".join(SENTENCE.format(100 * number + part) for part in range(sentences)) for number in range(count)
    ]
    start = time.perf_counter()
    run(texts)
    return time.perf_counter() - start


def _processor() -> str:
    """What the processor calls itself."""
    import platform
    from pathlib import Path

    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, "") or platform.processor() or platform.machine()
