"""nearsense evaluate: every form of its output, its exit codes, and what it refuses."""

from __future__ import annotations

import csv
import io
import json

import pytest

from nearsense.calibration.probe import probe_pairs

ROWS = [
    ("The dashboard freezes", "The dashboard hangs", 5),
    ("Refund my invoice", "I want my money back", 4),
    ("Where is my parcel?", "The parcel is late", 3),
    ("It is raining", "Rain is falling", 5),
    ("A red car", "Quarterly figures", 0),
    ("A dog barks", "The law was passed", 0),
    ("He plays the piano", "She plays the flute", 2),
    ("We ship in two days", "The moon is full", 0.5),
]


@pytest.fixture
def pairs(tmp_path):
    file = tmp_path / "pairs.csv"
    file.write_text("a,b,score\n" + "".join(f"{a},{b},{score}\n" for a, b, score in ROWS))
    return file


def test_json_is_one_document_with_plain_fractions(run, pairs):
    done = run("evaluate", pairs, "--json", "--quiet")
    assert done.code == 0
    found = json.loads(done.out)
    assert (found["task"], found["items"], found["main"]) == ("graded", 8, "spearman")
    assert [each["name"] for each in found["systems"]] == [
        "all-MiniLM-L6-v2", "Jaccard", "TF-IDF words", "TF-IDF characters",
    ]  # fmt: skip
    figure = found["systems"][0]["figures"]["spearman"]
    assert 0 < figure["low"] <= figure["value"] <= figure["high"] <= 1
    assert found["scale"] == [0, 5]


def test_csv_and_pipes_have_a_line_a_figure(run, pairs):
    rows = list(csv.DictReader(io.StringIO(run("evaluate", pairs, "--csv", "-q").out)))
    lines = [json.loads(line) for line in run("evaluate", pairs, "-q").out.splitlines()]
    assert [row["figure"] for row in rows] == ["spearman", "pearson"] * 4
    assert [line["value"] for line in lines] == pytest.approx([float(row["value"]) for row in rows])


def test_markdown_has_tables_of_systems_differences_and_errors(run, pairs):
    done = run("evaluate", pairs, "--markdown", "--errors", "2", "-q")
    assert done.code == 0
    assert "| system | spearman | pearson |" in done.out
    assert "## Worst errors of all-MiniLM-L6-v2" in done.out
    assert done.out.count("\n| ") == (1 + 1 + 4) + (1 + 1 + 1) + (1 + 1 + 2)


def test_a_report_is_written_beside_what_is_printed(run, pairs, tmp_path):
    for name in ("report.md", "report.json", "report.html"):
        assert run("evaluate", pairs, "-o", tmp_path / name, "-q", "--csv").code == 0
    assert (tmp_path / "report.md").read_text().startswith("# ")
    assert (tmp_path / "report.html").read_text().startswith("<!doctype html>")
    known = json.loads((tmp_path / "report.json").read_text())
    assert len(known["systems"][0]["scores"]) == 8


def test_what_would_be_markup_is_text_in_markdown(run, tmp_path):
    file = tmp_path / "odd|<b>.csv"
    file.write_text("a,b,score\n" + "".join(f"{a} | <i>,{b} `x`,{score}\n" for a, b, score in ROWS))
    out = run("evaluate", file, "--markdown", "-q").out
    assert "<" not in out
    rows = [line for line in out.splitlines() if "\\|" in line and line.startswith("| ")]
    assert rows
    assert all(line.replace("\\|", "").count("|") == 6 for line in rows)


@pytest.mark.parametrize(("floor", "code"), [("spearman=0.2", 0), ("spearman=0.999", 1), ("pearson=-1", 0)])
def test_a_figure_under_its_floor_is_exit_code_one(run, pairs, floor, code):
    done = run("evaluate", pairs, "--fail-under", floor, "-q", "--json")
    assert done.code == code
    assert json.loads(done.out)
    assert (done.err.splitlines() == []) == (code == 0)
    if code:
        assert len(done.err.splitlines()) == 1
        assert done.err.startswith("failed: spearman of all-MiniLM-L6-v2 is 0.")
        assert done.err.endswith("under 0.999\n")


def test_baselines_may_be_left_out_and_poolings_added(run, pairs):
    def names(*words):
        return [each["name"] for each in json.loads(run("evaluate", pairs, "-q", "--json", *words).out)["systems"]]

    assert names("--no-baselines") == ["all-MiniLM-L6-v2"]
    assert names("--pooling-baselines")[1] == "all-MiniLM-L6-v2, cls pooling"


def test_standard_input_and_columns_and_a_sample(run):
    content = "x,y,z\n" + "".join(f"{a},{b},{score}\n" for a, b, score in ROWS)
    words = (
        "evaluate",
        "-",
        "--format",
        "csv",
        "--columns",
        "x,y,z",
        "--limit",
        "5",
        "--seed",
        "1",
        "--json",
        "-q",
    )
    done = run(*words, stdin=content.encode())
    assert done.code == 0
    assert json.loads(done.out)["items"] == 5


def test_several_models_are_compared(run, pairs):
    words = ("evaluate", pairs, "--json", "-q", "--no-baselines")
    found = json.loads(run(*words, "--model", "all-MiniLM-L6-v2", "--model", "all-MiniLM-L6-v2").out)
    assert found["comparisons"][0]["p"] == 1


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--range", "0,4"), "line 2: the score 5 is outside of the range 0 to 4"),
        (("--range", "five"), "--range takes two numbers"),
        (("--columns", "a"), "--columns takes two names or three"),
        (("--columns", "a,b,c"), "has no column 'c'"),
        (("--task", "triplets"), "no triplets data set"),
        (("--task", "other"), "task='other' is not known"),
        (("--fail-under", "spearman"), "a figure and a number"),
        (("--fail-under", "spearman=80"), "figures are fractions, spearman=0.8"),
        (("--fail-under", "accuracy=0.8"), "'accuracy' is no figure of a graded data set"),
        (("--fail-under", "false_accepts@95=0.8"), "the better the lower"),
        (("-o", "report.docx"), "a report is one of .md, .html, .json"),
        (("-o", "nowhere/report.md"), "there is no folder nowhere"),
        (("--model", "nosuchmodel"), "nosuchmodel"),
    ],
)
def test_what_cannot_be_is_refused_with_exit_code_two(run, pairs, words, said):
    done = run("evaluate", pairs, "-q", *words)
    assert done.code == 2
    assert said in done.err
    assert len(done.err.splitlines()) <= 3
    assert done.out == ""


@pytest.mark.parametrize("words", [("-o", "report.docx"), ("-o", "nowhere/x.html"), ("--fail-under", "auroc=0.8")])
def test_what_is_wrong_with_the_words_is_said_before_anything_is_measured(run, pairs, words, monkeypatch):
    monkeypatch.setattr("nearsense.evaluation.evaluate", lambda *_, **__: pytest.fail("it was measured"))
    assert run("evaluate", pairs, "-q", *words).code == 2


def test_a_set_that_is_not_here_and_may_not_be_fetched_is_three_lines(run, monkeypatch, tmp_path):
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    done = run("evaluate", "stsb", "--offline", "-q")
    assert done.code == 2
    assert len(done.err.splitlines()) == 3
    assert "--data-dir DIR" in done.err


def test_own_copies_of_standard_sets_are_evaluated(run, tmp_path):
    (tmp_path / "stsb.csv").write_text("a,b,score\n" + "".join(f"{a},{b},{score}\n" for a, b, score in ROWS))
    done = run("evaluate", "stsb", "--data-dir", tmp_path, "-q", "--json")
    assert json.loads(done.out)["items"] == 8


def test_a_table_is_for_people_with_figures_times_a_hundred(pairs):
    import nearsense as ns
    from nearsense.render import Form, show
    from nearsense.render.evaluation import evaluation_page

    out = io.StringIO()
    result = ns.evaluate(None, pairs, errors=1)
    show(evaluation_page(result), Form.TABLE, out)
    assert f"{100 * result.figure().value:.2f}" in out.getvalue()
    assert "Figures times 100" in out.getvalue()
    assert "Worst errors of all-MiniLM-L6-v2" in out.getvalue()


def test_json_has_null_for_what_is_not_defined(run, tmp_path):
    file = tmp_path / "same.csv"
    file.write_text("a,b,score\n" + "".join(f"x,x,{score}\n" for score in range(4)))
    report = tmp_path / "same.json"
    done = run("evaluate", file, "--json", "-q", "-o", report, "--fail-under", "spearman=0.1")
    assert done.code == 1
    assert done.err == "failed: spearman of all-MiniLM-L6-v2 is not defined\n"
    lines = run("evaluate", file, "-q").out.splitlines()
    for text in (done.out, report.read_text(), *lines):
        json.loads(text, parse_constant=lambda word: pytest.fail(f"{word} is no JSON"))
    assert {json.loads(line)["value"] for line in lines} == {None}
    assert run("evaluate", file, "-q", "-o", tmp_path / "same.html").code == 0
    assert {row["value"] for row in csv.DictReader(io.StringIO(run("evaluate", file, "--csv", "-q").out))} == {""}


def test_a_floor_of_strangers_needs_strangers_in_the_sample(run, tmp_path):
    file = tmp_path / "intents.csv"
    texts = [f"text {place},{'oos' if place == 9 else 'ab'[place % 2]}" for place in range(10)]
    file.write_text("text,label\n" + "\n".join(texts) + "\n")
    done = run("evaluate", file, "--limit", "4", "--fail-under", "auroc=0.5", "-q")
    assert done.code == 2
    assert "none of the 4 judged texts is out of scope" in done.err
    assert "Traceback" not in done.err


@pytest.mark.parametrize("seed", ["-1", "-7"])
def test_a_seed_below_nothing_is_refused(run, pairs, seed):
    for more in ((), ("--limit", "4")):
        done = run("evaluate", pairs, "--seed", seed, "-q", *more)
        assert (done.code, done.out) == (2, "")
        assert f"seed={seed} is too small" in done.err


def test_a_report_that_cannot_be_written_is_refused_before_anything_is_measured(run, pairs, tmp_path, monkeypatch):
    monkeypatch.setattr("nearsense.evaluation.evaluate", lambda *_, **__: pytest.fail("it was measured"))
    (tmp_path / "folder.md").mkdir()
    done = run("evaluate", pairs, "-q", "-o", tmp_path / "folder.md")
    assert done.code == 2
    assert "it is a folder" in done.err
    kept = tmp_path / "kept.md"
    kept.write_text("as it was")
    monkeypatch.setattr("os.access", lambda *_, **__: False)
    assert run("evaluate", pairs, "-q", "-o", kept).code == 2
    assert kept.read_text() == "as it was"


def test_trying_whether_a_report_can_be_written_leaves_nothing(run, pairs, tmp_path):
    (tmp_path / "kept.md").write_text("as it was")
    before = sorted(tmp_path.iterdir())
    for name in ("kept.md", "new.md"):
        assert run("evaluate", pairs, "-q", "-o", tmp_path / name, "--columns", "no,such,one").code == 2
    assert sorted(tmp_path.iterdir()) == before
    assert (tmp_path / "kept.md").read_text() == "as it was"


def test_stated_probabilities_are_judged_in_every_form(run, tmp_path):
    ours = [each for each in probe_pairs("en") if each.form == "sentences"][:100]
    file = tmp_path / "pairs.csv"
    with file.open("w", newline="") as stream:
        csv.writer(stream).writerows(
            [
                ("a", "b", "score"),
                *((each.left, each.right, {"same": 5, "near": 3}.get(each.relation, 0)) for each in ours),
            ]
        )
    words = ("evaluate", file, "--same-from", "4", "--no-baselines", "--errors", "0", "-q")
    document = json.loads(run(*words, "--json").out)["systems"][0]["probabilities"]
    assert set(document) == {"task", "prior", "pairs", "left_out", "ece", "coverage", "width", "bands"}
    assert set(document["bands"][0]) == {"above", "up_to", "pairs", "stated", "share", "low", "high", "held"}
    rows = list(csv.DictReader(io.StringIO(run(*words, "--csv").out)))
    assert float(next(row["value"] for row in rows if row["figure"] == "ece")) == pytest.approx(document["ece"])
    assert "| probability | pairs |" in run(*words, "--markdown").out
    assert "--same-from" in run("evaluate", file, "--no-baselines", "--markdown", "-q").out
