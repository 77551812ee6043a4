"""Scores without a model: which words two texts share. The yardstick of meaning, and the half that finds names."""

from __future__ import annotations

from nearsense.lexical.analysis import terms
from nearsense.lexical.bm25 import RRF_CONSTANT, Segment, bm25, reciprocal_rank_fusion
from nearsense.lexical.postings import Found, GrowingPostings, Postings, term_hash
from nearsense.lexical.tfidf import Sparse, Tfidf, jaccard, overlaps, paired_dot, words

__all__ = [
    "RRF_CONSTANT",
    "Found",
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
    "term_hash",
    "terms",
    "words",
]
