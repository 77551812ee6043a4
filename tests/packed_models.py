"""What tests of models in packages share: an empty cache, an index, a model, and a row for it in the catalogue."""

from __future__ import annotations

import hashlib
import io
import zipfile
from pathlib import Path

import pytest

from loopback_index import indexed, wheel
from nearsense import encoders
from nearsense.encoders import catalog
from nearsense.encoders.catalog import CATALOG, ModelCard, Packed, Promise, Task
from nearsense.encoders.hub import repository_folder
from nearsense.encoders.places import present
from samples import tiny_bert

NAME = "made-model"


def promised(content: bytes) -> Promise:
    return Promise(len(content), hashlib.sha256(content).hexdigest())


def contents(folder: Path) -> dict[str, bytes]:
    return {file.relative_to(folder).as_posix(): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


@pytest.fixture
def home(tmp_path, monkeypatch):
    """An empty cache, and an alarm for code that is run."""
    monkeypatch.setenv("HF_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("NEARSENSE_TEST_ALARM", str(tmp_path / "alarm"))
    encoders._load.cache_clear()  # of what was loaded by the same name before
    yield tmp_path
    assert not (tmp_path / "alarm").exists()


@pytest.fixture
def index(home):
    with indexed(home / "index") as index:
        yield index


@pytest.fixture
def model(home):
    return contents(tiny_bert(home / "model"))


@pytest.fixture
def known(monkeypatch):
    """Put a row into the catalogue."""

    def known(packed: Packed, hub: str = "") -> ModelCard:
        card = ModelCard(
            name=NAME, hub=hub, dimension=32, max_tokens=64, languages=("en",), licence="MIT", tasks=tuple(Task),
            packed=packed,
        )  # fmt: skip
        for name in card.names:
            monkeypatch.setitem(catalog._BY_NAME, name, card)
        monkeypatch.setattr("nearsense.encoders.places.CATALOG", (*CATALOG, card))
        return card

    return known


def plain(folder: Path, model: dict[str, bytes]) -> Packed:
    """One wheel with the files."""
    made = wheel(folder, "made-model", {f"made_model/files/{name}": content for name, content in model.items()})
    return Packed((made,), "made_model/files/", {name: promised(content) for name, content in model.items()})


def in_parts(folder: Path, model: dict[str, bytes], count: int = 3) -> Packed:
    """An archive cut into wheels, with a file that nobody asked for."""
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("top/desktop.ini", "[x]")
        for name, content in model.items():
            archive.writestr(f"top/{name}", content)
    data = whole.getvalue()
    size = -(-len(data) // count)
    wheels = tuple(
        wheel(folder, f"part-{n}", {f"in/m.zip.{n}": data[n * size : (n + 1) * size]}, part=f"in/m.zip.{n}")
        for n in range(count)
    )
    return Packed(wheels, "top/", {name: promised(content) for name, content in model.items()})


def nothing_half(card: ModelCard) -> bool:
    """Whether the model is not to be found, in whole or in part."""
    root = repository_folder(card.repository)
    return present(card.name) is None and not (root / "snapshots").exists() and not (root / "refs").exists()
