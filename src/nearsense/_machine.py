"""What this machine can give: memory, cores, and a name that no other thread has."""

from __future__ import annotations

import os
import threading
from pathlib import Path

__all__ = ["cores", "free_memory", "whoami"]


def cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def free_memory() -> int:
    """Bytes that can be had now; 4 GiB where the machine does not say."""
    try:
        with Path("/proc/meminfo").open(encoding="ascii") as file:
            return next(int(line.split()[1]) * 1024 for line in file if line.startswith("MemAvailable"))
    except (OSError, StopIteration, ValueError):
        pass
    try:
        return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, OSError, ValueError):
        return 4 * 2**30


def whoami() -> str:
    """This process and this thread, as part of the name of a file that nobody else writes."""
    return f"{os.getpid()}-{threading.get_ident()}"
