"""How the world looks to a hub while it answers one request, under the faults that strike it."""

import time
from dataclasses import dataclass
from datetime import datetime, timedelta

from geobservatory.sandbox.servers.faults import (
    Offline,
    Skew,
    StaleListing,
    Strike,
    WrongChecksum,
    WrongLength,
)


@dataclass(frozen=True)
class View:
    """A hub's idea of the world while it answers one request.

    Attributes
    ----------
    now
        Sandbox time, by the hub's clock.
    listed
        The sandbox time its listing is of.
    wall_s
        Real seconds since 1970 by the hub's clock: what tokens and the Date header go by, because
        clients compare them with their own clocks.
    offline
        Whether all products are in the long-term archive.
    """

    now: datetime
    listed: datetime
    wall_s: float
    offline: bool
    _wrong_checksum: bool
    _wrong_length: int

    @classmethod
    def under(cls, strikes: tuple[Strike, ...], now: datetime) -> "View":
        """Look at the world through faults."""
        faults = [strike.fault for strike in strikes]
        skew = sum(fault.seconds for fault in faults if isinstance(fault, Skew))
        age = max((fault.age_s for fault in faults if isinstance(fault, StaleListing)), default=0)
        now += timedelta(seconds=skew)
        return cls(
            now=now,
            listed=now - timedelta(seconds=age),
            wall_s=time.time() + skew,
            offline=any(isinstance(fault, Offline) for fault in faults),
            _wrong_checksum=any(isinstance(fault, WrongChecksum) for fault in faults),
            _wrong_length=sum(fault.by for fault in faults if isinstance(fault, WrongLength)),
        )

    def checksum(self, true: str) -> str:
        """Tell a checksum (hex digits): the true one, or one that is wrong by a digit."""
        if not self._wrong_checksum:
            return true
        return f"{int(true[0], 16) ^ 1:x}{true[1:]}"

    def length(self, true: int) -> int:
        """Tell a length in bytes: the true one, or one that is off."""
        return max(0, true + self._wrong_length)
