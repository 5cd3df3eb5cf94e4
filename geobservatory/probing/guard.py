"""A limit to how long a question to a hub may take, whatever the hub does."""

import queue
import threading
from collections.abc import Callable
from typing import Any

from geobservatory.probing.probes import HungError


def within(limit_s: float) -> Callable[[Callable[[], Any]], Any]:
    """Make a guard that gives a question so many seconds.

    Each is asked in a thread of its own, which is left behind where it does not end: time limits of
    sockets do not help against a hub that sends a byte now and then. It is a daemon, so it keeps no
    process from ending.
    """

    def guard(question: Callable[[], Any]) -> Any:
        answer: queue.SimpleQueue[tuple[Any, BaseException | None]] = queue.SimpleQueue()

        def ask() -> None:
            try:
                answer.put((question(), None))
            except BaseException as error:  # noqa: BLE001  (raised again below)
                answer.put((None, error))

        threading.Thread(target=ask, daemon=True).start()
        try:
            given, error = answer.get(timeout=limit_s)
        except queue.Empty:
            raise HungError(f"it had not answered to the end after {limit_s:g} s") from None
        if error is not None:
            raise error
        return given

    return guard
