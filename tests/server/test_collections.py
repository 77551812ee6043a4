"""Collections that change over HTTP, against a running server, and read back through the library."""

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import nearsense as ns
from fakes import HashEncoder
from server.serving import Gated, serving, until

MODELS = {"hash": HashEncoder(), "other": HashEncoder(name="other")}


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    folder = tmp_path_factory.mktemp("rooms")
    with serving(folder, models=MODELS) as (ask, service):
        yield ask, service, folder


@pytest.fixture
def room(world, request):
    """A collection of its own for a test, and its name."""
    ask, *_ = world
    name = request.node.name[:60].replace("[", "-").replace("]", "")
    name = "".join(letter if letter.isalnum() else "-" for letter in name)
    assert ask("POST", "/v1/collections", {"name": name}).status == 201
    return name


def documents(count, begin=0):
    return [
        {"id": str(row), "text": f"ticket number {row}", "metadata": {"row": row}} for row in range(begin, count)
    ]


def kept(world, name):
    """What lies on the disk, read by another handle."""
    with ns.open(world[2] / f"{name}.nearsense", HashEncoder(), create=False) as there:
        found, _ = there.documents()
    return {each.id: (each.text, dict(each.metadata)) for each in found}


def test_documents_are_on_the_disk_when_it_is_answered_and_gone_when_that_is(world, room):
    ask = world[0]
    given = [{"id": "a/b", "text": "late parcel"}, {"id": "ü", "text": "lost card", "metadata": {"n": [1, None]}}]
    told = ask("POST", f"/v1/collections/{room}/documents", {"documents": given})
    assert (told.status, told.body["added"], told.body["ids"], told.body["documents"]) == (200, 2, ["a/b", "ü"], 2)
    assert kept(world, room) == {"a/b": ("late parcel", {}), "ü": ("lost card", {"n": [1, None]})}
    assert ask("GET", f"/v1/collections/{room}/documents/a/b").body == {
        "id": "a/b",
        "text": "late parcel",
        "metadata": {},
    }
    assert ask("POST", "/v1/search", {"query": "lost card", "collection": room}).body["hits"][0]["id"] == "ü"
    told = ask("PUT", f"/v1/collections/{room}/documents", {"documents": [{"id": "ü", "text": "new card"}]})
    assert (told.body["written"], told.body["documents"]) == (1, 2)
    assert ask("DELETE", f"/v1/collections/{room}/documents/a/b").body["deleted"] == 1
    assert ask("DELETE", f"/v1/collections/{room}/documents/a/b").body["deleted"] == 0
    assert kept(world, room) == {"ü": ("new card", {})}
    assert ask("GET", f"/v1/collections/{room}/documents/a/b").error["code"] == "document_not_found"


def test_documents_without_an_id_are_given_one_that_is_told(world, room):
    ask = world[0]
    told = ask("POST", f"/v1/collections/{room}/documents", {"documents": ["one", {"text": "two"}]})
    assert len(set(told.body["ids"])) == 2
    assert {text for text, _ in kept(world, room).values()} == {"one", "two"}
    assert set(kept(world, room)) == set(told.body["ids"])


def test_a_collection_is_made_in_the_operators_folder_and_never_over_another(world):
    ask, _, folder = world
    (folder / "taken.nearsense").mkdir()
    (folder / "taken.nearsense" / "file").write_text("mine")
    (folder / "link.nearsense").symlink_to(folder / "nowhere")
    before = sorted(folder.rglob("*"))
    for name in ("taken", "link"):
        told = ask("POST", "/v1/collections", {"name": name})
        assert (told.status, told.error["code"]) == (409, "collection_exists"), name
    for name in ("../up", "a/b", "", ".", "a.b", "a b", "-x", "x" * 200, "a\0b", "\n"):
        assert ask("POST", "/v1/collections", {"name": name}).status in (400, 422), name
    assert ask("POST", "/v1/collections", {"name": "good", "model": "../../etc"}).status == 404
    assert sorted(folder.rglob("*")) == before
    assert str(folder) not in str(told.body)


def test_no_collection_is_made_where_the_operator_named_no_folder(tmp_path):
    with serving(tmp_path, prepare=lambda service: object.__setattr__(service.settings, "folder", None)) as (
        ask,
        _,
    ):
        told = ask("POST", "/v1/collections", {"name": "tickets"})
        assert (told.status, told.error["code"]) == (403, "no_folder")
    assert not [*tmp_path.iterdir()]


def test_what_is_refused_names_the_document_and_nothing_of_the_request_is_kept(world, room):
    ask, path = world[0], f"/v1/collections/{room}/documents"
    ask("POST", path, {"documents": documents(2)})
    told = ask("POST", path, {"documents": documents(4, 1)})
    assert told.status == 409
    assert told.error["message"] == f"document 0: '1' is in {room} already"
    twice = [{"id": "x", "text": "a"}, {"id": "y", "text": "b"}, {"id": "x", "text": "c"}]
    told = ask("POST", path, {"documents": twice})
    assert (told.status, told.error["message"]) == (409, "document 0 and document 2 have the same id, 'x'")
    for bad, place in (
        ({"id": "z", "text": " "}, "documents.1"),
        ({"id": "z"}, "documents.1"),
        ({"id": 7, "text": "a"}, "documents.1"),
        ({"id": "z", "text": "a", "path": "/etc/passwd"}, "documents.1"),
        ({"id": "z" * 600, "text": "a"}, "documents.1"),
        ({"id": "é" * 300, "text": "a"}, "document 1"),
        ({"id": "z", "text": "a", "metadata": [1]}, "documents.1"),
    ):
        told = ask("POST", path, {"documents": [{"id": "ok", "text": "fine"}, bad]})
        assert told.status == 422, bad
        assert place in told.error["message"], told
    assert ask("POST", path, {"documents": []}).status == 422
    assert ask("POST", path, {"documents": ["a"] * 1025}).status == 422
    assert ask("POST", path, b'{"documents": [').status == 400
    assert (
        ask("POST", "/v1/collections/nowhere/documents", {"documents": ["a"]}).error["code"]
        == "collection_not_found"
    )
    assert set(kept(world, room)) == {"0", "1"}


def test_a_request_that_is_sent_again_with_its_key_is_done_once(world, room):
    ask, path, key = world[0], f"/v1/collections/{room}/documents", {"Idempotency-Key": "order-17"}
    first = ask("POST", path, {"documents": ["one", "two"]}, key)
    again = ask("POST", path, {"documents": ["one", "two"]}, key)
    assert first.status == again.status == 200
    assert first.body == again.body
    assert "idempotent-replayed" not in first.headers
    assert again.headers["idempotent-replayed"] == "true"
    told = ask("POST", path, {"documents": ["three"]}, key)
    assert (told.status, told.error["code"]) == (409, "idempotency_key_reused")
    assert len(kept(world, room)) == 2
    assert ask("POST", path, {"documents": ["one"]}, {"Idempotency-Key": "x" * 300}).status == 422


def test_one_key_sent_by_eight_at_once_is_done_once_and_what_failed_may_be_sent_again(world, room):
    ask, path, key = world[0], f"/v1/collections/{room}/documents", {"Idempotency-Key": "eight"}
    with ThreadPoolExecutor(8) as pool:
        told = [*pool.map(lambda _: ask("POST", path, {"documents": [{"text": "one"}]}, key), range(8))]
    assert {each.status for each in told} == {200}
    assert len({each.body["ids"][0] for each in told}) == 1
    assert sum("idempotent-replayed" not in each.headers for each in told) == 1
    key = {"Idempotency-Key": "failed"}
    body = {"documents": [{"id": told[0].body["ids"][0], "text": "another"}]}
    assert ask("POST", path, body, key).status == 409
    ask("POST", f"/v1/collections/{room}/delete", {"ids": [body["documents"][0]["id"]]})
    assert ask("POST", path, body, key).status == 200


def test_a_key_holds_across_a_restart_for_what_was_kept(tmp_path):
    key, body = {"Idempotency-Key": "k"}, {"documents": ["one", "two", {"id": "3", "text": "three"}]}
    with serving(tmp_path) as (ask, _):
        ask("POST", "/v1/collections", {"name": "tickets"})
        first = ask("POST", "/v1/collections/tickets/documents", body, key).body
        ask("DELETE", "/v1/collections/tickets/documents/3")
    with serving(tmp_path) as (ask, _):
        again = ask("POST", "/v1/collections/tickets/documents", body, key).body
        assert (first["added"], again["added"], again["unchanged"]) == (3, 1, 2)
        assert again["ids"] == first["ids"]
        assert ask.count("tickets") == 3


def test_a_filter_deletes_what_it_lets_pass_and_one_of_ids_or_filter_is_given(world, room):
    ask, path = world[0], f"/v1/collections/{room}/delete"
    ask("POST", f"/v1/collections/{room}/documents", {"documents": documents(10)})
    assert ask("POST", path, {"where": {"row": {">=": 6}}}).body["deleted"] == 4
    assert ask("POST", path, {"ids": ["0", "nobody"]}).body == {"collection": room, "deleted": 1, "documents": 5}
    for bad in (
        {},
        {"ids": ["1"], "where": {"row": 1}},
        {"where": {}},
        {"ids": []},
        {"where": {"row": {"like": 3}}},
    ):
        assert ask("POST", path, bad).status == 422, bad
    assert set(kept(world, room)) == {"1", "2", "3", "4", "5"}


def test_a_sync_makes_a_collection_hold_just_that_and_a_dry_run_only_says_so(world, room):
    ask, path = world[0], f"/v1/collections/{room}/sync"
    ask("POST", f"/v1/collections/{room}/documents", {"documents": documents(4)})
    wanted = [*documents(2), {"id": "3", "text": "changed"}, {"id": "9", "text": "new"}]
    told = ask("POST", path, {"documents": wanted, "dry_run": True}).body
    assert [told[name] for name in ("added", "changed", "removed", "unchanged", "applied")] == [1, 1, 1, 2, False]
    assert len(kept(world, room)) == 4
    told = ask("POST", path, {"documents": wanted}).body
    assert [told[name] for name in ("added", "changed", "removed", "unchanged", "applied")] == [1, 1, 1, 2, True]
    assert {id_: text for id_, (text, _) in kept(world, room).items()} == {
        "0": "ticket number 0",
        "1": "ticket number 1",
        "3": "changed",
        "9": "new",
    }


def test_eight_writers_at_once_lose_nothing(world, room):
    ask = world[0]

    def write(writer):
        told = []
        for number in range(12):
            given = [{"id": f"{writer}-{number}-{row}", "text": f"writer {writer} row {row}"} for row in range(5)]
            told.append(ask("POST", f"/v1/collections/{room}/documents", {"documents": given}))
        return told

    with ThreadPoolExecutor(8) as pool:
        told = [each for answers in pool.map(write, range(8)) for each in answers]
    assert {each.status for each in told} == {200}
    there = kept(world, room)
    assert set(there) == {f"{w}-{n}-{r}" for w in range(8) for n in range(12) for r in range(5)}
    assert all(there[id_][0] == f"writer {id_[0]} row {id_[-1]}" for id_ in there)


@pytest.fixture
def gated(tmp_path):
    model = Gated()
    with serving(tmp_path, models={"hash": model}) as (ask, service):
        ask("POST", "/v1/collections", {"name": "tickets"})
        try:
            yield ask, service, model
        finally:
            model.allow(10**9)


def large(count):
    return "\n".join(["id,text", *(f"{row},ticket number {row}" for row in range(count))]).encode()


CSV = {"content-type": "text/csv"}


def test_a_large_file_is_a_job_that_tells_how_far_it_is_and_ends_where_it_is_told_to(gated, tmp_path):
    ask, _, model = gated
    model.allow(model.encoded + 3000)
    begun = ask("POST", "/v1/collections/tickets/files", large(6000), CSV)
    assert (begun.status, begun.body["job"]["total"]) == (202, 6000)
    path = begun.headers["location"]
    until(lambda: ask("GET", path).body["done"] == 2048)
    told = ask("GET", path).body
    assert (told["state"], told["kind"], told["collection"], told["unit"]) == (
        "running",
        "add",
        "tickets",
        "documents",
    )
    assert told["seconds_left"] > 0
    assert ask.count("tickets") == 2048
    assert [each["id"] for each in ask("GET", "/v1/jobs").body["jobs"]] == [told["id"]]
    small = ask(
        "POST", "/v1/collections/tickets/delete", {"ids": ["0"]}
    )  # what is small does not wait for what is large
    assert small.body["deleted"] == 1
    assert ask("DELETE", path).body["cancelling"]
    model.allow(10**9)
    told = ask("GET", path, wait=20).body
    assert (told["state"], told["error"]) == ("cancelled", None)
    done = told["done"]  # where it was, or the batch that it was in
    assert done in (2048, 4096)
    with ns.open(tmp_path / "tickets.nearsense", HashEncoder(), create=False) as there:
        assert {each.id for each in there.documents()[0]} == {str(row) for row in range(1, done)}
    again = ask.ended(ask("POST", "/v1/collections/tickets/files", large(6000), CSV, mode="sync"))
    assert (again["state"], again["result"]["added"], again["result"]["unchanged"]) == (
        "done",
        6001 - done,
        done - 1,
    )


def test_jobs_of_one_collection_run_in_turn_and_too_many_are_refused(gated):
    ask, _, model = gated
    model.allow(model.encoded)
    body = {"documents": [{"id": str(row), "text": f"ticket number {row}"} for row in range(50)]}
    begun = [ask("PUT", "/v1/collections/tickets/documents", body, {"Prefer": "respond-async"}) for _ in range(19)]
    assert [each.status for each in begun] == [202] * 17 + [429] * 2
    assert int(begun[-1].headers["retry-after"]) >= 1
    states = [ask("GET", each.headers["location"]).body["state"] for each in begun[:17]]
    assert states == ["running"] + ["waiting"] * 16
    for each in begun[2:17]:
        assert ask("DELETE", each.headers["location"]).body["state"] == "cancelled"
    model.allow(10**9)
    assert [ask.ended(each)["state"] for each in begun[:2]] == ["done", "done"]
    assert ask.count("tickets") == 50


def test_a_server_that_ends_ends_its_jobs_after_their_batch(tmp_path):
    model = Gated()
    with serving(tmp_path, models={"hash": model}) as (ask, service):
        ask("POST", "/v1/collections", {"name": "tickets"})
        model.allow(model.encoded + 3000)
        path = ask("POST", "/v1/collections/tickets/files", large(6000), CSV).headers["location"]
        until(lambda: ask("GET", path).body["done"] == 2048)
        job = service.jobs.all()[0]
        closing = threading.Thread(target=service.jobs.close)
        closing.start()
        until(lambda: job.work.left)
        model.allow(10**9)
        closing.join(20)
        assert not closing.is_alive()
        assert job.state == "cancelled"
        assert ask("POST", "/v1/collections/tickets/build").status == 429
    with ns.open(tmp_path / "tickets.nearsense", HashEncoder(), create=False) as there:
        assert len(there) == job.done < 6000
        assert there.verify().findings == ()


def test_a_small_change_is_a_job_where_the_client_prefers_that(world, room):
    ask = world[0]
    begun = ask("POST", f"/v1/collections/{room}/documents", {"documents": ["a"]}, {"Prefer": "respond-async"})
    told = ask.ended(begun)
    assert (told["state"], told["result"]["added"], told["done"]) == ("done", 1, 1)
    begun = ask("POST", f"/v1/collections/{room}/documents", {"documents": [{"id": "x", "text": "a"}] * 1})
    begun = ask(
        "POST",
        f"/v1/collections/{room}/documents",
        {"documents": [{"id": "x", "text": "b"}]},
        {"Prefer": "respond-async"},
    )
    told = ask.ended(begun)
    assert (told["state"], told["error"]["code"], told["done"]) == ("failed", "document_exists", 0)


def test_upkeep_is_done_as_jobs_and_only_models_of_the_operator_are_taken(world, room):
    ask = world[0]
    ask("POST", f"/v1/collections/{room}/documents", {"documents": documents(300)})
    assert ask.ended(ask("POST", f"/v1/collections/{room}/build"))["result"]["index"] == "exact"
    ask("POST", f"/v1/collections/{room}/delete", {"ids": ["7"]})
    assert ask.ended(ask("POST", f"/v1/collections/{room}/compact"))["state"] == "done"
    assert ask.ended(ask("POST", f"/v1/collections/{room}/verify"))["result"]["findings"] == []
    for name in ("all-MiniLM-L6-v2", "/etc", "../hash"):
        assert ask("POST", f"/v1/collections/{room}/reembed", {"model": name}).error["code"] == "model_not_found"
    told = ask.ended(ask("POST", f"/v1/collections/{room}/reembed", {"model": "other"}))
    assert (told["state"], told["result"]["documents"]) == ("done", 299)
    assert ask("GET", f"/v1/collections/{room}").body["model"] == "other"
    hits = ask("POST", "/v1/search", {"query": "ticket number 30", "collection": room, "k": 1}).body["hits"]
    assert hits[0]["id"] == "30"
    told = ask("POST", f"/v1/collections/{room}/documents", {"documents": [{"id": "new", "text": "after"}]})
    assert told.body["added"] == 1


def test_a_job_that_is_not_there_is_told_so(world):
    ask = world[0]
    for method in ("GET", "DELETE"):
        assert ask(method, "/v1/jobs/0123456789abcdef").error["code"] == "job_not_found"
        assert ask(method, "/v1/jobs/nothing").status == 422


def test_no_path_of_this_machine_is_told_to_anybody(world, room):
    ask, _, folder = world
    told = [
        ask("POST", f"/v1/collections/{room}/documents", {"documents": [{"id": "1", "text": "a"}]}),
        ask("POST", f"/v1/collections/{room}/documents", {"documents": [{"id": "1", "text": "b"}]}),
        ask("POST", f"/v1/collections/{room}/delete", {"where": {"nofield": 1}}),
        ask("GET", f"/v1/collections/{room}/log"),
        ask("POST", f"/v1/collections/{room}/log/forget", {"query": "x"}),
        ask("GET", f"/v1/collections/{room}/drift"),
        ask("GET", f"/v1/collections/{room}/decisions"),
        ask("GET", "/v1/jobs"),
    ]
    assert not [each for each in told if str(Path(folder)) in str(each.body)]
