"""mcp: collections and FAQs as tools of an assistant. Not what the tools do: see nearsense/server/tools.py."""

from __future__ import annotations

import gc
import os
import sys
from typing import TYPE_CHECKING

import click

from nearsense.cli.options import Options, in_a_folder, network_option, option, takes
from nearsense.cli.outputs import leave
from nearsense.cli.serve import bound, require_collection

if TYPE_CHECKING:
    from nearsense.server.service import Service


class McpOptions(Options):
    """What there is beside collections, and by what the assistant comes."""

    faq: tuple[str, ...] = option(
        "--faq FILE", "A FAQ: a file of questions and answers. Several: each.", many=True
    )
    model: tuple[str, ...] = option(
        "--model NAME", "The model that compares texts.  [default: the collections' own]", many=True
    )
    port: int | None = option(
        "--port N",
        "Answer at http://127.0.0.1:N/mcp instead of on standard input and output; 0 finds a free port.",
        click.IntRange(0, 65535),
    )


@click.command()
@click.argument("collection", nargs=-1)
@takes(options=McpOptions)
@network_option
def mcp(collection: tuple[str, ...], options: McpOptions, network: bool) -> None:
    """Give an assistant tools that search each COLLECTION, compare texts and ask FAQs (Model Context Protocol).

    What it is told says how sure each hit is, and what differs. An assistant starts this command by itself, and
    speaks with it on standard input and output: nothing else is written there. `nearsense serve` has the same
    tools at /mcp, for a team.

    \b
    Examples:
      nearsense mcp support.nearsense
      nearsense mcp support.nearsense --faq faq.csv
      claude mcp add support -- nearsense mcp /data/support.nearsense
    """
    from nearsense._optional import require

    for path in collection:
        in_a_folder(click.get_current_context(), click.Argument(["collection"]), path)
        require_collection(path)
    gc.disable()  # a tenth of the start, and nothing of it is garbage
    require("mcp", extra="mcp", purpose="nearsense mcp")
    from nearsense.server.mcp import serve_stdio

    def opened() -> Service:
        require("fastapi", extra="mcp", purpose="nearsense mcp")
        from nearsense.server.service import Service
        from nearsense.server.settings import ServerSettings

        settings = ServerSettings(port=options.port or 0)
        service = Service.of(
            settings, collections=collection, faqs=options.faq, models=options.model, network=network
        )
        os.environ["NEARSENSE_OFFLINE"] = "1"  # from here on nothing is fetched, whatever is asked
        gc.enable()
        return service

    if options.port is None:
        serve_stdio(opened, collections=bool(collection), faqs=bool(options.faq))
        return
    service = opened()
    try:
        code = _over_http(service)
    finally:
        service.close()
    if code:
        leave(code)


COMMANDS = (mcp,)


def _over_http(service: Service) -> int:
    """Answer at /mcp until a signal."""
    from nearsense.server.app import create_mcp_app
    from nearsense.server.running import run

    settings = service.settings
    with bound(settings.host, settings.port) as listening:
        app = create_mcp_app(service, settings)
        port = listening.getsockname()[1]
        sys.stderr.write(f"serving at http://{settings.host}:{port}/mcp; Ctrl-C ends it\n")
        return run(app, settings, listening, service.stop)
