"""An encoder of which everybody knows what it gives: a vector says which text it was, and how it was read."""

from __future__ import annotations

import hashlib
import threading
import time

import numpy as np

from nearsense.encoders import Encoder
from nearsense.errors import InputError, UnsupportedModel
from nearsense.kinds import Long
from nearsense.records import Vectors

POISON = "poison"


class Worded(Encoder):
    """A token a word, and two around a text. It refuses texts with the word `poison`, and what stands with them.

    `gate` holds it until it is set; `calls` are the texts of each call, in order; `seconds` it takes a token.
    """

    name, dimension, max_tokens, fingerprint, long = "worded", 8, 16, "0" * 64, Long.WARN

    def __init__(self, calls_at_once: int = 1, seconds: float = 0.0) -> None:
        self.calls_at_once, self.seconds = calls_at_once, seconds
        self.gate, self.calls, self.entered = threading.Event(), [], threading.Semaphore(0)
        self.gate.set()

    def encode(self, texts, *, role=None, long=None, normalize=None, **options):
        self.calls.append(list(texts))
        if texts:
            self.entered.release()
            assert self.gate.wait(20)
        if any(POISON in text.split() for text in texts):
            raise InputError("poisoned")
        tokens = words_of(texts)
        time.sleep(self.seconds * int(tokens.sum()))
        data = np.array([vector_of(text, role, long) for text in texts], np.float32).reshape(-1, 8)
        cut = (tokens > self.max_tokens) & (long != "chunk")
        return Vectors(data, self.fingerprint, cut, self.name)

    def count_tokens(self, texts):
        return words_of(texts)


class Uncounted(Worded):
    """One that cannot count tokens."""

    def count_tokens(self, texts):
        raise UnsupportedModel("it cannot count")


def words_of(texts):
    """Its tokens, in truth."""
    return np.array([len(text.split()) + 2 for text in texts], np.int64)


def vector_of(text, role=None, long="head"):
    """What `Worded` gives for a text."""
    digest = hashlib.blake2b(repr((text, role, str(long))).encode(), digest_size=8).digest()
    return np.frombuffer(digest, np.uint8).astype(np.float32)
