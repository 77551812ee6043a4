"""Models whose threads are limited share the cores: two processes of one thread work on two. Slow: it is timed."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

PROGRAM = """
import sys, time
import nearsense as ns
encoder = ns.load(threads=1)
encoder.encode([f"a first text {number}" for number in range(300)])
print("ready", flush=True)
sys.stdin.readline()
wall, own = time.perf_counter(), time.process_time()
encoder.encode([f"the text number {number} of many" for number in range(1500)])
print((time.process_time() - own) / (time.perf_counter() - wall))
"""


@pytest.mark.slow
@pytest.mark.skipif((os.cpu_count() or 1) < 2, reason="there is one core")
def test_two_processes_of_one_thread_work_on_two_cores():
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    both = [subprocess.Popen([sys.executable, "-c", PROGRAM], **pipes) for _ in range(2)]
    assert [each.stdout.readline() for each in both] == ["ready\n"] * 2
    for each in both:
        each.stdin.write("go\n")
        each.stdin.flush()
    shares = [float(each.communicate()[0]) for each in both]
    assert min(shares) > 0.75  # of a core; bound to the same one each would have half
