"""ns.map: what it puts together, that the order of texts decides nothing, and what it writes."""

from __future__ import annotations

import builtins
import sys
from xml.etree import ElementTree

import numpy as np
import pytest

import nearsense as ns
from fakes import HashEncoder
from nearsense.calibration import Task, shipped_calibration
from nearsense.mapping import Layout
from nearsense.textmap import MOST_PAIRS
from turns import in_turn

MODEL = HashEncoder(32)
TEXTS = [
    f"{thing} number {row} of the {kind}"
    for kind in ("red", "blue")
    for thing in ("car", "boat")
    for row in range(12)
]
VECTORS = MODEL.encode(TEXTS)


@pytest.fixture(scope="module")
def made():
    return ns.map(TEXTS, clusters=ns.cluster(TEXTS, 4, vectors=VECTORS), vectors=VECTORS)


def test_a_map_has_a_point_a_label_and_neighbours_for_each_text(made):
    assert made.layout is Layout.NEIGHBOURS
    assert made.points.shape == (48, 2)
    assert np.abs(made.points).max() == pytest.approx(1)
    assert sorted(made.sizes().tolist()) == sorted(
        len(each.members) for each in ns.cluster(TEXTS, 4, vectors=VECTORS)
    )
    scores = VECTORS.data @ VECTORS.data.T
    np.fill_diagonal(scores, -2)
    np.testing.assert_allclose(made.neighbours.scores, -np.sort(-scores, axis=1)[:, :10], atol=1e-5)
    np.testing.assert_allclose(
        np.take_along_axis(scores, made.neighbours.ids, axis=1), made.neighbours.scores, atol=1e-5
    )
    assert made.curve is None


def test_the_order_of_texts_decides_nothing(made):
    order = np.random.default_rng(0).permutation(len(TEXTS))
    texts, vectors = [TEXTS[row] for row in order], VECTORS.take(order.tolist())
    again = ns.map(texts, clusters=ns.cluster(texts, 4, vectors=vectors), vectors=vectors)
    np.testing.assert_allclose(again.points, made.points[order], atol=1e-5)


def test_equal_texts_lie_on_one_point():
    texts = [*TEXTS, *TEXTS[:5]]
    found = ns.map(texts, clusters=ns.cluster(texts, 2, vectors=MODEL.encode(texts)), vectors=MODEL.encode(texts))
    np.testing.assert_array_equal(found.points[:5], found.points[48:])
    assert found.neighbours.ids[:5, 0].tolist() == [48, 49, 50, 51, 52]


@in_turn("texts", [["one"], ["one", "two"], ["same"] * 30, [f"t{row}" for row in range(19)]])
def test_few_and_equal_texts_are_layout_by_principal_components(texts, tmp_path):
    vectors = MODEL.encode(texts)
    found = ns.map(texts, vectors=vectors, layout="neighbours")
    assert found.layout is Layout.PCA
    assert found.neighbours.ids.shape == (len(texts), min(10, len(texts) - 1))
    for name in ("map.html", "map.png"):
        found.save(tmp_path / name)
        assert (tmp_path / name).stat().st_size > 1_000


def test_without_the_extra_principal_components_are_all_there_is(monkeypatch):
    real = builtins.__import__

    def hidden(name, *rest, **more):
        if name.startswith("openTSNE"):
            raise ImportError(name)
        return real(name, *rest, **more)

    for name in [name for name in sys.modules if name.startswith("openTSNE")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "openTSNE", None)
    monkeypatch.setattr("nearsense.mapping.find_spec", lambda name: None)
    monkeypatch.setattr(builtins, "__import__", hidden)
    clusters = ns.cluster(TEXTS, 2, vectors=VECTORS)
    assert ns.map(TEXTS, clusters=clusters, vectors=VECTORS).layout is Layout.PCA
    with pytest.raises(ns.errors.MissingExtra, match=r"nearsense\[map\]"):
        ns.map(TEXTS, clusters=clusters, vectors=VECTORS, layout="neighbours")


def test_probabilities_are_those_of_the_calibration(encoder):
    texts = ["It is raining.", "Rain is falling.", "I like cheese."]
    found = ns.map(texts, encoder=encoder)
    pair = ns.compare(texts[0], texts[1], encoder=encoder)
    known = shipped_calibration(pair.origin, Task.PARAPHRASE).here()
    told = np.interp(pair.score, found.curve[:, 0], found.curve[:, 1])
    assert told == pytest.approx(float(known.probability(pair.score, prior=pair.origin.prior)), abs=2e-3)
    assert ns.map(texts, encoder=encoder, calibration="none").curve is None


def test_duplicates_become_pairs_to_judge_without_equal_texts(encoder):
    texts = [
        "Reset my login",
        "reset my login",
        "Reset my login",
        "Pay 15 euros",
        "Pay 51 euros",
        "Bread and butter",
    ]
    found = ns.duplicates(texts, encoder=encoder, min_probability=0.05)
    pairs = ns.map(texts, encoder=encoder, duplicates=found).pairs
    told = {
        (left, right): row
        for row, (left, right) in enumerate(zip(pairs.left.tolist(), pairs.right.tolist(), strict=True))
    }
    assert (0, 1) in told
    assert all(texts[left] != texts[right] for left, right in told)
    by_ids = {(int(each.left), int(each.right)): each for each in found.pairs}
    for key, row in told.items():
        assert by_ids[key].score == pytest.approx(float(pairs.scores[row]), abs=1e-6)
        assert by_ids[key].probability == pytest.approx(float(pairs.probabilities[row]))
        assert tuple(by_ids[key].differs or ()) == tuple(pairs.differs[row])
    assert len(pairs) < MOST_PAIRS


def test_what_is_not_of_these_texts_is_refused(encoder):
    clusters = ns.cluster(TEXTS[:8], 2, vectors=VECTORS.take(range(8)))
    with pytest.raises(ns.errors.InputError, match="clusters are of 8 other texts"):
        ns.map(TEXTS, clusters=clusters, vectors=VECTORS)
    found = ns.duplicates(TEXTS[:8], vectors=VECTORS.take(range(8)), min_score=0.9)
    with pytest.raises(ns.errors.InputError, match="duplicates are of 8 other texts"):
        ns.map(TEXTS, vectors=VECTORS, duplicates=found)
    with pytest.raises(ns.errors.InputError, match="48 texts, 8 vectors"):
        ns.map(TEXTS, vectors=VECTORS.take(range(8)))
    with pytest.raises(ns.errors.InputError, match="there is no text"):
        ns.map([])
    with pytest.raises(ns.errors.InputError, match="layout"):
        ns.map(["a"], vectors=VECTORS.take([0]), layout="sphere")
    with pytest.raises(ns.errors.ModelMismatch):
        ns.map(TEXTS, vectors=VECTORS, encoder=encoder)


def test_a_map_is_written_by_its_ending_and_nothing_else(made, tmp_path):
    for name in ("map.html", "map.png", "map.svg"):
        made.save(tmp_path / name, title="Boats & cars $x$")
    assert (tmp_path / "map.png").read_bytes()[:4] == b"\x89PNG"
    svg = (tmp_path / "map.svg").read_text("utf-8")
    told = "".join(ElementTree.fromstring(svg).itertext())
    assert "Boats & cars $x$" in told
    assert all(name in told for name in made.names)
    made.save(tmp_path / "again.svg", title="Boats & cars $x$")
    assert (tmp_path / "again.svg").read_text("utf-8") == svg
    made.save(tmp_path / "again.html", title="Boats & cars $x$")
    assert (tmp_path / "again.html").read_bytes() == (tmp_path / "map.html").read_bytes()
    with pytest.raises(ns.errors.InputError, match=r"\.html, \.png, \.svg"):
        made.save(tmp_path / "map.pdf")
    assert not (tmp_path / "map.pdf").exists()


def test_names_in_a_picture_cover_no_other(made):
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    from nearsense.plots import map_picture

    figure = map_picture(made)
    renderer = FigureCanvasAgg(figure).get_renderer()
    boxes = [text.get_window_extent(renderer) for text in figure.texts if text.get_text() in made.names]
    assert len(boxes) == 4
    assert not any(a.overlaps(b) for place, a in enumerate(boxes) for b in boxes[:place])


def test_a_map_tells_itself(made):
    assert repr(made) == "<TextMap: 48 texts, 4 clusters, neighbours>"
    told = made.to_dict()
    assert told["texts"][3]["text"] == TEXTS[3]
    assert told["texts"][3]["cluster"] in range(4)
    assert told["layout"] == "neighbours"
