"""What past transfers teach of a hub: its speed at this hour, its first byte, how often it fails.

Speeds are taken as log-normal, in three levels: what hubs are like, this hub, this hub at this hour
of day (hubs are slow at the same hours each day); each level is the prior of the next. Each past
transfer counts by its age (half after three weeks) and its size (a small file tells little of
speed). Where a hub is well known, the last day tells how far it is off from all that now: a line
that has become slow is known within hours, and the shape of its day is kept. Source of the
estimates: the normal model, the beta-binomial model and hierarchical models (Gelman et al.,
Bayesian Data Analysis, 3rd ed., sections 2.4 to 2.6 and 5.4).
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from random import Random

from geobservatory.transfer.attempt import Measurement, Outcome

DAYS = 60
# A hub of which nothing is known: megabytes a second, within a factor of three.
_SPEED, _SPREAD = math.log(5e6), 1.1
_WEIGHT = 0.5
# Of an hour's mean about the hub's.
_HOURS = 1.0
# Of a transfer about the mean of its hour, where few are known, and how many that stands for.
_SCATTER, _SCATTER_WEIGHT = 0.5, 3.0
_HALF_LIFE_S = 21 * 86_400.0
# What the hour before or after tells of one: hubs change on the hour.
_NEXT_HOUR = 0.05
_TELLING_BYTES = 4e6
# How far a hub may be off lately from what it was, and how soon that is forgotten (half).
_OFF, _LATELY_S, _OFF_HALF_LIFE_S = 0.7, 86_400.0, 3 * 3600.0
# From so many older transfers on it is known what is usual.
_KNOWN_WELL = 48
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
        speeds: list[_Speed] = []
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
                ago = (at - one.at).total_seconds()
                speeds.append(_Speed(math.log(speed), age * telling, one.at.hour, ago))
        log_speed, sigma = _now(speeds, at.hour)
        return Belief(
            log_speed=log_speed,
            log_speed_sigma=sigma,
            first_byte_s=first_total / first_weight,
            failed=failed,
            well=well,
            transfers=len(known),
            aside_until=_aside_until(known, at),
        )


def _speed(one: Measurement) -> float | None:
    """Bytes a second after the first byte; None where too little came to tell."""
    if one.sustained is not None:
        return one.sustained
    seconds = one.seconds - (one.first_byte_s or 0.0)
    return one.bytes / seconds if one.bytes >= 4096 and seconds > 0 else None


@dataclass(frozen=True)
class _Speed:
    """The logarithm of a speed, what it counts, at which hour of day it was and how long ago."""

    log: float
    weight: float
    hour: int
    ago_s: float


class _Hours:
    """What a hub is like at each hour of day."""

    def __init__(self, speeds: list[_Speed]) -> None:
        self._at: dict[int, list[tuple[float, float]]] = {}
        for one in speeds:
            self._at.setdefault(one.hour, []).append((one.log, one.weight))
        # What one transfer tells of the hub: it scatters about its hour, and that about the hub.
        apart = _HOURS**2 + _SCATTER**2
        every = [(one.log, one.weight) for one in speeds]
        self._hub, variance = _normal(_SPEED, _SPREAD**2, every, apart)
        self._variance = variance + _HOURS**2

    def mean(self, hour: int, scatter2: float) -> tuple[float, float]:
        """Estimate the mean of an hour, and the variance of that."""
        return _normal(self._hub, self._variance, self._near(hour), scatter2)

    def scatter2(self, hours: Iterable[int]) -> float:
        """Estimate the variance of one transfer about the mean of its hour."""
        squares, count = _SCATTER_WEIGHT * _SCATTER**2, _SCATTER_WEIGHT
        for hour in hours:
            near = self._near(hour)
            middle, _ = _normal(self._hub, self._variance, near, _SCATTER**2)
            squares += sum(weight * (log - middle) ** 2 for log, weight in near)
            count += sum(weight for _, weight in near)
        return squares / count

    def _near(self, hour: int) -> list[tuple[float, float]]:
        beside = [*self._at.get((hour - 1) % 24, ()), *self._at.get((hour + 1) % 24, ())]
        there = self._at.get(hour, [])
        return [*there, *((log, weight * _NEXT_HOUR) for log, weight in beside)]


def _now(speeds: list[_Speed], hour: int) -> tuple[float, float]:
    """Estimate the mean of the logarithm at this hour of this day; and its sigma."""
    older = [one for one in speeds if one.ago_s > _LATELY_S]
    if len(older) < _KNOWN_WELL:
        hours = _Hours(speeds)
        mean, variance = hours.mean(hour, hours.scatter2([hour]))
        return mean, math.sqrt(variance)
    hours = _Hours(older)
    # Hours scatter alike about their means: together they tell how much.
    scatter2 = hours.scatter2(range(24))
    usual = {one: hours.mean(one, scatter2) for one in range(24)}
    off = [
        (one.log - usual[one.hour][0], one.weight * 0.5 ** (one.ago_s / _OFF_HALF_LIFE_S))
        for one in speeds
        if one.ago_s <= _LATELY_S
    ]
    mean, variance = usual[hour]
    if not off:
        return mean, math.sqrt(variance)
    lately, of_lately = _normal(0.0, _OFF**2, off, scatter2)
    return mean + lately, math.sqrt(variance + of_lately)


def _normal(
    prior: float, prior_variance: float, data: list[tuple[float, float]], variance: float
) -> tuple[float, float]:
    """Update a normal mean by weighted values of known variance."""
    weight = 1 / prior_variance + sum(w for _, w in data) / variance
    total = prior / prior_variance + sum(w * x for x, w in data) / variance
    return total / weight, 1 / weight


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
