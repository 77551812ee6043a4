"""Servers that tests share which only ask: opened once, they cost as much as many questions."""

from __future__ import annotations

import pytest

from asked import asked
from nearsense.server.settings import ServerSettings
from running_server import served, service_of


@pytest.fixture(scope="session")
def asked_server(tmp_path_factory, encoder):
    """An application over two collections and a FAQ, asked in this process."""
    with asked(tmp_path_factory.mktemp("asked")) as running:
        yield running


@pytest.fixture(scope="session")
def spoken_server(tmp_path_factory):
    """A server that runs, over the default model, small ones and a cross-encoder."""
    settings = ServerSettings()
    with served(service_of(tmp_path_factory.mktemp("spoken"), settings), settings) as running:
        yield running
