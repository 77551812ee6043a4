"""The HTML page: whole by itself, harmless, readable by machines, and true to the figures."""

from __future__ import annotations

import itertools
import re
from html.parser import HTMLParser

import numpy as np
import pytest

from fakes import HashEncoder
from nearsense.datasets import Clustering, GradedPairs, Intents, LabelledPairs, Rerank, Retrieval, Triplets
from nearsense.evaluation import evaluate
from nearsense.pages import evaluation_html, parts
from turns import in_turn

MODEL = HashEncoder(32)
TEXTS = ["a dog barks", "a hound barks", "the moon is full", "tea is hot", "rain falls", "it is raining"]
HOSTILE = '<script src="https://evil.example/x.js">alert(1)</script><img src=//evil.example onerror=x>\u202e'


def labelled(n=60):
    rng = np.random.default_rng(0)
    same = [(f"room {k} is warm", f"it is warm in room {k}") for k in range(n // 2)]
    other = [(f"room {k} is warm", f"{TEXTS[rng.integers(6)]} {k + 7}") for k in range(n - n // 2)]
    return LabelledPairs(name="pairs", pairs=same + other, labels=[1] * len(same) + [0] * len(other))


DATA = {
    "graded": GradedPairs(pairs=list(zip(TEXTS, TEXTS[::-1], strict=True)), scores=[0, 1, 2, 3, 4, 5]),
    "labelled": labelled(),
    "triplets": Triplets(triplets=[(TEXTS[k], TEXTS[k + 1], TEXTS[3]) for k in (0, 4, 1)]),
    "retrieval": Retrieval(
        queries=TEXTS[:3], judgements=[{"1": 1}, {"0": 1}, {"3": 2}],
        corpus=dict(zip("012345", TEXTS, strict=True)),
    ),
    "rerank": Rerank(
        queries=TEXTS[:3], candidates=[TEXTS[1:4]] * 3,
        labels=[[True, False, False], [True, False, False], [False, True, True]],
    ),
    "intents": Intents(texts=TEXTS, labels=["dog", "dog", None, None, "rain", "rain"]),
    "clustering": Clustering(texts=TEXTS, labels=["dog", "dog", "x", "x", "rain", "rain"]),
}  # fmt: skip


class Reader(HTMLParser):
    """Tags that are open, and what every tag refers to."""

    VOID = ("meta", "br", "img", "link", "input", "hr", "path", "circle")

    def __init__(self, html):
        super().__init__()
        self.open, self.tags, self.refers, self.text = [], [], [], []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.refers += [
            (tag, name) for name, _ in attributes if name in ("src", "href", "srcset", "action", "xlink:href")
        ]
        self.refers += [(tag, name) for name, _ in attributes if name.startswith("on")]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.tags.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


@in_turn("kind", DATA)
def test_a_page_of_every_kind_is_whole_and_asks_for_nothing(kind):
    html = evaluation_html(evaluate(MODEL, DATA[kind]))
    page = Reader(html)
    assert page.open == []
    assert page.refers == []
    assert not {"script", "link", "img", "iframe", "object", "base"} & set(page.tags)
    assert not re.search(r"https?:|//\w|url\(|@import", html)
    assert page.tags.count("caption") == page.tags.count("table") >= 3
    drawings = page.tags.count("svg") - html.count('aria-hidden="true"')
    assert drawings >= 1
    assert html.count('role="img"') == html.count("<desc>") == drawings
    assert html.count("<title>") == drawings + 1
    assert "nan" not in re.sub(r">[^<]*<", "><", html)


def test_texts_are_shown_and_are_never_markup():
    pairs = [(HOSTILE, "tea"), ("a dog", "a hound"), ("rain", "it rains"), ("a", "b")]
    result = evaluate(MODEL, GradedPairs(name=HOSTILE, pairs=pairs, scores=[5, 4, 4, 0]))
    html = evaluation_html(result)
    page = Reader(html)
    assert page.refers == []
    assert not {"script", "img"} & set(page.tags)
    assert "\u202e" not in html
    assert "alert(1)" in "".join(page.text)


def test_models_stand_above_baselines_and_every_figure_has_its_interval():
    result = evaluate(MODEL, DATA["graded"])
    html = evaluation_html(result)
    places = [html.index(f'<th scope="row">{name}</th>') for name in (MODEL.name, "Jaccard", "TF-IDF words")]
    assert places == sorted(places)
    for system in result.systems:
        for figure in system.figures.values():
            assert f"{100 * figure.value:.1f} [{100 * figure.low:.1f}, {100 * figure.high:.1f}]" in html


def test_probabilities_are_judged_from_twenty_pairs_up():
    title = "Can the scores be turned into probabilities?"
    assert title in evaluation_html(evaluate(MODEL, labelled(60)))
    assert title not in evaluation_html(evaluate(MODEL, labelled(12)))


def test_the_curve_of_precision_and_recall_is_that_of_scikit_learn():
    metrics = pytest.importorskip("sklearn.metrics")
    from nearsense.pages.evaluation import _precision_recall

    system = evaluate(MODEL, labelled(60)).systems[1]  # Jaccard: many equal scores
    curve = _precision_recall(system, "a")
    precision, recall, _ = metrics.precision_recall_curve(system.labels, system.scores)
    known = sorted(zip(recall[:-1].round(12), precision[:-1].round(12), strict=True))
    assert sorted(zip(curve.x.round(12), curve.y.round(12), strict=True)) == known


def test_outlines_of_distributions_have_the_same_area_and_keep_what_lies_beyond():
    svg = parts.distributions(
        [("few", np.array([0.1, 0.2, 9.0]), "a"), ("many", np.linspace(0, 1, 500), "b")],
        (0.0, 1.0),
        title="t",
        axis="x",
    )
    shapes = re.findall(r'class="area \w" d="M([^"]+)"', svg)
    areas = []
    for shape in shapes:
        x, y = np.array([place.split() for place in shape.split("L")], float).T
        areas.append(abs(float(np.sum((x[1:] - x[:-1]) * (y[1:] + y[:-1]) / 2 - (x[1:] - x[:-1]) * y[0]))))
    assert areas[0] == pytest.approx(areas[1], rel=0.01)


@in_turn(("low", "high"), [(0, 1), (-0.13, 1.0), (60, 91), (0, 5), (0.001, 0.0042), (-3, 2000)])
def test_ticks_are_round_and_within(low, high):
    found = parts.ticks(low, high)
    assert 3 <= len(found) <= 9
    assert low - 1e-9 <= found[0] <= found[-1] <= high + 1e-9
    assert len({round(b - a, 9) for a, b in itertools.pairwise(found)}) == 1


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_words_and_lines_stand_out_from_the_paper_in_light_and_dark(scheme):
    from nearsense.pages.parts import STYLE

    blocks = re.findall(r":root \{([^}]*)\}", STYLE)
    colours = dict(re.findall(r"--(\w+): (#\w+)", blocks[scheme == "dark"]))

    def lightness(name):
        parts = [int(colours[name][place : place + 2], 16) / 255 for place in (1, 3, 5)]
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
        return float(np.dot(linear, [0.2126, 0.7152, 0.0722]))

    for name, least in {"ink": 7, "soft": 4.5, "a": 4.5, "b": 4.5, "c": 4.5, "d": 4.5, "words": 3}.items():
        pale, deep = sorted((lightness(name), lightness("paper")), reverse=True)
        assert (pale + 0.05) / (deep + 0.05) >= least, name
