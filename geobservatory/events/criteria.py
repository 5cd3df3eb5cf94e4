"""Whether an earthquake starts an activation, and why: each criterion with its number.

Three rules. *default*: by magnitude and depth, near land, and with a displacement to be expected on
land that can be seen. *comet*: the table of COMET's Earthquake InSAR Data Provider, magnitude to
greatest depth and distance from land. *jpl*: magnitude, depth and distance of JPL's on-demand
system. The figures of the last two are those their operators have told; between the table's lines
the lower one holds.
"""

import math
from dataclasses import asdict, dataclass
from typing import Any

from geobservatory.events.expected import (
    DEPTH_ERROR_KM,
    GREATEST_MAGNITUDE,
    LEAST_MAGNITUDE,
    expected,
)
from geobservatory.events.land import distance_to_land_m
from geobservatory.events.model import EventType, GeohazardEvent
from geobservatory.settings.model import ActivationCriteria, Rule

# Least magnitude and greatest depth that are enough, any of them; kilometres.
Limits = tuple[tuple[float, float], ...]

# Magnitude, greatest depth, greatest distance from land; kilometres.
COMET = (
    (5.5, 10, 20),
    (5.7, 12, 21),
    (5.9, 16, 30),
    (6.0, 18, 36),
    (6.2, 24, 50),
    (6.5, 36, 84),
    (6.8, 55, 141),
    (7.0, 73, 199),
    (7.5, 146, 471),
    (8.0, 250, 1115),
)
# Magnitude and greatest depth, either; and half a degree from the coast.
JPL = (5.5, 15), (6.0, 40)
JPL_COAST_KM = 55.6
# How far land is looked for where the rule sets no greater distance, kilometres.
_LOOK_KM = 200.0


@dataclass(frozen=True)
class Criterion:
    """One test of an earthquake.

    Attributes
    ----------
    name
        What was looked at.
    met
        Whether it speaks for an activation.
    value
        The number that was found, as a person reads it, with its unit.
    limit
        What it was held against.
    """

    name: str
    met: bool
    value: str
    limit: str

    def __str__(self) -> str:
        return f"{self.name} {self.value} ({'' if self.met else 'not '}{self.limit})"


@dataclass(frozen=True)
class Decision:
    """Whether an earthquake starts an activation, by which rule, and each criterion's say."""

    activate: bool
    rule: Rule
    criteria: tuple[Criterion, ...]

    @property
    def reason(self) -> str:
        """All that speaks for it where it is a yes, what speaks against it where it is a no."""
        told = [one for one in self.criteria if one.met is self.activate]
        return "; ".join(map(str, told))

    def to_json(self) -> list[dict[str, Any]]:
        """Write the criteria as plain objects."""
        return [asdict(one) for one in self.criteria]


def decide(event: GeohazardEvent, wanted: ActivationCriteria) -> Decision:
    """Decide whether an earthquake starts an activation.

    Parameters
    ----------
    event
        As it is known now. Without a magnitude or a depth it is a no: a revision will tell them.
    wanted
        Rule and limits.

    Returns
    -------
    Decision
        Every criterion of the rule is looked at, whatever the others say.
    """
    if event.event_type is not EventType.EARTHQUAKE:
        kind = Criterion("kind", False, event.event_type, "an earthquake")
        return Decision(False, wanted.rule, (kind,))
    match wanted.rule:
        case Rule.DEFAULT:
            limits: Limits = (
                (wanted.shallow_magnitude, wanted.shallow_depth_km),
                (wanted.deep_magnitude, wanted.deep_depth_km),
            )
            away_km = _away_km(event, max(wanted.coast_distance_km, _LOOK_KM))
            criteria = [
                _size(event, limits),
                _near(away_km, wanted.coast_distance_km),
                _seen(event, away_km, wanted.expected_los_m),
            ]
        case Rule.COMET:
            line = _comet_line(event.magnitude)
            limits = ((line[0], line[1]),)
            criteria = [
                _size(event, limits),
                _near(_away_km(event, max(line[2], _LOOK_KM)), line[2]),
            ]
        case Rule.JPL:
            away_km = _away_km(event, _LOOK_KM)
            criteria = [_size(event, JPL), _near(away_km, JPL_COAST_KM)]
    return Decision(all(one.met for one in criteria), wanted.rule, tuple(criteria))


def _comet_line(magnitude: float | None) -> tuple[float, float, float]:
    """Find the table's line for a magnitude; the first for one that is too small."""
    found = [line for line in COMET if magnitude is not None and line[0] <= magnitude]
    return found[-1] if found else COMET[0]


def _size(event: GeohazardEvent, limits: Limits) -> Criterion:
    """Hold magnitude and depth against pairs of least magnitude and greatest depth."""
    magnitude, depth_km = event.magnitude, event.depth_km
    met = (
        magnitude is not None
        and depth_km is not None
        and any(magnitude >= least and depth_km <= greatest for least, greatest in limits)
    )
    size = "unknown" if magnitude is None else f"{magnitude:.1f}"
    deep = "unknown" if depth_km is None else f"{depth_km:.1f} km"
    asked = " or ".join(f"≥ {least:g} down to {greatest:g} km" for least, greatest in limits)
    return Criterion("magnitude and depth", met, f"{size}, {deep}", asked)


def _near(away_km: float, greatest_km: float) -> Criterion:
    value = f"{away_km:.0f} km"
    if math.isinf(away_km):
        value = f"> {max(greatest_km, _LOOK_KM):g} km"
    return Criterion("distance from land", away_km <= greatest_km, value, f"≤ {greatest_km:g} km")


def _seen(event: GeohazardEvent, away_km: float, least_m: float) -> Criterion:
    """Hold the LOS displacement expected on land, at its greatest, against a limit."""
    name, asked = "expected peak LOS on land", f"≥ {least_m * 100:g} cm"
    magnitude, depth_km = event.magnitude, event.depth_km
    if magnitude is None or depth_km is None:
        return Criterion(name, False, "unknown", asked)
    if magnitude < LEAST_MAGNITUDE:
        return Criterion(name, least_m <= 0, f"none below M {LEAST_MAGNITUDE:g}", asked)
    magnitude = min(magnitude, GREATEST_MAGNITUDE)
    deeper, shallower = depth_km + DEPTH_ERROR_KM, depth_km - DEPTH_ERROR_KM
    least = expected(magnitude, deeper).least_m
    most = expected(magnitude, shallower).beyond(away_km * 1000)
    value = (
        f"{least * 100:.1f} to {most * 100:.1f} cm" if away_km == 0 else f"≤ {most * 100:.1f} cm"
    )
    return Criterion(name, most >= least_m, value, asked)


def _away_km(event: GeohazardEvent, within_km: float) -> float:
    return distance_to_land_m(event.longitude, event.latitude, within_km * 1000) / 1000
