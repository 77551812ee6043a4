"""The hub and its cache here: what lies there and is whole; files fetched, resumed, checked; what refusals mean.

The session, its errors, lock and layout are huggingface_hub's. Its own fetching begins an interrupted file anew,
and writes whatever comes, however long; its checks ask the hub. Which files are wanted: hub_files.py.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

from nearsense._folder import Folder, make_folders
from nearsense._machine import whoami
from nearsense._paths import exists, expanded, is_file, is_folder
from nearsense._progress import Progress, tracked
from nearsense._version import __version__
from nearsense.encoders.catalog import Promise
from nearsense.encoders.hub_files import (
    files_to_fetch,
    lacking_files,
    leave_a_choice,
    read_json,
    refuse_strange,
    size_of,
)
from nearsense.errors import BrokenModel, FileError, ModelNotFound, NearsenseError

WHO = {"user-agent": f"nearsense/{__version__}"}
"""What the hub learns of who asks; its library would tell what else is installed, and what drives it."""

WAITS = (0.5, 1.0, 2.0, 4.0)
"""Seconds between tries that brought nothing; one that brought bytes starts the row again."""

PUBLIC = "https://huggingface.co"

_REPOSITORY = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*/[A-Za-z0-9_][A-Za-z0-9_.-]*")
_REVISION = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_./+-]*")
_HASH = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_COMMIT = re.compile(r"[A-Za-z0-9]+")
_SHORT_COMMIT = re.compile(r"[0-9a-f]{7,40}")


def cache_folder() -> Path:
    """Where the hub's own library keeps what it downloaded: the environment as it is now."""
    cache = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    home = os.environ.get("HF_HOME") or f"{cache}/huggingface"
    folder = os.path.expandvars(os.environ.get("HF_HUB_CACHE") or f"{home}/hub")
    return expanded(folder)


def is_repository(name: str) -> bool:
    """Whether a name can be one of the hub's, `org/name`.

    >>> is_repository("someone/small-model"), is_repository("../small-model"), is_repository("./models/mine")
    (True, False, False)
    """
    return bool(_REPOSITORY.fullmatch(name)) and ".." not in name and "--" not in name


def is_hash(word: str) -> bool:
    """Whether a word is SHA-256 or git's SHA-1, as blobs are named."""
    return bool(_HASH.fullmatch(word))


def is_revision(revision: str) -> bool:
    """Whether a word can be a commit, a branch or a tag.

    >>> is_revision("refs/pr/1"), is_revision("../../etc")
    (True, False)
    """
    return bool(_REVISION.fullmatch(revision)) and ".." not in revision


def repository_folder(repository: str, kind: str = "models") -> Path:
    """Where a repository `org/name` of "models" or "datasets" lies, or would."""
    return cache_folder() / f"{kind}--{repository.replace('/', '--')}"


def repositories() -> list[str]:
    """Every repository of the cache by name, whole or not."""
    try:
        folders = sorted(folder.name for folder in cache_folder().glob("models--*--*"))
    except OSError:
        return []
    names = (name.removeprefix("models--").replace("--", "/", 1) for name in folders)
    return [name for name in names if is_repository(name)]


def snapshot(repository: str, revision: str | None = None, kind: str = "models") -> Path | None:
    """The snapshot of a repository at a branch, a tag, a commit or its first seven digits, whole or not."""
    if not is_repository(repository) or not is_revision(revision or "main"):
        return None
    root = repository_folder(repository, kind)
    commit = _commit_at(root, revision or "main")
    if commit is None and revision and _COMMIT.fullmatch(revision):
        commits = [each.name for each in _snapshots(root)]
        short = _SHORT_COMMIT.fullmatch(revision)
        begun = [each for each in commits if short and each.startswith(revision)]
        commit = revision if revision in commits else begun[0] if len(begun) == 1 else None
    folder = root / "snapshots" / (commit or "")
    return folder if commit and is_folder(folder) else None


def only_snapshot(repository: str) -> Path | None:
    """The one snapshot of a repository that has no `main` here."""
    folders = [each for each in _snapshots(repository_folder(repository)) if is_folder(each)]
    return folders[0] if len(folders) == 1 else None


def _snapshots(root: Path) -> list[Path]:
    try:
        return list((root / "snapshots").iterdir())
    except OSError:
        return []


def _commit_at(root: Path, revision: str) -> str | None:
    try:
        commit = (root / "refs" / revision).read_text("ascii").strip()
    except (OSError, ValueError):
        return None
    return commit if _COMMIT.fullmatch(commit) else None


@contextmanager
def opened_root(root: Path) -> Iterator[Folder]:
    """A repository's folder, to write into it: no link, though what leads to the cache may hold some."""
    make_folders(root.parent)
    with Folder(Path(os.path.realpath(root.parent))) as cache, cache.reached(root.name) as opened:
        yield opened


def keep_promises(folder: Path, promised: Mapping[str, Promise]) -> None:
    """Keep what the hub promised for a snapshot, before its first file is there."""
    file = _promises_file(folder)
    kept = json.dumps({name: [each.size, each.hash] for name, each in promised.items()})
    with opened_root(folder.parents[1]) as root, root.reached(file.parent.name) as place:
        place.replace(file.name, kept.encode())


def promises(folder: Path) -> dict[str, Promise] | None:
    """What was promised for a snapshot; None where another program fetched it."""
    kept: Any = read_json(_promises_file(folder)) if folder.parent.name == "snapshots" else None
    try:
        return {str(name): Promise(int(size), str(digest)) for name, (size, digest) in kept.items()}
    except (AttributeError, TypeError, ValueError):
        return None


def _promises_file(folder: Path) -> Path:
    return folder.parents[1] / "nearsense" / f"{folder.name}.json"


def is_ours(folder: Path) -> bool:
    """Whether nearsense fetched a snapshot, or could use it: the cache holds models of many other kinds."""
    return promises(folder) is not None or not missing_files(folder)


def missing_files(folder: Path) -> list[str]:
    """The files that a snapshot lacks: of those promised, else of those that every model needs."""
    promised = promises(folder)
    if promised is not None:
        return [name for name, each in promised.items() if size_of(folder / name) != each.size]
    return lacking_files(folder)


def digest(file: Path, promised: str) -> str:
    """The hash of a file in the kind of `promised`: SHA-256, or git's SHA-1 of a blob."""
    with file.open("rb") as content:
        if len(promised) == 64:
            return hashlib.file_digest(content, "sha256").hexdigest()
        blob = hashlib.sha1(b"blob %d\0" % os.fstat(content.fileno()).st_size, usedforsecurity=False)
        while piece := content.read(1 << 20):
            blob.update(piece)
        return blob.hexdigest()


def remove(repository: str) -> int:
    """Remove a repository with all its revisions from the cache; how many bytes that freed."""
    folder = repository_folder(repository)
    aside = f".removed-{folder.name}-{whoami()}"
    try:
        with Folder(Path(os.path.realpath(folder.parent))) as cache:
            cache.require(folders=(folder.name,))
            files = (file for file in folder.rglob("*") if is_file(file) and not file.is_symlink())
            freed = sum(file.lstat().st_size for file in files)
            cache.rename(folder.name, aside)  # at once: nobody finds half of it
            shutil.rmtree(cache.place() / aside)
            with suppress(OSError), cache.within(".locks") as locks:
                shutil.rmtree(locks.place() / folder.name)
    except OSError as error:
        why = error.strerror or str(error)
        raise FileError(f"{folder} cannot be removed", why=why, fix="check who owns the hub's cache") from None
    return freed


def has_blob(root: Path, promised: Promise) -> bool:
    """Whether the blob is there as promised; a wrong one is removed, and a link out of the cache as well."""
    blob = root / "blobs" / promised.hash
    try:
        inside = blob.resolve().parent in ((root / "blobs").resolve(), (root.parent / "blobs").resolve())
        if inside and blob.stat().st_size == promised.size and digest(blob, promised.hash) == promised.hash:
            return True
        with opened_root(root) as folder, folder.within("blobs") as blobs:
            blobs.unlink(blob.name)
    except FileNotFoundError:
        pass
    return False


def check_room(root: Path, needed: int) -> None:
    """Refuse to begin what does not fit, as an OSError."""
    make_folders(root.parent)
    free = shutil.disk_usage(root.parent).free
    if needed > free:
        raise OSError(errno.ENOSPC, f"{needed / 1e6:,.1f} MB are needed, {free / 1e6:,.1f} MB are free")


def publish(root: Path, commit: str, revision: str, promised: Mapping[str, Promise]) -> Path:
    """Make the snapshot of blobs that are all there, and then point the revision to it."""
    folder = root / "snapshots" / commit
    keep_promises(folder, promised)
    with opened_root(root) as opened:
        for name, each in promised.items():
            *above, last = name.split("/")
            blob = root / "blobs" / each.hash
            with opened.reached("snapshots", commit, *above) as place:
                try:
                    place.link(last, os.path.relpath(blob, folder.joinpath(*above)))
                except OSError:  # a file system without links
                    place.replace(last, blob.read_bytes())
        if revision != commit:
            *above, last = revision.split("/")
            with opened.reached("refs", *above) as place:
                place.replace(last, commit.encode("ascii"))
    return folder


@contextmanager
def disk_errors(name: str) -> Iterator[None]:
    """Turn what goes wrong with the disk, while something is fetched, into an error of one plain sentence."""
    try:
        yield
    except NearsenseError:
        raise
    except OSError as error:
        why = error.strerror or type(error).__name__
        fix = "free some space, or set HF_HOME to a folder with room that may be written"
        raise FileError(f"{name} cannot be kept in {cache_folder()}", why=why, fix=fix) from None


@contextmanager
def repository_lock(root: Path, name: str) -> Iterator[None]:
    """One process at a time writes what has this name in a repository; the hub's library minds the lock too."""
    lock = cache_folder() / ".locks" / root.name / f"{name}.lock"
    with opened_root(lock.parents[1]) as locks, locks.reached(root.name):
        pass
    with _hub_tools().WeakFileLock(lock):
        yield


@dataclass(frozen=True, slots=True)
class _Repository:
    """One repository of the hub; kind is "models" or "datasets"."""

    name: str
    kind: str = "models"

    @property
    def root(self) -> Path:
        return repository_folder(self.name, self.kind)

    @property
    def thing(self) -> str:
        return "data set" if self.kind == "datasets" else "model"

    def info(self, revision: str) -> Any:
        from huggingface_hub import DatasetInfo, ModelInfo, get_session

        url = f"{hub_url()}/api/{self.kind}/{self.name}/revision/{quote(revision, safe='')}"
        answer = get_session().get(url, params={"blobs": True}, headers=_headers(), timeout=_patience())
        _hub_tools().hf_raise_for_status(answer)
        return (DatasetInfo if self.kind == "datasets" else ModelInfo)(**answer.json())

    def url(self, name: str, commit: str) -> str:
        from huggingface_hub import hf_hub_url

        kind = "dataset" if self.kind == "datasets" else None
        return hf_hub_url(self.name, name, repo_type=kind, revision=commit, endpoint=hub_url())


_Choice = Callable[[_Repository, str, Mapping[str, Any]], list[str]]


def download(repository: str, revision: str | None = None, *, progress: Progress = False) -> Path:
    """Fetch a model into the hub's cache; what is there already and right is not fetched again."""
    return _obtain(_Repository(repository), revision, _model_files, progress)


def download_data(
    repository: str,
    choose: Callable[[Sequence[str]], Sequence[str]],
    revision: str | None = None,
    *,
    progress: Progress = False,
) -> Path:
    """Fetch the files of a data set that `choose` takes of all names; raises as `download`."""

    def chosen(_repository: _Repository, _commit: str, files: Mapping[str, Any]) -> list[str]:
        refuse_strange(list(files))
        return list(choose(list(files)))

    return _obtain(_Repository(repository, "datasets"), revision, chosen, progress)


def _obtain(repository: _Repository, revision: str | None, choose: _Choice, progress: Progress) -> Path:
    if not (is_repository(repository.name) and is_revision(revision or "main")):
        what = f"{repository.name!r} at {revision or 'main'!r} cannot be a {repository.thing} of the hub"
        why = f"a {repository.thing} there is called org/name or org/name@revision"
        raise ModelNotFound(what, why=why, fix="check the spelling")
    with _errors_in_words(repository, revision):
        info = repository.info(revision or "main")
        files = {each.rfilename: each for each in info.siblings or []}
        commit = _hexadecimal(info.sha, "the commit")
        promised = {name: _promised(files[name]) for name in choose(repository, commit, files)}
        root = repository.root
        missing = {each.hash: name for name, each in promised.items() if not has_blob(root, each)}
        total, left = (sum(promised[name].size for name in names) for names in (promised, missing.values()))
        check_room(root, left)
        with tracked(total, "bytes", progress) as update:
            done = total - left
            for name in missing.values():
                _fetch(repository, commit, name, promised[name], _counting(update, done))
                done += promised[name].size
                update(done)
        return publish(root, commit, revision or "main", promised)


def _counting(update: Callable[[int], None], before: int) -> Callable[[int], None]:
    return lambda now: update(before + now)


def _model_files(repository: _Repository, commit: str, files: Mapping[str, Any]) -> list[str]:
    names = list(files)
    chosen = files_to_fetch(names)  # an error comes before anything is fetched
    if not leave_a_choice(names):
        return chosen
    return files_to_fetch(names, _configuration(repository, commit, _promised(files["config.json"])))


def _configuration(repository: _Repository, commit: str, promised: Promise) -> dict[str, Any]:
    """The repository's config.json, fetched before all else; `{}` where it has no such form."""
    root = repository.root
    if not has_blob(root, promised):
        check_room(root, promised.size)
        _fetch(repository, commit, "config.json", promised, lambda _done: None)
    found = read_json(root / "blobs" / promised.hash)
    return found if isinstance(found, dict) else {}


def _promised(file: Any) -> Promise:
    size, sum_ = (file.lfs.size, file.lfs.sha256) if file.lfs else (file.size, file.blob_id)
    if not isinstance(size, int) or size < 0:
        raise ValueError(f"a file of {size!r} bytes")
    return Promise(size, _hexadecimal(sum_, file.rfilename))


def _hexadecimal(word: Any, what: str) -> str:
    if not isinstance(word, str) or not is_hash(word):
        raise ValueError(f"no hash for {what}")
    return word


def _fetch(
    repository: _Repository, commit: str, name: str, promised: Promise, report: Callable[[int], None]
) -> None:
    """One file into its blob, from where an earlier try stopped; then its hash is checked."""
    root = repository.root
    url = repository.url(name, commit)
    with repository_lock(root, promised.hash), opened_root(root) as opened, opened.reached("blobs") as blobs:
        if is_file(root / "blobs" / promised.hash):  # another process was faster
            return
        part = blobs.place() / f"{promised.hash}.incomplete"
        _stream_with_retries(url, blobs, part, promised.size, report)
        found = digest(part, promised.hash)
        if found != promised.hash:
            part.unlink()
            why = f"its hash is {found}, promised is {promised.hash}; it was removed"
            fix = "try again; should it stay so, do not use this source"
            raise BrokenModel(f"{name} of {repository.name} did not come as the hub promised", why=why, fix=fix)
        blobs.rename(part.name, promised.hash)


def _stream_with_retries(url: str, blobs: Folder, part: Path, size: int, report: Callable[[int], None]) -> None:
    """Ask again where a connection breaks, as long as that brings something."""
    tries = 0
    while True:
        before = part.stat().st_size if exists(part) else 0
        try:
            return _stream(url, blobs, part.name, size, report)
        except _transport_error() as error:
            status = getattr(getattr(error, "response", None), "status_code", None)
            if status == 416:
                part.unlink(missing_ok=True)
            elif status is not None and status not in (408, 429) and status < 500:
                raise
            came = exists(part) and part.stat().st_size > before
            tries = 0 if came else tries + 1
            if tries > len(WAITS):
                raise
            time.sleep(WAITS[max(tries - 1, 0)] if WAITS else 0)


def _stream(url: str, blobs: Folder, name: str, size: int, report: Callable[[int], None]) -> None:
    from huggingface_hub import get_session

    headers = _headers() | {"Accept-Encoding": "identity"}  # else a range is another one
    with os.fdopen(blobs.open(name, os.O_RDWR | os.O_CREAT | os.O_APPEND), "ab") as file:
        if file.tell() > size:
            file.truncate(0)
        there = file.seek(0, os.SEEK_END)
        if there == size:
            return
        if there:
            headers["Range"] = f"bytes={there}-"
        with get_session().stream("GET", url, headers=headers, timeout=_patience()) as answer:
            _hub_tools().hf_raise_for_status(answer)
            if answer.status_code != 206:
                file.truncate(0)
                there = 0
            for piece in answer.iter_bytes():
                file.write(piece[: size - there])
                there += len(piece)
                report(min(there, size))
                if there > size:
                    break  # longer than promised: what is kept has the promised length, its hash decides
        file.flush()
        os.fsync(file.fileno())
    if there < size:
        raise _transport_error()(f"{there} of {size} bytes came")


def _headers() -> dict[str, str]:
    """Who asks, and the token. The library's own would ask the hub first which program may be driving this one."""
    token = _hub_tools().get_token_to_send(None)
    return WHO | ({"authorization": f"Bearer {token}"} if token else {})


def _hub_tools() -> Any:
    """The library's own helpers; it exports them in a way that type checkers do not follow."""
    from huggingface_hub import utils

    return utils


def _patience() -> float:
    from huggingface_hub import constants

    return float(constants.HF_HUB_DOWNLOAD_TIMEOUT)


def _transport_error() -> type[Exception]:
    """The class of everything that goes wrong on the way: what the library's own errors are made of."""
    from huggingface_hub.errors import HfHubHTTPError

    return next(base for base in HfHubHTTPError.__bases__ if base is not OSError)


@contextmanager
def _errors_in_words(repository: _Repository, revision: str | None) -> Iterator[None]:
    """Turn what goes wrong with the hub or the disk into an error of one plain sentence, never with the token."""
    from huggingface_hub.errors import OfflineModeIsEnabled

    asked = f"{repository.name}@{revision}" if revision else repository.name
    with disk_errors(asked):
        try:
            yield
        except NearsenseError:
            raise
        except OfflineModeIsEnabled:
            why = "the hub is not asked: HF_HUB_OFFLINE was set when the program began"
            fix = "begin the program without it"
            raise ModelNotFound(f"no {repository.thing} {asked!r} here", why=why, fix=fix) from None
        except _transport_error() as error:
            raise _refusal(asked, error, repository.thing) from None
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            if isinstance(error, OSError):
                raise
            why = f"address, token or answer do not have the form of a hub's ({type(error).__name__})"
            fix = "check HF_ENDPOINT and HF_TOKEN"
            raise ModelNotFound(f"the hub {_hub_host()} cannot be asked for {asked!r}", why=why, fix=fix) from None


def hub_url() -> str:
    """The address of the hub: `HF_ENDPOINT` as it is now."""
    address = (os.environ.get("HF_ENDPOINT") or PUBLIC).rstrip("/")
    try:
        parts = urlsplit(address)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable:
        why = "it has to begin with http:// or https:// and name a host"
        fix = f"unset HF_ENDPOINT for {PUBLIC}"
        raise ModelNotFound("the hub cannot be asked: HF_ENDPOINT is no address", why=why, fix=fix)
    return address


def _hub_host() -> str:
    """The hub's name without what an address may hide: user and password."""
    parts = urlsplit(hub_url())
    return f"{parts.hostname}:{parts.port}" if parts.port else str(parts.hostname)


def _refusal(asked: str, error: Exception, thing: str) -> ModelNotFound:
    """What the hub's answer means, by its code or status; without one, by the kind of error that came instead."""
    answer: Any = getattr(error, "response", None)
    name, _, revision = asked.partition("@")
    if answer is None:
        what = f"{asked!r} is not here, and the hub {_hub_host()} cannot be reached"
        why = f"the connection failed ({type(error).__name__}); what came is kept"
        fix = f"the same command goes on from there; or copy the {thing}'s folder here and give its path"
        return ModelNotFound(what, why=why, fix=fix)
    status, code = answer.status_code, answer.headers.get("X-Error-Code", "")
    if code == "GatedRepo":
        what, why = f"the hub does not give {asked!r}: it is gated", "its owner wants its terms accepted first"
        fix = f"accept them on {urlsplit(hub_url()).scheme}://{_hub_host()}/{name}, then set HF_TOKEN"
    elif code == "RevisionNotFound":
        what = f"the hub's {name!r} has no revision {revision or 'main'!r}"
        why, fix = "it is neither a branch, nor a tag, nor a commit there", f"leave it out for the newest: {name}"
    elif status in (401, 403, 404):
        what = f"the hub {_hub_host()} does not give {asked!r} ({status})"
        why = f"there is no such {thing}, or it is private and HF_TOKEN does not open it"
        fix = f"check the spelling of org/name; for a private {thing} set HF_TOKEN"
    else:
        what = f"the hub {_hub_host()} does not give {asked!r} now ({status})"
        why = "it asks to wait" if status == 429 else "it has trouble of its own"
        fix = "try again later: what came is kept"
    return ModelNotFound(what, why=why, fix=fix)
