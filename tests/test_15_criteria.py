"""Whether an earthquake activates: each rule, each limit, land, and sequences."""

import math
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from pyproj import Geod

from geobservatory.events.criteria import COMET, decide
from geobservatory.events.land import distance_to_land_m
from geobservatory.events.model import EventType, GeohazardEvent
from geobservatory.events.sequence import belongs, main_event, window
from geobservatory.settings.model import ActivationCriteria, Rule

TIME = datetime(2023, 9, 8, 22, 11, 1, tzinfo=UTC)
DAY = timedelta(days=1)
WGS84 = Geod(ellps="WGS84")


def event(magnitude: float | None = 6.8, depth_km: float | None = 19, **other: Any) -> Any:
    given = {"event_type": EventType.EARTHQUAKE, "time": TIME, "longitude": -8.39} | other
    return GeohazardEvent(latitude=given.pop("latitude", 31.06), magnitude=magnitude,
                          depth_km=depth_km, **given)  # fmt: skip


def criteria(**changes: Any) -> ActivationCriteria:
    return ActivationCriteria(**changes)


# Land.


@pytest.mark.parametrize(
    ("name", "longitude", "latitude"),
    [
        ("Marrakesh", -8.0, 31.63),
        ("Amsterdam, below the sea", 4.9, 52.37),
        ("Santorini", 25.46, 36.37),
        ("Stromboli", 15.21, 38.79),
        ("Whakaari", 177.18, -37.52),
        ("Ascension", -14.36, -7.95),
        ("Easter Island", -109.35, -27.12),
        ("Taveuni, on the antimeridian", 179.999, -16.85),
        ("Taveuni, from the other side", -179.99, -16.85),
        ("the South Pole", 0.0, -90.0),
    ],
)
def test_land_is_land(name: str, longitude: float, latitude: float) -> None:
    assert distance_to_land_m(longitude, latitude, 10_000) == 0, name


def test_the_distance_is_that_of_the_nearest_cell() -> None:
    """Against every cell of land within reach, found through the other's own index."""
    for longitude, latitude in ((-76.0, -15.0), (179.7, -18.5), (-179.4, 51.9), (20.0, 37.3)):
        found = distance_to_land_m(longitude, latitude, 300_000)
        assert found == pytest.approx(brute_force(longitude, latitude, found), rel=1e-9)


def brute_force(longitude: float, latitude: float, about_m: float) -> float:
    """Test single cells for being land (distance 0) all around, one by one."""
    cell = 1 / 120
    reach = about_m / 111_000 + 2 * cell
    rows = np.arange(math.floor((90 - latitude - reach) / cell), (90 - latitude + reach) / cell)
    wide = reach / math.cos(math.radians(abs(latitude) + reach))
    columns = np.arange(
        math.floor((longitude - wide + 180) / cell), (longitude + wide + 180) / cell
    )
    best = math.inf
    for row in rows:
        lat = 90 - (row + 0.5) * cell
        lon = ((columns + 0.5) * cell) % 360 - 180
        land = np.array([distance_to_land_m(one, lat, 1.0) == 0 for one in lon])
        if land.any():
            here = np.full(land.sum(), longitude), np.full(land.sum(), latitude)
            away = WGS84.inv(*here, lon[land], np.full(land.sum(), lat))[2]
            best = min(best, float(away.min()))
    return best


def test_the_distance_is_right_across_the_antimeridian_and_far_out() -> None:
    # South of Fiji: the nearest land of the east is west of the antimeridian, and the other way.
    east, west = (distance_to_land_m(one, -17.2, 100_000) for one in (179.9999, -179.9999))
    assert east == pytest.approx(west, abs=60)
    assert math.isinf(distance_to_land_m(-30, 0, 200_000))
    assert math.isinf(distance_to_land_m(0, 90, 500_000))
    # The coast of Peru off Nazca (chart: some 35 km).
    assert 30_000 < distance_to_land_m(-76, -15, 200_000) < 40_000


def test_land_farther_than_asked_for_is_no_land() -> None:
    away = distance_to_land_m(-76, -15, 200_000)
    assert distance_to_land_m(-76, -15, away + 1) == away
    assert math.isinf(distance_to_land_m(-76, -15, away - 1))


# The rules.


def test_the_default_rule_says_each_number() -> None:
    found = decide(event(), criteria())
    assert found.activate
    assert [one.name for one in found.criteria] == [
        "magnitude and depth", "distance from land", "expected peak LOS on land",
    ]  # fmt: skip
    assert "6.8, 19.0 km" in found.reason and "0 km (≤ 50 km)" in found.reason


@pytest.mark.parametrize(
    ("magnitude", "depth_km", "yes"),
    [
        (5.5, 15, True), (5.5, 15.1, False), (5.4, 5, False),
        (6.5, 40, True), (6.5, 40.1, False), (6.0, 15, True), (5.9, 16, False),
        (None, 10, False), (6.5, None, False),
    ],
)  # fmt: skip
def test_the_limits_of_magnitude_and_depth(magnitude: Any, depth_km: Any, yes: bool) -> None:
    found = decide(event(magnitude, depth_km), criteria())
    assert found.activate is yes
    assert found.criteria[0].met is yes
    if not yes:
        assert "magnitude and depth" in found.reason


def test_what_cannot_be_seen_does_not_activate() -> None:
    """M 6.0 at 40 km moves the ground by half a centimetre: the limits alone would let it."""
    found = decide(event(6.0, 40), criteria())
    assert not found.activate
    assert [one.met for one in found.criteria] == [True, True, False]
    assert decide(event(6.0, 40), criteria(expected_los_m=0.004)).activate
    assert decide(event(6.0, 40), criteria(expected_los_m=0)).activate


@pytest.mark.parametrize(
    ("longitude", "latitude", "limit_km", "yes"),
    [
        (-76.0, -15.0, 50, True),  # 35 km off Peru
        (-76.0, -15.0, 30, False),
        (-30.0, 0.0, 50, False),  # the middle of the Atlantic
        (179.8, -17.2, 50, True),  # between islands of Fiji on both sides of the antimeridian
        (-179.8, -17.2, 50, True),
    ],
)
def test_the_distance_from_land(
    longitude: float, latitude: float, limit_km: float, yes: bool
) -> None:
    strong = event(7.2, 15, longitude=longitude, latitude=latitude)
    assert decide(strong, criteria(coast_distance_km=limit_km)).activate is yes


def test_what_moves_at_sea_only_does_not_count() -> None:
    """A shallow M 5.6 is seen above itself, and not from 35 km away."""
    assert decide(event(5.6, 8), criteria()).activate
    off = decide(event(5.6, 8, longitude=-76.0, latitude=-15.0), criteria())
    assert not off.activate
    assert [one.met for one in off.criteria] == [True, True, False]


@pytest.mark.parametrize(("magnitude", "depth_km", "away_km"), COMET)
def test_the_table_of_comet(magnitude: float, depth_km: float, away_km: float) -> None:
    comet = criteria(rule=Rule.COMET)
    assert decide(event(magnitude, depth_km), comet).activate
    assert not decide(event(magnitude, depth_km + 0.1), comet).activate
    at_sea = event(magnitude, depth_km, longitude=-30, latitude=0)  # 500 km off Brazil
    assert decide(at_sea, comet).activate is (away_km > 900)


def test_comet_holds_the_lower_line_between_two() -> None:
    comet = criteria(rule=Rule.COMET)
    assert decide(event(5.69, 10), comet).activate
    assert not decide(event(5.69, 10.5), comet).activate
    assert not decide(event(5.49, 1), comet).activate


def test_jpl() -> None:
    jpl = criteria(rule=Rule.JPL)
    assert decide(event(5.5, 15), jpl).activate
    assert decide(event(6.0, 40), jpl).activate  # it asks nothing of the displacement
    assert not decide(event(5.9, 16), jpl).activate
    assert not decide(event(7.0, 20, longitude=143.5, latitude=38.3), jpl).activate


@pytest.mark.parametrize("kind", [one for one in EventType if one is not EventType.EARTHQUAKE])
def test_other_kinds_are_for_people(kind: EventType) -> None:
    found = decide(event(event_type=kind), criteria())
    assert not found.activate and "an earthquake" in found.reason


@pytest.mark.parametrize("rule", list(Rule))
@pytest.mark.parametrize("magnitude", [-2, 0, 3.9, 4, 9.5, 10])
@pytest.mark.parametrize("depth_km", [-10, 0, 5, 700])
@pytest.mark.parametrize("place", [(180.0, 0.0), (-180.0, 90.0), (0.0, -90.0)])
def test_nothing_an_agency_may_say_breaks_it(
    rule: Rule, magnitude: float, depth_km: float, place: tuple[float, float]
) -> None:
    found = decide(
        event(magnitude, depth_km, longitude=place[0], latitude=place[1]), criteria(rule=rule)
    )
    assert found.reason and "nan" not in found.reason


# Sequences.


@pytest.mark.parametrize(
    ("magnitude", "distance_km", "days"),
    # Gardner and Knopoff's own table of 1974; the formulas fit it within a few per cent.
    [(4.5, 35, 83), (5.0, 40, 155), (5.5, 47, 290), (6.0, 54, 510), (6.5, 61, 790), (7.0, 70, 915)],
)
def test_the_windows_are_those_of_the_paper(
    magnitude: float, distance_km: float, days: float
) -> None:
    distance_m, time = window(magnitude)
    assert distance_m / 1000 == pytest.approx(distance_km, rel=0.03)
    assert time / DAY == pytest.approx(days, rel=0.13)


def test_the_window_holds_the_rupture() -> None:
    """Kahramanmaraş 2023: M 7.8, and nine hours later M 7.5 on another fault 96 km away."""
    first = event(7.8, 10, longitude=37.03, latitude=37.17, time=TIME)
    second = event(7.5, 10, longitude=37.20, latitude=38.02, time=TIME + timedelta(hours=9))
    assert belongs(second, first, 60 * DAY)


def test_a_mainshock_finds_its_foreshock_and_no_stranger() -> None:
    small, large = event(5.6), event(6.8, time=TIME + 3 * DAY, latitude=31.5)
    assert belongs(large, small, 60 * DAY) and belongs(small, large, 60 * DAY)
    assert main_event([small, large]) is large
    assert not belongs(event(5.0, time=TIME + 61 * DAY), large, 57 * DAY)
    assert not belongs(event(5.0, latitude=32.5), large, 60 * DAY)
    twin = event(5.6, time=TIME + DAY)
    assert main_event([twin, small]) is small


def test_a_sequence_holds_together_across_the_antimeridian() -> None:
    east = event(6.5, longitude=179.9, latitude=-17)
    assert belongs(event(5.0, longitude=-179.9, latitude=-17), east, DAY)
