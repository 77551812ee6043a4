"""A real Chromium, headless, that is opened on a page and tells what it asked for and what it complained of."""

from __future__ import annotations

import json
import os
import shutil
import time
from contextlib import contextmanager
from pathlib import Path

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome")
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
)  # fmt: skip


def chromium():
    """Its path; where there is none the test is skipped, and fails where `CI=true`."""
    pytest.importorskip("playwright", reason="playwright, which drives the browser, is not installed")
    path = next((found for name in NAMES if (found := shutil.which(name))), None)
    if path is None:
        reason = "there is no chromium here: apt-get install chromium"
        pytest.fail(reason) if os.environ.get("CI") == "true" else pytest.skip(reason)
    return path


@contextmanager
def browser(tmp_path_factory):
    """A browser with a profile of its own."""
    path = chromium()
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        profile = tmp_path_factory.mktemp("profile")
        context = driver.chromium.launch_persistent_context(
            profile, executable_path=path, args=list(FLAGS), viewport={"width": 1280, "height": 800},
            accept_downloads=True,
        )  # fmt: skip
        try:
            yield context
        finally:
            context.close()


class Sheet:
    """A page that is open, with all that it asked for and complained of."""

    def __init__(self, context, file: Path, ready="window.nearsense?.ready", **media):
        self.page = context.new_page()
        self.asked, self.complaints = [], []
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.on("console", lambda message: self.complaints.append(message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        if media:
            self.page.emulate_media(**media)
        self.file = file.as_uri()
        self.page.goto(self.file)
        self.until(ready)

    def close(self):
        """It asked for itself alone, and had nothing to complain of."""
        asked = [url for url in self.asked if not url.startswith("blob:")]
        assert asked == [self.file], asked
        own = "willReadFrequently"  # Chromium's advice to a test that reads pixels again and again
        complaints = [each for each in self.complaints if own not in each]
        assert not complaints, complaints
        self.page.close()

    def tell(self, script):
        return self.page.evaluate(script)

    def until(self, script):
        """Wait until it is true; asked from outside, because the page lets nobody evaluate words in it."""
        end = time.monotonic() + 10
        while not self.tell(script):
            assert time.monotonic() < end, script
            time.sleep(0.01)

    def where(self, row):
        """Where a text stands in the window."""
        return self.tell(f"nearsense.where({row})")

    def text(self, selector):
        return self.page.locator(selector).inner_text()

    def download(self, selector) -> str:
        with self.page.expect_download() as found:
            self.page.click(selector)
        return Path(found.value.path()).read_text("utf-8")

    def lines(self, selector):
        return [json.loads(line) for line in self.download(selector).splitlines()]
