from collections import Counter

import trio.testing
from trio.testing import MockClock

from tests.tokenpakd.supervision.worker_doubles import Workshop
from tokenpakd.supervision.slot import Slot


def test_no_name_is_given_twice_not_even_by_the_slot_that_comes_after_a_retired_one() -> None:
    names = Counter[str]()
    first, second, again = (Slot(name, "data-plane", names) for name in ("a", "b", "a"))
    assert [slot.next_name() for slot in (first, first, second, again, first)] == ["a", "a.2", "b", "a.3", "a.4"]


async def test_an_empty_slot_shows_its_dead_worker_and_a_filled_one_what_lives_there(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    slot = Slot("vault", "vault", Counter())
    slot.restarts = 2
    view = slot.view()
    assert (view.name, view.pid, view.state, view.restarts) == ("vault", None, "dead", 2)
    slot.child = await Workshop(nursery).spawn("vault.3", "vault", None, safe_mode=False)
    view = slot.view()
    assert (view.name, view.pid, view.state, view.restarts) == ("vault.3", 1000, "starting", 2)
    nursery.cancel_scope.cancel()
