"""serve: collections, FAQs and models for a team, over HTTP. Not what is answered: see nearsense/server/."""

from __future__ import annotations

import os
import shlex
import socket
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from nearsense.cli.options import Options, network_option, option, takes
from nearsense.cli.outputs import leave
from nearsense.errors import CollectionNotFound, InputError

if TYPE_CHECKING:
    from nearsense.server.service import Service
    from nearsense.server.settings import ServerSettings


class ServeOptions(Options):
    """Where a server listens, what it serves beside collections, and how much it lets through."""

    faq: tuple[str, ...] = option(
        "--faq FILE", "A FAQ: a file of questions and answers. Several: each.", many=True
    )
    labelled: str | None = option(
        "--labelled FILE", "Questions with the id of their entry: how sure the FAQ is goes by these."
    )
    model: tuple[str, ...] = option(
        "--model NAME",
        "A model or a cross-encoder to serve, by name or folder. Several: each."
        "  [default: the collections' own, or all-MiniLM-L6-v2]",
        many=True,
    )
    host: str = option(
        "--host ADDRESS", "Where to listen; beyond this machine only with keys.", default="127.0.0.1"
    )
    port: int = option("--port N", "The port; 0 for one that is free.", click.IntRange(0, 65535), default=8765)
    keys: str | None = option("--api-key-file FILE", "The keys that may ask: nearsense keys makes them.")
    hosts: tuple[str, ...] = option(
        "--allow-host NAME", "A name by which clients call it, behind a proxy say. Several: each.", many=True
    )
    folder: str | None = option(
        "--folder FOLDER",
        "Where collections may be made over HTTP; those in it are served. It is made where it is missing.",
    )
    deadline: float = option(
        "--deadline S", "Seconds that a request may take.", click.FloatRange(0.1), default=30.0
    )
    grace: float = option(
        "--grace S", "Seconds that a shutdown waits for requests.", click.FloatRange(0.1), default=30.0
    )
    log: str | None = option(
        "--log",
        "Log what is asked, beside each collection and FAQ: on, or hashed (no words).",
        click.Choice(["on", "hashed"]),
    )
    write_faqs: bool = option("--write-faqs", "Let entries be added to the files of FAQs over HTTP.")
    log_texts: bool = option("--log-texts", "Let texts stand in the log; else it never holds one.")


@click.command()
@click.argument("collection", nargs=-1)
@takes(options=ServeOptions)
@network_option
def serve(collection: tuple[str, ...], options: ServeOptions, network: bool) -> None:
    """Serve each COLLECTION, FAQs and models over HTTP: to people in a browser, to programs, to assistants.

    Without a COLLECTION a model alone is served. Requests name things as you did: support.nearsense is "support".
    They reach nothing else: no other file, no other model, no other machine. Ctrl-C finishes what was accepted.

    \b
    Examples:
      nearsense serve support.nearsense
      nearsense serve support.nearsense --faq faq.csv --port 9000
      nearsense keys add keys.txt team --scope read
      nearsense serve support.nearsense --host 0.0.0.0 --api-key-file keys.txt
    """
    from nearsense._optional import require

    for path in collection:
        require_collection(path)
    if options.labelled is not None and len(options.faq) != 1:
        raise click.UsageError("--labelled is of one FAQ: give one --faq FILE with it")
    for module in ("uvicorn", "fastapi"):
        require(module, extra="server", purpose="nearsense serve")
    from nearsense.server.admission import Admission
    from nearsense.server.app import create_app
    from nearsense.server.running import run
    from nearsense.server.service import Service
    from nearsense.server.settings import ServerSettings

    settings = ServerSettings(
        host=options.host,
        port=options.port,
        key_file=None if options.keys is None else Path(options.keys),
        hosts=options.hosts,
        folder=None if options.folder is None else Path(options.folder),
        deadline=options.deadline,
        grace=options.grace,
        log_texts=options.log_texts,
        log=options.log == "on" or options.log or False,
        write_faqs=options.write_faqs,
    )
    with bound(settings.host, settings.port) as listening:
        service = Service.of(
            settings,
            collections=collection,
            faqs=options.faq,
            labelled=options.labelled,
            models=options.model,
            network=network,
        )
        os.environ["NEARSENSE_OFFLINE"] = "1"  # from here on nothing is fetched, whatever is asked
        try:
            service.warm()
            app = create_app(service, settings)
            _say(service, settings, listening)
            code = run(app, settings, listening, service.stop, Admission(service))
        finally:
            service.close()
    if code:
        leave(code)


COMMANDS = (serve,)


def require_collection(path: str) -> None:
    """Refuse what is no collection before anything that takes time is done."""
    from nearsense._paths import is_url
    from nearsense.collection.documents import as_folder
    from nearsense.store import is_made

    if not is_url(path):
        as_folder(path)  # an address of another kind may hold a password: it is not repeated
    if not is_made(path):
        from nearsense._paths import is_file
        from nearsense.files.streams import lookalike
        from nearsense.store import is_collection

        place, fix = Path(path), f"nearsense index create {shlex.quote(path)} FILE"
        there = [each.name for each in place.parent.glob("*") if not is_url(path) and is_collection(each)]
        if is_file(place):
            fix = (
                f"questions and answers are served as --faq {shlex.quote(path)}; make a collection of other texts"
            )
        elif near := lookalike(place.name, there):
            fix = f"did you mean {place.with_name(near)}?"
        raise CollectionNotFound(
            f"there is no collection {path}",
            why="what is served has to be there: none is made by a slip of the keyboard",
            fix=fix,
        )


def bound(host: str, port: int) -> socket.socket:
    """A socket that listens there, before anything that takes time is done.

    Raises:
        InputError: The port is in use, or the address is none of this machine.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((host, port))
        listening.listen(2048)
    except OSError as error:
        listening.close()
        fix = "stop what runs there, or take another: --port 0 finds one that is free"
        if isinstance(error, socket.gaierror) or error.errno == 99:
            fix = "give an address of this machine: --host 127.0.0.1"
        elif port < 1024:
            fix = "take a port from 1024 up: --port 8765"
        raise InputError(
            f"{host}:{port} cannot be listened on", why=error.strerror or str(error), fix=fix
        ) from None
    return listening


def _say(service: Service, settings: ServerSettings, listening: socket.socket) -> None:
    """What is served, and where, on stderr."""
    from dataclasses import replace

    address = replace(settings, port=listening.getsockname()[1]).address
    lines = [f"collection {name}: {len(each):,} documents" for name, each in service.collections.items()]
    lines += [f"faq {name}: {len(each):,} entries" for name, each in service.faqs.items()]
    lines += [f"model {name}" for name in (*service.models, *service.crosses)]
    lines += [f"serving at {address} (what may be asked: {address}/docs); Ctrl-C ends it"]
    sys.stderr.writelines(f"{line}\n" for line in lines)
