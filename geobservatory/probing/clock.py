"""The time by which hubs are probed; a simulated month has one of its own."""

import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """Tells the time, and lets it pass."""

    def now(self) -> datetime:
        """Tell what time it is, UTC."""

    def elapsed(self) -> float:
        """Give seconds since some moment; never backwards."""

    def wait(self, seconds: float) -> None:
        """Let so much time pass."""


class RealClock:
    """The time as it is."""

    def now(self) -> datetime:
        """See `Clock.now`."""
        return datetime.now(UTC)

    def elapsed(self) -> float:
        """See `Clock.elapsed`."""
        return time.monotonic()

    def wait(self, seconds: float) -> None:
        """See `Clock.wait`."""
        time.sleep(seconds)
