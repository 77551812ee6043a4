"""kill -9 while questions are logged: at most the last second is missing, and a line that is cut is told."""

from __future__ import annotations

import contextlib
import random
from concurrent.futures import ThreadPoolExecutor

import pytest

import nearsense as ns
from durability.forks import Forks
from fakes import HashEncoder

pytestmark = pytest.mark.durability

KILLS = 40


@pytest.fixture(scope="module")
def forks():
    with Forks() as server:
        yield server


def test_a_kill_costs_at_most_the_last_second_of_what_was_answered(forks, tmp_path):
    with ns.open(tmp_path / "notes", HashEncoder()) as notes:
        notes.add(["one two", "three four"])
        notes.set_log(True)
    chance, missing, torn, answered = random.Random(9), [], 0, 0
    for kill in range(KILLS):
        outcome = forks.run(
            "durability.asking:ask",
            folder=str(tmp_path / "notes"),
            name=f"life{kill}",
            kill_after=0.3 + 1.7 * chance.random(),
        )
        assert outcome.killed, "\n".join(outcome.said[-30:])
        said = [line.split(" ", 1) for line in outcome.said if line.split(" ", 1)[-1].startswith("life")]
        log = ns.querylog.open_log(tmp_path / "notes")
        kept = [entry.query for entry in log if entry.query.startswith(f"life{kill} ")]
        torn = log.damaged
        assert len(kept) == len(set(kept))
        for thread in range(3):
            numbers = [int(query.split()[2]) for query in kept if query.split()[1] == str(thread)]
            assert numbers == list(range(len(numbers))), "nothing is missing in the middle"
        lost = [float(when) for when, query in said if query not in set(kept)]
        missing.append(float(said[-1][0]) - min(lost) if lost else 0.0)
        answered += len(said)
    assert max(missing) < 1.0
    assert torn <= KILLS
    print(f"\n{KILLS} kills, {answered:,} answers: at most {max(missing):.2f} s missing, {torn} lines torn")


def test_a_line_that_was_cut_at_any_place_is_left_out_and_the_next_life_goes_on(forks, tmp_path):
    with ns.open(tmp_path / "notes", HashEncoder(), log=True) as notes:
        notes.add(["one"])
        notes.search_many(["first", "second"])
    file = tmp_path / "notes.queries" / "00000001.log"
    whole = file.read_bytes()
    second = whole.index(b"\n") + 1
    for cut in range(second + 1, len(whole) - 1, 7):
        file.write_bytes(whole[:cut])
        with ns.open(tmp_path / "notes", HashEncoder(), log=True) as notes:
            notes.search("third")
            assert [entry.query for entry in notes.log] == ["first", "third"]
            assert notes.log.damaged == 1


def test_eight_processes_that_are_asked_at_once_lose_nothing_and_tear_nothing(forks, tmp_path):
    with ns.open(tmp_path / "notes", HashEncoder()) as notes:
        notes.add(["one two", "three four"])
        notes.set_log(True)
    lanes = [Forks() for _ in range(8)]
    with contextlib.ExitStack() as opened, ThreadPoolExecutor(8) as pool:
        servers = [opened.enter_context(each) for each in lanes]
        how = {"folder": str(tmp_path / "notes"), "count": 300}
        asked = [
            pool.submit(server.run, "durability.asking:ask", name=f"process{number}", **how)
            for number, server in enumerate(servers)
        ]
        for each in asked:
            each.result().ended_well()
    log = ns.querylog.open_log(tmp_path / "notes")
    found = [tuple(entry.query.split()) for entry in log]
    wanted = {(f"process{p}", str(t), str(n)) for p in range(8) for t in range(3) for n in range(300)}
    assert len(found) == len(wanted)
    assert set(found) == wanted
    assert log.damaged == log.missing() == 0
