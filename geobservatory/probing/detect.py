"""When a change is real: sums of evidence that forget what speaks against it (CUSUM).

Each outcome adds the logarithm of how much likelier it is in trouble than usually; the sum does not
fall below zero. It reaches h by chance less than once in exp(h) outcomes (Lorden, Procedures for
reacting to a change in distribution, Annals of Mathematical Statistics 42, 1971, theorem 2). An
incident ends by the same test the other way round, so it does not flap.
"""

import math
from dataclasses import dataclass
from datetime import datetime

# Once in 160,000 outcomes: of probes every five minutes, in a year and a half.
_SURE = 12.0
# To be well again after trouble is likely: less is enough.
_SURE_OF_END = 6.0
# Of one observation of a shift, in standard deviations: one outlier is no shift.
_FARTHEST = 4.0


@dataclass(frozen=True)
class Change:
    """Trouble that began or ended, when that happened and when it was sure."""

    began: bool
    at: datetime
    sure_at: datetime


class Evidence:
    """A sum of evidence for trouble, or in trouble for its end.

    Parameters
    ----------
    in_trouble
        How it stands at the beginning.
    sure, sure_of_end
        How much evidence is enough.
    """

    def __init__(
        self, in_trouble: bool, sure: float = _SURE, sure_of_end: float = _SURE_OF_END
    ) -> None:
        self.in_trouble = in_trouble
        self._sure, self._sure_of_end = sure, sure_of_end
        self._sum = 0.0
        self._since: datetime | None = None

    def take(self, at: datetime, weight: float) -> Change | None:
        """Take an observation whose log-likelihood ratio, trouble to none, is `weight`."""
        step = -weight if self.in_trouble else weight
        if self._sum == 0.0:
            self._since = at
        self._sum = max(0.0, self._sum + step)
        enough = self._sure_of_end if self.in_trouble else self._sure
        if self._sum < enough or self._since is None:
            return None
        change = Change(not self.in_trouble, self._since, at)
        self.in_trouble, self._sum, self._since = not self.in_trouble, 0.0, None
        return change


def outcome_weight(ok: bool, usual: float, in_trouble: float = 0.9) -> float:
    """Weigh an outcome: well or not, against the usual rate of failures and that in trouble."""
    if ok:
        return math.log((1 - in_trouble) / (1 - usual))
    return math.log(in_trouble / usual)


def shift_weight(standardised: float, shift: float = 2.0) -> float:
    """Weigh how far a value is off, in standard deviations, for a mean shifted by so many.

    The log-likelihood ratio of two normal distributions of unit variance; Page, Continuous
    inspection schemes, Biometrika 41, 1954.
    """
    off = min(_FARTHEST, max(-_FARTHEST, standardised))
    return shift * (off - shift / 2)
