"""duplicates and dedupe: what they print, and that files come out as they went in, but for the rows that went."""

import csv
import gzip
import io
import json

import numpy as np
import pytest

import nearsense as ns
from nearsense.files import read_table, write_vectors
from turns import in_turn

ROWS = (
    "id;text;price\n"
    '7;"The dashboard freezes; after login";007\n'
    "8;Please refund my invoice.;1.50\n"
    '\n9;"the dashboard\nfreezes; after login!";\n'
    "10;please refund my invoice;2.0\n"
    "11;Something else altogether;3\n"
    "12;Please pay 15 dollars by Monday;4\n"
    "13;Please pay 51 dollars by Monday;5"
)


@pytest.fixture
def tickets(tmp_path):
    file = tmp_path / "tickets.csv"
    file.write_text(ROWS)
    return file


def lines(text):
    return [json.loads(line) for line in text.splitlines()]


def test_pairs_come_best_first_as_json_lines(run, tickets):
    done = run("duplicates", tickets, "--min-probability", "0.05")
    assert done.code == 0
    pairs = lines(done.out)
    assert {(each["left"], each["right"]) for each in pairs[:2]} == {("7", "9"), ("8", "10")}
    assert {each["tier"] for each in pairs[:2]} == {"normalized"}
    last = next(each for each in pairs if each["left"] == "12")
    assert last["differs"] == ["number: 15 dollars → 51 dollars"]


def test_limit_groups_json_and_csv(run, tickets):
    assert len(lines(run("duplicates", tickets, "--limit", "1").out)) == 1
    groups = json.loads(run("duplicates", tickets, "--groups", "--json").out)
    assert sorted((each["kept"], each["dropped"][0]["id"]) for each in groups) == [("7", "9"), ("8", "10")]
    table = list(csv.DictReader(io.StringIO(run("duplicates", tickets, "--groups", "--csv").out)))
    assert sorted(each["id"] for each in table) == ["10", "9"]
    longest = json.loads(run("duplicates", tickets, "--groups", "--json", "--keep", "longest").out)
    assert sorted(each["kept"] for each in longest) == ["8", "9"]


def test_fail_is_for_findings_only(run, tickets, tmp_path):
    assert run("duplicates", tickets, "--fail").code == 1
    other = tmp_path / "other.txt"
    other.write_text("one thing\nquite another matter\n")
    assert run("duplicates", other, "--fail").code == 0


def test_against_finds_leakage(run, tickets, tmp_path):
    train = tmp_path / "train.txt"
    train.write_text("PLEASE REFUND MY INVOICE!\nA train arrives.\n")
    done = run("duplicates", tickets, "--against", train, "--fail")
    assert done.code == 1
    assert {(each["left"], each["right"]) for each in lines(done.out) if each["right"] == "1"} == {
        ("8", "1"),
        ("10", "1"),
    }
    clean = tmp_path / "clean.csv"
    assert run("dedupe", tickets, "--against", train, "-o", clean).code == 0
    assert read_table(clean).columns["id"] == ["7", "11", "12", "13"]


def test_without_output_nothing_is_written(run, tickets, tmp_path):
    before = sorted(tmp_path.iterdir())
    done = run("dedupe", tickets)
    assert done.code == 0
    assert sorted((each["id"], each["kept"]) for each in lines(done.out)) == [("10", "8"), ("9", "7")]
    assert sorted(tmp_path.iterdir()) == before
    whole = json.loads(run("dedupe", tickets, "--json").out)
    assert whole["rows"] == 7
    assert whole["kept"] == 5
    assert whole["dropped"] == {"exact": 0, "normalized": 2, "semantic": 0}
    assert whole["written"] is False


def test_what_stays_stands_as_it_stood(run, tickets, tmp_path):
    clean, gone = tmp_path / "clean.csv", tmp_path / "dropped.jsonl"
    done = run("dedupe", tickets, "-o", clean, "--dropped", gone)
    assert done.code == 0
    assert done.out == ""
    assert "5 rows stay, 2 went (0 exact, 2 normalized, 0 semantic)" in done.err
    assert clean.read_text() == (
        "id;text;price\n"
        '7;"The dashboard freezes; after login";007\n'
        "8;Please refund my invoice.;1.50\n\n"
        "11;Something else altogether;3\n"
        "12;Please pay 15 dollars by Monday;4\n"
        "13;Please pay 51 dollars by Monday;5"
    )
    assert [(each["id"], each["kept"], each["tier"], each["reason"]) for each in lines(gone.read_text())] == [
        ("9", "7", "normalized", "the same but for case, space or punctuation"),
        ("10", "8", "normalized", "the same but for case, space or punctuation"),
    ]


RECORDS = [
    {"text": "Where is my parcel?", "n": 1.0, "tags": ["a"]},
    {"text": "where is my parcel", "n": None},
    {"text": "Zürich\u2028line", "deep": {"x": 1}},
    {"text": "Where is my parcel?"},
]


@pytest.mark.parametrize("name", ["a.jsonl", "a.json", "a.jsonl.gz"])
def test_json_comes_out_value_for_value(run, tmp_path, name):
    file, clean = tmp_path / name, tmp_path / f"clean-{name}"
    content = (
        json.dumps(RECORDS) if ".jsonl" not in name else "\n".join(json.dumps(each) for each in RECORDS) + "\n"
    )
    opened = gzip.open if name.endswith("gz") else open
    with opened(file, "wt", encoding="utf-8") as stream:
        stream.write(content)
    assert run("dedupe", file, "-o", clean).code == 0
    with opened(clean, "rt", encoding="utf-8") as stream:
        written = stream.read()
    out = (
        json.loads(written) if ".jsonl" not in name else [json.loads(line) for line in written.split("\n") if line]
    )
    assert out == [RECORDS[0], RECORDS[2]]


def test_columns_of_json_and_other_formats_are_written_too(run, tmp_path, tickets):
    file, clean = tmp_path / "a.json", tmp_path / "clean.json"
    file.write_text(json.dumps({"text": ["one", "One", "two"], "n": [1, 2, 3]}))
    assert run("dedupe", file, "-o", clean).code == 0
    assert json.loads(clean.read_text()) == {"text": ["one", "two"], "n": [1, 3]}
    assert run("dedupe", tickets, "-o", tmp_path / "clean.jsonl").code == 0
    assert lines((tmp_path / "clean.jsonl").read_text())[0] == {
        "id": "7",
        "text": "The dashboard freezes; after login",
        "price": "007",
    }


def test_text_files_and_standard_input_are_files_too(run, tmp_path):
    clean = tmp_path / "clean.txt"
    file = tmp_path / "a.txt"
    file.write_text("one\n\nTwo words\n two words \nONE!\n")
    assert run("dedupe", file, "-o", clean).code == 0
    assert clean.read_text() == "one\nTwo words\n"
    done = run("dedupe", "-", "-o", "-", stdin=b"one\nTwo words\ntwo words\n")
    assert done.out == "one\nTwo words\n"
    done = run("dedupe", "-", "--format", "csv", "-o", "-", stdin=b"text,x\none,1\nOne.,2\ntwo,3\n")
    assert done.out == "text,x\none,1\ntwo,3\n"


def test_parquet_keeps_its_types(run, tmp_path):
    arrow = pytest.importorskip("pyarrow")
    import datetime

    import pyarrow.parquet as parquet

    file, clean = tmp_path / "a.parquet", tmp_path / "clean.parquet"
    table = arrow.table(
        {
            "text": ["one", "One!", "two"],
            "on": [datetime.date(2024, 1, 1), datetime.date(2025, 1, 1), None],
            "n": arrow.array([1, 2, 3], arrow.int8()),
        }
    )
    parquet.write_table(table, file)
    assert run("dedupe", file, "-o", clean, "--keep", "newest:on").code == 0
    assert parquet.read_table(clean).equals(table.take([1, 2]))
    assert run("dedupe", file, "-o", tmp_path / "clean.csv").code == 0
    assert (tmp_path / "clean.csv").read_text() == "text,on,n\none,2024-01-01,1\ntwo,,3\n"


@pytest.mark.parametrize("suffix", ["npy", "jsonl", "parquet"])
def test_stored_vectors_travel_with_their_rows(run, tmp_path, suffix):
    if suffix == "parquet":
        pytest.importorskip("pyarrow")
    vectors = ns.Vectors(np.array([[1, 0], [0.96, 0.28], [0, 1]], np.float32), "ab", np.zeros(3, bool), "mine")
    file, clean = tmp_path / f"a.{suffix}", tmp_path / f"clean.{suffix}"
    write_vectors(file, vectors, ids=["x", "y", "z"], texts=["one", "another", "third"])
    done = run("dedupe", file, "-o", clean, "--min-score", "0.9")
    assert done.code == 0, done.err
    table = read_table(clean)
    assert table.columns["id"] == ["x", "z"]
    assert table.vectors.data.tolist() == [[1, 0], [0, 1]]
    assert table.vectors.fingerprint == "ab"
    bare = tmp_path / "bare.npy"
    write_vectors(bare, vectors)
    assert len(lines(run("duplicates", bare, "--min-score", "0.9").out)) == 1


def test_rows_without_text_are_not_compared_and_stay(run, tmp_path):
    file, clean = tmp_path / "a.csv", tmp_path / "clean.csv"
    file.write_text("text,x\none,1\n,2\nOne.,3\n,4\n")
    assert run("dedupe", file).code == 2
    done = run("dedupe", file, "-o", clean, "--skip-empty")
    assert "2 of 4 rows without text are not compared" in done.err
    assert clean.read_text() == "text,x\none,1\n,2\n,4\n"


def test_target_allow_differing_and_thresholds(run, tmp_path, tickets):
    assert json.loads(run("dedupe", tickets, "--target", "5", "--json").out)["kept"] == 5
    done = run("dedupe", tickets, "--target", "6")
    assert done.code == 2
    assert "6 rows cannot stay, 5 can" in done.err
    done = run("dedupe", tickets, "--min-score", "0.7", "--allow-differing", "--json")
    assert json.loads(done.out)["dropped"]["semantic"] == 1


@pytest.mark.parametrize(
    ("words", "what"),
    [
        (["-o", "FILE"], "is FILE itself"),
        (["--dropped", "FILE"], "is FILE itself"),
        (["-o", "out.csv", "--dropped", "out.csv"], "name two files"),
        (["-o", "nowhere/out.csv"], "there is no folder"),
        (["-o", "out.xyz"], "out.xyz"),
        (["-o", "out.txt"], "cannot hold its columns"),
        (["--keep", "best"], "keep='best'"),
        (["--keep", "newest:price"], "row 8: 'price' is 'cheap'"),
        (["--min-score", "0.9", "--min-probability", "0.9"], "two thresholds"),
        (["--max-memory", "much"], "no size"),
        (["--target", "100"], "100 rows cannot stay"),
        (["--calibration", "none"], "min_score"),
    ],
)
def test_wrong_use_is_said_and_writes_nothing(run, tickets, tmp_path, monkeypatch, words, what):
    monkeypatch.chdir(tmp_path)
    words = [str(tickets) if word == "FILE" else word for word in words]
    if "newest:price" in words:
        tickets.write_text(ROWS.replace("1.50", "cheap"))
    before = sorted(tmp_path.iterdir())
    done = run("dedupe", tickets, *words)
    assert done.code == 2
    assert what in done.err
    assert sorted(tmp_path.iterdir()) == before


def test_max_memory_is_passed_on(run, tickets):
    assert run("duplicates", tickets, "--max-memory", "500MB").code == 0


def test_what_the_model_has_no_token_for_drops_no_row(run, tmp_path):
    file = tmp_path / "a.csv"
    file.write_text("text\nGreat service 😀\nGreat service 😡\n👍\n👎\n", encoding="utf-8")
    assert json.loads(run("dedupe", file, "--json").out)["kept"] == 4
    pairs = {(each["a"], each["b"]): each["differs"] for each in lines(run("duplicates", file).out)}
    assert pairs["Great service 😀", "Great service 😡"] == ["unread: 😀 → 😡"]
    assert pairs["👍", "👎"] == ["unread: 👍 → 👎"]


def test_rows_that_differ_beyond_the_models_limit_stay(run, tmp_path):
    file, same = tmp_path / "a.txt", "the same words again and again " * 100
    file.write_text(f"{same} refused\n{same} accepted\n")
    assert json.loads(run("dedupe", file, "--json").out)["kept"] == 2


@pytest.mark.parametrize("first", ["15", "51"])
def test_what_differs_is_told_from_the_left_row_to_the_right_one(run, tmp_path, first):
    file, second = tmp_path / "a.txt", first[::-1]
    file.write_text(f"Please pay {first} dollars by Monday\nPlease pay {second} dollars by Monday\n")
    (pair,) = lines(run("duplicates", file, "--min-score", "0.5").out)
    assert pair["differs"] == [f"number: {first} dollars → {second} dollars"]
    (gone,) = lines(run("dedupe", file, "--min-score", "0.5", "--allow-differing").out)
    assert gone["differs"] == [f"number: {second} dollars → {first} dollars"]


def test_the_column_of_ids_can_say_which_row_is_newest(run, tmp_path):
    file = tmp_path / "a.csv"
    file.write_text("id,text\n1,Hello there\n2,hello there!\n")
    assert [each["id"] for each in lines(run("dedupe", file, "--keep", "newest:id").out)] == ["1"]


def test_a_byte_order_mark_stays(run, tmp_path):
    file, clean = tmp_path / "a.csv", tmp_path / "clean.csv"
    file.write_bytes("\ufefftext;x\r\nGrün;1\r\ngrün!;2\r\n".encode())
    assert run("dedupe", file, "-o", clean).code == 0
    assert clean.read_bytes() == "\ufefftext;x\r\nGrün;1\r\n".encode()


def test_a_file_is_no_archive_of_itself_and_resume_is_a_file_of_its_own(run, tickets, tmp_path):
    for command in ("duplicates", "dedupe"):
        assert "is FILE itself" in run(command, tickets, "--against", tickets).err
        assert "is FILE itself" in run(command, tickets, "--resume", tickets).err
        assert "there is no folder" in run(command, tickets, "--resume", tmp_path / "no" / "r").err
    other = tmp_path / "notes"
    other.write_text("my notes, which nobody shall write over or remove")
    done = run("dedupe", tickets, "--resume", other)
    assert done.code == 2
    assert "something else" in done.err
    assert "rm " not in done.err
    assert other.read_text().startswith("my notes")


def test_standard_output_that_takes_no_more_is_not_called_the_file(run, tickets, monkeypatch):
    class Full(io.BytesIO):
        def write(self, _content):
            raise OSError(28, "No space left on device")

    monkeypatch.setattr("sys.stdout", io.TextIOWrapper(Full()))
    monkeypatch.setattr("sys.argv", ["nearsense"])
    from nearsense.files.writing import Original

    with pytest.raises(OSError, match="No space left") as raised:
        Original(tickets).copy("-", [0])
    assert str(tickets) not in str(raised.value)


@pytest.mark.filterwarnings("ignore::nearsense.LanguageWarning")
@in_turn(
    "rows",
    [
        ["Wir wollen die Rechnungen zahlen.", "Wir wollen die Rechnungen zählen."],
        ["Der Kunde hat uns gefordert.", "Der Kunde hat uns gefördert."],
        ["El cliente tiene cinco anos.", "El cliente tiene cinco años."],
        ["Tôi bán xe", "Tôi bạn xe"],
        ["ma", "má", "mà", "mả", "mã", "mạ"],
        ["Pes má byt v domě", "Pes má být v domě"],
        ["Press ⌘ and drag", "Press ⌥ and drag"],
    ],
)
def test_rows_that_the_model_cannot_tell_apart_stay_and_are_named(run, tmp_path, rows):
    file, out = tmp_path / "rows.txt", tmp_path / "out.txt"
    file.write_text("\n".join(rows) + "\n", encoding="utf-8")
    assert run("dedupe", file, "-o", out).code == 0
    assert out.read_text(encoding="utf-8").split("\n")[:-1] == rows
    for pair in lines(run("duplicates", file, "--min-score", "0.99").out):
        assert any(each.startswith("unread: ") for each in pair["differs"])


def test_rows_in_an_unknown_language_go_by_meaning_only_with_any_language(run, tmp_path):
    file = tmp_path / "rows.txt"
    rows = ["Dove si trova il pacco che ho ordinato ieri?", "Dove si trova il pacco che avevo ordinato ieri?"]
    file.write_text("\n".join([*rows, rows[0].lower(), "Vorrei cambiare la password"]), encoding="utf-8")
    done = run("dedupe", file, "--min-score", "0.8", "--json")
    assert json.loads(done.out)["dropped"] == {"exact": 0, "normalized": 1, "semantic": 0}
    assert "Italian" in done.err
    assert "paraphrase-multilingual-MiniLM-L12-v2" in done.err
    done = run("dedupe", file, "--min-score", "0.8", "--any-language", "--json")
    assert json.loads(done.out)["dropped"] == {"exact": 0, "normalized": 1, "semantic": 1}


@pytest.fixture
def split(tmp_path):
    """A test file that says twice what no training row says, and once what one does."""
    (tmp_path / "train.csv").write_text("text\nReset your password here.\nWe ship within two days.\n")
    (tmp_path / "test.csv").write_text("text\nA refund takes a week\na refund takes a week.\nTea is hot.\n")
    (tmp_path / "leaked.csv").write_text("text\nTea is hot.\nreset your PASSWORD here\n")
    return tmp_path


def test_a_check_fails_on_what_a_training_file_says_too_and_on_nothing_else(run, split):
    against = ("--against", split / "train.csv", "--across", "--fail", "--csv")
    for command in ("duplicates", "dedupe"):
        assert run(command, split / "test.csv", *against).code == 0
        done = run(command, split / "leaked.csv", *against)
        assert done.code == 1
        assert "reset your PASSWORD here" in done.out
        assert run(command, split / "test.csv", *against[:2], "--fail", "-q").code == 1, "it says something twice"


def test_dedupe_fails_where_rows_go_and_has_written_what_stays(run, split):
    done = run("dedupe", split / "test.csv", "-o", split / "clean.csv", "--fail", "-q")
    assert done.code == 1
    assert len((split / "clean.csv").read_text().splitlines()) == 3
    assert run("dedupe", split / "clean.csv", "--fail", "-q").code == 0
    assert run("dedupe", split / "test.csv", "-q").code == 0, "without --fail it is no failure"


def test_across_needs_an_archive(run, split):
    for command in ("duplicates", "dedupe"):
        done = run(command, split / "test.csv", "--across")
        assert done.code == 2
        assert "--across without --against" in done.err
