"""The map's page, opened in a real browser: drawn in time, answering to hand and keys, asking nobody."""

from __future__ import annotations

import csv
import io
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from browsers import Sheet, browser
from nearsense.mapping import Layout, Pairs, Scene
from nearsense.pages.map import map_html
from nearsense.records import Document, Neighbours, Origin

CLUSTERS = 12


def scene(n, texts=None, clusters=CLUSTERS, pairs=40, seed=0):
    """n texts in clusters that lie apart, the nearest of each in the plane as its neighbours."""
    random = np.random.default_rng(seed)
    middles = random.uniform(-0.85, 0.85, (clusters, 2))
    labels = np.arange(n) % clusters
    points = np.clip(middles[labels] + random.normal(0, 0.05, (n, 2)), -1, 1).astype(np.float32)
    labels = np.where(random.random(n) < 0.1, -1, labels)
    ids = (np.arange(n)[:, None] + np.arange(1, 11)) % n
    scores = np.linspace(0.95, 0.5, 10, dtype=np.float32)[None].repeat(n, 0)
    texts = texts or [f"text {row} of cluster {row % clusters}" for row in range(n)]
    left = np.arange(pairs) * 2
    found = Pairs(left, left + 1, np.linspace(0.99, 0.8, pairs, dtype=np.float32), np.linspace(0.97, 0.4, pairs),
                  [("number: 1 → 2",) if row % 2 else () for row in range(pairs)])  # fmt: skip
    curve = np.column_stack([np.linspace(-1, 1, 5), [0, 0, 0.1, 0.5, 1]])
    return Scene(
        [Document(f"id-{row}", text) for row, text in enumerate(texts)], points, labels,
        [f"cluster {chr(97 + place % 26)}{place}, with a name" for place in range(clusters)],
        Neighbours(ids, scores, np.full(n, 10)), found if pairs else Pairs.none(), curve, Layout.NEIGHBOURS,
        Origin("all-MiniLM-L6-v2", "0"),
    )  # fmt: skip


@pytest.fixture(scope="module")
def context(tmp_path_factory):
    with browser(tmp_path_factory) as found:
        yield found


@pytest.fixture(scope="module")
def shown():
    return scene(3_000)


@pytest.fixture
def sheet(context, shown, tmp_path):
    file = tmp_path / "map.html"
    file.write_text(map_html(shown, "Tickets"), "utf-8")
    found = Sheet(context, file, reduced_motion="reduce")
    yield found
    found.close()


def drawn_in(context, file):
    """Seconds from opening the page until all points are on the canvas."""
    found = Sheet(context, file)
    seconds = found.tell("nearsense.at") / 1000
    colours = found.tell(
        "(() => { const c = document.getElementById('map'); const d = c.getContext('2d')"
        ".getImageData(0, 0, c.width, c.height).data; const s = new Set();"
        "for (let i = 0; i < d.length; i += 4) s.add(d[i] << 16 | d[i + 1] << 8 | d[i + 2]); return s.size })()"
    )
    assert colours > 20
    found.close()
    return seconds


def test_three_thousand_points_are_drawn_at_once(context, shown, tmp_path):
    file = tmp_path / "map.html"
    file.write_text(map_html(shown), "utf-8")
    assert drawn_in(context, file) < 3


@pytest.mark.slow
def test_a_hundred_thousand_points_are_drawn_in_less_than_three_seconds(context, tmp_path):
    file = tmp_path / "map.html"
    file.write_text(map_html(scene(100_000, clusters=90)), "utf-8")
    assert drawn_in(context, file) < 3
    found = Sheet(context, file, reduced_motion="reduce")
    found.page.fill("#asked", "text 70007 ")
    found.page.press("#asked", "Enter")
    assert found.text("#found") == "1 of 1"
    assert found.text("#read") == "text 70007 of cluster 77"
    found.page.press("#asked", "Escape")
    found.page.mouse.move(*found.where(70007))
    assert found.text("#tip").startswith("text ")
    found.page.keyboard.down("Shift")
    found.page.mouse.move(200, 150)
    found.page.mouse.down()
    for corner in ((700, 150), (700, 600), (200, 600)):
        found.page.mouse.move(*corner)
    found.page.mouse.up()
    found.page.keyboard.up("Shift")
    spots = np.array(found.tell("Array.from({length: 100000}, (_, row) => nearsense.where(row))"))
    inside = ((spots > (200, 150)) & (spots < (700, 600))).all(axis=1).sum()
    assert inside > 1_000
    assert f"{inside:,} texts selected" in found.text("#list")
    found.close()


def test_the_pointer_over_a_point_shows_its_text(sheet, shown):
    sheet.page.mouse.move(*sheet.where(1234))
    sheet.page.wait_for_selector("#tip:visible")
    told = sheet.text("#tip")
    points = shown.points
    near = np.flatnonzero(np.linalg.norm(points - points[1234], axis=1) < 0.02)
    assert any(told.startswith(shown.documents[row].text + "\n") for row in near)


def test_a_lone_point_shows_its_very_text(context, tmp_path):
    file = tmp_path / "map.html"
    file.write_text(map_html(scene(12, pairs=0)), "utf-8")
    found = Sheet(context, file)
    for row in range(12):
        found.page.mouse.move(*found.where(row))
        assert found.text("#tip b") == f"text {row} of cluster {row}"
    found.close()


def test_search_counts_marks_and_walks_through_its_hits(sheet):
    sheet.page.fill("#asked", "TEXT 12 ")
    sheet.until("document.getElementById('found').textContent === '1'")
    sheet.page.fill("#asked", "cluster 7")
    sheet.until("document.getElementById('found').textContent === '250'")
    sheet.page.press("#asked", "Enter")
    assert sheet.text("#found") == "1 of 250"
    assert sheet.text("#read") == "text 7 of cluster 7"
    sheet.page.press("#asked", "Enter")
    assert sheet.text("#read") == "text 19 of cluster 7"
    sheet.page.press("#asked", "Shift+Enter")
    assert sheet.text("#read") == "text 7 of cluster 7"
    sheet.page.click("#tab-list")
    assert "250 texts found" in sheet.text("#list")
    sheet.page.fill("#asked", "nowhere at all")
    sheet.until("document.getElementById('found').textContent === 'none'")


@pytest.mark.parametrize("way", ["shift", "button"])
def test_the_lasso_selects_what_lies_inside_and_exports_it(sheet, shown, way):
    corners = [(200, 150), (700, 150), (700, 600), (200, 600)]
    spots = np.array(sheet.tell(f"Array.from({{length: {len(shown)}}}, (_, row) => nearsense.where(row))"))
    inside = {row for row, (x, y) in enumerate(spots) if 200 < x < 700 and 150 < y < 600}
    assert 50 < len(inside) < len(shown)
    if way == "button":
        sheet.page.click("#lasso")
    else:
        sheet.page.keyboard.down("Shift")
    sheet.page.mouse.move(*corners[0])
    sheet.page.mouse.down()
    for corner in corners[1:]:
        sheet.page.mouse.move(*corner)
    sheet.page.mouse.up()
    sheet.page.keyboard.up("Shift")
    assert f"{len(inside):,} texts selected" in sheet.text("#list")
    told = sheet.lines("#list-jsonl")
    assert {int(each["id"].removeprefix("id-")) for each in told} == inside
    assert all(each["text"] == shown.documents[int(each["id"][3:])].text for each in told)
    again = list(csv.DictReader(io.StringIO(sheet.download("#list-csv"), newline="")))
    assert [each["id"] for each in again] == [each["id"] for each in told]
    assert set(again[0]) == {"id", "text", "cluster"}


def test_a_cluster_is_hidden_and_one_stands_alone(sheet, shown):
    row = int(np.flatnonzero(shown.labels == 3)[0])
    boxes = sheet.page.locator('#clusters li[data-cluster="3"]')

    def hover():
        sheet.page.mouse.move(5, 400)
        sheet.page.mouse.move(*sheet.where(row))

    boxes.locator("input").uncheck()
    hover()
    assert sheet.page.locator("#tip").is_hidden() or "d3, with a name" not in sheet.text("#tip")
    boxes.locator("button").click(force=True)
    assert sheet.page.locator("#clusters input:checked").count() == 1
    hover()
    assert "cluster d3, with a name" in sheet.text("#tip")
    sheet.page.click("#tab-list")
    listed = sheet.lines("#list-jsonl")
    assert {each["cluster"] for each in listed} == {"cluster d3, with a name"}
    assert len(listed) == (shown.labels == 3).sum()


def test_a_click_shows_the_text_and_its_nearest_with_score_and_probability(context, tmp_path):
    file = tmp_path / "map.html"
    file.write_text(map_html(scene(40, pairs=15)), "utf-8")
    found = Sheet(context, file)
    found.page.mouse.click(*found.where(5))
    assert found.text("#read") == "text 5 of cluster 5"
    rows = found.page.locator("#text tbody tr").all_text_contents()
    assert rows[:2] == ["text 6 of cluster 60.9595 %", "text 7 of cluster 70.9090 %"]
    found.page.click("#text tbody tr:nth-child(3) button")
    assert found.text("#read") == "text 8 of cluster 8"
    found.close()


def test_without_a_calibration_scores_are_called_uncalibrated(context, tmp_path):
    from dataclasses import replace

    file = tmp_path / "map.html"
    file.write_text(map_html(replace(scene(40, pairs=15), curve=None)), "utf-8")
    found = Sheet(context, file)
    found.page.mouse.click(*found.where(5))
    assert "uncalibrated" in found.text("#text tbody")
    found.close()


def test_verdicts_by_keys_are_undone_kept_and_exported(sheet):
    sheet.page.click("#tab-pairs")
    assert "text 0 of cluster 0" in sheet.text("#pairs")
    sheet.page.keyboard.press("a")
    assert sheet.text("#judged") == "2 of 40, 1 judged"
    assert "number: 1 → 2" in sheet.text("#pairs")
    sheet.page.keyboard.press("r")
    sheet.page.keyboard.press("a")
    sheet.page.keyboard.press("u")
    assert sheet.text("#judged") == "3 of 40, 2 judged"
    sheet.page.click("text=next")
    sheet.page.keyboard.press("ArrowLeft")
    assert sheet.text("#judged").startswith("3 of 40")
    told = sheet.lines("#labels-jsonl")
    assert [(each["text1"], each["text2"], each["label"]) for each in told] == [
        ("text 0 of cluster 0", "text 1 of cluster 1", 1),
        ("text 2 of cluster 2", "text 3 of cluster 3", 0),
    ]
    assert told[0]["id1"] == "id-0"
    sheet.page.reload()
    sheet.asked.pop()
    sheet.page.click("#tab-pairs")
    assert sheet.text("#judged").endswith("2 judged")
    sheet.tell("localStorage.clear()")


def test_a_text_that_is_read_after_a_pair_is_joined_to_its_nearest(sheet):
    sheet.page.click("#tab-pairs")
    assert sheet.tell("[shown.current, shown.linked]") == [0, [1]]
    sheet.page.fill("#asked", "text 77 of")
    sheet.page.press("#asked", "Enter")
    assert sheet.tell("[shown.current, shown.linked]") == [77, list(range(78, 88))]
    sheet.page.press("#asked", "Escape")
    assert sheet.tell("[shown.current, shown.linked]") == [-1, []]


@pytest.mark.parametrize("kind", ["jsonl", pytest.param("csv", marks=pytest.mark.slow)])
def test_the_exported_labels_are_what_calibrate_reads(context, tmp_path, kind):
    things = [
        f"{colour} {thing}" for colour in ("red", "blue", "old") for thing in ("box", "tin", "jar", "lid", "bag")
    ]
    texts = [text for thing in things for text in (f"How do I open a {thing}?", f"How can I open the {thing}?")]
    texts += [
        text for thing in things for text in (f'Where is my "{thing}", please?', f"Why does rain fall, {thing}?")
    ]
    file = tmp_path / "map.html"
    file.write_text(map_html(scene(len(texts), texts, pairs=30)), "utf-8")
    found = Sheet(context, file)
    found.page.click("#tab-pairs")
    for key in "a" * 15 + "r" * 15:
        found.page.keyboard.press(key)
    assert found.text("#judged").endswith("30 judged")
    labels = tmp_path / f"labels.{kind}"
    labels.write_text(found.download(f"#labels-{kind}"), "utf-8")
    found.tell("localStorage.clear()")
    found.close()
    command = Path(sys.executable).with_name("nearsense")
    done = subprocess.run(
        [command, "calibrate", labels, "--json"], capture_output=True, text=True, env=os.environ, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert '"labels": 30' in done.stdout
    assert '"same": 15' in done.stdout


def test_names_do_not_meet_at_the_start(context, tmp_path):
    file = tmp_path / "map.html"
    file.write_text(map_html(scene(2_000, clusters=60)), "utf-8")
    found = Sheet(context, file)
    boxes = found.tell("nearsense.names.map((each) => [each.left, each.right, each.top, each.bottom])")
    assert len(boxes) > 15
    for place, (left, right, top, bottom) in enumerate(boxes):
        assert 0 <= left < right <= 1280
        for other in boxes[:place]:
            assert right <= other[0] or other[1] <= left or bottom <= other[2] or other[3] <= top
    found.close()


def test_all_is_reached_by_keys(sheet):
    before = sheet.where(0)
    sheet.page.focus("#map")
    sheet.page.keyboard.press("ArrowRight")
    sheet.page.keyboard.press("+")
    assert sheet.where(0) != before
    sheet.page.keyboard.press("0")
    assert sheet.where(0) == pytest.approx(before)
    sheet.page.keyboard.press("v")
    assert "3,000 texts selected" in sheet.text("#list")
    assert sheet.page.locator("#list tbody tr").count() == 200
    assert "3,000 texts in view selected" in sheet.text("#live")
    sheet.page.keyboard.press("Escape")
    sheet.page.keyboard.press("/")
    assert sheet.tell("document.activeElement.id") == "asked"
    sheet.page.focus("#tab-list")
    sheet.page.keyboard.press("ArrowRight")
    assert sheet.tell("document.activeElement.id") == "tab-pairs"
    assert sheet.page.locator("#pairs").is_visible()
    nameless = "Array.from(document.querySelectorAll('button, input, select')).filter((each) =>"
    nameless += " !(each.textContent.trim() || each.ariaLabel || each.labels?.length)).length"
    assert sheet.tell(nameless) == 0


def test_the_wheel_zooms_where_the_pointer_is_and_a_drag_moves(sheet):
    spot = sheet.where(10)
    sheet.page.mouse.move(*spot)
    sheet.page.mouse.wheel(0, -300)
    sheet.until("eye.scale > eye.home * 1.5")
    assert sheet.where(10) == pytest.approx(spot, abs=2)  # the pointer stands on whole pixels
    spot = sheet.where(10)
    sheet.page.mouse.move(300, 400)
    sheet.page.mouse.down()
    sheet.page.mouse.move(350, 430, steps=4)
    sheet.page.mouse.up()
    assert sheet.where(10) == pytest.approx([spot[0] + 50, spot[1] + 30], abs=0.01)


def test_dark_and_light_follow_the_system_and_the_button(context, shown, tmp_path):
    file = tmp_path / "map.html"
    file.write_text(map_html(shown), "utf-8")
    found = Sheet(context, file, color_scheme="dark")
    paper = "getComputedStyle(document.body).backgroundColor"
    dark = found.tell(paper)
    found.page.emulate_media(color_scheme="light")
    found.until(f"{paper} !== '{dark}'")
    found.page.click("#theme")
    found.page.click("#theme")
    assert found.tell(paper) == dark
    corner = "Array.from(document.getElementById('map').getContext('2d').getImageData(2, 2, 1, 1).data)"
    found.until(f"`${{{corner}}}` === '20,24,29,255'")
    found.close()


HOSTILE = [
    "</script><script>window.hurt = 1</script>", "<img src=x onerror='window.hurt = 1'>", '"><svg onload="hurt=1"',
    "<!--<script>", "%%script%%", "{{title}}", "\u202egnp.exe", "a\0b\x1b[31m", "\u2028\u2029", "\\u003c",
    "' onmouseover='hurt=1", "\ud800 half", "x" * 10_000_000, "نص عربي", "]]>", "=cmd|' /C calc'!A0",
]  # fmt: skip


def test_hostile_texts_names_and_titles_are_inert(context, tmp_path):
    from dataclasses import replace

    n = len(HOSTILE)
    bad = replace(
        scene(n, HOSTILE, clusters=n, pairs=n // 2), names=[text[:5_000] for text in HOSTILE],
        documents=[Document(f"{row}{text[:90]}", text) for row, text in enumerate(HOSTILE)],
    )  # fmt: skip
    file = tmp_path / "map.html"
    html = map_html(bad, HOSTILE[0])
    file.write_text(html, "utf-8")
    assert len(html) < 300_000
    found = Sheet(context, file)
    assert found.tell("texts().texts.length") == n
    for row in range(n):
        found.tell(f"select({row})")
        found.page.mouse.move(*found.where(row))
    longest = max(range(n), key=lambda row: len(HOSTILE[row]))
    assert "10,000,000 characters" in found.tell(f"textOf({longest})")
    found.page.click("#tab-list")
    found.page.click("#tab-pairs")
    for _ in range(n // 2):
        found.page.keyboard.press("a")
    assert found.tell("window.hurt === undefined && document.querySelectorAll('img, svg, iframe').length === 0")
    found.tell("localStorage.clear()")
    found.close()


def test_the_policy_lets_nothing_else_run_and_nothing_out(sheet):
    refused = """(async () => {
        const made = document.createElement('script');
        made.textContent = 'window.hurt = 1';
        document.body.append(made);
        const told = await fetch('https://example.org/').then(() => 'out', () => 'kept');
        return [told, window.hurt ?? null];
    })()"""
    assert sheet.tell(refused) == ["kept", None]
    assert len(sheet.complaints) >= 2
    assert all("Content Security Policy" in each for each in sheet.complaints)
    sheet.complaints.clear()
    sheet.asked[:] = sheet.asked[:1]


@pytest.mark.parametrize("n", [1, 2])
def test_one_and_two_texts_have_a_map_too(context, tmp_path, n):
    nobody = Neighbours(np.zeros((n, 0), np.int64), np.zeros((n, 0), np.float32), np.zeros(n, np.int64))
    few = Scene(
        [Document(str(row), f"text {row}") for row in range(n)],
        np.zeros((n, 2), np.float32),
        np.full(n, -1),
        [],
        nobody,
    )
    file = tmp_path / "map.html"
    file.write_text(map_html(few), "utf-8")
    found = Sheet(context, file)
    found.page.mouse.move(*found.where(0))
    assert found.text("#tip").startswith("text")
    found.page.click("#tab-pairs")
    found.close()
