"""Bursts: ESA's numbers, where they lie, which correspond, where they overlap."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from shapely import Point

from geobservatory.errors import InputError
from geobservatory.events.geojson import read_area
from geobservatory.insar.rdr2geo import rdr2geo
from geobservatory.insar.track import Track, make_track
from geobservatory.sentinel1.annotation import SPEED_OF_LIGHT, Annotation, Burst
from geobservatory.sentinel1.bursts import (
    azimuth_overlap,
    bursts_over,
    common_bursts,
    footprint,
    identify,
    place_bursts,
    range_overlap,
)
from geobservatory.sentinel1.safe import SafeProduct, open_product


@pytest.fixture(scope="module")
def products(shared_data: Path) -> list[SafeProduct]:
    return [open_product(path) for path in sorted((shared_data / "sentinel1").glob("*.zip"))]


def test_numbers_computed_are_those_of_esa(products: list[SafeProduct]) -> None:
    compared = 0
    for product in products:
        for channel in product.channels:
            annotation = product.annotation(*channel)
            for burst in annotation.bursts:
                unnamed = dataclasses.replace(burst, esa_id=None)
                found = identify(annotation, unnamed, product.relative_orbits)
                assert found.relative_orbit == product.name.relative_orbit
                if burst.esa_id is not None:
                    assert found.number == burst.esa_id
                    compared += 1
    assert compared == 54


def test_numbers_do_not_hang_on_milliseconds_and_run_on_over_the_node(
    products: list[SafeProduct],
) -> None:
    annotation = products[0].annotation("IW1", "VV")
    burst = dataclasses.replace(annotation.bursts[0], esa_id=None)
    orbit_s = 12 * 86400 / 175

    def number(anx_time_s: float, orbits: tuple[int, int]) -> tuple[int, int]:
        moved = dataclasses.replace(burst, azimuth_anx_time_s=anx_time_s)
        found = identify(annotation, moved, orbits)
        return found.relative_orbit, found.number

    time = burst.azimuth_anx_time_s
    assert {number(time + wander, (52, 52)) for wander in (-1.0, 0, 1.0)} == {(52, 110431)}
    # A product that counts from the node before, one that passes the node, the end of the cycle.
    assert number(time + orbit_s, (52, 52)) == (52, 110431)
    assert number(time + orbit_s, (51, 52)) == (52, 110431)
    assert number(orbit_s + 5, (175, 1)) == number(5, (1, 1)) == (1, 2)


def test_two_dates_correspond_however_the_slices_are_cut(products: list[SafeProduct]) -> None:
    first, second = (place_bursts(product) for product in products[:2])
    pairs = common_bursts(first, second)
    assert len(pairs) == 27
    for one, other in pairs:
        assert one.swath == other.swath
        assert one.footprint.centroid.distance(other.footprint.centroid) < 0.01
    # A slice that starts two bursts later: the same ground, other indices.
    annotation = products[1].annotation("IW2", "VV")
    late = dataclasses.replace(
        annotation,
        bursts=tuple(
            dataclasses.replace(burst, index=burst.index - 2) for burst in annotation.bursts[2:]
        ),
    )
    cut = [
        dataclasses.replace(other, burst=burst)
        for other, burst in zip(
            [one for one in second if one.swath == "IW2"][2:], late.bursts, strict=True
        )
    ]
    matched = common_bursts([one for one in first if one.swath == "IW2"], cut)
    assert [(one.burst.index, other.burst.index) for one, other in matched] == [
        (index + 2, index) for index in range(7)
    ]
    assert common_bursts(first, place_bursts(products[2])) == []


def test_footprints_are_where_the_geometry_says(products: list[SafeProduct]) -> None:
    for product in products:
        for channel in product.channels:
            one = product.annotation(*channel)
            track = make_track(one.orbit, one.start_time, one.stop_time, margin_s=10)
            for burst in one.bursts:
                outline = footprint(one, burst).exterior
                for corner in _corners(one, burst, track):
                    assert outline.distance(corner) < 0.01


def _corners(one: Annotation, burst: Burst, track: Track) -> list[Point]:
    """Place the corners of the valid samples, at the height of the nearest grid point."""
    grid = one.geolocation_grid
    grid_time, start = one.orbit.seconds(grid.azimuth_time), one.orbit.seconds(burst.azimuth_time)
    corners = []
    for line in (burst.valid_lines[0], burst.valid_lines[1] - 1):
        for sample in (burst.valid_samples[0], burst.valid_samples[1] - 1):
            time = start + line * one.azimuth_time_interval_s
            range_time = one.slant_range_time_s + sample / one.range_sampling_rate_hz
            apart = np.hypot(
                (grid_time - time) * 7e3, (grid.slant_range_time_s - range_time) * SPEED_OF_LIGHT
            )
            height = grid.height_m[apart.argmin()]
            latitude, longitude = rdr2geo(
                track, np.array(time), np.array(range_time * SPEED_OF_LIGHT / 2), np.array(height)
            )
            corners.append(Point(np.degrees(longitude), np.degrees(latitude)))
    return corners


def test_a_footprint_over_the_antimeridian_is_split(products: list[SafeProduct]) -> None:
    annotation = products[0].annotation("IW1", "VV")
    grid = annotation.geolocation_grid
    here = footprint(annotation, annotation.bursts[0])
    turn = 180 - here.centroid.x
    moved = dataclasses.replace(
        annotation,
        geolocation_grid=dataclasses.replace(
            grid, longitude=(grid.longitude + turn + 180) % 360 - 180
        ),
    )
    split = footprint(moved, annotation.bursts[0])
    assert split.geom_type == "MultiPolygon"
    assert split.bounds[0] == -180
    assert split.bounds[2] == 180
    assert abs(split.area - here.area) < 1e-6 * here.area


def test_bursts_over_an_area(products: list[SafeProduct], shared_data: Path) -> None:
    area = read_area(shared_data / "events" / "al-haouz-aoi.geojson")
    bursts = place_bursts(products[0])
    chosen = bursts_over(bursts, area)
    assert 0 < len(chosen) < len(bursts)
    union = chosen[0].footprint
    for one in chosen:
        union = union.union(one.footprint)
    covered = area.intersection(union).area / area.area
    whole = bursts[0].footprint
    for one in bursts:
        whole = whole.union(one.footprint)
    assert covered == pytest.approx(area.intersection(whole).area / area.area)
    assert bursts_over(place_bursts(products[2]), area) == []


def test_overlaps_are_valid_in_both_and_of_one_length(products: list[SafeProduct]) -> None:
    one, other = (products[0].annotation(swath, "VV") for swath in ("IW1", "IW2"))
    here, there = azimuth_overlap(one, 0)
    assert len(here) == len(there) == 125
    assert here[-1] < one.bursts[0].valid_lines[1]
    assert there[0] == one.bursts[1].valid_lines[0]
    # The same line of the ground: the same time, to half a line.
    interval = np.timedelta64(round(one.azimuth_time_interval_s * 1e9), "ns")
    apart = (one.bursts[1].azimuth_time + there[0] * interval) - (
        one.bursts[0].azimuth_time + here[0] * interval
    )
    assert abs(apart / np.timedelta64(1, "s")) < one.azimuth_time_interval_s / 2
    near, far = range_overlap(one, other)
    assert len(near) == len(far) == 473
    at = one.slant_range_time_s + near[0] / one.range_sampling_rate_hz
    assert abs(other.slant_range_time_s + far[0] / other.range_sampling_rate_hz - at) < 1e-8
    gone = dataclasses.replace(other, bursts=())
    assert range_overlap(one, gone) == (range(0), range(0))


def test_what_has_no_burst_numbers_is_refused(products: list[SafeProduct]) -> None:
    annotation = dataclasses.replace(products[0].annotation("IW1", "VV"), swath="EW1")
    with pytest.raises(InputError, match="IW mode"):
        identify(annotation, annotation.bursts[0], (52, 52))
    with pytest.raises(InputError, match="relative orbit"):
        identify(annotation, annotation.bursts[0], None)
    with pytest.raises(InputError, match="HH"):
        place_bursts(products[0], "HH")
