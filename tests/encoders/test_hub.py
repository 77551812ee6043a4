"""From the hub into its cache: all of it or nothing, nothing that can run code, and each byte as promised."""

from __future__ import annotations

import os

import pytest

import nearsense as ns
from loopback_hub import promised, serving
from nearsense.encoders import hub as hub_module
from nearsense.encoders.hub import download, files_to_fetch, missing_files, repository_folder
from nearsense.encoders.places import locate, present, verify
from samples import tiny_bert
from turns import in_turn

NAME = "someone/small-model"


@pytest.fixture
def model(tmp_path):
    folder = tiny_bert(tmp_path / "served")
    (folder / "README.md").write_text("# A model")
    (folder / "modeling_own.py").write_text("raise SystemExit('this code was run')")
    (folder / "pytorch_model.bin").write_bytes(b"a pickle" * 5000)
    return folder


@pytest.fixture
def hub(model, tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(hub_module, "WAITS", ())
    with serving({NAME: model}, tags=("v1",)) as hub:
        yield hub


def files_of(folder):
    return {str(file.relative_to(folder)) for file in folder.rglob("*") if file.is_file()}


def test_a_model_is_downloaded_and_its_bytes_are_those_of_the_hub(hub, model):
    place = locate(NAME)
    assert place.revision == hub.commit(NAME)
    assert place.path.is_relative_to(os.environ["HF_HOME"])
    for name in files_of(place.path):
        assert (place.path / name).read_bytes() == (model / name).read_bytes()
    assert "model.safetensors" in files_of(place.path)
    assert "1_Pooling/config.json" in files_of(place.path)


def test_a_model_loads_by_its_name_alone(hub):
    assert ns.load(NAME).dimension == 32


def test_what_can_run_code_is_never_asked_for(hub):
    files = files_of(locate(NAME).path)
    assert not [name for name in files if name.endswith((".py", ".bin"))]
    assert not hub.asked_for("modeling_own.py")
    assert not hub.asked_for("pytorch_model.bin")


def test_what_is_here_costs_no_request(hub):
    locate(NAME)
    hub.forget()
    locate(NAME)
    locate(f"{NAME}@{hub.commit(NAME)}")
    locate(f"{NAME}@{hub.commit(NAME)[:8]}")
    assert hub.requests == []


def test_the_hubs_own_library_finds_what_was_fetched(hub):
    from huggingface_hub import scan_cache_dir, try_to_load_from_cache

    place = locate(NAME)
    cache = os.path.join(os.environ["HF_HOME"], "hub")  # noqa: PTH118  (the library wants a str)
    assert try_to_load_from_cache(NAME, "config.json", cache_dir=cache) == str(place.path / "config.json")
    scanned = scan_cache_dir(cache)
    assert [repository.repo_id for repository in scanned.repos] == [NAME]
    assert not scanned.warnings


def test_what_the_hubs_own_library_fetched_is_found_without_a_request(hub):
    from huggingface_hub import snapshot_download

    cache = os.path.join(os.environ["HF_HOME"], "hub")  # noqa: PTH118
    fetched = snapshot_download(
        NAME, cache_dir=cache, endpoint=hub.url, allow_patterns=["*.json", "*.safetensors"]
    )
    hub.forget()
    assert str(locate(NAME).path) == fetched
    assert hub.requests == []


def test_progress_counts_all_bytes_once(hub):
    seen = []
    place = locate(NAME, progress=lambda done, total: seen.append((done, total)))
    size = sum((place.path / name).stat().st_size for name in files_of(place.path))
    assert seen[-1] == (size, size)
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)


def test_a_connection_that_stays_broken_leaves_what_the_next_call_goes_on_with(hub, model):
    hub.cuts = [20_000, 0]
    with pytest.raises(ns.errors.ModelNotFound, match="cannot be reached") as caught:
        locate(NAME)
    assert "goes on from there" in caught.value.fix
    assert present(NAME) is None
    hub.forget()
    place = locate(NAME)
    assert [request.range for request in hub.asked_for("model.safetensors")] == ["bytes=20000-"]
    promised_bytes = sum((place.path / name).stat().st_size for name in files_of(place.path))
    assert hub.sent <= promised_bytes - 20_000
    assert (place.path / "model.safetensors").read_bytes() == (model / "model.safetensors").read_bytes()
    assert not list(repository_folder(NAME).rglob("*.incomplete"))


def test_an_interrupted_download_goes_on_from_where_it_was(hub, model):
    weights = (model / "model.safetensors").stat().st_size

    def stop(done, total):
        if done > total - weights // 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        locate(NAME, progress=stop)
    assert present(NAME) is None
    there = next(repository_folder(NAME).rglob("*.incomplete")).stat().st_size
    hub.forget()
    assert verify(locate(NAME)) == []
    asked = [request.range for request in hub.asked_for("model.safetensors")]
    assert asked == ([f"bytes={there}-"] if there < weights else []), (there, weights)
    assert 0 < there <= weights


def test_a_connection_that_breaks_is_taken_up_again_at_once(hub, monkeypatch):
    monkeypatch.setattr(hub_module, "WAITS", (0.0, 0.0))
    hub.cuts = [20_000, 20_000, 0]
    assert verify(locate(NAME)) == []
    ranges = [request.range for request in hub.asked_for("model.safetensors")]
    assert ranges == ["", "bytes=20000-", "bytes=40000-", "bytes=40000-"]


@pytest.mark.parametrize("length", [20_000, 10_000_000])
def test_a_server_that_knows_no_ranges_and_a_part_that_is_too_long_begin_anew(hub, length):
    hub.ranges, hub.cuts = False, [20_000, 0]
    with pytest.raises(ns.errors.ModelNotFound):
        locate(NAME)
    next(repository_folder(NAME).rglob("*.incomplete")).write_bytes(b"x" * length)
    assert verify(locate(NAME)) == []


def test_wrong_bytes_are_refused_and_removed_and_the_next_try_works(hub, model):
    hub.wrong = {"model.safetensors"}
    with pytest.raises(ns.errors.BrokenModel) as caught:
        locate(NAME)
    good = promised(model / "model.safetensors")
    assert good in caught.value.why
    assert "model.safetensors" in caught.value.what
    blobs = repository_folder(NAME) / "blobs"
    assert not [file for file in blobs.iterdir() if file.name.startswith(good)]
    assert present(NAME) is None
    hub.wrong = set()
    assert not verify(locate(NAME))


def test_wrong_bytes_of_a_small_file_are_refused_too(hub):
    hub.wrong = {"config.json"}
    with pytest.raises(ns.errors.BrokenModel, match=r"config\.json"):
        locate(NAME)


def test_pickles_alone_are_refused_before_a_byte_is_fetched(hub, model):
    (model / "model.safetensors").unlink()
    with pytest.raises(ns.errors.UnsupportedModel, match=r"only pickled weights \(pytorch_model\.bin\)"):
        locate(NAME)
    assert hub.sent == 0
    assert len(hub.requests) == 1


def test_a_module_with_pickles_alone_is_refused_before_a_byte_is_fetched(hub, model):
    (model / "2_Dense").mkdir()
    (model / "2_Dense" / "pytorch_model.bin").write_bytes(b"pickle")
    with pytest.raises(ns.errors.UnsupportedModel, match=r"2_Dense/pytorch_model\.bin"):
        locate(NAME)
    assert hub.sent == 0


@pytest.mark.parametrize(
    "name", ["../../evil", "/etc/evil", "1_Pooling/../../evil", "a\\b", "C:evil", "a//b", "x\0"]
)
def test_a_name_that_leads_out_of_the_folder_is_refused(hub, name, tmp_path):
    hub.listed = [name]
    before = files_of(tmp_path)
    with pytest.raises(ns.errors.BrokenModel, match="the repository names a file"):
        locate(NAME)
    assert hub.sent == 0
    assert files_of(tmp_path) == before


def test_a_hash_that_is_a_path_is_no_hash(hub, monkeypatch):
    monkeypatch.setattr(hub, "promises", lambda repository: {"model.safetensors": (1, "../../evil")})
    with pytest.raises(ns.errors.ModelNotFound, match="do not have the form"):
        locate(NAME)


@in_turn(
    ("files", "chosen"),
    [
        (["config.json", "model.safetensors", "model.fp16.safetensors", "onnx/model.onnx"],
         ["config.json", "model.safetensors"]),
        (["model.safetensors.index.json", "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"],
         ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors", "model.safetensors.index.json"]),
        (["onnx/model.onnx", "onnx/model.onnx_data", "onnx/model_qint8.onnx", "pytorch_model.bin"],
         ["onnx/model.onnx", "onnx/model.onnx_data"]),
        (["onnx/model.onnx", "openvino/openvino_model.xml", "openvino/openvino_model.bin",
          "openvino/openvino_model_qint8.xml"], ["openvino/openvino_model.bin", "openvino/openvino_model.xml"]),
        (["modules.json", "0_StaticEmbedding/model.safetensors", "0_StaticEmbedding/tokenizer.json", "train.json"],
         ["0_StaticEmbedding/model.safetensors", "0_StaticEmbedding/tokenizer.json", "modules.json"]),
        (["model.safetensors", "2_Dense/model.safetensors", "2_Dense/config.json", "2_Dense/pytorch_model.bin",
          "checkpoint/model.safetensors", "optimizer.pt", "tf_model.h5", "flax_model.msgpack", "x.py"],
         ["2_Dense/config.json", "2_Dense/model.safetensors", "model.safetensors"]),
    ],
)  # fmt: skip
def test_of_all_files_those_are_wanted_that_are_needed_and_safe(files, chosen):
    assert files_to_fetch(files) == chosen


@pytest.mark.parametrize(
    ("refusal", "words"),
    [
        ((401, ""), "does not give"), ((404, "RepoNotFound"), "does not give"), ((403, "GatedRepo"), "gated"),
        ((401, "GatedRepo"), "gated"), ((429, ""), r"now \(429\)"), ((503, ""), r"now \(503\)"),
    ],
)  # fmt: skip
def test_a_refusal_of_the_hub_is_one_clear_sentence_without_the_token(hub, monkeypatch, refusal, words):
    monkeypatch.setenv("HF_TOKEN", "hf_secretsecret")
    hub.refuse = refusal
    with pytest.raises(ns.errors.ModelNotFound, match=words) as caught:
        locate(NAME)
    assert NAME in caught.value.what
    assert "\n" not in caught.value.what + caught.value.why + caught.value.fix
    assert caught.value.fix
    assert "secret" not in str(caught.value)
    assert caught.value.__suppress_context__


def test_the_token_of_the_environment_goes_along(hub, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_secretsecret")
    locate(NAME)
    assert all(request.authorised for request in hub.requests)


@pytest.mark.parametrize("token", ["hf_sécret", "hf_secret\x00"])
def test_a_token_that_cannot_be_sent_is_not_shown(hub, monkeypatch, token):
    from nearsense.encoders import hub as module

    monkeypatch.setattr(module._hub_tools(), "get_token_to_send", lambda _: token)
    with pytest.raises(ns.errors.ModelNotFound) as caught:
        locate(NAME)
    assert "cret" not in str(caught.value)


@pytest.mark.parametrize(
    "address",
    ["http://127.0.0.1:9", "http://user:secret@127.0.0.1:9", "nonsense", "http://[bad", "ftp://x", "http://:x"],
)
def test_a_hub_that_cannot_be_reached_is_said_plainly(hub, monkeypatch, address):
    monkeypatch.setenv("HF_ENDPOINT", address)
    with pytest.raises(ns.errors.ModelNotFound, match="cannot be") as caught:
        locate(NAME)
    assert "secret" not in str(caught.value)
    assert "\n" not in caught.value.what


def test_a_full_disk_is_said_before_anything_is_fetched(hub, monkeypatch):
    import shutil

    monkeypatch.setattr(shutil, "disk_usage", lambda folder: shutil._ntuple_diskusage(10, 10, 0))
    with pytest.raises(ns.errors.FileError, match="cannot be kept") as caught:
        locate(NAME)
    assert "MB are needed" in caught.value.why
    assert hub.sent == 0


def test_a_revision_is_a_tag_a_commit_or_an_error_that_says_so(hub):
    commit = hub.commit(NAME)
    assert locate(f"{NAME}@v1").revision == commit
    assert (repository_folder(NAME) / "refs" / "v1").read_text() == commit
    assert present(NAME) is None, "main was never asked for"
    assert present(f"{NAME}@{commit}") is not None
    with pytest.raises(ns.errors.ModelNotFound, match="no revision 'v9'"):
        locate(f"{NAME}@v9")


def test_a_newer_commit_is_fetched_on_demand_and_only_what_changed(hub, model):
    old = locate(NAME)
    (model / "config.json").write_text((model / "config.json").read_text() + " ")
    hub.forget()
    assert locate(NAME).revision == old.revision
    assert download(NAME).name != old.revision
    assert [request.path.rpartition("/")[2] for request in hub.requests[1:]] == ["config.json"]
    assert locate(NAME).revision == hub.commit(NAME)


@pytest.mark.parametrize("gone", ["1_Pooling/config.json", "sentence_bert_config.json", "model.safetensors"])
def test_a_snapshot_that_lost_a_file_is_completed(hub, gone):
    place = locate(NAME)
    (place.path / gone).unlink()
    assert missing_files(place.path) == [gone]
    assert present(NAME) is None
    hub.forget()
    assert locate(NAME) == place
    assert hub.sent == 0, "its blob was still there"


def test_a_blob_that_rotted_is_found_and_fetched_again(hub):
    place = locate(NAME)
    blob = (place.path / "model.safetensors").resolve()
    content = bytearray(blob.read_bytes())
    content[5000] ^= 1
    blob.write_bytes(content)
    findings = verify(place)
    assert len(findings) == 1
    assert findings[0].startswith("model.safetensors is not what was published")
    download(NAME)
    assert verify(locate(NAME)) == []


def test_two_who_fetch_at_once_get_the_same_and_fetch_each_file_once(hub):
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(lambda _: locate(NAME), range(2))
    assert first == second
    assert verify(first) == []


def test_threads_that_write_one_record_do_not_take_each_others_file(tmp_path):
    from concurrent.futures import ThreadPoolExecutor

    from nearsense.encoders.catalog import Promise
    from nearsense.encoders.hub import keep_promises, promises

    folder, promised = tmp_path / "snapshots" / ("a" * 40), {"config.json": Promise(1, "b" * 64)}
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: keep_promises(folder, promised), range(200)))
    assert promises(folder) == promised
