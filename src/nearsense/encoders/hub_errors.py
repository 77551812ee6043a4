"""What the hub's refusals mean, in sentences without user, password or token. Not how it is asked: hub.py."""

from __future__ import annotations

import os
from typing import Any
from urllib.parse import urlsplit

from nearsense.errors import ModelNotFound

__all__ = ["hub_host", "hub_url", "refusal"]

PUBLIC = "https://huggingface.co"


def hub_url() -> str:
    """The address of the hub: `HF_ENDPOINT` as it is now.

    Raises:
        ModelNotFound: It is no address.
    """
    address = (os.environ.get("HF_ENDPOINT") or PUBLIC).rstrip("/")
    try:
        parts = urlsplit(address)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable:
        raise ModelNotFound(
            "the hub cannot be asked: HF_ENDPOINT is no address",
            why="it has to begin with http:// or https:// and name a host",
            fix=f"unset HF_ENDPOINT for {PUBLIC}",
        )
    return address


def refusal(asked: str, answer: Any, kind: str, thing: str = "model") -> ModelNotFound:
    """What the hub's answer means: by its code where it gives one, else by its status.

    Args:
        asked: What it was asked for.
        answer: What it said; None where no answer came.
        kind: The name of what went wrong then.
        thing: "model" or "data set".
    """
    if answer is None:
        return ModelNotFound(
            f"{asked!r} is not here, and the hub {hub_host()} cannot be reached",
            why=f"the connection failed ({kind}); what came is kept",
            fix=f"the same command goes on from there; or copy the {thing}'s folder here and give its path",
        )
    status, code = answer.status_code, answer.headers.get("X-Error-Code", "")
    if code == "GatedRepo":
        return ModelNotFound(
            f"the hub does not give {asked!r}: it is gated",
            why="its owner wants its terms accepted first",
            fix=f"accept them on {_shown()}/{asked.partition('@')[0]}, then set HF_TOKEN",
        )
    if code == "RevisionNotFound":
        name, _, revision = asked.partition("@")
        return ModelNotFound(
            f"the hub's {name!r} has no revision {revision or 'main'!r}",
            why="it is neither a branch, nor a tag, nor a commit there",
            fix=f"leave it out for the newest: {name}",
        )
    if status in (401, 403, 404):
        return ModelNotFound(
            f"the hub {hub_host()} does not give {asked!r} ({status})",
            why=f"there is no such {thing}, or it is private and HF_TOKEN does not open it",
            fix=f"check the spelling of org/name; for a private {thing} set HF_TOKEN",
        )
    return ModelNotFound(
        f"the hub {hub_host()} does not give {asked!r} now ({status})",
        why="it asks to wait" if status == 429 else "it has trouble of its own",
        fix="try again later: what came is kept",
    )


def hub_host() -> str:
    """The hub's name without what an address may hide: user and password."""
    parts = urlsplit(hub_url())
    return f"{parts.hostname}:{parts.port}" if parts.port else str(parts.hostname)


def _shown() -> str:
    """The hub's address as messages may show it."""
    return f"{urlsplit(hub_url()).scheme}://{hub_host()}"
