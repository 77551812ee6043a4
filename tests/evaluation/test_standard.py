"""Standard sets by name: from a hub on this machine, from its cache, from a folder; and what is said where not."""

from __future__ import annotations

import gzip
import json

import pytest

import nearsense as ns
from loopback_hub import serving
from nearsense.datasets import STANDARD, read_dataset
from nearsense.datasets.reading import parts_of
from nearsense.encoders import hub as hub_module
from nearsense.encoders.hub import cache_folder
from turns import in_turn

arrow = pytest.importorskip("pyarrow")
parquet = pytest.importorskip("pyarrow.parquet")

PAIRS = [(f"a dog barks {n}", f"a hound is loud {n}") for n in range(6)]


def put(file, rows, features=None):
    """A parquet file as the library `datasets` writes it, or lines of JSON."""
    file.parent.mkdir(parents=True, exist_ok=True)
    if file.suffix == ".parquet":
        table = arrow.Table.from_pylist(rows)
        if features:
            table = table.replace_schema_metadata({"huggingface": json.dumps({"info": {"features": features}})})
        parquet.write_table(table, file)
    else:
        content = "".join(json.dumps(row) + "\n" for row in rows).encode()
        file.write_bytes(gzip.compress(content) if file.suffix == ".gz" else content)


def make(root):
    """One small set of each kind, in the layouts that the hub's repositories have."""
    rated = [{"sentence1": a, "sentence2": b, "score": n / 2, "split": "x"} for n, (a, b) in enumerate(PAIRS)]
    put(root / "stsb/test.jsonl.gz", rated)
    put(root / "stsb/train.jsonl.gz", rated)
    put(root / "sick/data/test-00000-of-00002.parquet", rated[:3])
    put(root / "sick/data/test-00001-of-00002.parquet", rated[3:])
    yes = {"idx": {"dtype": "int32"}, "label": {"names": ["not_equivalent", "equivalent"], "_type": "ClassLabel"}}
    alike = [{"sentence1": a, "sentence2": b, "label": n % 2, "idx": n} for n, (a, b) in enumerate(PAIRS)]
    put(root / "glue/mrpc/test-00000-of-00001.parquet", alike, yes)
    put(root / "glue/cola/test-00000-of-00001.parquet", alike)
    lists = {"sent1": [a for a, _ in PAIRS], "sent2": [b for _, b in PAIRS], "labels": [0, 1, 0, 1, 0, 1]}
    put(root / "twitter/test.jsonl", [lists])
    triplets = [{"anchor": a, "positive": b, "negative": "the moon"} for a, b in PAIRS]
    put(root / "allnli/triplet/test-00000-of-00001.parquet", triplets)
    documents = [{"_id": str(n), "title": "", "text": b} for n, (_, b) in enumerate(PAIRS)]
    queries = [{"_id": f"q{n}", "text": a} for n, (a, _) in enumerate(PAIRS)]
    judged = [{"query-id": f"q{n}", "corpus-id": str(n), "score": 1} for n in range(4)]
    put(root / "scifact/corpus.jsonl", documents)
    put(root / "scifact/queries.jsonl", queries)
    put(root / "scifact/qrels/test.jsonl", judged)
    put(root / "scifact/qrels/train.jsonl", judged[:3])
    put(root / "nfcorpus/corpus/corpus-00000-of-00001.parquet", documents)
    put(root / "nfcorpus/queries/queries-00000-of-00001.parquet", queries)
    put(root / "nfcorpus/data/test-00000-of-00001.parquet", judged)
    asked = [{"query": a, "positive": [b], "negative": ["the moon", "tea"]} for a, b in PAIRS]
    put(root / "askubuntu/test.jsonl.gz", asked)
    texts = [{"text": f"{a}", "label": n % 3, "label_text": "xyz"[n % 3]} for n, (a, _) in enumerate(PAIRS)]
    put(root / "banking77/test.jsonl", texts)
    put(root / "banking77/train.jsonl", [{**row, "text": row["text"] + "!"} for row in texts])
    intents = {"intent": {"names": ["pay", "oos", "call"], "_type": "ClassLabel"}}
    asks = [{"text": a, "intent": n % 3} for n, (a, _) in enumerate(PAIRS)]
    for part in ("train", "test", "validation"):
        put(root / f"clinc/plus/{part}-00000-of-00001.parquet", asks, intents)
    folders = {
        "mteb/stsbenchmark-sts": "stsb", "mteb/sickr-sts": "sick", "nyu-mll/glue": "glue",
        "mteb/twittersemeval2015-pairclassification": "twitter", "sentence-transformers/all-nli": "allnli",
        "mteb/scifact": "scifact", "mteb/nfcorpus": "nfcorpus",
        "mteb/askubuntudupquestions-reranking": "askubuntu",
        "mteb/banking77": "banking77", "clinc/clinc_oos": "clinc",
    }  # fmt: skip
    return {name: root / folder for name, folder in folders.items()}


@pytest.fixture
def hub(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(hub_module, "WAITS", ())
    tags = tuple(each.revision for each in STANDARD.values() if each.revision)
    with serving(make(tmp_path / "hub"), tags=tags) as served:
        yield served


KINDS = [
    ("stsb", "graded", 6, "stsb (test)"),
    ("sick", "graded", 6, "sick (test)"),
    ("mrpc", "labelled", 6, "mrpc (test)"),
    ("twitter", "labelled", 6, "twitter (test)"),
    ("allnli", "triplets", 6, "allnli (test)"),
    ("scifact", "retrieval", 4, "scifact (test)"),
    ("nfcorpus", "retrieval", 4, "nfcorpus (test)"),
    ("askubuntu", "rerank", 6, "askubuntu (test)"),
    ("banking77", "intents", 6, "banking77 (test)"),
    ("clinc150", "intents", 6, "clinc150 (test)"),
]


@pytest.mark.parametrize(("name", "task", "items", "called"), KINDS)
def test_a_set_comes_from_the_hub_once_and_then_from_its_cache(hub, name, task, items, called):
    data = read_dataset(name)
    assert (data.task.value, len(data), data.name) == (task, items, called)
    assert {request.path.split("/")[1] for request in hub.requests} <= {"api", "datasets"}
    hub.forget()
    again = read_dataset(name)
    assert len(again) == items
    assert hub.requests == []


def test_only_the_files_of_the_wanted_parts_are_fetched(hub):
    read_dataset("stsb")
    assert hub.asked_for("test.jsonl.gz")
    assert not hub.asked_for("train.jsonl.gz")


def test_shards_are_put_together_in_their_order(hub):
    assert [pair[0] for pair in read_dataset("sick").pairs] == [a for a, _ in PAIRS]


def test_the_names_of_classes_are_read_off_the_schema_and_strangers_are_known(hub):
    data = read_dataset("clinc150")
    assert data.labels[:3] == ("pay", None, "call")
    assert set(data.known_labels) == {"pay", "call"}
    assert read_dataset("mrpc").words == ("not_equivalent", "equivalent")


def test_intents_may_be_asked_for_as_clusters_and_other_tasks_are_refused(hub):
    assert read_dataset("banking77", task="clustering").task.value == "clustering"
    with pytest.raises(ns.errors.InputError, match=r"stsb \(test\) is a graded data set, not triplets"):
        read_dataset("stsb", task="triplets")


def test_what_the_hubs_own_library_fetched_is_used(hub):
    from huggingface_hub import snapshot_download

    snapshot_download(
        "mteb/stsbenchmark-sts",
        repo_type="dataset",
        revision=STANDARD["stsb"].revision,
        endpoint=hub.url,
        cache_dir=cache_folder(),
    )
    hub.forget()
    assert len(read_dataset("stsb")) == 6
    assert hub.requests == []


def test_offline_nothing_is_asked_and_the_way_out_is_said(hub, monkeypatch):
    monkeypatch.setenv("NEARSENSE_OFFLINE", "1")
    with pytest.raises(ns.errors.FileError, match=r"stsb .* is not here") as caught:
        read_dataset("stsb")
    assert "offline is set" in caught.value.why
    assert "--data-dir DIR" in caught.value.fix
    assert hub.requests == []


@pytest.mark.parametrize(
    ("refusal", "said"), [((404, "RepoNotFound"), "no such data set"), ((403, "GatedRepo"), "terms accepted")]
)
def test_a_refusal_of_the_hub_names_the_set_and_the_way_out(hub, refusal, said):
    hub.refuse = refusal
    with pytest.raises(ns.errors.FileError, match="stsb: the hub") as caught:
        read_dataset("stsb")
    assert said in caught.value.why
    assert "--data-dir DIR" in caught.value.fix
    assert len(str(caught.value).splitlines()) <= 3


def test_bytes_that_are_not_the_promised_ones_are_not_kept(hub, tmp_path):
    hub.wrong = {"test.jsonl.gz"}
    with pytest.raises(ns.errors.BrokenModel, match="did not come as the hub promised"):
        read_dataset("stsb")
    assert not list((tmp_path / "home").rglob("*.gz"))


def test_a_repository_without_the_part_says_what_it_has(hub, tmp_path):
    (tmp_path / "hub/stsb/test.jsonl.gz").unlink()
    with pytest.raises(ns.errors.FileError, match="no file of mteb/stsbenchmark-sts holds its part") as caught:
        read_dataset("stsb")
    assert "train.jsonl.gz" in caught.value.why


@in_turn("name", ["stsb", "allnli", "scifact", "nfcorpus", "askubuntu", "banking77"])
def test_own_copies_are_read_from_a_folder_and_no_hub_is_asked(tmp_path, name):
    make(tmp_path)
    assert len(read_dataset(name, data_dir=tmp_path)) >= 4


def test_a_file_of_that_name_will_do_whatever_its_columns_are_called(tmp_path):
    put(tmp_path / "stsb.jsonl", [{"a": a, "b": b, "score": n} for n, (a, b) in enumerate(PAIRS)])
    assert read_dataset("stsb", data_dir=tmp_path).scores[-1] == 5
    with pytest.raises(ns.errors.FileError, match="holds no data set sick"):
        read_dataset("sick", data_dir=tmp_path)


def test_an_unknown_name_lists_those_that_are_known():
    with pytest.raises(ns.errors.InputError, match="nosuchset is neither a file") as caught:
        read_dataset("nosuchset")
    assert all(name in caught.value.why for name in STANDARD)


def test_lines_of_json_are_taken_before_parquet_and_one_form_only():
    files = ["test.jsonl", "data/test-00000-of-00001.parquet", "README.md", "latest.jsonl"]
    assert parts_of(files, STANDARD["stsb"]) == {"judged": ["test.jsonl"]}


def test_every_name_stands_in_the_docs_and_in_the_help():
    from pathlib import Path

    from nearsense.cli import cli

    page = (Path(__file__).parents[2] / "docs/evaluate.md").read_text()
    spelled = cli.commands["evaluate"].help.replace("sts12 to sts16", "sts12 sts13 sts14 sts15 sts16")
    for name in STANDARD:
        assert f"`{name}`" in page
        assert name in spelled
