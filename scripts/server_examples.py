"""Write src/nearsense/server/examples.json: what each route answers to the example of its request.

PYTHONPATH=tests python scripts/server_examples.py
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

from asked import asked, operations, request_of
from nearsense.server import examples
from nearsense.server.verbs import VERBS

FILE = Path(examples.__file__).with_name("examples.json")
STATE = {
    "health": "/v1/health",
    "ready": "/v1/ready",
    "version": "/v1/version",
    "collections": "/v1/collections",
    "collection": "/v1/collections/support",
    "faqs": "/v1/faqs",
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
    if not FILE.exists():
        FILE.write_text(json.dumps(dict.fromkeys([*STATE, *(verb.name for verb in VERBS)])))
    with tempfile.TemporaryDirectory() as folder, asked(Path(folder)) as server:
        document = server.get("/openapi.json").json()
        found = {name: server.get(path).json() for name, path in STATE.items()}
        for name in operations(document):
            if name in {verb.name for verb in VERBS}:
                found[name] = server.post(f"/v1/{name}", request_of(document, name)).json()
    FILE.write_text(json.dumps(shortened(found), ensure_ascii=False, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
