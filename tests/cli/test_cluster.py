"""cluster on the command line: rows keep their columns, clusters have names, files lead back to them."""

from __future__ import annotations

import csv
import io
import json

import pytest

import nearsense as ns
from cluster_made import texts
from turns import in_turn


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "tickets.csv"
    given, topics = texts()
    with path.open("w", newline="") as out:
        writer = csv.writer(out)
        writer.writerow(["ticket", "text", "topic"])
        writer.writerows([f"T{row}", *each] for row, each in enumerate(zip(given, topics, strict=True)))
    return path


def test_in_a_pipe_every_row_has_its_columns_and_its_cluster(run, file):
    done = run("cluster", file, "-k", 4, "--id", "ticket", "-q")
    rows = [json.loads(line) for line in done.out.splitlines()]
    assert (done.code, len(rows)) == (0, 60)
    assert list(rows[0]) == ["ticket", "text", "topic", "cluster", "cluster_label", "strength"]
    given = ns.cluster([row["text"] for row in rows], 4)
    assert [row["cluster"] for row in rows] == given.labels.tolist()
    assert {row["cluster_label"] for row in rows} == {cluster.label for cluster in given}


def test_json_has_the_clusters_and_csv_the_rows(run, file):
    whole = json.loads(run("cluster", file, "-k", 4, "--id", "ticket", "--json").out)
    assert len(whole["clusters"]) == 4
    assert whole["clusters"][0]["members"][0].startswith("T")
    assert {"method", "exact", "model", "fingerprint", "noise", "coverage"} <= set(whole)
    rows = list(csv.DictReader(io.StringIO(run("cluster", file, "-k", 4, "--csv").out)))
    assert len(rows) == 60
    assert {row["cluster"] for row in rows} == {"0", "1", "2", "3"}


@pytest.mark.parametrize("name", ["out.csv", "out.jsonl", "out.json"])
def test_an_output_file_has_the_rows_and_the_pipe_the_clusters(run, file, tmp_path, name):
    done = run("cluster", file, "-k", 4, "-o", tmp_path / name)
    assert len(done.out.splitlines()) == 4
    from nearsense.files import read_table

    table = read_table(tmp_path / name)
    assert len(table) == 60
    assert {"ticket", "text", "topic", "cluster", "cluster_label", "strength"} == set(table.columns)


def test_levels_add_themes_and_parts(run, file):
    rows = [json.loads(line) for line in run("cluster", file, "-k", 10, "--levels", 3).out.splitlines()]
    assert {"theme", "theme_label", "cluster", "part", "part_label"} <= set(rows[0])
    assert all(row["theme"] >= 0 for row in rows)
    inside = {row["cluster"]: row["theme"] for row in rows}
    assert all(inside[row["cluster"]] == row["theme"] for row in rows)


def test_the_table_shows_names_and_sizes_and_what_is_in_none(monkeypatch):
    monkeypatch.setenv("COLUMNS", "120")
    from nearsense.render import Form, show
    from nearsense.render.clusters import clusters_page

    given, _ = texts()
    clusters = ns.cluster([*given, "Quasars emit radio waves"])
    out = io.StringIO()
    show(clusters_page(clusters.with_stability(2)), Form.TABLE, out)
    said = " ".join(out.getvalue().split())
    assert clusters[0].label.split(",")[0] in said
    assert f"{len(clusters)} clusters by density" in said
    assert "in no cluster" in said
    assert "stable" in said
    assert clusters[0].exemplar.text.split()[0] in said


def test_a_narrow_terminal_shows_the_names(monkeypatch):
    from nearsense.render import Form, show
    from nearsense.render.clusters import clusters_page

    monkeypatch.setenv("COLUMNS", "40")
    clusters = ns.cluster(texts()[0], 3)
    out = io.StringIO()
    show(clusters_page(clusters), Form.TABLE, out)
    said = " ".join(out.getvalue().split())
    assert all(cluster.keywords[0] in said for cluster in clusters)


def test_the_report_has_everything(run, file, tmp_path):
    report = tmp_path / "report.md"
    assert run("cluster", file, "-k", 9, "--report", report, "--stability").code == 0
    said = report.read_text()
    for part in (
        "# What is in tickets.csv",
        "## Themes",
        "## Clusters",
        "### 8: ",
        "Keywords: ",
        "> ",
        "stand alone",
    ):
        assert part in said
    whole = json.loads(run("cluster", file, "-k", 9, "--json").out)
    for cluster in whole["clusters"]:
        assert f"| {cluster['id']} | {cluster['label']} | {cluster['size']} |" in said


def test_markdown_in_texts_stays_text(run, tmp_path):
    path = tmp_path / "t.csv"
    path.write_text(
        "text\n" + "".join(f"<b>bold</b> | [a](b) {word}\n" for word in ("one", "two", "three", "four"))
    )
    assert run("cluster", path, "-k", 1, "--report", tmp_path / "r.md").code == 0
    assert "\\<b\\>bold" in (tmp_path / "r.md").read_text()


@in_turn(
    ("text", "written"),
    [
        ("- a list", "\\- a list"),
        ("1. a list", "1\\. a list"),
        ("~~gone~~ &amp; $x$", "\\~\\~gone\\~\\~ \\&amp; \\$x\\$"),
        ("http://evil.example", "http\\://evil.example"),
        ("red \x1b[31m \u202eback", "red \ufffd\\[31m \ufffdback"),
        ("one | two\n`three`", "one \\| two \\`three\\`"),
        ("5 o'clock: late", "5 o'clock: late"),
    ],
)
def test_a_report_shows_a_text_as_it_is(text, written):
    from nearsense.render.clusters import _plain

    assert _plain(text) == written


def test_new_rows_go_into_known_clusters(run, file, tmp_path):
    known = tmp_path / "known.clusters"
    before = [json.loads(line) for line in run("cluster", file, "-k", 4, "--save", known).out.splitlines()]
    after = [json.loads(line) for line in run("cluster", file, "--assign-to", known).out.splitlines()]
    same = [(old, new) for old, new in zip(before, after, strict=True) if new["cluster"] in range(4)]
    assert len(same) > 50
    assert all(
        (old["cluster"], old["cluster_label"]) == (new["cluster"], new["cluster_label"]) for old, new in same
    )
    for word, value in (("-k", 3), ("--language", "en"), ("--min-size", 4)):
        done = run("cluster", file, "--assign-to", known, word, value)
        assert (done.code, word in done.err) == (2, True)


def test_what_was_clustered_before_is_clustered_anew(run, file, tmp_path):
    first = tmp_path / "first.csv"
    run("cluster", file, "-k", 4, "-o", first)
    done = run("cluster", first, "--text", "text", "-k", 2)
    assert "replaced in the output: cluster" in done.err
    assert {json.loads(line)["cluster"] for line in done.out.splitlines()} == {0, 1}


def test_columns_that_the_output_does_not_have_are_kept(run, tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("theme,text,part,strength\nred,a lost card,7,old\nblue,a bad rate,8,old\n")
    done = run("cluster", path, "--text", "text", "-k", 2)
    rows = [json.loads(line) for line in done.out.splitlines()]
    assert list(rows[0]) == ["theme", "text", "part", "cluster", "cluster_label", "strength"]
    assert [(row["theme"], row["part"]) for row in rows] == [("red", "7"), ("blue", "8")]
    assert "replaced in the output: strength\n" in done.err


def test_dates_and_bytes_of_a_parquet_file_go_through_a_pipe(run, tmp_path):
    from datetime import datetime

    import pyarrow
    from pyarrow import parquet

    columns = {"text": ["a card", "a rate"], "at": [datetime(2024, 1, 2), None], "raw": [b"\xff", b"a"]}
    parquet.write_table(pyarrow.table(columns), tmp_path / "t.parquet")
    for form in ([], ["--csv"]):
        done = run("cluster", tmp_path / "t.parquet", "--text", "text", "-k", 1, *form)
        assert (done.code, "2024-01-02T00:00:00" in done.out, "ff" in done.out) == (0, True, True)


def test_vectors_in_the_file_are_used(run, file, tmp_path):
    vectors = tmp_path / "v.jsonl"
    assert run("encode", file, "-o", vectors).code == 0
    one, other = (json.loads(run("cluster", path, "-k", 4, "--json").out) for path in (file, vectors))
    assert [each["label"] for each in one["clusters"]] == [each["label"] for each in other["clusters"]]


@in_turn(
    ("content", "words", "said"),
    [
        ("text\na\nb\n", ["-k", 3], "k=3"),
        ("text\na\nb\n", ["--method", "kmeans"], "without k"),
        ("text\na\nb\n", ["--save", "no/such/folder/x"], "no folder"),
        ("text\na\nb\n", ["-o", "-"], "leave -o out"),
        ("text\na\nb\n", ["-o", "rows.xyz"], "rows.xyz"),
        ("text\na\nb\n", ["--assign-to", "missing.clusters"], "cannot be read"),
        ("text\na\nb\n", ["--method", "magic"], "magic"),
        ("text\na\nb\n", ["-k", 1, "--seed", -1], "--seed"),
        ("text\na\nb\n", ["--language", "xx"], "no stop words"),
        ("text\na\nb\n", ["--report", "."], "it is a folder"),
        ("text\na\nb\n", ["--report", "r.md", "--save", "./r.md"], "one file"),
        ('text\na\n""\n', [], "line 3"),
    ],
)
def test_what_cannot_be_is_one_clear_error(run, tmp_path, content, words, said):
    path = tmp_path / "t.csv"
    path.write_text(content)
    done = run("cluster", path, *words)
    assert done.code == 2
    assert said in done.err


@pytest.mark.parametrize("rows", [0, 1, 2])
def test_hardly_any_rows_are_no_error(run, tmp_path, rows):
    path = tmp_path / "t.jsonl"
    path.write_text("".join(json.dumps({"text": f"row {row}"}) + "\n" for row in range(rows)))
    done = run("cluster", path)
    assert done.code in ((0,) if rows else (0, 2))
    assert len(done.out.splitlines()) == (rows if done.code == 0 else 0)


def test_fewer_clusters_than_asked_for_are_told(run, tmp_path):
    path = tmp_path / "t.txt"
    path.write_text("a lost card\n" * 5)
    done = run("cluster", path, "-k", 3)
    assert (done.code, "1 of 3 clusters: no more texts differ" in done.err) == (0, True)


def test_ctrl_c_while_a_library_loads_is_an_interruption(run, file, monkeypatch):
    def stopped(*texts, **options):
        raise ImportError("initialization failed") from KeyboardInterrupt()

    monkeypatch.setattr("nearsense.clustering.cluster", stopped)
    done = run("cluster", file)
    assert (done.code, done.err.splitlines()[-1]) == (130, "interrupted: nothing half written is left")


def test_standard_input_is_read(run):
    given, _ = texts()
    done = run("cluster", "-", "-k", 2, stdin="\n".join(given).encode())
    assert len(done.out.splitlines()) == 60
