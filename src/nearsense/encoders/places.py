"""From a model's name to a folder on this machine: a path, a package, the hub's cache, the hub; and its upkeep."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from nearsense._paths import expanded, is_file, is_folder
from nearsense._progress import Progress
from nearsense.encoders import hub
from nearsense.encoders.base import damaged
from nearsense.encoders.catalog import CATALOG, ModelCard, card_of
from nearsense.errors import BrokenModel, InputError, ModelNotFound

OFFLINE = ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE")
"""Variables that forbid the network, to the hub's own library too."""

HOME = "sentence-transformers"  # the organisation of a bare name that is not in the catalogue


@dataclass(frozen=True, slots=True)
class Place:
    """Where a model lies."""

    name: str
    path: Path
    card: ModelCard | None
    revision: str | None  # the commit of the hub's repository; None for a package or a path


def locate(name: str, *, offline: bool | None = None, progress: Progress = False) -> Place:
    """Find a model here, else fetch it from the hub. One that is here and whole never costs a request.

    A name is a folder's path, one of the catalogue, `"org/name"`, or either with `"@revision"`; a bare name that
    is neither is looked for under `sentence-transformers/`. `HF_HUB_OFFLINE=1` always forbids the network.
    """
    return present(name) or fetch(name, offline, progress)


def fetch(name: str, offline: bool | None, progress: Progress) -> Place:
    """Get the newest files of a model from the hub, whether it is here or not; raises as `locate`."""
    card, repository, revision = interpret(name)
    if not hub.is_repository(repository) or not hub.is_revision(revision or "main"):
        raise _not_found(name, "it cannot be the name of a model of the hub")
    if card is not None and not card.hub:
        raise _not_found(name, "it is on no hub")
    packages = [f"nearsense models pull {name} --from packages"] if is_packed(name) else []
    if reason := offline_reason(offline):
        raise _not_found(name, f"the hub is not asked: {reason}", packages)
    try:
        folder = hub.download(repository, revision, progress=progress)
    except ModelNotFound as error:
        fix = (_alike(name) or packages or [error.fix])[0]
        raise ModelNotFound(error.what, why=error.why, fix=fix) from None
    return Place(card.name if card else repository, folder, card, folder.name)


def require_present(name: str) -> Place:
    """Where a model lies on this machine, which it must. Never a request."""
    found = present(name)
    if found is None:
        raise _not_found(name, "the hub was not asked")
    return found


def present(name: str) -> Place | None:
    """Where a model lies on this machine, whole; None where it does not. Never a request."""
    path = expanded(name)
    if "\0" not in name and is_folder(path):
        return Place(path.resolve().name, path, None, None)
    if "\0" not in name and is_file(path):
        why = "a model is a folder with config.json, tokenizer.json and model.safetensors"
        fix = f"nearsense models   (what is here), or give the folder: {path.parent}"
        raise ModelNotFound(f"{name} is a file, not a model's folder", why=why, fix=fix)
    if is_path(name):
        fix = "; ".join([*_alike(path.name), "check the path; nearsense models lists what is here"])
        raise ModelNotFound(f"there is no folder {name}", why="a name that begins so is a path", fix=fix)
    card, _, revision = interpret(name)
    if card is not None and revision is None and (folder := _package_folder(card)):
        return Place(card.name, folder, card, None)
    found = partly_present(name)
    return None if found is None or hub.missing_files(found.path) else found


def partly_present(name: str) -> Place | None:
    """Where the hub's cache holds a model, whole or not."""
    card, repository, revision = interpret(name)
    snapshot = hub.snapshot(repository, revision)
    return Place(card.name if card else repository, snapshot, card, snapshot.name) if snapshot else None


def installed_places() -> list[Place]:
    """Every model of installed packages and every repository of the hub's cache, whole or not."""
    places = [Place(card.name, folder, card, None) for card in CATALOG if (folder := _package_folder(card))]
    packed = {place.card.repository for place in places if place.card}
    for repository in hub.repositories():
        card = card_of(repository)
        if repository in packed:
            continue
        if folder := hub.snapshot(repository):
            places.append(Place(card.name if card else repository, folder, card, folder.name))
        elif folder := hub.only_snapshot(repository):
            places.append(Place(f"{repository}@{folder.name}", folder, _unpublished(card), folder.name))
    return places


def how_to_get(name: str) -> str:
    """What to type to have a model."""
    card, repository, revision = interpret(name)
    if card is not None and card.install and revision is None:
        return card.install
    if not is_path(name) and hub.is_repository(repository):
        return f"nearsense models pull {name}"
    return "give the path of its folder, or see what is here: nearsense models"


def inside(folder: Path, part: str) -> Path:
    """The path of a file that a model names, refused where it or what it links to leads out of the model's folder.

    A folder of the hub's cache links to the files of the cache: these links are fine, and stay, because neighbours
    are found by the name of the link.
    """
    why = "it lies outside of the model's folder"
    try:
        base, real = folder.resolve(), (folder / part).resolve()
        named_within = not Path(part).is_absolute() and ".." not in Path(part).parts
        if named_within and any(real.is_relative_to(root) for root in (base, *_blobs(base))):
            return folder / part
        why = f"{why}: {real}" if named_within else why
    except (OSError, RuntimeError, ValueError):
        why = "its links lead nowhere"
    raise damaged(f"{folder}: {part!r} is refused", why) from None


def _blobs(folder: Path) -> list[Path]:
    """Where the links of a folder may lead, where it is a snapshot of the hub's cache or lies in one."""
    for each in (folder, *folder.parents):
        repository = each.parent.parent
        if each.parent.name == "snapshots" and repository.name.startswith("models--"):
            return [repository / "blobs", repository.parent / "blobs"]  # its own, and those that several share
    return []


def interpret(name: str) -> tuple[ModelCard | None, str, str | None]:
    """The catalogue's row, the repository and the revision that a name means."""
    base, at, revision = name.partition("@")
    card = card_of(base)
    repository = card.repository if card else base if "/" in base else f"{HOME}/{base}"
    return (_unpublished(card) if at else card), repository, ((revision or "main") if at else None)


def is_packed(name: str) -> bool:
    """Whether Python packages carry a model: what a name without a revision means."""
    card, _, revision = interpret(name)
    return card is not None and card.packed is not None and revision is None


def _unpublished(card: ModelCard | None) -> ModelCard | None:
    """The row for another revision than the one whose hashes were published."""
    return None if card is None else replace(card, sha256={})


def is_path(name: str) -> bool:
    """Whether a name can only be a path."""
    return name.startswith((".", "~", os.sep)) or "\\" in name


def _package_folder(card: ModelCard) -> Path | None:
    """The `model` folder of an installed package. The package's own code is not run."""
    from importlib.util import find_spec

    spec = find_spec(card.package) if card.package else None
    places = (spec.submodule_search_locations or []) if spec else []
    return next((Path(place) / "model" for place in places if is_folder(Path(place) / "model")), None)


def offline_reason(offline: bool | None, variables: Sequence[str] = OFFLINE) -> str:
    """Why the network may not be used, by `offline`, else settings, and by a variable; `""` where it may."""
    for variable in variables:
        if os.environ.get(variable, "").upper() in ("1", "ON", "YES", "TRUE"):
            return f"{variable} is set"
    if offline is None:
        from nearsense.settings import load_settings

        offline = load_settings().offline
    return "offline is set" if offline else ""


def _not_found(name: str, reason: str, ways: Sequence[str] = ()) -> ModelNotFound:
    part = partly_present(name)
    missing = f" (it holds a part of it: {hub.missing_files(part.path)[0]} is missing)" if part else ""
    return ModelNotFound(
        f"no model {name!r} here",
        why="looked for a folder of that name, an installed model package, and the hub's cache "
        f"{hub.cache_folder()}{missing}; {reason}",
        fix=(_alike(name) or [*ways, how_to_get(name)])[0],
    )


def _alike(name: str) -> list[str]:
    """Names of the catalogue that were perhaps meant."""
    from difflib import get_close_matches

    if card_of(name.partition("@")[0]) is not None:
        return []
    names = {word.lower(): card.name for card in CATALOG for word in (card.name, card.repository)}
    meant = dict.fromkeys(names[word] for word in get_close_matches(name.lower(), names, n=3))
    return [f"did you mean {' or '.join(meant)}? nearsense models pull {next(iter(meant))}"] if meant else []


def pull(name: str, *, update_it: bool = False, progress: Progress = False) -> Place:
    """A model as the hub has it: here and with the right hashes, else fetched; raises as `locate`."""
    here = present(name)
    if here is None or (not update_it and not verify(here)):
        return here or fetch(name, None, progress)
    return update(name, progress=progress)


def pull_packed(name: str, *, progress: Progress = False) -> Place:
    """A model from the Python packages that carry it: here and with the right hashes, else fetched."""
    card, _, _ = interpret(name)
    if card is None or not is_packed(name):
        carried = ", ".join(each.name for each in CATALOG if each.packed)
        why = f"known are packages that carry {carried}, in one revision each"
        fix = f"nearsense models pull {name} --from hub"
        raise InputError(f"no Python package is known to carry {name}", why=why, fix=fix)
    here = present(name)
    if here is not None and not verify(here):
        return here
    if reason := offline_reason(None, variables=()):
        fix = "unset offline (NEARSENSE_OFFLINE, or the settings file), then the same command again"
        raise ModelNotFound(f"no model {name!r} here", why=f"packages are not asked: {reason}", fix=fix)
    from nearsense.encoders.packages import REVISION, download_packed

    return Place(card.name, download_packed(card, progress=progress), card, REVISION)


def update(name: str, *, progress: Progress = False) -> Place:
    """Ask the hub for the newest files of a model, whether it is here or not; raises as `locate`."""
    found = present(name)
    if found is not None and found.revision is None:
        fix = "leave --update out, or name another model"
        raise InputError(f"{name} does not come from the hub", why=f"it lies in {found.path}", fix=fix)
    return fetch(name, None, progress)


def checkable(names: Sequence[str]) -> list[Place]:
    """The places of some models, whole or not; without names, of all that nearsense can use or has fetched."""
    if not names:
        return [each for each in installed_places() if each.revision is None or hub.is_ours(each.path)]
    return [present(name) or partly_present(name) or require_present(name) for name in names]


def verify(place: Place) -> list[str]:
    """What is wrong with a model's files: missing, of another hash than promised, or links that lead out.

    What is promised: by the hub when it was fetched, by the name of each file in the hub's cache (it is the hash),
    and by the catalogue.
    """
    promised = {} if place.revision is None else (hub.promises(place.path) or {})
    expected = {name: each.hash for name, each in promised.items()}
    findings = [f"{name} is missing or of another length" for name in hub.missing_files(place.path)]
    for file in sorted(place.path.rglob("*")):
        name = file.relative_to(place.path).as_posix()
        if is_folder(file) and not file.is_symlink():
            continue
        if place.revision is not None and file.is_symlink() and hub.is_hash(blob := file.readlink().name):
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
    """The repository of a model that lies in the hub's cache, to be removed with all its revisions."""
    card, repository, revision = interpret(name)
    if revision is not None:
        why = "a model is removed with all its revisions, which share files"
        fix = f"nearsense models remove {name.partition('@')[0]}"
        raise InputError(f"{name} names one revision", why=why, fix=fix)
    if not is_path(name) and hub.is_repository(repository) and repository in hub.repositories():
        return repository
    found = require_present(name)
    package = card.package.replace("_", "-") if card is not None else ""
    fix = f"pip uninstall {package}" if package else "remove that folder yourself"
    raise InputError(f"{name} does not lie in the hub's cache", why=f"it lies in {found.path}", fix=fix)


def _compared(file: Path, name: str, wanted: str) -> Iterator[str]:
    try:
        found = hub.digest(file, wanted)
    except FileNotFoundError:
        yield f"{name} is missing or of another length"
    except OSError as error:
        yield f"{name} cannot be read: {error.strerror or error}"
    else:
        if found != wanted:
            yield f"{name} is not what was published: its hash is {found}, promised is {wanted}"
