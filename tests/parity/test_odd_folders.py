"""Folders that say the unusual, in the unusual place, or what cannot be: the right vectors, or a sentence."""

from __future__ import annotations

import json
import os

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

import nearsense as ns
from turns import in_turn

hubs = pytest.importorskip("hubs", reason="needs the extra 'test' (with torch)")
from sentence_transformers.sentence_transformer import modules as st  # noqa: E402

TEXTS = ["the dog", "a cat and a king in the rain", "Rain " * 80 + "tree house", "water"]


def encoded(folder, **options):
    return ns.load(str(folder), precision="f32", **options).encode(TEXTS, long="head").data


def plain(folder, kind="bert", **options):
    return hubs.bi_encoder(folder / "model", kind, **options)


@pytest.mark.parametrize("kind", ["roberta", "distilbert", "xlm-roberta"])
def test_older_names_of_the_file_with_the_limit_are_read(tmp_path, kind):
    folder = plain(tmp_path)
    (folder / "sentence_bert_config.json").unlink()
    (folder / f"sentence_{kind}_config.json").write_text('{"max_seq_length": 10, "do_lower_case": true}')
    with hubs.quiet():
        theirs = hubs.reference(folder, TEXTS, normalize_embeddings=True)
    assert ns.load(str(folder)).max_tokens == 10
    assert np.vecdot(encoded(folder), theirs).min() >= 0.99999


@pytest.mark.parametrize("head", [False, True], ids=["encoder", "cross-encoder"])
def test_some_models_read_the_end_of_a_long_text(tmp_path, head):
    folder = hubs.transformer(tmp_path / "model", "bert", head=True) if head else plain(tmp_path)
    hubs.changed(folder / "tokenizer_config.json", truncation_side="left")
    if head:
        pairs = [("the dog", text) for text in TEXTS]
        with hubs.quiet():
            model = hubs.sentence_transformers.CrossEncoder(str(folder), device="cpu")
            theirs = model.predict(pairs, activation_fn=hubs.torch.nn.Identity())
        ours = ns.load_cross(str(folder), precision="f32").score(pairs, long="head", logits=True)
        np.testing.assert_allclose(ours, theirs, atol=1e-4)
    else:
        theirs = hubs.reference(folder, TEXTS, normalize_embeddings=True)
        assert np.vecdot(encoded(folder), theirs).min() >= 0.99999


def test_a_model_for_dot_products_keeps_the_unit_length_that_its_modules_make(tmp_path):
    folder = hubs.bi_encoder(tmp_path / "model", "bert", st.Pooling(hubs.HIDDEN), st.Normalize())
    hubs.changed(folder / "config_sentence_transformers.json", similarity_fn_name="dot")
    np.testing.assert_allclose(encoded(folder), hubs.reference(folder, TEXTS), atol=1e-5)


def test_a_model_for_dot_products_is_searched_by_them_and_collected_by_cosine(tmp_path):
    folder = plain(tmp_path)
    hubs.changed(folder / "config_sentence_transformers.json", similarity_fn_name="dot")
    with hubs.quiet():
        model = hubs.sentence_transformers.SentenceTransformer(str(folder), device="cpu")
        vectors = model.encode(TEXTS)
    encoder = ns.load(str(folder), precision="f32")
    hits = ns.search("the dog", [text for text in TEXTS if len(text) < 99], encoder=encoder)
    assert hits.origin.metric.value == "dot"
    assert hits[0].score == pytest.approx(
        float(np.delete(vectors, 2, 0) @ vectors[0] @ np.eye(3)[int(hits[0].id)]), rel=1e-4
    )
    with ns.open(tmp_path / "c.near", encoder) as collection:
        collection.add(["the dog", "water"])
    with ns.open(tmp_path / "c.near", precision="f32") as collection:
        assert collection.search("the dog", k=1)[0].score == pytest.approx(1, abs=1e-5)


def test_static_tables_are_read_in_half_precision_and_cut_as_their_tokenizer_says(tmp_path):
    folder = hubs.static(tmp_path / "model")
    file = next(folder.rglob("tokenizer.json"))
    tokenizer = hubs.Tokenizer.from_file(str(file))
    tokenizer.enable_truncation(3)
    tokenizer.save(str(file))
    weights = next(folder.rglob("model.safetensors"))
    import safetensors.torch

    tensors = safetensors.torch.load_file(weights)
    safetensors.torch.save_file({name: each.bfloat16() for name, each in tensors.items()}, weights)
    with hubs.quiet():
        model = hubs.sentence_transformers.SentenceTransformer(str(folder), device="cpu")
        theirs = model.float().encode(TEXTS, normalize_embeddings=True)
    assert np.vecdot(encoded(folder), theirs).min() >= 0.99999


def test_the_padding_that_moves_positions_is_a_part_of_the_fingerprint(tmp_path):
    folder = plain(tmp_path, "roberta")
    one = ns.load(str(folder))
    hubs.changed(folder / "config.json", pad_token_id=3)
    assert ns.load(str(folder)).fingerprint != one.fingerprint


def test_a_path_means_another_model_in_another_place(tmp_path, monkeypatch):
    for seed, place in enumerate(("here", "there")):
        (tmp_path / place).mkdir()
        hubs.bi_encoder(tmp_path / place / "model", "bert", seed=seed)
    monkeypatch.chdir(tmp_path / "here")
    one = ns.load("./model")
    monkeypatch.chdir(tmp_path / "there")
    assert ns.load("./model").fingerprint != one.fingerprint


def test_a_model_that_was_trained_again_in_its_place_is_loaded_again(tmp_path):
    folder = plain(tmp_path)
    one = ns.load(str(folder)).fingerprint
    tensors = load_file(folder / "model.safetensors")
    tensors["embeddings.LayerNorm.bias"] += 1
    save_file(tensors, folder / "model.safetensors")
    assert ns.load(str(folder)).fingerprint != one


def test_a_collection_made_with_an_encoder_of_a_folder_finds_the_folder_again(tmp_path):
    with ns.open(tmp_path / "c.near", ns.load(str(plain(tmp_path)))) as collection:
        collection.add(["the dog"])
    with ns.open(tmp_path / "c.near") as collection:
        assert collection.search("the dog", k=1)[0].id == "0"


def weights(name, value):
    def change(folder):
        tensors = load_file(folder / "model.safetensors")
        tensors[name] = np.asarray(value, np.float32)
        save_file(tensors, folder / "model.safetensors")

    return change


def config(**changes):
    return lambda folder: hubs.changed(folder / "config.json", **changes)


def written(name, content):
    def change(folder):
        (folder / name).unlink(missing_ok=True)
        (folder / name).write_text(content)

    return change


def hole(folder):
    content = json.loads((folder / "tokenizer.json").read_text())
    content["added_tokens"] = [
        {"id": 100_000, "content": "zebra", "single_word": False, "lstrip": False, "rstrip": False,
         "normalized": False, "special": False}
    ]  # fmt: skip
    content["model"]["vocab"]["zebra"] = 100_000
    (folder / "tokenizer.json").write_text(json.dumps(content))


def fifo(folder):
    (folder / "config.json").unlink()
    os.mkfifo(folder / "config.json")


def dense_of_its_own(folder):
    listed = json.loads((folder / "modules.json").read_text())
    dense = {"idx": 2, "name": "2", "path": "2_Dense", "type": "sentence_transformers.models.Dense"}
    (folder / "modules.json").write_text(json.dumps([*listed, dense]))
    (folder / "2_Dense").mkdir()
    settings = {"in_features": 32, "out_features": 32, "bias": False, "activation_function": "builtins.exec"}
    (folder / "2_Dense" / "config.json").write_text(json.dumps(settings))
    save_file({"linear.weight": np.eye(32, dtype=np.float32)}, folder / "2_Dense" / "model.safetensors")


@in_turn(
    ("change", "words"),
    [
        (weights("embeddings.LayerNorm.weight", [1.0]), "shapes"),
        (weights("embeddings.token_type_embeddings.weight", [[1.0]]), "token types"),
        (weights("encoder.layer.0.attention.self.query.bias", [1.0]), "bias"),
        (config(model_type=[1]), "architecture"),
        (config(architectures=-1, model_type="nothing"), "nothing"),
        (written("1_Pooling/config.json", '{"pooling_mode": 3}'), "form"),
        (written("1_Pooling/config.json", '{"pooling_mode": [["a"]]}'), "form"),
        (written("config_sentence_transformers.json", '{"prompts": {"query": "\\ud800"}}'), "form"),
        (written("modules.json", json.dumps([{"type": "sentence_transformers.models.Normalize"}] * 999)), "999"),
        (hole, "different models"),
        (fifo, "no plain file"),
        (dense_of_its_own, "builtins.exec"),
    ],
)
def test_what_cannot_be_is_refused_with_a_sentence(tmp_path, change, words):
    folder = plain(tmp_path)
    change(folder)
    with hubs.quiet(), pytest.raises(ns.errors.ModelError, match=words) as caught:
        ns.load(str(folder)).encode(["the dog"])
    assert caught.value.fix


def test_a_model_that_looks_back_only_runs_through_torch_that_knows_how(tmp_path):
    folder = plain(tmp_path)
    hubs.changed(folder / "config.json", is_decoder=True)
    with hubs.quiet():
        theirs = hubs.reference(folder, TEXTS, normalize_embeddings=True)
        encoder = ns.load(str(folder))
    assert encoder._engine.__class__.__name__ == "TorchEngine"
    assert np.vecdot(encoder.encode(TEXTS, long="head").data, theirs).min() >= 0.99999


def test_a_cross_encoder_that_wants_a_prompt_is_refused(tmp_path):
    base = hubs.transformer(tmp_path / "base", "bert", head=True)
    with hubs.quiet():
        model = hubs.sentence_transformers.CrossEncoder(
            str(base), device="cpu", prompts={"x": "rain "}, default_prompt_name="x"
        )
        model.save_pretrained(str(tmp_path / "model"))
    hubs.changed(
        tmp_path / "model" / "config_sentence_transformers.json",
        prompts={"query": "rain "},
        default_prompt_name="query",
    )
    with pytest.raises(ns.errors.UnsupportedModel, match="prompt"):
        ns.load_cross(str(tmp_path / "model"))


@in_turn("dimensions", ["16", 16.5, [16], 0, -1])
def test_a_length_of_vectors_that_is_none_is_refused(dimensions):
    with pytest.raises(ns.errors.InputError, match="dimensions"):
        ns.load(dimensions=dimensions)


def test_a_model_that_torch_runs_says_that_it_does_not_survive_a_fork(tmp_path):
    with hubs.quiet():
        encoder = ns.load(str(hubs.bi_encoder(tmp_path / "model", "electra")))
    encoder.encode("the dog")
    encoder._engine._process = -1  # as a child sees it
    with pytest.raises(ns.errors.UnsupportedModel, match="fork"):
        encoder.encode("the dog")
