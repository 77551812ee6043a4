"""Where a model is found, and what a folder that is not in order gets told."""

from __future__ import annotations

import json
import os
import struct

import pytest

import nearsense as ns
from nearsense.encoders.catalog import CATALOG
from nearsense.encoders.folder import find
from nearsense.encoders.packing import Pooling
from samples import cached_bert, tiny_bert
from turns import in_turn


def test_the_default_model_is_found_in_its_package_without_running_its_code():
    import sys

    folder = find("all-MiniLM-L6-v2")
    assert folder.path.parent.name == CATALOG[0].package
    assert CATALOG[0].package not in sys.modules


def test_three_files_hold_three_limits_and_the_right_one_wins():
    folder = find("sentence-transformers/all-MiniLM-L6-v2")
    truncation = json.loads(folder.tokenizer.read_text())["truncation"]["max_length"]
    assert (folder.limit, truncation, folder.config["max_position_embeddings"]) == (256, 128, 512)


def test_a_path_is_a_model_named_after_its_folder(tmp_path):
    folder = find(str(tiny_bert(tmp_path / "mine")))
    assert (folder.name, folder.limit, folder.pooling) == ("mine", 48, (Pooling.MEAN,))


def test_the_cache_of_the_hub_is_searched(tmp_path, monkeypatch):
    cached_bert(tmp_path / "hub", "someone/small-model")
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    assert find("someone/small-model").path.name == "abc123"
    assert ns.load("someone/small-model").dimension == 32


@in_turn(
    ("key", "pooling"),
    [
        ("cls_token", Pooling.CLS),
        ("max_tokens", Pooling.MAX),
        ("lasttoken", Pooling.LAST),
        ("mean_tokens", Pooling.MEAN),
    ],
)
def test_the_pooling_is_read_from_the_folder(tmp_path, key, pooling):
    folder = tiny_bert(tmp_path)
    (folder / "1_Pooling" / "config.json").write_text(
        json.dumps({"pooling_mode_mean_tokens": False, f"pooling_mode_{key}": True})
    )
    assert find(str(folder)).pooling == (pooling,)


def configured(**changes):
    """Write other values into a folder's config.json; `...` takes one out."""

    def change(folder):
        config = json.loads((folder / "config.json").read_text()) | changes
        known = {name: value for name, value in config.items() if value is not ...}
        (folder / "config.json").write_text(json.dumps(known))

    return change


def written(file, content):
    return lambda folder: (folder / file).write_text(content)


def weighted(change):
    """Write other bytes of weights than a folder has."""

    def changed(folder):
        file = folder / "model.safetensors"
        file.write_bytes(change(file.read_bytes()))

    return changed


def many_more_tokens(folder):
    tiny = json.loads((folder / "tokenizer.json").read_text())
    tiny["model"]["vocab"] |= {f"more{i}": 200 + i for i in range(500)}
    (folder / "tokenizer.json").write_text(json.dumps(tiny))


OUTSIDE = '[{"type": "sentence_transformers.models.Pooling", "path": "../../etc"}]'
BrokenModel, UnsupportedModel = ns.errors.BrokenModel, ns.errors.UnsupportedModel
BROKEN = {
    "no tokenizer": (lambda folder: (folder / "tokenizer.json").unlink(), BrokenModel, "no tokenizer.json"),
    "no config": (lambda folder: (folder / "config.json").unlink(), BrokenModel, "config.json cannot be read"),
    "config is not JSON": (written("config.json", "{"), BrokenModel, "not valid JSON"),
    "tokenizer is not one": (written("tokenizer.json", '{"version": "1.0"}'), BrokenModel, "is not a tokenizer"),
    "truncated weights": (weighted(lambda content: content[: len(content) // 2]), BrokenModel, "truncated"),
    "empty weights": (weighted(lambda content: b""), BrokenModel, "truncated"),
    "header of 2 GB": (weighted(lambda all_: struct.pack("<Q", 2**31) + all_[8:]), BrokenModel, "cannot be read"),
    "pickled weights only": (
        lambda folder: (folder / "model.safetensors").rename(folder / "pytorch_model.bin"),
        UnsupportedModel,
        "pickle",
    ),
    "unknown architecture": (configured(model_type="mamba"), UnsupportedModel, "'mamba'"),
    "unknown activation": (configured(hidden_act="nonsense"), UnsupportedModel, "'nonsense'"),
    "more layers than weights": (configured(num_hidden_layers=9), BrokenModel, "encoder.layer.8"),
    "another width": (configured(hidden_size=64), BrokenModel, "promises"),
    "a size is missing": (configured(hidden_size=...), BrokenModel, "hidden_size=None"),
    "unknown module": (
        written("modules.json", '[{"type": "evil.module.Code", "path": ""}]'),
        UnsupportedModel,
        "'evil.module.Code'",
    ),
    "path out of the folder": (written("modules.json", OUTSIDE), BrokenModel, "outside"),
    "tokenizer of another model": (many_more_tokens, BrokenModel, "different models"),
}


@in_turn("how", BROKEN)
def test_a_folder_that_is_not_in_order_is_refused_with_a_sentence(tmp_path, how):
    damage, error, words = BROKEN[how]
    folder = tiny_bert(tmp_path / "model")
    damage(folder)
    with pytest.raises(error) as caught:
        ns.load(str(folder))
    assert words in str(caught.value)
    assert str(folder) in str(caught.value)
    assert caught.value.fix


@in_turn(
    ("file", "content"),
    [
        ("config.json", "[]"), ("config.json", '"text"'), ("config.json", "{}"), ("config.json", "[" * 100_000),
        ("sentence_bert_config.json", '{"max_seq_length": "abc"}'), ("sentence_bert_config.json", "[1]"),
        ("sentence_bert_config.json", '{"max_seq_length": 2}'),
        ("sentence_bert_config.json", '{"max_seq_length": -5}'),
        ("sentence_bert_config.json", '{"max_seq_length": [7]}'), ("modules.json", '{"a": 1}'),
        ("modules.json", "[1, 2]"), ("1_Pooling/config.json", "[]"), ("1_Pooling/config.json", "3"),
        ("config_sentence_transformers.json", '{"prompts": 5}'), ("config_sentence_transformers.json", "[]"),
    ],
)  # fmt: skip
def test_json_of_another_form_is_an_error_that_names_the_folder(tmp_path, file, content):
    folder = tiny_bert(tmp_path / "model")
    (folder / file).write_text(content)
    with pytest.raises(ns.errors.ModelError, match="model"):
        ns.load(str(folder))


@in_turn(
    "changes",
    [{"num_attention_heads": 0}, {"num_attention_heads": 5}, {"num_attention_heads": 4.5},
     {"num_hidden_layers": -1}, {"hidden_size": "32"}, {"layer_norm_eps": None}, {"vocab_size": True}],
)  # fmt: skip
def test_sizes_that_cannot_be_are_refused(tmp_path, changes):
    folder = tiny_bert(tmp_path / "model")
    configured(**changes)(folder)
    with pytest.raises(ns.errors.BrokenModel, match=r"config\.json"):
        ns.load(str(folder))


def test_weights_that_give_no_number_are_blamed_on_the_model(tmp_path):
    from safetensors.numpy import load_file, save_file

    folder = tiny_bert(tmp_path / "model")
    tensors = load_file(folder / "model.safetensors")
    tensors["embeddings.LayerNorm.weight"][:] = float("nan")
    save_file(tensors, folder / "model.safetensors")
    with pytest.raises(ns.errors.BrokenModel, match="model gives no finite vector for 2 texts"):
        ns.load(str(folder), precision="f32").encode(["w1", "w2"])


def test_one_broken_folder_in_the_cache_does_not_hide_the_others(tmp_path, monkeypatch):
    from nearsense.encoders.folder import installed

    (cached_bert(tmp_path / "hub", "someone/broken") / "modules.json").write_text("[1]")
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    assert [folder.name for folder in installed()] == ["all-MiniLM-L6-v2"]


def test_a_name_that_is_nowhere_says_where_was_looked_and_touches_no_network(monkeypatch):
    import socket

    monkeypatch.setattr(socket, "socket", None)
    with pytest.raises(ns.errors.ModelNotFound, match="no model 'no-such-model' here") as caught:
        ns.load("no-such-model")
    assert "hub's cache" in caught.value.why


def test_weights_that_are_not_the_published_ones_are_refused_under_the_published_name(tmp_path, monkeypatch):
    cached_bert(tmp_path / "hub", "sentence-transformers/all-MiniLM-L6-v2")
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    monkeypatch.setattr("nearsense.encoders.places._package_folder", lambda card: None)
    monkeypatch.setenv("NEARSENSE_THREADS", "1")  # another encoder than the one that is loaded already
    with pytest.raises(ns.errors.BrokenModel, match="not the published file"):
        ns.load("all-MiniLM-L6-v2")


def test_hashes_are_remembered_by_the_identity_of_the_file(tmp_path):
    import hashlib

    from nearsense.encoders.weights import FileHashes

    file, hashes = tmp_path / "weights", FileHashes(tmp_path / "cache")
    file.write_bytes(b"one")
    assert hashes.sha256(file) == hashlib.sha256(b"one").hexdigest()
    times = file.stat()
    file.write_bytes(b"two!")
    os.utime(file, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert hashes.sha256(file) == hashlib.sha256(b"two!").hexdigest()


def test_a_wrong_hash_that_was_remembered_does_not_condemn_the_model(tmp_path):
    from nearsense.encoders.weights import FileHashes

    folder, hashes = find("all-MiniLM-L6-v2"), FileHashes(tmp_path)
    files = (*folder.weights, folder.tokenizer)
    folder.verified_hashes(files, hashes)
    remembered = json.loads((tmp_path / "file-hashes.json").read_text())
    (tmp_path / "file-hashes.json").write_text(json.dumps(dict.fromkeys(remembered, "0" * 64)))
    assert folder.verified_hashes(files, hashes) == dict(folder.card.sha256)
