"""What a hub is held to, and how much of what may go wrong has been used up."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from geobservatory.catalog.measurements import Kind, Rollup
from geobservatory.probing.statistics import answered, spread
from geobservatory.settings.model import Objectives

_BURN = timedelta(hours=6)


@dataclass(frozen=True)
class Budget:
    """An objective and its error budget.

    Attributes
    ----------
    name
        What is held to it, in words.
    target
        The share that is to be good.
    good, asked
        Over the whole window.
    burn
        How fast the budget goes: 1 is just what it bears; of the last six hours.
    """

    name: str
    target: float
    good: int
    asked: int
    burn: float

    @property
    def left(self) -> float:
        """Share of the budget that is left; below zero where more went wrong than may."""
        allowed = (1 - self.target) * self.asked
        return 1.0 if self.asked == 0 else 1 - (self.asked - self.good) / allowed

    @property
    def kept(self) -> bool:
        """Whether the objective is kept."""
        return self.left >= 0


def budgets(objectives: Objectives, rollups: Sequence[Rollup], now: datetime) -> list[Budget]:
    """Hold a hub to its objectives.

    Parameters
    ----------
    rollups
        Of one hub, of the window (`objectives.days`) or more.
    now
        The end of the window, UTC.
    """
    since = now - timedelta(days=objectives.days)
    recent = [one for one in rollups if since <= one.hour < now]
    asked = {
        kind: [one for one in recent if one.kind is kind]
        for kind in (Kind.SEARCH, Kind.METADATA, Kind.LATENCY, Kind.TRANSFER)
    }
    made = [
        _budget("answers", objectives.availability, asked[Kind.SEARCH] + asked[Kind.METADATA], now),
        _budget(
            f"searches within {objectives.search_s:g} s",
            objectives.search_share,
            asked[Kind.SEARCH],
            now,
            objectives.search_s,
        ),
        _budget("downloads that end well", objectives.downloads, asked[Kind.TRANSFER], now),
        _budget(
            f"products within {objectives.latency_h:g} h of sensing",
            objectives.latency_share,
            asked[Kind.LATENCY],
            now,
            objectives.latency_h * 3600,
        ),
    ]
    return [one for one in made if one.asked]


def _budget(
    name: str, target: float, rollups: Sequence[Rollup], now: datetime, limit: float | None = None
) -> Budget:
    good, asked = _counted(rollups, limit)
    lately, of = _counted([one for one in rollups if one.hour >= now - _BURN], limit)
    burn = (of - lately) / of / (1 - target) if of else 0.0
    return Budget(name, target, good, asked, burn)


def _counted(rollups: Sequence[Rollup], limit: float | None) -> tuple[int, int]:
    counted = answered(rollups)
    return (counted.good if limit is None else spread(rollups).under(limit)), counted.asked
