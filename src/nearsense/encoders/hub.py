"""Files of a model from the hub into its cache, resumed where they were broken off, and what its refusals mean."""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

from nearsense._folder import Folder
from nearsense._progress import Progress, tracked
from nearsense._version import __version__
from nearsense.encoders.hub_cache import (
    Promise,
    cache_folder,
    check_room,
    digest,
    disk_errors,
    files_to_fetch,
    has_blob,
    is_hash,
    is_repository,
    is_revision,
    leave_a_choice,
    opened_root,
    publish,
    refuse_strange,
    repository_folder,
)
from nearsense.errors import BrokenModel, ModelNotFound, NearsenseError

WHO = {"user-agent": f"nearsense/{__version__}"}
"""What the hub learns of who asks; its library would tell what else is installed, and what drives it."""

WAITS = (0.5, 1.0, 2.0, 4.0)
"""Seconds between tries that brought nothing; one that brought bytes starts the row again."""


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


def _obtain(repository: _Repository, revision: str | None, choose: _Choice, progress: Progress) -> Path:
    if not (is_repository(repository.name) and is_revision(revision or "main")):
        raise ModelNotFound(
            f"{repository.name!r} at {revision or 'main'!r} cannot be a {repository.thing} of the hub",
            why=f"a {repository.thing} there is called org/name or org/name@revision",
            fix="check the spelling",
        )
    with _errors_in_words(repository, revision):
        commit, promised = _listing(repository, revision, choose)
        root = repository.root
        missing = {each.hash: name for name, each in promised.items() if not has_blob(root, each)}
        total = sum(each.size for each in promised.values())
        check_room(root, sum(each.size for each in promised.values() if each.hash in missing))
        with tracked(total, "bytes", progress) as update:
            done = total - sum(promised[name].size for name in missing.values())
            for name in missing.values():
                _fetch(repository, commit, name, promised[name], _counting(update, done))
                done += promised[name].size
                update(done)
        return publish(root, commit, revision or "main", promised)


def _counting(update: Callable[[int], None], before: int) -> Callable[[int], None]:
    return lambda now: update(before + now)


def _listing(repository: _Repository, revision: str | None, choose: _Choice) -> tuple[str, dict[str, Promise]]:
    """The commit, and what the hub promises of each wanted file."""
    found = repository.info(revision or "main")
    files = {each.rfilename: each for each in found.siblings or []}
    commit = _hexadecimal(found.sha, "the commit")
    return commit, {name: _promised(files[name]) for name in choose(repository, commit, files)}


def _model_files(repository: _Repository, commit: str, files: Mapping[str, Any]) -> list[str]:
    names = files_to_fetch(list(files))
    if leave_a_choice(list(files)):
        return files_to_fetch(list(files), _configuration(repository, commit, _promised(files["config.json"])))
    return names


def _promised(file: Any) -> Promise:
    size, sum_ = (file.lfs.size, file.lfs.sha256) if file.lfs else (file.size, file.blob_id)
    if not isinstance(size, int) or size < 0:
        raise ValueError(f"a file of {size!r} bytes")
    return Promise(size, _hexadecimal(sum_, file.rfilename))


def _configuration(repository: _Repository, commit: str, promised: Promise) -> dict[str, Any]:
    """The repository's config.json, fetched before all else; `{}` where it has no such form."""
    root = repository.root
    if not has_blob(root, promised):
        check_room(root, promised.size)
        _fetch(repository, commit, "config.json", promised, lambda _done: None)
    try:
        found = json.loads((root / "blobs" / promised.hash).read_text("utf-8"))
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _hexadecimal(word: Any, what: str) -> str:
    if not isinstance(word, str) or not is_hash(word):
        raise ValueError(f"no hash for {what}")
    return word


def _fetch(
    repository: _Repository, commit: str, name: str, promised: Promise, report: Callable[[int], None]
) -> None:
    """One file into its blob, from where an earlier try stopped; then its hash is checked."""
    root = repository.root
    blob = root / "blobs" / promised.hash
    url = repository.url(name, commit)
    with repository_lock(root, promised.hash), opened_root(root) as opened, opened.reached("blobs") as blobs:
        if blob.is_file():  # another process was faster
            return
        part = blobs.place() / f"{promised.hash}.incomplete"
        _stream_with_retries(url, blobs, part, promised.size, report)
        found = digest(part, promised.hash)
        if found != promised.hash:
            part.unlink()
            raise BrokenModel(
                f"{name} of {repository.name} did not come as the hub promised",
                why=f"its hash is {found}, promised is {promised.hash}; it was removed",
                fix="try again; should it stay so, do not use this source",
            )
        blobs.rename(part.name, blob.name)


@contextlib.contextmanager
def repository_lock(root: Path, name: str) -> Iterator[None]:
    """One process at a time writes what has this name in a repository; the hub's library minds the lock too."""
    lock = cache_folder() / ".locks" / root.name / f"{name}.lock"
    with opened_root(lock.parents[1]) as locks, locks.reached(root.name):
        pass
    with _hub_tools().WeakFileLock(lock):
        yield


def _stream_with_retries(url: str, blobs: Folder, part: Path, size: int, report: Callable[[int], None]) -> None:
    """Ask again where a connection breaks, as long as that brings something."""
    tries = 0
    while True:
        before = part.stat().st_size if part.exists() else 0
        try:
            return _stream(url, blobs, part.name, size, report)
        except _transport_error() as error:
            status = getattr(getattr(error, "response", None), "status_code", None)
            if status == 416:
                part.unlink(missing_ok=True)
            elif status is not None and status not in (408, 429) and status < 500:
                raise
            came = part.exists() and part.stat().st_size > before
            tries = 0 if came else tries + 1
            if tries > len(WAITS):
                raise
            time.sleep(WAITS[max(tries - 1, 0)] if WAITS else 0)


def _stream(url: str, blobs: Folder, name: str, size: int, report: Callable[[int], None]) -> None:
    from huggingface_hub import get_session

    headers = {
        **_headers(),
        "Accept-Encoding": "identity",  # else a range is another one
    }
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


@contextlib.contextmanager
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
            raise ModelNotFound(
                f"no {repository.thing} {asked!r} here",
                why="the hub is not asked: HF_HUB_OFFLINE was set when the program began",
                fix="begin the program without it",
            ) from None
        except _transport_error() as error:
            answer = getattr(error, "response", None)
            raise refusal(asked, answer, type(error).__name__, repository.thing) from None
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            if isinstance(error, OSError):
                raise
            raise ModelNotFound(
                f"the hub {hub_host()} cannot be asked for {asked!r}",
                why=f"address, token or answer do not have the form of a hub's ({type(error).__name__})",
                fix="check HF_ENDPOINT and HF_TOKEN",
            ) from None


PUBLIC = "https://huggingface.co"


def hub_url() -> str:
    """The address of the hub: `HF_ENDPOINT` as it is now."""
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
    """What the hub's answer means, by its code or status; without one, by the kind of error that came instead."""
    if answer is None:
        return ModelNotFound(
            f"{asked!r} is not here, and the hub {hub_host()} cannot be reached",
            why=f"the connection failed ({kind}); what came is kept",
            fix=f"the same command goes on from there; or copy the {thing}'s folder here and give its path",
        )
    status, code = answer.status_code, answer.headers.get("X-Error-Code", "")
    if code == "GatedRepo":
        page = f"{urlsplit(hub_url()).scheme}://{hub_host()}/{asked.partition('@')[0]}"
        return ModelNotFound(
            f"the hub does not give {asked!r}: it is gated",
            why="its owner wants its terms accepted first",
            fix=f"accept them on {page}, then set HF_TOKEN",
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
