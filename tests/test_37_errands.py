"""What somebody waits for is brought, two at a time, whatever becomes of the others."""

import threading
import time
from typing import Any

from geobservatory.hubs.errands import Errands


class Hubs:
    """Brings nothing, when told to; notes what was asked for."""

    def __init__(self) -> None:
        self.begun: list[str] = []
        self.go = threading.Event()

    def fetch(self, name: str, patience_s: float) -> None:
        self.begun.append(name)
        assert self.go.wait(20)
        raise RuntimeError("whatever a hub or a database does")


def until(true: Any) -> None:
    deadline = time.monotonic() + 20
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_two_at_a_time_and_each_once_and_again_when_it_failed() -> None:
    hubs = Hubs()
    errands = Errands(hubs.fetch)
    for name in ("a", "b", "c", "a", "b", "c"):
        errands.fetch(name)
    until(lambda: len(hubs.begun) == 2)
    assert sorted(hubs.begun) == ["a", "b"]
    hubs.go.set()
    until(lambda: len(hubs.begun) == 3)
    assert hubs.begun[2] == "c"
    # It failed, and is tried again for the next who asks.
    until(lambda: not errands._at_work)
    errands.fetch("a")
    until(lambda: hubs.begun[3:] == ["a"])
