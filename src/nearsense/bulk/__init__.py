"""Texts by the hundred million: encoded, deduplicated, clustered in shards, on the cores of one machine or many.

What is done lies in a folder, or an object store, of which nothing counts before its manifest says so; a run that
ends in the middle goes on from there. For what fits one machine's memory the verbs are simpler.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nearsense._progress import Progress
from nearsense.bulk.records import Outcome, Quarantined

if TYPE_CHECKING:
    from nearsense.bulk.run import Status

__all__ = ["Outcome", "Quarantined", "cluster", "dedupe", "encode", "status"]


def encode(
    input: str,  # noqa: A002
    output: str,
    *,
    text: str | None = None,
    id: str | None = None,  # noqa: A002
    model: str | None = None,
    shard_rows: int | None = None,
    workers: int | None = None,
    ray: str | None = None,
    resume: bool = False,
    progress: Progress = False,
    **loading: Any,
) -> Outcome:
    """Encode all texts of a folder of files, in shards.

    Args:
        input: A folder, a file or an address (`s3://bucket/folder`) of parquet, jsonl, csv, tsv or txt.
        output: A new folder or address: `encoded/*.parquet`, a part a shard, which `nearsense search` and the like
            read.
        text: The column with the texts; several with commas between.
        id: The column with the ids.
        model: The model's name or folder.
        shard_rows: Rows of a shard of a parquet file, at most.
        workers: How many work side by side; all cores without it.
        ray: The address of a Ray cluster, or "auto"; without it processes of this machine.
        resume: Go on with what the output holds.
        progress: As for verbs.
        loading: How the model runs, as for `ns.load`: `precision`, `long`, `dimensions`.

    Returns:
        Outcome: rows, parts, and shards that were left out.

    Raises:
        FileError: Something cannot be read or written, or the output holds other things.
        InputError: The output holds another job, or this one and `resume` is not said.
        KeyboardInterrupt: Ctrl-C; what is done is kept.

    Example:
        >>> from pathlib import Path; from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:                                     # doctest: +SKIP
        ...     _ = Path(folder, "texts.txt").write_text("It rains.\\nThe sun shines.\\n")
        ...     print(encode(f"{folder}/texts.txt", f"{folder}/out", workers=1))
        2 rows in 1 parts
    """
    from nearsense.bulk.encoding import part_name
    from nearsense.bulk.run import Run, Wanted, plan_of
    from nearsense.encoders import load

    encoder = load(model, **loading)
    known = {"text": text, "id_": id, "shard_rows": shard_rows}
    plan = plan_of("encode", input, **known, encoder=encoder, parameters={"role": "passage", **_said(loading)})
    run = Run(output, plan, Wanted(workers, ray, resume, progress), encoder, {"name": model, **loading})
    with run.at_work():
        shards, lost = run.encode()
        rows = run.count(shards)
        return run.commit([part_name(each.name) for each in shards], rows, lost, {})


def _said(loading: dict[str, Any]) -> dict[str, Any]:
    """What of how a model is loaded changes its vectors beside the fingerprint."""
    return {"long": loading["long"]} if loading.get("long") is not None else {}


def status(output: str) -> Status:
    """How far the job of an output is.

    Args:
        output: Its folder or address.

    Raises:
        FileError: There is no job.

    Example:
        >>> status("nowhere")
        Traceback (most recent call last):
        ...
        nearsense.errors.FileError: nowhere holds no bulk job
        why: there is no job.json in it
        fix: name the output of one: -o OUTPUT
    """
    from nearsense.bulk.run import status_of

    return status_of(output)
