"""Which losses there are, which suit what kind of examples, how long and how fast is learnt. No arithmetic."""

from __future__ import annotations

import math
from enum import StrEnum

from nearsense.errors import InputError
from nearsense.records import parse
from nearsense.training.examples import Kind


class Loss(StrEnum):
    """What is made small."""

    COSINE = "cosine"
    """The squared error of the cosine against the score (CosineSimilarityLoss)."""
    COSENT = "cosent"
    """Pairs out of order, by their cosines (CoSENTLoss; Su 2022)."""
    SOFTMAX = "softmax"
    """Cross-entropy of the labels, told from [u, v, |u - v|] (SoftmaxLoss; Reimers and Gurevych 2019)."""
    TRIPLET = "triplet"
    """By how much the negative is not farther than the positive by a margin (TripletLoss)."""
    NEGATIVES = "multiple-negatives"
    """Cross-entropy of finding the positive among all of the batch and the hard negatives (InfoNCE)."""
    CONTRASTIVE = "contrastive"
    """Pairs that are the same pulled together, others pushed beyond a margin (Hadsell et al. 2006)."""
    SUPERVISED = "supervised-contrastive"
    """The same among all texts of a batch, each of its class being right (Khosla et al. 2020)."""
    BATCH_HARD = "batch-hard-triplet"
    """The farthest of its class against the nearest of another, in each batch (Hermans et al. 2017)."""
    BINARY = "binary-cross-entropy"
    """Of a cross-encoder: the log loss of its score as a probability."""


SUITS: dict[Kind, tuple[Loss, ...]] = {
    Kind.GRADED: (Loss.COSINE, Loss.COSENT),
    Kind.LABELLED: (Loss.CONTRASTIVE, Loss.COSENT, Loss.COSINE, Loss.NEGATIVES),
    Kind.ENTAILMENT: (Loss.SOFTMAX,),
    Kind.TRIPLETS: (Loss.TRIPLET, Loss.NEGATIVES),
    Kind.POSITIVES: (Loss.NEGATIVES,),
    Kind.CLASSES: (Loss.NEGATIVES, Loss.SUPERVISED, Loss.BATCH_HARD),
}
"""What can be learnt from each kind with; the first one is taken where none is named."""

BATCH = 32
"""Examples that one step learns from, where nothing is said."""

RATE, RATE_IN_BATCH, TIMES_LORA = 2e-5, 5e-5, 10
"""The learning rate; where texts of a batch are each other's negatives; how much higher with LoRA."""

MARGIN = 0.3
"""By how much a negative has to be farther than the positive in cosine, for `triplet`."""

SCALE = 20.0
"""By what cosines are multiplied before a softmax: 1 / temperature."""


def loss_for(kind: Kind, said: str | None, *, cross: bool) -> Loss:
    """The loss that was named, if it suits the examples; else what follows from their kind."""
    suiting = (Loss.BINARY,) if cross else SUITS[kind]
    if said is None:
        return suiting[0]
    loss = parse(Loss, said, name="loss")
    if loss not in suiting:
        what = f"loss={loss.value!r} learns nothing from examples that are {kind.value}"
        if cross:
            what = f"loss={loss.value!r} is not for a cross-encoder"
        raise InputError(what, why=f"what suits them: {', '.join(each.value for each in suiting)}", fix="name one")
    return loss


def rate_for(loss: Loss, *, lora: bool) -> float:
    """The learning rate where nothing is said.

    Example:
        >>> rate_for(Loss.COSINE, lora=False), rate_for(Loss.NEGATIVES, lora=True)
        (2e-05, 0.0005)
    """
    in_batch = loss in (Loss.NEGATIVES, Loss.SUPERVISED, Loss.BATCH_HARD)
    return (RATE_IN_BATCH if in_batch else RATE) * (TIMES_LORA if lora else 1)


def epochs_for(examples: int) -> int:
    """How often each example is seen, where nothing is said: few are seen more often.

    Example:
        >>> [epochs_for(count) for count in (100, 800, 5_000, 50_000)]
        [20, 10, 4, 1]
    """
    return max(1, min(20, round(10 * math.sqrt(800 / max(examples, 1)))))
