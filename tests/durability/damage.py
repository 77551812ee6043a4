"""Every way to harm a file that test_damage.py tries, and the child that looks at what comes of it."""

from __future__ import annotations

import contextlib
import logging
import random
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

from durability import keeper
from durability.truth import Script
from durability.writer import look, same
from nearsense.errors import NearsenseError
from nearsense.store import open_store

Say = Callable[[str], None]
SECTOR = 512


def cases(
    files: dict[str, int], seed: int, random_cases: int, *, every_bit: bool
) -> Iterator[tuple[str, str, list[int]]]:
    """(file, what, where): every bit of the headers if asked for, then random places, as many in every file."""
    chance = random.Random(seed)
    headers = {"collection.db": 100, "collection.db-wal": 32 + 24, "mark": 28}
    for name, size in files.items():
        for bit in range(8 * min(size, headers.get(name, 8)) if every_bit else 0):
            yield name, "flip", [bit]
        if name == "mark" and every_bit:
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


def files_of(folder: Path) -> dict[str, int]:
    """Sizes by names, those in sub-folders included."""
    return {
        str(each.relative_to(folder)): each.stat().st_size for each in sorted(folder.rglob("*")) if each.is_file()
    }


def judge(
    say: Say, folder: str, workplace: str, seed: int, now: int, random_cases: int, start: int, stop: int,
    whole: bool = False,
) -> None:  # fmt: skip
    """Harm copies of a folder and open them; say each case before, so that a crash is known by its case."""
    original, seen = Path(folder), Counter()
    truth, files = Script(seed, kind="single" if whole else "mixed").truth(now), files_of(original)
    logging.getLogger("nearsense").setLevel(logging.CRITICAL)
    words = _words(original, Path(workplace) / f"words{start}") if whole else None
    copy = Path(workplace) / f"copy{start}"
    for number, (name, what, places) in enumerate(cases(files, seed, random_cases, every_bit=not whole)):
        if not start <= number < stop:
            continue
        say(f"CASE {number} {name} {what} {places}")
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(original, copy)
        harm(copy / name, what, places)
        verdict = _verdict_of_collection(copy, truth, words) if whole else _verdict(copy, truth)
        kind = verdict.split()[0]
        seen[f"{Path(name).name if '/' in name else name} {kind}"] += 1
        if kind == "WRONG":
            say(f"WRONG {number} {name} {what} {places}: {verdict}")
    say(f"COUNTS {dict(seen)!r}")


def _words(original: Path, copy: Path) -> list:
    """What the undamaged collection answers to words."""
    shutil.copytree(original, copy)
    with keeper.opened(copy) as collection:
        assert collection.verify().ok
        return keeper.words(collection)


def _verdict_of_collection(folder: Path, truth, words: list) -> str:
    try:
        with keeper.opened(folder) as collection:
            found = look(collection._engine.store)
            if not keeper.same(found, truth):
                return f"WRONG {len(found.rows)} documents instead of {len(truth.rows)}"
            if not keeper.answers(collection, truth):
                return "WRONG neighbours"
            if keeper.words(collection) != words:
                return "WRONG words"
            verified = collection.verify()
            if not verified.ok:
                return f"detected by verify {verified.findings}"
            healed = bool(verified.healed)
            if collection.verify().healed:
                return "WRONG not healed"
            if not keeper.answers(collection, truth) or keeper.words(collection) != words:
                return "WRONG after healing"
            return "healed" if healed else "harmless"
    except NearsenseError as error:
        return f"detected {type(error).__name__}"
    except AssertionError as error:
        return f"WRONG look: {error}"
    except Exception as error:
        return f"WRONG {type(error).__module__}.{type(error).__name__}: {str(error)[:200]!r}"


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
            with contextlib.suppress(NearsenseError):
                store.close()
    if not same(found, truth):
        return f"WRONG answer: {len(found.rows)} documents instead of {len(truth.rows)}"
    return "harmless"
