"""The time the sandbox plays in: any start, any speed, moved at will."""

import time
from datetime import UTC, datetime, timedelta

from geobservatory.errors import InputError


class SandboxClock:
    """A clock that starts where it is told and runs as fast as it is told.

    Parameters
    ----------
    start
        Its first time, timezone-aware; the real one where None.
    speed
        Sandbox seconds a real second; 0 stands still.
    """

    def __init__(self, start: datetime | None = None, speed: float = 1.0) -> None:
        self._then, self._now, self._speed = 0.0, datetime.now(UTC), 1.0
        self.set(start or datetime.now(UTC), speed)

    @property
    def speed(self) -> float:
        """Sandbox seconds a real second."""
        return self._speed

    def now(self) -> datetime:
        """Tell the sandbox's time, UTC."""
        return self._now + timedelta(seconds=(time.monotonic() - self._then) * self._speed)

    def set(self, now: datetime | None = None, speed: float | None = None) -> None:
        """Move the clock, change its speed, or both.

        Raises
        ------
        InputError
            If the time has no timezone, or the speed is negative.
        """
        if now is not None and now.tzinfo is None:
            raise InputError(f"the sandbox's time {now} needs a timezone")
        if speed is not None and not 0 <= speed < float("inf"):
            raise InputError(f"the sandbox cannot run at speed {speed}; it must be 0 or more")
        self._now = self.now() if now is None else now.astimezone(UTC)
        self._then = time.monotonic()
        self._speed = self._speed if speed is None else speed
