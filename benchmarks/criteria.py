"""How the rules of activation do on years of earthquakes whose truth is known.

    python -m benchmarks.criteria [years]

Earthquakes are drawn along rough outlines of the plate boundaries: magnitudes by Gutenberg and
Richter with b = 1 and 1,400 of M 5 and above a year, depths and mechanisms by the kind of boundary.
Each has a hidden fault with its own strike, dip, rake, size and place of the hypocentre in it; the
truth is whether it moves land by a centimetre or more along the line of sight of either direction
of flight (Okada with that fault; nothing of `events.expected`). The rules see a first solution and
a revised one, with errors. Aftershocks are not drawn: an activation here is a sequence.
"""

import itertools
import math
import sys
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
from numpy.random import Generator, default_rng
from pyproj import Geod

from geobservatory.events import criteria as rules
from geobservatory.events.criteria import decide
from geobservatory.events.land import distance_to_land_m
from geobservatory.events.model import EventType, GeohazardEvent
from geobservatory.events.okada import Dislocation, displacement
from geobservatory.events.scaling import RIGIDITY, Faulting, rupture, seismic_moment
from geobservatory.settings.model import ActivationCriteria, Rule

_WGS84 = Geod(ellps="WGS84")
_TIME = datetime(2024, 1, 1, tzinfo=UTC)
_SEEN_M = 0.01
_LEAST, _A_YEAR_OF_5 = 4.8, 1400

# Share of the world's earthquakes, kind, and a line on the map (longitude, latitude); all rough.
BOUNDARIES = (
    (0.30, "trench", [(175, -40), (-175, -25), (-174, -15), (170, -20), (160, -9), (150, -5),
                      (130, -4), (120, -9), (105, -7), (95, 3), (93, 12)]),
    (0.25, "trench", [(121, 8), (127, 10), (122, 23), (130, 30), (142, 36), (144, 42), (156, 50),
                      (163, 55), (178, 51), (-165, 53), (-150, 60)]),
    (0.13, "trench", [(-74, -42), (-72, -30), (-71, -20), (-78, -8), (-81, 2), (-86, 11),
                      (-96, 15), (-105, 19)]),
    (0.14, "continent", [(-8, 36), (14, 39), (21, 38), (28, 38), (40, 39), (48, 35), (56, 28),
                         (62, 28), (70, 34), (75, 38), (85, 29), (95, 26), (102, 28)]),
    (0.04, "continent", [(-115, 31), (-121, 37), (-124, 40), (-118, 38), (-112, 41)]),
    (0.14, "ridge", [(-17, 66), (-30, 40), (-45, 20), (-15, 0), (-13, -40), (20, -52), (70, -25),
                     (65, 5), (45, 12), (90, -42), (150, -60), (-110, -30), (-105, 10)]),
)  # fmt: skip


@dataclass(frozen=True)
class Quake:
    """An earthquake as it was: place of the hypocentre, size, and what land saw of it, metres."""

    longitude: float
    latitude: float
    depth_km: float
    magnitude: float
    seen_m: float


def draw(chance: Generator) -> Quake:
    weights = [one[0] for one in BOUNDARIES]
    _, kind, line = BOUNDARIES[chance.choice(len(BOUNDARIES), p=weights)]
    longitude, latitude = along(line, chance)
    scatter = {"trench": 90, "continent": 200, "ridge": 30}[kind]
    longitude, latitude, _ = _WGS84.fwd(
        longitude, latitude, chance.uniform(0, 360), abs(chance.normal(0, scatter)) * 1000
    )
    magnitude = min(_LEAST - math.log10(1 - chance.random()), 9.0)
    depth_km = deep(kind, chance)
    seen = truth(longitude, latitude, depth_km, magnitude, kind, chance)
    return Quake(longitude, latitude, depth_km, magnitude, seen)


def along(line: list[tuple[float, float]], chance: Generator) -> tuple[float, float]:
    """Choose a place on a line, evenly by length."""
    legs = [_WGS84.inv(*a, *b) for a, b in itertools.pairwise(line)]
    lengths = np.array([leg[2] for leg in legs])
    at = chance.choice(len(legs), p=lengths / lengths.sum())
    lon, lat, _ = _WGS84.fwd(*line[at], legs[at][0], chance.random() * lengths[at])
    return float(lon), float(lat)


def deep(kind: str, chance: Generator) -> float:
    if kind == "ridge":
        return float(chance.uniform(5, 14))
    if kind == "continent":
        return float(np.clip(chance.lognormal(math.log(11), 0.5), 3, 80))
    band = chance.choice(3, p=[0.55, 0.3, 0.15])
    return float(chance.uniform(*((8, 45), (45, 110), (110, 600))[band]))


def truth(
    longitude: float, latitude: float, depth_km: float, magnitude: float, kind: str,
    chance: Generator,
) -> float:  # fmt: skip
    """Peak LOS displacement on land by the hidden fault, metres; 0 below a centimetre."""
    slips = chance.random()
    styles = {"trench": (0.75, 0.15), "continent": (0.35, 0.25), "ridge": (0.05, 0.55)}[kind]
    if slips < styles[0]:
        dip, rake = chance.uniform(15, 45), chance.normal(90, 15)
    elif slips < sum(styles):
        dip, rake = chance.uniform(40, 65), chance.normal(-90, 15)
    else:
        dip, rake = chance.uniform(65, 90), chance.choice([0, 180]) + chance.normal(0, 10)
    style = Faulting.STRIKE_SLIP if abs(math.sin(math.radians(rake))) < 0.7 else Faulting.DIP_SLIP
    size = rupture(min(magnitude, 8.2 if style is Faulting.STRIKE_SLIP else 9.0), style)
    # The scaling is a median: of the same moment, some ruptures are twice as large as others.
    length, width = (
        size.length_m * 10 ** chance.normal(0, 0.12),
        size.width_m * 10 ** chance.normal(0, 0.12),
    )
    slip = seismic_moment(magnitude) / (RIGIDITY * length * width)
    half = width / 2 * math.sin(math.radians(dip))
    # The hypocentre is anywhere in the rupture.
    centroid = max(depth_km * 1000 + chance.uniform(-0.8, 0.8) * half, half + 1)
    strike = chance.uniform(0, 360)
    lon, lat, _ = _WGS84.fwd(longitude, latitude, strike, chance.uniform(-0.5, 0.5) * length)
    fault = Dislocation(
        math.radians(lon), math.radians(lat), centroid, math.radians(strike), math.radians(dip),
        math.radians(rake), length, width, slip,
    )  # fmt: skip
    azimuth, radius = np.meshgrid(np.arange(0, 360, 10.0), np.geomspace(300, 500_000, 60))
    here = np.full(azimuth.shape, lon), np.full(azimuth.shape, lat)
    lons, lats, _ = _WGS84.fwd(*here, azimuth, radius)
    east, north, up = displacement([fault], np.radians(lats), np.radians(lons))
    seen = np.zeros(azimuth.shape)
    for toward in (np.radians(258), np.radians(102)):
        for incidence in np.radians([32, 44]):
            flat = east * np.sin(toward) + north * np.cos(toward)
            seen = np.maximum(seen, abs(flat * np.sin(incidence) + up * np.cos(incidence)))
    for at in np.argsort(seen, axis=None)[::-1]:
        if seen.flat[at] < _SEEN_M:
            return 0.0
        if distance_to_land_m(float(lons.flat[at]), float(lats.flat[at]), 1.0) == 0:
            return float(seen.flat[at])
    return 0.0


def solution(quake: Quake, chance: Generator, *, first: bool) -> GeohazardEvent:
    """Locate an earthquake as an agency does: at first roughly, and often at 10 km."""
    off_m, deep_km, size = (12_000, 9.0, 0.2) if first else (6_000, 4.0, 0.08)
    lon, lat, _ = _WGS84.fwd(
        quake.longitude, quake.latitude, chance.uniform(0, 360), abs(chance.normal(0, off_m))
    )
    depth = max(quake.depth_km + chance.normal(0, deep_km), 1.0)
    if first and quake.depth_km < 40 and chance.random() < 0.4:
        depth = 10.0
    return GeohazardEvent(
        event_type=EventType.EARTHQUAKE,
        time=_TIME,
        longitude=(lon + 180) % 360 - 180,
        latitude=lat,
        magnitude=round(quake.magnitude + chance.normal(0, size), 1),
        depth_km=float(round(depth)),
    )


def main() -> None:
    years = int(sys.argv[1]) if len(sys.argv) > 1 else 1
    chance = default_rng(2024)
    # Gutenberg and Richter: ten times as many for each magnitude less.
    number = chance.poisson(years * _A_YEAR_OF_5 * 10 ** (5 - _LEAST))
    quakes = [draw(chance) for _ in range(number)]
    solutions = {
        word: [solution(one, chance, first=word == "first") for one in quakes]
        for word in ("first", "revised")
    }
    seen = [one for one in quakes if one.seen_m]
    large = sum(one.magnitude >= 5.5 for one in seen)
    print(
        f"{years} years, {number} earthquakes of M {_LEAST} and above; a year"
        f" {len(seen) / years:.0f} move land by 1 cm or more along the line of sight,"
        f" {large / years:.0f} of them of M 5.5 and above"
    )
    print(
        "a year:                             activations  false alarms  missed  missed of M >= 5.5"
    )
    for rule, margin_km in (
        (Rule.DEFAULT, 5.0),
        (Rule.DEFAULT, 0.0),
        (Rule.COMET, 0),
        (Rule.JPL, 0),
    ):
        wanted = ActivationCriteria(rule=rule)
        if rule is Rule.DEFAULT:
            rules.DEPTH_ERROR_KM = margin_km
        name = rule.value + (", depth as told" if rule is Rule.DEFAULT and not margin_km else "")
        said = {word: [decide(one, wanted).activate for one in given]
                for word, given in solutions.items()}  # fmt: skip
        said["either"] = [a or b for a, b in zip(*said.values(), strict=True)]
        for word, answers in said.items():
            count: Counter[str] = Counter()
            for quake, yes in zip(quakes, answers, strict=True):
                count["yes"] += yes
                count["false"] += yes and not quake.seen_m
                count["missed"] += bool(quake.seen_m) and not yes
                count["missed large"] += bool(quake.seen_m) and not yes and quake.magnitude >= 5.5
            row = [count[key] / years for key in ("yes", "false", "missed", "missed large")]
            print(
                f"{name + ', ' + word + ' solution':35s}" + "".join(f"{one:13.1f}" for one in row)
            )


if __name__ == "__main__":
    main()
