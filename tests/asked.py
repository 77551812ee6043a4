"""An application that is asked in this process: what a route answers, without a network."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from typing import Any

import httpx2

import nearsense as ns
from nearsense.server.app import create_app
from nearsense.server.service import Service
from nearsense.server.settings import ServerSettings
from nearsense.server.work import collected_warnings

TICKETS = [
    ns.Document("1", "The dashboard freezes after login", {"status": "open", "year": 2024}),
    ns.Document("2", "Please refund my invoice", {"status": "solved", "year": 2025}),
    ns.Document("3", "I want my money back", {"status": "solved", "year": 2026}),
    ns.Document("4", "The screen hangs when I sign in", {"status": "open", "year": 2026}),
    ns.Document("5", "Where is my parcel?", {"status": "open", "year": 2026}),
]

FAQ = (
    "question,answer\n"
    "How do I return a product?,Within 30 days by post.\n"
    "How long does shipping take?,Two days.\n"
    "How can I track my order?,You get a tracking number by mail.\n"
)


class Asked:
    """An application; `post` and `get` are one request each."""

    def __init__(self, service: Service, settings: ServerSettings) -> None:
        self.service, self.settings = service, settings
        self.app = create_app(service, settings)

    def __call__(self, method: str, path: str, **how: Any) -> httpx2.Response:
        return asyncio.run(self.many([(method, path, how)]))[0]

    def post(self, path: str, asked: Any = None, **how: Any) -> httpx2.Response:
        return self("POST", path, **({} if asked is None else {"json": asked}), **how)

    def get(self, path: str, **how: Any) -> httpx2.Response:
        return self("GET", path, **how)

    async def many(
        self, requests: list[tuple[str, str, dict[str, Any]]], at_once: int = 16
    ) -> list[httpx2.Response]:
        """Several requests, so many at a time, in their order."""
        room = asyncio.Semaphore(at_once)
        transport = httpx2.ASGITransport(app=self.app)
        async with httpx2.AsyncClient(transport=transport, base_url="http://127.0.0.1:8765") as client:

            async def one(method: str, path: str, how: dict[str, Any]) -> httpx2.Response:
                async with room:
                    return await client.request(method, path, **how)

            return await asyncio.gather(*(one(*each) for each in requests))


@contextmanager
def asked(folder: Any, **settings: Any):
    """A server's application over two collections and a FAQ that are made in a folder."""
    with ns.open(folder / "support.nearsense") as made:
        made.add(TICKETS)
    (folder / "notes").mkdir()
    (folder / "notes" / "plants.md").write_text(
        "# Plants\n\nWater them on Mondays.\n\n## Roses\n\nCut in spring.\n"
    )
    with ns.open(folder / "notes.nearsense") as made:
        made.sync_documents(folder / "notes")
    (folder / "shop.csv").write_text(FAQ)
    how = ServerSettings(**settings)
    paths = [folder / "support.nearsense", folder / "notes.nearsense"]
    service = Service.of(how, collections=paths, faqs=[folder / "shop.csv"])
    try:
        with collected_warnings():
            yield Asked(service, how)
    finally:
        service.close()


def operations(document):
    return {
        each["operationId"]: each
        for item in document["paths"].values()
        for each in item.values()
        if isinstance(each, dict) and "operationId" in each
    }


def request_of(document, name):
    """The example of a verb's request, as the document has it."""
    [media] = operations(document)[name]["requestBody"]["content"].values()
    return media["example"]
