"""Writing: what comes back is what was written, and a file is there whole or not at all."""

from __future__ import annotations

import gzip
import io
import json
import os
import resource
import subprocess
import sys
from contextlib import contextmanager
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from nearsense.errors import FileError, InputError
from nearsense.files import atomic_write, documents, read_table, write_table, write_vectors
from nearsense.records import Vectors
from turns import in_turn

relaxed = settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
characters = st.text(st.characters(exclude_categories=["Cs"]))
PADDING = {"a": "so long that control characters stay rare " * 500, "b": "x"}

TABLES = ["a.csv", "a.tsv", "a.json", "a.jsonl", "a.parquet", "a.csv.gz", "a.jsonl.zst", "a.parquet.gz"]
STORED = ["v.npy", "v.jsonl", "v.parquet", "v.jsonl.gz", "v.npy.zst"]


def vectors(n: int = 5, d: int = 3, **more) -> Vectors:
    data = np.random.default_rng(n).standard_normal((n, d)).astype(np.float32)
    return Vectors(data, more.get("fingerprint", "ab" * 32), np.arange(n) % 2 == 1, more.get("model", "mödel-α"))


def same(left: Vectors | None, right: Vectors) -> bool:
    return (
        left is not None
        and left.data.tobytes() == right.data.tobytes()
        and left.truncated.tolist() == right.truncated.tolist()
        and (left.fingerprint, left.model) == (right.fingerprint, right.model)
    )


def refused(call, *arguments, **options) -> FileError:
    with pytest.raises(FileError) as caught:
        call(*arguments, **options)
    assert caught.value.why
    assert caught.value.fix
    return caught.value


@contextmanager
def file_size_limit(size: int):
    """The system refuses to let a file grow further, as a full disk does."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


# ---- tables


@pytest.mark.parametrize("name", TABLES)
@relaxed
@given(rows=st.lists(st.fixed_dictionaries({"a": characters, "b": characters}), max_size=5))
def test_any_text_comes_back_from_every_format(tmp_path, name, rows):
    rows = [*rows, PADDING]
    assert write_table(tmp_path / name, rows) == len(rows)
    table = read_table(tmp_path / name)
    assert [{"a": a, "b": b} for a, b in zip(table.columns["a"], table.columns["b"], strict=True)] == rows


@relaxed
@given(
    st.lists(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")), min_size=1, max_size=5)
)
def test_pandas_reads_the_csv_that_is_written(tmp_path, texts):
    write_table(tmp_path / "a.csv", [{"n": str(n), "text": text} for n, text in enumerate(texts)])
    truth = pd.read_csv(tmp_path / "a.csv", dtype=str, keep_default_na=False)
    assert truth["text"].tolist() == texts


def test_one_column_of_empty_texts_keeps_its_rows(tmp_path):
    write_table(tmp_path / "a.csv", [{"text": ""}, {"text": "\r"}, {"text": "a"}])
    assert read_table(tmp_path / "a.csv").columns == {"text": ["", "\r", "a"]}


def test_a_csv_has_unix_line_ends_and_quotes_names_that_look_like_several(tmp_path):
    write_table(tmp_path / "a.csv", [{"a;b;c": "1", "text": "x"}])
    assert (tmp_path / "a.csv").read_bytes() == b'"a;b;c","text"\n1,x\n'
    assert list(read_table(tmp_path / "a.csv").columns) == ["a;b;c", "text"]


def test_values_are_written_as_json_has_them(tmp_path):
    row = {"text": "a", "n": np.int64(3), "f": float("nan"), "on": date(2024, 5, 1), "tags": ["é", 1], "no": None}
    want = {"text": "a", "n": 3, "f": None, "on": "2024-05-01", "tags": ["é", 1], "no": None}
    write_table(tmp_path / "a.jsonl", [row])
    assert json.loads((tmp_path / "a.jsonl").read_text()) == want
    write_table(tmp_path / "a.json", [row, row])
    assert json.loads((tmp_path / "a.json").read_text()) == [want, want]
    write_table(tmp_path / "a.csv", [row])
    cells = {name: cells[0] for name, cells in read_table(tmp_path / "a.csv").columns.items()}
    assert cells == {"text": "a", "n": "3", "f": "", "on": "2024-05-01", "tags": '["é", 1]', "no": ""}


def test_columns_decide_order_and_header(tmp_path):
    rows = [{"b": 1, "a": "x"}, {"a": "y"}]
    for name in ("a.csv", "a.jsonl", "a.parquet"):
        write_table(tmp_path / name, rows, columns=["a", "b"])
        table = read_table(tmp_path / name)
        assert list(table.columns) == ["a", "b"]
        assert table.columns["a"] == ["x", "y"]
    with pytest.raises(InputError, match="row 2 has a column 'c'"):
        write_table(tmp_path / "b.csv", [{"a": 1}, {"c": 2}])
    write_table(tmp_path / "c.csv", [], columns=["a", "b"])
    assert (tmp_path / "c.csv").read_text() == "a,b\n"


def test_no_rows_are_written_as_nothing(tmp_path):
    for name, content in (("a.csv", ""), ("a.jsonl", ""), ("a.json", "[]\n")):
        assert write_table(tmp_path / name, []) == 0
        assert (tmp_path / name).read_text() == content


def test_rows_are_written_while_they_come(tmp_path):
    seen = []

    def rows():
        for n in range(200_000):
            if n == 199_999:
                seen.extend(path.stat().st_size for path in tmp_path.iterdir())
            yield {"n": n}

    write_table(tmp_path / "a.jsonl", rows())
    assert len(seen) == 1
    assert seen[0] > 1 << 20


def test_half_a_surrogate_pair_is_escaped_in_json_and_refused_elsewhere(tmp_path):
    rows = [{"text": "fine"}, {"text": "a\ud800"}]
    write_table(tmp_path / "a.jsonl", rows)
    assert read_table(tmp_path / "a.jsonl").columns["text"] == ["fine", "a\ud800"]
    assert "row 2" in refused(write_table, tmp_path / "a.csv", rows).what
    assert "'text'" in refused(write_table, tmp_path / "a.parquet", rows).what
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.jsonl"]


def test_parquet_refuses_a_column_of_several_types(tmp_path):
    error = refused(write_table, tmp_path / "a.parquet", [{"a": 1}, {"a": "x"}])
    assert "'a'" in error.what
    assert "jsonl" in error.fix


def test_what_cannot_hold_a_table_is_refused_before_anything_is_written(tmp_path):
    assert "npy" in refused(write_table, tmp_path / "a.npy", []).what
    assert ".csv" in refused(write_table, tmp_path / "a.doc", []).why
    assert "csv" in refused(write_vectors, tmp_path / "a.csv", vectors()).what
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("form", ["csv", "jsonl", "parquet"])
def test_standard_output_takes_every_format(form):
    code = (
        "from nearsense.files import write_table; print('first')\n"
        f"write_table('-', [{{'text': 'é'}}], format='{form}')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    assert done.stdout.startswith(b"first\n")
    table = read_table("-", format=form, stdin=io.BytesIO(done.stdout.removeprefix(b"first\n")))
    assert table.columns == {"text": ["é"]}


def test_equal_rows_make_equal_compressed_files(tmp_path):
    for name in ("a.csv.gz", "b.csv.gz"):
        write_table(tmp_path / name, [{"a": 1}])
    assert (tmp_path / "a.csv.gz").read_bytes() == (tmp_path / "b.csv.gz").read_bytes()
    assert gzip.decompress((tmp_path / "a.csv.gz").read_bytes()) == b"a\n1\n"


# ---- whole or not at all


def test_a_file_takes_its_name_only_at_the_end(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")
    with atomic_write(path) as stream:
        stream.write(b"new")
        stream.flush()
        assert path.read_text() == "old"
    assert path.read_text() == "new"
    assert list(tmp_path.iterdir()) == [path]


@in_turn("error", [KeyboardInterrupt, SystemExit, RuntimeError, GeneratorExit])
@in_turn("name", TABLES)
def test_whatever_interrupts_writing_leaves_the_old_file_and_nothing_else(tmp_path, name, error):
    path = tmp_path / name
    path.write_text("old")

    def rows():
        for n in range(5000):
            yield {"text": "x" * 100, "n": n}
        raise error

    with pytest.raises(error):
        write_table(path, rows())
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_an_interrupt_from_the_keyboard_leaves_nothing_behind(tmp_path):
    code = (
        "import os, signal; from nearsense.files import write_table\n"
        "def rows():\n"
        "    for n in range(10**9):\n"
        "        if n == 30_000: os.kill(os.getpid(), signal.SIGINT)\n"
        "        yield {'text': 'x' * 100}\n"
        f"write_table({str(tmp_path / 'a.jsonl.gz')!r}, rows())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "KeyboardInterrupt" in done.stderr
    assert list(tmp_path.iterdir()) == []


@in_turn("name", TABLES)
def test_a_full_disk_is_one_error_and_leaves_the_old_file(tmp_path, name):
    path = tmp_path / name
    path.write_text("old")
    noise = np.random.default_rng(0)
    rows = [{"text": noise.bytes(3000).hex()} for _ in range(1000)]
    with file_size_limit(1_500_000):
        error = refused(write_table, path, rows)
    assert "no space" in error.why
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


@in_turn("name", STORED)
def test_vectors_on_a_full_disk_are_one_error_too(tmp_path, name):
    with file_size_limit(1_500_000):
        assert "no space" in refused(write_vectors, tmp_path / name, vectors(2000, 384)).why
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has a device that is always full")
@pytest.mark.parametrize("form", ["csv", "jsonl", "json", "parquet"])
def test_a_device_that_is_full_is_one_error_and_stays_a_device(form):
    assert "no space" in refused(write_table, "/dev/full", [{"text": "a" * 10}] * 10, format=form).why
    assert Path("/dev/full").is_char_device()


def test_a_device_is_written_to_not_replaced():
    write_table("/dev/null", [{"a": 1}], format="csv")
    assert Path("/dev/null").is_char_device()


def test_a_folder_that_is_missing_or_in_the_way_is_named(tmp_path):
    error = refused(write_table, tmp_path / "no" / "a.csv", [{"a": 1}])
    assert error.fix == f"mkdir -p {tmp_path / 'no'}"
    (tmp_path / "b.csv").mkdir()
    assert "it is a folder" in refused(write_table, tmp_path / "b.csv", []).why
    (tmp_path / "file").write_text("")
    assert "no folder" in refused(write_table, tmp_path / "file" / "a.csv", []).why
    assert "cannot be written" in refused(write_table, tmp_path / ("x" * 300 + ".csv"), []).what
    assert "NUL" in refused(write_table, "a\0.csv", []).why


def test_writing_without_permission_is_refused_in_words(tmp_path):
    """Root may write everywhere, so another process tries with an ordinary user's rights."""
    tmp_path.chmod(0o755)
    (tmp_path / "shut").mkdir(mode=0o755)
    (tmp_path / "open").mkdir()
    (tmp_path / "open").chmod(0o777)
    (tmp_path / "open" / "kept.csv").write_text("old")
    (tmp_path / "open" / "kept.csv").chmod(0o444)
    if os.geteuid() != 0:
        (tmp_path / "shut").chmod(0o555)
    code = (
        "import os; from nearsense.files import write_table; from nearsense.errors import FileError\n"
        f"os.chdir({str(tmp_path)!r})\n"
        "write_table(os.devnull, [{'a': 1}], format='csv')  # imports what the other user may not read\n"
        "if os.geteuid() == 0: os.setuid(65534)\n"
        "for name in ('shut/a.csv', 'open/kept.csv'):\n"
        "    try: write_table(name, [{'a': 1}])\n"
        "    except FileError as error: print(error.what, '|', error.why)\n"
        "write_table('open/new.csv', [{'a': 1}])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == [
        "shut/a.csv cannot be written | permission is denied",
        "open/kept.csv cannot be written | permission is denied",
    ]
    assert sorted(path.name for path in (tmp_path / "open").iterdir()) == ["kept.csv", "new.csv"]
    assert (tmp_path / "open" / "kept.csv").read_text() == "old"


def test_permissions_are_kept_and_new_files_follow_the_umask(tmp_path):
    before = os.umask(0o027)
    try:
        write_table(tmp_path / "new.csv", [{"a": 1}])
    finally:
        os.umask(before)
    assert (tmp_path / "new.csv").stat().st_mode & 0o777 == 0o640
    (tmp_path / "new.csv").chmod(0o604)
    write_table(tmp_path / "new.csv", [{"a": 2}])
    assert (tmp_path / "new.csv").stat().st_mode & 0o777 == 0o604


def test_a_link_stays_a_link(tmp_path):
    (tmp_path / "real.csv").write_text("old")
    (tmp_path / "link.csv").symlink_to("real.csv")
    write_table(tmp_path / "link.csv", [{"a": 1}])
    assert (tmp_path / "link.csv").is_symlink()
    assert (tmp_path / "real.csv").read_text() == "a\n1\n"


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can give files away")
@pytest.mark.parametrize("open_to_all", [True, False])
@pytest.mark.parametrize("hops", [1, 3])
@pytest.mark.parametrize("there", [True, False])
def test_a_link_that_somebody_else_put_where_all_may_write_is_not_followed(tmp_path, open_to_all, hops, there):
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared").chmod(0o1777 if open_to_all else 0o755)
    secret = tmp_path / "profile"
    if there:
        secret.write_text("mine")
    names = [tmp_path / "shared" / f"out{hop}.csv" for hop in range(hops)]
    for name, target in zip(names, [*names[1:], secret], strict=True):
        name.symlink_to(target)
    os.chown(names[-1], 65534, 65534, follow_symlinks=False)
    if open_to_all:
        with pytest.raises(FileError, match="a link that another user made"):
            write_table(names[0], [{"a": 1}])
        assert (secret.read_text() if there else secret.exists()) == ("mine" if there else False)
    else:
        write_table(names[0], [{"a": 1}])
        assert secret.read_text() == "a\n1\n"
    assert names[0].is_symlink()


def test_links_that_lead_in_a_circle_are_a_clean_error(tmp_path):
    (tmp_path / "a.csv").symlink_to("b.csv")
    (tmp_path / "b.csv").symlink_to("a.csv")
    with pytest.raises(FileError, match="cannot be written"):
        write_table(tmp_path / "a.csv", [{"a": 1}])


def test_an_error_about_another_file_is_not_blamed_on_this_one(tmp_path):
    with pytest.raises(FileNotFoundError), atomic_write(tmp_path / "a.txt"):
        (tmp_path / "elsewhere" / "missing").read_text()
    with pytest.raises(BrokenPipeError), atomic_write(tmp_path / "a.txt"):
        raise BrokenPipeError(32, "Broken pipe")
    assert list(tmp_path.iterdir()) == []


# ---- vectors with their model


@in_turn("name", STORED)
def test_vectors_come_back_bit_for_bit_with_their_model(tmp_path, name):
    given_vectors, ids, texts = vectors(), list("abcde"), ["é", "b\n", '"', "d\u2028", "e"]
    write_vectors(tmp_path / name, given_vectors, ids=ids, texts=texts)
    table = read_table(tmp_path / name)
    assert same(table.vectors, given_vectors)
    assert table.columns == {"id": ids, "text": texts}
    assert [document.id for document in documents(table).items] == ids
    write_vectors(tmp_path / name, given_vectors)
    table = read_table(tmp_path / name)
    assert same(table.vectors, given_vectors)
    assert table.columns == {}
    assert len(table) == 5


@pytest.mark.parametrize("name", ["v.npy", "v.jsonl", "v.parquet"])
@relaxed
@given(
    data=hnp.arrays(
        np.float32,
        st.tuples(st.integers(1, 4), st.just(3)),
        elements=st.floats(width=32, allow_nan=False, allow_infinity=False),
    )
)
def test_every_finite_float32_survives(tmp_path, name, data):
    stored = Vectors(data, "f", np.zeros(len(data), np.bool_), "m")
    write_vectors(tmp_path / name, stored)
    assert same(read_table(tmp_path / name).vectors, stored)


def test_nine_digits_are_enough_for_a_million_random_float32(tmp_path):
    bits = np.random.default_rng(1).integers(0, 2**32, 400_000, dtype=np.uint32).view(np.float32)
    data = bits[np.isfinite(bits)][: 1000 * 380].reshape(380, 1000)
    stored = Vectors(data, "f", np.zeros(380, np.bool_), "m")
    write_vectors(tmp_path / "v.jsonl", stored)
    assert same(read_table(tmp_path / "v.jsonl").vectors, stored)


def test_numpy_reads_the_npy_as_any_other(tmp_path):
    stored = vectors(50, 8)
    write_vectors(tmp_path / "v.npy", stored, ids=[str(n) for n in range(50)])
    np.testing.assert_array_equal(np.load(tmp_path / "v.npy"), stored.data)
    mapped = np.load(tmp_path / "v.npy", mmap_mode="r")
    assert isinstance(mapped, np.memmap)
    np.testing.assert_array_equal(mapped, stored.data)


def test_pyarrow_and_pandas_read_the_parquet(tmp_path):
    stored = vectors(20_000, 4)  # more than one group of rows
    write_vectors(tmp_path / "v.parquet", stored, ids=[str(n) for n in range(20_000)])
    arrow = pq.read_table(tmp_path / "v.parquet")
    assert arrow.column_names == ["id", "vector", "truncated"]
    assert json.loads(arrow.schema.metadata[b"nearsense"])["fingerprint"] == stored.fingerprint
    np.testing.assert_array_equal(np.stack(pd.read_parquet(tmp_path / "v.parquet")["vector"]), stored.data)
    assert same(read_table(tmp_path / "v.parquet").vectors, stored)


def test_a_jsonl_line_is_plain_json_with_everything_in_it(tmp_path):
    write_vectors(tmp_path / "v.jsonl", vectors(2, 3), ids=["x", "y"], texts=["é", "b"])
    record = json.loads((tmp_path / "v.jsonl").read_text().splitlines()[1])
    assert list(record) == ["id", "text", "vector", "truncated", "model", "fingerprint"]
    assert (record["id"], record["truncated"], len(record["vector"])) == ("y", True, 3)


@pytest.mark.parametrize("name", ["v.jsonl", "v.parquet"])
def test_foreign_vectors_are_of_an_unknown_model_and_other_columns_stay(tmp_path, name):
    frame = pd.DataFrame({"text": ["a", "b"], "vector": [[1.0, 2.0], [3, 4]], "model": ["Golf", "Polo"]})
    frame.to_json(tmp_path / name, orient="records", lines=True) if name == "v.jsonl" else frame.to_parquet(
        tmp_path / name
    )
    table = read_table(tmp_path / name)
    assert table.vectors is not None
    assert table.vectors.data.tolist() == [[1, 2], [3, 4]]
    assert (table.vectors.fingerprint, table.vectors.model) == ("", "unknown model")
    assert table.columns == {"text": ["a", "b"], "model": ["Golf", "Polo"]}


def test_a_column_that_is_only_named_vector_stays_a_column(tmp_path):
    (tmp_path / "a.jsonl").write_text('{"vector": "mosquito", "text": "a"}\n')
    table = read_table(tmp_path / "a.jsonl")
    assert table.vectors is None
    assert table.columns["vector"] == ["mosquito"]


@in_turn(
    ("line", "part"),
    [
        ('{"vector": [1], "fingerprint": "f"}', "of 1 values, those before have 2"),
        ('{"vector": [1, "a"], "fingerprint": "f"}', "no list of numbers"),
        ('{"vector": [1, null], "fingerprint": "f"}', "no list of numbers"),
        ('{"vector": [[1], [2, 3]], "fingerprint": "f"}', "no list of numbers"),
        ('{"vector": [true, false], "fingerprint": "f"}', "no list of numbers"),
        ('{"vector": "a", "fingerprint": "f"}', "no list of numbers"),
        ('{"fingerprint": "f"}', "no list of numbers"),
        ('{"vector": [1, NaN], "fingerprint": "f"}', "NaN or an infinity"),
        ('{"vector": [1, 1e39], "fingerprint": "f"}', "NaN or an infinity"),
        ('{"vector": [1, 2], "fingerprint": "g"}', "two models"),
        ('{"vector": [1, 2]}', "two models"),
    ],
)
def test_a_line_whose_vector_is_off_is_named(tmp_path, line, part):
    (tmp_path / "v.jsonl").write_text('{"vector": [1, 2], "fingerprint": "f"}\n\n' + line)
    error = refused(read_table, tmp_path / "v.jsonl")
    assert "line 3" in error.what
    assert part in error.what


def test_parquet_rows_whose_vector_is_off_are_named(tmp_path):
    for vector, part in (([1.0], "another length"), (None, "missing"), ([1.0, None], "NaN")):
        pd.DataFrame({"vector": [[1.0, 2.0], vector]}).to_parquet(tmp_path / "v.parquet")
        error = refused(read_table, tmp_path / "v.parquet")
        assert "row 2" in error.what
        assert part in error.what


def test_a_stored_matrix_that_was_changed_or_cut_is_noticed(tmp_path):
    path = tmp_path / "v.npy"
    write_vectors(path, vectors(100, 8), ids=[str(n) for n in range(100)])
    whole = path.read_bytes()
    path.write_bytes(whole[:400] + bytes([whole[400] ^ 1]) + whole[401:])
    assert "differs" in refused(read_table, path).why
    for cut in (1, 8, 16, 40, 2000):
        path.write_bytes(whole[:-cut])
        assert "damaged" in refused(read_table, path).what


@in_turn("described", [b"[1", b"[1]", b"3", b"\xff"])
def test_parquet_metadata_that_cannot_be_read_is_one_error(tmp_path, described):
    table = pa.table({"vector": [[1.0]]}).replace_schema_metadata({b"nearsense": described})
    pq.write_table(table, tmp_path / "v.parquet")
    assert "says about its vectors" in refused(read_table, tmp_path / "v.parquet").what


def test_any_changed_byte_behind_the_header_of_a_stored_matrix_is_noticed(tmp_path):
    path = tmp_path / "v.npy"
    write_vectors(path, vectors(4, 3), ids=list("abcd"), metadata=[{"status": "open"}, {"status": "żółw"}, {}, {}])
    whole = path.read_bytes()
    for position in range(128, len(whole)):
        path.write_bytes(whole[:position] + bytes([whole[position] ^ 4]) + whole[position + 1 :])
        assert "damaged" in refused(read_table, path).what, position


def test_vectors_that_cannot_be_read_back_are_not_written(tmp_path):
    bad = vectors(3)
    bad.data[1, 2] = np.nan
    assert "row 2" in refused(write_vectors, tmp_path / "v.npy", bad).what
    with pytest.raises(InputError, match="2 ids for 5 vectors"):
        write_vectors(tmp_path / "v.npy", vectors(), ids=["a", "b"])
    with pytest.raises(InputError, match="no dimension"):
        write_vectors(tmp_path / "v.npy", vectors(2, 0))
    assert list(tmp_path.iterdir()) == []
