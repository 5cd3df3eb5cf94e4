"""What a month of measurements says in a few numbers, each with how sure it is.

Shares are of a binomial, with Jeffreys' interval (Brown, Cai and DasGupta, Interval estimation for
a binomial proportion, Statistical Science 16, 2001, section 3). Quantiles come from counts in
buckets of five per cent, so they are within two and a half per cent of the value; their interval is
that of order statistics (Conover, Practical Nonparametric Statistics, 3rd ed., section 3.2).
"""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from scipy.special import betaincinv
from scipy.stats import norm

from geobservatory.catalog.measurements import BUCKET, Rollup

# Of every interval that is given.
CONFIDENCE = 0.9
_STEP = math.log(BUCKET)


@dataclass(frozen=True)
class Share:
    """So many of so many, and between what the share may lie."""

    good: int
    asked: int
    low: float
    high: float

    @property
    def value(self) -> float:
        """The share itself; 1 where nothing was asked."""
        return self.good / self.asked if self.asked else 1.0


def share(good: int, asked: int) -> Share:
    """Estimate a share."""
    tail = (1 - CONFIDENCE) / 2
    shape = good + 0.5, asked - good + 0.5
    low = 0.0 if good == 0 else float(betaincinv(*shape, tail))
    high = 1.0 if good == asked else float(betaincinv(*shape, 1 - tail))
    return Share(good, asked, low, high)


@dataclass(frozen=True)
class Spread:
    """Values counted in buckets.

    Attributes
    ----------
    count
        How many.
    mean
        Of the values themselves, not of buckets; NaN where there are none.
    buckets
        Bucket to count, in order.
    """

    count: int
    mean: float
    buckets: tuple[tuple[int, int], ...]

    def quantile(self, part: float) -> float:
        """Give the value that this part of the values do not pass; NaN where there are none."""
        return self._ranked(part * self.count)

    def interval(self, part: float) -> tuple[float, float]:
        """Say between what a quantile may lie."""
        if self.count == 0:
            return math.nan, math.nan
        z = float(norm.ppf((1 + CONFIDENCE) / 2))
        reach = z * math.sqrt(self.count * part * (1 - part))
        return self._ranked(part * self.count - reach), self._ranked(part * self.count + reach)

    def under(self, limit: float) -> int:
        """Count the values up to a limit; of the bucket in which it lies a part."""
        whole = _position(limit)
        return round(
            sum(count * min(1.0, max(0.0, whole - bucket)) for bucket, count in self.buckets)
        )

    def cumulative(self) -> list[tuple[float, float]]:
        """Give the ends of the buckets, and the share of the values up to each."""
        ends, passed = [], 0
        for bucket, count in self.buckets:
            passed += count
            ends.append((_value(bucket + 1), passed / self.count))
        return ends

    @property
    def log_mean(self) -> float:
        """Mean of the natural logarithms; NaN where there are none."""
        if self.count == 0:
            return math.nan
        return sum(count * (bucket + 0.5) for bucket, count in self.buckets) * _STEP / self.count

    def _ranked(self, rank: float) -> float:
        passed = 0
        for bucket, count in self.buckets:
            if passed + count >= rank and count:
                inside = min(1.0, max(0.0, (rank - passed) / count))
                return _value(bucket + inside)
            passed += count
        return math.nan if not self.buckets else _value(self.buckets[-1][0] + 1)


def spread(rollups: Iterable[Rollup]) -> Spread:
    """Merge the values of hours."""
    buckets: Counter[int] = Counter()
    count, total = 0, 0.0
    for one in rollups:
        buckets.update(one.buckets)
        count += one.good
        total += one.total
    mean = total / count if count else math.nan
    return Spread(count, mean, tuple(sorted(buckets.items())))


def answered(rollups: Iterable[Rollup]) -> Share:
    """Tell how many of the questions of hours were answered well."""
    asked = good = 0
    for one in rollups:
        asked += one.asked
        good += one.good
    return share(good, asked)


def online_share(rollups: Iterable[Rollup]) -> Share:
    """Tell how many products were online: the value of each is 1 or 0, the sum says how many."""
    asked, total = 0, 0.0
    for one in rollups:
        asked += one.good
        total += one.total
    return share(round(total), asked)


def by_hour(rollups: Sequence[Rollup]) -> Mapping[tuple[int, int], Spread]:
    """Merge the values of each hour of the week (ISO weekday from 1, hour UTC)."""
    parts: dict[tuple[int, int], list[Rollup]] = {}
    for one in rollups:
        parts.setdefault((one.hour.isoweekday(), one.hour.hour), []).append(one)
    return {key: spread(ones) for key, ones in parts.items()}


def _position(value: float) -> float:
    """Place a value among the buckets; where zero and less are, below all others."""
    return math.log(value) / _STEP if value > 0 else -math.inf


def _value(position: float) -> float:
    return 0.0 if position < -900 else math.exp(position * _STEP)
