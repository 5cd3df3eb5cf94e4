"""Which hub will deliver a product soonest, and why.

Expected time = waiting (set aside after failures, our own transfers at the hub's limit, retrieval
from a long-term archive) + time to the first byte + bytes / speed + what failures cost. Speed and
failures are those `experience` believes in; for the decision they are drawn at random within what
is not known of them (Thompson sampling; Russo et al., A Tutorial on Thompson Sampling, 2018), so
that a hub that is hardly known is tried now and then, and one that is known is not.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random

from geobservatory.hubs.experience import Belief, Experience
from geobservatory.hubs.model import Offer
from geobservatory.settings.model import Hub

# Where no hub tells the size: an IW SLC of two polarisations.
USUAL_BYTES = 7_500_000_000
# From the order to the product, where the hub has not shown better.
_RETRIEVAL_S = 3600.0
# A broken transfer goes on from its byte, after a pause.
_RETRY_S = 10.0
# Past its quota a hub is the last resort: it serves a trickle, or nothing.
_OVER_QUOTA_S = 86_400.0


@dataclass(frozen=True)
class Estimate:
    """When a hub would have delivered.

    Attributes
    ----------
    seconds
        Expected, from now.
    drawn
        The same with speed and failures drawn at random: what the decision goes by.
    why
        In one line.
    """

    offer: Offer
    seconds: float
    drawn: float
    why: str


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
    """

    hubs: Mapping[str, Hub]
    experience: Experience
    in_use: Callable[[str], int]
    used: Callable[[str, datetime], int]
    chance: Random

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
        return sorted(
            (self._estimate(offer, at, size) for offer in offers), key=lambda one: one.drawn
        )

    def _estimate(self, offer: Offer, at: datetime, size: int) -> Estimate:
        belief = self.experience.of(offer.hub, at)
        wait, reasons = self._wait(offer, at, size, belief)
        seconds = wait + _transfer_s(belief, size)
        drawn = wait + _transfer_s(belief.drawn(self.chance), size)
        known = f"{belief.transfers} past transfers" if belief.transfers else "not known yet"
        why = (
            f"{offer.hub}: {_plain(seconds)} for {size / 1e6:.4g} MB"
            f" at {belief.speed / 1e6:.3g} MB/s ({known})"
        )
        if belief.failure_rate > 0.15:
            reasons.append(f"fails {round(100 * belief.failure_rate)} times of 100")
        return Estimate(offer, seconds, drawn, ", ".join([why, *reasons]))

    def _wait(
        self, offer: Offer, at: datetime, size: int, belief: Belief
    ) -> tuple[float, list[str]]:
        hub = self.hubs[offer.hub]
        wait, reasons = 0.0, []
        if belief.aside_until is not None:
            aside = (belief.aside_until - at).total_seconds()
            wait += aside
            reasons.append(f"set aside for {_plain(aside)} after failures")
        taken, limit = self.in_use(hub.name), hub.max_concurrent_downloads
        if taken >= limit:
            # The first of them to end frees a place: on average the limit-th part of half of one.
            wait += _transfer_s(belief, size) / (1 + limit)
        if taken:
            reasons.append(f"{taken} of {limit} places taken")
        if offer.online is False:
            wait += _RETRIEVAL_S
            reasons.append("to be ordered from its long-term archive")
        if (left := self._quota_left(hub, at)) is not None and left < size:
            wait += _OVER_QUOTA_S
            reasons.append("its quota is used up")
        return wait, reasons

    def _quota_left(self, hub: Hub, at: datetime) -> float | None:
        left = []
        for quota, days in ((hub.daily_quota_gb, 1), (hub.monthly_quota_gb, 30)):
            if quota is not None:
                left.append(quota * 1e9 - self.used(hub.name, at - timedelta(days=days)))
        return min(left, default=None)


def _transfer_s(belief: Belief, size: int) -> float:
    rate = min(belief.failure_rate, 0.95)
    return belief.first_byte_s + size / belief.speed + rate / (1 - rate) * _RETRY_S


def _plain(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.2g} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
