"""How much each user may have at a time and in a day."""

import threading
import time
from collections import Counter
from dataclasses import dataclass

from geobservatory.errors import GeobservatoryError

_REMEMBERED_S, _MOST = 3600.0, 10_000


class TooManyError(GeobservatoryError):
    """A user has as many downloads as may be."""


class TooMuchError(GeobservatoryError):
    """A user has had as much as may be in a day."""


@dataclass(frozen=True)
class Limits:
    """What a user may have.

    Attributes
    ----------
    at_once
        Downloads.
    daily_bytes
        In 24 hours; any where None.
    """

    at_once: int
    daily_bytes: float | None


class Users:
    """What users have at the moment, and what they were sent that was not right.

    Parameters
    ----------
    limits
        The same for all.
    """

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self._lock = threading.Lock()
        self._now: Counter[str] = Counter()
        self._spoiled: dict[tuple[str, str], float] = {}

    def begin(self, who: str) -> None:
        """Count one more download.

        Raises
        ------
        TooManyError
            If it is one too many.
        """
        with self._lock:
            if self._now[who] >= self.limits.at_once:
                raise TooManyError(
                    "An exception occured while creating a stream: Maximum number of"
                    f' {self.limits.at_once} concurrent flows achieved by the user "{who}"'
                )
            self._now[who] += 1

    def end(self, who: str) -> None:
        """Count one less."""
        with self._lock:
            self._now[who] -= 1
            if self._now[who] <= 0:
                del self._now[who]

    def at_once(self, who: str) -> int:
        """Count the downloads that a user has."""
        with self._lock:
            return self._now[who]

    def spoiled(self, who: str, name: str) -> None:
        """Remember that a user was sent bytes that are not those of a file."""
        with self._lock:
            if len(self._spoiled) >= _MOST:
                self._spoiled.pop(next(iter(self._spoiled)))
            self._spoiled[who, name] = time.monotonic()

    def has_spoiled(self, who: str, name: str) -> bool:
        """Tell whether what a user has of a file may be wrong."""
        with self._lock:
            at = self._spoiled.get((who, name))
            return at is not None and time.monotonic() - at < _REMEMBERED_S

    def begins_anew(self, who: str, name: str) -> None:
        """Forget: the user takes it from the beginning."""
        with self._lock:
            self._spoiled.pop((who, name), None)
