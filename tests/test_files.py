"""Reading: every format against the library that owns it, every bad file one clear error."""

from __future__ import annotations

import contextlib
import csv
import gzip
import io
import json
import os
import subprocess
import sys
from datetime import datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nearsense.errors import FileError, InputError, MissingExtra
from nearsense.files import Table, read_table, read_vectors, write_table
from turns import in_turn

# One folder for all examples of a hypothesis test is fine: each overwrites its file.
relaxed = settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])

characters = st.text(st.characters(exclude_categories=["Cs"]))


def made(folder: Path, name: str, content: bytes | str) -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def refused(path: Path | str, **options: object) -> FileError:
    with pytest.raises(FileError) as caught:
        read_table(path, **options)
    error = caught.value
    for part in (error.what, error.why, error.fix):
        assert part, f"a part is missing: {error!r}"
        assert "\n" not in part
    return error


def piped(content: bytes, **options: object) -> Table:
    return read_table("-", stdin=io.BytesIO(content), **options)


# ---- what each format becomes


def test_every_line_of_a_txt_file_is_a_text_and_blank_lines_are_none(tmp_path):
    table = read_table(made(tmp_path, "a.txt", "one\n\n  \n two \r\nthree"))
    assert table.columns == {"text": ["one", " two ", "three"]}
    assert table.lines == [1, 4, 5]
    assert len(table) == 3


def test_only_line_ends_end_a_line_not_every_unicode_separator(tmp_path):
    texts = ["a\u2028b", "c\x0bd", "e\x85f"]
    assert read_table(made(tmp_path, "a.txt", "\n".join(texts))).columns["text"] == texts


@in_turn("delimiter", [",", ";", "\t", "|"])
def test_a_csv_is_read_as_pandas_reads_it_whatever_its_delimiter(tmp_path, delimiter):
    frame = pd.DataFrame(
        {"id": ["1", "2"], "text": ['a "b", c; d | e\tf', "line\nbreak\r\nend"], "empty": ["", " x "]}
    )
    path = tmp_path / "a.csv"
    frame.to_csv(path, sep=delimiter, index=False)
    truth = pd.read_csv(path, sep=delimiter, dtype=str, keep_default_na=False)
    assert read_table(path).columns == truth.to_dict("list")


@relaxed
@given(st.lists(st.tuples(characters, characters), max_size=8), st.sampled_from([",", ";", "|", "\t"]))
def test_any_csv_that_python_writes_comes_back_cell_by_cell(tmp_path, rows, delimiter):
    rows = [*rows, ("so long that control characters stay rare " * 500, "")]
    path = tmp_path / "any.csv"
    with path.open("w", newline="", encoding="utf-8") as stream:
        csv.writer(stream, delimiter=delimiter, quoting=csv.QUOTE_ALL).writerows([("a", "b"), *rows])
    table = read_table(path)
    assert list(zip(table.columns["a"], table.columns["b"], strict=True)) == rows


def test_lines_of_csv_records_are_right_after_fields_with_line_breaks_and_blank_lines(tmp_path):
    path = made(tmp_path, "a.csv", 'id,text\r\n1,"a\r\nb\r\n"\r\n2,c\r\n\r\n3,"d""\n"\r\n4,e\r\n')
    table = read_table(path)
    assert table.lines == [2, 5, 7, 9]
    starts = path.read_text().splitlines()
    assert [starts[line - 1].partition(",")[0] for line in table.lines] == ["1", "2", "3", "4"]


def test_a_bom_is_not_part_of_the_first_column(tmp_path):
    assert list(read_table(made(tmp_path, "a.csv", b"\xef\xbb\xbfid,text\n1,a\n")).columns) == ["id", "text"]
    assert piped(b"\xef\xbb\xbfa").columns["text"] == ["a"]


@in_turn("codec", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-8-sig"])
def test_an_encoding_that_is_named_is_read_with_and_without_its_mark(tmp_path, codec):
    path = made(tmp_path, "a.csv", "id,text\n1,žluť 😀\n".encode(codec))
    for name in {codec, codec.removesuffix("-le").removesuffix("-be")}:
        assert read_table(path, encoding=name).columns == {"id": ["1"], "text": ["žluť 😀"]}


def test_a_field_of_twelve_megabytes_is_read_whole(tmp_path):
    text = "long text " * 1_200_000
    assert read_table(made(tmp_path, "a.csv", f'id,text\n1,"{text}"\n')).columns["text"] == [text]


def test_quotation_marks_in_unquoted_tab_separated_data_are_part_of_the_text(tmp_path):
    rows = 'score\ttext\n1\t"Hello" she said.\n2\t"An open quote\n3\tplain\n'
    truth = pd.read_csv(io.StringIO(rows), sep="\t", quoting=csv.QUOTE_NONE, dtype=str)
    for name in ("sts.tsv", "sts.csv"):
        assert read_table(made(tmp_path, name, rows)).columns == truth.to_dict("list")


def test_quoted_fields_of_a_tsv_are_unquoted_where_the_file_holds_together_with_them(tmp_path):
    assert read_table(made(tmp_path, "a.tsv", 'a\tb\n"x\ty"\t"p\nq"\n')).columns == {"a": ["x\ty"], "b": ["p\nq"]}


def test_a_header_name_is_trimmed_and_a_missing_one_is_numbered(tmp_path):
    assert list(read_table(made(tmp_path, "a.csv", ", text \n0,a\n")).columns) == ["column 1", "text"]


def test_a_delimiter_inside_a_quoted_name_does_not_count(tmp_path):
    assert list(read_table(made(tmp_path, "a.csv", '"a;b;c;d",text\n1,2\n')).columns) == ["a;b;c;d", "text"]


def test_jsonl_lines_are_objects_or_strings(tmp_path):
    objects = read_table(made(tmp_path, "a.jsonl", '{"text":"a","n":1}\n\n{"text":"b","m":[2]}\n'))
    assert objects.columns == {"text": ["a", "b"], "n": [1, None], "m": [None, [2]]}
    assert objects.lines == [1, 3]
    assert read_table(made(tmp_path, "b.ndjson", '"a"\n"b\\u2028"')).columns == {"text": ["a", "b\u2028"]}


def test_json_is_an_array_or_an_object_of_columns(tmp_path):
    frame = pd.DataFrame({"id": [1, 2], "text": ["é", "b"]})
    want = frame.to_dict("list")
    assert read_table(made(tmp_path, "a.json", frame.to_json(orient="records"))).columns == want
    assert read_table(made(tmp_path, "b.json", json.dumps(want))).columns == want
    strings = read_table(made(tmp_path, "c.json", '["a", "b"]'))
    assert (strings.columns, strings.lines, strings.unit) == ({"text": ["a", "b"]}, [1, 2], "row")


def test_parquet_is_read_as_pyarrow_reads_it(tmp_path):
    table = pa.table(
        {
            "id": [1, 2],
            "text": ["é", None],
            "tags": [["a"], []],
            "when": pa.array([1_700_000_000_123_456_789, None], pa.timestamp("ns", "UTC")),
            "kind": pa.array(["x", "y"]).dictionary_encode(),
        }
    )
    pq.write_table(table, tmp_path / "a.parquet")
    columns = read_table(tmp_path / "a.parquet").columns
    when = columns.pop("when")
    assert columns == table.drop_columns(["when"]).to_pydict()
    assert type(when[0]) is datetime
    assert when[0].timestamp() == pytest.approx(1_700_000_000.123456)


def test_a_foreign_npy_gives_vectors_of_an_unknown_model(tmp_path):
    data = np.random.default_rng(0).standard_normal((5, 3)).astype(np.float32)
    for order in "CF":
        np.save(tmp_path / "a.npy", np.asarray(data, order=order))
        table = read_table(tmp_path / "a.npy")
        assert table.columns == {}
        assert len(table) == 5
        assert table.vectors is not None
        np.testing.assert_array_equal(table.vectors.data, np.load(tmp_path / "a.npy"))
        assert (table.vectors.model, table.vectors.fingerprint) == ("unknown model", "")
        assert not table.vectors.truncated.any()


# ---- compression and standard input


@in_turn("name", ["a.csv", "a.jsonl", "a.txt", "a.json"])
@in_turn("extension", [".gz", ".zst"])
def test_compressed_files_are_the_same_as_plain_ones(tmp_path, name, extension):
    content = {"a.csv": b"text\na\n", "a.jsonl": b'{"text":"a"}', "a.txt": b"a", "a.json": b'["a"]'}[name]
    pack = {".gz": gzip.compress, ".zst": zstandard.compress}[extension]
    assert read_table(made(tmp_path, name + extension, pack(content))).columns == {"text": ["a"]}
    assert read_table(made(tmp_path, name, pack(content))).columns == {"text": ["a"]}, "the name may lie"


@pytest.mark.parametrize("pack", [gzip.compress, zstandard.compress])
def test_parts_that_were_compressed_one_by_one_are_read_as_one(tmp_path, pack):
    path = made(tmp_path, "a.txt.gz", pack(b"one\ntw") + pack(b"o\n" * 100_000) + pack(b"three\n"))
    texts = read_table(path).columns["text"]
    assert (texts[:3], texts[-1], len(texts)) == (["one", "two", "o"], "three", 100_002)


@pytest.mark.parametrize("extension", [".parquet", ".npy"])
def test_binary_formats_may_be_compressed_too(tmp_path, extension):
    buffer = io.BytesIO()
    if extension == ".npy":
        np.save(buffer, np.ones((2, 2), np.float32))
    else:
        pq.write_table(pa.table({"text": ["a", "b"]}), buffer)
    path = made(tmp_path, f"a{extension}.gz", gzip.compress(buffer.getvalue()))
    assert len(read_table(path)) == 2
    assert len(piped(buffer.getvalue())) == 2


@in_turn(
    ("content", "columns"),
    [
        (b"a,b\nc\n", {"text": ["a,b", "c"]}),
        (b'{"text": "a"}', {"text": ["a"]}),
        (b'{"text": "a"}\n{"text": "b"}\n', {"text": ["a", "b"]}),
        (b'{"text": ["a", "b"]}', {"text": ["a", "b"]}),
        (b'{\n "text": ["a",\n "b"]}', {"text": ["a", "b"]}),
        (b'\n ["a"]', {"text": ["a"]}),
        (gzip.compress(b'["a"]', mtime=0), {"text": ["a"]}),
        (b"PAR1 is no magic here", {"text": ["PAR1 is no magic here"]}),
    ],
)
def test_standard_input_is_told_by_its_content(content, columns):
    table = piped(content)
    assert table.columns == columns
    assert table.source == "standard input"


def test_a_format_that_is_named_overrides_content_and_extension(tmp_path):
    assert piped(b'{"a"}', format="txt").columns == {"text": ['{"a"}']}
    assert read_table(made(tmp_path, "a.dat", "x;y\n1;2"), format="csv").columns == {"x": ["1"], "y": ["2"]}


def test_a_pipe_is_read_like_standard_input(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with subprocess.Popen(["sh", "-c", 'printf \'{"text": "a"}\\n\' > "$0"', pipe]) as writer:
        table = read_table(pipe)
    assert writer.returncode == 0
    assert table.columns == {"text": ["a"]}


# ---- files that cannot be read


def test_a_file_that_does_not_exist_suggests_the_one_beside_it(tmp_path):
    made(tmp_path, "Tickets.csv", "text\na")
    error = refused(tmp_path / "tickts.csv")
    assert "does not exist" in error.what
    assert "Tickets.csv" in error.fix
    assert "no folder" in refused(tmp_path / "no" / "a.csv").why
    assert "spelling" in refused(tmp_path / "zzzzzz").fix


def test_a_folder_is_no_file(tmp_path):
    assert "is a folder" in refused(tmp_path).what
    (tmp_path / "a.csv").mkdir()
    assert "is a folder" in refused(tmp_path / "a.csv").what


def test_a_file_without_permission_is_refused_in_words(tmp_path):
    """Root may read everything, so another process asks with an ordinary user's rights."""
    path = made(tmp_path, "secret.csv", "text\na\n")
    path.chmod(0)
    tmp_path.chmod(0o755)
    code = (
        "import os, sys; from nearsense.files import read_table; from nearsense.errors import FileError\n"
        f"os.chdir({str(tmp_path)!r})\n"
        "if os.geteuid() == 0: os.setuid(65534)\n"
        "try: read_table('secret.csv')\n"
        "except FileError as error: print(error)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[:2] == ["secret.csv may not be read", "why: permission is denied"]


@in_turn("extension", ["txt", "csv", "tsv", "json", "jsonl", "parquet", "npy", "csv.gz", "csv.zst"])
def test_an_empty_file_is_called_empty(tmp_path, extension):
    assert "is empty" in refused(made(tmp_path, f"a.{extension}", b"")).what
    assert "is empty" in refused("-", stdin=io.BytesIO()).what


@in_turn("name", ["a.txt", "a.csv", "a.json", "a.jsonl"])
def test_a_file_of_blank_lines_holds_nothing(tmp_path, name):
    assert "holds no" in refused(made(tmp_path, name, b" \n\n" if name != "a.csv" else b"\n\n")).what


def test_a_header_alone_is_no_table(tmp_path):
    assert "only a header" in refused(made(tmp_path, "a.csv", "id,text\n")).what
    pq.write_table(pa.table({"text": pa.array([], pa.string())}), tmp_path / "a.parquet")
    assert "no rows" in refused(tmp_path / "a.parquet").what
    np.save(tmp_path / "a.npy", np.zeros((0, 3), np.float32))
    assert "no vectors" in refused(tmp_path / "a.npy").what
    for content in ("[]", '{"text": []}', "{}"):
        assert "holds no" in refused(made(tmp_path, "a.json", content)).what


def test_an_unknown_extension_lists_the_known_ones(tmp_path):
    error = refused(made(tmp_path, "a.foo", "x"))
    assert all(name in error.why for name in (".txt", ".csv", ".tsv", ".json", ".jsonl", ".parquet", ".npy"))
    assert "--format" in error.fix
    with pytest.raises(InputError, match="txt, csv"):
        read_table(tmp_path / "a.foo", format="excel")


# ---- bytes that are no text


@pytest.mark.parametrize("codec", ["utf-16", "utf-16-le", "utf-16-be"])
def test_utf_16_is_recognised_and_the_fix_works(tmp_path, codec):
    path = made(tmp_path, "a.csv", "id,text\n1,cafe\n".encode(codec))
    error = refused(path, encoding="utf-8")
    assert "UTF-16" in error.what
    assert error.fix == "--encoding utf-16"
    assert read_table(path).columns == {"id": ["1"], "text": ["cafe"]}
    assert read_table(path, encoding="utf-16").columns == {"id": ["1"], "text": ["cafe"]}


def test_latin_1_is_suggested_with_line_and_byte_and_the_fix_works(tmp_path):
    lines = ["id,text", *(f"{n},plain" for n in range(30_000)), "x,café"]
    content = "\n".join(lines).encode("latin-1")
    path = made(tmp_path, "a.csv", content)
    error = refused(path, encoding="utf-8")
    assert "line 30002" in error.what
    assert f"byte {content.index(0xE9)} (0xe9)" in error.what
    assert error.fix == "--encoding latin-1"
    assert read_table(path, encoding="latin-1").columns["text"][-1] == "café"
    assert read_table(path).columns["text"][-1] == "café"


def test_the_wrong_named_encoding_is_an_error_as_well(tmp_path):
    path = made(tmp_path, "a.txt", "ok\ncafé")
    assert "line 2" in refused(path, encoding="ascii").what
    for name in ("utf-7000", "hex", "a\0b", ""):
        assert "encoding" in refused(path, encoding=name).what
    assert "UTF-16" in refused(made(tmp_path, "a.txt", "café".encode("utf-16")), encoding="latin-1").what
    assert "utf-16" in refused(made(tmp_path, "b.txt", "a".encode("utf-16") + b"\0"), encoding="utf-16").what


def test_binary_data_are_called_what_they_are(tmp_path):
    noise = np.random.default_rng(0).bytes(5000)
    assert "binary data" in refused(made(tmp_path, "a.csv", noise)).what
    assert "binary data" in refused(made(tmp_path, "a.txt", bytes(range(128)) * 20)).what
    assert "Excel" in refused(made(tmp_path, "a.csv", b"PK\x03\x04\x14\x00\x06\x00")).what
    assert "PDF" in refused(made(tmp_path, "a.txt", b"%PDF-1.7\n\x00\x01")).what
    buffer = io.BytesIO()
    pq.write_table(pa.table({"a": [1]}), buffer)
    assert "parquet" in refused(made(tmp_path, "a.csv", buffer.getvalue())).what
    assert "gzip" in refused(made(tmp_path, "a.csv.gz", gzip.compress(gzip.compress(b"text\na", mtime=0)))).what


@pytest.mark.parametrize("pack", [gzip.compress, zstandard.ZstdCompressor(write_checksum=True).compress])
def test_a_compressed_file_cut_anywhere_is_never_taken_for_whole(tmp_path, pack):
    whole = pack("\n".join(f"text {n}" for n in range(2000)).encode())
    for size in (5, 12, len(whole) // 2, len(whole) - 5, len(whole) - 1):
        error = refused(made(tmp_path, "a.txt.gz" if pack is gzip.compress else "a.txt.zst", whole[:size]))
        assert "damaged or cut short" in error.what, size
    damaged = bytearray(whole)
    damaged[len(whole) // 2] ^= 0xFF
    refused(made(tmp_path, "b.txt", bytes(damaged)))


def test_a_name_that_promises_gzip_is_taken_at_its_word(tmp_path):
    assert "is no gzip file" in refused(made(tmp_path, "a.csv.gz", "text\na\n")).what


@in_turn(
    ("name", "content", "package", "extra"),
    [
        ("a.txt.zst", zstandard.compress(b"a"), "zstandard", "zstd"),
        ("a.parquet", b"PAR1", "pyarrow", "parquet"),
        ("a.xlsx", b"PK", "python_calamine", "excel"),
    ],
)
def test_without_its_package_a_format_says_what_to_install(tmp_path, monkeypatch, name, content, package, extra):
    path = made(tmp_path, name, content)
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingExtra, match=rf"nearsense\[{extra}\]"):
        read_table(path)


# ---- contents that are off


@pytest.mark.parametrize(("row", "fields"), [("2,b,extra", "3 fields"), ("2", "1 field,")])
def test_a_csv_row_of_another_length_names_its_line(tmp_path, row, fields):
    error = refused(made(tmp_path, "a.csv", f'id,text\n1,"a\nb"\n{row}\n3,c\n'))
    assert "line 4" in error.what
    assert fields in error.what


def test_a_csv_of_bare_sentences_suggests_txt(tmp_path):
    assert "--format txt" in refused(made(tmp_path, "a.csv", "text\nwell, no\n")).fix


def test_a_quoted_field_that_never_ends_names_the_line_where_it_begins(tmp_path):
    error = refused(made(tmp_path, "a.csv", 'id,text\n1,a\n2,"open\n3,b\n'))
    assert "line 3" in error.what
    assert "line 2" in refused(made(tmp_path, "a.csv", 'id,text\n1,"a" b\n')).what


def test_two_columns_of_one_name_are_refused(tmp_path):
    table = pa.Table.from_arrays([pa.array(["a"]), pa.array(["b"])], names=["text", "text"])
    pq.write_table(table, tmp_path / "a.parquet")
    assert "'text'" in refused(tmp_path / "a.parquet").what


@in_turn(
    ("line", "part"),
    [
        ("{", "no JSON"),
        ("3", "a number"),
        ("[1]", "an array"),
        ("null", "null"),
        ('"text"', "a string"),
        ("9" * 5000, "too deep or too long"),
        ("[" * 100_000, "too deep or too long"),
    ],
)
def test_a_jsonl_line_that_is_off_is_named(tmp_path, line, part):
    error = refused(made(tmp_path, "a.jsonl", '{"text": "a"}\n\n' + line + "\n"))
    assert "line 3" in error.what
    assert part in str(error)


def test_json_and_jsonl_that_are_mixed_up_point_to_each_other(tmp_path):
    assert refused(made(tmp_path, "a.jsonl", '[{"text": "a"}]')).fix == "add --format json"
    assert refused(made(tmp_path, "b.jsonl", '[\n{"text": "a"}]')).fix == "add --format json"
    assert refused(made(tmp_path, "a.json", '{"text": "a"}\n\n7')).fix == "add --format jsonl"


def test_broken_json_names_the_line(tmp_path):
    assert "line 3" in refused(made(tmp_path, "a.json", '[\n{"a": 1},\n{"a": }\n]')).what
    assert "row 2" in refused(made(tmp_path, "b.json", '[{"a": 1}, 7]')).what
    assert "row 2" in refused(made(tmp_path, "b.json", '["a", {"a": 1}]')).what
    assert "'b' has 1 rows" in refused(made(tmp_path, "c.json", '{"a": [1, 2], "b": [1]}')).what
    assert "orient" in refused(made(tmp_path, "d.json", '{"a": {"b": 1}}')).fix
    assert "holds no rows" in refused(made(tmp_path, "e.json", "7")).what
    assert "too deep" in refused(made(tmp_path, "f.json", "[" * 100_000)).what


def test_a_damaged_parquet_is_one_error_wherever_the_damage_is(tmp_path):
    buffer = io.BytesIO()
    pq.write_table(pa.table({"text": [f"text {n}" for n in range(1000)]}), buffer)
    whole = buffer.getvalue()
    assert "parquet" in refused(made(tmp_path, "a.parquet", whole[: len(whole) // 2])).what
    assert "parquet" in refused(made(tmp_path, "a.parquet", b"text\na\n")).what
    zeroed = whole[:200] + bytes(200) + whole[400:]
    assert "damaged" in refused(made(tmp_path, "a.parquet", zeroed)).what


@in_turn(
    ("array", "part"),
    [
        (np.ones(3, np.float32), "shape (3,)"),
        (np.ones((2, 2, 2), np.float32), "shape (2, 2, 2)"),
        (np.ones((2, 0), np.float32), "shape (2, 0)"),
        (np.ones((2, 2)), "float64"),
        (np.array([["a"]]), "U1"),
        (np.array([[None]]), "pickled"),
        (np.array([[1, 2], [3, np.nan]], np.float32), "row 2"),
        (np.array([[1, 2], [3, 4], [-np.inf, 0]], np.float32), "row 3"),
    ],
)
def test_an_npy_that_is_no_finite_float32_matrix_is_refused(tmp_path, array, part):
    np.save(tmp_path / "a.npy", array, allow_pickle=True)
    assert part in refused(tmp_path / "a.npy").what


def test_a_damaged_npy_is_refused(tmp_path):
    buffer = io.BytesIO()
    np.save(buffer, np.ones((100, 8), np.float32))
    whole = buffer.getvalue()
    assert "there are" in refused(made(tmp_path, "a.npy", whole[:-1])).why
    assert "follow the matrix" in refused(made(tmp_path, "a.npy", whole + whole)).why
    for content in (whole[:20], b"text\na\n", whole[:6] + b"\x09\x00" + whole[8:], whole[:8] + bytes(40)):
        assert "no .npy file" in refused(made(tmp_path, "a.npy", content)).what


def test_a_header_that_lies_about_the_size_costs_no_memory(tmp_path):
    buffer = io.BytesIO()
    header = {"descr": "<f4", "fortran_order": False, "shape": (10**12, 1000)}
    np.lib.format.write_array_header_1_0(buffer, header)
    assert "is damaged" in refused(made(tmp_path, "a.npy", buffer.getvalue())).what


def test_what_only_some_files_need_is_imported_when_one_of_them_is_read():
    code = "import sys, numpy; old = {*sys.modules}; import nearsense.files; print(*{*sys.modules} - old)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    new = set(done.stdout.split())
    assert "nearsense.files.reading" in new
    assert not new & {"csv", "gzip", "pyarrow", "zstandard", "difflib", "decimal"}


def test_no_bit_of_a_matrix_can_flip_so_that_reading_ends_in_anything_but_a_clear_error(tmp_path):
    np.save(tmp_path / "v.npy", np.eye(4, dtype=np.float32))
    content = (tmp_path / "v.npy").read_bytes()
    for bit in range(8 * 128):
        flipped = bytearray(content)
        flipped[bit // 8] ^= 1 << bit % 8
        (tmp_path / "v.npy").write_bytes(flipped)
        with contextlib.suppress(FileError):
            read_vectors(tmp_path / "v.npy")


def test_an_object_without_a_field_is_refused_by_parquet_with_its_column(tmp_path):
    with pytest.raises(FileError, match="column 'a' cannot be written as parquet"):
        write_table(tmp_path / "t.parquet", [{"a": {}}, {"a": {"b": {}}}])
    assert not (tmp_path / "t.parquet").exists()
