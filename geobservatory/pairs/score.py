"""How good a pair is: expected coherence, coverage, and how soon after the event it was taken.

Expected coherence is the product of a temporal and a baseline term, after Zebker and Villasenor
(1992, IEEE TGRS 30, 950-959): exp(-days / τ), and 1 - |B| / B_critical. Ground that stays coherent
for long puts a floor under the first (Kellndorfer et al., 2022, Scientific Data 9, 73); τ and the
floor are round numbers between what that global survey has for open and for vegetated ground.
"""

import math
from dataclasses import dataclass

_TAU_DAYS, _FLOOR = 40.0, 0.2
# λ W R tan θ / c with the 48.3 MHz of IW2, at mid swath.
_CRITICAL_M = 6400.0
# Motion goes on after an event, and people wait: a third is lost in so many days.
_AFTER_DAYS = 90.0


@dataclass(frozen=True)
class Score:
    """The parts of a pair's score; all from 0 to 1, and so is their product.

    Attributes
    ----------
    coherence
        Expected, of ordinary ground.
    coverage
        Of what the track can see of the area.
    promptness
        Less the later the second image comes after the event; 1 where there is none between.
    """

    coherence: float
    coverage: float
    promptness: float

    @property
    def value(self) -> float:
        """The product of the parts."""
        return self.coherence * self.coverage * self.promptness


def score(
    days: float, coverage: float, days_after: float = 0.0, perpendicular_m: float | None = None
) -> Score:
    """Score a pair.

    Parameters
    ----------
    days
        Between the images.
    coverage
        Share of what the track sees of the area at best, 0 to 1.
    days_after
        From the event to the second image.
    perpendicular_m
        Baseline; left out where it is not known.
    """
    temporal = _FLOOR + (1 - _FLOOR) * math.exp(-abs(days) / _TAU_DAYS)
    spatial = 1.0 if perpendicular_m is None else max(0.0, 1 - abs(perpendicular_m) / _CRITICAL_M)
    return Score(temporal * spatial, coverage, math.exp(-max(0.0, days_after) / _AFTER_DAYS))
