"""From the model hub into its cache: all wanted files or none, each by its hash. Not where a model is looked for.

Which files are wanted stands in hub_files.py, how the cache is laid out in hub_cache.py. Files travel by plain
HTTP, and what an interruption left is gone on with: the hub's library begins anew each time, so the bytes are read
here.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from nearsense._progress import Progress, tracked
from nearsense.encoders.hub_cache import (
    Promised,
    cache_folder,
    digest,
    is_hash,
    is_repository,
    is_revision,
    keep_promises,
    repository_folder,
)
from nearsense.encoders.hub_errors import hub_host, hub_url, refusal
from nearsense.encoders.hub_files import leave_a_choice, wanted
from nearsense.errors import BrokenModel, FileError, ModelNotFound, NearsenseError

__all__ = ["download", "wanted"]

WAITS = (0.5, 1.0, 2.0, 4.0)
"""Seconds between tries that brought nothing; one that brought bytes starts the row again."""


def download(repository: str, revision: str | None = None, *, progress: Progress = False) -> Path:
    """Fetch a model into the hub's cache; what is there already and right is not fetched again.

    Args:
        repository: `org/name`.
        revision: A branch, a tag or a commit; None is `main`.
        progress: How to show the bytes.

    Returns:
        The folder of the snapshot, with every wanted file in it.

    Raises:
        ModelNotFound: The hub does not have it, does not give it, or cannot be reached.
        UnsupportedModel: Nothing of it can be read here; nothing was fetched.
        BrokenModel: What came is not what the hub promised; it was removed.
        FileError: The cache cannot be written.
    """
    if not (is_repository(repository) and is_revision(revision or "main")):
        raise ModelNotFound(
            f"{repository!r} at {revision or 'main'!r} cannot be a model of the hub",
            why="a model there is called org/name or org/name@revision",
            fix="check the spelling",
        )
    with _explained(repository, revision):
        commit, promised = _listing(repository, revision)
        root = repository_folder(repository)
        missing = {each.hash: name for name, each in promised.items() if not _is_there(root, each)}
        total = sum(each.size for each in promised.values())
        _check_room(root, sum(each.size for each in promised.values() if each.hash in missing))
        with tracked(total, "bytes", progress) as update:
            done = total - sum(promised[name].size for name in missing.values())
            for name in missing.values():
                _fetch(repository, commit, name, promised[name], _counting(update, done))
                done += promised[name].size
                update(done)
        return _published(root, commit, revision or "main", promised)


def _counting(update: Callable[[int], None], before: int) -> Callable[[int], None]:
    return lambda now: update(before + now)


def _listing(repository: str, revision: str | None) -> tuple[str, dict[str, Promised]]:
    """The commit, and what the hub promises of each wanted file."""
    from huggingface_hub import HfApi

    found = HfApi(endpoint=hub_url()).model_info(
        repository, revision=revision or "main", files_metadata=True, timeout=_patience()
    )
    files = {each.rfilename: each for each in found.siblings or []}
    commit, names = _hexadecimal(found.sha, "the commit"), wanted(list(files))
    if leave_a_choice(list(files)):
        names = wanted(list(files), _configuration(repository, commit, _promised(files["config.json"])))
    return commit, {name: _promised(files[name]) for name in names}


def _promised(file: Any) -> Promised:
    size, sum_ = (file.lfs.size, file.lfs.sha256) if file.lfs else (file.size, file.blob_id)
    return Promised(_number(size), _hexadecimal(sum_, file.rfilename))


def _configuration(repository: str, commit: str, promised: Promised) -> dict[str, Any]:
    """The repository's config.json, fetched before all else; `{}` where it has no such form."""
    root = repository_folder(repository)
    if not _is_there(root, promised):
        _check_room(root, promised.size)
        _fetch(repository, commit, "config.json", promised, lambda _done: None)
    try:
        found = json.loads((root / "blobs" / promised.hash).read_text("utf-8"))
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _number(size: Any) -> int:
    if not isinstance(size, int) or size < 0:
        raise ValueError(f"a file of {size!r} bytes")
    return size


def _hexadecimal(word: Any, what: str) -> str:
    if not isinstance(word, str) or not is_hash(word):
        raise ValueError(f"no hash for {what}")
    return word


def _is_there(root: Path, promised: Promised) -> bool:
    """Whether the blob is there as promised; a wrong one is removed."""
    blob = root / "blobs" / promised.hash
    try:
        if blob.stat().st_size == promised.size and digest(blob, promised.hash) == promised.hash:
            return True
    except FileNotFoundError:
        return False
    blob.unlink()
    return False


def _check_room(root: Path, needed: int) -> None:
    root.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(root).free
    if needed > free:
        raise OSError(errno.ENOSPC, f"{needed / 1e6:,.1f} MB are needed, {free / 1e6:,.1f} MB are free")


def _fetch(repository: str, commit: str, name: str, promised: Promised, report: Callable[[int], None]) -> None:
    """One file into its blob, from where an earlier try stopped; then its hash is checked."""
    from huggingface_hub import hf_hub_url

    root = repository_folder(repository)
    blob, lock = root / "blobs" / promised.hash, cache_folder() / ".locks" / root.name / f"{promised.hash}.lock"
    blob.parent.mkdir(parents=True, exist_ok=True)
    lock.parent.mkdir(parents=True, exist_ok=True)
    url = hf_hub_url(repository, name, revision=commit, endpoint=hub_url())
    with _tools().WeakFileLock(lock):
        if blob.is_file():  # another process was faster
            return
        part = blob.with_name(f"{promised.hash}.incomplete")
        _persistently(url, part, promised.size, report)
        found = digest(part, promised.hash)
        if found != promised.hash:
            part.unlink()
            raise BrokenModel(
                f"{name} of {repository} did not come as the hub promised",
                why=f"its hash is {found}, promised is {promised.hash}; it was removed",
                fix="try again; should it stay so, do not use this source",
            )
        part.replace(blob)


def _persistently(url: str, part: Path, size: int, report: Callable[[int], None]) -> None:
    """Ask again where a connection breaks, as long as that brings something."""
    tries = 0
    while True:
        before = part.stat().st_size if part.exists() else 0
        try:
            return _stream(url, part, size, report)
        except _transport() as error:
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


def _stream(url: str, part: Path, size: int, report: Callable[[int], None]) -> None:
    from huggingface_hub import get_session

    headers = {
        **_tools().build_hf_headers(),
        "Accept-Encoding": "identity",
    }  # else a range is another one
    with part.open("ab") as file:
        if file.tell() > size:
            file.truncate(0)
        there = file.seek(0, os.SEEK_END)
        if there == size:
            return
        if there:
            headers["Range"] = f"bytes={there}-"
        with get_session().stream("GET", url, headers=headers, timeout=_patience()) as answer:
            _tools().hf_raise_for_status(answer)
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
        raise _transport()(f"{there} of {size} bytes came")


def _published(root: Path, commit: str, revision: str, promised: Mapping[str, Promised]) -> Path:
    """Make the snapshot of blobs that are all there, and then point the revision to it."""
    folder = root / "snapshots" / commit
    keep_promises(folder, promised)
    for name, each in promised.items():
        file, blob = folder / name, root / "blobs" / each.hash
        file.parent.mkdir(parents=True, exist_ok=True)
        aside = file.with_name(f".{file.name}.{os.getpid()}")
        aside.unlink(missing_ok=True)
        try:
            aside.symlink_to(os.path.relpath(blob, file.parent))
        except OSError:  # a file system without links
            shutil.copyfile(blob, aside)
        aside.replace(file)
    if revision != commit:
        reference = root / "refs" / revision
        reference.parent.mkdir(parents=True, exist_ok=True)
        aside = reference.with_name(f".{reference.name}.{os.getpid()}")
        aside.write_text(commit, "ascii")
        aside.replace(reference)
    return folder


def _tools() -> Any:
    """The library's own helpers; it exports them in a way that type checkers do not follow."""
    from huggingface_hub import utils

    return utils


def _patience() -> float:
    from huggingface_hub import constants

    return float(constants.HF_HUB_DOWNLOAD_TIMEOUT)


def _transport() -> type[Exception]:
    """The class of everything that goes wrong on the way: what the library's own errors are made of."""
    from huggingface_hub.errors import HfHubHTTPError

    return next(base for base in HfHubHTTPError.__bases__ if base is not OSError)


@contextlib.contextmanager
def _explained(repository: str, revision: str | None) -> Iterator[None]:
    """Turn what goes wrong with the hub or the disk into an error of one plain sentence, never with the token."""
    from huggingface_hub.errors import OfflineModeIsEnabled

    asked = f"{repository}@{revision}" if revision else repository
    trouble: NearsenseError
    try:
        yield
    except NearsenseError:
        raise
    except OfflineModeIsEnabled:
        trouble = ModelNotFound(
            f"no model {asked!r} here",
            why="the hub is not asked: HF_HUB_OFFLINE was set when the program began",
            fix="begin the program without it",
        )
        raise trouble from None
    except _transport() as error:
        raise refusal(asked, getattr(error, "response", None), type(error).__name__) from None
    except OSError as error:
        trouble = FileError(
            f"{asked} cannot be kept in {cache_folder()}",
            why=error.strerror or type(error).__name__,
            fix="free some space, or set HF_HOME to a folder with room that may be written",
        )
        raise trouble from None
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        trouble = ModelNotFound(
            f"the hub {hub_host()} cannot be asked for {asked!r}",
            why=f"address, token or answer do not have the form of a hub's ({type(error).__name__})",
            fix="check HF_ENDPOINT and HF_TOKEN",
        )
        raise trouble from None
