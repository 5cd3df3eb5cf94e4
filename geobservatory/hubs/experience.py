"""What past transfers teach of a hub: its speed at this hour, its first byte, how often it fails.

Speeds are taken as log-normal. Each past transfer counts by its age (half after a week), its hour
of day (hubs are slow at the same hours each day) and its size (a small file tells little of speed);
a weak prior stands for a hub that is not known. Source of the estimates: the normal model with
known variance, and the beta-binomial model (Gelman et al., Bayesian Data Analysis, 3rd ed.,
sections 2.4 and 2.5).
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from random import Random

from geobservatory.transfer.attempt import Measurement, Outcome

DAYS = 30
# A hub of which nothing is known: megabytes a second, within a factor of three.
_SPEED, _SPREAD = math.log(5e6), 1.1
_WEIGHT = 0.5
# Of a single transfer about the mean of its hour, where few are known.
_SCATTER = 0.6
_HALF_LIFE_S = 7 * 86_400.0
_HOUR_WIDTH = 2.0
_ANY_HOUR = 0.1
_TELLING_BYTES = 4e6
_FIRST_BYTE_S = 2.0
_FAILED, _WELL = 0.3, 3.0
# A hub that failed so often in a row is left alone for this long, and twice as long each time more.
_IN_A_ROW, _ASIDE_S, _LONGEST_ASIDE_S = 2, 60.0, 3600.0
_FAILURES = (Outcome.BROKEN, Outcome.REFUSED, Outcome.WRONG)


@dataclass(frozen=True)
class Belief:
    """What is believed of a hub at a moment.

    Attributes
    ----------
    log_speed, log_speed_sigma
        Natural logarithm of bytes a second, and how uncertain the mean of it is.
    first_byte_s
        Time to the first byte.
    failed, well
        Weights of failed and good tries, with the prior's.
    transfers
        How many it rests on.
    aside_until
        When it may be asked again, after failures; None where it may at once.
    """

    log_speed: float
    log_speed_sigma: float
    first_byte_s: float
    failed: float
    well: float
    transfers: int
    aside_until: datetime | None

    @property
    def speed(self) -> float:
        """Bytes a second, the median."""
        return math.exp(self.log_speed)

    @property
    def failure_rate(self) -> float:
        """Part of the tries that fail."""
        return self.failed / (self.failed + self.well)

    def drawn(self, chance: Random) -> "Belief":
        """Draw one of the hubs that this may be (Thompson sampling): the less known, the wider."""
        rate = chance.betavariate(self.failed, self.well)
        weight = self.failed + self.well
        return Belief(
            chance.gauss(self.log_speed, self.log_speed_sigma),
            0.0,
            self.first_byte_s,
            rate * weight,
            (1 - rate) * weight,
            self.transfers,
            self.aside_until,
        )


class Experience:
    """Past transfers of all hubs.

    Parameters
    ----------
    transfers
        Oldest first.
    """

    def __init__(self, transfers: Iterable[Measurement] = ()) -> None:
        self._by_hub: dict[str, list[Measurement]] = {}
        for one in transfers:
            self.add(one)

    def add(self, one: Measurement) -> None:
        """Learn from a transfer that has just ended."""
        self._by_hub.setdefault(one.hub, []).append(one)

    def of(self, hub: str, at: datetime) -> Belief:
        """Tell what is believed of a hub at a moment, UTC."""
        known = [one for one in self._by_hub.get(hub, ()) if one.at <= at]
        weight, total = 1 / _SPREAD**2, _SPEED / _SPREAD**2
        first_weight, first_total = _WEIGHT, _WEIGHT * _FIRST_BYTE_S
        failed, well = _FAILED, _WELL
        for one in known:
            age = 0.5 ** ((at - one.at).total_seconds() / _HALF_LIFE_S)
            if one.outcome in _FAILURES:
                failed += age
            elif one.outcome is Outcome.DONE:
                well += age
            if one.first_byte_s is not None:
                first_total += age * one.first_byte_s
                first_weight += age
            if (speed := _speed(one)) is not None:
                telling = one.bytes / (one.bytes + _TELLING_BYTES)
                counts = age * telling * _same_hour(at, one.at) / _SCATTER**2
                weight += counts
                total += counts * math.log(speed)
        return Belief(
            log_speed=total / weight,
            log_speed_sigma=weight**-0.5,
            first_byte_s=first_total / first_weight,
            failed=failed,
            well=well,
            transfers=len(known),
            aside_until=_aside_until(known, at),
        )


def _speed(one: Measurement) -> float | None:
    """Bytes a second after the first byte; None where too little came to tell."""
    seconds = one.seconds - (one.first_byte_s or 0.0)
    return one.bytes / seconds if one.bytes >= 4096 and seconds > 0 else None


def _same_hour(one: datetime, other: datetime) -> float:
    apart = abs((one - other).total_seconds() / 3600.0) % 24
    apart = min(apart, 24 - apart)
    return _ANY_HOUR + (1 - _ANY_HOUR) * math.exp(-0.5 * (apart / _HOUR_WIDTH) ** 2)


def _aside_until(known: list[Measurement], at: datetime) -> datetime | None:
    in_a_row = 0
    for one in reversed(known):
        if one.outcome is Outcome.DONE or one.outcome not in (*_FAILURES, Outcome.STOPPED):
            break
        in_a_row += one.outcome in _FAILURES
    if in_a_row < _IN_A_ROW:
        return None
    pause = min(_LONGEST_ASIDE_S, _ASIDE_S * 2.0 ** (in_a_row - _IN_A_ROW))
    until = datetime.fromtimestamp(known[-1].at.timestamp() + known[-1].seconds + pause, at.tzinfo)
    return until if until > at else None
