"""A map put into its model is one folder, and every library that loads it makes the same vectors of texts."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest

import nearsense as ns
from adapters.test_adapted import by_hand, saved, some_map
from fakes import HashEncoder
from nearsense.adapters import learn
from nearsense.adapters.merging import merge
from nearsense.calibrator import carried_calibration
from nearsense.encoders.adapted import AdaptedEncoder
from nearsense.kinds import MapKind
from nearsense.training.examples import read_examples
from samples import tiny_bert

TEXTS = ["w1 w2 w3", "w4 a b c", "w5 w5 w5", "w9", "w1", " ".join(f"w{n}" for n in range(60))]


@pytest.fixture
def parent(tmp_path):
    return tiny_bert(tmp_path / "parent")


def changed(file, **changes):
    file.write_text(json.dumps((json.loads(file.read_text()) if file.exists() else {}) | changes))


def plain(folder):
    """A transformer as it comes, without a word of sentence-transformers."""
    for name in ("modules.json", "sentence_bert_config.json", "1_Pooling"):
        path = folder / name
        shutil.rmtree(path) if path.is_dir() else path.unlink()


def prompted(folder):
    prompts = {"query": "a b ", "passage": "c "}
    changed(folder / "config_sentence_transformers.json", prompts=prompts, similarity_fn_name="dot")


def unnormalized(folder):
    modules = json.loads((folder / "modules.json").read_text())
    (folder / "modules.json").write_text(json.dumps(modules[:2]))


KINDS = {"as it is": lambda folder: None, "plain": plain, "prompted": prompted, "no length": unnormalized}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", KINDS)
def test_the_merged_folder_makes_the_vectors_of_map_and_parent(tmp_path, parent, kind):
    KINDS[kind](parent)
    adapter = ns.load(str(saved(tmp_path / "mine", ns.load(str(parent), precision="f32"))), precision="f32")
    merged = ns.load(str(merge(adapter, tmp_path / "merged")), precision="f32")
    for role in (None, "query", "passage"):
        np.testing.assert_allclose(
            merged.encode(TEXTS, role=role).data, adapter.encode(TEXTS, role=role).data, atol=2e-6
        )
    assert merged.fingerprint != adapter.fingerprint
    assert (merged.max_tokens, merged.dimension) == (adapter.max_tokens, adapter.dimension)
    assert merged.prompts == adapter.prompts


def test_maps_after_maps_and_cut_vectors_become_one_layer(tmp_path, parent):
    cut = ns.load(str(parent), precision="f32").with_dimensions(16)
    first = AdaptedEncoder(cut, some_map(MapKind.LOW_RANK, 16), name="first")
    second = AdaptedEncoder(first, some_map(MapKind.DIAGONAL, 16), name="second")
    merged = ns.load(str(merge(second, tmp_path / "merged")), precision="f32")
    expected = by_hand(second.map, by_hand(first.map, cut.encode(TEXTS[:4]).data))
    np.testing.assert_allclose(merged.encode(TEXTS[:4]).data, expected, atol=2e-6)
    assert merged.dimension == 16


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", KINDS)
def test_sentence_transformers_makes_the_same_of_it(tmp_path, parent, kind):
    library = pytest.importorskip("sentence_transformers")
    KINDS[kind](parent)
    adapter = ns.load(str(saved(tmp_path / "mine", ns.load(str(parent), precision="f32"))), precision="f32")
    model = library.SentenceTransformer(str(merge(adapter, tmp_path / "merged")), device="cpu")
    for role, name in ((None, None), *((role, role) for role in adapter.prompts)):
        ours, theirs = adapter.encode(TEXTS, role=role).data, model.encode(TEXTS, prompt_name=name)
        assert np.vecdot(ours, theirs).min() >= 0.99999
        np.testing.assert_allclose(np.linalg.norm(theirs, axis=1), 1, atol=1e-5)


@pytest.mark.slow
def test_sentence_transformers_makes_the_same_of_a_static_table(tmp_path, parent):
    library = pytest.importorskip("sentence_transformers")
    texts = [f"w{a} w{b} {c}" for a in range(20) for b in range(6) for c in "ab"]
    fast = ns.load(str(ns.distill(str(parent), texts, output=tmp_path / "fast", epochs=0).path))
    adapter = AdaptedEncoder(fast, some_map(MapKind.LINEAR), name="mine")
    model = library.SentenceTransformer(str(merge(adapter, tmp_path / "merged")), device="cpu")
    assert np.vecdot(adapter.encode(TEXTS).data, model.encode(TEXTS)).min() >= 0.99999


def test_what_cannot_be_merged_says_why_and_leaves_nothing(tmp_path, parent):
    loaded = ns.load(str(parent), precision="f32")
    with pytest.raises(ns.errors.InputError, match="parent is no adapter"):
        merge(loaded, tmp_path / "merged")
    for other, why in ((HashEncoder(32), "no folder"), (ns.load(str(parent), pooling="cls"), "otherwise")):
        with pytest.raises(ns.errors.UnsupportedModel, match="cannot be merged") as said:
            merge(AdaptedEncoder(other, some_map(MapKind.LINEAR), name="a"), tmp_path / "merged")
        assert why in said.value.why or "folder" in said.value.why
    assert not (tmp_path / "merged").exists()
    adapter = AdaptedEncoder(loaded, some_map(MapKind.LINEAR), name="a")
    merge(adapter, tmp_path / "merged")
    with pytest.raises(ns.errors.FileError, match="there already"):
        merge(adapter, tmp_path / "merged")


ROWS = [(f"w{label} {letter} {other}", letter) for label in range(5) for letter in "abcdef" for other in "xyz"]


def test_an_adapter_is_exported_with_what_its_scores_mean(tmp_path, parent):
    made = ns.train_adapter(ROWS, encoder=str(parent), kind="classes", output=tmp_path / "mine")
    loaded = ns.load(str(tmp_path / "mine"))
    carried = carried_calibration(loaded)
    assert carried.fingerprint == made.encoder.fingerprint == loaded.fingerprint
    assert carried_calibration(made.encoder).task == carried.task == "class"
    merged = ns.load(str(made.export(tmp_path / "merged")))
    again = carried_calibration(merged)
    assert (again.fingerprint, again.model) == (merged.fingerprint, "merged")
    np.testing.assert_allclose(again.probability([0.2, 0.9]), carried.probability([0.2, 0.9]))
    assert made.to_dict()["ece"] == pytest.approx(carried.figures.ece)


def test_the_calibration_comes_from_pairs_that_no_map_had_learnt_from(tmp_path, parent):
    """Each of the 90 texts is held out once, and meets its ten nearest of the texts of the other folds."""
    made = ns.train_adapter(ROWS, encoder=str(parent), kind="classes", output=tmp_path / "mine")
    figures = made.calibration.figures
    assert figures.labels == 10 * len(ROWS)
    assert "5 parts, each by a map of the others: 18 texts, each with its 10 nearest among" in str(made)
    plain = learn(read_examples(ROWS, kind="classes"), str(parent))
    assert plain.calibration is None
    assert carried_calibration(ns.load(str(plain.save(tmp_path / "plain")))) is None
