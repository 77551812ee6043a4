"""Paths in folders that may not be looked into: three lines that name the path, never a fault of nearsense."""

from __future__ import annotations

import shlex
import shutil

import pytest

import nearsense as ns
from rights import ordinary_rights
from samples import tiny_bert

COMMANDS = """
search CLOSED/t.csv "my screen"
search CLOSED/notes.nearsense "my screen"
rank "my screen" CLOSED/t.csv
rerank "my screen" CLOSED/t.csv --cross MODEL
encode CLOSED/t.csv -o out.npy
encode t.csv -o CLOSED/out.npy
encode t.csv -o CLOSED/deeper/out.npy
matrix CLOSED/t.csv
compare --pairs CLOSED/pairs.csv
compare a b --model CLOSED/model
compare a b --calibration CLOSED/mine.json
explain a b --html CLOSED/page.html
duplicates CLOSED/t.csv
duplicates t.csv -o CLOSED/pairs.csv
duplicates t.csv --against CLOSED/t.csv
duplicates t.csv --resume CLOSED/found
dedupe CLOSED/t.csv -o out.csv
dedupe t.csv -o CLOSED/out.csv
dedupe t.csv -o out.csv --dropped CLOSED/dropped.csv
cluster CLOSED/t.csv
cluster t.csv --save CLOSED/known.clusters
cluster t.csv --assign-to CLOSED/known.clusters
cluster t.csv -o CLOSED/out.xlsx
map CLOSED/t.csv -o map.html
map t.csv -o CLOSED/map.html
faq CLOSED/faq.csv "how do I log in?"
faq faq.csv --questions CLOSED/t.csv
faq faq.csv "how do I log in?" -o CLOSED/answers.csv
evaluate CLOSED/pairs.csv
evaluate pairs.csv -o CLOSED/report.md
evaluate stsb --data-dir CLOSED
calibrate CLOSED/pairs.csv
calibrate pairs.csv -o CLOSED/mine.json
calibrate t.csv --ask --labels CLOSED/labels.csv
drift CLOSED/t.csv --against t.csv
drift t.csv --against CLOSED/t.csv
drift t.csv --against t.csv -o CLOSED/drift.html
drift t.csv --against t.csv --watch CLOSED/watch
train CLOSED/pairs.csv --adapter -o made
train pairs.csv --adapter -o CLOSED/made
train pairs.csv --adapter -o CLOSED/deeper/made
train pairs.csv --adapter --model CLOSED/model -o made
distill CLOSED/model --texts t.csv -o made
distill MODEL --texts CLOSED/t.csv -o made
distill MODEL --texts many.txt -o CLOSED/made
index create CLOSED/new.nearsense t.csv
index create new.nearsense CLOSED/t.csv
index create new.nearsense CLOSED
index create new.nearsense CLOSED/notes
index add CLOSED/notes.nearsense t.csv
index info CLOSED/notes.nearsense
index verify CLOSED/notes.nearsense
index backup CLOSED/notes.nearsense copy
log CLOSED/notes.nearsense
log CLOSED/notes.nearsense --on
models verify CLOSED/model
models bench CLOSED/model
models card CLOSED/model
models probe CLOSED/model
models merge CLOSED/model -o made
"""


@pytest.fixture(scope="module")
def here(tmp_path_factory):
    """Files to name, and a folder with the same that will be closed."""
    base = tmp_path_factory.mktemp("here")
    tickets = "text\nmy screen freezes\nI want my money back\nthe parcel is late\nthe screen is frozen\n"
    pairs = "text1,text2,label\n" + "".join(f"a {n},one {n},{n % 2}\n" for n in range(20))
    for folder in (base, base / "closed"):
        (folder / "notes").mkdir(parents=True)
        (folder / "notes" / "a.md").write_text("# Notes\n\nMy screen freezes.\n")
        (folder / "t.csv").write_text(tickets)
        (folder / "pairs.csv").write_text(pairs)
        (folder / "many.txt").write_text("".join(f"a note on {n} things\n" for n in range(300)))
        (folder / "faq.csv").write_text("question,answer\nHow do I log in?,With your password.\n")
        tiny_bert(folder / "model")
    with ns.open(base / "closed" / "notes.nearsense", str(base / "model")) as notes:
        notes.add(["my screen freezes"])
    (base / "closed").chmod(0)
    yield base
    (base / "closed").chmod(0o700)


@pytest.mark.parametrize("line", COMMANDS.strip().splitlines())
def test_a_path_in_a_closed_folder_is_named(run, here, monkeypatch, line):
    monkeypatch.chdir(here)
    before = {*here.iterdir()}
    words = shlex.split(line.replace("CLOSED", "closed").replace("MODEL", "model"))
    with ordinary_rights():
        done = run(*words)
    lines = done.err.splitlines()
    errors = [line for line in lines if line.startswith("error: ")]
    for each in {*here.iterdir()} - before:
        shutil.rmtree(each) if each.is_dir() else each.unlink()
    assert done.code in (2, 3), done
    assert len(errors) == 1, done
    assert "closed" in errors[0], done
    assert "fault of nearsense" not in done.err
    assert lines[-1].startswith("  fix: "), done


def test_what_a_closed_folder_holds_is_told_and_stays_in_the_collection(tmp_path):
    for name in ("a.md", "deep/b.md", "deep/er/c.md"):
        (tmp_path / "notes" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "notes" / name).write_text(f"# {name}\n\nThis is about {name}.\n")
    with ns.open(tmp_path / "notes.nearsense") as notes:
        assert notes.sync_documents(tmp_path / "notes").added == 3
        (tmp_path / "notes" / "deep").chmod(0)
        try:
            with ordinary_rights():
                read = ns.read_documents(tmp_path / "notes")
                report = notes.sync_documents()
                with pytest.raises(ns.errors.FileError, match="deep"):
                    ns.read_documents(tmp_path / "notes" / "deep")
        finally:
            (tmp_path / "notes" / "deep").chmod(0o700)
        assert [document.id for document in read] == ["a.md"]
        assert [*read.unread] == ["deep"]
        assert (report.removed, len(report.unread)) == (0, 1), "what is not seen may still be there"
        (tmp_path / "notes" / "deep" / "b.md").unlink()
        assert notes.sync_documents().removed == 1, "and what is seen to be gone goes"
