"""Bulk work in an object store, a loopback one; and in places where two write at once."""

from __future__ import annotations

import json
import threading

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from nearsense import bulk
from nearsense.bulk.places import place_of, without_secrets
from nearsense.errors import FileError, InputError
from samples import tiny_bert

SECRET = "wJalrXUtnFEMI-not-a-real-secret"


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return str(tiny_bert(tmp_path_factory.mktemp("model") / "tiny"))


def written_at_once(places, name):
    """Many writers, each of its own content; which of them were told that theirs is there."""
    told, go = {}, threading.Barrier(len(places))

    def write(number, place):
        go.wait()
        told[number] = place.put(name, f"by {number}".encode() * 1000)

    threads = [threading.Thread(target=write, args=each) for each in enumerate(places)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    return [number for number, there in told.items() if there]


def test_of_writers_of_one_name_one_is_first_and_the_others_are_told(tmp_path):
    for turn in range(20):
        (first,) = written_at_once([place_of(str(tmp_path)) for _ in range(8)], f"part-{turn}")
        assert (tmp_path / f"part-{turn}").read_text() == f"by {first}" * 1000
    assert not list(tmp_path.rglob("*.tmp"))


def test_messages_hold_no_secrets(monkeypatch):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    assert SECRET not in without_secrets(f"refused: key {SECRET}, at s3://user:word@host/bucket")
    assert "word" not in without_secrets("s3://user:word@host/bucket")


def test_an_address_with_a_password_is_refused_and_not_repeated(tmp_path, model):
    with pytest.raises(InputError, match="given with a password") as refused:
        bulk.encode(f"s3://me:{SECRET}@bucket/texts", str(tmp_path / "out"), model=model)
    assert SECRET not in str(refused.value)


def test_nothing_is_asked_of_a_store_where_the_settings_say_offline(monkeypatch, tmp_path, model):
    monkeypatch.setenv("NEARSENSE_OFFLINE", "1")
    with pytest.raises(FileError, match="offline is set"):
        bulk.encode("s3://bucket/texts", str(tmp_path / "out"), model=model)


@pytest.fixture
def store(monkeypatch, tmp_path):
    """A bucket with 60 texts in three files, on a server of this machine."""
    s3fs = pytest.importorskip("s3fs")
    s3fs.S3FileSystem.clear_instance_cache()  # of the server before
    server = pytest.importorskip("moto.server")
    import boto3

    for name, value in (("ACCESS_KEY_ID", "AKIDEXAMPLE"), ("SECRET_ACCESS_KEY", SECRET), ("REGION", "us-east-1")):
        monkeypatch.setenv(f"AWS_{name}", value)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    running = server.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    running.start()
    host, port = running.get_host_and_port()
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
    client = boto3.client("s3")
    client.create_bucket(Bucket="bucket")
    for file in range(3):
        texts = [f"w{row} w{(row * 7 + file) % 60} {chr(97 + row)}" for row in range(20)]
        pq.write_table(
            pa.table({"id": [f"{file}-{row}" for row in range(20)], "text": texts}), tmp_path / "a.parquet"
        )
        client.put_object(Bucket="bucket", Key=f"texts/{file}.parquet", Body=(tmp_path / "a.parquet").read_bytes())
    yield client
    client.close()
    running.stop()


def rows_in(client, prefix):
    body = client.get_object(Bucket="bucket", Key=f"{prefix}/_manifest.json")["Body"].read()
    rows = []
    for name in json.loads(body)["files"]:
        content = client.get_object(Bucket="bucket", Key=f"{prefix}/{name}")["Body"].read()
        rows += pq.read_table(pa.BufferReader(content)).to_pylist()
    return rows


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")
def test_a_folder_of_a_store_in_which_another_begins_meanwhile_is_no_file(store):
    for turn in range(60):
        places = [place_of(f"s3://bucket/new-{turn}") for _ in range(4)]
        found = []

        def begin(place, found=found):
            found += [each.name for each in place.files()]
            place.put("job.json", b"{}")

        threads = [threading.Thread(target=begin, args=(place,)) for place in places]
        for each in threads:
            each.start()
        for each in threads:
            each.join()
        assert {*found} <= {"job.json"}


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")
def test_in_an_object_store_two_drivers_at_one_output_make_each_part_once(store, model):
    known = {"model": model, "id": "id", "shard_rows": 7, "workers": 0, "resume": True}
    (first,) = written_at_once([place_of("s3://bucket/race") for _ in range(6)], "part")
    body = store.get_object(Bucket="bucket", Key="race/part")["Body"].read().decode()
    assert body == f"by {first}" * 1000
    failed = []

    def drive():
        try:
            bulk.encode("s3://bucket/texts", "s3://bucket/out", **known)
        except Exception as error:
            failed.append(str(error))

    drivers = [threading.Thread(target=drive) for _ in range(2)]
    for each in drivers:
        each.start()
    for each in drivers:
        each.join()
    assert failed == []
    assert sorted(row["id"] for row in rows_in(store, "out")) == sorted(
        f"{f}-{r}" for f in range(3) for r in range(20)
    )
    parts = store.list_objects_v2(Bucket="bucket", Prefix="out/encoded/")["Contents"]
    assert len(parts) == 9
    assert bulk.status("s3://bucket/out").state == "done"
    versions = {each["Key"]: each["LastModified"] for each in parts}
    bulk.encode("s3://bucket/texts", "s3://bucket/out", **known)
    again = store.list_objects_v2(Bucket="bucket", Prefix="out/encoded/")["Contents"]
    assert {each["Key"]: each["LastModified"] for each in again} == versions
    done = bulk.dedupe("s3://bucket/out", "s3://bucket/clean", min_score=0.99, model=model, workers=0)
    assert done.figures["stay"] + done.figures["go"] == 60
    with pytest.raises(InputError, match="holds another job"):
        bulk.encode("s3://bucket/texts", "s3://bucket/out", **known | {"shard_rows": 9})
    with pytest.raises(FileError) as refused:
        bulk.encode("s3://nobody/texts", "s3://bucket/other", model=model, workers=0)
    assert SECRET not in str(refused.value)
    assert "AKIDEXAMPLE" not in str(refused.value)
