"""What clients are told when something is wrong: the fault itself, what can be done, and never where files lie."""

import asyncio
import re
import shutil
import threading
from pathlib import Path
from types import SimpleNamespace

import click
import pytest

import nearsense as ns
from fakes import HashEncoder
from nearsense.cli import cli
from nearsense.cli.serve import require_collection
from nearsense.errors import CollectionNotFound, FileError
from nearsense.server import work
from nearsense.server.collections import UploadQuery
from nearsense.server.errors import Refused, without_folders
from nearsense.server.judging import CalibrateFile, EvaluateFile
from nearsense.server.service import Service
from nearsense.server.settings import ServerSettings
from nearsense.server.uploads import FLAGS, VALUED, as_query
from server.serving import serving

SOURCES = Path(__file__).parents[2] / "src" / "nearsense" / "server"


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    folder = tmp_path_factory.mktemp("where files lie")
    (folder / "help.csv").write_text("question,answer\nHow long does it take?,Two days.\n")
    with serving(folder, models={"hash": HashEncoder()}, faqs=[folder / "help.csv"], write_faqs=True) as (
        ask,
        service,
    ):
        assert ask("POST", "/v1/collections", {"name": "tickets"}).status == 201
        yield ask, service, folder


@pytest.mark.parametrize(
    ("document", "place", "why"),
    [
        ({"id": 5, "text": "late"}, "documents.0.id", "valid string"),
        ({"id": "a\0", "text": "late"}, "documents.0.id", "match pattern"),
        ({"id": "a"}, "documents.0.text", "required"),
        ({"text": "y" * 100_001}, "documents.0.text", "100000"),
        ({"text": "late", "metadata": []}, "documents.0.metadata", "dictionary"),
        ({"text": "late", "vector": [1]}, "documents.0.vector", "not permitted"),
        ({"text": "late", "vector": [1], "id": ""}, "documents.0.id", "at least 1"),
        (5, "documents.0", "valid string"),
    ],
)
def test_a_fault_is_told_by_its_field_also_where_several_types_may_stand(world, document, place, why):
    for path in ("/v1/collections/tickets/documents", "/v1/collections/tickets/sync"):
        error = world[0]("POST", path, {"documents": [document]}).error
        assert error["code"] == "invalid_input"
        if path.endswith("documents") or not isinstance(document, int):
            assert error["message"].startswith((f"{place} is not", "documents.0.id is not")), error
        assert "constrained" not in str(error)
        assert "Document" not in str(error)
    error = world[0]("POST", "/v1/collections/tickets/documents", {"documents": [document]}).error
    assert error["message"] == f"{place} is not what it has to be"
    assert why in error["why"]


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b'{"query": "\xff"}', "not in UTF-8"),
        (b'{"query": "a", "k": %b}' % (b"9" * 5_000), "number that is too long"),
        (b'{"query": ', "expecting"),
    ],
)
def test_a_body_that_is_no_json_is_told_why(world, body, why):
    told = world[0]("POST", "/v1/search", body)
    assert (told.status, told.error["code"]) == (400, "no_json")
    assert why in told.error["why"].lower() or why in told.error["why"]


def test_half_of_a_character_in_the_name_of_a_field_is_called_so(world):
    for metadata in ({"\ud800": 1}, {"a": {"\udfff": 1}}, {"a": "\ud800"}):
        given = {"documents": [{"text": "late parcel", "metadata": metadata}]}
        told = world[0]("POST", "/v1/collections/tickets/documents", given)
        assert told.status == 422
        assert "half of a character" in told.error["message"]


def test_a_collection_that_was_removed_is_told_and_takes_no_other_with_it(world):
    ask, service, folder = world
    for name in ("gone", "stays"):
        assert ask("POST", "/v1/collections", {"name": name}).status == 201
        assert ask("POST", f"/v1/collections/{name}/documents", {"documents": ["a parcel"]}).status == 200
    shutil.rmtree(folder / "gone.nearsense")
    listed = {each["name"]: each for each in ask("GET", "/v1/collections").body["collections"]}
    assert listed["stays"]["documents"] == 1
    assert "error" not in listed["stays"]
    assert listed["gone"].keys() == listed["stays"].keys() | {"error"}
    assert listed["gone"]["documents"] is None
    figures = service.metrics.text()
    assert 'nearsense_documents{collection="stays"} 1.0' in figures
    assert 'collection="gone"' not in figures
    job = ask.ended(ask("POST", "/v1/collections/gone/verify"))
    told = [
        listed["gone"]["error"],
        job["error"],
        *(
            ask(method, path, body).error
            for method, path, body in (
                ("GET", "/v1/collections/gone", None),
                ("GET", "/v1/collections/gone/documents", None),
                ("POST", "/v1/search", {"query": "parcel", "collection": "gone"}),
                ("POST", "/v1/collections/gone/documents", {"documents": ["another"]}),
                ("POST", "/v1/duplicates", {"collection": "gone"}),
            )
        ),
    ]
    for error in told:
        assert error["code"] == "store_error"
        assert "gone.nearsense was removed" in error["message"]
        assert folder.name not in str(error)
        assert "/" not in str(error)


def test_the_file_of_a_faq_is_told_of_without_its_folder(world):
    ask, _, folder = world
    kept = (folder / "help.csv").read_bytes()
    (folder / "help.csv").unlink()
    told = ask("POST", "/v1/faqs/help/entries", {"question": "Do you sell gift cards?", "answer": "Yes."})
    (folder / "help.csv").write_bytes(kept)
    assert told.status >= 400
    assert "help.csv" in told.error["message"]
    assert folder.name not in str(told.error)


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("'/srv/our data/t.nearsense' was removed", "'t.nearsense' was removed"),
        ("C:\\data\\t.nearsense cannot grow", "t.nearsense cannot grow"),
        ("t.nearsense is read and/or written", "t.nearsense is read and/or written"),
        ("ask http://127.0.0.1/v1 again", "ask http://127.0.0.1/v1 again"),
    ],
)
def test_folders_are_taken_out_of_what_is_told_and_nothing_else(said, told):
    assert without_folders(said) == told


def test_a_cross_encoder_that_is_not_there_is_called_one(world):
    ask = world[0]
    error = ask("POST", "/v1/search", {"query": "parcel", "collection": "tickets", "rerank": "nope"}).error
    assert (error["code"], error["why"]) == ("model_not_found", "this server has no cross-encoder")


def test_advice_names_options_that_the_command_has():
    named = [
        (verb, option)
        for file in SOURCES.rglob("*.py")
        for verb, rest in re.findall(
            r"nearsense (serve|log|keys add|keys rotate)\b([^,\"\n]*)", file.read_text("utf-8")
        )
        for option in re.findall(r"--[a-z][a-z-]*", rest)
    ]
    assert len(named) >= 4
    for verb, option in named:
        command, context = cli, click.Context(cli)
        for word in verb.split():
            command = command.get_command(context, word)
        assert option in {each for known in command.params for each in known.opts}, (verb, option)


def test_advice_for_a_request_names_parameters_that_it_may_have():
    known = {name for query in (UploadQuery, EvaluateFile, CalibrateFile) for name in query.model_fields}
    assert known >= VALUED | FLAGS
    assert (
        as_query("--quote none takes the marks as they stand")
        == "the command's option quote none takes the marks as they stand"
    )
    assert as_query("add --skip-empty, or --text COLUMN") == "add ?skip_empty=true, or ?text=COLUMN"


@pytest.mark.parametrize("name", ["removed", "a file"])
def test_a_folder_that_cannot_be_used_is_no_fault_without_a_name(tmp_path, name):
    folder = tmp_path / "rooms"
    folder.mkdir()
    with serving(folder) as (ask, _):
        folder.rmdir()
        if name == "a file":
            folder.write_text("not a folder")
        told = ask("POST", "/v1/collections", {"name": "tickets"})
    assert (told.status, told.error["code"]) == (503, "store_error")
    assert told.error["why"] in ("No such file or directory", "Not a directory")
    assert str(tmp_path) not in str(told.body)


def test_the_folder_for_collections_is_made_where_it_is_missing_and_refused_where_it_is_a_file(tmp_path):
    place = tmp_path / "data" / "rooms"
    service = Service.of(ServerSettings(folder=place))
    service.close()
    assert place.is_dir()
    (tmp_path / "tickets.csv").write_text("text")
    with pytest.raises(FileError, match="cannot hold collections"):
        Service.of(ServerSettings(folder=tmp_path / "tickets.csv"))


def test_what_is_no_collection_is_told_by_what_lies_there(tmp_path):
    with ns.open(tmp_path / "support.nearsense", HashEncoder()):
        pass
    (tmp_path / "faq.csv").write_text("question,answer")
    for name, fix in (
        ("suport.nearsense", f"did you mean {tmp_path / 'support.nearsense'}?"),
        ("faq.csv", "--faq"),
        ("another", "nearsense index create"),
    ):
        with pytest.raises(CollectionNotFound) as refused:
            require_collection(str(tmp_path / name))
        assert fix in refused.value.fix


def test_a_deadline_is_told_however_the_clock_is_rounded(monkeypatch):
    monkeypatch.setattr(work, "time", SimpleNamespace(monotonic=lambda: 1.0))  # it is never beyond the deadline
    pool, held = work.Pool(1, 4), threading.Event()

    def refuse() -> None:
        raise TimeoutError("the verb's own")

    try:
        with pytest.raises(Refused, match="not done within"):
            asyncio.run(pool.run(work.Work(0.05), held.wait, 20))
        held.set()
        with pytest.raises(TimeoutError, match="own"):
            asyncio.run(pool.run(work.Work(20), refuse))
    finally:
        held.set()
        pool.close()
