"""Loaded by every Python that starts with this folder on its path: a worker ends itself where it reads a word."""

import os
import signal

if word := os.environ.get("NEARSENSE_TEST_POISON"):
    from nearsense.bulk import encoding

    read = encoding.read_shard

    def read_shard(*given):
        rows = read(*given)
        if any(word in text for text in rows.texts):
            os.kill(os.getpid(), signal.SIGKILL)
        return rows

    encoding.read_shard = read_shard
