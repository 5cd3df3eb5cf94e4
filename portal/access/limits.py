"""How much is answered: by user and by address, for logins more narrowly."""

import math
import time
from collections import Counter

from fastapi import HTTPException
from limits import RateLimitItem, RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter

from geobservatory.settings.portal import PortalLimits
from portal.access.origin import neighbourhood

_TILES = 20


class Limits:
    """What was asked in the last minute, of this process.

    Parameters
    ----------
    wanted
        The settings.
    """

    def __init__(self, wanted: PortalLimits) -> None:
        self._most = wanted.requests_per_minute
        # Counted by the minute of the clock, and forgotten with it: cheap, however many ask.
        self._minute = 0.0
        self._requests: Counter[str] = Counter()
        # At any time in the last minute.
        self._logins = MovingWindowRateLimiter(MemoryStorage())
        few = wanted.logins_per_minute
        # Of a name from an address. Others behind the address, and who owns the name, go on longer.
        self._login = RateLimitItemPerMinute(few)
        self._address = RateLimitItemPerMinute(5 * few)
        self._name = RateLimitItemPerMinute(10 * few)

    def ask(self, who: str, *, picture: bool = False) -> None:
        """Count a request.

        Parameters
        ----------
        who
            A user, or an address.
        picture
            Whether it is for a tile of a map; these are counted on their own.

        Raises
        ------
        HTTPException
            429 if there were too many.
        """
        minute, second = divmod(time.monotonic(), 60)
        if minute != self._minute:
            self._minute, self._requests = minute, Counter()
        # A map of many tiles is one thing that somebody looks at.
        counted, most = (f"picture {who}", _TILES * self._most) if picture else (who, self._most)
        self._requests[counted] += 1
        if self._requests[counted] > most:
            raise _too_much(60 - second)

    def log_in(self, name: str, address: str) -> None:
        """Count an attempt to log in, before the password is looked at.

        Raises
        ------
        HTTPException
            429 if there were too many.
        """
        near = neighbourhood(address)
        self._count(self._login, "pair", name, near)
        self._count(self._address, "address", near)
        self._count(self._name, "name", name)

    def logged_in(self, name: str, address: str) -> None:
        """Forget the attempts of who knew the password."""
        self._logins.clear(self._login, "pair", name, neighbourhood(address))

    def _count(self, item: RateLimitItem, *key: str) -> None:
        if not self._logins.hit(item, *key):
            raise _too_much(self._logins.get_window_stats(item, *key).reset_time - time.time())


def _too_much(seconds: float) -> HTTPException:
    again = max(1, math.ceil(seconds))
    return HTTPException(
        429, f"too much at once; again in {again} s", headers={"Retry-After": str(again)}
    )
