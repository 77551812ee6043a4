"""A server of this process with a small shop in it, and a real browser that visits it."""

from __future__ import annotations

import json
import threading
import time
import urllib.error
import urllib.request
from contextlib import contextmanager
from types import SimpleNamespace

import nearsense as ns

SCRIPT = "<script>window.stolen = 1</script> Where is my refund?"
ONERROR = "<img src=x onerror=window.stolen=1> My refund has not come."
HEBREW = "איפה החבילה שלי? היא הייתה אמורה להגיע אתמול."
ARABIC = "أين طردي؟ كان من المفترض أن يصل أمس."

DOCUMENTS = [
    ("T-1", "My dashboard freezes when I open the weekly report.", {"status": "open", "year": 2025, "lang": "en"}),
    ("T-2", "The screen is stuck and nothing reacts any more.", {"status": "solved", "year": 2024, "lang": "en"}),
    ("T-3", "How do I enable two-factor login?", {"status": "solved", "year": 2025, "lang": "en"}),
    ("T-4", "How do I disable two-factor login?", {"status": "open", "year": 2025, "lang": "en"}),
    ("T-5", "Where is my parcel? It should have come yesterday.", {"status": "open", "year": 2025, "lang": "en"}),
    ("T-6", "My package has not arrived yet.", {"status": "open", "year": 2024, "lang": "en"}),
    ("T-7", "My package has not arrived yet!", {"status": "solved", "year": 2023, "lang": "en"}),
    ("T-8", "I was charged 15 dollars twice for the same order.", {"status": "open", "year": 2025, "lang": "en"}),
    ("T-9", "I was charged 51 dollars twice for the same order.", {"status": "open", "year": 2025, "lang": "en"}),
    ("T-10", "Can I change the delivery address of my order?", {"status": "solved", "year": 2023, "lang": "en"}),
    (
        "T-11",
        "Is it possible to change where my order is delivered?",
        {"status": "open", "year": 2025, "lang": "en"},
    ),
    (
        "T-12",
        "Please cancel my subscription at the end of the month.",
        {"status": "open", "year": 2025, "lang": "en"},
    ),
    ("T-13", "I would like to end my subscription.", {"status": "solved", "year": 2024, "lang": "en"}),
    ("T-14", "The invoice shows the wrong company name.", {"status": "open", "year": 2024, "lang": "en"}),
    ("T-15", HEBREW, {"status": "open", "year": 2025, "lang": "he"}),
    ("T-16", ARABIC, {"status": "open", "year": 2025, "lang": "ar"}),
    ("T-17", SCRIPT, {"status": "<b onmouseover=window.stolen=1>open</b>", "year": 2025, "lang": "en"}),
    ("T-18<script>window.stolen=1</script>", ONERROR, {"status": "open", "year": 2025, "lang": "en"}),
]

FAQ = [
    {"id": "ship", "question": "When will my package arrive?", "answer": "Within two working days."},
    {
        "id": "refund",
        "question": "How do I get my money back?",
        "answer": "Send it back within 30 days; the money follows in five.",
    },
    {"id": "login", "question": "How do I reset my password?", "answer": "Press Forgotten on the sign-in page."},
    {
        "id": "enable",
        "question": "How do I enable two-factor login?",
        "answer": "Under Settings, Security, switch it on.",
    },
    {
        "id": "disable",
        "question": "How do I disable two-factor login?",
        "answer": "Under Settings, Security, switch it off.",
    },
    {
        "id": "cancel",
        "question": "How can I cancel my subscription?",
        "answer": "Under Plan; it ends with the month.",
    },
]


def make_shop(folder, encoder):
    """A collection with a log, and a FAQ, in a folder: their paths."""
    path = folder / "support.nearsense"
    with ns.open(path, encoder) as shop:
        shop.set_log(True)
        shop.add([ns.Document(*each) for each in DOCUMENTS])
    faq = folder / "help.jsonl"
    faq.write_text("".join(json.dumps(each) + "\n" for each in FAQ), "utf-8")
    return path, faq


@contextmanager
def running(app):
    """An application behind uvicorn in a thread of this process: its address."""
    import uvicorn

    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=0, log_config=None, lifespan="on"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    end = time.monotonic() + 20
    while not server.started:
        assert thread.is_alive()
        assert time.monotonic() < end
        time.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(10)


class Visit:
    """The page of a server that is open, with all that it asked for and complained of.

    `refused` are the statuses with which the server may answer: a browser writes each into its console.
    """

    def __init__(self, context, address, where="", *, refused=(), size=(1280, 800), **media):
        self.address, self.refused = address, refused
        self.page = context.new_page()
        self.page.set_viewport_size({"width": size[0], "height": size[1]})
        self.page.set_default_timeout(8_000)
        self.asked, self.complaints = [], []
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.on("console", lambda message: self.complaints.append(message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.emulate_media(reduced_motion="reduce", **media)
        self.go(where)

    def go(self, where):
        self.page.goto("about:blank")
        self.page.goto(f"{self.address}/{where}")
        self.page.wait_for_selector("main .view > *")

    def text(self, selector):
        return self.page.locator(selector).first.inner_text()

    def texts(self, selector):
        return self.page.locator(selector).all_inner_texts()

    def press(self, *keys):
        for key in keys:
            self.page.keyboard.press(key)

    def wait(self, selector, **how):
        return self.page.wait_for_selector(selector, **how)

    def until(self, script):
        """Wait until it is true; asked from outside, because the page lets nobody evaluate words in it."""
        end = time.monotonic() + 10
        while not self.page.evaluate(script):
            assert time.monotonic() < end, script
            time.sleep(0.01)

    def focused(self):
        """What has the focus: its id, or its text."""
        return self.page.evaluate("document.activeElement.id || document.activeElement.innerText")

    def close(self):
        """It asked nobody but this server, had nothing to complain of, and no text became a script."""
        others = [url for url in self.asked if not url.startswith((self.address, "blob:", "data:", "about:"))]
        assert not others, others
        told = [f"status of {status}" for status in self.refused]
        own = ("Failed to load resource",)
        complaints = [
            each for each in self.complaints
            if not (each.startswith(own) and (any(part in each for part in told) or ("offline" in self.refused)))
        ]  # fmt: skip
        assert not complaints, complaints
        assert self.page.evaluate("window.stolen") is None
        self.page.close()


@contextmanager
def open_shop(folder, encoder):
    """A server with the shop's collection and FAQ, where collections and entries may be made."""
    from nearsense.server.app import create_app
    from nearsense.server.service import Service
    from nearsense.server.settings import ServerSettings

    collection, faq = make_shop(folder, encoder)
    settings = ServerSettings(folder=folder / "more", write_faqs=True)
    settings.folder.mkdir()
    service = Service.of(settings, collections=[collection], faqs=[faq])
    with running(create_app(service, settings)) as address:
        yield SimpleNamespace(address=address, service=service, settings=settings, folder=folder, faq=faq)
    service.close()


def fetched(address, method="GET", **headers):
    """Status, headers and body of an answer."""
    request = urllib.request.Request(address, method=method, headers=headers)
    try:
        with urllib.request.urlopen(request) as answer:
            return answer.status, answer.headers, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.headers, error.read()
