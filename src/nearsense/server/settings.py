"""What the operator of a server decides: where it listens, and how much one client may ask. Not what it serves."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from nearsense.checks import is_number, is_whole
from nearsense.errors import InputError

__all__ = ["ServerSettings", "is_loopback"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerSettings:
    """How a server runs: addresses, limits, deadlines.

    Args:
        host: The address to listen on. Without keys only this machine's own: 127.0.0.1, ::1, localhost.
        port: The port; 0 for one that is free.
        key_file: The file with the hashes of the keys that may ask; None for no keys.
        hosts: Names and addresses by which clients may call the server, beside `host` and this machine's own.
        folder: Where collections may be made over HTTP, and those in it are served; None: none are made.
        max_body: Bytes of a request's body.
        max_depth: How deep JSON may be nested.
        max_header_bytes: Bytes of all headers of a request.
        max_documents: How large a collection may be that is looked through pair by pair: duplicates, clusters.
        queue_tokens: Tokens that may wait to be encoded; beyond that requests are refused at once.
        queue_seconds: How many seconds of work may be ahead of a short text; beyond that it is refused at once.
        batch_tokens: Tokens that are encoded together.
        threads: How many verbs run at a time.
        waiting: How many requests may wait for one of these threads.
        deadline: Seconds that a request may take, waiting included.
        slow_deadline: Seconds for what looks through a whole collection.
        header_seconds: Seconds within which the headers of a request have to be here.
        body_seconds: Seconds within which its body has to be here; each 16 KiB that came give it one more.
        idle_seconds: Seconds that a connection is kept open without a request.
        grace: Seconds that a shutdown waits for requests that were accepted.
        log_texts: Whether texts may stand in the log.
        log: Whether what is asked of collections and FAQs is logged beside them: True, or "hashed" without words.
            False leaves it to what each collection was told.
        write_faqs: Whether entries may be added to the files of FAQs.

    Raises:
        InputError: A number is out of its range, or others could reach the server without a key.

    Example:
        >>> ServerSettings().address
        'http://127.0.0.1:8765'
    """

    host: str = "127.0.0.1"
    port: int = 8765
    key_file: Path | None = None
    hosts: tuple[str, ...] = ()
    folder: Path | None = None
    max_body: int = 8 * 2**20
    max_depth: int = 64
    max_header_bytes: int = 16 * 2**10
    max_documents: int = 20_000
    queue_tokens: int = 524_288
    queue_seconds: float = 0.1
    batch_tokens: int = 128
    threads: int = 4
    waiting: int = 48
    deadline: float = 30.0
    slow_deadline: float = 300.0
    header_seconds: float = 10.0
    body_seconds: float = 20.0
    idle_seconds: float = 15.0
    grace: float = 30.0
    log_texts: bool = False
    log: bool | str = False
    write_faqs: bool = False

    max_texts: ClassVar[int] = 1_024
    """Texts in a request: the types of the requests say it too."""

    def __post_init__(self) -> None:
        if not is_whole(self.port, most=65_535):
            raise InputError(
                f"port={self.port!r} is no port", fix="give one from 1 to 65,535, or 0 for a free one"
            )
        for name in ("max_body", "max_depth", "max_header_bytes", "max_documents", "queue_tokens", "threads"):
            if not is_whole(getattr(self, name), least=1):
                raise InputError(
                    f"{name}={getattr(self, name)!r} is too small", fix="give a whole number from 1 up"
                )
        for name in ("deadline", "slow_deadline", "header_seconds", "body_seconds", "idle_seconds", "grace"):
            value = getattr(self, name)
            if not is_number(value) or not 0 < value < float("inf"):
                raise InputError(f"{name}={value!r} is no number of seconds", fix=f"say {name}=30")
        if self.key_file is None and not is_loopback(self.host):
            raise InputError(
                f"{self.host} can be reached from other machines, and no key is asked for",
                why="whoever finds the port could read everything that is served",
                fix="nearsense keys add keys.txt NAME, and add --api-key-file keys.txt",
            )

    @property
    def address(self) -> str:
        """The URL by which this machine reaches the server."""
        name = "127.0.0.1" if self.host in ("0.0.0.0", "") else "::1" if self.host == "::" else self.host
        return f"http://[{name}]:{self.port}" if ":" in name else f"http://{name}:{self.port}"


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches an address.

    Example:
        >>> is_loopback("127.0.0.1"), is_loopback("localhost"), is_loopback("0.0.0.0")
        (True, True, False)
    """
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
