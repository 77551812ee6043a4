"""What `encode` promises beyond the numbers: order, shapes, limits, fingerprints, calm."""

from __future__ import annotations

import subprocess
import sys
import threading
import warnings

import numpy as np
import pytest

import nearsense as ns
from nearsense.errors import InputError, TextTooLong
from samples import some_of, tiny_bert

LONG = "word " * 300
LONGER = "term " * 1932


def test_rows_stand_in_the_order_of_the_texts_and_equal_texts_are_equal(exact):
    texts = ["short", "a much longer text about the weather in the mountains", "short", "another"]
    together = exact.encode(texts).data
    alone = np.concatenate([exact.encode(text).data for text in texts])
    np.testing.assert_allclose(together, alone, atol=2e-6)
    assert (together[0] == together[2]).all()


def test_a_vector_does_not_depend_on_its_company(exact):
    texts = [f"sentence number {i} about {'rain ' * (i % 40)}" for i in range(150)]
    together = exact.encode(texts).data
    few = exact.encode(texts[::25]).data
    assert (together[::25] * few).sum(axis=1).min() > 0.999999


def test_a_string_is_a_batch_of_one_and_nothing_is_a_batch_of_none(encoder):
    assert encoder.encode("hello").data.shape == (1, 384)
    assert encoder.encode([]).data.shape == (0, 384)


def test_vectors_have_unit_length_unless_told_otherwise(encoder):
    texts = ["", "a", "some words"]
    np.testing.assert_allclose(np.linalg.norm(encoder.encode(texts).data, axis=1), 1, atol=1e-6)
    raw = encoder.encode(texts, normalize=False)
    assert not np.allclose(np.linalg.norm(raw.data, axis=1), 1, atol=1e-2)
    with pytest.raises(ns.errors.ModelMismatch):
        raw.require_same_model(encoder.encode(texts))


def test_what_is_cut_is_counted_and_said_once(encoder):
    with pytest.warns(ns.errors.TruncationWarning, match=r"^2 of 3 texts exceed 256 tokens \(longest 1,934\)$"):
        vectors = encoder.encode(["short", LONG, LONGER])
    assert vectors.truncated.tolist() == [False, True, True]


def test_head_is_silent_but_still_tells_which(encoder):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert encoder.encode([LONG], long="head").truncated.tolist() == [True]


def test_error_names_the_text_and_its_length(encoder):
    with pytest.raises(TextTooLong, match="text 3 has 302 tokens"):
        encoder.encode(["short", "short", "other", LONG, LONG], long="error")


def test_loading_with_another_policy_for_long_texts_compiles_nothing_anew(encoder):
    first, other = ns.load(), ns.load(long="error")
    assert other._engine is first._engine
    with pytest.raises(TextTooLong):
        other.encode([LONG])
    assert encoder.encode([LONG], long="head").truncated.all()


def test_a_text_of_exactly_the_limit_is_not_cut(encoder):
    text = "word " * 254
    assert encoder.count_tokens(text).tolist() == [256]
    assert not encoder.encode(text).truncated.any()


def test_chunk_reads_to_the_end_and_truncates_nothing(encoder):
    head, tail = "The cat sat on the mat. " * 60, "Interest rates rose in March. " * 60
    vectors = encoder.encode([head + tail, head, tail], long="chunk")
    to_tail = vectors.data[0] @ vectors.data[2]
    assert not vectors.truncated.any()
    assert to_tail > encoder.encode([head + tail], long="head").data[0] @ vectors.data[2] + 0.3


def test_chunk_is_the_mean_of_the_windows_weighted_by_tokens(tmp_path):
    model = ns.load(str(tiny_bert(tmp_path / "m")), precision="f32")  # reads 48 tokens: 46 and the special ones
    words = [f"w{number % 60}" for number in range(100)]
    windows = [words[start : start + 46] for start in (0, 27, 54)]  # evenly spread over 100
    expected = model.encode([" ".join(window) for window in windows], normalize=False).data.mean(axis=0)
    found = model.encode(" ".join(words), long="chunk", normalize=False).data[0]
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_batch_tokens_change_the_speed_not_the_vectors(exact):
    texts = [f"number {i} " * (1 + i % 30) for i in range(60)]
    small, large = exact.encode(texts, batch_tokens=1).data, exact.encode(texts, batch_tokens=8192).data
    assert (small * large).sum(axis=1).min() > 0.999999


def test_progress_counts_up_to_the_number_of_different_texts(encoder):
    seen = []
    encoder.encode(
        [*(f"text {i}" for i in range(500)), "text 1"], progress=lambda done, total: seen.append((done, total))
    )
    dones = [done for done, _ in seen]
    assert dones == sorted(dones)
    assert seen[-1] == (500, 500)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"long": "maybe"}, "warn, error, head, chunk"),
        ({"role": "answer"}, "query, passage"),
        ({"batch_tokens": 0}, "batch_tokens=0"),
    ],
)
def test_an_unknown_option_is_an_error_that_lists_the_known(encoder, options, message):
    with pytest.raises(InputError, match=message):
        encoder.encode("x", **options)


def test_the_fingerprint_follows_what_decides_a_vector_and_nothing_else(tmp_path):
    base = ns.load(str(tiny_bert(tmp_path / "a"))).fingerprint
    assert ns.load(str(tiny_bert(tmp_path / "same"))).fingerprint == base
    assert ns.load(str(tmp_path / "a"), precision="f32", threads=1).fingerprint == base
    assert ns.load(str(tiny_bert(tmp_path / "weights", seed=1))).fingerprint != base
    assert ns.load(str(tiny_bert(tmp_path / "epsilon", layer_norm_eps=1e-5))).fingerprint != base
    changed = tiny_bert(tmp_path / "limit")
    (changed / "sentence_bert_config.json").write_text('{"max_seq_length": 32}')
    assert ns.load(str(changed)).fingerprint != base


def test_two_models_of_one_shape_do_not_share_a_compiled_graph(tmp_path):
    first, second = (ns.load(str(tiny_bert(tmp_path / str(seed), seed=seed))) for seed in (1, 2))
    assert not np.allclose(first.encode("w1 w2 w3").data, second.encode("w1 w2 w3").data, atol=1e-2)


def test_a_prompt_is_put_before_the_text_of_its_role(tmp_path):
    folder = tiny_bert(tmp_path / "prompted")
    (folder / "config_sentence_transformers.json").write_text('{"prompts": {"query": "w7 "}}')
    model = ns.load(str(folder), precision="f32")
    asked, plain = model.encode("w1 w2", role="query").data, model.encode("w7 w1 w2").data
    np.testing.assert_allclose(asked, plain, atol=1e-6)
    np.testing.assert_allclose(model.encode("w1", role="passage").data, model.encode("w1").data, atol=1e-6)


def test_prompts_are_found_under_the_names_that_folders_use(tmp_path):
    folder = tiny_bert(tmp_path / "document")
    (folder / "config_sentence_transformers.json").write_text('{"prompts": {"document": "w7 ", "other": "w9 "}}')
    model = ns.load(str(folder), precision="f32")
    np.testing.assert_allclose(model.encode("w1", role="passage").data, model.encode("w7 w1").data, atol=1e-6)


def test_several_threads_may_encode_at_once(encoder):
    texts = [f"thread text {i}" for i in range(40)]
    expected = encoder.encode(texts).data
    results = [None] * 4

    def work(place):
        results[place] = encoder.encode(texts).data

    threads = [threading.Thread(target=work, args=(place,)) for place in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for result in results:
        assert (result * expected).sum(axis=1).min() > 0.9999


def test_interrupting_a_long_encode_leaves_the_encoder_usable(encoder):
    class Stop(Exception):
        pass

    def stop(done, total):
        raise Stop

    with pytest.raises(Stop):
        encoder.encode([f"text {i}" for i in range(3000)], progress=stop)
    assert encoder.encode("still here").data.shape == (1, 384)


@pytest.mark.slow
def test_the_interpreter_ends_cleanly_after_bulk_work():
    code = "import nearsense as ns; ns.load().encode([f'text {i} and more' for i in range(2000)])"
    for _ in range(3):
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
        assert (done.returncode, done.stderr) == (0, "")


def test_an_unwritable_or_damaged_cache_is_no_obstacle(tmp_path):
    folder = str(tiny_bert(tmp_path / "m"))
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    expected = ns.load(folder, precision="f32", cache_dir=tmp_path / "cache").encode("w1").data
    np.testing.assert_array_equal(ns.load(folder, precision="f32", cache_dir=blocked).encode("w1").data, expected)
    (tmp_path / "cache" / "file-hashes.json").write_text("{broken")
    ns.encoders._load.cache_clear()
    again = ns.load(folder, precision="f32", cache_dir=tmp_path / "cache").encode("w1").data
    np.testing.assert_array_equal(again, expected)


def test_a_compiled_graph_that_was_damaged_is_made_again(tmp_path):
    folder = str(tiny_bert(tmp_path / "m"))
    expected = ns.load(folder, precision="f32", cache_dir=tmp_path / "cache").encode("w1 w2").data
    (blob,) = (tmp_path / "cache").rglob("*.blob")
    content = bytearray(blob.read_bytes())
    content[len(content) // 4 : len(content) // 2] = bytes(len(content) // 2 - len(content) // 4)
    blob.unlink()
    blob.write_bytes(content)
    ns.encoders._load.cache_clear()
    again = ns.load(folder, precision="f32", cache_dir=tmp_path / "cache").encode("w1 w2").data
    np.testing.assert_array_equal(again, expected)
    (blob,) = (tmp_path / "cache").rglob("*.blob")
    assert blob.read_bytes() != content


@pytest.mark.slow
def test_a_forked_process_can_encode_too():
    code = """
import os, sys, warnings
import nearsense as ns
encoder = ns.load()
texts = [f"text {i} and some more words" for i in range(2000)]
expected = encoder.encode(texts).data
warnings.simplefilter("ignore")
child = os.fork()
if child == 0:
    os._exit(0 if (encoder.encode(texts).data * expected).sum(axis=1).min() > 0.999 else 1)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""
    assert subprocess.run([sys.executable, "-c", code], timeout=60).returncode == 0


@pytest.mark.parametrize("precision", ["auto", "f32"])
def test_weights_in_float16_give_the_vectors_that_they_give_in_float32(tmp_path, precision):
    from safetensors.numpy import load_file, save_file

    whole, half = tiny_bert(tmp_path / "whole"), tiny_bert(tmp_path / "half")
    rounded = {
        name: each.astype(np.float16) for name, each in load_file(half / "model.safetensors").items()
    }  # what both have
    save_file(rounded, half / "model.safetensors")
    save_file({name: each.astype(np.float32) for name, each in rounded.items()}, whole / "model.safetensors")
    texts = ["w1 w2 w3", "w4", "w5 w6 w7 w8 w9 w10 w11", "w59 z"]
    found, truth = (ns.load(str(each), precision=precision).encode(texts).data for each in (half, whole))
    assert found == pytest.approx(truth, abs=1e-5 if precision == "f32" else 1e-3)


@pytest.mark.skipif(sys.platform == "win32", reason="signals are sent otherwise there")
@pytest.mark.parametrize(
    "loaded",
    some_of(["", ", precision='f32'", ", threads=1", ", long='chunk'"], ", precision='f32'"),
    ids=["one more", "another precision", "another number of threads", "in windows"],
)
@pytest.mark.parametrize("place", [0, -1], ids=["oldest first", "newest first"])
def test_ctrl_c_is_heard_after_models_were_let_go(tmp_path, monkeypatch, loaded, place):
    monkeypatch.setenv("NEARSENSE_MODEL", folder := str(tiny_bert(tmp_path / "small")))
    code = f"""
import gc, os, signal, nearsense as ns
kept = [ns.load(), ns.load({folder!r}{loaded}), ns.load(precision='bf16'), ns.load(precision='f32')]
kept.append(kept[0].encode(['w1', 'w2']))
ns.search_vectors(['w1'], kept[-1], k=1)
ns.encoders._load.cache_clear()
while kept:
    kept.pop({place})
    gc.collect()
for _ in range(2):
    try:
        os.kill(os.getpid(), signal.SIGINT)
        print("not heard")
    except KeyboardInterrupt:
        print("heard")
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stdout.split()) == (0, ["heard"] * 2), done.stderr
