"""nearsense map: files in, pages and pictures out."""

from __future__ import annotations

import re

import pytest


@pytest.fixture
def texts(tmp_path):
    file = tmp_path / "tickets.csv"
    things = ("parcel", "card", "login", "invoice", "screen")
    rows = [f"{row},Why is my {thing} {what}?" for row, (thing, what) in enumerate(
        (thing, what) for thing in things for what in ("late", "lost", "broken", "so slow", "gone"))]  # fmt: skip
    file.write_text("id,text\n" + "\n".join(rows) + "\n")
    return file


def test_a_file_becomes_a_page_and_a_picture(run, texts, tmp_path):
    done = run("map", texts, "-o", tmp_path / "map.html", "--png", tmp_path / "map.png", "-k", "5")
    assert done.code == 0, done.err
    assert done.out == ""
    assert re.search(r"map\.html: 25 texts, 5 clusters, \d+ pairs? to judge; layout: neighbours", done.err)
    page = (tmp_path / "map.html").read_text("utf-8")
    assert "<title>tickets</title>" in page
    assert "Why is my parcel late?" in page
    assert (tmp_path / "map.png").read_bytes()[:4] == b"\x89PNG"


def test_the_layout_and_the_title_are_chosen(run, texts, tmp_path):
    done = run("map", texts, "-o", tmp_path / "m.svg", "--layout", "pca", "--no-duplicates", "--title", "June")
    assert done.code == 0, done.err
    assert "0 pairs to judge; layout: pca" in done.err
    assert "June" in (tmp_path / "m.svg").read_text("utf-8")


def test_the_same_file_gives_the_same_page(run, texts, tmp_path):
    for name in ("a.html", "b.html"):
        assert run("map", texts, "-o", tmp_path / name, "--title", "t").code == 0
    assert (tmp_path / "a.html").read_bytes() == (tmp_path / "b.html").read_bytes()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["-o", "map.pdf"], r"\.html, \.png, \.svg"),
        (["-o", "map.html", "--png", "map.gif"], r"map\.gif"),
        (["-o", "nowhere/map.html"], "nowhere"),
        (["-o", "map.html", "-k", "26"], "26"),
        (["-o", "map.html", "-k", "0"], "0"),
        (["-o", "map.html", "--layout", "globe"], "globe"),
        ([], "-o"),
    ],
)
def test_wrong_use_is_told_in_a_line(run, texts, words, said):
    done = run("map", texts, *words)
    assert done.code == 2
    assert re.search(said, done.err)
    assert "Traceback" not in done.err


@pytest.mark.parametrize("rows", ["one text only\n", "a cat\na dog\n", "the same\n" * 40])
def test_few_and_equal_texts_have_a_map(run, tmp_path, rows):
    file = tmp_path / "texts.txt"
    file.write_text(rows)
    done = run("map", file, "-o", tmp_path / "map.html")
    assert done.code == 0, done.err
    assert (tmp_path / "map.html").exists()


def test_a_missing_folder_is_told_before_anything_is_read(run, tmp_path):
    done = run(
        "map", tmp_path / "not there.csv", "-o", tmp_path / "map.html", "--png", tmp_path / "no" / "map.png"
    )
    assert (done.code, "there is no folder" in done.err) == (2, True)


def test_vectors_without_texts_are_no_map(run, texts, tmp_path):
    import json

    assert run("encode", texts, "-o", tmp_path / "v.jsonl").code == 0
    rows = [json.loads(line) for line in (tmp_path / "v.jsonl").read_text("utf-8").splitlines()]
    bare = [json.dumps({name: value for name, value in row.items() if name != "text"}) for row in rows]
    (tmp_path / "bare.jsonl").write_text("\n".join(bare))
    done = run("map", tmp_path / "bare.jsonl", "-o", tmp_path / "map.html")
    assert (done.code, "holds vectors and no texts" in done.err) == (2, True)
