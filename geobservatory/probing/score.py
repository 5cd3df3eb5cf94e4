"""How good a hub is for a purpose: the time it takes, how sure that is, and what it is made of.

Searching and fetching are told as expected seconds, the very ones by which the choice of hub goes;
freshness as the hours from sensing to publication, lengthened for what the hub never gets. Points
compare hubs: the best has a hundred, one that takes twice as long fifty.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from geobservatory.catalog.measurements import Kind, Rollup
from geobservatory.hubs.choice import Delivery
from geobservatory.probing.statistics import answered, spread

# A question that failed is asked again after so long.
_ASK_AGAIN_S = 60.0


class Purpose(StrEnum):
    """What a hub may be good for."""

    SEARCH = "search"
    DOWNLOAD = "download"
    FRESHNESS = "freshness"


@dataclass(frozen=True)
class Score:
    """How good a hub is for a purpose.

    Attributes
    ----------
    seconds
        Expected; `low` and `high` are the ends of an interval of 90 %.
    parts
        What the seconds are made of, by name.
    points
        Against the best hub, 0 to 100.
    """

    purpose: Purpose
    seconds: float
    low: float
    high: float
    parts: Mapping[str, float]
    points: float = 0.0


def search_score(rollups: Sequence[Rollup]) -> Score | None:
    """Score a hub's answers to questions, of its searches' sums; None where it was not asked."""
    searches = [one for one in rollups if one.kind is Kind.SEARCH]
    well, took = answered(searches), spread(searches)
    if not well.asked or not took.count:
        return None

    def lost(part: float) -> float:
        part = max(part, 0.01)
        return (1 - part) / part * _ASK_AGAIN_S

    low, high = took.interval(0.5)
    middle = took.quantile(0.5)
    return Score(
        Purpose.SEARCH,
        middle + lost(well.value),
        low + lost(well.high),
        high + lost(well.low),
        {"answer": middle, "failures": lost(well.value)},
    )


def download_score(usual: Delivery) -> Score:
    """Score a hub's delivery of a product of usual size, now."""
    return Score(Purpose.DOWNLOAD, usual.seconds, usual.low, usual.high, usual.parts)


def freshness_score(rollups: Sequence[Rollup], completeness: float | None) -> Score | None:
    """Score how soon a hub has new products; None where it published none."""
    took = spread(one for one in rollups if one.kind is Kind.LATENCY)
    if not took.count:
        return None
    low, high = took.interval(0.5)
    middle = took.quantile(0.5)
    # What it never gets is waited for elsewhere.
    held = 1.0 if completeness is None else max(completeness, 0.05)
    lost = middle * (1 / held - 1)
    return Score(
        Purpose.FRESHNESS, middle + lost, low + lost, high + lost, {"delay": middle, "lacks": lost}
    )


def with_points(scores: Mapping[str, Score]) -> dict[str, Score]:
    """Compare the scores of hubs for one purpose."""
    best = min((one.seconds for one in scores.values() if one.seconds > 0), default=math.nan)
    return {
        hub: replace(one, points=100.0 if one.seconds <= 0 else 100 * best / one.seconds)
        for hub, one in scores.items()
    }
