"""plots: what a heatmap shows, that nothing in it collides, and that no label can break it."""

import subprocess
import sys
from xml.etree import ElementTree

import matplotlib
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgb
from matplotlib.image import imread
from scipy.stats import rankdata

from nearsense.errors import FileError, InputError, MissingExtra
from nearsense.plots import heatmap
from nearsense.records import Matrix, Metric, Origin
from samples import some_of
from turns import in_turn

LONG = (
    "The invoice for March shows the wrong amount, and nobody answers the telephone number that is printed on it"
)


def matrix_of(n, label=LONG, metric=Metric.COSINE, low=0.0):
    half = np.random.default_rng(n).uniform(low, 1, (n, n)).astype(np.float32)
    scores = (half + half.T) / 2
    np.fill_diagonal(scores, 1.0)
    return Matrix(scores, tuple(f"{i} {label}" for i in range(n)), Origin("demo-model", "0", metric))


def texts_of(figure):
    return [text for text in (*figure.axes[0].texts, *figure.texts) if text.get_text()]


def words(figure):
    return [text.get_text() for text in texts_of(figure)]


def cells_of(figure):
    return figure.axes[0].collections[0]


def boxes_of(figure):
    with matplotlib.rc_context({"text.hinting": "none"}):
        renderer = FigureCanvasAgg(figure).get_renderer()
        return [text.get_window_extent(renderer) for text in texts_of(figure)]


def relative_luminance(colour):
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in to_rgb(colour)]
    return float(np.dot([0.2126, 0.7152, 0.0722], linear))


def test_each_cell_has_the_colour_of_its_score_in_the_file(tmp_path):
    matrix = matrix_of(5)
    figure = heatmap(matrix, tmp_path / "map.png")
    pixels = imread(tmp_path / "map.png")[..., :3]
    square, cells = figure.axes[0], cells_of(figure)
    for (i, j), score in np.ndenumerate(matrix.scores):
        x, y = square.transData.transform((j + 0.15, i + 0.15))
        expected = cells.cmap(cells.norm(score))[:3]
        np.testing.assert_allclose(pixels[len(pixels) - 1 - int(y), int(x)], expected, atol=2 / 255)


def test_the_first_text_is_the_top_row_and_the_left_column():
    square = heatmap(matrix_of(3)).axes[0]
    assert square.transData.transform((0, 0))[1] > square.transData.transform((0, 3))[1]
    assert square.transData.transform((0, 0))[0] < square.transData.transform((3, 0))[0]


def test_up_to_thirty_texts_each_cell_holds_its_value():
    matrix = matrix_of(30, low=-0.3)
    found = [word for word in words(heatmap(matrix)) if "." in word]
    assert [word.replace("\u2212", "-") for word in found] == [f"{score:z.2f}" for score in matrix.scores.flat]
    assert not [word for word in words(heatmap(matrix_of(31))) if "." in word]


def test_no_value_reads_minus_zero():
    scores = np.array([[1, -0.001], [-0.001, 1]], np.float32)
    found = words(heatmap(Matrix(scores, ("a", "b"), Origin("m", "0"))))
    assert found.count("0.00") == 2


@in_turn(("scale", "expected"), [(1, "\u22120.50"), (20, "\u221210.0"), (400, "\u2212200"), (1e6, "\u22125e+05")])
def test_large_values_lose_decimals_not_their_place(scale, expected):
    scores = np.array([[0, -0.5], [-0.5, 0.0]], np.float32) * scale
    figure = heatmap(Matrix(scores, ("a", "b"), Origin("m", "0", Metric.EUCLIDEAN)))
    assert words(figure).count(expected) == 2


def test_values_can_be_read_on_their_cell():
    matrix = matrix_of(30, low=-1.0)
    figure = heatmap(matrix)
    cells = cells_of(figure)
    values = [text for text in figure.axes[0].texts if "." in text.get_text()]
    for text, score in zip(values, matrix.scores.ravel(), strict=True):
        light, dark = sorted(
            [relative_luminance(text.get_color()), relative_luminance(cells.cmap(cells.norm(score))[:3])],
            reverse=True,
        )
        assert (light + 0.05) / (dark + 0.05) >= 4.5  # WCAG 2.1, AA


def test_colours_read_the_same_in_greyscale_in_even_steps():
    cmap = cells_of(heatmap(matrix_of(2))).cmap
    lightness = np.array([116 * np.cbrt(relative_luminance(cmap(x)[:3])) - 16 for x in np.linspace(0, 1, 101)])
    np.testing.assert_array_equal(rankdata(-lightness), np.arange(1, 102))
    np.testing.assert_allclose(lightness, np.linspace(lightness[0], lightness[-1], 101), atol=1.0)


@in_turn(
    ("metric", "scores", "limits", "name"),
    [
        (Metric.COSINE, [[1, 0.9], [0.9, 1]], (0, 1), "cosine similarity"),
        (Metric.COSINE, [[1, -0.25], [-0.25, 1]], (-0.25, 1), "cosine similarity"),
        (Metric.DOT, [[4, 2], [2, 8]], (0, 8), "dot product"),
        (Metric.EUCLIDEAN, [[0, -3], [-3, 0]], (-3, 0), "Euclidean distance, negated"),
        (Metric.MANHATTAN, [[0, 0], [0, 0]], (0, 1), "Manhattan distance, negated"),
    ],
)
def test_the_scale_says_what_it_is_and_starts_at_or_below_zero(metric, scores, limits, name):
    figure = heatmap(Matrix(np.array(scores, np.float32), ("a", "b"), Origin("m", "0", metric)))
    assert cells_of(figure).get_clim() == limits
    assert figure.axes[1].get_ylabel() == name


@pytest.mark.parametrize(
    ("n", "label"),
    [
        *((n, LONG) for n in (1, 4, 30)),
        *(pytest.param(n, LONG, marks=pytest.mark.slow) for n in (2, 12, 31, 60, 213)),
        (12, ""),
        *(pytest.param(n, "", marks=pytest.mark.slow) for n in (1, 4, 30, 60)),
    ],
)
def test_no_two_texts_overlap_and_none_leaves_the_picture(n, label):
    figure = heatmap(matrix_of(n, label, low=-0.9), title=LONG)
    boxes = boxes_of(figure)
    edges = np.array([(box.x0, box.y0, box.x1, box.y1) for box in boxes])
    assert (edges[:, :2] >= 0).all()
    assert (edges[:, 2:] <= figure.bbox.size).all()
    centres = (edges[:, :2] + edges[:, 2:]) / 2
    halves = (edges[:, 2:] - edges[:, :2]) / 2
    if n > 60:  # every pair of thousands is slow; rows and columns are regular
        centres, halves = centres[-200:], halves[-200:]
    apart = np.abs(centres[:, None] - centres) - (halves[:, None] + halves)
    np.fill_diagonal(apart[..., 0], 1.0)
    assert (apart > -0.5).any(axis=2).all()


@pytest.mark.parametrize("n", some_of([1, 4, 30, 500], 1, 30))
def test_the_picture_grows_with_the_texts_but_stays_printable(n):
    width, height = heatmap(matrix_of(n)).get_size_inches()
    assert 2 < height <= 18
    assert 3 < width <= 21


def test_long_labels_are_cut_with_an_ellipsis_and_short_ones_are_whole():
    found = words(heatmap(Matrix(np.eye(2, dtype=np.float32), (LONG, "Refund, please"), Origin("m", "0"))))
    assert "Refund, please" in found
    (cut,) = [word for word in found if word.endswith("…")]
    assert LONG.startswith(cut[:-1])
    assert len(cut) > 25


def test_short_labels_name_the_columns_too_and_long_ones_leave_them_numbers():
    short = words(heatmap(Matrix(np.eye(2, dtype=np.float32), ("cat", "dog"), Origin("m", "0"))))
    assert short.count("cat") == short.count("dog") == 2
    long = words(heatmap(matrix_of(3)))
    assert [long.count(number) for number in ("1", "2", "3")] == [2, 2, 2]


def test_where_rows_are_too_close_only_round_numbers_are_labelled():
    figure = heatmap(matrix_of(250))
    numbers = {int(word) for word in words(figure) if word.isdigit()}
    assert numbers == set(range(5, 251, 5))


def test_the_title_and_the_model_are_on_the_picture():
    found = words(heatmap(matrix_of(2), title="Tickets of\nMarch"))
    assert {"Tickets of March", "demo-model"} <= set(found)


def test_a_dollar_is_a_dollar_and_not_a_formula(tmp_path):
    matrix = Matrix(np.eye(2, dtype=np.float32), ("$12 or $\\frac{$", "50% of $x$"), Origin("$m", "0"))
    figure = heatmap(matrix, tmp_path / "map.png", title="$y$ $")
    assert {"$12 or $\\frac{$", "50% of $x$", "$m", "$y$ $"} <= set(words(figure))


@given(st.lists(st.text(st.characters(codec=None), max_size=30), min_size=1, max_size=3))
@settings(max_examples=settings.default.max_examples // 4, deadline=None)
def test_any_text_makes_a_picture_and_valid_xml_without_a_warning(tmp_path_factory, labels):
    folder = tmp_path_factory.mktemp("any")
    matrix = Matrix(np.eye(len(labels), dtype=np.float32), tuple(labels), Origin(labels[0], "0"))
    for name in ("map.png", "map.svg"):
        heatmap(matrix, folder / name, title=labels[-1])
    ElementTree.parse(folder / "map.svg")


def test_a_very_long_text_is_cut_without_being_measured_whole():
    found = words(heatmap(Matrix(np.ones((1, 1), np.float32), ("ab " * 10**6,), Origin("m", "0"))))
    assert max(map(len, found)) < 100


def test_an_svg_keeps_its_text_and_has_the_same_bytes_each_time(tmp_path):
    matrix = Matrix(np.eye(2, dtype=np.float32), ("Wo ist <mein> Paket?", "日本語"), Origin("m", "0"))
    for name in ("a.svg", "b.SVG"):
        heatmap(matrix, str(tmp_path / name))
    first, second = (tmp_path / "a.svg").read_bytes(), (tmp_path / "b.SVG").read_bytes()
    assert first == second
    assert b"<dc:date>" not in first
    texts = [element.text for element in ElementTree.fromstring(first).iter("{http://www.w3.org/2000/svg}text")]
    assert {"Wo ist <mein> Paket?", "日本語"} <= set(texts)


@pytest.mark.slow
def test_a_large_svg_stays_small(tmp_path):
    heatmap(matrix_of(120), tmp_path / "map.svg")
    assert (tmp_path / "map.svg").stat().st_size < 5e5


@in_turn("name", ["map.pdf", "map", "map.png.txt", "-"])
def test_another_format_is_answered_with_the_two_there_are(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=r"\.png or \.svg"):
        heatmap(matrix_of(2), name)
    assert not list(tmp_path.iterdir())


def test_a_folder_that_is_not_there_is_named(tmp_path):
    with pytest.raises(FileError, match="nowhere"):
        heatmap(matrix_of(2), tmp_path / "nowhere" / "map.png")


def test_a_picture_that_fails_leaves_the_old_one(tmp_path, monkeypatch):
    path = tmp_path / "map.png"
    path.write_bytes(b"old")
    monkeypatch.setattr(
        "matplotlib.figure.Figure.savefig", lambda *_, **__: (_ for _ in ()).throw(OSError("full"))
    )
    with pytest.raises(OSError, match="full"):
        heatmap(matrix_of(2), path)
    assert path.read_bytes() == b"old"
    assert [file.name for file in tmp_path.iterdir()] == ["map.png"]


def test_what_cannot_be_drawn_is_refused():
    origin = Origin("m", "0")
    with pytest.raises(InputError, match="matrix is empty"):
        heatmap(Matrix(np.empty((0, 0), np.float32), (), origin))
    with pytest.raises(InputError, match=r"\(2, 2\) do not fit 3 labels"):
        heatmap(Matrix(np.eye(2, dtype=np.float32), ("a", "b", "c"), origin))
    scores = np.eye(2, dtype=np.float32)
    scores[1, 0] = np.nan
    with pytest.raises(InputError, match="row 1, column 0 of the matrix is nan"):
        heatmap(Matrix(scores, ("a", "b"), origin))


def test_the_callers_style_neither_shows_nor_changes(tmp_path):
    matrix = matrix_of(3)
    heatmap(matrix, tmp_path / "plain.png")
    with matplotlib.style.context(["dark_background", {"font.size": 30, "text.usetex": True, "savefig.dpi": 20}]):
        before = dict(matplotlib.rcParams)
        heatmap(matrix, tmp_path / "styled.png")
        assert dict(matplotlib.rcParams) == before
    assert (tmp_path / "plain.png").read_bytes() == (tmp_path / "styled.png").read_bytes()


def test_without_matplotlib_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.style", None)
    with pytest.raises(MissingExtra, match=r"nearsense\[plots\]"):
        heatmap(matrix_of(2))


def test_pyplot_is_never_imported_and_matplotlib_only_to_draw():
    code = (
        "import sys, numpy as np, nearsense.plots as plots, nearsense.records as t;"
        "print('matplotlib' in sys.modules);"
        "plots.heatmap(t.Matrix(np.eye(2, dtype=np.float32), ('a', 'b'), t.Origin('m', '0')));"
        "print('matplotlib.pyplot' in sys.modules)"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.split() == ["False", "False"]
