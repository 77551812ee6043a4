"""Jobs: in turn, one a collection, with progress, ended cleanly. Without a network."""

import threading

import pytest

from nearsense.errors import InputError
from nearsense.server.errors import Refused
from nearsense.server.jobs import Jobs, State


@pytest.fixture
def jobs():
    made = Jobs(workers=2, waiting=3, remembered=4)
    yield made
    made.close(5)


def held(gate):
    def doing(advance):
        gate.wait(10)
        advance(1, 1)
        return {}

    return doing


def test_a_job_tells_how_far_it_is_and_what_came_of_it(jobs):
    reached, go_on = threading.Event(), threading.Event()

    def doing(advance):
        advance(2, 6)
        reached.set()
        go_on.wait(10)
        advance(6, 6)
        return {"added": 6}

    job = jobs.submit("add", doing, target="tickets", total=6)
    assert reached.wait(10)
    told = job.to_dict()
    assert (told["state"], told["done"], told["total"], told["unit"]) == ("running", 2, 6, "documents")
    assert told["seconds_left"] >= 0
    go_on.set()
    told = jobs.wait(job, 10).to_dict()
    assert (told["state"], told["done"], told["result"]) == ("done", 6, {"added": 6})
    assert told["seconds_left"] is None


def test_two_jobs_of_one_collection_run_one_after_the_other_and_others_beside_them(jobs):
    running, most, gates = [], [], threading.Event()

    def doing(name):
        def do(advance):
            running.append(name)
            most.append(sorted(running))
            gates.wait(0.2)
            running.remove(name)
            return {}

        return do

    made = [jobs.submit("add", doing("a"), target="a"), jobs.submit("add", doing("a"), target="a")]
    made.append(jobs.submit("add", doing("b"), target="b"))
    assert all(jobs.wait(job, 10).state is State.DONE for job in made)
    assert ["a", "a"] not in most
    assert ["a", "b"] in most


def test_more_jobs_than_may_wait_are_refused_at_once_with_the_time_to_come_back(jobs):
    gate = threading.Event()
    made = [jobs.submit("add", held(gate)) for _ in range(2)]
    for job in made:
        while job.state is State.WAITING:
            pass
    made += [jobs.submit("add", held(gate)) for _ in range(3)]
    with pytest.raises(Refused, match="3 jobs wait") as refused:
        jobs.submit("add", held(gate))
    assert refused.value.status == 429
    assert int(refused.value.headers["Retry-After"]) >= 1
    gate.set()
    assert all(jobs.wait(job, 10).state is State.DONE for job in made)


def test_a_job_that_waits_ends_at_once_and_one_that_runs_with_its_next_step(jobs):
    gate, reached = threading.Event(), threading.Event()

    def doing(advance):
        for done in range(1, 1000):
            advance(done, 1000)
            reached.set()
            gate.wait(10)
        return {}

    running, waiting = (jobs.submit("add", doing, target="a") for _ in range(2))
    assert reached.wait(10)
    jobs.cancel(waiting)
    assert waiting.state is State.CANCELLED
    jobs.cancel(running)
    assert running.to_dict()["cancelling"]
    gate.set()
    assert jobs.wait(running, 10).state is State.CANCELLED
    assert running.done == 2
    assert not running.to_dict()["cancelling"]


def test_what_goes_wrong_is_told_and_the_next_job_runs(jobs, caplog):
    def wrong(_):
        raise InputError("line 3 is empty", why="no text", fix="fill it in")

    def broken(_):
        raise RuntimeError("a secret")

    found = jobs.wait(jobs.submit("add", wrong, target="a"), 10).to_dict()
    assert found["state"] == "failed"
    assert [found["error"][name] for name in ("message", "why", "fix")] == [
        "line 3 is empty",
        "no text",
        "fill it in",
    ]
    found = jobs.wait(jobs.submit("add", broken, target="a"), 10).to_dict()
    assert found["error"]["code"] == "internal"
    assert "secret" not in str(found)
    assert "a secret" in caplog.text
    assert jobs.wait(jobs.submit("add", lambda _: {"fine": 1}, target="a"), 10).result == {"fine": 1}


def test_only_the_last_jobs_are_remembered_and_what_they_held_is_let_go(jobs):
    made = [jobs.wait(jobs.submit("add", lambda _, number=number: {"number": number}), 10) for number in range(9)]
    assert [job.result["number"] for job in jobs.all()] == [8, 7, 6, 5]
    assert all(job.doing is None for job in made)
    with pytest.raises(KeyError):
        jobs[made[0].id]


def test_closing_ends_what_runs_after_its_step_and_takes_no_more():
    jobs, reached = Jobs(workers=1), threading.Event()

    def doing(advance):
        for done in range(1, 10**9):
            reached.set()
            advance(done, 10**9)
        return {}

    running, waiting = jobs.submit("add", doing), jobs.submit("add", doing)
    assert reached.wait(10)
    jobs.close(10)
    assert (running.state, waiting.state) == (State.CANCELLED, State.CANCELLED)
    with pytest.raises(Refused):
        jobs.submit("add", doing)
