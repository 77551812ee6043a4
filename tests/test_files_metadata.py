"""Vectors with the metadata of their documents: what comes back is what was written, in every format."""

from __future__ import annotations

import io
import json
import zlib

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nearsense.errors import FileError, InputError
from nearsense.files import documents, read_table, write_vectors
from nearsense.records import Vectors
from turns import in_turn

relaxed = settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
FORMATS = ["v.npy", "v.jsonl", "v.parquet"]
STORED = [*FORMATS, "v.jsonl.gz", "v.npy.zst"]
ROWS = [
    {"status": "open", "stars": 5, "Größe 😀": "žluť\n\u2028", "place": {"city": "Łódź", "at": [1, 2.5, None]}},
    {"stars": None, "done": True, "place": {"street": {}}, "price": 10},
    {},
    {"status": "", "tags": ["a", "b"], "price": 9.5, "huge": 2**63 - 1, "none": None},
]
TAKEN = ["vector", "truncated", "model", "fingerprint", "metadata", "metadata.model", "metadata.metadata.vector"]


def vectors(n: int) -> Vectors:
    data = np.random.default_rng(n).standard_normal((n, 3)).astype(np.float32)
    return Vectors(data, "ab" * 32, np.arange(n) % 2 == 1, "small")


def written(path, rows, **options):
    """The documents' metadata as they are read, and the table."""
    count = len(rows)
    ids, texts = [f"i{n}" for n in range(count)], [f"text {n}" for n in range(count)]
    write_vectors(path, vectors(count), ids=ids, texts=texts, metadata=rows, **options)
    table = read_table(path)
    made = documents(table).items
    assert ([each.id for each in made], [each.text for each in made]) == (ids, texts)
    stored = table.vectors
    assert stored is not None
    assert stored.data.tobytes() == vectors(count).data.tobytes()
    assert stored.truncated.tolist() == vectors(count).truncated.tolist()
    assert (stored.model, stored.fingerprint) == ("small", "ab" * 32)
    return [dict(each.metadata) for each in made], table


def completed(rows):
    names = list(dict.fromkeys(name for row in rows for name in row))
    return [{name: row.get(name) for name in names} for row in rows]


def as_json(rows) -> str:
    """Python takes 1, 1.0 and True for equal, JSON does not."""
    return json.dumps(rows, sort_keys=True)


@in_turn("name", STORED)
def test_nested_values_unicode_and_missing_fields_come_back(tmp_path, name):
    found, table = written(tmp_path / name, ROWS)
    assert as_json(found) == as_json(completed(ROWS))
    assert list(table.columns)[:2] == ["id", "text"]
    assert table.columns["stars"] == [5, None, None, None]


@pytest.mark.parametrize("name", FORMATS)
def test_names_that_the_file_uses_itself_come_back_as_they_were(tmp_path, name):
    rows = [{field: f"{field} {row}" for field in TAKEN} for row in range(2)]
    found, table = written(tmp_path / name, rows)
    assert as_json(found) == as_json(rows)
    assert table.columns["model"] == ["model 0", "model 1"]
    again = [dict(each.metadata) for each in documents(table).items]
    assert as_json(written(tmp_path / name, again)[0]) == as_json(rows)


@in_turn("field", ["id", "text"])
@in_turn("name", FORMATS)
def test_a_field_called_id_or_text_is_refused_before_anything_is_written(tmp_path, name, field):
    with pytest.raises(InputError, match=f"field is called '{field}'"):
        write_vectors(tmp_path / name, vectors(2), metadata=[{}, {field: "x"}])
    assert list(tmp_path.iterdir()) == []


def test_metadata_are_counted(tmp_path):
    with pytest.raises(InputError, match="1 metadata for 2 vectors"):
        write_vectors(tmp_path / "v.npy", vectors(2), metadata=[{}])


@pytest.mark.parametrize("name", FORMATS)
def test_values_of_other_libraries_are_written_as_json_has_them(tmp_path, name):
    rows = [
        {"on": pd.Timestamp("2024-05-01"), "score": np.float32(0.5), "rate": float("nan"), "seen": np.bool_(True)}
    ]
    found, _ = written(tmp_path / name, rows)
    assert found == [{"on": "2024-05-01T00:00:00", "score": 0.5, "rate": None, "seen": True}]


@pytest.mark.parametrize("name", FORMATS)
def test_metadata_do_not_need_ids_or_texts(tmp_path, name):
    write_vectors(tmp_path / name, vectors(2), metadata=[{"a": 1}, {"b": [2]}])
    assert read_table(tmp_path / name).columns == {"a": [1, None], "b": [None, [2]]}


inner = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda values: st.lists(values, max_size=3) | st.dictionaries(st.text("ab", max_size=1), values, max_size=3),
    max_leaves=6,
)
names = st.sampled_from([*TAKEN, "a", ""]) | st.text(st.characters(exclude_categories=["Cs"]), max_size=3)


@pytest.mark.parametrize("name", FORMATS)
@relaxed
@given(
    rows=st.lists(
        st.dictionaries(names.filter(lambda name: name not in ("id", "text")), inner), min_size=1, max_size=4
    )
)
def test_any_json_comes_back_or_is_refused_by_parquet_in_words(tmp_path, name, rows):
    try:
        found, _ = written(tmp_path / name, rows)
    except FileError as error:
        refused = (name, "metadata field" in error.what, "jsonl" in str(error.fix))
        found = None
    if found is None:
        assert refused == ("v.parquet", True, True)
    else:
        assert as_json(found) == as_json(completed(rows))


# ---- one format each


def test_a_jsonl_line_has_the_fields_between_text_and_vector(tmp_path):
    written(tmp_path / "v.jsonl", [{"status": "open", "model": "Golf"}, {}])
    first, second = map(json.loads, (tmp_path / "v.jsonl").read_text().splitlines())
    described = ["vector", "truncated", "model", "fingerprint"]
    assert list(first) == ["id", "text", "status", "metadata.model", *described]
    assert (first["metadata.model"], first["model"]) == ("Golf", "small")
    assert list(second) == ["id", "text", *described]


def test_pandas_reads_the_columns_of_the_parquet_in_their_own_types(tmp_path):
    count = 20_000  # more than one group of rows
    rows = [
        {"stars": n, "price": n / 4 if n % 4 else n // 4, "place": {"x": n}, "tags": ["t"] * (n % 3)}
        for n in range(count)
    ]
    found, _ = written(tmp_path / "v.parquet", rows)
    assert as_json(found) == as_json(rows)
    schema = pq.read_schema(tmp_path / "v.parquet")
    assert schema.names == ["id", "text", "stars", "price", "place", "tags", "vector", "truncated"]
    assert [schema.field(name).type for name in ("stars", "price")] == [pa.int64(), pa.float64()]
    frame = pd.read_parquet(tmp_path / "v.parquet")
    assert frame["price"].tolist() == [row["price"] for row in rows]
    assert frame["place"][5] == {"x": 5}


def test_parquet_keeps_as_json_text_what_its_types_would_change(tmp_path):
    rows = [{"place": {"x": 1}, "rates": [1, 2.5]}, {"place": {"y": {}}, "rates": None}]
    assert as_json(written(tmp_path / "v.parquet", rows)[0]) == as_json(rows)
    frame = pd.read_parquet(tmp_path / "v.parquet")
    assert json.loads(frame["place"][1]) == {"y": {}}
    assert pd.isna(frame["rates"][1])


@in_turn("values", [["a", 1], [True, 1], [[1], {"x": 1}], [2**70, 1], ["\ud800", "a"]])
def test_parquet_refuses_a_field_that_no_column_can_hold(tmp_path, values):
    with pytest.raises(FileError, match="metadata field 'odd'") as caught:
        write_vectors(tmp_path / "v.parquet", vectors(2), metadata=[{"odd": value} for value in values])
    assert "jsonl" in str(caught.value.fix)
    assert list(tmp_path.iterdir()) == []


def trailed(path, data, described):
    """A matrix with a description behind it, byte for byte as the format says."""
    buffer = io.BytesIO()
    np.save(buffer, data)
    described = {**described, "crc32": zlib.crc32(json.dumps(described).encode(), zlib.crc32(data))}
    trailer = json.dumps(described).encode()
    path.write_bytes(buffer.getvalue() + trailer + len(trailer).to_bytes(8, "little") + b"nearsns1")


UNFIT = [{"metadata": each} for each in (5, "ab", [1], {"a": 5}, {"a": [1]}, None)]
UNFIT += [{"truncated": each} for each in ([7], "x", [2**70], {})]
UNFIT += [{"ids": each} for each in (5, ["a"])]


@in_turn("described", UNFIT)
def test_a_description_that_does_not_fit_the_matrix_is_one_error(tmp_path, described):
    trailed(tmp_path / "v.npy", np.ones((2, 2), np.float32), described)
    with pytest.raises(FileError, match="damaged"):
        read_table(tmp_path / "v.npy")


@in_turn("restore", [5, [1], {"a": "other"}, {"a": []}, {"b": "json"}, {"a": "json"}, None])
def test_a_restoring_that_parquet_cannot_do_is_one_error(tmp_path, restore):
    table = pa.table({"a": ["{"], "vector": [[1.0]]})
    described = json.dumps({"model": "m", "fingerprint": "f", "restore": restore}).encode()
    pq.write_table(table.replace_schema_metadata({b"nearsense": described}), tmp_path / "v.parquet")
    with pytest.raises(FileError, match="says about its vectors"):
        read_table(tmp_path / "v.parquet")


# ---- files that were written before metadata were kept


def test_files_without_metadata_still_read(tmp_path):
    data = np.array([[0.5, 0.25], [1, 0]], np.float32)
    said = {"model": "small", "fingerprint": "f"}
    trailed(tmp_path / "v.npy", data, {**said, "truncated": [1], "ids": ["x", "y"], "texts": ["é", "b"]})
    end = '"model": "small", "fingerprint": "f"}\n'
    (tmp_path / "v.jsonl").write_text(
        f'{{"id": "x", "text": "é", "vector": [0.5,0.25], "truncated": false, {end}'
        f'{{"id": "y", "text": "b", "vector": [1,0], "truncated": true, {end}'
    )
    columns = {"id": ["x", "y"], "text": ["é", "b"], "vector": data.tolist(), "truncated": [False, True]}
    table = pa.table(columns).replace_schema_metadata({b"nearsense": json.dumps(said).encode()})
    pq.write_table(table, tmp_path / "v.parquet")
    for name in FORMATS:
        table = read_table(tmp_path / name)
        assert table.columns == {"id": ["x", "y"], "text": ["é", "b"]}
        assert [dict(each.metadata) for each in documents(table).items] == [{}, {}]
        assert table.vectors is not None
        assert table.vectors.data.tolist() == data.tolist()
        assert table.vectors.truncated.tolist() == [False, True]
        assert (table.vectors.model, table.vectors.fingerprint) == ("small", "f")


@pytest.mark.parametrize("name", ["v.jsonl", "v.parquet"])
def test_columns_beside_foreign_vectors_keep_their_names(tmp_path, name):
    frame = pd.DataFrame({"text": ["a"], "vector": [[1.0]], "metadata.model": ["Golf"], "metadata": [{"x": 1}]})
    if name == "v.jsonl":
        frame.to_json(tmp_path / name, orient="records", lines=True)
    else:
        frame.to_parquet(tmp_path / name)
    found = documents(read_table(tmp_path / name)).items[0].metadata
    assert found == {"metadata.model": "Golf", "metadata": {"x": 1}}
