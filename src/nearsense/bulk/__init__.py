"""Texts by the hundred million: encoded, deduplicated, clustered in shards, on the cores of one machine or many.

What is done lies in a folder, or an object store, of which nothing counts before its manifest says so; a run that
ends in the middle goes on from there. For what fits one machine's memory the verbs are simpler.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypedDict, Unpack

from nearsense._progress import Progress
from nearsense.bulk.records import Outcome, Quarantined

if TYPE_CHECKING:
    from nearsense.bulk.run import Status

__all__ = ["How", "Outcome", "Quarantined", "cluster", "dedupe", "encode", "status"]


class How(TypedDict, total=False):
    """What `encode`, `dedupe` and `cluster` take besides, by name: how the input is read, and who does the work.

    Args:
        text: The column with the texts; several with commas between. Found by itself without it.
        id: The column with the ids. Without one, the row's place in the input.
        model: The model's name or folder.
        precision: How it runs, as for `ns.load`; so are `long` and `dimensions`.
        long: What becomes of texts that are longer than it reads.
        dimensions: How many numbers of each vector are kept.
        shard_rows: Rows of a shard of a parquet file, at most; 20,000 without it.
        workers: How many work side by side; one a core without it, none but this process for 0.
        ray: The address of a Ray cluster, or "auto"; without it processes of this machine.
        resume: Go on with what the output holds.
        progress: As for verbs.
    """

    text: str | None
    id: str | None
    model: str | None
    precision: str | None
    long: str
    dimensions: int | None
    shard_rows: int | None
    workers: int | None
    ray: str | None
    resume: bool
    progress: Progress


def encode(input: str, output: str, **how: Unpack[How]) -> Outcome:  # noqa: A002
    """Encode all texts of a folder of files, in shards.

    Args:
        input: A folder, a file or an address (`s3://bucket/folder`) of parquet, jsonl, csv, tsv or txt; or what a
            run wrote.
        output: A new folder or address: `encoded/*.parquet`, a part a shard, which `nearsense search` and the like
            read.
        how: How the input is read, and who does the work: see `How`.

    Returns:
        Outcome: rows, parts, and shards that were left out.

    Raises:
        FileError: Something cannot be read or written, or the output holds other things.
        InputError: The output holds another job, or this one and `resume` is not said.
        KeyboardInterrupt: Ctrl-C; what is done is kept.

    Example:
        >>> print(encode("texts", "encoded", workers=2))                             # doctest: +SKIP
        200,000 rows in 40 parts
    """
    from nearsense.bulk.run import Asked, running

    with running("encode", Asked.of(input, output, how), {}) as run:
        return run.finish()


def dedupe(
    input: str,  # noqa: A002
    output: str,
    *,
    min_probability: float | None = None,
    min_score: float | None = None,
    keep: str = "first",
    calibration: str | None = None,
    prior: float | None = None,
    **how: Unpack[How],
) -> Outcome:
    """Leave one row of each group of rows that say the same.

    Up to some 50,000 rows the result is that of `ns.duplicates`; of more, near pairs are looked for in cells of
    rows that lie together, and the share that is found is measured.

    Args:
        input: As for `encode`, or the output of it.
        output: A new folder or address: `kept/*.parquet`, rows as they stood in the input, and
            `dropped/*.parquet`, those that go, with the reason.
        min_probability: How probable it must be that two rows say the same; 0.9 without it.
        min_score: How near they must be instead, as cosine similarity.
        keep: Which row of a group stays, as for `ns.duplicates`, but for functions.
        calibration: As for `ns.duplicates`, but for a Calibration.
        prior: As for `ns.duplicates`.
        how: As for `encode`.

    Returns:
        Outcome: in `figures` how many rows `stay` and `go`, in which way, and the `recall` where it was measured.

    Raises:
        InputError: Two thresholds are given; and what `encode` and `ns.duplicates` raise.

    Example:
        >>> dedupe("texts", "clean", min_probability=0.95).figures["go"]              # doctest: +SKIP
        1520
    """
    from dataclasses import asdict

    from nearsense.bulk.deduplicating import Threshold, dedupe_parts
    from nearsense.bulk.run import Asked, running

    threshold = Threshold(min_probability, min_score, keep, calibration, prior)
    asked = Asked.of(input, output, how)
    with running("dedupe", asked, asdict(threshold), threshold.require_sense) as run:
        return run.finish(lambda parts: dedupe_parts(run, parts, threshold))


def cluster(input: str, output: str, k: int, *, seed: int = 0, **how: Unpack[How]) -> Outcome:  # noqa: A002
    """Make k groups of all texts, by k-means over the shards.

    Args:
        input: As for `encode`, or the output of it.
        output: A new folder or address: `clusters/*.parquet`, the cluster of each row and how near it is to its
            centre, and `centres.parquet`; the largest cluster is 0.
        k: How many.
        seed: Of the rows that the centres begin with: a whole number from 0 on.
        how: As for `encode`.

    Returns:
        Outcome: in `figures` how many `clusters` there are, the `steps`, and the mean `loss`, 1 - cosine.

    Raises:
        InputError: There are fewer texts than clusters; and what `encode` raises.

    Example:
        >>> cluster("texts", "topics", 50).figures["clusters"]                       # doctest: +SKIP
        50
    """
    from nearsense.bulk.clustering import cluster_parts, require_sense
    from nearsense.bulk.run import Asked, running

    asked, given = Asked.of(input, output, how), {"k": k, "seed": seed}
    with running("cluster", asked, given, lambda run: require_sense(k, seed, run.plan.rows)) as run:
        return run.finish(lambda parts: cluster_parts(run, parts, k, seed))


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
