"""Collections of passages: a folder in, hits with places out; what changed is seen, and only that is encoded."""

from __future__ import annotations

import os
import shutil
from contextlib import suppress

import numpy as np
import pytest

import nearsense as ns
import papers
from fakes import HashEncoder
from nearsense.errors import FileError, InputError

PLANTS = """# Plants

Water the flowers on Mondays and on Fridays, but not on days on which it rains.

## Roses

Cut the roses in spring, before the leaves come, an inch above a bud that looks out.

## Tomatoes

Tomatoes want sun and a stick to hold on to; take off the shoots between stem and leaf.
"""
BANK = "The bank closes at four.\n\nMoney can be fetched from the machine at any hour of the day.\n"


@pytest.fixture
def folder(tmp_path):
    made = tmp_path / "notes"
    (made / "home").mkdir(parents=True)
    (made / "home" / "plants.md").write_text(PLANTS)
    (made / "bank.txt").write_text(BANK)
    return made


@pytest.fixture(params=["memory", "disk"])
def notes(request, tmp_path):
    where = ":memory:" if request.param == "memory" else tmp_path / "notes.nearsense"
    with ns.open(where, encoder=HashEncoder()) as made:
        yield made


def encoded(notes, *arguments, **options):
    """What a sync says, and how many texts the model was given for it."""
    encoder = notes._engine.model._model
    before = encoder.encoded
    report = notes.sync_documents(*arguments, **options)
    return report, encoder.encoded - before


def whole(notes, folder):
    """Whether the collection holds just the passages that the folder has now."""
    fresh = ns.open(":memory:", encoder=HashEncoder())
    fresh.sync_documents(folder, tokens=32)
    there, vectors = notes.documents()
    wanted, theirs = fresh.documents()
    known = {
        document.id: (document.text, {**document.metadata["passage"], "modified": 0}, row.tolist())
        for document, row in zip(there, vectors.data, strict=True)
    }
    return known == {
        document.id: (document.text, {**document.metadata["passage"], "modified": 0}, row.tolist())
        for document, row in zip(wanted, theirs.data, strict=True)
    }


def test_a_folder_becomes_passages_that_say_where_they_stand(notes, folder):
    report = notes.sync_documents(folder, tokens=32)
    assert (report.added, report.passages, report.encoded) == (2, len(notes), len(notes))
    hit = notes.search("cut the roses in spring", k=1)[0]
    said = hit.metadata["passage"]
    assert hit.place == "home/plants.md:5"
    assert PLANTS[said["begin"] : said["end"]] == hit.text[said.get("lead", 0) :]
    assert said["headings"] == ["Plants", "Roses"]
    assert hit.text.startswith("Plants\n## Roses")


def test_a_document_counts_once_by_its_best_passage(notes, folder):
    notes.sync_documents(folder, tokens=32)
    once = notes.search("water the flowers cut the roses tomatoes want sun", k=10)
    assert sorted(hit.metadata["passage"]["document"] for hit in once) == ["bank.txt", "home/plants.md"]
    assert [hit.rank for hit in once] == [1, 2]
    every = notes.search("water the flowers cut the roses tomatoes want sun", k=10, all_passages=True)
    assert len(every) == len(notes)
    for hit in once:
        best = next(
            each for each in every if each.metadata["passage"]["document"] == hit.metadata["passage"]["document"]
        )
        assert (best.id, best.score) == (hit.id, hit.score)


def test_as_many_documents_are_found_as_there_are_however_many_passages_come_before(notes, tmp_path):
    folder = tmp_path / "many"
    folder.mkdir()
    (folder / "long.txt").write_text("\n\n".join(f"rain falls on the roof number{n} again" for n in range(200)))
    for number in range(5):
        (folder / f"{number}.txt").write_text(f"snow lies on hill number{number} today")
    notes.sync_documents(folder, tokens=16)
    assert len(notes.search("rain falls on the roof", k=6)) == 6
    assert len(notes.search("rain falls on the roof", k=6, mode="hybrid")) == 6
    assert len(notes.search("rain falls on the roof", k=3, where={"passage.document": {"!=": "long.txt"}})) == 3


def test_texts_that_differ_are_found_however_many_are_equal(notes, tmp_path):
    folder = tmp_path / "many"
    folder.mkdir()
    for number in range(40):
        (folder / f"{number:02}.txt").write_text("rain falls on the roof")
    for number in range(5):
        (folder / f"other{number}.txt").write_text(f"rain falls on hill number{number}")
    notes.sync_documents(folder, tokens=16)
    for mode in ("dense", "lexical", "hybrid"):
        found = notes.search("rain falls on the roof", k=4, mode=mode, repeats=False)
        assert len({hit.text for hit in found}) == len(found) == 4
        assert [hit.rank for hit in found] == [1, 2, 3, 4]
        assert len({found[0].id, *found[0].alike}) == 40, "all that equal it are named"
        assert not any(hit.alike for hit in found[1:])
        assert found.to_dicts()[0]["alike"] == [*found[0].alike]
    assert len(notes.search("rain falls on the roof", k=50, repeats=False)) == 6
    assert len({hit.text for hit in notes.search("rain falls on the roof", k=4)}) == 1


def test_what_did_not_change_is_neither_read_nor_encoded(notes, folder, monkeypatch):
    notes.sync_documents(folder, tokens=32)
    for file in folder.rglob("*.*"):
        os.utime(file, (1_700_000_000, 1_700_000_000))
    notes.sync_documents(folder)
    again, count = encoded(notes, folder)
    assert (again.unchanged, again.added, again.changed, again.encoded, count) == (2, 0, 0, 0, 0)
    assert whole(notes, folder)


def test_only_the_passages_that_changed_are_encoded(notes, folder):
    notes.sync_documents(folder, tokens=32)
    changed = PLANTS.replace("in spring", "in March").replace(
        "# Plants\n",
        "# Plants\n\nA new paragraph that comes before all others and says nothing of any plant at all.\n",
    )
    (folder / "home" / "plants.md").write_text(changed)
    report, count = encoded(notes)
    assert (report.changed, report.unchanged) == (1, 1)
    assert count == report.encoded < report.passages
    assert whole(notes, folder)


def test_a_file_that_was_moved_costs_nothing(notes, folder):
    notes.sync_documents(folder, tokens=32)
    (folder / "garden").mkdir()
    shutil.move(folder / "home" / "plants.md", folder / "garden" / "flowers.md")
    report, count = encoded(notes)
    assert (report.moved, report.added, report.removed, report.encoded, count) == (1, 0, 0, 0, 0)
    assert whole(notes, folder)


def test_a_file_that_is_gone_is_gone_unless_it_is_kept(notes, folder):
    notes.sync_documents(folder, tokens=32)
    before = len(notes)
    (folder / "bank.txt").unlink()
    assert notes.sync_documents(remove=False).removed == 0
    assert len(notes) == before
    assert notes.sync_documents(dry_run=True).removed == 1
    assert len(notes) == before
    assert notes.sync_documents().removed == 1
    assert whole(notes, folder)


def test_a_file_that_shrinks_leaves_no_passage_behind(notes, folder):
    notes.sync_documents(folder, tokens=32)
    (folder / "home" / "plants.md").write_text("# Plants\n\nNone.\n")
    notes.sync_documents()
    assert len(notes.passages("home/plants.md")) == 1
    assert whole(notes, folder)


def test_a_sync_that_broke_off_is_finished_by_the_next(tmp_path, folder):
    """Each step of the writing in turn fails; the next sync makes all of it right."""
    broke = 0
    for step in range(6):
        path = tmp_path / f"broken{step}.nearsense"
        with ns.open(path, encoder=HashEncoder()) as notes:
            notes.sync_documents(folder, tokens=32)
            (folder / "home" / "plants.md").write_text(
                PLANTS.replace("spring", f"month {step}")[: 300 + 60 * step]
            )
            engine, calls, least = notes._engine, 0, step % 3
            for name in ("write", "delete"):
                real = getattr(engine, name)

                def broken(*arguments, real=real, least=least, **options):
                    nonlocal calls
                    calls += 1
                    if calls > least:
                        raise KeyboardInterrupt
                    return real(*arguments, **options)

                setattr(engine, name, broken)
            with suppress(KeyboardInterrupt):
                notes.sync_documents()
            broke += calls > least
            del engine.write, engine.delete
            notes.sync_documents()
            assert whole(notes, folder)
        (folder / "home" / "plants.md").write_text(PLANTS)
    assert broke >= 4


def test_another_way_of_splitting_splits_all_anew_and_is_kept(notes, folder):
    notes.sync_documents(folder, tokens=32)
    few = notes.sync_documents(tokens=128)
    assert few.changed == 2
    assert notes.sync_documents().unchanged == 2
    plain = notes.sync_documents(headings=False)
    assert plain.changed == 2
    assert all("lead" not in each.metadata["passage"] for each in notes.documents()[0])


def test_a_file_that_cannot_be_read_any_more_keeps_its_passages(notes, folder):
    papers.pdf(folder / "a.pdf", [["Hello there, this is a page."]])
    notes.sync_documents(folder)
    (folder / "a.pdf").write_bytes(b"%PDF-1.4 broken")
    report = notes.sync_documents()
    assert [line.split(":")[0] for line in report.unread] == ["a.pdf"]
    assert len(notes.passages("a.pdf")) == 1
    assert notes.search("a page", k=1, where={"format": "pdf"})[0].place == "a.pdf#page=1"


def test_passages_around_a_hit_are_those_before_and_behind_it(notes, folder):
    notes.sync_documents(folder, tokens=32)
    every = notes.passages("home/plants.md")
    assert [each.metadata["passage"]["number"] for each in every] == list(range(len(every)))
    before, after = notes.neighbours(every[1].id)
    assert (before, after) == (every[:1], every[2:3])
    assert notes.neighbours(every[0].id, 9) == ([], every[1:])
    with pytest.raises(InputError, match="no passage"):
        notes.neighbours("home/plants.md")


def test_more_like_a_document_is_asked_by_the_mean_of_its_passages(notes, folder):
    (folder / "garden.md").write_text("Cut the roses in spring. Water the flowers on Mondays.")
    notes.sync_documents(folder, tokens=32)
    found = notes.similar("home/plants.md", k=5)
    assert [hit.metadata["passage"]["document"] for hit in found] == ["garden.md", "bank.txt"]
    vectors = notes.documents()[1].data[
        [row for row, each in enumerate(notes.documents()[0]) if each.id.startswith("home")]
    ]
    mean = vectors.sum(axis=0) / np.linalg.norm(vectors.sum(axis=0))
    other = {each.id: row for each, row in zip(notes.documents()[0], notes.documents()[1].data, strict=True)}
    assert found[0].score == pytest.approx(
        max(float(mean @ row) for id_, row in other.items() if id_.startswith("garden")), abs=1e-6
    )
    one = notes.similar("home/plants.md#0", k=5)
    assert all(hit.metadata["passage"]["document"] != "home/plants.md" for hit in one)


def test_a_collection_without_a_folder_says_so(notes):
    with pytest.raises(InputError, match="no folder yet"):
        notes.sync_documents()
    with pytest.raises(FileError):
        notes.sync_documents("nowhere/at/all")


def test_texts_and_passages_live_in_one_collection(notes, folder):
    notes.add([ns.Document("t1", "roses are cut in spring by the gardener")])
    notes.sync_documents(folder, tokens=32)
    found = notes.search("roses are cut in spring", k=5)
    assert [hit.place for hit in found].count(None) == 1
    assert len(found) == 3
    notes.sync_documents()
    assert notes.get("t1")[0] is not None


def test_a_sync_of_texts_takes_the_vectors_of_texts_that_it_has_under_another_id():
    encoder = HashEncoder()
    with ns.open(":memory:", encoder=encoder) as notes:
        notes.sync([ns.Document("a", "one text"), ns.Document("b", "another text")])
        before = encoder.encoded
        report = notes.sync(
            [ns.Document("c", "one text"), ns.Document("a", "another text"), ns.Document("d", "new")]
        )
        assert (report.added, report.changed, report.removed, report.encoded) == (2, 1, 1, 1)
        assert encoder.encoded - before == 1
        documents, vectors = notes.documents()
        assert vectors.data.tolist() == encoder.encode([document.text for document in documents]).data.tolist()
        assert {document.id: document.text for document in documents} == {
            "c": "one text",
            "a": "another text",
            "d": "new",
        }


# -- what fits a prompt


def test_a_context_fits_names_its_sources_and_says_nothing_twice(notes, folder):
    notes.sync_documents(folder, tokens=32, overlap=8)
    count = lambda text: len(text.split())  # noqa: E731
    for room in (10, 40, 60, 100, 1000):
        made = ns.context("how do roses and tomatoes grow", notes, tokens=room, count_tokens=count)
        assert count(made.text) == made.tokens <= room
    assert {excerpt.document for excerpt in made.excerpts} == {"home/plants.md", "bank.txt"}
    plants = next(excerpt for excerpt in made.excerpts if excerpt.document == "home/plants.md")
    assert plants.text.split() == PLANTS.split(), "all of it, in order, once"
    assert plants.source == f"[{plants.number}] home/plants.md:1 (Plants)"
    assert made.text.startswith("[1] ")
    assert made.to_dict()["excerpts"][0]["ids"]


def test_a_context_of_few_passages_is_of_the_best(notes, folder):
    notes.sync_documents(folder, tokens=32)
    best = notes.search("cut the roses in spring", k=2, all_passages=True)
    made = ns.context("cut the roses in spring", notes, tokens=500, k=2)
    assert {id_ for excerpt in made.excerpts for id_ in excerpt.ids} == {hit.id for hit in best}
    assert ns.context("cut the roses", notes, tokens=1).excerpts == ()


def test_a_context_of_ordinary_texts_names_their_ids():
    with ns.open(":memory:", encoder=HashEncoder()) as texts:
        texts.add(["roses are cut in spring", "the bank closes at four"])
        assert str(ns.context("roses in spring", texts, k=1)) == "[1] 0\nroses are cut in spring"
