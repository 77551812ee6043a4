"""Write src/nearsense/server/examples.json: what each route answers to the example of its request.

PYTHONPATH=tests python scripts/server_examples.py
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

from asked import asked, request_of
from nearsense.server import described
from nearsense.server.verbs import VERBS

FILE = Path(described.__file__).with_name("examples.json")
STATE = {
    "health": "/v1/health",
    "ready": "/v1/ready",
    "version": "/v1/version",
    "collections": "/v1/collections",
    "collection": "/v1/collections/support",
    "faqs": "/v1/faqs",
    "documents": "/v1/collections/support/documents",
    "map": "/v1/collections/support/map",
    "models": "/v1/models",
    "model": "/v1/models/all-MiniLM-L6-v2",
    "info": "/info",
}
OTHERS = {
    "embeddings": "/v1/embeddings",
    "rerank": "/rerank",
    "rerank_v1": "/v1/rerank",
    "rerank_v2": "/v2/rerank",
    "embed": "/embed",
    "similarity": "/similarity",
}
KEPT = 2
"""Items of a list: an example is no listing."""


def shortened(value: Any) -> Any:
    """The same with few items in each list, few digits, and no metadata of these documents alone."""
    if isinstance(value, dict):
        return {name: {} if name == "metadata" else shortened(each) for name, each in value.items()}
    if isinstance(value, list):
        return [shortened(each) for each in value[:KEPT]]
    return round(value, 3) if isinstance(value, float) else value


def main() -> None:
    asked_of = {verb.name: f"/v1/{verb.name}" for verb in VERBS} | OTHERS
    if not FILE.exists():
        FILE.write_text(json.dumps(dict.fromkeys([*STATE, *asked_of])))
    with tempfile.TemporaryDirectory() as folder, asked(Path(folder)) as server:
        document = server.get("/openapi.json").json()
        found = {name: server.get(path).json() for name, path in STATE.items()}
        found |= {name: server.post(path, request_of(document, name)).json() for name, path in asked_of.items()}
    FILE.write_text(json.dumps(shortened(found), ensure_ascii=False, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
