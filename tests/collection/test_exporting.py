"""A collection's vectors in the hands of other programs: each file is read by the reader that it is for."""

from __future__ import annotations

import gzip
import json
import uuid

import numpy as np
import pytest

import nearsense as ns
from fakes import HashEncoder
from nearsense import files
from nearsense.collection import sqlite

PETS = [
    ns.Document("cat", "the cat “sleeps”", {"year": 2001, "tags": ["home", "small"], "chip": None}),
    ns.Document("dog", "the dog runs", {"year": 2.5, "home": True, "text": "other", "box": {"l": [1, 2]}}),
    ns.Document("owl", "an owl flies at night", {"large": 2**60, "none": [], "numbers": [1, 2]}),
    ns.Document("emu", "it runs"),
    ns.Document("ünïcödé 😀", "a fish\nswims"),
]
FORMS = [
    ("jsonl", "all.jsonl"),
    ("parquet", "all.parquet"),
    ("npy", "all.npy"),
    ("faiss", "all.faiss"),
    ("chroma", "chroma.jsonl"),
    ("qdrant", "qdrant.jsonl"),
]


@pytest.fixture(autouse=True)
def several_parts(monkeypatch):
    """Few documents at a time and on a line, so that each file is of several."""
    monkeypatch.setattr(sqlite, "CHUNK", 2)
    monkeypatch.setattr(files.receivers, "TOGETHER", 2)


@pytest.fixture
def pets(tmp_path):
    with ns.open(tmp_path / "pets.nearsense", encoder=HashEncoder()) as collection:
        vectors = HashEncoder().encode([pet.text for pet in PETS])
        vectors.data[0] = [-0.0, 1e-30, *[0.25] * 14]  # what a careless number loses
        collection.add(PETS, vectors=vectors)
        yield collection


@pytest.fixture
def ascii_pets(pets):
    pets.delete(PETS[4].id)  # Pinecone takes no such id
    return pets


def bits(data):
    return np.asarray(data, np.float32).view(np.uint32).tolist()


def stored(pets):
    """The vectors as they are kept, by their bits."""
    return bits(pets.documents()[1].data)


def lines(path):
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


IDS = [pet.id for pet in PETS]


# -- files that carry what the collection has


@pytest.mark.parametrize("name", ["all.jsonl", "all.npy", "all.parquet", "all.jsonl.gz"])
def test_an_export_in_parts_is_read_back_bit_for_bit(pets, tmp_path, name):
    pets.delete("owl")  # whose fields no table gives back with the types that they have
    assert pets.export(tmp_path / name) == 4
    table = files.read_table(tmp_path / name)
    assert bits(table.vectors.data) == stored(pets)
    assert table.columns["id"] == [*IDS[:2], *IDS[3:]]
    assert table.vectors.fingerprint == pets.info().fingerprint
    assert table.columns["metadata.text"] == [None, "other", None, None]


def test_parquet_has_a_list_of_fixed_size_and_the_model_in_its_schema(pets, tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet", reason="pyarrow reads parquet")
    pets.export(tmp_path / "all.parquet", to="parquet")
    table = parquet.read_table(tmp_path / "all.parquet")
    assert str(table.schema.field("vector").type).startswith("fixed_size_list<")
    assert table.schema.field("vector").type.list_size == 16
    assert json.loads(table.schema.metadata[b"nearsense"])["fingerprint"] == pets.info().fingerprint
    assert bits(table.column("vector").combine_chunks().flatten().to_numpy().reshape(-1, 16)) == stored(pets)
    assert (table.column("id").to_pylist(), table.column("text").to_pylist()) == (IDS, [p.text for p in PETS])


# -- a matrix, an index, and the ids beside it


def test_numpy_reads_the_matrix_and_the_ids_lie_beside_it(pets, tmp_path):
    assert pets.export(tmp_path / "all.npy") == 5
    assert bits(np.load(tmp_path / "all.npy", mmap_mode="r")) == stored(pets)
    rows = [{"row": row, "id": id_} for row, id_ in enumerate(IDS)]
    assert lines(tmp_path / "all.npy.ids.jsonl") == rows


def test_faiss_gives_every_vector_back(pets, tmp_path):
    faiss = pytest.importorskip("faiss")
    assert pets.export(tmp_path / "all.faiss") == 5
    index = faiss.read_index(str(tmp_path / "all.faiss"))
    assert (index.ntotal, index.d, index.metric_type) == (5, 16, faiss.METRIC_INNER_PRODUCT)
    assert bits(index.reconstruct_n(0, 5)) == stored(pets)
    assert [each["id"] for each in lines(tmp_path / "all.faiss.ids.jsonl")] == IDS


# -- Chroma


def test_a_line_for_chroma_is_what_its_collection_adds(pets, tmp_path):
    assert pets.export(tmp_path / "c.jsonl", to="chroma") == 5
    batches = lines(tmp_path / "c.jsonl")
    assert [len(each["ids"]) for each in batches] == [2, 2, 1]
    assert {frozenset(each) for each in batches} == {frozenset({"ids", "documents", "metadatas", "embeddings"})}
    assert bits([row for each in batches for row in each["embeddings"]]) == stored(pets)
    assert [row for each in batches for row in each["metadatas"]] == [
        {"year": 2001, "tags": ["home", "small"]},
        {"year": 2.5, "home": True, "metadata.text": "other", "box": '{"l": [1, 2]}'},
        {"large": str(2**60), "none": "[]", "numbers": "[1, 2]"},
        None,
        None,
    ]


@pytest.mark.filterwarnings("ignore")
def test_chroma_itself_takes_the_lines_and_gives_the_vectors_back(pets, tmp_path):
    chromadb = pytest.importorskip("chromadb", reason="chromadb is not installed: its lines are looked at")
    settings = chromadb.config.Settings(anonymized_telemetry=False)
    client = chromadb.PersistentClient(str(tmp_path / "chroma"), settings)
    there = client.create_collection("pets", embedding_function=None, metadata={"hnsw:space": "cosine"})
    pets.export(tmp_path / "c.jsonl", to="chroma")
    for batch in lines(tmp_path / "c.jsonl"):
        there.add(**batch)
    found = there.get(ids=IDS, include=["embeddings", "documents", "metadatas"])
    by_id = {id_: row for row, id_ in enumerate(found["ids"])}
    order = [by_id[id_] for id_ in IDS]
    assert bits(found["embeddings"][order]) == stored(pets)
    assert [found["documents"][row] for row in order] == [pet.text for pet in PETS]
    assert found["metadatas"][order[0]]["tags"] == ["home", "small"]
    query = HashEncoder().encode("the dog runs").data
    assert there.query(query_embeddings=query, n_results=1)["ids"] == [["dog"]]


# -- Qdrant


def test_a_line_for_qdrant_is_a_request_with_points(pets, tmp_path):
    assert pets.export(tmp_path / "q.jsonl.gz", to="qdrant") == 5
    batches = [json.loads(line) for line in gzip.decompress((tmp_path / "q.jsonl.gz").read_bytes()).splitlines()]
    points = [point for each in batches for point in each["points"]]
    assert [len(each["points"]) for each in batches] == [2, 2, 1]
    assert [point["id"] for point in points] == [str(uuid.uuid5(uuid.NAMESPACE_OID, id_)) for id_ in IDS]
    assert bits([point["vector"] for point in points]) == stored(pets)
    assert points[1]["payload"] == {
        **{"id": "dog", "text": "the dog runs", "year": 2.5, "home": True},
        **{"metadata.text": "other", "box": {"l": [1, 2]}},
    }
    assert points[2]["payload"]["large"] == 2**60


@pytest.mark.filterwarnings("ignore")
def test_qdrant_itself_takes_the_points_and_gives_the_vectors_back(pets, tmp_path):
    qdrant = pytest.importorskip(
        "qdrant_client", reason="qdrant-client is not installed: its points are looked at"
    )
    client, models = qdrant.QdrantClient(":memory:"), qdrant.models
    client.create_collection("pets", models.VectorParams(size=16, distance=models.Distance.DOT))
    pets.export(tmp_path / "q.jsonl", to="qdrant")
    for batch in lines(tmp_path / "q.jsonl"):
        client.upsert("pets", models.PointsList(**batch).points)
    found = {each.payload["id"]: each for each in client.scroll("pets", limit=9, with_vectors=True)[0]}
    assert bits([found[id_].vector for id_ in IDS]) == stored(pets)
    near = client.query_points("pets", HashEncoder().encode("the dog runs").data[0].tolist(), limit=1).points[0]
    assert (near.payload["id"], near.score) == ("dog", pytest.approx(1, abs=1e-6))


# -- Pinecone


def test_parquet_for_pinecone_has_the_columns_and_types_that_it_imports(ascii_pets, tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet", reason="pyarrow reads parquet")
    assert ascii_pets.export(tmp_path / "p.parquet", to="pinecone") == 4
    table = parquet.read_table(tmp_path / "p.parquet")
    types = {field.name: str(field.type).split("<")[0] for field in table.schema}
    assert types == {"id": "string", "values": "list", "metadata": "string"}
    assert str(table.schema.field("values").type.value_type) == "float"
    assert table.column("id").to_pylist() == IDS[:4]
    assert bits(table.column("values").to_pylist()) == stored(ascii_pets)
    assert [json.loads(each) for each in table.column("metadata").to_pylist()] == [
        {"text": PETS[0].text, "year": 2001, "tags": ["home", "small"]},
        {"text": "the dog runs", "year": 2.5, "home": True, "metadata.text": "other", "box": '{"l": [1, 2]}'},
        {"text": PETS[2].text, "large": str(2**60), "none": "[]", "numbers": "[1, 2]"},
        {"text": "it runs"},
    ]


@pytest.mark.parametrize(
    ("document", "says"),
    [
        (ns.Document("long", "a word " * 6000), "'long' is too long for Pinecone: 42,012 bytes"),
        (ns.Document("ø", "a word"), "Pinecone takes no id 'ø'"),
    ],
)
def test_what_pinecone_would_not_keep_is_refused_before_there_is_a_file(ascii_pets, tmp_path, document, says):
    ascii_pets.add([document])
    with pytest.raises(ns.errors.FileError, match=says):
        ascii_pets.export(tmp_path / "p.parquet", to="pinecone")
    assert not [*tmp_path.glob("*.parquet")]


# -- all of them


@pytest.mark.parametrize(("to", "name"), [*FORMS, ("pinecone", "p.parquet")])
def test_a_collection_without_documents_is_exported_as_such(tmp_path, to, name):
    with ns.open(tmp_path / "none.nearsense", encoder=HashEncoder()) as none:
        assert none.export(tmp_path / name, to=to) == 0
        assert (tmp_path / name).exists()


@pytest.mark.parametrize(("to", "name"), FORMS)
def test_an_export_that_is_broken_off_leaves_the_old_file_and_nothing_else(pets, tmp_path, to, name):
    (tmp_path / name).write_text("before")
    there = sorted(tmp_path.iterdir())

    def stop(done, total):
        if done:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        pets.export(tmp_path / name, to=to, progress=stop)
    assert sorted(tmp_path.iterdir()) == there
    assert (tmp_path / name).read_text() == "before"


@pytest.mark.parametrize(("to", "name"), FORMS)
def test_progress_goes_from_the_first_documents_to_all_of_them(pets, tmp_path, to, name):
    told = []
    pets.export(tmp_path / name, to=to, progress=lambda done, total: told.append((done, total)))
    assert told == sorted(told)
    assert told[-1] == (5, 5)


@pytest.mark.parametrize(("to", "name"), [("jsonl", "all.jsonl"), ("parquet", "all.parquet"), ("npy", "all.npy")])
def test_what_is_added_while_an_export_runs_is_not_in_it(pets, tmp_path, to, name):
    def add(done, total):
        if done and pets.count() == 5:
            pets.add([ns.Document("new", "came later", {"new": 1})])

    assert pets.export(tmp_path / name, to=to, progress=add) == 5
    table = files.read_table(tmp_path / name)
    assert (len(table.vectors), pets.count(), "new" in table.columns) == (5, 6, False)


def test_a_collection_in_memory_is_exported_too(tmp_path):
    with ns.open(":memory:", encoder=HashEncoder()) as pets:
        pets.add(PETS)
        assert pets.export(tmp_path / "c.jsonl", to="chroma") == 5
        assert bits(lines(tmp_path / "c.jsonl")[0]["embeddings"]) == stored(pets)[:2]


@pytest.mark.parametrize(
    ("name", "options", "says"),
    [
        ("all.jsonl", {"to": "pinecone"}, "no name of a file for pinecone"),
        ("all.faiss.gz", {}, "no name of a file for faiss"),
        ("all.parquet.zst", {"to": "pinecone"}, "no name of a file for pinecone"),
        ("all.parquet", {"to": "chroma"}, "no name of a file for chroma"),
        ("-", {"to": "npy"}, "no name of a file for npy"),
        ("all.jsonl", {"to": "croma"}, "croma"),
        ("all.csv", {"to": "chroma", "vectors": False}, "chroma without vectors"),
        ("all.docx", {}, "the extension says nothing"),
        ("all.csv", {}, "leave the vectors out, for csv"),
    ],
)
def test_a_name_or_a_program_that_does_not_fit_is_refused(pets, tmp_path, name, options, says, monkeypatch):
    monkeypatch.chdir(tmp_path)
    there = sorted(tmp_path.iterdir())
    with pytest.raises(ns.errors.NearsenseError, match=says):
        pets.export(name, **options)
    assert sorted(tmp_path.iterdir()) == there
