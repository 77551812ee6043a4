"""The page of a drift: whole, without a script, and nothing in a text is markup."""

from __future__ import annotations

import base64
import hashlib
import re

import numpy as np
import pytest

import nearsense as ns
from browsers import Sheet, browser
from drifting import NIGHT, Asked, around, requests, vectors
from nearsense.monitoring.watching import Check
from nearsense.pages.drift import drift_html

HOSTILE = '<img src=x onerror="window.hurt=1"> sells "owls" & bats'


@pytest.fixture(scope="module")
def found():
    random = np.random.default_rng(0)
    old = [Asked(text, scores=(random.normal(0.7, 0.1),), chosen="a") for text in requests(60, 1)]
    new = [Asked(text, scores=(random.normal(0.4, 0.1),), chosen="b", answered=False) for text in requests(50, 2)]
    rows = around(3, [40, 20, 0], seed=1), around(3, [40, 20, 25], seed=2)
    texts = [*requests(60, 3), *(f"{HOSTILE} {each}" for each in NIGHT)]
    return (
        ns.drift(new, old, relabellings=500),
        ns.drift(texts, requests(60, 4), vectors=vectors(rows[1]), reference_vectors=vectors(rows[0])),
    )


def test_everything_that_was_found_is_on_the_page(found):
    html = drift_html(found[0], "Tickets & more")
    for word in (
        "Tickets &amp; more",
        "drift: ",
        "Top scores",
        "Calibration",
        "What to do",
        "nearsense calibrate",
    ):
        assert word in html
    assert "What moved" in drift_html(found[1])


def test_nothing_in_a_text_is_markup_and_nothing_is_fetched(found):
    html = drift_html(found[1])
    assert HOSTILE not in html
    assert "&lt;img" in html
    assert not re.search(
        r"""(src|href)=|url\(|@import|<script|\sstyle=|\son\w+=""", html.replace("&lt;img src=x onerror=", "")
    )


def test_the_policy_allows_this_very_style_and_nothing_else(found):
    html = drift_html(found[0])
    style = re.search(r"<style>(.*?)</style>", html, re.S)[1]
    told = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert f"default-src 'none'; style-src 'sha256-{told}'" in html


def test_the_checks_of_a_watch_are_drawn(found):
    from dataclasses import replace

    checks = [Check(n, "2026-11-30T00:00:00+00:00", 0.001, 0.5 / n, n == 3, 10, "x", ()) for n in (1, 2, 3)]
    html = drift_html(replace(found[0], check=checks[-1]), history=checks)
    assert "The checks of this watch" in html
    assert html.count("alarm") >= 1


def test_a_browser_shows_it_without_a_complaint_or_a_request(found, tmp_path, tmp_path_factory):
    file = tmp_path / "drift.html"
    file.write_text(drift_html(found[1]), "utf-8")
    with browser(tmp_path_factory) as context:
        sheet = Sheet(context, file, ready="true")
        assert sheet.page.locator("h1").inner_text() == "Drift"
        assert sheet.page.locator("svg").count() >= 1
        wide = sheet.page.evaluate("document.querySelector('figure svg').getBoundingClientRect().width")
        assert 100 < wide <= 720
        assert sheet.page.evaluate("window.hurt === undefined")
        sheet.page.screenshot(path=str(tmp_path / "drift.png"), full_page=True)
        sheet.close()
