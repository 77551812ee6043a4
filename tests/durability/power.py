"""Children of test_power_cut.py: one records a writer, one opens what power cuts would have left of it."""

from __future__ import annotations

import pickle
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from durability.images import images, lay
from durability.recorder import Recorder
from durability.truth import Script
from durability.writer import apply, look, same
from nearsense.store import database, generations, open_store, sqlite

Say = Callable[[str], None]


def record(
    say: Say, folder: str, log: str, seed: int, batches: int, checkpoint_pages: int, careless: str = ""
) -> None:
    """Make a collection, write, checkpoint, compact, close, open again and go on; keep the record."""
    database.CHECKPOINT_PAGES = checkpoint_pages
    if careless == "no sync":
        original = sqlite.Database
        sqlite.Database = lambda *args, **options: original(*args, **{**options, "synchronous": "normal"})
    if careless == "mark first":
        generations.watch_crash_points(lambda point: point == "commit.before" and store._mark.write(number))
    path = Path(folder).resolve()
    path.mkdir()
    recorder, script = Recorder(path), Script(seed, size=4)
    recorder.start()
    store = open_store(path)
    for number in range(1, batches + 1):
        apply(store, script.batch(number))
        recorder.acknowledge(number)
        if number % 9 == 0:
            store.vacuum()
        if number % 5 == 0:
            store.checkpoint()
        if number % 13 == 0:
            store.close()
            store = open_store(path)
    store.close()
    Path(log).write_bytes(pickle.dumps(recorder.events))
    counts = Counter(event.kind for event in recorder.events)
    say(str(dict(counts)))


def judge(say: Say, log: str, workplace: str, seed: int, each: dict[str, int], part: int, parts: int) -> None:
    """Open every image: it must be a whole number of batches, and all that were acknowledged by then."""
    events = pickle.loads(Path(log).read_bytes())
    script, folder, seen = Script(seed, size=4), Path(workplace) / f"image{part}", Counter()
    for number, (where, acknowledged, files) in enumerate(images(events, seed, each)):
        if number % parts != part:
            continue
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        lay(files, folder)
        try:
            _judge(folder, script, acknowledged, seen, go_on=number % 7 == part)
        except BaseException as error:
            what = f"{type(error).__name__} {str(error)[:300]!r} {sorted(files)}"
            say(f"WRONG {where}, {acknowledged} acknowledged: {what}")
            seen["wrong"] += 1
            if seen["wrong"] == 1:
                shutil.copytree(folder, Path(workplace) / f"wrong{part}", dirs_exist_ok=True)
        seen["images"] += 1
    say(f"COUNTS {dict(seen)!r}")


def _judge(folder: Path, script: Script, acknowledged: int, seen: Counter, *, go_on: bool) -> None:
    store = open_store(folder)
    try:
        with store.reading() as reader:
            now = reader.sequence()
        assert now in (acknowledged, acknowledged + 1), f"{now} batches are there"
        assert same(look(store), script.truth(now)), "not what that batch left"
        assert (store._mark.read() or 0) >= acknowledged, "the mark is behind"
        if go_on:
            assert store.integrity() == []
            apply(store, script.batch(now + 1))
            assert same(look(store), script.truth(now + 1)), "cannot go on"
        seen["ahead of the acknowledgement"] += now - acknowledged
    finally:
        store.close()
