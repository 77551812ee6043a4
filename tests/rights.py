"""Rights as ordinary users have them, for tests that root runs too."""

from __future__ import annotations

import ctypes
import os
from contextlib import contextmanager

import pytest

VERSION = 0x20080522
OVERRIDE, SEARCH = 1, 2
"""By these capabilities of Linux permissions do not hold for root."""


@contextmanager
def ordinary_rights():
    """Within it permissions hold, whoever runs the tests; the test is skipped where that cannot be had."""
    if not hasattr(os, "geteuid"):
        pytest.skip("permissions here are not those of Unix")
    if os.geteuid() != 0:
        yield
        return
    libc = ctypes.CDLL(None, use_errno=True)
    if not hasattr(libc, "capset"):
        pytest.skip("root's rights cannot be laid down here")
    header = (ctypes.c_uint32 * 2)(VERSION, 0)
    rights = (ctypes.c_uint32 * 6)()
    assert libc.capget(header, rights) == 0
    before = rights[0]
    rights[0] = before & ~(1 << OVERRIDE | 1 << SEARCH)
    assert libc.capset(header, rights) == 0
    try:
        yield
    finally:
        rights[0] = before
        assert libc.capset(header, rights) == 0
