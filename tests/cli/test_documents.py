"""Folders of documents on the command line: made, followed, searched, opened."""

from __future__ import annotations

import json
import sys

import pytest

import papers

PLANTS = "# Plants\n\nWater the flowers on Mondays.\n\n## Roses\n\nCut the roses in spring, above a bud.\n"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    made = tmp_path / "notes"
    made.mkdir()
    (made / "plants.md").write_text(PLANTS)
    (made / "bank.txt").write_text("The bank closes at four.\n")
    papers.pdf(made / "pump.pdf", [["A pump moves water uphill."], ["Oil it every month."]])
    return made


def records(done):
    assert done.code == 0, done.err
    return [json.loads(line) for line in done.out.splitlines()]


def test_a_folder_is_made_searched_and_opened(folder, run):
    (folder / "broken.docx").write_bytes(b"PK\x03\x04 no more")
    made = run("index", "create", "notes.nearsense", "notes")
    assert made.code == 0, made.err
    assert "not read: broken.docx" in made.err
    assert "passages of 3 documents" in made.err
    hit = records(run("search", "notes.nearsense", "When are roses cut?", "-k", "1"))[0]
    assert hit["place"].startswith("plants.md:")
    opened = run(
        "search",
        "notes.nearsense",
        "When are roses cut?",
        "What does a pump need every month?",
        "-k",
        "1",
        "--open",
    )
    assert opened.out.splitlines()[0].startswith("notes/plants.md:")
    assert opened.out.splitlines()[1] == "notes/pump.pdf#page=2"


def test_neighbours_are_shown_where_they_are_asked_for(folder, run):
    assert run("index", "create", "notes.nearsense", "notes", "--tokens", "16").code == 0
    hit = records(run("search", "notes.nearsense", "Oil it every month", "-k", "1", "--context", "1"))[0]
    assert hit["before"] == ["A pump moves water uphill."]
    assert hit["after"] == []


def test_the_passage_found_stands_before_its_neighbours_in_a_table(folder, run, monkeypatch):
    assert run("index", "create", "notes.nearsense", "notes", "--tokens", "16").code == 0
    monkeypatch.setenv("COLUMNS", "60")
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    out = " ".join(run("search", "notes.nearsense", "Oil it every month", "-k", "1", "--context", "1").out.split())
    assert 0 < out.index("Oil it") < out.index("[before:]")


def test_a_sync_without_a_folder_follows_that_of_the_last_time(folder, run):
    assert run("index", "create", "notes.nearsense", "notes", "--ignore", "*.pdf").code == 0
    (folder / "bank.txt").write_text("The bank closes at five.\n")
    report = records(run("index", "sync", "notes.nearsense", "--dry-run"))[0]
    assert (report["changed"], report["unchanged"], report["applied"]) == (1, 1, False)
    report = records(run("index", "sync", "notes.nearsense"))[0]
    assert (report["changed"], report["encoded"]) == (1, 1)


def test_a_single_txt_stays_a_table_of_lines_unless_it_is_called_a_document(folder, run):
    assert "made, 1 document" in run("index", "create", "a.nearsense", "notes/bank.txt").err
    assert "1 passage of 1 document" in run("index", "create", "b.nearsense", "notes/bank.txt", "--passages").err
    refused = run("index", "create", "c.nearsense", "notes/bank.txt", "--tokens", "64")
    assert refused.code == 2
    assert "--passages" in refused.err


def test_a_folder_without_documents_makes_no_collection(folder, run, tmp_path):
    (tmp_path / "empty").mkdir()
    done = run("index", "create", "e.nearsense", "empty")
    assert done.code == 2
    assert "holds no documents" in done.err
    assert not (tmp_path / "e.nearsense").exists()


def test_open_and_context_are_for_collections(folder, run):
    done = run("search", "notes/bank.txt", "money", "--open")
    assert done.code == 2
    assert "--open" in done.err


@pytest.mark.parametrize(
    ("words", "typed"),
    [
        (("search", "notes", "roses"), "index create notes.nearsense notes"),
        (("search", "notes/pump.pdf", "oil"), "index create pump.nearsense notes/pump.pdf"),
        (("index", "add", "n.nearsense", "notes"), "index sync n.nearsense notes --keep"),
    ],
)
def test_who_gives_a_folder_where_a_table_is_wanted_is_told_what_to_type(folder, run, words, typed):
    assert run("index", "create", "n.nearsense", "notes").code == 0
    done = run(*words)
    assert done.code == 2
    assert f"fix: nearsense {typed}" in done.err


def test_more_like_a_document_is_asked_by_its_path(folder, run):
    (folder / "garden.md").write_text("Cut the roses in spring. Water the flowers on Mondays.\n")
    assert run("index", "create", "n.nearsense", "notes").code == 0
    found = records(run("index", "similar", "n.nearsense", "plants.md", "-k", "1"))
    assert found[0]["place"] == "garden.md:1"
