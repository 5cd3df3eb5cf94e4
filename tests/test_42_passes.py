"""Passes to come: whole cycles after those that the archive knows, of what is still flown."""

from datetime import timedelta

import pytest
import shapely
from test_41_pairs import AREA, DAY, EVENT, SLICE, cycles, product

from geobservatory.pairs.predict import CYCLE, predict_passes


def test_a_cycle_is_what_orbits_and_nodes_say() -> None:
    """175 orbits in the time the Earth turns under them: the orbits' own period, 98.7 minutes."""
    assert CYCLE / 175 == pytest.approx(timedelta(minutes=98.743), abs=timedelta(seconds=0.1))


def test_passes_come_whole_cycles_later() -> None:
    history = cycles(-28, -16, -4) + cycles(-15.5, -3.5, track=45, direction="ascending")
    found = predict_passes(history, AREA, EVENT, EVENT + 24 * DAY)
    assert [(one.relative_orbit, one.direction, one.time - EVENT) for one in found] == [
        (52, "descending", 8 * DAY),
        (45, "ascending", 8.5 * DAY),
        (52, "descending", 20 * DAY),
        (45, "ascending", 20.5 * DAY),
    ]
    assert found[0].coverage == pytest.approx(1)
    assert (found[0].taken, found[0].cycles) == (3, 3)
    assert predict_passes(history, AREA, EVENT, EVENT + 24 * DAY, tracks=(45,)) == found[1::2]


def test_satellites_are_told_apart() -> None:
    history = cycles(-16, -4) + cycles(-10, mission="S1C")
    found = predict_passes(history, AREA, EVENT, EVENT + 10 * DAY)
    assert [(one.mission, one.time - EVENT) for one in found] == [
        ("S1C", 2 * DAY),
        ("S1A", 8 * DAY),
    ]


def test_what_is_flown_no_more_is_not_predicted() -> None:
    gone = cycles(-60, -48, mission="S1B")
    assert predict_passes(gone, AREA, EVENT, EVENT + 30 * DAY) == []
    assert predict_passes([], AREA, EVENT, EVENT + 30 * DAY) == []


def test_cycles_that_were_left_out_are_told() -> None:
    found = predict_passes(cycles(-52, -28, -16), AREA, EVENT, EVENT + 9 * DAY)
    assert [one.time - EVENT for one in found] == [8 * DAY]
    # The last cycle should have been four days before: it was not taken, like that of day -40.
    assert (found[0].taken, found[0].cycles) == (3, 5)


def test_what_came_after_is_not_looked_at() -> None:
    history = cycles(-16, -4, 8, 20)
    (first, *_) = predict_passes(history, AREA, EVENT, EVENT + 24 * DAY)
    assert first.time == EVENT + 8 * DAY


def test_a_slice_that_is_missing_of_the_last_pass_is_expected_again() -> None:
    half = product(EVENT - 4 * DAY, shapely.box(-9.5, 31.05, -7.5, 33))
    found = predict_passes([*cycles(-28, -16), half], AREA, EVENT, EVENT + 9 * DAY)
    assert found[0].coverage == pytest.approx(1)
    assert shapely.geometry.shape(found[0].footprint).equals(SLICE)
