"""A server that runs in a thread of this process, on a port of its own, over models and texts made for tests."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import uvicorn

import nearsense as ns
from asked import FAQ, TICKETS
from fakes import WordCross
from nearsense.server.app import create_app
from nearsense.server.service import Service
from nearsense.server.settings import ServerSettings
from samples import tiny_bert


@dataclass
class Served:
    """A running server, and what it serves."""

    url: str
    service: Service


@contextlib.contextmanager
def served(service: Service, settings: ServerSettings) -> Iterator[Served]:
    """Serve until the end of the block."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        config = uvicorn.Config(create_app(service, settings), log_config=None, access_log=False, lifespan="on")
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, args=([listening],), daemon=True)
        thread.start()
        try:
            yield Served(f"http://127.0.0.1:{listening.getsockname()[1]}", service)
        finally:
            server.should_exit = True
            thread.join(20)
            service.close()


def service_of(folder: Path, settings: ServerSettings) -> Service:
    """The default model in float32, and small ones: with prompts, with vectors to be cut; a collection, a FAQ."""
    models = {
        "all-MiniLM-L6-v2": ns.load(precision="f32"),
        "tiny": ns.load(str(tiny_bert(folder / "tiny")), precision="f32"),
        "nested": ns.load(str(tiny_bert(folder / "nested", hidden_size=64)), precision="f32"),
    }
    models["nested"].matryoshka = (32, 64)
    prompts = {"prompts": {"query": "w9 ", "passage": "w8 "}}
    (tiny_bert(folder / "prompted") / "config_sentence_transformers.json").write_text(json.dumps(prompts))
    models["prompted"] = ns.load(str(folder / "prompted"), precision="f32")
    service = Service(settings, models=models, crosses={"words": WordCross()})
    with ns.open(folder / "support.nearsense", models["all-MiniLM-L6-v2"]) as made:
        made.add(TICKETS)
    service.add_collection(folder / "support.nearsense")
    (folder / "shop.csv").write_text(FAQ)
    service.add_faq(folder / "shop.csv")
    return service
