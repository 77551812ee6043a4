"""What commands list goes into a file of any format; which rows of a file are meant; what is told of them."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from xml.etree import ElementTree

import pyarrow.parquet as pq
import pytest

import nearsense as ns
from nearsense.files import read_table, write_table

ROWS = [
    {"id": "a", "text": "The parcel is late again", "lang": "en", "year": "2019"},
    {"id": "b", "text": "My invoice shows the wrong sum", "lang": "en", "year": "2021"},
    {"id": "c", "text": "The parcel is late again", "lang": "en", "year": "2024"},
    {"id": "d", "text": "Das Paket kommt zu spät", "lang": "de", "year": "2024"},
    {"id": "e", "text": "=SUM(1,2) is what my parcel says", "lang": "en", "year": "2022"},
]
FORMATS = ["csv", "tsv", "json", "jsonl", "parquet", "xlsx", "md", "csv.gz"]
SHEET = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_table("t.csv", ROWS)
    return tmp_path


def sheet(path):
    """The rows of a workbook as Excel finds them in its parts, and whether a cell is a formula."""
    with zipfile.ZipFile(path) as book:
        shared = ElementTree.fromstring(book.read("xl/sharedStrings.xml"))
        root = ElementTree.fromstring(book.read("xl/worksheets/sheet1.xml"))
    texts = ["".join(part.text or "" for part in each.iter(f"{SHEET}t")) for each in shared]
    kinds = {"s": lambda value: texts[int(value)], "b": lambda value: value == "1", "n": float}
    head, *rows = (
        {
            cell.get("r").rstrip("0123456789"): kinds[cell.get("t", "n")](cell.findtext(f"{SHEET}v"))
            for cell in row.iter(f"{SHEET}c")
        }
        for row in root.iter(f"{SHEET}row")
    )
    return [{head[column]: value for column, value in row.items()} for row in rows], any(root.iter(f"{SHEET}f"))


def written(path):
    if path.endswith(".xlsx"):
        return sheet(path)[0]
    if path.endswith(".parquet"):
        return pq.read_table(path).to_pylist()
    if path.endswith(".json"):
        return json.loads(Path(path).read_text())
    if path.endswith(".jsonl"):
        return [json.loads(line) for line in Path(path).read_text().splitlines()]
    columns = read_table(path).columns
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


@pytest.mark.parametrize("form", [form for form in FORMATS if form != "md"])
def test_hits_go_into_a_file_of_any_format_with_their_metadata(run, here, form):
    done = run("search", "t.csv", "a late parcel", "a wrong bill", "-k", 2, "-o", f"hits.{form}")
    assert (done.code, done.out, done.err) == (0, "", f"hits.{form}: 4 rows\n")
    wanted = [
        json.loads(line)
        for line in run("search", "t.csv", "a late parcel", "a wrong bill", "-k", 2).out.splitlines()
    ]
    found = written(f"hits.{form}")
    assert [each["id"] for each in found] == [each["id"] for each in wanted]
    assert [float(each["score"]) for each in found] == pytest.approx([each["score"] for each in wanted])
    if form.startswith("json"):
        assert found == wanted
    else:
        assert [each["lang"] for each in found] == [each["metadata"]["lang"] for each in wanted]
        assert "metadata" not in found[0]


@pytest.mark.parametrize(
    "words",
    ["rank parcel t.csv", "compare late parcel", "matrix t.csv", "explain parcel late", "duplicates t.csv",
     "duplicates t.csv --groups", "models --here", "faq f.csv parcel", "cluster t.csv -k 2", "dedupe t.csv",
     "index search c.nearsense parcel", "index similar c.nearsense a", "log c.nearsense"],
)  # fmt: skip
def test_every_command_that_lists_writes_a_workbook_and_markdown(run, here, words):
    write_table("f.csv", [{"question": "Where is my parcel?", "answer": "On its way."}])
    if "c.nearsense" in words:
        assert run("index", "create", "c.nearsense", "t.csv", "-q").code == 0
        assert run("log", "c.nearsense", "--on").code == 0
        assert run("search", "c.nearsense", "a parcel").code == 0
    for form in ("xlsx", "md", "tsv"):
        done = run(
            *words.split(), "-o", f"out.{form}", *(["-q"] if words.split()[0] in ("cluster", "dedupe") else [])
        )
        assert done.code == (1 if words.startswith("faq") and done.code else 0), done.err
        assert (here / f"out.{form}").stat().st_size > 20
        assert f"out.{form}: " in done.err or words.startswith("cluster")
    rows, formula = sheet("out.xlsx")
    assert rows
    assert not formula


def test_a_text_that_begins_like_a_formula_stays_that_text_in_a_workbook(run, here):
    signs = [
        "=1+1",
        "+1",
        "-2",
        "@SUM(1)",
        "\t=1",
        "＝1",
        '=HYPERLINK("http://x.org")',
        "http://x.org",
        "_x0041_",
        "a\x01b\r\nc",
    ]
    write_table(
        "odd.xlsx",
        [{"=name": text, "n": 7, "on": True, "none": None, "big": 12345678901234567890} for text in signs],
    )
    rows, formula = sheet("odd.xlsx")
    assert not formula
    assert [row["n"] for row in rows] == [7] * len(signs)
    assert {row["on"] for row in rows} == {True}
    assert {row["big"] for row in rows} == {"12345678901234567890"}
    shown = [row["=name"].replace("_x005F_x0041_", "_x0041_").replace("_x0001_", "\x01") for row in rows]
    assert [text.replace("_x000D_", "\r").replace("\r\n", "\n") for text in shown] == [
        s.replace("\r\n", "\n") for s in signs
    ]
    with zipfile.ZipFile("odd.xlsx") as book:
        assert b"quotePrefix" in book.read("xl/styles.xml")
        assert not [name for name in book.namelist() if "rels/sheet" in name], "an address is no link"


def test_equal_rows_make_equal_workbooks_and_what_no_cell_holds_is_refused(here):
    for name in ("a.xlsx", "b.xlsx"):
        write_table(name, ROWS)
    assert (here / "a.xlsx").read_bytes() == (here / "b.xlsx").read_bytes()
    with pytest.raises(
        ns.FileError, match=r"row 2, column 'text': 40,000 characters, a cell of Excel holds 32,767"
    ):
        write_table("a.xlsx", [{"text": "a"}, {"text": "x" * 40_000}])
    with pytest.raises(ns.FileError, match="16,385 columns are more"):
        write_table("a.xlsx", [dict.fromkeys(map(str, range(16_385)), 1)])
    assert (here / "a.xlsx").read_bytes() == (here / "b.xlsx").read_bytes(), "what was there stays"
    assert {each.name for each in here.iterdir()} == {"t.csv", "a.xlsx", "b.xlsx"}


def test_markdown_is_a_table_for_people_and_no_text_is_markup_in_it(run, here):
    write_table("m.csv", [{"id": "1", "text": "a | b <b>bold</b> `x` " + "long " * 200, "lang": "*en*"}])
    assert run("search", "m.csv", "what is it?", "-o", "hits.md").code == 0
    lines = (here / "hits.md").read_text().splitlines()
    assert lines[0] == "## what is it?"
    head, _, row = (line.split(" | ") for line in lines[2:5])
    assert head[-1] == "lang |"
    assert row[-1] == "\\*en\\* |"
    assert "a \\| b &lt;b>bold&lt;/b> \\`x\\`" in lines[4]
    assert lines[4].count("long") == 200
    assert "cosine similarity" in lines[-1]


@pytest.mark.parametrize(
    ("words", "what"),
    [("search t.csv parcel -o t.csv", "-o t.csv is FILE itself"),
     ("search t.csv parcel -o ./t.csv", "is FILE itself"),
     ("search t.csv parcel -o hits.txt", "txt cannot hold this"),
     ("search t.csv parcel -o hits", "the extension says nothing about its format"),
     ("search t.csv parcel -o -", "standard output has it without -o"),
     ("search t.csv parcel -o nowhere/hits.csv", "there is no folder nowhere"),
     ("compare --pairs t.csv --columns text,lang -o t.csv", "-o t.csv is --pairs itself"),
     ("duplicates t.csv --against a.csv -o a.csv", "-o a.csv is --against itself"),
     ("faq t.csv --questions a.csv -o a.csv", "-o a.csv is --questions itself"),
     ("matrix t.csv --plot m.svg -o m.csv -o m.svg", "svg"),
     ("rank parcel t.csv -o c.nearsense/x.csv", "lies within the collection c.nearsense")],
)  # fmt: skip
def test_a_list_goes_over_nothing_that_is_read_and_into_no_strange_place(run, here, words, what):
    write_table("a.csv", ROWS)
    assert run("index", "create", "c.nearsense", "t.csv", "-q").code == 0
    before = {path: path.read_bytes() for path in here.rglob("*") if path.is_file()}
    done = run(*words.split())
    assert done.code == 2
    assert what in done.err
    assert {path: path.read_bytes() for path in here.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize("name", ["config.json", "1_Pooling/config.json", "scores.csv", "link/config.json"])
@pytest.mark.parametrize(
    "words", ["cluster t.csv -k 2 --save OUT", "explain a b --html OUT", "search t.csv parcel -o OUT"]
)
def test_nothing_is_written_into_the_folder_of_a_model(run, here, words, name):
    for folder in ("model/1_Pooling", "hub"):
        (here / folder).mkdir(parents=True)
    for file in ("model/model.safetensors", "model/1_Pooling/config.json"):
        (here / file).write_text("{}")
    (here / "hub" / "blob").write_text('{"x": 1}')
    (here / "model" / "config.json").symlink_to(here / "hub" / "blob")
    (here / "link").symlink_to("model")
    out = name if name.startswith("link") else f"model/{name}"
    if "-o" in words and not out.endswith(".csv"):
        out += ".csv"
    done = run(*[out if word == "OUT" else word for word in words.split()])
    assert (done.code, "lies within the model model" in done.err) == (2, True), done.err
    assert (here / "hub" / "blob").read_text() == '{"x": 1}'
    (here / "model" / "model.safetensors").unlink()
    (here / "model" / "config.json").unlink()
    (here / "model" / "1_Pooling" / "config.json").unlink()
    if words.startswith("cluster") and name == "config.json":
        assert run(*[out if word == "OUT" else word for word in words.split()], "-q").code == 0, (
            "it is a folder like any"
        )


# ---- which rows of a file


@pytest.mark.parametrize(
    ("words", "ids"),
    [("--where lang=en", "abce"), ("--where year>=2022", "cde"), ("--where lang=en --where year<2022", "ab"),
     ("--limit 2", "ab"), ("--rows 2", "ab"), ("--where lang=en --limit 3", "abc"),
     ('--where {"or":[{"lang":"de"},{"year":2019}]}', "ad"), ("--where lang!=en", "d")],
)  # fmt: skip
def test_only_the_rows_that_are_meant_are_searched(run, here, words, ids):
    done = run("rank", "parcel", "t.csv", *words.split())
    assert sorted(json.loads(line)["id"] for line in done.out.splitlines()) == sorted(ids)
    collection = run("index", "create", "c.nearsense", "t.csv", *words.split(), "-q")
    assert f"{len(ids)} document" in collection.err


def test_a_filter_finds_in_a_file_what_it_finds_in_a_collection(run, here):
    rows = [
        {"id": "1", "text": "a", "zip": "01067", "n": 1, "tags": ["x", "y"], "of": {"name": "Li"}},
        {"id": "2", "text": "b", "zip": "99999", "n": 2.5, "tags": [], "of": {"name": "Bo"}},
        {"id": "3", "text": "c", "zip": None, "tags": "x", "of": None},
    ]
    write_table("r.jsonl", rows)
    assert run("index", "create", "c.nearsense", "r.jsonl", "-q").code == 0
    for where in (
        'zip="01067"',
        "n<2",
        "tags=x",
        "tags in x,z",
        "n exists",
        "zip not exists",
        "of.name=Li",
        "tags!=x",
    ):
        in_file, in_collection = (
            {json.loads(line)["id"] for line in run("search", name, "a", "--where", where).out.splitlines()}
            for name in ("r.jsonl", "c.nearsense")
        )
        assert in_file == in_collection, where
        assert in_file, where


def test_a_column_that_is_not_there_and_a_filter_that_nothing_passes_are_errors(run, here):
    done = run("search", "t.csv", "parcel", "--where", "langu=en")
    assert (done.code, 'did you mean "lang"?' in done.err) == (2, True)
    done = run("cluster", "t.csv", "--where", "lang=fr")
    assert (done.code, "none of 5 rows passes --where" in done.err) == (2, True)
    assert run("search", "t.csv", "parcel", "--where", "lang = 'en'").code == 2


def test_dedupe_writes_the_rows_that_are_meant_and_no_others(run, here):
    assert run("dedupe", "t.csv", "--where", "lang=en", "--rows", 3, "-o", "out.csv").code == 0
    assert (
        (here / "out.csv").read_text()
        == "id,text,lang,year\na,The parcel is late again,en,2019\nb,My invoice shows the wrong sum,en,2021\n"
    )
    assert run("dedupe", "t.csv", "--where", "lang=de", "-o", "out.xlsx").code == 0
    assert [row["id"] for row in sheet("out.xlsx")[0]] == ["d"]


def test_an_interrupted_command_is_named_with_its_rows():
    from nearsense.cli.options import DocumentOptions

    words = DocumentOptions(where=("lang=en", "year>=2020"), rows=7, text="body").words()
    assert words == ["--text", "body", "--where", "lang=en", "--where", "year>=2020", "--limit", "7"]


# ---- what is said twice, and what is told


def test_texts_that_are_equal_are_found_once_with_those_that_are_alike(run, here):
    found = [json.loads(line) for line in run("search", "t.csv", "late parcel", "-k", 3).out.splitlines()]
    assert (found[0]["id"], found[0]["alike"]) == ("a", ["c"])
    assert len({each["text"] for each in found}) == 3
    every = [
        json.loads(line) for line in run("search", "t.csv", "late parcel", "-k", 3, "--repeats").out.splitlines()
    ]
    assert [each["id"] for each in every[:2]] == ["a", "c"]
    assert all("alike" not in each for each in every)
    assert run("index", "create", "c.nearsense", "t.csv", "-q").code == 0
    for mode in ("dense", "hybrid"):
        words = ["search", "c.nearsense", "late parcel", "-k", 3, "--mode", mode]
        found = json.loads(run(*words, "--json").out)["hits"]
        assert (found[0]["rank"], found[0]["id"], found[0]["alike"]) == (1, "a", ["c"])
        assert [each["rank"] for each in found] == [1, 2, 3], "three texts that differ, as asked for"
        assert len({each["text"] for each in found}) == 3
        assert len(json.loads(run(*words, "--repeats", "--json").out)["hits"]) == 3


def test_duplicates_clusters_and_maps_take_a_collection_with_its_vectors(run, here, monkeypatch):
    assert run("index", "create", "c.nearsense", "t.csv", "-q").code == 0
    monkeypatch.setattr("nearsense.cached.cached", lambda encoder: pytest.fail("nothing is encoded again"))
    found = [json.loads(line) for line in run("duplicates", "c.nearsense").out.splitlines()]
    assert [(each["left"], each["right"]) for each in found] == [("a", "c")]
    some = run("duplicates", "c.nearsense", "--min-score", -1, "--where", "lang=de")
    assert (some.code, some.out) == (0, "")
    assert [row["id"] for row in map(json.loads, run("cluster", "c.nearsense", "-k", 2).out.splitlines())] == [
        *"abcde"
    ]
    refused = run("dedupe", "c.nearsense", "-o", "out.csv")
    assert (refused.code, "nearsense duplicates c.nearsense --groups" in refused.err) == (2, True)


def test_what_learns_or_measures_may_be_given_some_rows_too(run, here):
    pairs = [
        {
            "a": f"I lost my {n}",
            "b": f"my {n} is gone" if n % 2 else "rain",
            "label": str(n % 2),
            "set": str(n % 4 // 2),
        }
        for n in range(160)
    ]
    write_table("pairs.csv", pairs)
    write_table("half.csv", [row for row in pairs if row["set"] == "1"])
    for words in (["calibrate", "--json"], ["evaluate", "--json", "--no-baselines", "--errors", 0]):
        some = run(*words[:1], "pairs.csv", *words[1:], "--where", "set=1")
        half = run(*words[:1], "half.csv", *words[1:])
        assert some.code == half.code == 0, some.err
        told = [[line for line in each.out.splitlines() if "second" not in line] for each in (some, half)]
        assert [line.replace("pairs.csv", "half.csv") for line in told[0]] == told[1]
    write_table(
        "faq.csv", [{"question": f"Where is my {n}?", "answer": n, "lang": n[0]} for n in ("bag", "cat", "box")]
    )
    answered = json.loads(run("faq", "faq.csv", "where is the cat", "-k", 3, "--where", "lang=b", "--json").out)
    assert {each["id"] for each in answered["candidates"]} == {"2", "4"}


def test_a_training_that_is_gone_on_with_has_the_rows_that_it_was_begun_with():
    from nearsense.cli.train import TrainOptions

    again = TrainOptions(where=("set=1", "year>=2020"), rows=50).again("pairs.csv")
    assert "--where set=1 --where 'year>=2020'" in again
    assert "--limit 50" in again


def test_duplicates_show_lines_and_each_text_once(run, here, monkeypatch):
    import io

    import nearsense.deduplication as deduplication
    from nearsense.render import Form, show
    from nearsense.render.results import dropped_page, groups_page, pairs_page

    monkeypatch.setenv("COLUMNS", "120")
    texts = ["Late parcel"] * 6 + ["late parcel!"] * 2 + ["Where is the invoice?"]
    found = deduplication.duplicates([ns.Document(str(line), text) for line, text in enumerate(texts, 1)])
    assert len(found) == 6 * 5 // 2 + 1 + 6 * 2
    pages = {}
    for name, page in (
        ("pairs", pairs_page(found, 20, ids="line", listed=False)),
        ("groups", groups_page(found, 20, ids="line")),
        ("dropped", dropped_page(found, 20, written=False, ids="line")),
    ):
        out = io.StringIO()
        show(page, Form.TABLE, out)
        pages[name] = out.getvalue()
    rows = [line for line in pages["pairs"].splitlines() if "arcel" in line]
    assert len(rows) == 3
    assert "2, 3, 4 and 2 more" in rows[0]
    assert "= the same text" in rows[0]
    assert "line a" in pages["pairs"]
    assert sum("Late parcel" in line for line in pages["groups"].splitlines()) == 2
    assert "line 1: Late parcel" in pages["groups"]
    assert "7 would go (5 exact, 2 normalized, 0 semantic)" in pages["dropped"]
    assert sum("arcel" in line for line in pages["dropped"].splitlines()) == 2


def test_rows_with_other_labels_are_not_the_same(run, here):
    rows = [
        {"id": str(number), "text": text, "label": label}
        for number, (text, label) in enumerate(
            [("Late parcel", "post"), ("Late parcel", "mail"), ("late parcel", "post"), ("Late parcel", "post"),
             ("My parcel is late", "mail"), ("The invoice", "")]
        )
    ]  # fmt: skip
    write_table("l.csv", rows)
    assert run("dedupe", "l.csv", "--within", "label", "-o", "out.csv").code == 0
    assert read_table("out.csv").columns["id"] == ["0", "1", "4", "5"]
    for label in ("post", "mail", ""):  # the truth: each label's rows by themselves
        own = [ns.Document(row["id"], row["text"]) for row in rows if row["label"] == label]
        kept = {document.id for document in ns.duplicates(own).unique}
        assert kept == {id_ for id_ in read_table("out.csv").columns["id"] if rows[int(id_)]["label"] == label}
    write_table("a.csv", [{"text": "Late parcel", "label": "mail"}, {"text": "Late parcel", "label": "other"}])
    assert run("dedupe", "l.csv", "--against", "a.csv", "--within", "label", "-o", "new.csv").code == 0
    assert read_table("new.csv").columns["id"] == ["0", "4", "5"]
    assert run("dedupe", "l.csv", "--within", "text", "-o", "same.csv").code == 0
    assert read_table("same.csv").columns["id"] == ["0", "2", "4", "5"]
    done = run("dedupe", "l.csv", "--within", "lable")
    assert (done.code, "did you mean 'label'?" in done.err) == (2, True)
    with pytest.raises(ns.InputError, match="no row has such a field"):
        ns.duplicates(["a", "b"], only_within="label")


@pytest.mark.parametrize(
    ("words", "line"),
    [(["search", "my screen", "t.csv", "-k", "1"], "nearsense search t.csv 'my screen' -k 1"),
     (["search", "my screen", "more", "t.csv"], "nearsense search t.csv more 'my screen'"),
     (["rank", "t.csv", "my screen"], "nearsense rank 'my screen' t.csv"),
     (["rerank", "t.csv", "my screen", "--cross", "x"], "nearsense rerank 'my screen' t.csv --cross x"),
     (["faq", "When?", "t.csv"], "nearsense faq t.csv 'When?'"),
     (["index", "search", "my screen", "c.nearsense"], "nearsense index search c.nearsense 'my screen'")],
)  # fmt: skip
def test_arguments_the_wrong_way_round_are_told_with_the_line_to_type(run, here, words, line):
    assert run("index", "create", "c.nearsense", "t.csv", "-q").code == 0
    done = run(*words)
    assert done.code == 2
    assert "the arguments look swapped" in done.err
    assert f"fix: {line}\n" in done.err


def test_the_name_of_a_file_may_be_what_is_asked_for_and_that_is_said(run, here):
    done = run("search", "t.csv", "t.csv")
    assert (done.code, "is taken as the query itself" in done.err) == (0, True)
    assert "taken" not in run("search", "t.csv", "parcel").err
    assert "taken as the text itself" in run("compare", "t.csv", "parcel").err


def test_a_terminal_shows_twenty_clusters_each_exemplar_on_one_line(here, monkeypatch):
    import io

    from nearsense.clustering import cluster
    from nearsense.render import Form, show
    from nearsense.render.clusters import clusters_page

    monkeypatch.setenv("COLUMNS", "80")
    words = ["parcel", "invoice", "screen", "garden", "music", "bread", "train", "river", "phone", "paint"]
    texts = [
        f"{word} number {n} and what else there is to say of it, at length" for word in words for n in range(6)
    ]
    found = cluster(texts, 25)
    page = clusters_page(found, most=20)
    out = io.StringIO()
    show(page, Form.TABLE, out)
    assert len(page.cells) == 20
    assert "5 more clusters: --show 25 shows them." in " ".join(out.getvalue().split())
    table = out.getvalue().split("5 more clusters")[0]
    assert len([line for line in table.splitlines() if line.strip()]) <= 20 * 2 + 2
    assert len(page.document["clusters"]) == 25


def test_clusters_of_numbers_are_named_by_them():
    numbers = [str(number) for number in range(400, 430)]
    others = [
        f"I want my money back for the broken {thing}, {n} times" for thing in ("lamp", "lock") for n in range(9)
    ]
    for k in (2, 3):
        names = {
            each.label: {(numbers + others)[int(id_)] for id_ in each.members}
            for each in ns.cluster(numbers + others, k)
        }
        of_numbers = [name for name, members in names.items() if members <= {*numbers}]
        assert len(of_numbers) == k - 1, names
        assert all(set(name.split(", ")) <= names[name] for name in of_numbers), names


def test_the_list_of_models_fits_eighty_columns_and_begins_with_what_runs_here(monkeypatch):
    import io

    from nearsense.cli.models import models_page
    from nearsense.render import Form, show

    monkeypatch.setenv("COLUMNS", "80")
    out = io.StringIO()
    show(models_page(), Form.TABLE, out)
    lines = [line for line in out.getvalue().splitlines() if line.strip()]
    assert max(map(len, lines)) <= 80
    head = next(line for line in lines if "search" in line)
    assert head.split() == ["model", "runs", "M", "STS", "search", "lang"]
    rows = models_page().cells
    order = ["here", "pull", "torch", "server"]
    assert [row[1] for row in rows] == sorted((row[1] for row in rows), key=order.index)
    assert rows[0][0] == "all-MiniLM-L6-v2"
    assert all(any(line.split()[0] == row[0] for line in lines) for row in rows), "no name is broken"
