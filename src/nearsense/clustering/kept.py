"""Clusters into a file and back: names, centres, who is in them. Not the texts, and not their vectors."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nearsense.clustering.clusters import Cluster, Clusters, Model
from nearsense.errors import FileError
from nearsense.files import atomic_write
from nearsense.types import Document, Metric, Origin

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["load_clusters", "save"]

FORMAT = "nearsense clusters"
VERSION = 1


def save(clusters: Clusters, path: str | os.PathLike[str]) -> None:
    """Write clusters as JSON; see `Clusters.save`."""
    known = {FORMAT: VERSION, **clusters.origin.to_dict(), "ids": list(clusters.ids), **_level(clusters)}
    known["themes"] = None if clusters.themes is None else _level(clusters.themes)
    with atomic_write(path) as stream:
        stream.write((json.dumps(known, ensure_ascii=False) + "\n").encode("utf-8", "surrogatepass"))


def load_clusters(path: str | os.PathLike[str]) -> Clusters:
    """Read what `Clusters.save` wrote.

    Args:
        path: The file.

    Returns:
        Clusters that new texts can be assigned to. Their own texts and vectors are not there, so nothing that
        looks into them works: `split`, `representatives`, `outliers`, `with_stability`.

    Raises:
        FileError: It cannot be read, or holds no clusters.

    Example:
        >>> import nearsense as ns, tempfile
        >>> file = f"{tempfile.mkdtemp()}/old.clusters"
        >>> ns.cluster(["a dog", "a cat", "a tax"], k=2).save(file)
        >>> ns.load_clusters(file).assign(["a kitten"]).labels.shape
        (1,)
    """
    try:
        with Path(path).open(encoding="utf-8", errors="surrogatepass") as file:
            known = json.load(file)
    except OSError as error:
        raise FileError(
            f"{path} cannot be read", why=error.strerror or str(error), fix="check the name of the file"
        ) from error
    except (ValueError, RecursionError) as error:
        raise _refusal(path, error) from error
    try:
        return _clusters(known)
    except (KeyError, TypeError, ValueError, AttributeError, IndexError, OverflowError) as error:
        raise _refusal(path, error) from error


def _refusal(path: str | os.PathLike[str], error: Exception) -> FileError:
    return FileError(
        f"{path} holds no clusters",
        why=f"{type(error).__name__}: {error}".splitlines()[0],
        fix="make such a file: nearsense cluster FILE --save old.clusters",
    )


def _level(clusters: Clusters) -> dict[str, Any]:
    """One level of clusters."""
    rows = {id_: row for row, id_ in enumerate(clusters.ids)}
    model = clusters.model
    return {
        "method": clusters.method,
        "exact": clusters.exact,
        "min_size": model.min_size,
        "seed": model.seed,
        "dimension": int(model.centres.shape[1]),
        "centres": _packed(model.centres),
        "thresholds": _packed(model.thresholds),
        "strengths": _packed(clusters.strengths),
        "clusters": [
            {**cluster.to_dict(), "members": [rows[member] for member in cluster.members]} for cluster in clusters
        ],
    }


def _packed(array: NDArray[np.float32]) -> str:
    return base64.b64encode(np.ascontiguousarray(array, "<f4").tobytes()).decode()


def _unpacked(text: str, shape: tuple[int, ...]) -> NDArray[np.float32]:
    array = np.frombuffer(base64.b64decode(text, validate=True), "<f4").reshape(shape).astype(np.float32)
    if not np.isfinite(array).all():
        raise ValueError("a number is not finite")
    return array


def _clusters(known: Mapping[str, Any]) -> Clusters:
    if known[FORMAT] != VERSION:
        later = isinstance(known[FORMAT], int) and known[FORMAT] > VERSION
        raise ValueError(f"its version, {known[FORMAT]!r}, is {'of a later nearsense' if later else 'no version'}")
    origin = Origin(str(known["model"]), str(known["fingerprint"]), Metric(known["metric"]), str(known["version"]))
    ids = [str(id_) for id_ in known["ids"]]
    themes = None if known["themes"] is None else _read(known["themes"], origin, ids, None)
    return _read(known, origin, ids, themes)


def _read(level: Mapping[str, Any], origin: Origin, ids: list[str], themes: Clusters | None) -> Clusters:
    labels = np.full(len(ids), -1, np.int64)
    items = []
    for each in level["clusters"]:
        labels[each["members"]] = each["id"]
        items.append(_cluster(each, ids))
    k, dimension = len(items), int(level["dimension"])
    model = Model(
        np.array([item.id for item in items], np.int64),
        _unpacked(level["centres"], (k, dimension)),
        _unpacked(level["thresholds"], (k,)),
        int(level["min_size"]),
        int(level["seed"]),
    )
    if model.ids.tolist() != list(range(k)):
        raise ValueError("the ids of its clusters are not 0, 1, 2 and so on")
    if model.min_size < 2 or any(not 0 <= row < len(ids) for each in level["clusters"] for row in each["members"]):
        raise ValueError("its smallest size is below 2, or a cluster has a text that is not there")
    if themes is not None and not {item.parent for item in items} <= {None, *range(len(themes))}:
        raise ValueError("a cluster is under a theme that is not there")
    return Clusters(
        items,
        origin,
        labels=labels,
        strengths=_unpacked(level["strengths"], (len(ids),)),
        ids=ids,
        method=str(level["method"]),
        exact=bool(level["exact"]),
        model=model,
        themes=themes,
    )


def _cluster(each: Mapping[str, Any], ids: list[str]) -> Cluster:
    exemplar = each["exemplar"]
    found = Cluster(
        int(each["id"]),
        str(each["label"]),
        tuple(map(str, each["keywords"])),
        int(each["size"]),
        float(each["cohesion"]),
        None if exemplar is None else Document(str(exemplar["id"]), str(exemplar["text"])),
        tuple(ids[row] for row in each["members"]),
    )
    parent, stability = each["parent"], each["stability"]
    return replace(
        found,
        parent=None if parent is None else int(parent),
        stability=None if stability is None else float(stability),
        new=bool(each["new"]),
    )
