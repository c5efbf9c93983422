"""The heap gives back what large blocks left behind."""

import subprocess
import sys

import pytest

PROBE = """
import os
from tokenpakd.processes.heap import Heap
def rss():
    return int(open("/proc/self/statm").read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
heap = Heap()
heap.configure()
before = rss()
blocks = [bytes(200_000) + bytes([n % 256]) for n in range(400)]
kept = blocks[-1]
full = rss()
del blocks
heap.trim()
print(before, full, rss())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc and trims glibc's heap")
def test_trimming_returns_what_was_freed() -> None:
    done = subprocess.run([sys.executable, "-c", PROBE], capture_output=True, text=True, check=True, timeout=60)
    before, full, after = map(int, done.stdout.split())
    assert full - before > 60_000_000
    assert after - before < 8_000_000
