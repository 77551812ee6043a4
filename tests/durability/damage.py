"""Every way to harm a file that test_damage.py tries, and the child that looks at what comes of it."""

from __future__ import annotations

import random
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

from durability.truth import Script
from durability.writer import look, same
from nearsense.errors import NearsenseError
from nearsense.store import open_store

Say = Callable[[str], None]
SECTOR = 512


def cases(files: dict[str, int], seed: int, random_cases: int) -> Iterator[tuple[str, str, list[int]]]:
    """(file, what, where): every bit of the headers, then random places, the same number in every file."""
    chance = random.Random(seed)
    headers = {"collection.db": 100, "collection.db-wal": 32 + 24, "mark": 28}
    for name, size in files.items():
        for bit in range(8 * min(size, headers.get(name, 8))):
            yield name, "flip", [bit]
        if name == "mark":
            for bit in range(8 * 512, 8 * min(size, 540)):
                yield name, "flip", [bit]
        yield name, "remove", []
        yield name, "truncate", [0]
        for _ in range(random_cases if size else 0):
            what = chance.choice(("flip", "flip", "flips", "zero", "truncate", "noise", "append", "swap"))
            few = chance.randint(2, 8) if what == "flips" else 2 if what == "swap" else 1
            scale = 1 if what in ("truncate", "noise", "append") else 8 if what in ("flip", "flips") else 0
            places = [chance.randrange(size * scale if scale else size // SECTOR + 1) for _ in range(few)]
            yield name, what, places


def harm(file: Path, what: str, places: list[int]) -> None:
    """Do it."""
    if what == "remove":
        file.unlink()
        return
    content = bytearray(file.read_bytes())
    match what:
        case "flip" | "flips":
            for bit in places:
                content[bit // 8] ^= 1 << bit % 8
        case "zero":
            start = places[0] * SECTOR
            content[start : start + SECTOR] = bytes(len(content[start : start + SECTOR]))
        case "truncate":
            del content[places[0] :]
        case "noise":
            draw = random.Random(places[0])
            end = min(len(content), places[0] + 700)
            content[places[0] : end] = draw.randbytes(end - places[0])
        case "append":
            content += random.Random(places[0]).randbytes(places[0] % 9000 + 1)
        case "swap":
            first, second = (slice(place * SECTOR, (place + 1) * SECTOR) for place in places)
            if len(content[first]) == len(content[second]) == SECTOR:
                content[first], content[second] = content[second], content[first]
    file.write_bytes(content)


def judge(say: Say, folder: str, workplace: str, seed: int, now: int, random_cases: int, start: int, stop: int) -> None:
    """Harm copies of a folder and open them; say each case before, so that a crash is known by its case."""
    script, original, seen = Script(seed), Path(folder), Counter()
    truth = script.truth(now)
    files = {each.name: each.stat().st_size for each in sorted(original.iterdir())}
    copy = Path(workplace) / f"copy{start}"
    for number, (name, what, places) in enumerate(cases(files, seed, random_cases)):
        if not start <= number < stop:
            continue
        say(f"CASE {number} {name} {what} {places}")
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(original, copy)
        harm(copy / name, what, places)
        verdict = _verdict(copy, truth)
        kind = verdict.split()[0]
        seen[f"{name} {kind}"] += 1
        if kind == "WRONG":
            say(f"WRONG {number} {name} {what} {places}: {verdict}")
    say(f"COUNTS {dict(seen)!r}")


def _verdict(folder: Path, truth) -> str:
    store = None
    try:
        store = open_store(folder)
        found = look(store)
    except NearsenseError as error:
        return f"detected {type(error).__name__}"
    except AssertionError as error:
        return f"WRONG look: {error}"
    except Exception as error:
        return f"WRONG {type(error).__module__}.{type(error).__name__}: {str(error)[:200]!r}"
    finally:
        if store is not None:
            try:
                store.close()
            except NearsenseError:
                pass
    if not same(found, truth):
        return f"WRONG answer: {len(found.rows)} documents instead of {len(truth.rows)}"
    return "harmless"
