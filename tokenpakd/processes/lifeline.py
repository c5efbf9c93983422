"""Door: the last resort that no worker outlives its supervisor, whatever state its event loop is in.

The loop reads end of file on its link and drains. Should it hang, or the drain itself have a fault, this thread has
seen the same hang-up and set an alarm, whose default action needs neither the loop nor the interpreter.
"""

import select
import signal
import threading

GRACE_S = 5
"""Beyond the drain that the loop is given."""


def guard(link_fd: int, *, drain_s: float) -> None:
    """End this process `drain_s` and five seconds after the other end of its link is gone."""
    threading.Thread(target=_wait, args=(link_fd, int(drain_s) + GRACE_S), name="lifeline", daemon=True).start()


def _wait(link_fd: int, after_s: int) -> None:
    poll = select.poll()
    poll.register(link_fd, 0)  # no event asked for: hang-up and error come all the same
    poll.poll()
    signal.alarm(after_s)
