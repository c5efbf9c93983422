"""No worker outlives its supervisor, not even one that hangs."""

import signal
import socket
import subprocess
import sys

PROBE = """
import sys
from tokenpakd.processes import lifeline
lifeline.guard(int(sys.argv[1]), drain_s=1 - lifeline.GRACE_S)
print("hangs", flush=True)
while True:
    pass
"""


def test_a_hung_process_ends_when_its_link_does() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        process = subprocess.Popen(
            [sys.executable, "-c", PROBE, str(theirs.fileno())], pass_fds=[theirs.fileno()], stdout=subprocess.PIPE
        )
        with process:
            assert process.stdout is not None
            assert process.stdout.readline() == b"hangs\n"
            theirs.close()
            ours.send(b"talk on the link ends nobody")
            assert process.poll() is None
            ours.close()
            assert process.wait(20) == -signal.SIGALRM
