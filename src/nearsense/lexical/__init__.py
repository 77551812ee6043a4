"""Scores without a model: which words two texts share. The yardstick of meaning, and the half that finds names."""

from __future__ import annotations

from nearsense.lexical.analysis import terms
from nearsense.lexical.bm25 import Segment, bm25
from nearsense.lexical.fusion import RRF_CONSTANT, reciprocal_rank_fusion
from nearsense.lexical.growing import GrowingPostings
from nearsense.lexical.overlap import jaccard, words
from nearsense.lexical.postings import Postings
from nearsense.lexical.tfidf import Sparse, Tfidf, overlaps, paired_dot

__all__ = [
    "RRF_CONSTANT",
    "GrowingPostings",
    "Postings",
    "Segment",
    "Sparse",
    "Tfidf",
    "bm25",
    "jaccard",
    "overlaps",
    "paired_dot",
    "reciprocal_rank_fusion",
    "terms",
    "words",
]
