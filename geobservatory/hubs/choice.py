"""Which hub will deliver a product soonest, and why.

Expected time = waiting (set aside after failures, our own transfers at the hub's limit, retrieval
from a long-term archive) + time to the first byte + bytes / speed + what failures cost. Speed and
failures are those `experience` believes in; for the decision they are drawn at random within what
is not known of them (Thompson sampling; Russo et al., A Tutorial on Thompson Sampling, 2018), so
that a hub that is hardly known is tried now and then, and one that is known is not.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random

from geobservatory.catalog.incidents import Incident
from geobservatory.hubs.experience import Belief, Experience
from geobservatory.hubs.model import Offer
from geobservatory.settings.model import Hub, HubKind

# Where no hub tells the size: an IW SLC of two polarisations.
USUAL_BYTES = 7_500_000_000
# From the order to the product, where the hub has not shown better.
_RETRIEVAL_S = 3600.0
# A broken transfer goes on from its byte, after a pause.
_RETRY_S = 10.0
# Past its quota a hub is the last resort: it serves a trickle, or nothing.
_OVER_QUOTA_S = 86_400.0
# Outages are of all lengths: one lasts as long again as it has lasted, within these.
_LEAST_OUTAGE_S, _LONGEST_OUTAGE_S = 300.0, 21_600.0
# A hub whose files were not as their checksums say is the last but the one past its quota.
_DOUBTED_S = 43_200.0
_DISK_BYTES_PER_S = 500e6
# Of the interval that is told, in standard deviations: nine times of ten it lies within.
_SIGMAS = 1.645


@dataclass(frozen=True)
class Delivery:
    """When a hub would have delivered.

    Attributes
    ----------
    seconds
        Expected, from now.
    drawn
        The same with speed and failures drawn at random: what the decision goes by.
    why
        In one line.
    low, high
        Ends of an interval of 90 %, for what is not known of its speed.
    parts
        What the seconds are made of: ``waiting``, ``first byte``, ``transfer``, ``failures``.
    """

    seconds: float
    drawn: float
    why: str
    low: float
    high: float
    parts: Mapping[str, float]


@dataclass(frozen=True)
class Estimate(Delivery):
    """When a hub would have delivered what it offers."""

    offer: Offer


@dataclass
class Choice:
    """The choice among hubs.

    Attributes
    ----------
    hubs
        Settings by name.
    experience
        What is known of them.
    in_use
        Counts our own transfers at a hub, of all processes.
    used
        Counts the bytes that came from a hub since a time.
    chance
        Draws.
    incidents
        What is open, by hub.
    """

    hubs: Mapping[str, Hub]
    experience: Experience
    in_use: Callable[[str], int]
    used: Callable[[str, datetime], int]
    chance: Random
    incidents: Mapping[str, Sequence[Incident]] = field(default_factory=dict)

    def rank(
        self, offers: Sequence[Offer], at: datetime, missing: int | None = None
    ) -> list[Estimate]:
        """Order offers by when they would have delivered, the soonest first.

        Parameters
        ----------
        offers
            Of one product.
        at
            Now, UTC.
        missing
            Bytes still to come; all of the product where None.
        """
        sizes = [offer.size for offer in offers if offer.size is not None]
        size = missing if missing is not None else max(sizes, default=USUAL_BYTES)
        estimates = (
            Estimate(**vars(self.delivery(offer.hub, at, size, offer.online)), offer=offer)
            for offer in offers
        )
        return sorted(estimates, key=lambda one: one.drawn)

    def delivery(
        self, hub: str, at: datetime, size: int = USUAL_BYTES, online: bool | None = True
    ) -> Delivery:
        """Tell when a hub would have delivered something.

        Parameters
        ----------
        hub
            Its name.
        at
            Now, UTC.
        size
            Bytes to come.
        online
            Whether it can be had at once.
        """
        if self.hubs[hub].kind is HubKind.MIRROR:
            return _here(hub, size)
        belief = self.experience.of(hub, at)
        wait, reasons = self._wait(self.hubs[hub], at, size, belief, online)
        parts = {"waiting": wait, **_transfer_parts(belief, size)}
        seconds = sum(parts.values())
        moving, off = parts["transfer"], math.exp(_SIGMAS * belief.log_speed_sigma)
        drawn = wait + _transfer_s(belief.drawn(self.chance), size)
        known = f"{belief.transfers} past transfers" if belief.transfers else "not known yet"
        why = (
            f"{hub}: {_plain(seconds)} for {size / 1e6:.4g} MB"
            f" at {belief.speed / 1e6:.3g} MB/s ({known})"
        )
        if belief.failure_rate > 0.15:
            reasons.append(f"fails {round(100 * belief.failure_rate)} times of 100")
        rest = seconds - moving
        return Delivery(
            seconds=seconds,
            drawn=drawn,
            why=", ".join([why, *reasons]),
            low=rest + moving / off,
            high=rest + moving * off,
            parts=parts,
        )

    def _wait(
        self, hub: Hub, at: datetime, size: int, belief: Belief, online: bool | None
    ) -> tuple[float, list[str]]:
        wait, reasons = self._trouble(hub.name, at)
        if belief.aside_until is not None:
            aside = (belief.aside_until - at).total_seconds()
            wait = max(wait, aside)
            reasons.append(f"set aside for {_plain(aside)} after failures")
        taken, limit = self.in_use(hub.name), hub.max_concurrent_downloads
        if taken >= limit:
            # The first of them to end frees a place: on average the limit-th part of half of one.
            wait += _transfer_s(belief, size) / (1 + limit)
        if taken:
            reasons.append(f"{taken} of {limit} places taken")
        if online is False:
            wait += _RETRIEVAL_S
            reasons.append("to be ordered from its long-term archive")
        if (left := self._quota_left(hub, at)) is not None and left < size:
            wait += _OVER_QUOTA_S
            reasons.append("its quota is used up")
        return wait, reasons

    def _trouble(self, hub: str, at: datetime) -> tuple[float, list[str]]:
        """Tell how long the open incidents of a hub may last yet."""
        wait, reasons = 0.0, []
        for one in self.incidents.get(hub, ()):
            if one.aspect in ("reachable", "download", "token"):
                lasted = one.lasted(at).total_seconds()
                wait = max(wait, min(_LONGEST_OUTAGE_S, max(_LEAST_OUTAGE_S, lasted)))
            elif one.aspect == "integrity":
                wait = max(wait, _DOUBTED_S)
            else:
                continue
            reasons.append(f"trouble since {one.began_at:%Y-%m-%d %H:%M} UTC ({one.cause})")
        return wait, reasons

    def _quota_left(self, hub: Hub, at: datetime) -> float | None:
        left = []
        for quota, days in ((hub.daily_quota_gb, 1), (hub.monthly_quota_gb, 30)):
            if quota is not None:
                left.append(quota * 1e9 - self.used(hub.name, at - timedelta(days=days)))
        return min(left, default=None)


def _here(hub: str, size: int) -> Delivery:
    """Tell of what lies in this archive: it comes before all that is to be fetched."""
    seconds = size / _DISK_BYTES_PER_S
    why = f"{hub}: {_plain(seconds)} for {size / 1e6:.4g} MB: it lies in the archive"
    return Delivery(seconds, 0.0, why, seconds, seconds, {"transfer": seconds})


def _transfer_s(belief: Belief, size: int) -> float:
    return sum(_transfer_parts(belief, size).values())


def _transfer_parts(belief: Belief, size: int) -> dict[str, float]:
    rate = min(belief.failure_rate, 0.95)
    return {
        "first byte": belief.first_byte_s,
        "transfer": size / belief.speed,
        "failures": rate / (1 - rate) * _RETRY_S,
    }


def _plain(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.2g} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
