"""A fast model made of a slow one: a table of one vector a token, fitted to the vectors of whole texts. All numpy.

The table begins with what the parent makes of each token alone, weighted by how rare it is in the texts (SIF,
Arora et al. 2017). One linear map brings the means of such vectors as near to the parent's as least squares can,
for rare and unseen tokens too. Then the rows of tokens that occur are tuned (AdaGrad, Duchi et al. 2011).
"""

from __future__ import annotations

import json
import time
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nearsense import checks
from nearsense._progress import Progress, tracked
from nearsense.corpus import Texts, as_documents
from nearsense.encoders import Encoder, resolve, symmetric_role
from nearsense.encoders.modules import mean_rows
from nearsense.errors import InputError, UnsupportedModel
from nearsense.records import as_json
from nearsense.vectors.rows import blocks
from nearsense.vectors.rows import normalize as unit_length

if TYPE_CHECKING:
    import os

    from numpy.typing import NDArray

    from nearsense.corpus import TextColumn
    from nearsense.encoders.tokenizer import Tokenizer

    Floats = NDArray[np.float32]
    Places = NDArray[np.int64]

RARE = 1e-3
"""The frequency at which a token counts half (SIF)."""
RIDGE = 1e-3
"""What holds the map back, as a share of the mean variance."""
RATE, EPOCHS, BATCH = 0.06, 3, 512
FEWEST = 200
"""Texts without which nothing can be fitted."""
HELD = 0.05
"""The share of the texts that is kept apart to measure on, 2,000 at most."""
LONGEST = 256
"""Tokens of a text that are learnt from."""
TIMED = 2000
"""Texts by which both models are timed."""
FOLDER = "0_StaticEmbedding"


@dataclass(frozen=True)
class Distilled:
    """A static model made of another one, and what that costs.

    Args:
        path: Its folder.
        parent: The model that it was made of.
        texts: How many different ones it was fitted to.
        tokens: Rows of its table.
        dimension: Of its vectors.
        likeness: Mean cosine of its vectors with the parent's, on texts that were kept apart.
        neighbours: Of the ten nearest of each of these texts by the parent, the share that it finds among them.
        probe: Rank correlation of its scores with what pairs of the probe mean (same, near, topic, unrelated).
        probe_parent: The same of the parent.
        speedup: How many times as fast as the parent it encodes a part of the texts, both in one run.
    """

    path: Path
    parent: str
    texts: int
    tokens: int
    dimension: int
    likeness: float
    neighbours: float
    probe: float
    probe_parent: float
    speedup: float

    @property
    def kept(self) -> float:
        """The share of the parent's rank correlation on the probe that is left."""
        return self.probe / self.probe_parent if self.probe_parent > 0 else float("nan")

    def __str__(self) -> str:
        return "\n".join(
            [
                f"{self.path}: {self.tokens:,} tokens x {self.dimension}, fitted to {self.texts:,} texts of yours",
                f"on your texts, kept apart: cosine with {self.parent} {self.likeness:.3f}, "
                f"{self.neighbours:.0%} of the ten nearest are the same",
                f"on the probe: rank correlation {self.probe:.3f}, {self.kept:.0%} of the parent's "
                f"{self.probe_parent:.3f}",
                f"{self.speedup:.0f} times as fast, in this run",
                "It does not see the order of words: what hangs on order, or on a 'not', it cannot tell.",
            ]
        )

    def to_dict(self) -> dict[str, Any]:
        """As JSON values."""
        known = as_json(self, "parent texts tokens dimension likeness neighbours probe probe_parent kept speedup")
        return {"path": str(self.path), **known}


def distill(
    model: Encoder | str | None,
    texts: Texts,
    *,
    text: TextColumn = None,
    output: str | os.PathLike[str],
    dimensions: int | None = None,
    epochs: int = EPOCHS,
    seed: int = 0,
    progress: Progress = False,
) -> Distilled:
    """Make a static model of another one: a table of one vector a token, which needs no transformer.

    It is fitted to the parent's vectors of your texts, which need no labels: the more, and the more like those
    that it will meet, the better. Its folder is read by nearsense and by sentence-transformers.

    Args:
        model: An Encoder with a tokenizer here, or a model's name; None for the default.
        texts: Strings or Documents, a Series, a path; or a frame, with `text`. 200 that differ at least; 10,000
            and more are better.
        text: The column of a frame or file that holds the texts; of several they are joined.
        output: The folder to write; it must not be there.
        dimensions: Fewer numbers than the parent's vectors have: those that keep most (PCA).
        epochs: How often the tuning sees each text; 0 leaves the map of least squares.
        seed: Of what is kept apart, and of the order.
        progress: True for a bar on stderr, or a function called with (done, total) steps.

    Returns:
        Distilled: how fast it is, and what it costs on texts kept apart and on the probe.

    Raises:
        InputError: There are too few texts, or more dimensions than the parent has.
        UnsupportedModel: The model has no tokenizer here, as one on a server.
        FileError: The folder is there, or cannot be written; nothing is left behind.

    Example:
        >>> import nearsense as ns
        >>> ns.distill("all-MiniLM-L6-v2", ["too few"], output="fast")
        Traceback (most recent call last):
        nearsense.errors.InputError: 1 texts are too few to fit a model to
        ...
    """
    from nearsense.files import new_folder

    parent = resolve(model)
    tokenizer = _tokenizer_of(parent)
    own = list(dict.fromkeys(document.text for document in as_documents(texts, text)))
    if len(own) < FEWEST:
        why, fix = (
            f"{FEWEST} that differ are needed, thousands are better",
            "give more texts: no labels are needed",
        )
        raise InputError(f"{len(own):,} texts are too few to fit a model to", why=why, fix=fix)
    size = parent.dimension if dimensions is None else checks.positive_int(dimensions, "dimensions")
    if size > parent.dimension:
        why = f"{parent.name} makes {parent.dimension}"
        raise InputError(f"dimensions={size} is more than there is", why=why, fix="leave dimensions out")
    with new_folder(Path(output)) as draft:
        held = min(int(HELD * len(own)), 2000)
        order = np.random.default_rng(seed).permutation(len(own))
        bags = Bags.of([own[row] for row in order], tokenizer)
        wanted = _vectors(parent, [own[row] for row in order], progress)
        fitted, kept = bags.part(held, None), bags.part(0, held)
        table = _begin(parent, tokenizer, fitted, wanted[held:])
        table = _tuned(table, fitted, wanted[held:], (kept, wanted[:held]), epochs, seed, progress)
        if size < parent.dimension:
            table = _narrowed(table, fitted, size)
        _write(draft, table, parent)
        figures = _judged(draft, parent, [own[row] for row in order[:held]], wanted[:held])
    return Distilled(Path(output), parent.name, len(own) - held, len(table), size, **figures)


@dataclass(frozen=True, slots=True)
class Bags:
    """The tokens of n texts, end to end: `ids`, of which each text has `lengths`, shape (n,), one at least."""

    ids: Places
    lengths: Places
    starts: Places

    @classmethod
    def of(cls, texts: list[str], tokenizer: Tokenizer) -> Bags:
        """Of texts, each cut at 256 tokens; one without any gets the token of what is not known."""
        tokens = tokenizer(texts)
        lengths = np.minimum(tokens.lengths, LONGEST)
        ids = [tokens.ids[start : start + length] for start, length in zip(tokens.starts, lengths, strict=True)]
        ids = [each if len(each) else np.zeros(1, np.int64) for each in ids]
        lengths = np.maximum(lengths, 1)
        return cls(np.concatenate(ids).astype(np.int64), lengths, np.cumsum(lengths) - lengths)

    def part(self, first: int, last: int | None) -> Bags:
        """The texts from one to before another."""
        lengths = self.lengths[first:last]
        begin = int(self.starts[first])
        return Bags(self.ids[begin : begin + int(lengths.sum())], lengths, np.cumsum(lengths) - lengths)

    def take(self, rows: Places) -> tuple[Places, Places, Places]:
        """Ids of some texts end to end, where each text begins, and which of them each id is of."""
        lengths = self.lengths[rows]
        begins = np.cumsum(lengths) - lengths
        owners = np.repeat(np.arange(len(rows)), lengths)
        return self.ids[np.arange(int(lengths.sum())) + (self.starts[rows] - begins)[owners]], begins, owners

    def means(self, table: Floats) -> Floats:
        """The mean of each text's rows of a table: shape (n, d)."""
        found = np.empty((len(self.lengths), table.shape[1]), np.float32)
        for part in blocks(len(found), BATCH):
            rows = np.arange(part.start, part.stop)
            ids, begins, _ = self.take(rows)
            found[part] = mean_rows(table, ids, begins, self.lengths[rows])
        return found


def _tokenizer_of(parent: Encoder) -> Tokenizer:
    """What takes texts apart for a model that runs here."""
    from nearsense.encoders.batch import TokenEncoder
    from nearsense.encoders.cache import runner_of

    runner = runner_of(parent)
    if not isinstance(runner, TokenEncoder):
        why, fix = "its tokens are not known here", "use a model that runs here: nearsense models"
        raise UnsupportedModel(f"{parent.name} cannot be distilled", why=why, fix=fix)
    return runner.tokenizer


def _vectors(parent: Encoder, texts: list[str], progress: Progress) -> Floats:
    """Unit vectors of the parent, through the cache; heads of long texts."""
    from nearsense.cached import cached

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        data = cached(parent).encode(texts, role=symmetric_role(parent), long="head", progress=progress).data
    return unit_length(data, zero="keep")


def _begin(parent: Encoder, tokenizer: Tokenizer, bags: Bags, wanted: Floats) -> Floats:
    """The table before it is tuned: tokens alone, weighted, and mapped as least squares can."""
    alone = _vectors(parent, tokenizer.words(), False)
    counts = np.bincount(bags.ids, minlength=len(alone))
    alone *= (RARE / (RARE + counts / len(bags.ids))).astype(np.float32)[:, None]
    means = bags.means(alone).astype(np.float64)
    square = means.T @ means
    square[np.diag_indices_from(square)] += RIDGE * np.trace(square) / len(square)
    table = (alone @ np.linalg.solve(square, means.T @ wanted)).astype(np.float32)
    lengths = np.linalg.norm(bags.means(table), axis=1)
    scaled: Floats = table / np.float32(max(float(lengths.mean()), 1e-6))
    return scaled


def _tuned(
    table: Floats,
    bags: Bags,
    wanted: Floats,
    held: tuple[Bags, Floats],
    epochs: int,
    seed: int,
    progress: Progress,
) -> Floats:
    """The table that is nearest to the parent on texts kept apart, of those after each epoch and before."""
    best, likeness = table.copy(), _likeness(table, *held)
    chance, seen = np.random.default_rng(seed), np.zeros(len(table), np.float32)
    steps = epochs * -(-len(wanted) // BATCH)
    with tracked(steps, "steps", progress) as update:
        done = 0
        for _ in range(epochs):
            order = chance.permutation(len(wanted))
            for start in range(0, len(order), BATCH):
                _step(table, seen, bags, wanted, order[start : start + BATCH], RATE * (1 - done / steps))
                update(done := done + 1)
            if (found := _likeness(table, *held)) > likeness:
                best, likeness = table.copy(), found
    return best


def _step(table: Floats, seen: Floats, bags: Bags, wanted: Floats, rows: Places, rate: float) -> None:
    """Move the rows of the tokens of some texts towards higher cosines of these with the parent's vectors."""
    ids, begins, owners = bags.take(rows)
    lengths = bags.lengths[rows, None].astype(np.float32)
    means = mean_rows(table, ids, begins, bags.lengths[rows])
    norms = np.maximum(np.linalg.norm(means, axis=1, keepdims=True), np.float32(1e-9))
    unit, goal = means / norms, wanted[rows]
    each = (np.vecdot(unit, goal)[:, None] * unit - goal) / norms / lengths
    order = np.argsort(ids, kind="stable")
    tokens, firsts = np.unique(ids[order], return_index=True)
    gradient = np.add.reduceat(each[owners[order]], firsts, axis=0)
    seen[tokens] += np.square(gradient).mean(axis=1)
    table[tokens] -= np.float32(rate) * gradient / (np.sqrt(seen[tokens])[:, None] + np.float32(1e-6))


def _likeness(table: Floats, bags: Bags, wanted: Floats) -> float:
    """The mean cosine with the parent's vectors."""
    return float(np.vecdot(unit_length(bags.means(table), zero="keep"), wanted).mean())


def _narrowed(table: Floats, bags: Bags, size: int) -> Floats:
    """The table turned to the directions in which texts differ most, and cut there (PCA about the origin)."""
    means = bags.means(table).astype(np.float64)
    _, directions = np.linalg.eigh(means.T @ means)
    turned: Floats = (table @ directions[:, ::-1][:, :size]).astype(np.float32)
    return turned


def _write(draft: Path, table: Floats, parent: Encoder) -> None:
    """The folder of a static model as sentence-transformers has it."""
    from nearsense.encoders.hub_files import WEIGHTS
    from nearsense.encoders.weights import write_tensors

    (draft / FOLDER).mkdir()
    _tokenizer_of(parent).save(draft / FOLDER / "tokenizer.json")
    write_tensors(draft / FOLDER / WEIGHTS, {"embedding.weight": table})
    kinds = {FOLDER: "StaticEmbedding", "1_Normalize": "Normalize"}
    modules = [
        {"idx": idx, "name": str(idx), "path": path, "type": f"sentence_transformers.models.{kind}"}
        for idx, (path, kind) in enumerate(kinds.items())
    ]
    (draft / "1_Normalize").mkdir()
    (draft / "modules.json").write_text(json.dumps(modules, indent=1) + "\n", "utf-8")
    known = {"parent": parent.source or parent.name, "parent_fingerprint": parent.fingerprint}
    facts = {**known, "kind": "distilled", "dimension": table.shape[1]}
    (draft / "nearsense.json").write_text(json.dumps(facts, indent=1) + "\n", "utf-8")


def _judged(folder: Path, parent: Encoder, texts: list[str], wanted: Floats) -> dict[str, float]:
    """What the folder's model costs, loaded as users load it."""
    from nearsense.encoders import load
    from nearsense.vectors.similarity import top_k

    fast = load(str(folder), language_check=False)
    found = _vectors(fast, texts, False)
    nearest = [top_k(each, each, min(11, len(texts))).ids for each in (wanted, found)]
    shared = [len(({*a} & {*b}) - {row}) for row, (a, b) in enumerate(zip(*nearest, strict=True))]
    likeness = float("nan")
    if found.shape == wanted.shape:
        likeness = float(np.vecdot(found, wanted).mean())
    return {
        "likeness": likeness,
        "neighbours": sum(shared) / max(1, len(texts) * (min(11, len(texts)) - 1)),
        "probe": _probe(fast),
        "probe_parent": _probe(parent),
        "speedup": _seconds(parent, texts) / _seconds(fast, texts),
    }


def _probe(model: Encoder) -> float:
    """Rank correlation of cosines with the relations of the English pairs of the probe."""
    from nearsense.metrics import spearman
    from nearsense.probing import pairs_for

    _, pairs = pairs_for(model, passages=False)
    truth = [{"same": 3.0, "near": 2.0, "topic": 1.0}.get(each.relation, 0.0) for each in pairs]
    if len(set(truth)) < 2:
        return float("nan")
    left, right = (_vectors(model, [getattr(each, side) for each in pairs], False) for side in ("left", "right"))
    return spearman(truth, np.vecdot(left, right))


def _seconds(model: Encoder, texts: list[str]) -> float:
    """What a text takes, without a cache: the best of some runs."""
    from nearsense.encoders.cache import uncached

    own = uncached(model)
    rounds = -(-TIMED // len(texts))  # a text that comes again is another one
    some = [text if not turn else f"{text} {turn}" for turn in range(rounds) for text in texts][:TIMED]

    def run(count: int) -> float:
        start = time.perf_counter()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            own.encode(some[:count], role=symmetric_role(own), long="head")
        return (time.perf_counter() - start) / count

    run(8)
    few = run(64)
    return min(few, run(TIMED if few < 1e-3 else 256))
